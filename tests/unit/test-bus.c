/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port and MMIO bus on one thread: look-up, splitting, conflicts, free ranges, statistics.
 */
#include <errno.h>

#include "core/bus/bus.h"
#include "tests/tap.h"

/* A region whose bytes are its offsets xor a key, and which writes down what it was asked. */
struct dev {
    struct bus_region *region;
    uint8_t key;
    char log[1024];
    uint64_t move_to; /* place itself there on a write, if not BUS_NOWHERE - 1 */
    bool free_self;
};

static uint64_t
dev_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct dev *dev = self;
    uint64_t val = 0;
    size_t n = strlen(dev->log);

    for (unsigned i = 0; i < width; i++)
        val |= (uint64_t)(uint8_t)((off + i) ^ dev->key) << (8 * i);
    snprintf(dev->log + n, sizeof dev->log - n, "r%u:%llx/%u ", id, (unsigned long long)off, width);
    /* Rubbish above the width must not reach the guest. */
    return width == 8 ? val : val | UINT64_MAX << (8 * width);
}

static void
dev_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct dev *dev = self;
    size_t n = strlen(dev->log);

    snprintf(dev->log + n, sizeof dev->log - n, "w%u:%llx/%u=%llx ", id, (unsigned long long)off,
             width, (unsigned long long)val);
    if (dev->free_self)
        bus_region_free(dev->region);
    else if (dev->move_to != BUS_NOWHERE - 1)
        eq_int(bus_region_place(dev->region, dev->move_to), 0, "a handler moves its own region");
}

static struct dev *
dev_new(struct bus *bus, enum bus_space space, const char *name, uint64_t len, uint32_t id)
{
    struct dev *dev = g_new0(struct dev, 1);
    struct bus_region_config config = {
        .space = space, .len = len, .name = name, .self = dev, .id = id};

    config.read = dev_read;
    config.write = dev_write;
    dev->key = (uint8_t)(id * 16);
    dev->move_to = BUS_NOWHERE - 1;
    if (bus_region_new(bus, &config, &dev->region))
        g_error("bus_region_new");
    return dev;
}

static void
place(struct dev *dev, uint64_t base)
{
    if (bus_region_place(dev->region, base))
        g_error("bus_region_place %#lx", (unsigned long)base);
}

static const char *
take_log(struct dev *dev)
{
    static char log[sizeof dev->log];

    memcpy(log, dev->log, sizeof log);
    g_strchomp(log);
    dev->log[0] = '\0';
    return log;
}

static uint64_t
in(struct bus_reader *reader, uint16_t port, unsigned width)
{
    uint8_t data[9] = {0, 0, 0, 0, 0, 0, 0, 0, 0x77};
    uint64_t val;

    bus_dispatch_pio(reader, port, width, 1, data, false);
    memcpy(&val, data, 8);
    return val;
}

static void
out(struct bus_reader *reader, uint16_t port, unsigned width, uint32_t val)
{
    bus_dispatch_pio(reader, port, width, 1, &val, true);
}

static uint64_t
mmio_read(struct bus_reader *reader, uint64_t gpa, unsigned len)
{
    uint64_t val = 0;

    bus_dispatch_mmio(reader, gpa, &val, len, false);
    return val;
}

static void
mmio_write(struct bus_reader *reader, uint64_t gpa, unsigned len, uint64_t val)
{
    bus_dispatch_mmio(reader, gpa, &val, len, true);
}

