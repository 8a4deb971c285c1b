/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fake host itself: what it promises to tests of plugins is tried here with a class that is
 * made to be good or bad on demand.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <backplane/test.h>

#include "tap.h"

struct dev {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_io_if *io;
    const struct bp_irq_if *irq;
    const struct bp_event_if *ev;
    const struct bp_mem_if *mem;
    bp_region regs, ports;
    bp_irq line, msg;
    bp_event timer, soft, bell, watch;
    struct bp_map map;
    uint8_t reg[16];
    unsigned events[8];
    uint32_t mask[8];
    int order[64], n_order;
    int started, again, keep_map;
};

static struct dev *last; /* what the latest create() made */

static uint64_t
dev_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct dev *d = self;
    uint64_t v = 0;

    (void)id;
    memcpy(&v, d->reg + off, width);
    return v;
}

static void
dev_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct dev *d = self;

    (void)id;
    memcpy(d->reg + off, &val, width);
    if (off == 0)
        d->irq->level(d->inst, d->line, (uint32_t)val & 1);
}

static const struct bp_region_ops dev_ops = {sizeof dev_ops, 0, dev_read, dev_write};

static int
dev_create(const struct bp_host *h, bp_inst inst, void **ret_self)
{
    struct bp_value v = {.size = sizeof v};
    struct dev *d = calloc(1, sizeof *d);
    int err = h->prop(inst, "fail", &v);

    if (err || (v.n && v.i == 1)) {
        free(d);
        return err ? err : h->fail(inst, BP_E_NXIO, "told to fail");
    }
    d->host = h;
    d->inst = inst;
    *ret_self = last = d;
    return 0;
}

static int
dev_realize(void *self)
{
    struct dev *d = self;
    struct bp_value port = {.size = sizeof port}, irq = {.size = sizeof irq};
    struct bp_region_desc r = {
        .size = sizeof r, .kind = BP_REGION_MMIO, .len = 16, .name = "regs", .ops = &dev_ops};
    int err;

    d->io = d->host->query(d->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, doorbell));
    d->irq = d->host->query(d->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, msi_set));
    d->ev = d->host->query(d->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    d->mem = d->host->query(d->inst, BP_IF_MEM, BP_UPTO(struct bp_mem_if, dirty));
    if (!d->io || !d->irq || !d->ev || !d->mem)
        return d->host->fail(d->inst, BP_E_NOTSUP, "needs more of a host");
    if ((err = d->host->prop(d->inst, "port", &port)) ||
        (err = d->host->prop(d->inst, "irq", &irq)) || (err = d->io->region(d->inst, &r, &d->regs)))
        return err;
    r.kind = BP_REGION_PIO;
    r.name = "ports";
    if ((err = d->io->region(d->inst, &r, &d->ports)) ||
        (err = d->io->place(d->inst, d->regs, BP_IO_AUTO)) ||
        (err = d->io->place(d->inst, d->ports, (uint64_t)port.i)) ||
        (err = d->io->doorbell(d->inst, d->regs, 8, 4, 7, 3, &d->bell)) ||
        (err = d->irq->line(d->inst, "line", (uint32_t)irq.i, BP_IRQ_LEVEL, &d->line)) ||
        (err = d->irq->msi(d->inst, "msg", 0, &d->msg)) ||
        (err = d->ev->timer(d->inst, "timer", BP_CLOCK_VIRTUAL, 1, &d->timer)))
        return err;
    return d->ev->soft(d->inst, "soft", 2, &d->soft);
}

static int
dev_start(void *self)
{
    ((struct dev *)self)->started++;
    return 0;
}

static int
dev_quiesce(void *self)
{
    struct dev *d = self;

    if (d->again) {
        d->again--;
        return BP_E_AGAIN;
    }
    if (d->map.p && !d->keep_map) {
        d->mem->unmap(d->inst, &d->map, 0, 0);
        d->map.p = NULL;
    }
    return 0;
}

