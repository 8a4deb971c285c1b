/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bus under several vCPUs: regions move, go and come back while others are being accessed.
 *
 * Worth most under ThreadSanitizer and AddressSanitizer. Threads run for a number of rounds, not
 * for a time.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/bus/bus.h"
#include "tests/tap.h"

#define READERS 3
#define ROUNDS  20000
#define REGIONS 8
#define LEN     0x40

struct world;

struct dev {
    struct world *world;
    GMutex lock;
    struct bus_region *region; /* under lock */
    bool dead;                 /* under lock: its handler must not run */
    unsigned plain;            /* under lock, on purpose not atomic */
};

struct world {
    struct bus *bus;
    struct dev devs[REGIONS];
    atomic_bool stop;
    _Atomic unsigned bad, hits, unclaimed, in_free;
    struct bus_region *free_region; /* without a lock */
    int bell_fd;
};

static uint64_t
dev_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct dev *dev = self;

    if (dev->dead || off + width > LEN || id != (unsigned)(dev - dev->world->devs))
        dev->world->bad++;
    dev->plain++;
    dev->world->hits++;
    return 0x4242424242424242;
}

static void
dev_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    (void)val;
    dev_read(self, id, off, width);
}

/* Without a lock: runs at once on several threads. */
static uint64_t
free_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct world *world = self;

    (void)id, (void)off, (void)width;
    world->in_free++;
    return 0;
}

static enum bus_space
space_of(unsigned i)
{
    return i % 2 ? BUS_PIO : BUS_MMIO;
}

static uint64_t
slot_base(unsigned i, unsigned slot)
{
    return (i % 2 ? 0x1000 : 0xc0000000) + slot * LEN;
}

static gpointer
reader_thread(gpointer data)
{
    struct world *world = data;
    struct bus_reader *reader = bus_reader_new(world->bus);
    uint32_t seed = GPOINTER_TO_UINT(&seed);

    while (!atomic_load(&world->stop)) {
        uint64_t val = 0;
        unsigned i, off;

        seed = seed * 1103515245 + 12345;
        i = seed >> 16 & 1;
        off = (seed >> 17 & 0x3f) % LEN;
        if (i)
            bus_dispatch_pio(reader, (uint16_t)(slot_base(i, seed >> 24 & 15) + off),
                             1u << (seed >> 23 & 1), 1, &val, seed >> 28 & 1);
        else
            bus_dispatch_mmio(reader, slot_base(i, seed >> 24 & 15) + off, &val,
                              1 + (seed >> 21 & 7), seed >> 28 & 1);
        if ((val & 0xff) == 0xff)
            world->unclaimed++;
        bus_dispatch_mmio(reader, 0xd0000000, &val, 4, false);
        val = 1;
        bus_dispatch_mmio(reader, 0xd0000010, &val, 4, true);
    }
    bus_reader_free(reader);
    return NULL;
}

static void
dev_make(struct dev *dev)
{
    unsigned i = (unsigned)(dev - dev->world->devs);
    struct bus_region_config config = {
        .space = space_of(i), .len = LEN, .name = "dev", .self = dev, .id = i};

    config.read = dev_read;
    config.write = dev_write;
    config.lock = &dev->lock;
    if (bus_region_new(dev->world->bus, &config, &dev->region))
        g_error("bus_region_new");
    dev->dead = false;
}

static gpointer
mover_thread(gpointer data)
{
    struct world *world = data;
    uint32_t seed = 99;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct dev *dev;
        unsigned i;
        int err;

        seed = seed * 1103515245 + 12345;
        i = seed >> 16 & (REGIONS - 1);
        dev = &world->devs[i];
        g_mutex_lock(&dev->lock);
        if (seed >> 28 == 0) {
            bus_region_free(dev->region);
            dev->dead = true; /* from here on a call would be a mistake */
            g_mutex_unlock(&dev->lock);
            g_mutex_lock(&dev->lock);
            dev_make(dev);
        }
        err = bus_region_place(dev->region, seed >> 28 == 1
                                                ? BUS_NOWHERE
                                                : slot_base(i, seed >> 20 & 15) + (seed >> 8 & 15));
        if (err && err != -EBUSY)
            world->bad++;
        g_mutex_unlock(&dev->lock);
        if (round % 512 == 0)
            g_thread_yield();
    }
    return NULL;
}

/* Doorbells come and go, their descriptors with them. */
static gpointer
bell_thread(gpointer data)
{
    struct world *world = data;
    unsigned rings = 0;

    for (unsigned round = 0; round < ROUNDS / 100; round++) {
        struct bus_doorbell *bell;
        uint64_t n = 0;
        int fd = eventfd(0, EFD_NONBLOCK);

        if (bus_doorbell_add(world->free_region, 0x10, 4, round & 1 ? 1 : -1, fd, &bell))
            g_error("bus_doorbell_add");
        g_thread_yield();
        bus_doorbell_remove(bell);
        if (read(fd, &n, sizeof n) > 0)
            rings += (unsigned)n;
        close(fd);
    }
    return GUINT_TO_POINTER(rings);
}

