/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.c - the device's side of bp.block/1, bp.char/1 and bp.net/1, for classes that provide one
 * of them: a client that does at random what a device may do, and watches what comes back.
 *
 * Frames carry an EtherType for local experiments (IEEE 802, 0x88b5), which no network forwards as
 * anything else.
 */
#include "check.h"

#define REQS      32u
#define REQ_BYTES 8192u
#define FRAME_MAX 600u

struct request {
    struct bp_block_req q;
    struct clients *owner;
    struct bp_iovec iov[2];
    int busy;
    uint8_t bytes[REQ_BYTES];
};

struct clients {
    struct rig *r;
    int attached;
    const struct bp_block_if *block;
    struct bp_block_info info;
    struct request reqs[REQS];
    unsigned busy, within; /* within: inside of submit(), write() or send() */
    const struct bp_char_if *chr;
    const struct bp_net_if *net;
    struct bp_net_info net_info;
    /* Back ends keep the pointers that attach() gets. */
    struct bp_block_client block_client;
    struct bp_char_client chr_client;
    struct bp_net_client net_client;
};

static void *
be(struct clients *k)
{
    return bpt_self(k->r->m, DUT);
}

static int
provides(const struct bp_class *cls, const char *iface)
{
    for (const char *const *p = cls->provides; p && *p; p++)
        if (strcmp(*p, iface) == 0)
            return 1;
    return 0;
}

/* ---- Block ---- */

static void
block_done(struct bp_block_req *q, int result)
{
    struct request *req = q->user;
    struct clients *k = req->owner;

    if (!req->busy)
        bad(k->r->c, "done() was called twice for a request, or for none");
    if (k->within)
        bad(k->r->c, "done() was called from within submit()");
    if (!plausible(result))
        bad(k->r->c, "done() got the result %d", result);
    if (req->busy)
        k->busy--;
    req->busy = 0;
}

static void
block_nothing(void *user)
{
    (void)user;
}

static void
block_attach(struct clients *k)
{
    struct bp_block_client *client = &k->block_client;
    int err;

    *client = (struct bp_block_client){
        .size = sizeof *client, .user = k, .changed = block_nothing, .completed = block_nothing};

    k->info.size = sizeof k->info;
    err = k->block->info(be(k), &k->info);
    if (err || k->info.block_size < 512 || k->info.block_size > 65536 ||
        k->info.block_size & (k->info.block_size - 1) || k->info.bytes % k->info.block_size) {
        bad(k->r->c, "info() says %d: %llu bytes in blocks of %u", err,
            (unsigned long long)k->info.bytes, k->info.block_size);
        k->block = NULL;
        return;
    }
    err = k->block->attach(be(k), client);
    if (err)
        bad(k->r->c, "attach() returned %d", err);
    if (!err && k->block->attach(be(k), client) == 0)
        bad(k->r->c, "attach() takes a second device");
}

static int
block_submit(struct clients *k, struct request *req)
{
    int err;

    req->busy = 1;
    k->busy++;
    k->within++;
    err = k->block->submit(be(k), &req->q);
    k->within--;
    if (err && req->busy) {
        req->busy = 0;
        k->busy--;
    }
    return err;
}

static void
block_prepare(struct clients *k, struct request *req, uint32_t op, uint64_t offset, uint64_t len)
{
    uint64_t half = len / 2 - len / 2 % 512;

    req->owner = k;
    req->iov[0] = (struct bp_iovec){req->bytes, len - half};
    req->iov[1] = (struct bp_iovec){req->bytes + (len - half), half};
    req->q = (struct bp_block_req){.size = sizeof req->q,
                                   .op = op,
                                   .n_iov = op < BP_BLOCK_FLUSH ? half ? 2 : 1 : 0,
                                   .offset = offset,
                                   .len = len,
                                   .iov = req->iov,
                                   .done = block_done,
                                   .user = req};
}

static struct request *
free_request(struct clients *k)
{
    for (unsigned i = 0; i < REQS; i++)
        if (!k->reqs[i].busy)
            return &k->reqs[i];
    return NULL;
}

static void
block_drive(struct clients *k)
{
    static const uint32_t ops[] = {BP_BLOCK_READ,  BP_BLOCK_READ,    BP_BLOCK_WRITE, BP_BLOCK_WRITE,
                                   BP_BLOCK_FLUSH, BP_BLOCK_DISCARD, BP_BLOCK_ZERO};
    struct request *req = free_request(k);
    uint32_t op = ops[rig_random(k->r) % 7], bs = k->info.block_size;
    uint64_t blocks = k->info.bytes / bs,
             n = 1 + rig_random(k->r) % (REQ_BYTES / bs ? REQ_BYTES / bs : 1);
    uint64_t at;
    int err;

    if (!req || bs > REQ_BYTES || !blocks)
        return;
    if (n > blocks)
        n = blocks;
    at = rig_random(k->r) % (blocks - n + 1);
    block_prepare(k, req, op, op == BP_BLOCK_FLUSH ? 0 : at * bs,
                  op == BP_BLOCK_FLUSH ? 0 : n * bs);
    err = block_submit(k, req);
    if (!plausible(err))
        bad(k->r->c, "submit() returned %d", err);
    if (rig_random(k->r) % 2)
        k->block->commit(be(k));
}

