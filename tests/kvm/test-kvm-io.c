/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's ports and MMIO: every width, string instructions, what nobody claims, doorbells.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/kvm/guest.h"
#include "tests/tap.h"

#define SCRATCH 0x200 /* a region of 16 bytes of plain registers */
#define STRING  0x300 /* reads count up, writes are logged */
#define MMIO    0xd0000000

struct scratch {
    uint8_t bytes[16];
    char log[2048];
    uint8_t next;
    _Atomic unsigned hits, wrong;
};

static uint64_t
scratch_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct scratch *scratch = self;
    uint64_t val = 0;

    (void)id;
    memcpy(&val, scratch->bytes + off, width);
    return val;
}

static void
scratch_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct scratch *scratch = self;
    size_t n = strlen(scratch->log);

    (void)id;
    memcpy(scratch->bytes + off, &val, width);
    snprintf(scratch->log + n, sizeof scratch->log - n, "%llx/%u=%llx ", (unsigned long long)off,
             width, (unsigned long long)val);
}

static uint64_t
string_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct scratch *scratch = self;

    (void)id, (void)off;
    return width == 1 ? scratch->next++ : 0x5555;
}

static struct bus_region *
scratch_region(struct guest *guest, struct scratch *scratch, enum bus_space space, uint64_t base,
               uint64_t (*read)(void *, uint32_t, uint64_t, uint32_t))
{
    struct bus_region_config config = {
        .space = space, .len = 16, .name = "scratch", .read = read, .self = scratch};
    struct bus_region *region = NULL;

    config.write = scratch_write;
    if (bus_region_new(guest->bus, &config, &region) || bus_region_place(region, base))
        g_error("scratch");
    return region;
}

GUEST(ports16, 16,
      "   xor %ax, %ax\n"
      "   mov %ax, %ds\n"
      "   mov %ax, %es\n"
      "   mov $0x200, %dx\n"
      "   mov $0x11, %al\n"
      "   out %al, %dx\n"
      "   inc %dx\n"
      "   mov $0x3322, %ax\n"
      "   out %ax, %dx\n"
      "   mov $0x204, %dx\n"
      "   mov $0x77665544, %eax\n"
      "   out %eax, %dx\n"
      "   mov $0x200, %dx\n"
      "   in %dx, %eax\n" /* 00332211 */
      "   out %eax, $0x10\n"
      "   mov $0x206, %dx\n"
      "   xor %eax, %eax\n"
      "   in %dx, %ax\n" /* 7766 */
      "   out %eax, $0x10\n"
      "   mov $0x20e, %dx\n" /* across the region's end */
      "   mov $0xccbbaa99, %eax\n"
      "   out %eax, %dx\n"
      "   in %dx, %eax\n" /* ffffaa99 */
      "   out %eax, $0x10\n"
      "   mov $0x400, %dx\n" /* nobody there */
      "   xor %eax, %eax\n"
      "   in %dx, %al\n"
      "   out %eax, $0x10\n"
      "   in %dx, %eax\n"
      "   out %eax, $0x10\n"
      "   out %al, $0x18\n"
      "1: hlt\n"
      "   jmp 1b\n");

GUEST(strings16, 16,
      "   cld\n"
      "   mov $0x300, %dx\n"
      "   mov $0x4000, %di\n"
      "   mov $200, %cx\n"
      "   rep insb\n"
      "   mov $0x4000, %si\n"
      "   mov $6, %cx\n"
      "   rep outsb\n"
      "   mov $0x4010, %si\n"
      "   mov $2, %cx\n"
      "   rep outsw\n"
      "   std\n"
      "   mov $0x4023, %si\n"
      "   mov $3, %cx\n"
      "   rep outsb\n"
      "   cld\n"
      "   mov $0x4100, %di\n"
      "   mov $2, %cx\n"
      "   rep insl\n"
      "   out %al, $0x18\n"
      "1: hlt\n"
      "   jmp 1b\n");

