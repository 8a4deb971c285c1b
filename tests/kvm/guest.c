/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest.c - see guest.h.
 */
#include "tests/kvm/guest.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/tap.h"

#define WAIT_US (60 * G_USEC_PER_SEC)

#define PAGE_TABLES 0x2000
#define GDT         0x6000
#define STACK_TOP   0x7000

void
need_kvm(void)
{
    if (access("/dev/kvm", R_OK | W_OK) < 0) {
        printf("1..0 # SKIP no /dev/kvm that we may use\n");
        exit(0);
    }
}

static void
log_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct guest *guest = self;

    (void)id, (void)off, (void)width;
    g_mutex_lock(&guest->lock);
    if (guest->logged < LOG_MAX)
        guest->log[guest->logged] = (uint32_t)val;
    guest->logged++;
    g_cond_broadcast(&guest->cond);
    g_mutex_unlock(&guest->lock);
}

static void
done_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct guest *guest = self;

    (void)id, (void)off, (void)val, (void)width;
    g_mutex_lock(&guest->lock);
    guest->done++;
    g_cond_broadcast(&guest->cond);
    g_mutex_unlock(&guest->lock);
}

static void
guest_stopped(void *user, const struct vcpu_event *event)
{
    struct guest *guest = user;

    g_mutex_lock(&guest->lock);
    guest->stopped = true;
    guest->why = event->why;
    guest->stopped_cpu = event->cpu;
    guest->stopped_exits = event->exits;
    g_strlcpy(guest->what, event->what, sizeof guest->what);
    g_strlcpy(guest->hint, event->hint ? event->hint : "", sizeof guest->hint);
    g_strlcpy(guest->dump, event->dump, sizeof guest->dump);
    g_cond_broadcast(&guest->cond);
    g_mutex_unlock(&guest->lock);
}

static const struct vcpu_ops guest_ops = {
    .pio = bus_dispatch_pio, .mmio = bus_dispatch_mmio, .stopped = guest_stopped};

static void
fatal(const GError *error)
{
    printf("Bail out! %s\n", error->message);
    exit(1);
}

static int
read_guest(void *ctx, uint64_t gpa, void *buf, uint64_t len)
{
    return memory_read(ctx, gpa, buf, len);
}

static const char *
ram_overlap(void *ctx, uint64_t gpa, uint64_t len)
{
    return memory_overlap(ctx, gpa, len);
}

static struct bus_region *
port(struct guest *guest, const char *name, uint64_t base,
     void (*write)(void *, uint32_t, uint64_t, uint64_t, uint32_t))
{
    struct bus_region_config config = {
        .space = BUS_PIO, .len = 4, .name = name, .write = write, .self = guest};
    struct bus_region *region = NULL;

    if (bus_region_new(guest->bus, &config, &region) || bus_region_place(region, base))
        g_error("port %s", name);
    return region;
}

struct guest *
guest_new(unsigned cpus, uint64_t ram_bytes)
{
    GError *error = NULL;
    struct guest *guest = guest_new_attrs(cpus, ram_bytes, NULL, &error);

    if (guest == NULL)
        fatal(error);
    return guest;
}

const struct bus_kernel_ops guest_kernel_ops = {.ioeventfd = vm_ioeventfd, .post = vm_post};

static gboolean
attach_memory(void *ctx, struct vm *vm, GError **error)
{
    return memory_attach(ctx, &vm_slot_ops, vm, error);
}

struct guest *
guest_new_attrs(unsigned cpus, uint64_t ram_bytes, const struct thread_attrs *attrs,
                GError **ret_error)
{
    struct guest *guest = g_new0(struct guest, 1);
    struct memory_config mem = {.size_bytes = ram_bytes};
    GError *error = NULL;

    g_mutex_init(&guest->lock);
    g_cond_init(&guest->cond);
    guest->mem = memory_new(&mem, &error);
    if (guest->mem == NULL)
        fatal(error);
    guest->bus = bus_new(ram_overlap, guest->mem);
    guest->vm = vm_new(NULL);
    vm_begin_memory(guest->vm, attach_memory, guest->mem);
    if (!vm_opened(guest->vm, &error))
        fatal(error);
    bus_attach(guest->bus, &guest_kernel_ops, guest->vm);
    guest->irqs = irq_router_new(guest->vm);
    vm_begin_cpus(guest->vm, cpus);
    if (!vm_ready(guest->vm, &error))
        fatal(error);
    guest->log_region = port(guest, "log", LOG_PORT, log_write);
    guest->done_region = port(guest, "done", DONE_PORT, done_write);
    for (guest->cpus = 0; guest->cpus < cpus; guest->cpus++) {
        unsigned i = guest->cpus;
        struct vcpu_config config = {.index = i, .ops = &guest_ops, .user = guest};

        guest->readers[i] = bus_reader_new(guest->bus);
        config.attrs = attrs;
        config.io = guest->readers[i];
        config.read_guest = read_guest;
        config.read_ctx = guest->mem;
        guest->vcpus[i] = vcpu_connect(guest->vm, &config);
    }
    for (unsigned i = 0; i < cpus; i++)
        if (!vcpu_start(guest->vcpus[i], ret_error)) {
            guest_free(guest);
            return NULL;
        }
    return guest;
}

void
guest_free(struct guest *guest)
{
    vcpus_stop(guest->vm);
    for (unsigned i = 0; i < guest->cpus; i++)
        bus_reader_free(guest->readers[i]);
    bus_detach(guest->bus);
    memory_detach(guest->mem);
    irq_router_free(guest->irqs);
    vm_free(guest->vm);
    bus_free(guest->bus);
    memory_free(guest->mem);
    g_cond_clear(&guest->cond);
    g_mutex_clear(&guest->lock);
    g_free(guest);
}

