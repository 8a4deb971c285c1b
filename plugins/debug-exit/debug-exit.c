/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * debug-exit.c - a port through which a guest ends the program with a status of its choice.
 *
 * A write of v asks for exit status (v << 1) | 1, so that a guest can never fake a clean power-off.
 * Meant for tests; it has no state and reads as zero.
 */
#include <stdlib.h>

#include <backplane/backplane.h>

#define EXIT_STATUS_MASK 0xff

struct debug_exit {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_machine_if *machine;
};

static uint64_t
debug_exit_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    (void)self, (void)id, (void)off, (void)width;
    return 0;
}

static void
debug_exit_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct debug_exit *dev = self;

    (void)id, (void)off, (void)width;
    dev->machine->request(dev->inst, BP_REQ_EXIT, (uint32_t)(val << 1 | 1) & EXIT_STATUS_MASK);
}

static const struct bp_region_ops debug_exit_ops = {
    .size = sizeof debug_exit_ops,
    .read = debug_exit_read,
    .write = debug_exit_write,
};

static int
debug_exit_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct debug_exit *dev = calloc(1, sizeof *dev);

    if (!dev)
        return BP_E_NOMEM;
    dev->host = host;
    dev->inst = inst;
    *ret_self = dev;
    return 0;
}

static int
debug_exit_realize(void *self)
{
    struct debug_exit *dev = self;
    const struct bp_host *host = dev->host;
    struct bp_value port = {.size = sizeof port}, width = {.size = sizeof width};
    struct bp_region_desc desc = {
        .size = sizeof desc,
        .kind = BP_REGION_PIO,
        .name = "port",
        .ops = &debug_exit_ops,
    };
    bp_region region;
    const struct bp_io_if *io = host->query(dev->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
    int err;

    dev->machine = host->query(dev->inst, BP_IF_MACHINE, BP_UPTO(struct bp_machine_if, request));
    if (!io || !dev->machine)
        return host->fail(dev->inst, BP_E_NOTSUP, "needs " BP_IF_IO " and " BP_IF_MACHINE);
    if ((err = host->prop(dev->inst, "port", &port)) ||
        (err = host->prop(dev->inst, "width", &width)))
        return err;
    desc.len = (uint64_t)width.i;
    if ((err = io->region(dev->inst, &desc, &region)))
        return err;
    return io->place(dev->inst, region, (uint64_t)port.i);
}

static const struct bp_prop debug_exit_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "port",
     .help = "first I/O port",
     .def = "0xf4",
     .max = 0xfffc},
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "width",
     .help = "number of ports, and the widest write that counts as one",
     .def = "4",
     .min = 1,
     .max = 4},
};

static const char *const debug_exit_needs[] = {BP_IF_IO, BP_IF_MACHINE, NULL};

static const struct bp_class debug_exit_class = {
    .size = sizeof debug_exit_class,
    .flags = BP_C_REPLACEABLE,
    .name = "debug-exit",
    .version = "1.0",
    .summary = "port that ends the program with a status",
    .props = debug_exit_props,
    .n_props = sizeof debug_exit_props / sizeof *debug_exit_props,
    .prop_size = sizeof *debug_exit_props,
    .needs = debug_exit_needs,
    .create = debug_exit_create,
    .realize = debug_exit_realize,
    .destroy = free,
};

BP_PLUGIN("debug-exit", "1.0", "BSD-3-Clause", "backplane", &debug_exit_class);