static void
test_ports(void)
{
    struct guest *guest = guest_new(1, 4 << 20);
    struct scratch scratch = {.log = ""}, string = {.log = ""};
    uint8_t ram[0x110];
    bool counts = true;

    scratch_region(guest, &scratch, BUS_PIO, SCRATCH, scratch_read);
    scratch_region(guest, &string, BUS_PIO, STRING, string_read);
    guest_load_code(guest, 0x1000, ports16);
    guest_start_at(guest, 16, 0x1000);
    ok(guest_wait(guest), "real mode: ports");
    eq_str(scratch.log, "0/1=11 1/2=3322 4/4=77665544 e/2=aa99 ", "writes of every width arrive");
    eq_int(guest_log_at(guest, 0), 0x332211, "four bytes back");
    eq_int(guest_log_at(guest, 1), 0x7766, "two");
    eq_int(guest_log_at(guest, 2), 0xffffaa99, "across the end: ones");
    eq_int(guest_log_at(guest, 3), 0xff, "an unclaimed port reads as ones");
    eq_int(guest_log_at(guest, 4), 0xffffffff, "of every width");

    vcpus_pause(guest->vm);
    guest_load_code(guest, 0x1000, strings16);
    guest_start_at(guest, 16, 0x1000);
    ok(guest_wait(guest), "string instructions");
    vcpus_pause(guest->vm);
    if (memory_read(guest->mem, 0x4000, ram, sizeof ram))
        g_error("memory_read");
    for (unsigned i = 0; i < 200; i++)
        counts &= ram[i] == i;
    ok(counts, "rep insb: 200 bytes, in order, none twice");
    eq_str(string.log,
           "0/1=0 0/1=1 0/1=2 0/1=3 0/1=4 0/1=5 0/2=1110 0/2=1312 0/1=23 0/1=22 0/1=21 ",
           "rep outsb, outsw, and backwards");
    ok(memcmp(ram + 0x100, "\x55\x55\0\0\x55\x55\0\0", 8) == 0, "rep insl");
    guest_free(guest);
}

GUEST(mmio64, 64,
      "   mov $0xd0000000, %ebx\n"
      "   movb $0x11, (%rbx)\n"
      "   movw $0x3322, 2(%rbx)\n"
      "   movl $0x77665544, 4(%rbx)\n"
      "   movabs $0xffeeddccbbaa9988, %rax\n"
      "   mov %rax, 8(%rbx)\n"
      "   mov (%rbx), %rax\n" /* 7766554433220011 */
      "   out %eax, $0x10\n"
      "   shr $32, %rax\n"
      "   out %eax, $0x10\n"
      "   mov 3(%rbx), %rax\n" /* aa99887766554433, unaligned */
      "   out %eax, $0x10\n"
      "   shr $32, %rax\n"
      "   out %eax, $0x10\n"
      "   movzbl 15(%rbx), %eax\n"
      "   out %eax, $0x10\n"
      "   movzwl 14(%rbx), %eax\n"
      "   out %eax, $0x10\n"
      "   mov 12(%rbx), %rax\n" /* across the end */
      "   out %eax, $0x10\n"
      "   shr $32, %rax\n"
      "   out %eax, $0x10\n"
      "   mov 0x100000(%rbx), %eax\n" /* nobody there */
      "   out %eax, $0x10\n"
      "   movl $1, 0x100000(%rbx)\n"
      "   mov $0xd0000ffe, %ebx\n" /* across two pages, nobody there */
      "   mov (%rbx), %eax\n"
      "   out %eax, $0x10\n"
      "   out %al, $0x18\n"
      "1: hlt\n"
      "   jmp 1b\n");

GUEST(mmio32, 32,
      "   mov $0xd0000000, %ebx\n"
      "   movl $0x12345678, (%ebx)\n"
      "   movb 1(%ebx), %al\n"
      "   movzx %al, %eax\n"
      "   out %eax, $0x10\n"
      "   incl (%ebx)\n" /* a read, then a write */
      "   mov (%ebx), %eax\n"
      "   out %eax, $0x10\n"
      "   mov $0xd0000000, %esi\n"
      "   mov $0x8000, %edi\n"
      "   mov $4, %ecx\n"
      "   cld\n"
      "   rep movsl\n" /* registers to RAM */
      "   mov 0x8000, %eax\n"
      "   out %eax, $0x10\n"
      "   out %al, $0x18\n"
      "1: hlt\n"
      "   jmp 1b\n");