static void
test_ports(void)
{
    struct bus *bus = bus_new(NULL, NULL);
    struct bus_reader *reader = bus_reader_new(bus);
    struct dev *a = dev_new(bus, BUS_PIO, "a", 8, 1), *b = dev_new(bus, BUS_PIO, "b", 2, 2),
               *top = dev_new(bus, BUS_PIO, "top", 1, 3);
    uint8_t string[12];

    eq_int(in(reader, 0x3f8, 1), 0xff, "nobody there: ones");
    eq_int(in(reader, 0x3f8, 4), 0xffffffff, "of the width that was asked");
    out(reader, 0x3f8, 4, 1);
    place(a, 0x3f8);
    place(b, 0x400);
    place(top, 0xffff);
    eq_int(in(reader, 0x3f8, 1), 0x10, "first byte");
    eq_int(in(reader, 0x3ff, 1), 0x17, "last byte");
    eq_int(in(reader, 0x3f9, 2), 0x1211, "two, unaligned");
    eq_int(in(reader, 0x3fa, 4), 0x15141312, "four");
    eq_str(take_log(a), "r1:0/1 r1:7/1 r1:1/2 r1:2/4", "the handler sees offset and width");
    eq_int(in(reader, 0x3fd, 4), 0x20171615, "an access across two regions is split");
    eq_str(take_log(a), "r1:5/2 r1:7/1", "the first region's part");
    eq_str(take_log(b), "r2:0/1", "the second region's");
    eq_int(in(reader, 0x401, 4), 0xffffff21, "across a region's end: the rest is ones");
    eq_int(in(reader, 0x3f7, 2), 0x10ff, "across its beginning");
    take_log(b);
    eq_int(in(reader, 0xffff, 4), 0xffffff30, "across the last port there is");
    take_log(a);
    out(reader, 0x3fe, 4, 0xddccbbaa);
    eq_str(take_log(a), "w1:6/2=bbaa", "a write is split too");
    eq_str(take_log(b), "w2:0/2=ddcc", "with the right bytes in each part");
    out(reader, 0x401, 2, 0x1234);
    eq_str(take_log(b), "w2:1/1=34", "what nobody takes is dropped");

    memset(string, 0, sizeof string);
    bus_dispatch_pio(reader, 0x3fb, 2, 6, string, false);
    ok(memcmp(string, "\x13\x14\x13\x14\x13\x14\x13\x14\x13\x14\x13\x14", 12) == 0,
       "string input: all transfers of one port, in order");
    eq_str(take_log(a), "r1:3/2 r1:3/2 r1:3/2 r1:3/2 r1:3/2 r1:3/2", "each a call");
    bus_dispatch_pio(reader, 0x3f8, 1, 3, string, true);
    eq_str(take_log(a), "w1:0/1=13 w1:0/1=14 w1:0/1=13", "string output");

    place(a, 0x3f4); /* onto part of where it was */
    eq_int(in(reader, 0x3fc, 1), 0xff, "moved: gone from its old place");
    eq_int(in(reader, 0x3f4, 1), 0x10, "there at its new one, which overlaps the old");
    eq_int(in(reader, 0x3fb, 1), 0x17, "to its end");
    place(a, BUS_NOWHERE);
    eq_int(in(reader, 0x3f4, 1), 0xff, "taken off");
    eq_int(bus_region_base(a->region), BUS_NOWHERE, "and it says so");
    bus_region_free(b->region);
    eq_int(in(reader, 0x400, 1), 0xff, "freed: gone");
    bus_region_free(NULL);

    bus_reader_free(reader);
    bus_free(bus);
    g_free(a);
    g_free(b);
    g_free(top);
}

