/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * block-overlay.cc - a block filter in C++17: reads come from the disk below, writes stay in memory
 * and are gone with the machine. What was written is read from there.
 *
 * Only the C ABI of the SDK is crossed: no exception leaves a callback, no C++ type is seen by the
 * core, and nothing is made before main() (the tables are constexpr). How much a guest can write is
 * limited, since it is our memory.
 */
#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <new>

#include <backplane/backplane.h>

namespace
{

struct Overlay {
    const bp_host *host;
    bp_inst inst;
    const bp_event_if *event = nullptr;
    bp_event work = {};
    /* The disk below, and what we are to it. */
    const bp_block_if *below = nullptr;
    void *below_self = nullptr;
    bp_block_client client_below = {};
    bp_block_info info = {};
    /* The device above. */
    const bp_block_client *client = nullptr;
    /* Written blocks by number. */
    std::map<uint64_t, std::unique_ptr<uint8_t[]>> blocks;
    uint64_t limit = 0;
    /* Requests that are done and wait for event(), linked by bp_block_req.backend[0]. */
    bp_block_req *done = nullptr;
    unsigned reading = 0; /* requests that are below */

    Overlay(const bp_host *h, bp_inst i) : host(h), inst(i)
    {
    }
};

/* A read that went on to the disk below, and the request that it is for. */
struct Read {
    bp_block_req req;
    bp_block_req *above;
    Overlay *overlay;
};

Overlay &
overlay(void *self)
{
    return *static_cast<Overlay *>(self);
}

/* done() must not be called from within submit(): it is, from event(). */
void
finish_later(Overlay &o, bp_block_req *req, int result)
{
    req->backend[0] = reinterpret_cast<uintptr_t>(o.done);
    req->backend[1] = static_cast<uint64_t>(static_cast<int64_t>(result));
    o.done = req;
    (void)!o.event->kick(o.inst, o.work);
}

/* Calls f(block number, bytes of it in the request's buffers) for each part of a request; a part
 * lies in one buffer and in one block. */
template <typename F>
void
for_parts(const Overlay &o, const bp_block_req &req, F f)
{
    uint64_t at = req.offset;

    for (uint32_t i = 0; i < req.n_iov; i++) {
        uint8_t *p = static_cast<uint8_t *>(req.iov[i].base);
        uint64_t left = req.iov[i].len;

        while (left) {
            const uint64_t in_block = at % o.info.block_size;
            const uint64_t n = std::min<uint64_t>(left, o.info.block_size - in_block);

            f(at / o.info.block_size, in_block, p, n);
            at += n;
            p += n;
            left -= n;
        }
    }
}

/* What was written replaces what was read from below. */
void
patch(Overlay &o, const bp_block_req &req)
{
    for_parts(o, req, [&](uint64_t block, uint64_t off, uint8_t *p, uint64_t n) {
        const auto it = o.blocks.find(block);

        if (it != o.blocks.end())
            std::memcpy(p, it->second.get() + off, n);
    });
}

/* Makes all blocks of a range ours, zeroed when they are new: all of them or, with bad_alloc or
 * BP_E_NOSPC at the limit, none, since a block that is ours hides the one below. */
int
own(Overlay &o, uint64_t offset, uint64_t len)
{
    const uint64_t size = o.info.block_size;
    std::map<uint64_t, std::unique_ptr<uint8_t[]>> fresh;

    for (uint64_t b = offset / size; b < (offset + len) / size; b++) {
        if (o.blocks.count(b))
            continue;
        if ((o.blocks.size() + fresh.size() + 1) * size > o.limit)
            return BP_E_NOSPC;
        fresh.emplace(b, std::make_unique<uint8_t[]>(size));
    }
    o.blocks.merge(fresh);
    return 0;
}

int
write_blocks(Overlay &o, bp_block_req *req)
{
    const int err = own(o, req->offset, req->len);

    if (err)
        return err;
    if (req->op == BP_BLOCK_WRITE)
        for_parts(o, *req, [&](uint64_t block, uint64_t off, uint8_t *p, uint64_t n) {
            std::memcpy(o.blocks[block].get() + off, p, n);
        });
    else
        for (uint64_t at = req->offset; at < req->offset + req->len; at += o.info.block_size)
            std::memset(o.blocks[at / o.info.block_size].get(), 0, o.info.block_size);
    return 0;
}

void
read_done(bp_block_req *req, int result)
{
    const std::unique_ptr<Read> read(static_cast<Read *>(req->user));
    Overlay &o = *read->overlay;

    o.reading--;
    if (result == 0)
        patch(o, *read->above);
    read->above->done(read->above, result);
}

int
read_below(Overlay &o, bp_block_req *req)
{
    std::unique_ptr<Read> read(new Read{*req, req, &o});

    read->req.size = sizeof read->req;
    read->req.done = read_done;
    read->req.user = read.get();
    const int err = o.below->submit(o.below_self, &read->req);
    if (err)
        return err;
    o.reading++;
    read.release(); /* read_done() has it now */
    return 0;
}

int
overlay_submit(void *self, bp_block_req *req)
{
    Overlay &o = overlay(self);
    int err = 0;

    if (req->op != BP_BLOCK_FLUSH &&
        (req->offset > o.info.bytes || req->len > o.info.bytes - req->offset ||
         (req->offset | req->len) % o.info.block_size))
        return BP_E_RANGE;
    try {
        switch (req->op) {
        case BP_BLOCK_READ:
            return read_below(o, req);
        case BP_BLOCK_WRITE:
        case BP_BLOCK_ZERO:
            err = write_blocks(o, req);
            break;
        case BP_BLOCK_FLUSH:   /* nothing here outlives the machine */
        case BP_BLOCK_DISCARD: /* a hint */
            break;
        default:
            return BP_E_NOTSUP;
        }
    } catch (const std::bad_alloc &) {
        return BP_E_NOMEM;
    }
    finish_later(o, req, err);
    return 0;
}

void
overlay_commit(void *self)
{
    Overlay &o = overlay(self);

    o.below->commit(o.below_self);
}

int
overlay_info(void *self, bp_block_info *ret)
{
    const Overlay &o = overlay(self);
    bp_block_info info = o.info;

    info.size = ret->size;
    info.features = BP_BLOCK_CAN_DISCARD | BP_BLOCK_CAN_ZERO;
    std::memcpy(ret, &info, std::min<size_t>(ret->size, sizeof info));
    return 0;
}

int
overlay_attach(void *self, const bp_block_client *client)
{
    Overlay &o = overlay(self);

    if (client && o.client)
        return BP_E_BUSY;
    o.client = client;
    return 0;
}

/* A batch of reads is over below. */
void
below_completed(void *user)
{
    const bp_block_client *client = overlay(user).client;

    if (BP_HAS(bp_block_client, client, completed))
        client->completed(client->user);
}

void
below_changed(void *user)
{
    Overlay &o = overlay(user);
    bp_block_info info = {};

    info.size = sizeof info;
    if (o.below->info(o.below_self, &info) == 0 && info.block_size == o.info.block_size)
        o.info = info;
    if (BP_HAS(bp_block_client, o.client, changed))
        o.client->changed(o.client->user);
}

int
overlay_create(const bp_host *host, bp_inst inst, void **ret_self)
{
    Overlay *o = new (std::nothrow) Overlay(host, inst);

    if (!o)
        return BP_E_NOMEM;
    *ret_self = o;
    return 0;
}

int
overlay_realize(void *self)
{
    Overlay &o = overlay(self);
    bp_value limit = {};
    bp_link link = {};
    int err;

    limit.size = sizeof limit;
    link.size = sizeof link;
    o.info.size = sizeof o.info;
    o.event = static_cast<const bp_event_if *>(
        o.host->query(o.inst, BP_IF_EVENT, BP_UPTO(bp_event_if, kick)));
    if (!o.event)
        return o.host->fail(o.inst, BP_E_NOTSUP, "needs " BP_IF_EVENT);
    if ((err = o.host->prop(o.inst, "limit", &limit)) ||
        (err = o.event->soft(o.inst, "work", 0, &o.work)) ||
        (err = o.host->link(o.inst, "drive", BP_IF_BLOCK, BP_UPTO(bp_block_if, commit), &link)))
        return err;
    o.limit = static_cast<uint64_t>(limit.i);
    o.below = static_cast<const bp_block_if *>(link.iface);
    o.below_self = link.self;
    o.client_below.size = sizeof o.client_below;
    o.client_below.user = self;
    o.client_below.changed = below_changed;
    o.client_below.completed = below_completed;
    if ((err = o.below->info(o.below_self, &o.info)) ||
        (err = o.below->attach(o.below_self, &o.client_below)))
        o.below = nullptr;
    return err;
}

void
overlay_event(void *self, uint32_t, uint32_t)
{
    Overlay &o = overlay(self);
    bp_block_req *req = o.done;

    o.done = nullptr;
    while (req) {
        bp_block_req *next =
            reinterpret_cast<bp_block_req *>(static_cast<uintptr_t>(req->backend[0]));

        req->done(req, static_cast<int>(static_cast<int64_t>(req->backend[1])));
        req = next;
    }
    below_completed(self);
}

int
overlay_quiesce(void *self)
{
    Overlay &o = overlay(self);

    if (o.done)
        overlay_event(self, 0, 0);
    return o.reading ? BP_E_AGAIN : 0;
}

/* A reset loses what was written: that is what the disk is for. */
void
overlay_reset(void *self, uint32_t)
{
    overlay(self).blocks.clear();
}

constexpr bp_block_if overlay_block = {
    sizeof(bp_block_if), 0, overlay_info, overlay_attach, overlay_submit, overlay_commit};

const void *
overlay_query(void *, const char *iface, uint32_t min_size)
{
    return std::strcmp(iface, BP_IF_BLOCK) == 0 && min_size <= sizeof overlay_block ? &overlay_block
                                                                                    : nullptr;
}

void
overlay_destroy(void *self)
{
    Overlay *o = static_cast<Overlay *>(self);

    if (o->below)
        (void)!o->below->attach(o->below_self, nullptr);
    delete o;
}

/* size, type, flags, since, name, help, default, min, max, choices, interface */
constexpr bp_prop overlay_props[] = {
    {sizeof(bp_prop), BP_LINK, BP_P_REQUIRED | BP_P_PRIMARY, 0, "drive", "the disk below", nullptr,
     0, 0, nullptr, BP_IF_BLOCK},
    {sizeof(bp_prop), BP_SIZE, 0, 0, "limit", "how much the guest can write", "1G", 4096, INT64_MAX,
     nullptr, nullptr},
};
constexpr const char *overlay_provides[] = {BP_IF_BLOCK, nullptr};
constexpr const char *overlay_needs[] = {BP_IF_EVENT, nullptr};

constexpr bp_class
make_class()
{
    bp_class c = {};

    c.size = sizeof c;
    c.name = "block-overlay";
    c.version = "1.0";
    c.summary = "disk whose writes stay in memory";
    c.props = overlay_props;
    c.n_props = sizeof overlay_props / sizeof *overlay_props;
    c.prop_size = sizeof *overlay_props;
    c.provides = overlay_provides;
    c.needs = overlay_needs;
    c.create = overlay_create;
    c.realize = overlay_realize;
    c.quiesce = overlay_quiesce;
    c.reset = overlay_reset;
    c.event = overlay_event;
    c.query = overlay_query;
    c.destroy = overlay_destroy;
    return c;
}

constexpr bp_class overlay_class = make_class();

} // namespace

BP_PLUGIN("block-overlay", "1.0", "BSD-3-Clause", "https://example.org/block-overlay",
          &overlay_class);