/* ---- Byte stream ---- */

static uint64_t
char_receive(void *user, const void *buf, uint64_t n)
{
    struct clients *k = user;

    (void)buf;
    if (k->within)
        bad(k->r->c, "receive() was called from within write() or ready()");
    return rig_random(k->r) % (n + 1);
}

static void
char_event(void *user, uint32_t what)
{
    if (what != BP_CHAR_OPENED && what != BP_CHAR_CLOSED && what != BP_CHAR_BREAK)
        bad(((struct clients *)user)->r->c, "the event %u is unknown", what);
}

static void
char_attach(struct clients *k)
{
    struct bp_char_client *client = &k->chr_client;
    int err;

    *client = (struct bp_char_client){.size = sizeof *client,
                                      .user = k,
                                      .receive = char_receive,
                                      .writable = block_nothing,
                                      .event = char_event};
    err = k->chr->attach(be(k), client);

    if (err)
        bad(k->r->c, "attach() returned %d", err);
    if (!err && k->chr->attach(be(k), client) == 0)
        bad(k->r->c, "attach() takes a second device");
}

static void
char_drive(struct clients *k)
{
    static const char text[] = "backplane-check ";
    uint64_t n = rig_random(k->r) % sizeof text, took;

    k->within++;
    if (rig_random(k->r) % 3) {
        took = k->chr->write(be(k), text, n);
        if (took > n)
            bad(k->r->c, "write() took %llu of %llu bytes", (unsigned long long)took,
                (unsigned long long)n);
    } else {
        k->chr->ready(be(k));
    }
    if (k->chr->connected)
        (void)k->chr->connected(be(k));
    k->within--;
}

/* ---- Network ---- */

static int
net_receive(void *user, uint32_t queue, const struct bp_iovec *iov, uint32_t n_iov, uint64_t len)
{
    struct clients *k = user;
    uint64_t sum = 0;

    (void)queue;
    for (uint32_t i = 0; i < n_iov; i++)
        sum += iov[i].len;
    if (k->within)
        bad(k->r->c, "receive() was called from within send()");
    if (sum != len || len < sizeof(struct bp_net_hdr) + 14)
        bad(k->r->c, "receive() got %llu bytes in %llu bytes of memory", (unsigned long long)len,
            (unsigned long long)sum);
    return rig_random(k->r) % 4 ? 0 : BP_E_AGAIN;
}

static void
net_queue(void *user, uint32_t queue)
{
    (void)user, (void)queue;
}

static void
net_attach(struct clients *k)
{
    struct bp_net_client *client = &k->net_client;
    int err;

    *client = (struct bp_net_client){.size = sizeof *client,
                                     .user = k,
                                     .receive = net_receive,
                                     .received = net_queue,
                                     .sendable = net_queue,
                                     .changed = block_nothing};

    k->net_info.size = sizeof k->net_info;
    err = k->net->info(be(k), &k->net_info);
    if (err || !k->net_info.max_queues)
        bad(k->r->c, "info() says %d: %u queues", err, k->net_info.max_queues);
    err = k->net->attach(be(k), client);
    if (err)
        bad(k->r->c, "attach() returned %d", err);
    if (!err && k->net->attach(be(k), client) == 0)
        bad(k->r->c, "attach() takes a second device");
    if (k->net->set_queues)
        (void)!k->net->set_queues(be(k), 1);
}

static void
net_drive(struct clients *k)
{
    struct {
        struct bp_net_hdr hdr;
        uint8_t frame[FRAME_MAX];
    } packet = {.hdr = {.num_buffers = 0}};
    uint64_t len = 60 + rig_random(k->r) % (FRAME_MAX - 60);
    struct bp_iovec iov[2] = {{&packet.hdr, sizeof packet.hdr}, {packet.frame, len}};
    int err;

    memset(packet.frame, 0x02, 12);
    packet.frame[12] = 0x88;
    packet.frame[13] = 0xb5;
    k->within++;
    err = k->net->send(be(k), 0, iov, 2, sizeof packet.hdr + len);
    k->within--;
    if (err && err != BP_E_AGAIN)
        bad(k->r->c, "send() returned %d; 0 and BP_E_AGAIN can be", err);
    if (k->net->commit)
        k->net->commit(be(k), 0);
    if (k->net->ready && rig_random(k->r) % 2)
        k->net->ready(be(k), 0);
}

/* ---- All of them ---- */

