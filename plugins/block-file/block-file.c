/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * block-file.c - a disk in a file or on a block device: the class, bp.block/1 and bp.refresh/1.
 *
 * Checks requests against the disk and hands them to an engine (uring.c, pool.c, sync.c). Knows
 * nothing of the device in front of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/log.h>

#include "block-file.h"

static int
file_info(void *be, struct bp_block_info *ret_info)
{
    const struct block_file *f = be;
    struct bp_block_info info = {
        .size = sizeof info,
        .block_size = f->block_size,
        .bytes = f->bytes,
        .features = f->readonly ? BP_BLOCK_READONLY : BP_BLOCK_CAN_FLUSH | BP_BLOCK_CAN_ZERO,
        .physical_size = f->physical_size,
        .mem_align = f->mem_align,
    };
    uint32_t size = ret_info->size < sizeof info ? ret_info->size : (uint32_t)sizeof info;

    if (!f->readonly && f->discard)
        info.features |= BP_BLOCK_CAN_DISCARD;
    memcpy(ret_info, &info, size);
    ret_info->size = size;
    return 0;
}

static int
file_attach(void *be, const struct bp_block_client *client)
{
    struct block_file *f = be;

    if (client && f->client)
        return BP_E_BUSY;
    f->client = client;
    return 0;
}

static bool
uses_ring(const struct block_file *f, const struct bp_block_req *req)
{
    return f->use_ring && io_of((struct bp_block_req *)(uintptr_t)req)->method != IO_BLKDISCARD;
}

static int
file_submit(void *be, struct bp_block_req *req)
{
    struct block_file *f = be;
    int err;

    if (req->op != BP_BLOCK_FLUSH) {
        if (req->op != BP_BLOCK_READ && f->readonly)
            return BP_E_PERM;
        if (((req->offset | req->len) & (f->block_size - 1)) || req->len == 0 ||
            req->offset > f->bytes || req->len > f->bytes - req->offset)
            return BP_E_RANGE;
    }
    if (f->in_flight == f->queue_depth)
        return BP_E_AGAIN;
    err = io_begin(f, req);
    if (err)
        return err;
    f->in_flight++;
    if (f->use_sync)
        sync_queue(f, req);
    else if (uses_ring(f, req))
        uring_queue(f, req);
    else
        pool_queue(f, req);
    return 0;
}

static void
file_commit(void *be)
{
    struct block_file *f = be;

    if (f->pool.open)
        pool_commit(f);
    if (f->use_ring)
        uring_commit(f);
    if (f->use_sync)
        sync_commit(f);
}

static const struct bp_block_if file_if = {
    .size = sizeof file_if,
    .info = file_info,
    .attach = file_attach,
    .submit = file_submit,
    .commit = file_commit,
};

static int
file_refresh_op(void *self)
{
    struct block_file *f = self;
    int r = file_refresh(f);

    if (r > 0 && BP_HAS(struct bp_block_client, f->client, changed))
        f->client->changed(f->client->user);
    return r < 0 ? r : 0;
}

static const struct bp_refresh_if refresh_if = {
    .size = sizeof refresh_if,
    .refresh = file_refresh_op,
};

static const void *
block_file_query(void *self, const char *iface, uint32_t min_size)
{
    (void)self;
    if (!strcmp(iface, BP_IF_BLOCK) && min_size <= sizeof file_if)
        return &file_if;
    if (!strcmp(iface, BP_IF_REFRESH) && min_size <= sizeof refresh_if)
        return &refresh_if;
    return NULL;
}

static int
read_props(struct block_file *f)
{
    struct bp_value v = {.size = sizeof v};
    const struct {
        const char *name;
        bool *yes;
        uint32_t *number;
        const char **text;
    } map[] = {
        {.name = "path", .text = &f->path},
        {.name = "aio", .text = &f->aio},
        {.name = "direct", .yes = &f->direct},
        {.name = "readonly", .yes = &f->readonly},
        {.name = "lock", .yes = &f->lock},
        {.name = "discard", .yes = &f->discard},
        {.name = "queue_depth", .number = &f->queue_depth},
        {.name = "threads", .number = &f->threads},
    };

    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        int err = f->host->prop(f->inst, map[i].name, &v);

        if (err)
            return err;
        if (map[i].yes)
            *map[i].yes = v.i;
        if (map[i].number)
            *map[i].number = (uint32_t)v.i;
        if (map[i].text)
            *map[i].text = v.s;
    }
    return 0;
}

static int
block_file_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct block_file *f = calloc(1, sizeof *f);
    int err;

    if (!f)
        return BP_E_NOMEM;
    f->host = host;
    f->inst = inst;
    f->fd = -1;
    err = read_props(f);
    if (err) {
        free(f);
        return err;
    }
    *ret_self = f;
    return 0;
}