static void
dev_reset(void *self, uint32_t kind)
{
    struct dev *d = self;

    if (kind == BP_RESET_COLD)
        memset(d->reg, 0, sizeof d->reg);
}

static void
dev_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct dev *d = self;
    char c;

    d->events[cookie]++;
    d->mask[cookie] = mask;
    d->order[d->n_order++ & 63] = (int)cookie;
    if (cookie == 4 && read((int)d->reg[15], &c, 1) != 1)
        d->reg[14] = 1;
}

static int
dev_save(void *self, const struct bp_writer *w)
{
    struct dev *d = self;
    int err = w->section(w, "regs", 1, 1);

    if (!err)
        err = w->u64(w, "first", d->reg[0]);
    return err ? err : w->blob(w, "all", d->reg, sizeof d->reg);
}

static int
dev_load(void *self, const struct bp_reader *r)
{
    struct dev *d = self;
    uint32_t ver;
    uint64_t n;
    int err = r->section(r, "regs", &ver);

    if (err || ver != 1)
        return err ? err : BP_E_NOTSUP;
    err = r->blob(r, "all", d->reg, sizeof d->reg, &n);
    return err == BP_E_NOENT ? 0 : err;
}

static const struct bp_prop dev_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "port",
     .def = "0x500",
     .min = 1,
     .max = 0xffff},
    {.size = sizeof(struct bp_prop), .type = BP_INT, .name = "irq", .def = "10"},
    {.size = sizeof(struct bp_prop), .type = BP_BOOL, .name = "fail", .def = "no"},
    {.size = sizeof(struct bp_prop), .type = BP_SIZE, .name = "mem"},
    {.size = sizeof(struct bp_prop), .type = BP_STR, .flags = BP_P_LIST, .name = "words"},
    {.size = sizeof(struct bp_prop), .type = BP_LINK, .name = "peer", .link_iface = "bp.char/1"},
};
static const struct bp_class dev_class = {
    .size = sizeof dev_class,
    .name = "dev",
    .version = "1",
    .summary = "a device to try the host with",
    .props = dev_props,
    .n_props = sizeof dev_props / sizeof *dev_props,
    .prop_size = sizeof *dev_props,
    .state_ver = 1,
    .state_min = 1,
    .create = dev_create,
    .realize = dev_realize,
    .start = dev_start,
    .quiesce = dev_quiesce,
    .reset = dev_reset,
    .event = dev_event,
    .save = dev_save,
    .load = dev_load,
    .destroy = free,
};

