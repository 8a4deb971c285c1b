/* SPDX-License-Identifier: BSD-3-Clause */
/* isa-scratch.c - a whole device plugin: a byte at an I/O port that interrupts while it is 0xff. */
#include <stdlib.h>

#include <backplane/backplane.h>
#include <backplane/log.h>

struct scratch {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_irq_if *irq;
    bp_irq line;
    uint8_t reg;
};

static void
scratch_set(struct scratch *s, uint8_t val)
{
    s->reg = val;
    s->irq->level(s->inst, s->line, val == 0xff);
}

static uint64_t
scratch_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    (void)id, (void)off, (void)width; /* the region is one byte long */
    return ((struct scratch *)self)->reg;
}

static void
scratch_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    (void)id, (void)off, (void)width;
    scratch_set(self, (uint8_t)val);
}

static const struct bp_region_ops ops = {sizeof ops, 0, scratch_read, scratch_write};

static int
scratch_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct scratch *s = calloc(1, sizeof *s);

    if (!s)
        return BP_E_NOMEM;
    s->host = host;
    s->inst = inst;
    *ret_self = s;
    return 0;
}

static int
scratch_realize(void *self)
{
    struct scratch *s = self;
    struct bp_value port = {.size = sizeof port}, irq = {.size = sizeof irq};
    struct bp_region_desc desc = {
        .size = sizeof desc, .kind = BP_REGION_PIO, .len = 1, .name = "reg", .ops = &ops};
    const struct bp_io_if *io = s->host->query(s->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
    bp_region region;
    int err;

    s->irq = s->host->query(s->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, level));
    if (!io || !s->irq)
        return bp_failf(s->host, s->inst, BP_E_NOTSUP, "needs " BP_IF_IO " and " BP_IF_IRQ);
    if ((err = s->host->prop(s->inst, "port", &port)) ||
        (err = s->host->prop(s->inst, "irq", &irq)) ||
        (err = s->irq->line(s->inst, "irq", (uint32_t)irq.i, BP_IRQ_LEVEL, &s->line)) ||
        (err = io->region(s->inst, &desc, &region)))
        return err;
    return io->place(s->inst, region, (uint64_t)port.i);
}

static void
scratch_reset(void *self, uint32_t kind)
{
    (void)kind;
    scratch_set(self, 0);
}

static int
scratch_save(void *self, const struct bp_writer *w)
{
    int err = w->section(w, "regs", 1, 1);

    return err ? err : w->u64(w, "reg", ((struct scratch *)self)->reg);
}

static int
scratch_load(void *self, const struct bp_reader *r)
{
    uint64_t reg = 0;
    uint32_t ver;
    int err = r->section(r, "regs", &ver);

    if (!err)
        err = r->u64(r, "reg", &reg);
    if (err && err != BP_E_NOENT)
        return err;
    if (ver != 1 || reg > 0xff) /* what is loaded is not to be trusted */
        return BP_E_INVAL;
    scratch_set(self, (uint8_t)reg);
    return 0;
}

#define PROP(NAME, HELP, DEF, MAX)                                                                 \
    {                                                                                              \
        .size = sizeof(struct bp_prop), .type = BP_INT, .name = NAME, .help = HELP, .def = DEF,    \
        .max = MAX                                                                                 \
    }
static const struct bp_prop props[] = {
    PROP("port", "I/O port of the register", "0x2f0", 0xffff),
    PROP("irq", "interrupt line", "11", 23),
};
static const char *const needs[] = {BP_IF_IO, BP_IF_IRQ, NULL};

static const struct bp_class scratch_class = {
    .size = sizeof scratch_class,
    .name = "isa-scratch",
    .version = "1.0",
    .summary = "one-byte scratch register with an interrupt",
    .props = props,
    .n_props = sizeof props / sizeof *props,
    .prop_size = sizeof *props,
    .needs = needs,
    .state_ver = 1,
    .state_min = 1,
    .create = scratch_create,
    .realize = scratch_realize,
    .reset = scratch_reset,
    .save = scratch_save,
    .load = scratch_load,
    .destroy = free,
};

BP_PLUGIN("isa-scratch", "1.0", "BSD-3-Clause", "https://example.org/isa-scratch", &scratch_class);