static void
test_mmio(void)
{
    struct guest *guest = guest_new(1, 4 << 20);
    struct scratch scratch = {.log = ""};
    struct bus_stat stats[8];

    scratch_region(guest, &scratch, BUS_MMIO, MMIO, scratch_read);
    guest_load_code(guest, 0x8000, mmio64);
    guest_start_at(guest, 64, 0x8000);
    ok(guest_wait(guest), "long mode: MMIO");
    eq_str(scratch.log, "0/1=11 2/2=3322 4/4=77665544 8/8=ffeeddccbbaa9988 ",
           "writes of 1, 2, 4 and 8 bytes arrive");
    eq_int(guest_log_at(guest, 0), 0x33220011, "eight bytes back, low half");
    eq_int(guest_log_at(guest, 1), 0x77665544, "high half");
    eq_int(guest_log_at(guest, 2), 0x66554433, "unaligned, low half");
    eq_int(guest_log_at(guest, 3), 0xaa998877, "high half");
    eq_int(guest_log_at(guest, 4), 0xff, "the last byte");
    eq_int(guest_log_at(guest, 5), 0xffee, "the last two");
    eq_int(guest_log_at(guest, 6), 0xffeeddcc, "across the end: what is there");
    eq_int(guest_log_at(guest, 7), 0xffffffff, "and ones");
    eq_int(guest_log_at(guest, 8), 0xffffffff, "an unclaimed address reads as ones");
    eq_int(guest_log_at(guest, 9), 0xffffffff, "across two pages too");
    bus_stats(guest->bus, stats, 8);
    eq_int(stats[2].reads, 5, "the bus counted the region's reads");

    vcpus_pause(guest->vm);
    guest_clear_log(guest);
    guest_load_code(guest, 0x9000, mmio32);
    guest_start_at(guest, 32, 0x9000);
    ok(guest_wait(guest), "protected mode: MMIO");
    eq_int(guest_log_at(guest, 0), 0x56, "a byte");
    eq_int(guest_log_at(guest, 1), 0x12345679, "a read-modify-write");
    eq_int(guest_log_at(guest, 2), 0x12345679, "rep movsl from registers to RAM");
    guest_free(guest);
}

GUEST(bells64, 64,
      "   mov $0x200, %dx\n"
      "   mov $7, %eax\n"
      "   out %ax, %dx\n" /* rings */
      "   mov $8, %eax\n"
      "   out %ax, %dx\n" /* another value: the handler's */
      "   mov $0xd0000000, %ebx\n"
      "   movl $3, (%rbx)\n"  /* rings */
      "   movl $4, (%rbx)\n"  /* the handler's */
      "   movw $9, 8(%rbx)\n" /* any width rings */
      "   movl $9, 8(%rbx)\n"
      "   out %al, $0x18\n"
      "1: hlt\n"
      "   jmp 1b\n");

static unsigned
rung(int fd)
{
    uint64_t n = 0;

    return read(fd, &n, sizeof n) == sizeof n ? (unsigned)n : 0;
}