/* What is asked for; else io_uring where it is there, else threads. */
static int
choose_engine(struct block_file *f)
{
    const char *what = NULL;
    int err;

    f->use_sync = !strcmp(f->aio, "sync");
    if (f->use_sync)
        return sync_init(f);
    if (strcmp(f->aio, "threads")) {
        err = uring_init(f, &what);
        f->use_ring = !err;
        if (err && !strcmp(f->aio, "io_uring"))
            return bp_failf(f->host, f->inst, BP_E_NOTSUP,
                            "%s: %s; set aio = auto to use threads where there is no io_uring",
                            what, strerror(-err));
        if (err)
            bp_logf(f->host, f->inst, BP_LOG_INFO, "%s: %s; using threads instead of io_uring",
                    what, strerror(-err));
    }
    if (f->use_ring) {
        if (!f->is_device || f->readonly)
            return 0;
        f->threads = 1; /* for the one call that io_uring has not got */
    }
    return pool_init(f);
}

static int
block_file_realize(void *self)
{
    struct block_file *f = self;
    int err;

    f->event = f->host->query(f->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    if (!f->event)
        return f->host->fail(f->inst, BP_E_NOTSUP, "needs " BP_IF_EVENT);
    err = file_open(f);
    if (err)
        return err;
    return choose_engine(f);
}

static int
block_file_start(void *self)
{
    struct block_file *f = self;

    return f->pool.open ? pool_start(f) : 0;
}

static int
block_file_quiesce(void *self)
{
    struct block_file *f = self;

    if (f->in_flight > 0)
        return BP_E_AGAIN;
    pool_stop(f);
    return 0;
}

static void
block_file_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct block_file *f = self;

    (void)mask;
    switch (cookie) {
    case EV_RING:
        uring_reap(f);
        break;
    case EV_RETRY:
        uring_commit(f);
        break;
    case EV_POOL:
        pool_reap(f);
        break;
    case EV_SYNC:
        sync_commit(f);
        break;
    }
}

static void
block_file_destroy(void *self)
{
    struct block_file *f = self;

    pool_fini(f);
    uring_fini(f);
    file_close(f);
    free(f);
}

static const char *const aio_kinds[] = {"auto", "io_uring", "threads", "sync", NULL};
static const struct bp_prop props[] = {
    {.size = sizeof *props,
     .type = BP_PATH,
     .flags = BP_P_REQUIRED | BP_P_PRIMARY | BP_P_MUST_EXIST,
     .name = "path",
     .help = "the file or block device that holds the disk's contents"},
    {.size = sizeof *props,
     .type = BP_BOOL,
     .name = "readonly",
     .help = "never write to it",
     .def = "false"},
    {.size = sizeof *props,
     .type = BP_BOOL,
     .name = "direct",
     .help = "past the host's page cache (O_DIRECT)",
     .def = "false"},
    {.size = sizeof *props,
     .type = BP_BOOL,
     .name = "lock",
     .help = "lock it against other programs that would write to it",
     .def = "true"},
    {.size = sizeof *props,
     .type = BP_BOOL,
     .name = "discard",
     .help = "free the space that the guest discards",
     .def = "true"},
    {.size = sizeof *props,
     .type = BP_ENUM,
     .name = "aio",
     .help = "how requests are made; auto takes io_uring where the kernel has it",
     .def = "auto",
     .choices = aio_kinds},
    {.size = sizeof *props,
     .type = BP_INT,
     .name = "queue_depth",
     .help = "requests under way at once",
     .def = "256",
     .min = 1,
     .max = 4096},
    {.size = sizeof *props,
     .type = BP_INT,
     .name = "threads",
     .help = "how many threads make requests when io_uring does not",
     .def = "4",
     .min = 1,
     .max = POOL_MAX},
};
static const char *const provides[] = {BP_IF_BLOCK, BP_IF_REFRESH, NULL};
static const char *const needs[] = {BP_IF_EVENT, NULL};

static const struct bp_class block_file_class = {
    .size = sizeof block_file_class,
    .name = "block-file",
    .version = "1.0",
    .summary = "disk in a file or on a block device",
    .props = props,
    .n_props = sizeof props / sizeof *props,
    .prop_size = sizeof *props,
    .provides = provides,
    .needs = needs,
    .create = block_file_create,
    .realize = block_file_realize,
    .start = block_file_start,
    .quiesce = block_file_quiesce,
    .event = block_file_event,
    .query = block_file_query,
    .destroy = block_file_destroy,
};

BP_PLUGIN("block-file", "1.0", "BSD-3-Clause", "backplane", &block_file_class);