static void
test_props(void)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);
    struct bp_value v = {.size = sizeof v};
    const struct bp_host *h;

    eq_int(bpt_add(m, &dev_class, "a", "colour=red"), BP_E_NOENT, "an unknown property is refused");
    eq_str(bpt_error(m), "a: dev has no property 'colour'", "and named");
    eq_int(bpt_add(m, &dev_class, "a", "port=0x10000"), BP_E_RANGE, "a value out of range too");
    eq_int(bpt_add(m, &dev_class, "a", "port=12x"), BP_E_INVAL, "and what is no number");
    eq_int(bpt_add(m, &dev_class, "a", "port=1,port=2"), BP_E_EXIST, "and a property given twice");
    eq_int(bpt_add(m, &dev_class, "a", "fail=yes"), BP_E_NXIO, "create() may refuse");
    eq_str(bpt_error(m), "a: told to fail", "with its own words");
    eq_int(bpt_add(m, &dev_class, "a", "mem=3M,words=\"x,y\",words=z"), 0, "a good one is made");
    h = bpt_host(m, "a");
    ok(!h->prop(bpt_inst(m, "a"), "mem", &v) && v.i == 3 << 20 && v.n == 1, "sizes have suffixes");
    ok(!h->prop(bpt_inst(m, "a"), "port", &v) && v.i == 0x500, "defaults are parsed like text");
    ok(!h->prop(bpt_inst(m, "a"), "words", &v) && v.n == 2 && !strcmp(v.s, "x,y"),
       "lists have items");
    ok(!h->prop_item(bpt_inst(m, "a"), "words", 1, &v) && !strcmp(v.s, "z"), "each by its index");
    eq_int(h->prop_item(bpt_inst(m, "a"), "words", 2, &v), BP_E_RANGE, "and no further");
    ok(!h->prop(bpt_inst(m, "a"), "peer", &v) && v.n == 0, "what is unset has no value");
    eq_int(h->prop(bpt_inst(m, "a"), "nope", &v), BP_E_NOENT,
           "what is not in the table is refused");
    eq_int(h->prop((bp_inst){bpt_inst(m, "a").v + 1}, "mem", &v), BP_E_INVAL, "as is a forged id");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_io(void)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);
    const struct bp_io_if *io;
    uint64_t base, v = 0;
    bp_inst a, b;
    struct dev *d, *e;

    bpt_add(m, &dev_class, "a", NULL);
    d = last;
    bpt_add(m, &dev_class, "b", "port=0x508,irq=11");
    e = last;
    eq_int(bpt_realize_all(m), BP_E_BUSY, "overlapping ports are refused");
    ok(strstr(bpt_error(m), "overlaps ports of a"), "and both sides named: %s", bpt_error(m));
    bpt_free(m);

    m = bpt_new(1 << 20, 0);
    bpt_add(m, &dev_class, "a", NULL);
    d = last;
    bpt_add(m, &dev_class, "b", "port=0x510,irq=11");
    e = last;
    eq_int(bpt_realize_all(m), 0, "neighbours are fine");
    eq_int(bpt_start(m), 0, "they start");
    a = bpt_inst(m, "a"), b = bpt_inst(m, "b");
    io = d->io;
    bpt_out(m, 0x501, 2, 0xbbaa);
    eq_int(bpt_in(m, 0x500, 4), 0xbbaa00, "ports reach the registers");
    e->reg[0] = 0x77;
    d->reg[15] = 0x66;
    eq_int(bpt_in(m, 0x50f, 2), 0x7766, "an access over two regions is split");
    eq_int(bpt_in(m, 0x80, 2), 0xffff, "nobody there reads all ones");
    base = bpt_where(m, "a", "regs");
    ok(base != BP_IO_NOWHERE && bpt_mmio_read(m, base + 2, 1) == 0xbb, "so do memory registers");
    eq_int(io->place(a, d->regs, 0x1000), BP_E_BUSY, "a region cannot lie over RAM");
    eq_int(io->where(a, d->regs), base, "and stays where it was");
    eq_int(io->place(b, d->regs, 0xf0000000), BP_E_INVAL, "another's id is refused");
    eq_int(io->place(a, d->regs, 0xf0000000), 0, "a region moves");
    eq_int(bpt_mmio_read(m, base, 1), 0xff, "and leaves nothing behind");
    eq_int(io->access(a, d->regs, 1, 1, 0, &v), 0, "a bridge reaches it by id");
    eq_int(v, 0xaa, "with the same result");
    eq_int(io->access(a, d->regs, 14, 4, 0, &v), BP_E_RANGE, "inside its bounds");
    bpt_mmio_write(m, 0xf0000008, 4, 7);
    bpt_mmio_write(m, 0xf0000008, 4, 7);
    eq_int(d->events[3], 0, "a doorbell is not delivered at once");
    eq_int(bpt_pump(m), 1, "but by the pump, once for both");
    eq_int(d->mask[3], BP_EV_DOORBELL, "as a doorbell");
    eq_int(d->reg[8], 0, "and not as a write");
    bpt_mmio_write(m, 0xf0000008, 4, 8);
    eq_int(d->reg[8], 8, "another value is a write");
    d->ev->close(a, d->bell);
    bpt_mmio_write(m, 0xf0000008, 4, 7);
    ok(bpt_pump(m) == 0 && d->reg[8] == 7, "a closed doorbell is gone");
    bpt_mmio_write(m, 0x2000, 8, 0x1122334455667788);
    eq_int(*(uint8_t *)bpt_ram(m, 0x2007, 1), 0x11, "RAM is reached too");
    eq_int(bpt_free(m), 0, "no problems");
}

