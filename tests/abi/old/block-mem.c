/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * block-mem.c - a disk that is memory: a back end that uses nothing but what the first record of
 * the plugin ABI has. It is built with the headers of each recorded version, and never changed.
 */
#include <stdlib.h>
#include <string.h>

#include <backplane/backplane.h>
#include <backplane/log.h>

#define BLOCK 512u

struct disk {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    bp_event work;
    const struct bp_block_client *client;
    struct bp_block_req *first, *last; /* done but for the call; linked by backend[0] */
    uint8_t *bytes;
    uint64_t size;
};

static int
block_mem_info(void *be, struct bp_block_info *ret_info)
{
    struct disk *d = be;

    ret_info->block_size = ret_info->physical_size = BLOCK;
    ret_info->bytes = d->size;
    ret_info->features = BP_BLOCK_CAN_FLUSH | BP_BLOCK_CAN_ZERO;
    ret_info->max_iov = 0;
    ret_info->mem_align = 1;
    return 0;
}

static int
block_mem_attach(void *be, const struct bp_block_client *client)
{
    struct disk *d = be;

    if (client && d->client)
        return BP_E_BUSY;
    d->client = client;
    return 0;
}

static int
block_mem_submit(void *be, struct bp_block_req *req)
{
    struct disk *d = be;
    uint64_t at = req->offset;
    int err;

    if (req->op == BP_BLOCK_FLUSH) {
        at = 0;
    } else if (req->op != BP_BLOCK_READ && req->op != BP_BLOCK_WRITE && req->op != BP_BLOCK_ZERO) {
        return BP_E_NOTSUP;
    } else if ((req->offset | req->len) % BLOCK || req->offset > d->size ||
               req->len > d->size - req->offset) {
        return BP_E_RANGE;
    } else if (req->op == BP_BLOCK_ZERO) {
        memset(d->bytes + at, 0, req->len);
    } else {
        for (uint32_t i = 0; i < req->n_iov; at += req->iov[i++].len) {
            if (req->op == BP_BLOCK_READ)
                memcpy(req->iov[i].base, d->bytes + at, req->iov[i].len);
            else
                memcpy(d->bytes + at, req->iov[i].base, req->iov[i].len);
        }
    }
    if ((err = d->event->kick(d->inst, d->work)))
        return err;
    req->backend[0] = 0;
    if (d->first)
        d->last->backend[0] = (uintptr_t)req;
    else
        d->first = req;
    d->last = req;
    return 0;
}

static void
block_mem_commit(void *be)
{
    (void)be;
}

static const struct bp_block_if block_if = {.size = sizeof block_if,
                                            .info = block_mem_info,
                                            .attach = block_mem_attach,
                                            .submit = block_mem_submit,
                                            .commit = block_mem_commit};

static void
block_mem_finish(struct disk *d)
{
    int any = d->first != NULL;

    while (d->first) {
        struct bp_block_req *req = d->first;

        d->first = (struct bp_block_req *)(uintptr_t)req->backend[0];
        req->done(req, 0);
    }
    if (any && BP_HAS(struct bp_block_client, d->client, completed))
        d->client->completed(d->client->user);
}

static void
block_mem_event(void *self, uint32_t cookie, uint32_t mask)
{
    (void)cookie, (void)mask;
    block_mem_finish(self);
}

static int
block_mem_quiesce(void *self)
{
    block_mem_finish(self);
    return 0;
}

static const void *
block_mem_query(void *self, const char *iface, uint32_t min_size)
{
    (void)self;
    return strcmp(iface, BP_IF_BLOCK) == 0 && min_size <= sizeof block_if ? &block_if : NULL;
}

static int
block_mem_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct disk *d = calloc(1, sizeof *d);

    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    *ret_self = d;
    return 0;
}

static int
block_mem_realize(void *self)
{
    struct disk *d = self;
    struct bp_value size = {.size = sizeof size}, text = {.size = sizeof text};
    int err;

    d->event = d->host->query(d->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, kick));
    if (!d->event)
        return bp_failf(d->host, d->inst, BP_E_NOTSUP, "needs " BP_IF_EVENT);
    if ((err = d->host->prop(d->inst, "bytes", &size)) ||
        (err = d->host->prop(d->inst, "text", &text)) ||
        (err = d->event->soft(d->inst, "done", 0, &d->work)))
        return err;
    d->size = (uint64_t)size.i / BLOCK * BLOCK;
    d->bytes = calloc(1, d->size);
    if (!d->bytes)
        return BP_E_NOMEM;
    if (text.s)
        memcpy(d->bytes, text.s, strlen(text.s) < BLOCK ? strlen(text.s) : BLOCK);
    return 0;
}

static void
block_mem_destroy(void *self)
{
    struct disk *d = self;

    free(d->bytes);
    free(d);
}

static const struct bp_prop props[] = {
    {.size = sizeof *props,
     .type = BP_SIZE,
     .name = "bytes",
     .help = "how large it is",
     .def = "64K",
     .min = BLOCK,
     .max = 1 << 24},
    {.size = sizeof *props,
     .type = BP_STR,
     .name = "text",
     .help = "what its first block begins with",
     .def = "the first sector"},
};
static const char *const provides[] = {BP_IF_BLOCK, NULL};
static const char *const needs[] = {BP_IF_EVENT, NULL};

static const struct bp_class block_mem = {
    .size = sizeof block_mem,
    .name = "block-mem",
    .version = "1.0",
    .summary = "a disk that is memory",
    .props = props,
    .n_props = sizeof props / sizeof *props,
    .prop_size = sizeof *props,
    .provides = provides,
    .needs = needs,
    .create = block_mem_create,
    .realize = block_mem_realize,
    .quiesce = block_mem_quiesce,
    .event = block_mem_event,
    .query = block_mem_query,
    .destroy = block_mem_destroy,
};

BP_PLUGIN("block-mem", "1.0", "BSD-3-Clause", "https://example.org/block-mem", &block_mem);