static void
test_mmio(void)
{
    struct bus *bus = bus_new(NULL, NULL);
    struct bus_reader *reader = bus_reader_new(bus);
    struct dev *a = dev_new(bus, BUS_MMIO, "a", 0x20, 1), *b = dev_new(bus, BUS_MMIO, "b", 6, 2),
               *high = dev_new(bus, BUS_MMIO, "high", 0x1000, 3), *many[40];
    unsigned wrong = 0;

    eq_int(mmio_read(reader, 0xc0000000, 8), UINT64_MAX, "nobody there: ones");
    place(b, 0xc0000020);
    place(high, UINT64_C(0x8000000000));
    place(a, 0xc0000000);
    eq_int(mmio_read(reader, 0xc0000008, 8), 0x1f1e1d1c1b1a1918, "64 bits in one access");
    eq_int(mmio_read(reader, 0xc0000003, 8), 0x1a19181716151413, "also unaligned");
    eq_str(take_log(a), "r1:8/8 r1:3/8", "each one call");
    eq_int(mmio_read(reader, 0xc0000004, 3), 0x161514, "a length that is no power of two");
    eq_str(take_log(a), "r1:4/2 r1:6/1", "is split");
    eq_int(mmio_read(reader, 0xc000001c, 8), 0x232221200f0e0d0c, "across two regions");
    eq_int(mmio_read(reader, 0xc0000022, 8), 0xffffffff25242322, "across the end");
    eq_int(mmio_read(reader, 0xc0000026, 4), 0xffffffff, "behind the end");
    eq_int(mmio_read(reader, UINT64_C(0x8000000ff8), 8), (int64_t)0xcfcecdcccbcac9c8ull,
           "above 4 GiB");
    eq_int(mmio_read(reader, UINT64_MAX - 3, 8), UINT64_MAX, "up to the end of all addresses");
    take_log(a);
    take_log(b);
    mmio_write(reader, 0xc0000021, 8, 0x8877665544332211);
    eq_str(take_log(b), "w2:1/4=44332211 w2:5/1=55", "a write in pieces");

    for (unsigned i = 0; i < G_N_ELEMENTS(many); i++) {
        char name[16];

        snprintf(name, sizeof name, "many%u", i);
        many[i] = dev_new(bus, BUS_MMIO, name, 0x10, i);
        /* In no order. */
        place(many[i], 0xd0000000 + (i * 17 % G_N_ELEMENTS(many)) * 0x1000);
    }
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < G_N_ELEMENTS(many); i++) {
            uint64_t base = bus_region_base(many[i]->region);

            wrong += mmio_read(reader, base, 1) != (uint8_t)(i * 16);
            wrong += mmio_read(reader, base + 0xf, 1) != (uint8_t)(0xf ^ (i * 16));
            wrong += mmio_read(reader, base + 0x10, 1) != 0xff;
            wrong += mmio_read(reader, base - 1, 1) != 0xff;
        }
    eq_int(wrong, 0, "forty regions, each found from its first to its last byte");

    many[7]->move_to = 0xe0000000;
    mmio_write(reader, bus_region_base(many[7]->region), 4, 0);
    eq_int(mmio_read(reader, 0xe0000000, 1), 7 * 16, "and is found there");
    many[7]->move_to = BUS_NOWHERE;
    mmio_write(reader, 0xe0000000, 4, 0);
    eq_int(mmio_read(reader, 0xe0000000, 1), 0xff, "or takes itself off");
    many[8]->free_self = true;
    mmio_write(reader, bus_region_base(many[8]->region), 4, 0);
    ok(1, "or frees itself");

    bus_reader_free(reader);
    bus_free(bus);
    g_free(a);
    g_free(b);
    g_free(high);
    for (unsigned i = 0; i < G_N_ELEMENTS(many); i++)
        g_free(many[i]);
}

static const char *
ram(void *ctx, uint64_t gpa, uint64_t len)
{
    (void)ctx;
    return gpa < 0x100000 && len ? "RAM" : NULL;
}