static void
test_doorbells(void)
{
    struct guest *guest = guest_new(1, 4 << 20);
    struct scratch pio = {.log = ""}, mmio = {.log = ""};
    struct bus_region *p = scratch_region(guest, &pio, BUS_PIO, SCRATCH, scratch_read),
                      *m = scratch_region(guest, &mmio, BUS_MMIO, 0xe0000000, scratch_read);
    int fd1 = eventfd(0, EFD_NONBLOCK), fd2 = eventfd(0, EFD_NONBLOCK),
        fd3 = eventfd(0, EFD_NONBLOCK);
    struct bus_doorbell *one, *two, *three;
    struct bus_stat stats[8];

    if (bus_doorbell_add(p, 0, 2, 7, fd1, &one) || bus_doorbell_add(m, 0, 4, 3, fd2, &two) ||
        bus_doorbell_add(m, 8, 0, -1, fd3, &three))
        g_error("bus_doorbell_add");
    if (bus_region_place(m, MMIO)) /* they move along */
        g_error("place");
    guest_load_code(guest, 0x8000, bells64);
    guest_start_at(guest, 64, 0x8000);
    ok(guest_wait(guest), "doorbells");
    ok(rung(fd1) == 1 && rung(fd2) == 1, "port and MMIO doorbells ring, once");
    eq_int(rung(fd3), 2, "one for any width, by each of them");
    eq_str(pio.log, "0/2=8 ", "other values of the port come to the handler");
    eq_str(mmio.log, "0/4=4 ", "and of the register");
    bus_stats(guest->bus, stats, 8);
    ok(stats[2].rings == 0 && stats[3].rings == 0, "no ring came to user space");
    eq_int(vcpu_exits(guest->vcpus[0]), 3, "three exits in all: two handlers, the end");

    /* The same without KVM's help. */
    vcpus_pause(guest->vm);
    bus_detach(guest->bus);
    guest_start_at(guest, 64, 0x8000);
    ok(guest_wait(guest), "the same in user space");
    ok(rung(fd1) == 1 && rung(fd2) == 1 && rung(fd3) == 2, "rings as before");
    bus_stats(guest->bus, stats, 8);
    ok(stats[2].rings == 1 && stats[3].rings == 3, "all by exits");
    bus_doorbell_remove(one);
    bus_doorbell_remove(two);
    bus_doorbell_remove(three);
    bus_attach(guest->bus, &guest_kernel_ops, guest->vm);
    guest_free(guest);
    close(fd1);
    close(fd2);
    close(fd3);
}

GUEST(posted16, 16,
      "   mov $0x200, %dx\n" /* posted: ten bytes, then a word */
      "   mov $10, %cx\n"
      "1: mov %cl, %al\n"
      "   out %al, %dx\n"
      "   loop 1b\n"
      "   mov $0x3322, %ax\n"
      "   out %ax, %dx\n"
      "   mov $0x300, %dx\n" /* not posted */
      "   mov $0x77, %al\n"
      "   out %al, %dx\n"
      "   mov $0x200, %dx\n"
      "   mov $0x55, %al\n"
      "   out %al, %dx\n"
      "   in %dx, %al\n"
      "   out %eax, $0x10\n"
      "   mov $0xaa, %al\n"
      "   out %al, %dx\n"
      "   xor %ax, %ax\n"
      "   mov %ax, %ds\n"
      "   movb $1, 0x4000\n"
      "1: jmp 1b\n");

/* More than the ring holds, so that some exit like other writes. */
GUEST(flood16, 16,
      "   mov $0x200, %dx\n"
      "   xor %eax, %eax\n"
      "   mov $2000, %cx\n"
      "1: out %eax, %dx\n"
      "   inc %eax\n"
      "   loop 1b\n"
      "   out %al, $0x18\n"
      "1: hlt\n"
      "   jmp 1b\n");

struct in_order {
    uint64_t next;
    bool bad;
};

static void
in_order_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct in_order *in_order = self;

    (void)id, (void)off, (void)width;
    in_order->bad |= val != in_order->next++;
}