static void *
raiser(void *arg)
{
    struct dev *d = arg;

    for (int i = 0; i < 1000; i++) {
        d->irq->level(d->inst, d->line, i & 1);
        d->irq->raise(d->inst, d->msg);
        d->ev->kick(d->inst, d->soft);
    }
    return NULL;
}

static void
test_irq(void)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);
    static const uint64_t one = 1;
    struct dev *d, *e;
    uint64_t addr;
    uint32_t data;
    pthread_t t;
    int trigger, resample;

    bpt_add(m, &dev_class, "a", NULL);
    d = last;
    bpt_add(m, &dev_class, "b", "port=0x600");
    e = last;
    eq_int(bpt_realize_all(m), 0, "two level lines share a GSI");
    bpt_start(m);
    eq_int(bpt_gsi_of(m, "a", "line"), 10, "the one that was asked for");
    d->irq->level(d->inst, d->line, 1);
    e->irq->level(e->inst, e->line, 1);
    d->irq->level(d->inst, d->line, 0);
    ok(bpt_gsi(m, 10) && bpt_gsi_count(m, 10) == 1, "the pin is their OR");
    e->irq->level(e->inst, e->line, 0);
    ok(!bpt_gsi(m, 10), "and falls with the last");
    eq_int(e->irq->level(e->inst, d->line, 1), BP_E_INVAL, "another's line is refused");

    d->irq->raise(d->inst, d->msg);
    ok(bpt_msi_count(m) == 0 && d->irq->msi_pending(d->inst, d->msg) == 1,
       "a masked message waits");
    d->irq->msi_set(d->inst, d->msg, 0xfee00000, 0x41, 0);
    ok(bpt_msi_take(m, &addr, &data) && addr == 0xfee00000 && data == 0x41, "until it is unmasked");
    ok(!bpt_msi_take(m, &addr, &data), "and is sent once");

    eq_int(d->irq->as_fd(d->inst, d->msg, &trigger, NULL), 0, "a message has a descriptor");
    ok(write(trigger, &one, 8) == 8 && bpt_msi_count(m) == 2, "that sends it");
    close(trigger);
    eq_int(d->irq->as_fd(d->inst, d->line, &trigger, &resample), 0, "so has a line");
    ok(write(trigger, &one, 8) == 8 && bpt_gsi(m, 10), "that raises it");
    bpt_eoi(m, 10);
    ok(!bpt_gsi(m, 10) && read(resample, &addr, 8) == 8, "until the guest acknowledges");
    close(trigger);
    close(resample);

    pthread_create(&t, NULL, raiser, d);
    for (int i = 0; i < 200; i++)
        bpt_poll(m, 0);
    pthread_join(t, NULL);
    bpt_poll(m, 0);
    eq_int(bpt_msi_count(m), 1002, "interrupts come from any thread");
    ok(bpt_gsi(m, 10) && d->events[2] > 0, "and so do kicks");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_events(void)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);
    struct dev *d;
    int64_t t0;
    int p[2];

    bpt_add(m, &dev_class, "a", NULL);
    d = last;
    bpt_realize_all(m);
    t0 = bpt_now(m, BP_CLOCK_VIRTUAL);
    d->ev->arm(d->inst, d->timer, t0 + 50);
    bpt_advance(m, 100);
    eq_int(bpt_now(m, BP_CLOCK_VIRTUAL), t0, "the virtual clock stands while nothing runs");
    bpt_start(m);
    eq_int(bpt_timer(m, "a"), t0 + 50, "the timer is armed");
    bpt_advance(m, 49);
    eq_int(d->events[1], 0, "not yet");
    bpt_advance(m, 1);
    ok(d->events[1] == 1 && d->mask[1] == BP_EV_TIMER, "now");
    bpt_advance(m, 1000);
    ok(d->events[1] == 1 && bpt_timer(m, "a") == BP_TIMER_OFF, "and only once");
    d->ev->kick(d->inst, d->soft);
    d->ev->kick(d->inst, d->soft);
    ok(bpt_pump(m) == 1 && d->events[2] == 1, "kicks are merged");
    ok(pipe(p) == 0, "a pipe");
    d->reg[15] = (uint8_t)p[0];
    eq_int(d->ev->watch(d->inst, p[0], BP_EV_READ, 4, &d->watch), 0, "is watched");
    eq_int(bpt_poll(m, 0), 0, "an empty one is quiet");
    ok(write(p[1], "x", 1) == 1 && bpt_poll(m, 1000) == 1 && d->mask[4] == BP_EV_READ, "a byte");
    d->ev->modify(d->inst, d->watch, 0);
    ok(write(p[1], "x", 1) == 1 && bpt_poll(m, 0) == 0, "nobody asks for bytes");
    close(p[1]);
    bpt_poll(m, 1000);
    eq_int(d->mask[4], BP_EV_HANGUP, "a hang-up is always told");
    d->ev->close(d->inst, d->watch);
    close(p[0]);
    d->again = 2;
    eq_int(bpt_quiesce(m), 0, "quiesce waits for it");
    d->ev->kick(d->inst, d->soft);
    eq_int(bpt_pump(m), 0, "what is quiesced gets no events");
    bpt_start(m);
    eq_int(bpt_pump(m), 1, "but later");
    d->reg[3] = 9;
    eq_int(bpt_state_roundtrip(m, "a"), 0, "its state survives");
    eq_int(d->reg[3], 9, "and is the same");
    eq_int(bpt_reset(m), 0, "a reset");
    eq_int(d->reg[3], 0, "clears it");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_memory(void)
{
    struct bpt_machine *m = bpt_new(1 << 20, 1 << 20);
    struct bp_map map = {.size = sizeof map};
    struct dev *d;
    uint32_t x = 0x12345678, y = 0;

    bpt_add(m, &dev_class, "a", NULL);
    d = last;
    bpt_realize_all(m);
    bpt_start(m);
    eq_int(d->mem->write(d->inst, (1 << 20) - 4, &x, 4), 0, "the last bytes of RAM");
    eq_int(d->mem->write(d->inst, (1 << 20) - 2, &x, 4), BP_E_FAULT, "and not beyond");
    ok(bpt_dirty(m, (1 << 20) - 1) && !bpt_dirty(m, 0), "what is written is dirty");
    ok(!d->mem->read(d->inst, (1 << 20) - 4, &y, 4) && y == x, "reads back");
    ok(!d->mem->map(d->inst, 0xc1234, UINT64_MAX, BP_MAP_READ, &map) &&
           map.len == (1 << 20) - 0xc1234,
       "a mapping goes to the end of RAM");
    ok(!bpt_ram(m, 0xa0000, 1) && !bpt_ram(m, 0xbffff, 1) && !bpt_ram(m, 0x9ffff, 2) &&
           bpt_ram(m, 0xc0000, 1),
       "which is not where a PC has none");
    ok(!d->mem->unmap(d->inst, &map, 0, 4096) && bpt_dirty(m, 0xc2000) && !bpt_dirty(m, 0xc3000),
       "unmap tells what is dirty");
    eq_int(d->mem->map(d->inst, 1 << 20, 1, 1, &map), BP_E_FAULT, "no RAM, no mapping");
    bpt_map_window(m, 4096);
    ok(!d->mem->map(d->inst, UINT64_C(0x100000010), UINT64_MAX, 3, &map) && map.len == 4080,
       "windows end at their multiple");
    memset(map.p, 5, map.len);
    eq_int(*(uint8_t *)bpt_ram(m, UINT64_C(0x100000fff), 1), 5, "and are the same memory");
    bpt_map_window(m, 1);
    eq_int(d->mem->map(d->inst, 0, 1, 1, &map), BP_E_NOTSUP, "a host need not map at all");
    eq_int(bpt_maps(m), 1, "one mapping is open");
    eq_int(bpt_quiesce(m), 0, "quiesce");
    eq_int(bpt_problems(m), 1, "notes that it was left");
    eq_int(bpt_maps(m), 0, "and takes it away");
    bpt_problems_clear(m);
    eq_int(bpt_free(m), 0, "no other problems");
}