static void
test_conflicts(void)
{
    struct bus *bus = bus_new(ram, NULL);
    struct dev *a = dev_new(bus, BUS_MMIO, "disk0: registers", 0x1000, 1),
               *b = dev_new(bus, BUS_MMIO, "disk1: registers", 0x1000, 2),
               *p = dev_new(bus, BUS_PIO, "com1: registers", 8, 3),
               *q = dev_new(bus, BUS_PIO, "com2: registers", 8, 4),
               *bridge = dev_new(bus, BUS_INDIRECT, "behind", 8, 5);
    struct bus_region_config bad = {.space = BUS_PIO, .name = "bad"};
    struct bus_region *region = NULL;
    uint64_t base = 0, val = 0;

    eq_int(bus_reserve(bus, BUS_MMIO, 0xfee00000, 0x100000, "local APIC"), 0, "a reservation");
    eq_int(bus_reserve(bus, BUS_PIO, 0x40, 4, "PIT"), 0, "of ports too");
    eq_int(bus_reserve(bus, BUS_PIO, 0x43, 4, "other"), -EBUSY, "not twice");
    place(a, 0x200000);
    place(p, 0x3f8);
    eq_int(bus_region_place(b->region, 0x200fff), -EBUSY, "the last byte of another: EBUSY");
    eq_str(bus_overlap(bus, BUS_MMIO, 0x200fff, 0x1000, b->region), "disk0: registers",
           "which is named");
    eq_int(bus_region_place(b->region, 0x1ff001), -EBUSY, "its first byte");
    eq_int(bus_region_place(b->region, 0x201000), 0, "right behind it");
    eq_int(bus_region_place(b->region, 0x200800), -EBUSY, "a move onto it");
    eq_int(bus_region_base(b->region), 0x201000, "leaves it where it was");
    eq_int(bus_region_place(b->region, 0x201800), 0, "a move onto itself is fine");
    eq_int(bus_region_place(b->region, 0xff000), -EBUSY, "RAM");
    eq_str(bus_overlap(bus, BUS_MMIO, 0xff000, 1, NULL), "RAM", "by name");
    eq_int(bus_region_place(b->region, 0xfeefffff), -EBUSY, "a reservation keeps off");
    eq_int(bus_region_place(q->region, 0x3ff), -EBUSY, "a port of another");
    eq_str(bus_overlap(bus, BUS_PIO, 0x3ff, 8, NULL), "com1: registers", "by name");
    eq_int(bus_region_place(q->region, 0x3c), -EBUSY, "a reserved port");
    eq_int(bus_region_place(q->region, 0x3c - 4), 0, "up to it");
    eq_int(bus_region_place(q->region, 0xfff9), -EINVAL, "beyond the last port");
    eq_int(bus_region_place(q->region, 0xfff8), 0, "up to it");
    eq_int(bus_region_place(b->region, UINT64_MAX - 0xfff), -EINVAL, "beyond the last address");
    ok(bus_overlap(bus, BUS_MMIO, 0x300000, 0x1000, NULL) == NULL, "nobody there");

    bad.len = 0;
    eq_int(bus_region_new(bus, &bad, &region), -EINVAL, "no region without bytes");
    bad.len = 0x10001;
    eq_int(bus_region_new(bus, &bad, &region), -EINVAL, "nor of more ports than there are");
    eq_int(bus_region_place(bridge->region, 0x100), -EINVAL, "an indirect region has no address");
    eq_int(bus_access(bridge->region, 2, 4, false, &val), 0, "but can be accessed");
    eq_int(val, 0x55545352, "and answers, cut to the width");
    val = 0x123456789;
    eq_int(bus_access(bridge->region, 4, 4, true, &val), 0, "also to a write");
    eq_str(take_log(bridge), "r5:2/4 w5:4/4=23456789", "with what belongs to the width");
    eq_int(bus_access(bridge->region, 5, 4, false, &val), -EINVAL, "not beyond its end");
    eq_int(bus_access(bridge->region, 8, 1, false, &val), -EINVAL, "nor at it");
    eq_int(bus_access(bridge->region, UINT64_MAX, 2, false, &val), -EINVAL, "nor far away");
    eq_int(bus_access(bridge->region, 0, 3, false, &val), -EINVAL, "nor three bytes");

    eq_int(bus_find_free(bus, BUS_MMIO, 0, 0x400000, 0x1000, 0, &base), 0, "a free range");
    eq_int(base, 0x100000, "is the first behind RAM");
    eq_int(bus_find_free(bus, BUS_MMIO, 0x200000, 0x400000, 0x1000, 0x1000, &base), 0,
           "between regions");
    eq_int(base, 0x203000, "aligned, behind both");
    eq_int(bus_find_free(bus, BUS_MMIO, 0x1ff800, 0x400000, 0x200, 0, &base), 0, "small");
    eq_int(base, 0x1ff800, "at the window's beginning");
    eq_int(bus_find_free(bus, BUS_MMIO, 0x200000, 0x203000, 0x1000, 0x1000, &base), -ENOSPC,
           "none left");
    eq_int(bus_find_free(bus, BUS_MMIO, 0xfee00000, 0xffffffff, 0x1800, 0, &base), 0, "odd length");
    eq_int(base, 0xfef00000, "aligned to the next power of two, behind a reservation");
    eq_int(bus_find_free(bus, BUS_PIO, 0x3f8, 0x20000, 8, 0, &base), 0, "ports");
    eq_int(base, 0x400, "behind the taken ones");
    eq_int(bus_find_free(bus, BUS_PIO, 0xfff8, 0x20000, 8, 0, &base), -ENOSPC, "no port beyond");
    eq_int(bus_find_free(bus, BUS_MMIO, 0, UINT64_MAX, UINT64_MAX, 0, &base), -EINVAL,
           "an alignment that no number has");
    eq_int(bus_find_free(bus, BUS_MMIO, 0, 1, 1, 3, &base), -EINVAL, "no power of two");
    eq_int(base, 0x400, "untouched on failure");
    bus_free(bus);
    g_free(a);
    g_free(b);
    g_free(p);
    g_free(q);
    g_free(bridge);
}

