/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-memory-shadow.c - RAM below 1 MiB under a firmware's ROM: what is seen and written in each
 * state, what KVM is told, and that RAM, ROM and reset keep their bytes apart.
 */
#include "config.h"

#include <errno.h>

#include "core/memory/memory.h"
#include "tests/tap.h"

#define MIB(n) (UINT64_C(1048576) * (n))
#define RAM    (MEMORY_SHADOW_READ | MEMORY_SHADOW_WRITE)

static unsigned placed_slots;
static int refuse;

static int
fake_set_slot(void *ctx, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t len, void *hva)
{
    (void)ctx, (void)slot, (void)flags, (void)gpa, (void)hva;
    if (refuse && --refuse == 0)
        return -ENOSPC;
    placed_slots += len ? 1u : -1u;
    return 0;
}

static const struct memory_slot_ops slot_ops = {.set_slot = fake_set_slot};

static struct memory *
memory_with(uint64_t rom_len, struct memory_region **ret_rom)
{
    struct memory_config config = {.size_bytes = MIB(4)};
    struct memory *mem = memory_new(&config, NULL);
    uint8_t *p;

    placed_slots = 0;
    if (!memory_attach(mem, &slot_ops, NULL, NULL) || memory_write(mem, 0xc0000, "ram", 3) ||
        memory_write(mem, 0xf0000, "RAM", 3) || memory_write(mem, MIB(1), "high", 4))
        abort();
    if (!ok(memory_shadow_new(mem, NULL) && memory_shadowed(mem), "the area is switchable"))
        abort();
    *ret_rom = memory_region_new(mem, MEMORY_ROM, "firmware", rom_len, NULL);
    p = memory_region_host(*ret_rom);
    for (uint64_t i = 0; i < rom_len; i++)
        p[i] = (uint8_t)(i >> 12 ^ i);
    if (memory_region_place(*ret_rom, MEMORY_HIGH_BASE - rom_len))
        abort();
    return mem;
}

static int
byte_at(struct memory *mem, uint64_t gpa)
{
    uint8_t val = 0;

    return memory_read(mem, gpa, &val, 1) ? -1 : val;
}

/* What a guest's access that came out to the bus gives. */
static int
bus_byte(struct memory *mem, uint64_t gpa)
{
    uint8_t val = 0x77;

    memory_shadow_access(mem, gpa, &val, 1, false);
    return val;
}

