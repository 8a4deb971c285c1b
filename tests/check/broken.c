/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * broken.c - a small device with every part that a device can have, and with a -D each way of
 * breaking a rule of the SDK. Without any it is a good plugin, and backplane-check says so.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backplane/backplane.h>

struct dev {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_io_if *io;
    const struct bp_irq_if *irq;
    const struct bp_mem_if *mem;
    const struct bp_event_if *event;
    bp_irq line;
    bp_event timer;
    struct bp_map map;
    struct bp_block_client client;
    struct bp_block_req *held;
    uint8_t reg[16];
    uint32_t level, pending;
    int running;
#ifdef BROKEN_THREAD
    pthread_t thread;
#endif
};

#ifdef BROKEN_EXPORT
BP_EXPORT int a_second_symbol;
#endif
#ifdef BROKEN_UNDEFINED
int a_symbol_of_nobody(void);
#endif
#ifdef BROKEN_CONSTRUCTOR
__attribute__((constructor)) static void
dev_constructor(void)
{
    static volatile int run;

    run++;
}
#endif
#ifdef BROKEN_STATIC
static int dev_made; /* an instance of the past is remembered */
#endif

static void
dev_update(struct dev *d)
{
    (void)!d->irq->level(d->inst, d->line, d->reg[0] == 0xff);
}

static uint64_t
dev_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct dev *d = self;
    uint64_t val = 0;

    (void)id;
#ifdef BROKEN_WIDTH
    if (width == 8)
        abort();
#endif
#ifdef BROKEN_REGISTER
    if (off == 3 && d->reg[3] > 0x80)
        return *(volatile uint8_t *)(uintptr_t)16;
#endif
#ifdef BROKEN_HANG
    while (off == 9)
        ;
#endif
#ifdef BROKEN_EXIT
    if (off == 7)
        _exit(0);
#endif
    memcpy(&val, d->reg + off, width);
    return val;
}

static void
dev_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct dev *d = self;
    uint8_t bytes[8];

    (void)id;
    memcpy(d->reg + off, &val, width);
    if (off == 4 && d->mem->read(d->inst, val & 0xffff, bytes, sizeof bytes) == 0)
        d->reg[5] = bytes[0];
    if (off == 8)
        (void)!d->event->arm(d->inst, d->timer, d->event->now(d->inst, BP_CLOCK_MONOTONIC) + 1000);
#ifdef BROKEN_LATE_REGION
    if (off == 2) {
        static const struct bp_region_ops none = {.size = sizeof none};
        struct bp_region_desc desc = {
            .size = sizeof desc, .kind = BP_REGION_PIO, .len = 1, .name = "late", .ops = &none};
        bp_region late;

        (void)!d->io->region(d->inst, &desc, &late);
    }
#endif
    dev_update(d);
}

static const struct bp_region_ops dev_ops = {sizeof dev_ops, 0, dev_read, dev_write};

static int
dev_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct dev *d = calloc(1, sizeof *d);

#ifdef BROKEN_NO_MEMORY
    d->host = host;
#endif
    if (!d)
        return BP_E_NOMEM;
#ifdef BROKEN_STATIC
    if (dev_made++ > 40)
        return host->fail(inst, BP_E_BUSY, "there were too many of me");
#endif
#ifdef BROKEN_CREATE
    free(d);
    return host->fail(inst, BP_E_INVAL, "it never works");
#endif
#ifdef BROKEN_POSITIVE
    free(d);
    return 7;
#endif
    d->host = host;
    d->inst = inst;
    *ret_self = d;
    return 0;
}

/* [realize] */
static int
dev_services(struct dev *d)
{
    const struct bp_host *host = d->host;

#ifdef BROKEN_MIN_SIZE /* asks for less than it uses */
    d->io = host->query(d->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, region));
#else
    d->io = host->query(d->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
#endif
    d->irq = host->query(d->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, level));
    d->mem = host->query(d->inst, BP_IF_MEM, BP_UPTO(struct bp_mem_if, unmap));
    d->event = host->query(d->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, now));