static void
test_posted(void)
{
    struct guest *guest = guest_new(1, 4 << 20);
    struct scratch one = {.log = ""};
    struct in_order flood = {0};
    struct bus_region_config config = {
        .space = BUS_PIO, .posted = true, .len = 16, .name = "posted", .self = &one};
    struct bus_region *posted = NULL, *plain;
    uint8_t written = 0;
    uint64_t exits;

    config.read = scratch_read;
    config.write = scratch_write;
    if (bus_region_new(guest->bus, &config, &posted) || bus_region_place(posted, SCRATCH))
        g_error("posted");
    plain = scratch_region(guest, &one, BUS_PIO, STRING, scratch_read);
    guest_load_code(guest, 0x1000, posted16);
    guest_start_at(guest, 16, 0x1000);
    /* It never exits again: the last write is there when the vCPU is parked. */
    while (memory_read(guest->mem, 0x4000, &written, 1) == 0 && written != 1)
        g_thread_yield();
    vcpus_pause(guest->vm);
    eq_str(one.log,
           "0/1=a 0/1=9 0/1=8 0/1=7 0/1=6 0/1=5 0/1=4 0/1=3 0/1=2 0/1=1 0/2=3322 0/1=77 0/1=55 "
           "0/1=aa ",
           "posted writes come in order, before what exits after them, and all when it is parked");
    eq_int(guest_log_at(guest, 0) & 0xff, 0x55, "and a read sees the write before it");
    exits = vcpu_exits(guest->vcpus[0]);
    if (vm_post(guest->vm, true, true, 0x4000, 1) == 0)
        eq_int(exits, 3, "exits: the plain write, the read, the log");
    else
        skip("posted writes exit", "this KVM has no ring for ports");
    bus_region_free(posted);
    bus_region_free(plain);

    config.self = &flood;
    config.read = NULL;
    config.write = in_order_write;
    if (bus_region_new(guest->bus, &config, &posted) || bus_region_place(posted, SCRATCH))
        g_error("posted");
    guest_load_code(guest, 0x1000, flood16);
    guest_start_at(guest, 16, 0x1000);
    ok(guest_wait(guest), "more posted writes than the ring holds");
    vcpus_pause(guest->vm);
    ok(flood.next == 2000 && !flood.bad, "all of them came, in order");
    guest_free(guest);
}

/* Two vCPUs would need an AP; one vCPU and a mover on this thread show as much. */
GUEST(hammer64, 64,
      "   mov $0xd0000000, %ebx\n"
      "   mov $0x200, %dx\n"
      "1: mov (%rbx), %eax\n"
      "   movl $1, 4(%rbx)\n"
      "   in %dx, %ax\n"
      "   out %al, %dx\n"
      "   incl 0x7000\n"
      "   jmp 1b\n");

static uint64_t
hammer_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct scratch *scratch = self;

    if (off + width > 16 || id != 0)
        scratch->wrong++;
    scratch->hits++;
    return 0;
}

static void
hammer_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    (void)val;
    hammer_read(self, id, off, width);
}

static void
test_moves_under_load(void)
{
    struct guest *guest = guest_new(1, 4 << 20);
    struct scratch pio = {.log = ""}, mmio = {.log = ""};
    struct bus_region_config config = {.len = 16, .name = "hammer", .read = hammer_read};
    struct bus_region *p = NULL, *m = NULL;
    struct bus_doorbell *bell;
    int fd = eventfd(0, EFD_NONBLOCK);

    config.write = hammer_write;
    guest_load_code(guest, 0x8000, hammer64);
    guest_start_at(guest, 64, 0x8000);
    for (unsigned i = 0; i < 100; i++) {
        config.space = BUS_PIO;
        config.self = &pio;
        if (bus_region_new(guest->bus, &config, &p) || bus_region_place(p, SCRATCH))
            g_error("pio");
        config.space = BUS_MMIO;
        config.self = &mmio;
        if (bus_region_new(guest->bus, &config, &m) || bus_region_place(m, MMIO) ||
            bus_doorbell_add(m, 4, 4, i & 1 ? 1 : 2, fd, &bell))
            g_error("mmio");
        while (i % 20 == 0 && (pio.hits == 0 || mmio.hits == 0))
            g_thread_yield();
        if (bus_region_place(m, MMIO + 8) || bus_region_place(m, MMIO - 8) ||
            bus_region_place(p, SCRATCH - 15))
            g_error("move");
        bus_region_free(p);
        bus_region_free(m);
        bus_doorbell_remove(bell);
        bus_sync(guest->bus);
        if (i % 20 == 0)
            pio.hits = mmio.hits = 0;
    }
    vcpus_pause(guest->vm);
    ok(pio.wrong == 0 && mmio.wrong == 0, "regions come, move and go under a running guest");
    guest_free(guest);
    close(fd);
}

int
main(void)
{
    need_kvm();
    test_ports();
    test_mmio();
    test_doorbells();
    test_posted();
    test_moves_under_load();
    return done_testing();
}