static void
test_switch(void)
{
    struct memory_region *rom;
    struct memory *mem = memory_with(0x40000, &rom);
    const uint8_t *image = memory_region_host(rom);
    uint64_t gpa;

    eq_int(byte_at(mem, 0xc0000), -1, "nothing is there without a ROM");
    eq_int(bus_byte(mem, 0xf0000), 0xff, "and the bus reads as ones");
    eq_int(byte_at(mem, MIB(1)), 'h', "RAM above stays where it was");
    eq_int(byte_at(mem, 0x9ffff), 0, "and below");
    eq_int(memory_shadow_rom(mem, rom), 0, "the ROM");
    eq_int(byte_at(mem, 0xdffff), -1, "only its last 128 KiB are there");
    eq_int(byte_at(mem, 0xe0000), image[0x20000], "from 0xe0000 on");
    eq_int(byte_at(mem, 0xfffff), image[0x3ffff], "to the end");
    ok(memory_write(mem, 0xf0000, "x", 1) == -EFAULT, "it cannot be written");
    memory_shadow_access(mem, 0xf0000, (uint8_t[]){1}, 1, true);

    eq_int(memory_shadow_set(mem, 0xf0000, 0x10000, MEMORY_SHADOW_WRITE), 0, "writes to RAM");
    eq_int(byte_at(mem, 0xf0000), image[0x30000], "reads still see the ROM");
    ok(memory_write(mem, 0xf0000, "x", 1) == -EFAULT, "which our own writes do not reach through");
    for (gpa = 0xf0000; gpa < MIB(1); gpa++) {
        uint8_t val = (uint8_t)bus_byte(mem, gpa);

        memory_shadow_access(mem, gpa, &val, 1, true);
    }
    eq_int(memory_shadow_set(mem, 0xf0000, 0x10000, MEMORY_SHADOW_READ), 0, "reads from RAM");
    ok(byte_at(mem, 0xf0000) == image[0x30000] && byte_at(mem, 0xffff0) == image[0x3fff0],
       "the copy that was made in place is there");
    ok(memory_write(mem, 0xf0000, "x", 1) == -EFAULT, "locked");
    memory_shadow_access(mem, 0xf0000, (uint8_t[]){1}, 1, true);
    eq_int(bus_byte(mem, 0xf0000), image[0x30000], "for the guest too");
    eq_int(memory_shadow_set(mem, 0xf0000, 0x10000, RAM), 0, "reads and writes to RAM");
    ok(!memory_write(mem, 0xf0000, "y", 1) && byte_at(mem, 0xf0000) == 'y', "it is plain RAM");
    eq_int(memory_shadow_set(mem, 0xf0000, 0x10000, 0), 0, "back to the ROM");
    eq_int(byte_at(mem, 0xf0000), image[0x30000], "which is as it was");
    eq_int(memory_shadow_set(mem, 0xc0000, 0x4000, RAM), 0, "one piece");
    ok(byte_at(mem, 0xc0000) == 'r' && byte_at(mem, 0xc4000) == -1, "and no more than that");
    eq_int(memory_shadow_set(mem, 0xc0000, 0x40000, RAM), 0, "all of it");
    eq_int(byte_at(mem, 0xf0000), 'y', "RAM kept its bytes meanwhile");
    ok(memory_write(mem, 0xffffe, "over", 4) == 0 && byte_at(mem, MIB(1)) == 'e',
       "an access across the upper edge");
    ok(!memory_reset(mem) && byte_at(mem, 0xf0000) == 0 && byte_at(mem, MIB(1)) == 0,
       "a reset clears it");
    eq_int(memory_shadow_set(mem, 0xc0000, 0x40000, 0), 0, "as after a reset");
    eq_int(memory_shadow_rom(mem, NULL), 0, "the ROM goes");
    eq_int(byte_at(mem, 0xf0000), -1, "and nothing is left");
    memory_region_free(rom);
    eq_int((int)placed_slots, 2, "KVM has the two pieces of RAM");
    memory_free(mem);
}

static void
test_bad(void)
{
    static const struct {
        uint64_t gpa, len;
        unsigned access;
    } bad[] = {{0xbc000, 0x4000, 3},
               {0xc0000, 0x44000, 3},
               {0xc1000, 0x4000, 3},
               {0xc0000, 0x1000, 3},
               {0xc0000, 0x4000, 4},
               {0x100000, 0x4000, 3},
               {UINT64_MAX & ~UINT64_C(0x3fff), 0x8000, 3}};
    struct memory_region *rom;
    struct memory *mem = memory_with(0x1000, &rom);

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        ok(memory_shadow_set(mem, bad[i].gpa, bad[i].len, bad[i].access) == -EINVAL,
           "0x%" G_GINT64_MODIFIER "x is refused", bad[i].gpa);
    eq_int(memory_shadow_rom(mem, rom), 0, "a ROM of one page");
    ok(byte_at(mem, 0xfeffe) == -1 && byte_at(mem, 0xff005) == 5, "is where it ends at 1 MiB");
    eq_int(bus_byte(mem, 0xfefff), 0xff, "with nothing before it");
    refuse = 1;
    ok(memory_shadow_set(mem, 0xc0000, 0x4000, RAM) == -ENOSPC, "KVM refuses");
    eq_int(bus_byte(mem, 0xc0000), 'r', "the guest's accesses still find the RAM");
    memory_free(mem);

    mem = memory_new(&(struct memory_config){.size_bytes = MIB(4)}, NULL);
    ok(memory_shadow_set(mem, 0xc0000, 0x4000, RAM) == -EINVAL && !memory_shadowed(mem),
       "without the area nothing is switched");
    ok(memory_shadow_rom(mem, NULL) == 0, "and a ROM is nobody's business");
    ok(memory_region_log(memory_region_at(mem, 0xc0000), true) == 0 &&
           !memory_shadow_new(mem, NULL),
       "not while somebody logs writes");
    memory_free(mem);
}

int
main(void)
{
    test_switch();
    test_bad();
    return done_testing();
}