static void
test_moves(void)
{
    struct world world = {.bad = 0};
    struct bus_region_config config = {.space = BUS_MMIO, .len = 0x20, .name = "free"};
    GThread *readers[READERS], *mover, *beller;
    struct bus_stat stats[16];
    uint64_t counted = 0;
    unsigned n, rings;

    world.bus = bus_new(NULL, NULL);
    config.read = free_read;
    config.self = &world;
    if (bus_region_new(world.bus, &config, &world.free_region) ||
        bus_region_place(world.free_region, 0xd0000000))
        g_error("free");
    for (unsigned i = 0; i < REGIONS; i++) {
        world.devs[i].world = &world;
        g_mutex_init(&world.devs[i].lock);
        dev_make(&world.devs[i]);
    }
    for (unsigned i = 0; i < READERS; i++)
        readers[i] = g_thread_new("reader", reader_thread, &world);
    mover = g_thread_new("mover", mover_thread, &world);
    beller = g_thread_new("bells", bell_thread, &world);
    g_thread_join(mover);
    rings = GPOINTER_TO_UINT(g_thread_join(beller));
    bus_region_free(world.free_region);
    bus_sync(world.bus);
    counted = world.in_free; /* nobody is in there any more, though it has no lock */
    atomic_store(&world.stop, true);
    for (unsigned i = 0; i < READERS; i++)
        g_thread_join(readers[i]);
    eq_int(world.in_free, counted, "after bus_sync() no handler of a freed region runs");
    eq_int(world.bad, 0, "no handler ran for a region that is gone, or outside its range");
    ok(world.hits > 0 && world.unclaimed > 0, "%u accesses found a region, %u did not", world.hits,
       world.unclaimed);
    printf("# %u rings\n", rings);
    n = bus_stats(world.bus, stats, 16);
    eq_int(n, REGIONS + 2, "all regions are still there");
    for (unsigned i = 0; i < REGIONS; i++) {
        bus_region_free(world.devs[i].region);
        g_mutex_clear(&world.devs[i].lock);
    }
    bus_free(world.bus);
}

/* A reader that stays in a handler keeps what it sees alive, and bus_sync() waits for it. */
struct stay {
    struct bus *bus;
    atomic_bool inside, go, synced, left;
};

static uint64_t
stay_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct stay *stay = self;

    (void)id, (void)off, (void)width;
    atomic_store(&stay->inside, true);
    while (!atomic_load(&stay->go))
        g_thread_yield();
    atomic_store(&stay->left, !atomic_load(&stay->synced));
    return 0x55;
}

static gpointer
stay_thread(gpointer data)
{
    struct stay *stay = data;
    struct bus_reader *reader = bus_reader_new(stay->bus);
    uint8_t byte[2] = {0};

    bus_dispatch_pio(reader, 0x100, 1, 2, byte, false);
    bus_reader_free(reader);
    return GUINT_TO_POINTER(byte[0] | byte[1] << 8);
}

static gpointer
sync_thread(gpointer data)
{
    struct stay *stay = data;

    bus_sync(stay->bus);
    atomic_store(&stay->synced, true);
    return NULL;
}

static void
test_stay(void)
{
    struct stay stay = {.bus = bus_new(NULL, NULL)};
    struct bus_region_config config = {
        .space = BUS_PIO, .len = 1, .name = "stay", .read = stay_read, .self = &stay};
    struct bus_region *region, *others[50];
    GThread *thread, *syncer;

    if (bus_region_new(stay.bus, &config, &region) || bus_region_place(region, 0x100))
        g_error("stay");
    thread = g_thread_new("inside", stay_thread, &stay);
    while (!atomic_load(&stay.inside))
        g_thread_yield();
    bus_region_free(region);
    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
        if (bus_region_new(stay.bus, &config, &others[i]) ||
            bus_region_place(others[i], 0x100 + i) || bus_region_place(others[i], 0x200 + i))
            g_error("others");
    syncer = g_thread_new("sync", sync_thread, &stay);
    g_usleep(2000);
    atomic_store(&stay.go, true);
    eq_int(GPOINTER_TO_UINT(g_thread_join(thread)), 0xff55,
           "a region freed under a string access: the transfer in it ends, the next finds none");
    g_thread_join(syncer);
    ok(stay.left, "bus_sync() returned after it had left");
    bus_free(stay.bus);
}

int
main(void)
{
    test_moves();
    test_stay();
    return done_testing();
}