void
guest_load(struct guest *guest, uint64_t gpa, const uint8_t *code, const uint8_t *end)
{
    if (memory_write(guest->mem, gpa, code, (uint64_t)(end - code)))
        g_error("guest_load %#lx", (unsigned long)gpa);
}

static void
write_u64(struct guest *guest, uint64_t gpa, uint64_t val)
{
    if (memory_write(guest->mem, gpa, &val, sizeof val))
        g_error("write_u64");
}

/* PML4 at 0x2000, PDPT at 0x3000, page directories for the first GiB at 0x4000 and the fourth at
 * 0x5000, of 2 MiB pages. */
static void
make_page_tables(struct guest *guest)
{
    write_u64(guest, PAGE_TABLES, (PAGE_TABLES + 0x1000) | 3);
    write_u64(guest, PAGE_TABLES + 0x1000, (PAGE_TABLES + 0x2000) | 3);
    write_u64(guest, PAGE_TABLES + 0x1018, (PAGE_TABLES + 0x3000) | 3);
    for (uint64_t i = 0; i < 512; i++) {
        write_u64(guest, PAGE_TABLES + 0x2000 + i * 8, i << 21 | 0x83);
        write_u64(guest, PAGE_TABLES + 0x3000 + i * 8, (UINT64_C(0xc0000000) + (i << 21)) | 0x83);
    }
}

void
guest_start_at(struct guest *guest, unsigned bits, uint64_t rip)
{
    struct boot_entry entry = {
        .mode = bits == 64 ? BOOT_LONG : BOOT_PROTECTED, .rip = rip, .rflags = 2, .rsp = STACK_TOP};
    GError *error = NULL;

    entry.cs = (struct boot_segment){.limit = UINT32_MAX,
                                     .selector = 8,
                                     .type = 11,
                                     .present = 1,
                                     .db = bits == 32,
                                     .s = 1,
                                     .l = bits == 64,
                                     .g = 1};
    entry.data = (struct boot_segment){
        .limit = UINT32_MAX, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
    entry.tr = (struct boot_segment){.limit = 0x67, .selector = 24, .type = 11, .present = 1};
    entry.ldt = (struct boot_segment){.type = 2};
    entry.cr0 = 0x11;
    if (bits == 16) {
        entry.cr0 = 0x10;
        entry.cs = entry.data =
            (struct boot_segment){.limit = 0xffff, .type = 3, .present = 1, .s = 1};
        entry.cs.type = 11;
        entry.idt_limit = 0x3ff;
    } else {
        static const uint64_t gdt[] = {0, UINT64_C(0x00cf9b000000ffff),
                                       UINT64_C(0x00cf93000000ffff)};

        if (memory_write(guest->mem, GDT, gdt, sizeof gdt))
            g_error("gdt");
        if (bits == 64)
            write_u64(guest, GDT + 8, UINT64_C(0x00af9b000000ffff));
        entry.gdt_base = GDT;
        entry.gdt_limit = sizeof gdt - 1;
    }
    if (bits == 64) {
        make_page_tables(guest);
        entry.cr0 = 0x80000011;
        entry.cr3 = PAGE_TABLES;
        entry.cr4 = 0x20;
        entry.efer = 0x500;
    }
    if (!vcpu_set_entry(guest->vcpus[0], &entry, &error))
        fatal(error);
    vcpus_resume(guest->vm);
}

bool
guest_wait(struct guest *guest)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;
    bool good;

    g_mutex_lock(&guest->lock);
    while (!guest->done && !guest->stopped && g_cond_wait_until(&guest->cond, &guest->lock, end))
        continue;
    good = guest->done > 0 && !guest->stopped;
    if (good)
        guest->done = 0;
    else if (guest->stopped)
        printf("# a vCPU stopped: %s\n# %s\n%s", guest->what, guest->hint, guest->dump);
    g_mutex_unlock(&guest->lock);
    return good;
}

bool
guest_wait_stopped(struct guest *guest)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;
    bool good;

    g_mutex_lock(&guest->lock);
    while (!guest->stopped && g_cond_wait_until(&guest->cond, &guest->lock, end))
        continue;
    good = guest->stopped;
    guest->stopped = false;
    g_mutex_unlock(&guest->lock);
    return good;
}

bool
guest_wait_logged(struct guest *guest, unsigned n)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;
    bool good;

    g_mutex_lock(&guest->lock);
    while (guest->logged < n && g_cond_wait_until(&guest->cond, &guest->lock, end))
        continue;
    good = guest->logged >= n;
    g_mutex_unlock(&guest->lock);
    return good;
}

uint32_t
guest_log_at(struct guest *guest, unsigned i)
{
    uint32_t val;

    g_mutex_lock(&guest->lock);
    val = i < guest->logged && i < LOG_MAX ? guest->log[i] : UINT32_C(0xdeadbeef);
    g_mutex_unlock(&guest->lock);
    return val;
}

unsigned
guest_logged(struct guest *guest)
{
    unsigned n;

    g_mutex_lock(&guest->lock);
    n = guest->logged;
    g_mutex_unlock(&guest->lock);
    return n;
}

void
guest_clear_log(struct guest *guest)
{
    g_mutex_lock(&guest->lock);
    guest->logged = 0;
    g_mutex_unlock(&guest->lock);
}