#ifdef BROKEN_UNCHECKED
    return d->io->size ? 0 : BP_E_NOTSUP;
#elif defined BROKEN_NO_TEXT
    return d->io && d->irq && d->mem && d->event ? 0 : BP_E_NOTSUP;
#else
    return d->io && d->irq && d->mem && d->event
               ? 0
               : host->fail(d->inst, BP_E_NOTSUP, "needs io, irq, mem and event");
#endif
}

static int
dev_realize(void *self)
{
    struct dev *d = self;
    struct bp_value port = {.size = sizeof port};
    struct bp_region_desc desc = {
        .size = sizeof desc, .kind = BP_REGION_PIO, .len = 16, .name = "reg", .ops = &dev_ops};
    bp_region region;
    int err = dev_services(d);

    if (err || (err = d->host->prop(d->inst, "port", &port)))
        return err;
    err = d->irq->line(d->inst, "irq", 5, BP_IRQ_LEVEL, &d->line);
#ifdef BROKEN_FAILURE_LEAK
    if (err)
        return dup(0) < 0 ? BP_E_IO : err;
#endif
    if (err || (err = d->event->timer(d->inst, "timer", BP_CLOCK_MONOTONIC, 1, &d->timer)) ||
        (err = d->io->region(d->inst, &desc, &region)))
        return err;
#ifdef BROKEN_CHECK_MODE
    if (d->host->flags & BP_HOST_CHECK)
        return dup(0) < 0 ? BP_E_IO : 0;
#endif
#ifdef BROKEN_OPTIONAL
    if (!d->host->query(d->inst, BP_IF_RAM, sizeof(uint32_t)))
        return d->host->fail(d->inst, BP_E_NOTSUP, "needs ram");
#endif
#ifdef BROKEN_FD_LEAK
    if (dup(0) < 0)
        return BP_E_IO;
#endif
#ifdef BROKEN_MEMORY_LEAK
    if (!strdup("leaks"))
        return BP_E_NOMEM;
#endif
#ifdef BROKEN_UNLISTED
    if (!d->host->query(d->inst, BP_IF_MACHINE, sizeof(uint32_t)))
        return d->host->fail(d->inst, BP_E_NOTSUP, "needs machine");
#endif
    return d->io->place(d->inst, region, (uint64_t)port.i);
}

#ifdef BROKEN_THREAD
static void *
dev_thread(void *self)
{
    struct dev *d = self;

    while (__atomic_load_n(&d->running, __ATOMIC_RELAXED))
        usleep(100);
    return NULL;
}
#endif

static int
dev_start(void *self)
{
    struct dev *d = self;

    d->running = 1;
    d->map.size = sizeof d->map;
    if (d->mem->map(d->inst, 0, 4096, BP_MAP_READ, &d->map))
#ifdef BROKEN_NO_MAP
        return d->host->fail(d->inst, BP_E_NOTSUP, "must map");
#else
        d->map.len = 0;
#endif
#ifdef BROKEN_THREAD
    if (!d->thread && pthread_create(&d->thread, NULL, dev_thread, d))
        return BP_E_NOMEM;
#endif
    return 0;
}

static int
dev_quiesce(void *self)
{
    struct dev *d = self;

#ifdef BROKEN_QUIESCE
    if (d->reg[2] == 0xff)
        return BP_E_IO;
#endif
#ifndef BROKEN_THREAD
    d->running = 0;
#endif
#ifndef BROKEN_MAPPING
    if (d->map.len)
        (void)!d->mem->unmap(d->inst, &d->map, 0, 0);
    d->map.len = 0;
#endif
#ifndef BROKEN_REQUEST_LEFT
    if (d->held)
        d->held->done(d->held, 0);
    d->held = NULL;
#endif
    return 0;
}

static void
dev_reset(void *self, uint32_t kind)
{
    struct dev *d = self;

    (void)kind;
#ifdef BROKEN_RESET
    if (d->reg[1])
        abort();
#endif
    memset(d->reg, 0, sizeof d->reg);
    dev_update(d);
}

