/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Doorbells of the bus: what the kernel is told when, and that they work without it.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/bus/bus.h"
#include "tests/tap.h"

/* A kernel that writes down what it is told. */
struct kernel {
    char log[512];
    int refuse; /* -errno for every assignment */
};

static int
kernel_ioeventfd(void *ctx, bool assign, bool pio, uint64_t addr, uint32_t width, int64_t match,
                 int fd)
{
    struct kernel *kernel = ctx;
    size_t n = strlen(kernel->log);

    (void)fd;
    snprintf(kernel->log + n, sizeof kernel->log - n, "%c%s%llx/%u=%lld ", assign ? '+' : '-',
             pio ? "p" : "", (unsigned long long)addr, width, (long long)match);
    return assign ? kernel->refuse : 0;
}

static const char *
take_log(struct kernel *kernel)
{
    static char log[sizeof kernel->log];

    memcpy(log, kernel->log, sizeof log);
    g_strchomp(log);
    kernel->log[0] = '\0';
    return log;
}

static unsigned writes;

static void
count_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    (void)self, (void)id, (void)off, (void)val, (void)width;
    writes++;
}

/* How often it was signalled since the last look. */
static unsigned
rung(int fd)
{
    uint64_t n = 0;

    return read(fd, &n, sizeof n) == sizeof n ? (unsigned)n : 0;
}

static void
mmio_write(struct bus_reader *reader, uint64_t gpa, unsigned len, uint64_t val)
{
    bus_dispatch_mmio(reader, gpa, &val, len, true);
}

static struct bus_region *
region_new(struct bus *bus, enum bus_space space, uint64_t len)
{
    struct bus_region_config config = {.space = space, .len = len, .name = "r"};
    struct bus_region *region;

    config.write = count_write;
    if (bus_region_new(bus, &config, &region))
        g_error("bus_region_new");
    return region;
}

static void
must(int err)
{
    if (err)
        g_error("%s", g_strerror(-err));
}

static void
test_user_space(void)
{
    struct bus *bus = bus_new(NULL, NULL);
    struct bus_reader *reader = bus_reader_new(bus);
    struct bus_region *region = region_new(bus, BUS_MMIO, 0x100);
    struct bus_doorbell *one, *two, *any, *other = NULL;
    int fd1 = eventfd(0, EFD_NONBLOCK), fd2 = eventfd(0, EFD_NONBLOCK),
        fd3 = eventfd(0, EFD_NONBLOCK);
    struct bus_stat stats[3];
    uint64_t val;

    must(bus_region_place(region, 0x1000));
    must(bus_doorbell_add(region, 0x50, 4, 1, fd1, &one));
    must(bus_doorbell_add(region, 0x50, 4, 2, fd2, &two));
    must(bus_doorbell_add(region, 0x80, 0, -1, fd3, &any));
    eq_int(bus_doorbell_add(region, 0x50, 4, 1, fd1, &other), -EEXIST, "the same again: EEXIST");
    eq_int(bus_doorbell_add(region, 0x50, 4, -1, fd1, &other), -EEXIST, "or one that covers it");
    eq_int(bus_doorbell_add(region, 0x80, 2, -1, fd1, &other), -EEXIST, "or that it covers");
    eq_int(bus_doorbell_add(region, 0x100, 1, -1, fd1, &other), -EINVAL, "outside the region");
    eq_int(bus_doorbell_add(region, 0xfe, 4, -1, fd1, &other), -EINVAL, "across its end");
    eq_int(bus_doorbell_add(region, 0, 3, -1, fd1, &other), -EINVAL, "no such width");
    eq_int(bus_doorbell_add(region, 0, 1, 256, fd1, &other), -EINVAL, "a value that is too wide");
    mmio_write(reader, 0x1050, 4, 1);
    ok(rung(fd1) == 1 && rung(fd2) == 0 && writes == 0, "a matching write rings, and only that");
    mmio_write(reader, 0x1050, 4, 2);
    ok(rung(fd1) == 0 && rung(fd2) == 1 && writes == 0, "the value decides");
    mmio_write(reader, 0x1050, 4, 3);
    mmio_write(reader, 0x1050, 2, 1);
    mmio_write(reader, 0x1051, 4, 1);
    ok(rung(fd1) == 0 && rung(fd2) == 0 && writes == 3,
       "another value, width or offset is the handler's");
    mmio_write(reader, 0x1080, 1, 9);
    mmio_write(reader, 0x1080, 8, UINT64_MAX);
    eq_int(rung(fd3), 2, "any width, any value");
    val = 0x100000002;
    ok(bus_access(region, 0x50, 4, true, &val) == 0 && rung(fd2) == 1,
       "bus_access() rings as well");
    val = 0;
    ok(bus_access(region, 0x50, 4, false, &val) == 0 && rung(fd1) + rung(fd2) == 0,
       "a read does not");
    bus_stats(bus, stats, 3);
    eq_int(stats[0].rings, 5, "rings are counted");
    bus_doorbell_remove(one);
    mmio_write(reader, 0x1050, 4, 1);
    ok(rung(fd1) == 0 && writes == 4, "removed: the handler's again");
    bus_region_free(region);
    bus_doorbell_remove(two);
    bus_doorbell_remove(any);
    bus_doorbell_remove(NULL);
    ok(1, "a doorbell may be removed after its region");
    bus_reader_free(reader);
    bus_free(bus);
    close(fd1);
    close(fd2);
    close(fd3);
}

