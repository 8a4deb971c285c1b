/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * i8042.c - the keyboard controller in the machine: ports 0x60 and 0x64, IRQs 1 and 12, and the
 * reset line, which is what a PC without keyboard needs it for. How it works inside: controller.h.
 */
#include <stdlib.h>

#include <backplane/backplane.h>

#include "controller.h"

enum {
    I8042_DATA = 0x60,
    I8042_COMMAND = 0x64,
    I8042_IRQ = 1,
    I8042_AUX_IRQ = 12,
};

struct i8042 {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_irq_if *irq;
    const struct bp_machine_if *machine;
    bp_irq line, aux_line;
    struct kbc kbc;
};

static void
i8042_update(struct i8042 *dev)
{
    dev->irq->level(dev->inst, dev->line, kbc_irq(&dev->kbc));
    dev->irq->level(dev->inst, dev->aux_line, kbc_aux_irq(&dev->kbc));
    if (dev->kbc.reset) {
        dev->kbc.reset = false;
        dev->machine->request(dev->inst, BP_REQ_RESET, 0);
    }
}

static uint64_t
i8042_port_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct i8042 *dev = self;
    uint8_t val;

    (void)off, (void)width;
    if (id == I8042_COMMAND)
        return kbc_read_status(&dev->kbc);
    val = kbc_read_data(&dev->kbc);
    i8042_update(dev);
    return val;
}

static void
i8042_port_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct i8042 *dev = self;

    (void)off, (void)width;
    if (id == I8042_COMMAND)
        kbc_write_command(&dev->kbc, (uint8_t)val);
    else
        kbc_write_data(&dev->kbc, (uint8_t)val);
    i8042_update(dev);
}

static const struct bp_region_ops i8042_ops = {
    .size = sizeof i8042_ops,
    .read = i8042_port_read,
    .write = i8042_port_write,
};

static int
i8042_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct i8042 *dev = calloc(1, sizeof *dev);

    if (!dev)
        return BP_E_NOMEM;
    dev->host = host;
    dev->inst = inst;
    kbc_reset(&dev->kbc);
    *ret_self = dev;
    return 0;
}

static int
i8042_add_port(struct i8042 *dev, const struct bp_io_if *io, uint32_t port, const char *name)
{
    const struct bp_region_desc desc = {
        .size = sizeof desc,
        .id = port,
        .kind = BP_REGION_PIO,
        .len = 1,
        .name = name,
        .ops = &i8042_ops,
    };
    bp_region region;
    int err = io->region(dev->inst, &desc, &region);

    return err ? err : io->place(dev->inst, region, port);
}

static int
i8042_realize(void *self)
{
    struct i8042 *dev = self;
    const struct bp_host *host = dev->host;
    const struct bp_io_if *io = host->query(dev->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
    int err;

    dev->irq = host->query(dev->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, level));
    dev->machine = host->query(dev->inst, BP_IF_MACHINE, BP_UPTO(struct bp_machine_if, request));
    if (!io || !dev->irq || !dev->machine)
        return host->fail(dev->inst, BP_E_NOTSUP,
                          "needs " BP_IF_IO ", " BP_IF_IRQ " and " BP_IF_MACHINE);
    if ((err = dev->irq->line(dev->inst, "irq", I8042_IRQ, BP_IRQ_EDGE, &dev->line)) ||
        (err = dev->irq->line(dev->inst, "aux-irq", I8042_AUX_IRQ, BP_IRQ_EDGE, &dev->aux_line)) ||
        (err = i8042_add_port(dev, io, I8042_DATA, "data")))
        return err;
    return i8042_add_port(dev, io, I8042_COMMAND, "command");
}

static void
i8042_reset(void *self, uint32_t kind)
{
    struct i8042 *dev = self;

    (void)kind;
    kbc_reset(&dev->kbc);
    i8042_update(dev);
}

static int
i8042_save(void *self, const struct bp_writer *w)
{
    const struct i8042 *dev = self;
    const struct kbc *kbc = &dev->kbc;
    int err;

    if ((err = w->section(w, "i8042", 1, 1)) || (err = w->u64(w, "status", kbc->status)) ||
        (err = w->u64(w, "data", kbc->data)) || (err = w->u64(w, "output", kbc->output)) ||
        (err = w->u64(w, "command", kbc->command)))
        return err;
    return w->blob(w, "ram", kbc->ram, sizeof kbc->ram);
}

static int
i8042_load_byte(const struct bp_reader *r, const char *key, uint8_t *val)
{
    uint64_t got = *val;
    int err = r->u64(r, key, &got);

    if (err && err != BP_E_NOENT)
        return err;
    if (got > UINT8_MAX)
        return BP_E_INVAL;
    *val = (uint8_t)got;
    return 0;
}

static int
i8042_load(void *self, const struct bp_reader *r)
{
    struct i8042 *dev = self;
    struct kbc kbc;
    uint64_t n = sizeof kbc.ram;
    uint32_t ver;
    int err = r->section(r, "i8042", &ver);

    if (err)
        return err;
    if (ver != 1)
        return BP_E_NOTSUP;
    kbc_reset(&kbc);
    if ((err = i8042_load_byte(r, "status", &kbc.status)) ||
        (err = i8042_load_byte(r, "data", &kbc.data)) ||
        (err = i8042_load_byte(r, "output", &kbc.output)) ||
        (err = i8042_load_byte(r, "command", &kbc.command)))
        return err;
    err = r->blob(r, "ram", kbc.ram, sizeof kbc.ram, &n);
    if ((err && err != BP_E_NOENT) || n != sizeof kbc.ram)
        return err ? err : BP_E_INVAL;
    dev->kbc = kbc;
    i8042_update(dev);
    return 0;
}

static const char *const i8042_needs[] = {BP_IF_IO, BP_IF_IRQ, BP_IF_MACHINE, NULL};

static const struct bp_class i8042_class = {
    .size = sizeof i8042_class,
    .flags = BP_C_REPLACEABLE,
    .name = "i8042",
    .version = "1.0",
    .summary = "keyboard controller: the reset line",
    .prop_size = sizeof(struct bp_prop),
    .needs = i8042_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = i8042_create,
    .realize = i8042_realize,
    .reset = i8042_reset,
    .save = i8042_save,
    .load = i8042_load,
    .destroy = free,
};

BP_PLUGIN("i8042", "1.0", "BSD-3-Clause", "backplane", &i8042_class);