static void
dev_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct dev *d = self;

    (void)cookie, (void)mask;
    d->reg[10]++;
}

#ifndef BROKEN_NO_SAVE
static int
dev_save(void *self, const struct bp_writer *w)
{
    struct dev *d = self;
    int err = w->section(w, "regs", 1, 1);

#ifdef BROKEN_SAVE_CHANGES
    d->reg[0]++;
#endif
#ifdef BROKEN_SAVE_IGNORES
    if (!err)
        (void)!w->u64(w, "level", d->reg[0] == 0xff);
#else
    if (!err)
        err = w->u64(w, "level", d->reg[0] == 0xff);
#endif
    return err ? err : w->blob(w, "bytes", d->reg, sizeof d->reg);
}

static int
dev_load(void *self, const struct bp_reader *r)
{
    struct dev *d = self;
    uint8_t bytes[sizeof d->reg] = {0};
    uint64_t level = 0, n = 0;
    uint32_t ver;
    int err = r->section(r, "regs", &ver);

    if (err)
        return err;
    err = r->u64(r, "level", &level);
#ifdef BROKEN_LOAD_NEEDS
    if (err)
        return err;
#else
    if (err && err != BP_E_NOENT)
        return err;
#endif
#ifdef BROKEN_LOAD_TRUSTS
    d->reg[level * 4096]++;
#endif
    err = r->blob(r, "bytes", bytes, sizeof bytes, &n);
    if (err && err != BP_E_NOENT)
        return err;
    if (ver != 1 || level > 1)
        return BP_E_INVAL;
#ifdef BROKEN_STATE_LOST
    memcpy(d->reg, bytes, 2);
#else
    memcpy(d->reg, bytes, sizeof bytes);
#endif
    dev_update(d);
    return 0;
}
#endif

/* It is a block back end too, of one block that is always zero. */
static int
dev_info(void *self, struct bp_block_info *ret)
{
    const struct bp_block_info info = {
        .size = ret->size, .block_size = 512, .bytes = 65536, .physical_size = 512};

    (void)self;
    memcpy(ret, &info, ret->size < sizeof info ? ret->size : sizeof info);
    return 0;
}

static int
dev_attach(void *self, const struct bp_block_client *client)
{
    struct dev *d = self;

#ifndef BROKEN_ATTACH_TWICE
    if (client && d->client.size)
        return BP_E_BUSY;
#endif
    memset(&d->client, 0, sizeof d->client);
    if (client)
        memcpy(&d->client, client,
               client->size < sizeof d->client ? client->size : sizeof d->client);
    return 0;
}

static int
dev_submit(void *self, struct bp_block_req *req)
{
    struct dev *d = self;

#ifndef BROKEN_RANGE
    if (req->op != BP_BLOCK_FLUSH &&
        (req->offset > 65536 || req->len > 65536 - req->offset || req->offset % 512))
        return BP_E_RANGE;
#endif
#ifdef BROKEN_DONE_WITHIN
    req->done(req, 0);
    return 0;
#endif
    if (d->held)
        return BP_E_AGAIN;
    d->held = req;
    return 0;
}

static void
dev_commit(void *self)
{
    struct dev *d = self;
    struct bp_block_req *req = d->held;

#ifdef BROKEN_REQUEST_LEFT
    return;
#endif
    d->held = NULL;
    if (req)
        req->done(req, 0);
#ifdef BROKEN_DONE_TWICE
    if (req)
        req->done(req, 0);
#endif
}

static const struct bp_block_if dev_block = {.size = sizeof dev_block,
                                             .info = dev_info,
                                             .attach = dev_attach,
                                             .submit = dev_submit,
                                             .commit = dev_commit};

static const void *
dev_query(void *self, const char *iface, uint32_t min_size)
{
    (void)self;
#ifdef BROKEN_QUERY
    (void)iface, (void)min_size;
    return &dev_block;
#else
    return strcmp(iface, BP_IF_BLOCK) == 0 && min_size <= sizeof dev_block ? &dev_block : NULL;
#endif
}