static int
kernel_post(void *ctx, bool assign, bool pio, uint64_t addr, uint64_t len)
{
    struct kernel *kernel = ctx;
    size_t n = strlen(kernel->log);

    snprintf(kernel->log + n, sizeof kernel->log - n, "%s%s%s%llx+%llx", n ? " " : "",
             assign ? "+" : "-", pio ? "p" : "", (unsigned long long)addr, (unsigned long long)len);
    return kernel->refuse;
}

static const struct bus_kernel_ops kernel_ops = {.ioeventfd = kernel_ioeventfd,
                                                 .post = kernel_post};

static void
test_posted(void)
{
    struct bus *bus = bus_new(NULL, NULL);
    struct bus_region_config config = {
        .space = BUS_PIO, .posted = true, .len = 2, .name = "posted"};
    struct bus_region *ports, *other;
    struct kernel kernel = {.log = ""};

    must(bus_region_new(bus, &config, &ports));
    must(bus_region_place(ports, 0x70));
    bus_attach(bus, &kernel_ops, &kernel);
    eq_str(take_log(&kernel), "+p70+2", "attach: what is posted goes to the kernel");
    must(bus_region_place(ports, 0x170));
    eq_str(take_log(&kernel), "-p70+2 +p170+2", "and moves with its region");
    kernel.refuse = -ENOTSUP;
    config.space = BUS_MMIO;
    must(bus_region_new(bus, &config, &other));
    must(bus_region_place(other, 0xd0000000));
    eq_str(take_log(&kernel), "+d0000000+2", "memory too, but the kernel refuses");
    must(bus_region_place(other, BUS_NOWHERE));
    eq_str(take_log(&kernel), "", "so nothing is taken back");
    bus_region_free(ports);
    eq_str(take_log(&kernel), "-p170+2", "freed: taken back");
    bus_detach(bus);
    bus_free(bus);
}

static void
test_kernel(void)
{
    struct bus *bus = bus_new(NULL, NULL);
    struct bus_reader *reader = bus_reader_new(bus);
    struct bus_region *mmio = region_new(bus, BUS_MMIO, 0x100),
                      *ports = region_new(bus, BUS_PIO, 0x20);
    struct kernel kernel = {.log = ""};
    struct bus_doorbell *a, *b, *c;
    int fd = eventfd(0, EFD_NONBLOCK);

    must(bus_doorbell_add(mmio, 0, 2, -1, fd, &a));
    must(bus_doorbell_add(mmio, 4, 4, 7, fd, &b));
    must(bus_region_place(ports, 0x500));
    must(bus_doorbell_add(ports, 16, 2, 0, fd, &c));
    bus_attach(bus, &kernel_ops, &kernel);
    eq_str(take_log(&kernel), "+p510/2=0", "attach: what is placed goes to the kernel");
    must(bus_region_place(mmio, 0xc0000000));
    eq_str(take_log(&kernel), "+c0000000/2=-1 +c0000004/4=7", "placed: assigned");
    must(bus_region_place(mmio, 0xc0000000));
    eq_str(take_log(&kernel), "", "placed where it is: nothing");
    must(bus_region_place(mmio, 0xc0000080));
    eq_str(take_log(&kernel), "-c0000000/2=-1 -c0000004/4=7 +c0000080/2=-1 +c0000084/4=7",
           "moved: taken away, then assigned at the new address");
    mmio_write(reader, 0xc0000084, 4, 7);
    eq_int(rung(fd), 1, "one that comes to user space all the same rings");
    bus_doorbell_remove(b);
    eq_str(take_log(&kernel), "-c0000084/4=7", "removed");
    kernel.refuse = -ENOSPC;
    must(bus_doorbell_add(mmio, 8, 4, 7, fd, &b));
    eq_str(take_log(&kernel), "+c0000088/4=7", "a kernel that is full is asked");
    mmio_write(reader, 0xc0000088, 4, 7);
    eq_int(rung(fd), 1, "and when it refuses, user space rings");
    must(bus_region_place(mmio, BUS_NOWHERE));
    eq_str(take_log(&kernel), "-c0000080/2=-1", "taken off: only what it had is taken back");
    kernel.refuse = 0;
    must(bus_region_place(mmio, 0x1000));
    eq_str(take_log(&kernel), "+1000/2=-1 +1008/4=7", "placed again: asked again");
    bus_region_free(mmio);
    take_log(&kernel);
    bus_detach(bus);
    eq_str(take_log(&kernel), "-p510/2=0", "detach: the rest is taken back");
    must(bus_region_place(ports, 0x600));
    eq_str(take_log(&kernel), "", "and the kernel is not asked any more");
    bus_doorbell_remove(a);
    bus_doorbell_remove(b);
    bus_doorbell_remove(c);
    bus_reader_free(reader);
    bus_free(bus);
    close(fd);
}

int
main(void)
{
    test_user_space();
    test_kernel();
    test_posted();
    return done_testing();
}
