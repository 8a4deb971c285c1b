/* SPDX-License-Identifier: BSD-3-Clause */
/* test-boot-firmware.c - a firmware image as ROM below 4 GiB and as a copy below 1 MiB. */
#include "config.h"

#include <fcntl.h>

#include "tests/unit/boot-images.h"

static void
test_size(uint64_t size)
{
    g_autofree uint8_t *image = g_malloc(size);
    uint64_t shadow = MIN(size, 0x40000), base = GIB(4) - size;
    struct boot_config config = {0};
    struct machine m = machine_new(MIB(4));
    struct memory_range ranges[4];
    void *p;
    uint64_t got;
    int fd;

    fill(image, size, (uint32_t)(size / 4096));
    config.firmware = image_write("firmware", image, size);
    if (!ok(machine_load(&m, &config, 0), "an image of %" PRIu64 " KiB", size / 1024)) {
        printf("# %s\n", m.error->message);
        machine_free(&m);
        return;
    }
    ok(guest_is(&m, base, image, size), "... ends at 4 GiB");
    ok(guest_is(&m, MIB(1) - shadow, image + size - shadow, shadow), "... its end is below 1 MiB");
    if (size < 0x40000)
        eq_int(guest(&m, MIB(1) - shadow - 8, 8), 0, "... nothing below");
    ok(memory_ranges(m.mem, ranges, 4) == 3 && ranges[2].kind == MEMORY_ROM &&
           ranges[2].gpa == base && ranges[2].len == size,
       "... it is a ROM");
    ok(memory_write(m.mem, base, "x", 1) == -EFAULT &&
           memory_map(m.mem, base, 1, true, &p, &got) == -EFAULT,
       "... that cannot be written");
    fd = open(config.firmware, O_RDONLY);
    ok(fd >= 0 && pread(fd, ranges[2].hva, 1, 0) == -1 && errno == EFAULT,
       "... not even by the host");
    close(fd);
    ok(memory_write(m.mem, 0xff000, "x", 1) == 0, "... the copy can");
    ok(memory_write(m.mem, 0xf0000, "changed", 7) == 0, "the guest changes its copy");
    g_remove(config.firmware);
    ok(memory_reset(m.mem) == 0 && boot_load(m.boot, m.e820, 0, &m.entry, NULL), "a reboot");
    ok(guest_is(&m, MIB(1) - shadow, image + size - shadow, shadow), "... brings it back");
    eq_int(memory_ranges(m.mem, ranges, 4), 3, "... there is still one ROM");
    boot_free(m.boot);
    m.boot = NULL;
    eq_int(memory_ranges(m.mem, ranges, 4), 2, "it goes with its owner");
    machine_free(&m);
}

static void
test_state(void)
{
    uint8_t image[4096] = {0};
    struct boot_config config = {.firmware = image_write("firmware", image, sizeof(image))};
    struct machine m = machine_new(MIB(4));
    const struct boot_entry *e = &m.entry;

    ok(machine_load(&m, &config, 0xe0000), "the state at the reset vector");
    ok(e->mode == BOOT_RESET && e->rip == 0xfff0 && e->rflags == 2, "... F000:FFF0");
    ok(e->cs.selector == 0xf000 && e->cs.base == 0xffff0000 && e->cs.limit == 0xffff &&
           e->cs.type == 11 && e->cs.s && e->cs.present && !e->cs.db && !e->cs.l && !e->cs.g,
       "... cs");
    ok(e->data.selector == 0 && e->data.base == 0 && e->data.limit == 0xffff && e->data.type == 3 &&
           e->data.s && e->data.present,
       "... data segments");
    ok(e->cr0 == 0x60000010 && e->cr3 == 0 && e->cr4 == 0 && e->efer == 0, "... control registers");
    ok(e->gdt_limit == 0xffff && e->idt_limit == 0xffff && e->gdt_base == 0 && e->idt_base == 0,
       "... descriptor tables");
    eq_str(e->protocol, "firmware, 4 KiB", "... its name");
    machine_free(&m);
}

static void
test_bad(void)
{
    static const uint64_t sizes[] = {1,    100,         4095,        4097,
                                     5000, 0x20000 + 1, MIB(16) - 1, MIB(16) + 4096};
    struct boot_config config = {.firmware = image_write("firmware", "x", 1)};
    struct machine m = machine_new(MIB(4));
    struct memory_region *other;
    struct memory_range ranges[4];

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        if (truncate(config.firmware, (off_t)sizes[i]) != 0)
            abort();
        refused("a wrong size", &config, MIB(4), config.firmware, "4 KiB to 16 MiB");
    }
    if (truncate(config.firmware, 65536) != 0)
        abort();
    other = memory_region_new(m.mem, MEMORY_DEVICE, "somebody's window", 4096, NULL);
    ok(memory_region_place(other, 0xfffff000) == 0 && !machine_load(&m, &config, 0) &&
           good_error(m.error, config.firmware) && strstr(m.error->message, "somebody's window"),
       "in the way: %s", m.error ? m.error->message : "?");
    memory_region_unplace(other);
    ok(boot_load(m.boot, m.e820, 0, &m.entry, NULL), "... out of the way again it loads");
    machine_free(&m);

    m = machine_new(MIB(4));
    g_clear_error(&m.error);
    m.boot = boot_new(&config, m.mem, &m.error);
    if (truncate(config.firmware, 4096) != 0)
        abort();
    ok(m.boot && !boot_load(m.boot, m.e820, 0, &m.entry, &m.error) &&
           good_error(m.error, config.firmware) && strstr(m.error->message, "cut short"),
       "shrinks after it was opened: %s", m.error ? m.error->message : "loaded");
    eq_int(memory_ranges(m.mem, ranges, 4), 2, "... and leaves no ROM behind");
    machine_free(&m);
}

int
main(void)
{
    static const uint64_t sizes[] = {4096,    65536,   0x20000, 0x21000, 0x3f000,
                                     0x40000, 0x41000, MIB(2),  MIB(16)};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++)
        test_size(sizes[i]);
    test_state();
    test_bad();
    images_remove();
    return done_testing();
}