static void
test_injection(void)
{
    unsigned fds = bpt_open_fds(), n;
    int failures = 0;

    for (n = 1; n < 100; n++) {
        struct bpt_machine *m = bpt_new(1 << 20, 0);
        int err, fired;

        bpt_add(m, &dev_class, "a", NULL);
        bpt_inject(m, "a", n, BP_E_NOMEM);
        err = bpt_realize_all(m);
        fired = bpt_injected(m);
        failures += fired && err ? 1 : 0;
        bpt_free(m);
        if (!fired)
            break;
    }
    ok(n > 10 && n < 100 && failures == (int)n - 1, "each of %u calls can be made to fail", n - 1);
    eq_int(bpt_open_fds(), fds, "and no descriptor is left");
}

static void
test_lacks(void)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);

    bpt_add(m, &dev_class, "a", NULL);
    bpt_truncate(m, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, msi));
    eq_int(bpt_realize_all(m), BP_E_NOTSUP, "a table that ends too early is not given");
    bpt_free(m);
    m = bpt_new(1 << 20, 0);
    bpt_add(m, &dev_class, "a", NULL);
    bpt_hide(m, BP_IF_MEM);
    eq_int(bpt_realize_all(m), BP_E_NOTSUP, "nor one that is not there");
    bpt_free(m);
    m = bpt_new(1 << 20, 0);
    bpt_truncate(m, "bp.host", BP_UPTO(struct bp_host, open));
    bpt_host_flags(m, BP_HOST_CHECK);
    bpt_add(m, &dev_class, "a", NULL);
    ok(!BP_HAS(struct bp_host, bpt_host(m, "a"), link_item) && bpt_realize_all(m) == 0,
       "an older host has fewer functions");
    bpt_free(m);
    m = bpt_new(1 << 20, 0);
    bpt_add(m, &dev_class, "a", "peer=b");
    eq_int(bpt_realize_all(m), BP_E_NOENT, "a link to nobody is refused");
    eq_str(bpt_error(m), "a: peer: there is no 'b'", "and named");
    bpt_free(m);
    m = bpt_new(1 << 20, 0);
    eq_int(bpt_load(m, "no-such-plugin", "x", NULL), BP_E_NOENT,
           "so is a plugin that is not there");
    bpt_free(m);
}

static void *
wrong_thread(void *arg)
{
    struct dev *d = arg;

    d->io->place(d->inst, d->regs, BP_IO_NOWHERE);
    return NULL;
}

static void
test_contexts(void)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);
    struct dev *d;
    pthread_t t;

    bpt_add(m, &dev_class, "a", NULL);
    d = last;
    bpt_realize_all(m);
    bpt_start(m);
    pthread_create(&t, NULL, wrong_thread, d);
    pthread_join(t, NULL);
    eq_int(bpt_problems(m), 1, "a [ctx] call from another thread is a problem");
    ok(strstr(bpt_problem(m, 0), "place() is not [any]"), "%s", bpt_problem(m, 0));
    eq_int(bpt_free(m), 1, "and counts in the end");
}

int
main(void)
{
    test_props();
    test_io();
    test_irq();
    test_events();
    test_memory();
    test_injection();
    test_lacks();
    test_contexts();
    return done_testing();
}