static void
attach(struct rig *r)
{
    const struct bp_class *cls = &r->c->cls;
    struct clients *k = calloc(1, sizeof *k);

    if (!k)
        abort();
    k->r = r;
    k->attached = 1;
    r->clients = k;
    if (provides(cls, BP_IF_BLOCK) &&
        (k->block = bpt_query(r->m, DUT, BP_IF_BLOCK, BP_UPTO(struct bp_block_if, commit))))
        block_attach(k);
    if (provides(cls, BP_IF_CHAR) &&
        (k->chr = bpt_query(r->m, DUT, BP_IF_CHAR, BP_UPTO(struct bp_char_if, connected))))
        char_attach(k);
    if (provides(cls, BP_IF_NET) &&
        (k->net = bpt_query(r->m, DUT, BP_IF_NET, BP_UPTO(struct bp_net_if, ready))))
        net_attach(k);
}

void
clients_drive(struct rig *r)
{
    if (!r->clients)
        attach(r);
    if (r->clients->block)
        block_drive(r->clients);
    if (r->clients->chr)
        char_drive(r->clients);
    if (r->clients->net)
        net_drive(r->clients);
}

void
clients_commit(struct rig *r)
{
    if (r->clients && r->clients->block)
        r->clients->block->commit(be(r->clients));
}

unsigned
clients_busy(struct rig *r)
{
    return r->clients ? r->clients->busy : 0;
}

void
clients_detach(struct rig *r)
{
    struct clients *k = r->clients;

    if (!k)
        return;
    if (k->busy)
        bad(r->c, "%u requests are not done and it says that it is quiesced", k->busy);
    if (k->block)
        (void)!k->block->attach(be(k), NULL);
    if (k->chr)
        (void)!k->chr->attach(be(k), NULL);
    if (k->net)
        (void)!k->net->attach(be(k), NULL);
    if (!k->busy)
        free(k);
    r->clients = NULL;
}

/* ---- Tests ---- */

void
test_provides(struct check *c)
{
    struct rig r;

    rig_need_up(c, 0);
    if (!c->cls.provides || !c->cls.provides[0])
        skip(c, "it provides no interface");
    rig_open(&r, c, 0);
    rig_up(&r);
    for (const char *const *p = c->cls.provides; *p && !is_bad(c); p++) {
        const uint32_t *table;
        uint32_t size;

        step(c, "in query(%s)", *p);
        table = c->cls.query(bpt_self(r.m, DUT), *p, sizeof(uint32_t));
        if (!table || *table < 2 * sizeof(uint32_t) || *table > 4096) {
            bad(c, "query(%s) gives no table, or one without its size", *p);
            break;
        }
        size = *table;
        if (c->cls.query(bpt_self(r.m, DUT), *p, size) != table)
            bad(c, "query(%s) does not give a table of the size that it has", *p);
        table = c->cls.query(bpt_self(r.m, DUT), *p, size + 64);
        if (table && *table < size + 64)
            bad(c, "query(%s) is asked for %u bytes at least, and gives %u", *p, size + 64, *table);
    }
    step(c, "in query() of an interface that it does not provide");
    if (c->cls.query(bpt_self(r.m, DUT), "no.such-thing/1", sizeof(uint32_t)))
        bad(c, "query() gives a table for what it does not provide");
    rig_down(&r);
}

static void
use(struct check *c, const char *iface)
{
    struct rig r;

    rig_need_up(c, 0);
    if (!provides(&c->cls, iface))
        skip(c, "it does not provide %s", iface);
    rig_open(&r, c, 0);
    rig_up(&r);
    for (unsigned i = 0; i < 300 && !is_bad(c); i++) {
        clients_drive(&r);
        if (i % 8 == 7)
            bpt_poll(r.m, 1);
    }
    rig_down(&r);
}

static void
expect_range(struct check *c, struct clients *k, uint64_t offset, uint64_t len)
{
    struct request *req = free_request(k);
    int err;

    block_prepare(k, req, BP_BLOCK_READ, offset, len);
    err = block_submit(k, req);
    if (err != BP_E_RANGE)
        bad(c, "submit() of %llu bytes at 0x%llx returned %d; BP_E_RANGE is what it should",
            (unsigned long long)len, (unsigned long long)offset, err);
}

void
test_block(struct check *c)
{
    struct rig r;

    use(c, BP_IF_BLOCK);
    rig_open(&r, c, 0);
    rig_up(&r);
    attach(&r);
    if (r.clients->block && !is_bad(c)) {
        uint32_t bs = r.clients->info.block_size;

        expect_range(c, r.clients, r.clients->info.bytes, bs);
        expect_range(c, r.clients, 0 - (uint64_t)bs, bs);
        expect_range(c, r.clients, 1, bs);
    }
    rig_down(&r);
}

void
test_char(struct check *c)
{
    use(c, BP_IF_CHAR);
}

void
test_net(struct check *c)
{
    use(c, BP_IF_NET);
}