static void
test_stats(void)
{
    struct bus *bus = bus_new(NULL, NULL);
    struct bus_reader *reader = bus_reader_new(bus);
    struct dev *a = dev_new(bus, BUS_PIO, "a", 8, 1);
    struct bus_region_config mute = {.space = BUS_MMIO, .len = 4, .name = "mute"};
    struct bus_region *region;
    struct bus_stat stats[8];

    place(a, 0x3f8);
    if (bus_region_new(bus, &mute, &region) || bus_region_place(region, 0x1000))
        g_error("mute");
    eq_int(mmio_read(reader, 0x1000, 4), 0xffffffff, "without a read handler: ones");
    mmio_write(reader, 0x1000, 4, 0);
    in(reader, 0x3f8, 1);
    in(reader, 0x3f8, 1);
    out(reader, 0x3f8, 1, 0);
    in(reader, 0x80, 1);
    out(reader, 0x80, 4, 0);
    out(reader, 0x3ff, 2, 0);
    mmio_read(reader, 0x2000, 8);
    eq_int(bus_stats(bus, stats, 8), 4, "two regions and the unclaimed");
    ok(strcmp(stats[0].name, "a") == 0 && stats[0].reads == 2 && stats[0].writes == 2 &&
           stats[0].base == 0x3f8,
       "accesses are counted by region");
    ok(stats[1].reads == 1 && stats[1].writes == 1, "by each");
    ok(stats[2].space == BUS_PIO && stats[2].reads == 1 && stats[2].writes == 2,
       "unclaimed ports, half claimed ones too");
    ok(stats[3].space == BUS_MMIO && stats[3].reads == 1 && stats[3].writes == 0, "unclaimed MMIO");
    stats[1].name = "x";
    eq_int(bus_stats(bus, stats, 1), 4, "says how many there are");
    eq_str(stats[1].name, "x", "and fills no more than asked");
    bus_reader_free(reader);
    bus_free(bus);
    g_free(a);
}

int
main(void)
{
    test_ports();
    test_mmio();
    test_conflicts();
    test_stats();
    return done_testing();
}