static int
dev_set(void *self, const char *prop, const struct bp_value *val)
{
    struct dev *d = self;

#ifdef BROKEN_SET
    (void)prop;
#else
    if (strcmp(prop, "level") != 0)
        return BP_E_NOENT;
#endif
    d->level = (uint32_t)val->i;
    return 0;
}

static void
dev_destroy(void *self)
{
#ifdef BROKEN_THREAD
    struct dev *d = self;

    __atomic_store_n(&d->running, 0, __ATOMIC_RELAXED);
    if (d->thread)
        pthread_join(d->thread, NULL);
#endif
#ifdef BROKEN_FORK
    if (!self && fork() == 0)
        _exit(0);
#endif
#ifdef BROKEN_UNDEFINED
    if (!self)
        a_symbol_of_nobody();
#endif
    free(self);
}

#ifdef BROKEN_HELP
#define HELP NULL
#else
#define HELP "first port"
#endif
#ifdef BROKEN_DEFAULT
#define PORT "0x200k"
#else
#define PORT "0x200"
#endif
static const struct bp_prop dev_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "port",
     .help = HELP,
     .def = PORT,
     .max = 0xfff0},
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .flags = BP_P_RUNTIME,
     .name = "level",
     .help = "a number that can be changed",
     .def = "3",
     .max = 9},
};
static const char *const dev_provides[] = {BP_IF_BLOCK, NULL};
static const char *const dev_needs[] = {BP_IF_IO,    BP_IF_IRQ,     BP_IF_MEM,
                                        BP_IF_EVENT, "?" BP_IF_RAM, NULL};
static const struct bp_class dev_class = {
    .size = sizeof dev_class,
#ifdef BROKEN_FLAGS
    .flags = 1u << 14,
#endif
    .name = "broken",
    .version = "1.0",
#ifndef BROKEN_SUMMARY
    .summary = "a device for tests",
#endif
    .props = dev_props,
    .n_props = sizeof dev_props / sizeof *dev_props,
    .prop_size = sizeof *dev_props,
    .provides = dev_provides,
    .needs = dev_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = dev_create,
    .realize = dev_realize,
    .start = dev_start,
    .quiesce = dev_quiesce,
    .reset = dev_reset,
    .event = dev_event,
#ifndef BROKEN_NO_SAVE
    .save = dev_save,
    .load = dev_load,
#endif
    .query = dev_query,
    .set = dev_set,
    .destroy = dev_destroy,
};

#if defined BROKEN_NOTE || defined BROKEN_LEVELS || defined BROKEN_LICENSE
#ifdef BROKEN_NOTE
#define NOTE_ID "otherwise"
#else
#define NOTE_ID "broken"
#endif
#ifdef BROKEN_LICENSE
#define LICENSE NULL
#else
#define LICENSE "BSD-3-Clause"
#endif
__attribute__((section(".note.bp"), used, aligned(4))) static const struct bp_note dev_note = {
    3,
    sizeof(struct bp_note) - 16,
    BP_NOTE_TYPE,
    BP_NOTE_OWNER,
    BP_ABI_MAJOR,
    BP_API_LEVEL,
    BP_API_NEED,
    NOTE_ID};
static const struct bp_class *const dev_classes[] = {&dev_class};
static const struct bp_plugin dev_plugin = {sizeof dev_plugin, BP_ABI_MAJOR,
                                            BP_API_LEVEL,      BP_API_NEED,
                                            "broken",          "1.0",
                                            LICENSE,           "https://example.org",
                                            dev_classes,       1};
const struct bp_plugin *
bp_plugin_v1(const struct bp_hello *h)
{
#ifdef BROKEN_LEVELS
    (void)h;
    return &dev_plugin;
#else
    return h->api_min <= BP_API_LEVEL && BP_API_NEED <= h->api_level ? &dev_plugin : NULL;
#endif
}
#else
BP_PLUGIN("broken", "1.0", "BSD-3-Clause", "https://example.org", &dev_class);
#endif
