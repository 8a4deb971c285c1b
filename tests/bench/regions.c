/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * regions.c - the plugin bench-regions: `count` regions of ports and as many of memory, each four
 * bytes long and eight from the next. What is written to one is kept, and read back from any. With
 * `mark` there is a port whose bytes go to standard output, so that a machine of one plugin can say
 * that its guest runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <backplane/backplane.h>

#define REGION_LEN    4
#define REGION_STRIDE 8

enum { PORT_FIRST = 0x2000, REGION_MARK = 1 };
static const uint64_t mmio_first = 0xd0000000;

struct regions {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_io_if *io;
    uint64_t kept;
};

static uint64_t
regions_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct regions *dev = self;

    (void)id, (void)off, (void)width;
    return dev->kept;
}

static void
regions_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct regions *dev = self;
    char byte = (char)val;

    (void)off, (void)width;
    dev->kept = val;
    if (id == REGION_MARK && write(STDOUT_FILENO, &byte, 1) != 1)
        dev->kept = 0;
}

static const struct bp_region_ops regions_ops = {
    .size = sizeof regions_ops,
    .read = regions_read,
    .write = regions_write,
};

static int
regions_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct regions *dev = calloc(1, sizeof *dev);

    if (!dev)
        return BP_E_NOMEM;
    dev->host = host;
    dev->inst = inst;
    *ret_self = dev;
    return 0;
}

static int
regions_place(struct regions *dev, uint32_t kind, uint32_t id, uint64_t base)
{
    char name[32];
    struct bp_region_desc desc = {
        .size = sizeof desc,
        .id = id,
        .kind = kind,
        .len = REGION_LEN,
        .name = name,
        .ops = &regions_ops,
    };
    bp_region region;
    int err;

    snprintf(name, sizeof name, "%s%#llx", kind == BP_REGION_PIO ? "port" : "mmio",
             (unsigned long long)base);
    if ((err = dev->io->region(dev->inst, &desc, &region)))
        return err;
    return dev->io->place(dev->inst, region, base);
}

static int
regions_realize(void *self)
{
    struct regions *dev = self;
    const struct bp_host *host = dev->host;
    struct bp_value count = {.size = sizeof count}, mark = {.size = sizeof mark};
    int err;

    dev->io = host->query(dev->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
    if (!dev->io)
        return host->fail(dev->inst, BP_E_NOTSUP, "needs " BP_IF_IO);
    if ((err = host->prop(dev->inst, "count", &count)) ||
        (err = host->prop(dev->inst, "mark", &mark)))
        return err;
    if (mark.i && (err = regions_place(dev, BP_REGION_PIO, REGION_MARK, (uint64_t)mark.i)))
        return err;
    for (uint64_t i = 0; i < (uint64_t)count.i; i++) {
        if ((err = regions_place(dev, BP_REGION_PIO, 0, PORT_FIRST + i * REGION_STRIDE)) ||
            (err = regions_place(dev, BP_REGION_MMIO, 0, mmio_first + i * REGION_STRIDE)))
            return err;
    }
    return 0;
}

static const struct bp_prop regions_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "count",
     .help = "how many regions of either kind",
     .def = "0",
     .max = 1000},
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "mark",
     .help = "port whose bytes go to standard output, 0 for none",
     .def = "0",
     .max = 0x1fff},
};

static const char *const regions_needs[] = {BP_IF_IO, NULL};

static const struct bp_class regions_class = {
    .size = sizeof regions_class,
    .name = "bench-regions",
    .version = "1.0",
    .summary = "regions to measure the way to them",
    .props = regions_props,
    .n_props = sizeof regions_props / sizeof *regions_props,
    .prop_size = sizeof *regions_props,
    .needs = regions_needs,
    .create = regions_create,
    .realize = regions_realize,
    .destroy = free,
};

BP_PLUGIN("bench-regions", "1.0", "BSD-3-Clause", "backplane", &regions_class);
