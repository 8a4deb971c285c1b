/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peers.c - what a device may need around it: a PCI bus, ACPI, and a block, byte stream and network
 * back end. They keep the rules of their interfaces and notice when the device breaks them.
 */
#include "check.h"

#define N_IRQS    64u
#define N_REQS    256u
#define DISK      (1u << 20)
#define FRAME_MAX 1514u

struct peers {
    struct rig *r;
    /* the bus */
    unsigned n_functions, n_capabilities;
    bp_inst device;
    bp_irq irqs[N_IRQS];
    uint32_t n_irqs;
    int status;
    /* the back ends; each belongs to one device */
    const struct bp_host *host[3];
    bp_inst inst[3];
    struct bp_block_client block;
    struct bp_block_req *reqs[N_REQS];
    unsigned n_reqs;
    bp_event work;
    const struct bp_event_if *event;
    struct bp_char_client chr;
    bp_event chr_room;
    const struct bp_event_if *chr_event;
    int chr_ready, chr_open;
    struct bp_net_client net;
    uint32_t net_queues;
    int net_waits;
};

/* A table that grows has to grow here, too. */
#define COMPLETE(T, m) _Static_assert(sizeof(struct T) == BP_UPTO(struct T, m), #T " has grown")
COMPLETE(bp_pci_bus_if, where);
COMPLETE(bp_acpi_if, pm_config);
COMPLETE(bp_block_if, commit);
COMPLETE(bp_char_if, send_break);
COMPLETE(bp_net_if, take_fd);

static struct peers *current; /* of this process's one machine */
static uint8_t disk[DISK];

/* ---- bp.pci-bus/1 ---- */

static int
bus_add(void *bus, bp_inst dev, const struct bp_pci_function *f, uint32_t *ret_fn)
{
    struct peers *p = bus;

    if (f->slot != BP_PCI_SLOT_AUTO && f->slot > 31)
        return BP_E_RANGE;
    if (f->function > 7 || f->vendor > 0xffff || f->device > 0xffff || f->class_code > 0xffffff ||
        f->intx_pin > 4)
        bad(p->r->c, "pci add(): a number is larger than its register");
    if (!f->name || !*f->name)
        bad(p->r->c, "pci add(): the function has no name");
    p->device = dev;
    *ret_fn = p->n_functions++;
    return 0;
}

static int
bus_has(struct peers *p, uint32_t fn, const char *call)
{
    if (fn < p->n_functions)
        return 1;
    bad(p->r->c, "pci %s(): function %u was never added", call, fn);
    return 0;
}

static int
bus_bar_any(struct peers *p, uint32_t fn, uint32_t index, uint32_t last, uint32_t flags,
            uint64_t len)
{
    uint64_t least = flags & BP_PCI_BAR_IO ? 4 : 16;

    if (!bus_has(p, fn, "bar"))
        return BP_E_INVAL;
    if (index > last || len < least || (len & (len - 1)) ||
        (flags & BP_PCI_BAR_64 && (index > 4 || flags & BP_PCI_BAR_IO))) {
        bad(p->r->c, "pci bar(): BAR %u of %llu bytes, flags %u, cannot be", index,
            (unsigned long long)len, flags);
        return BP_E_INVAL;
    }
    return 0;
}

static int
bus_bar(void *bus, uint32_t fn, uint32_t index, uint32_t flags, bp_region region, uint64_t len)
{
    (void)region;
    return bus_bar_any(bus, fn, index, 5, flags, len);
}

static int
bus_bar_ram(void *bus, uint32_t fn, uint32_t index, uint32_t flags, bp_ram ram, uint64_t len)
{
    (void)ram;
    return bus_bar_any(bus, fn, index, 6, flags, len);
}

static int
bus_capability(void *bus, uint32_t fn, uint32_t id, const void *data, const void *write_mask,
               uint32_t len, uint32_t *ret_off)
{
    struct peers *p = bus;

    (void)write_mask;
    if (!bus_has(p, fn, "capability"))
        return BP_E_INVAL;
    if (id > 0xff || !data || len > 0x80) {
        bad(p->r->c, "pci capability(): id %u with %u bytes cannot be", id, len);
        return BP_E_INVAL;
    }
    *ret_off = 0x40 + 0x10 * p->n_capabilities++;
    return 0;
}

static int
bus_window(void *bus, uint32_t fn, uint32_t off, uint32_t len, bp_region region)
{
    (void)region;
    return !bus_has(bus, fn, "window") || !len || off > 4096 - len ? BP_E_INVAL : 0;
}

static int
bus_msix(void *bus, uint32_t fn, uint32_t index, const bp_irq *irqs, uint32_t n)
{
    struct peers *p = bus;

    if (!bus_has(p, fn, "msix"))
        return BP_E_INVAL;
    if (!n || n > 2048 || index > 5 || !irqs) {
        bad(p->r->c, "pci msix(): %u vectors in BAR %u cannot be", n, index);
        return BP_E_INVAL;
    }
    p->n_irqs = n < N_IRQS ? n : N_IRQS;
    memcpy(p->irqs, irqs, p->n_irqs * sizeof *irqs);
    return 0;
}

static int
bus_intx(void *bus, uint32_t fn, uint32_t on)
{
    (void)on;
    return bus_has(bus, fn, "intx") ? 0 : BP_E_INVAL;
}

static int
bus_status(void *bus, uint32_t fn)
{
    return bus_has(bus, fn, "status") ? ((struct peers *)bus)->status : BP_E_INVAL;
}

static int
bus_where(void *bus, uint32_t fn)
{
    return bus_has(bus, fn, "where") ? (int)(fn + 1) << 3 : BP_E_INVAL;
}

static const struct bp_pci_bus_if bus_if = {
    .size = sizeof bus_if,
    .add = bus_add,
    .bar = bus_bar,
    .bar_ram = bus_bar_ram,
    .capability = bus_capability,
    .window = bus_window,
    .msix = bus_msix,
    .intx = bus_intx,
    .status = bus_status,
    .where = bus_where,
};

/* ---- bp.acpi/1 ---- */

static int
acpi_device(void *acpi, const struct bp_acpi_device *d)
{
    struct peers *p = acpi;
    size_t len = d->name ? strlen(d->name) : 0;

    if (len != 2 && len != 4)
        bad(p->r->c, "acpi device(): a name has two or four characters");
    if (d->n_res && (!d->res || d->res_size < sizeof(uint32_t)))
        bad(p->r->c, "acpi device(): %u resources of %u bytes are no list", d->n_res, d->res_size);
    return 0;
}

static int
acpi_table(void *acpi, const void *bytes, uint64_t len)
{
    if (!bytes || len < 36)
        bad(((struct peers *)acpi)->r->c, "acpi table(): a table has a header of 36 bytes");
    return 0;
}

static int
acpi_fixed(void *acpi, uint32_t has, uint32_t century)
{
    (void)acpi, (void)has, (void)century;
    return 0;
}

static int
acpi_firmware(void *acpi, uint32_t piece, void *buf, uint64_t cap, uint64_t *ret_len)
{
    static const uint8_t bytes[128] = {0};

    if (piece < BP_ACPI_FW_TABLES || piece > BP_ACPI_FW_LOADER || piece % 1000)
        bad(((struct peers *)acpi)->r->c, "acpi firmware(): there is no piece %u", piece);
    if (cap)
        memcpy(buf, bytes, cap < sizeof bytes ? cap : sizeof bytes);
    *ret_len = sizeof bytes;
    return 0;
}

/* An ACPI whose registers do not move. */
static int
acpi_pm_config(void *acpi, bp_inst *ret_inst, bp_region *ret_region)
{
    (void)acpi, (void)ret_inst, (void)ret_region;
    return BP_E_NOTSUP;
}

static const struct bp_acpi_if acpi_if = {.size = sizeof acpi_if,
                                          .device = acpi_device,
                                          .table = acpi_table,
                                          .fixed = acpi_fixed,
                                          .firmware = acpi_firmware,
                                          .pm_config = acpi_pm_config};

/* ---- Back ends: classes of the checker's own ---- */

enum which {
    BLOCK,
    CHAR,
    NET,
};

static int
backend_create(enum which which, const struct bp_host *host, bp_inst inst, void **ret_self)
{
    current->host[which] = host;
    current->inst[which] = inst;
    *ret_self = current;
    return 0;
}

static int
copy_client(void *to, const void *from, uint32_t size)
{
    uint32_t theirs = 0;

    memset(to, 0, size);
    if (!from)
        return 0;
    memcpy(&theirs, from, sizeof theirs);
    memcpy(to, from, theirs < size ? theirs : size);
    return 0;
}

static int
block_info(void *be, struct bp_block_info *ret)
{
    const struct bp_block_info info = {
        .size = ret->size,
        .block_size = 512,
        .bytes = DISK,
        .features = BP_BLOCK_CAN_FLUSH | BP_BLOCK_CAN_DISCARD | BP_BLOCK_CAN_ZERO,
        .physical_size = 4096,
    };

    (void)be;
    memcpy(ret, &info, info.size < sizeof info ? info.size : sizeof info);
    return 0;
}

static int
block_attach(void *be, const struct bp_block_client *client)
{
    struct peers *p = be;

    if (client && p->block.size)
        return BP_E_BUSY;
    return copy_client(&p->block, client, sizeof p->block);
}

static void
block_move(const struct bp_block_req *q)
{
    uint64_t at = q->offset;

    for (uint32_t i = 0; i < q->n_iov; i++) {
        if (q->op == BP_BLOCK_READ)
            memcpy(q->iov[i].base, disk + at, q->iov[i].len);
        else
            memcpy(disk + at, q->iov[i].base, q->iov[i].len);
        at += q->iov[i].len;
    }
}

static int
block_submit(void *be, struct bp_block_req *q)
{
    struct peers *p = be;
    uint64_t sum = 0;

    if (q->op == BP_BLOCK_FLUSH) {
        sum = 0;
    } else if (q->offset > DISK || q->len > DISK - q->offset || (q->offset | q->len) % 512) {
        return BP_E_RANGE;
    } else if (q->op == BP_BLOCK_READ || q->op == BP_BLOCK_WRITE) {
        for (uint32_t i = 0; i < q->n_iov; i++)
            sum += q->iov[i].len;
        if (sum != q->len) {
            bad(p->r->c, "block submit(): %llu bytes in %llu bytes of memory",
                (unsigned long long)q->len, (unsigned long long)sum);
            return BP_E_INVAL;
        }
    }
    if (!q->done)
        bad(p->r->c, "block submit(): a request without done()");
    if (p->n_reqs == N_REQS)
        return BP_E_AGAIN;
    p->reqs[p->n_reqs++] = q;
    return 0;
}

static void
block_commit(void *be)
{
    struct peers *p = be;

    (void)!p->event->kick(p->inst[BLOCK], p->work);
}

static void
block_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct peers *p = self;

    (void)cookie, (void)mask;
    while (p->n_reqs) {
        unsigned i = (unsigned)(rig_random(p->r) % p->n_reqs); /* in any order */
        struct bp_block_req *q = p->reqs[i];

        p->reqs[i] = p->reqs[--p->n_reqs];
        if (q->op == BP_BLOCK_READ || q->op == BP_BLOCK_WRITE)
            block_move(q);
        q->done(q, rig_random(p->r) % 16 ? 0 : BP_E_IO);
    }
    if (p->block.completed)
        p->block.completed(p->block.user);
}

static int
block_quiesce(void *self)
{
    struct peers *p = self;

    if (p->n_reqs)
        block_event(p, 0, 0);
    return 0;
}

static const struct bp_block_if block_if = {.size = sizeof block_if,
                                            .info = block_info,
                                            .attach = block_attach,
                                            .submit = block_submit,
                                            .commit = block_commit};

static int
char_attach(void *be, const struct bp_char_client *client)
{
    struct peers *p = be;

    if (client && p->chr.size)
        return BP_E_BUSY;
    p->chr_ready = 0;
    return copy_client(&p->chr, client, sizeof p->chr);
}

static uint64_t
char_write(void *be, const void *buf, uint64_t n)
{
    struct peers *p = be;
    uint64_t took = rig_random(p->r) % 4 ? n : rig_random(p->r) % (n + 1);
    volatile uint8_t sum = 0;

    for (uint64_t i = 0; i < took; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)buf)[i]);
    if (took < n)
        (void)p->chr_event->kick(p->inst[CHAR], p->chr_room);
    return took;
}

/* There is room again. */
static void
char_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct peers *p = self;

    (void)cookie, (void)mask;
    if (p->chr.writable)
        p->chr.writable(p->chr.user);
}

static void
char_ready(void *be)
{
    ((struct peers *)be)->chr_ready = 1;
}

static int
char_connected(void *be)
{
    return ((struct peers *)be)->chr_open;
}

static const struct bp_char_if char_if = {.size = sizeof char_if,
                                          .attach = char_attach,
                                          .write = char_write,
                                          .ready = char_ready,
                                          .connected = char_connected};

static int
net_info(void *be, struct bp_net_info *ret)
{
    const struct bp_net_info info = {.size = ret->size,
                                     .max_queues = 4,
                                     .link_up = 1,
                                     .tx_offloads = BP_NET_CSUM,
                                     .rx_offloads = BP_NET_CSUM};

    (void)be;
    memcpy(ret, &info, info.size < sizeof info ? info.size : sizeof info);
    return 0;
}

static int
net_attach(void *be, const struct bp_net_client *client)
{
    struct peers *p = be;

    if (client && p->net.size)
        return BP_E_BUSY;
    p->net_queues = 1;
    p->net_waits = 0;
    return copy_client(&p->net, client, sizeof p->net);
}

static int
net_set_queues(void *be, uint32_t n)
{
    struct peers *p = be;

    if (!n || n > 4)
        return BP_E_RANGE;
    p->net_queues = n;
    return 0;
}

static int
net_set_offloads(void *be, uint32_t offloads)
{
    if (offloads & ~(uint32_t)BP_NET_CSUM)
        bad(((struct peers *)be)->r->c, "net set_offloads(0x%x): not in rx_offloads", offloads);
    return 0;
}

static int
net_send(void *be, uint32_t queue, const struct bp_iovec *iov, uint32_t n_iov, uint64_t len)
{
    struct peers *p = be;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n_iov; i++)
        sum += iov[i].len;
    if (sum != len || len < sizeof(struct bp_net_hdr) || queue >= p->net_queues)
        bad(p->r->c, "net send(): %llu bytes in %llu on queue %u of %u", (unsigned long long)len,
            (unsigned long long)sum, queue, p->net_queues);
    return rig_random(p->r) % 16 ? 0 : BP_E_AGAIN;
}

static void
net_commit(void *be, uint32_t queue)
{
    (void)be, (void)queue;
}

static void
net_ready(void *be, uint32_t queue)
{
    (void)queue;
    ((struct peers *)be)->net_waits = 0;
}

static const struct bp_net_if net_if = {.size = sizeof net_if,
                                        .info = net_info,
                                        .attach = net_attach,
                                        .set_queues = net_set_queues,
                                        .set_offloads = net_set_offloads,
                                        .send = net_send,
                                        .commit = net_commit,
                                        .ready = net_ready};

static int
block_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    return backend_create(BLOCK, host, inst, ret_self);
}

static int
char_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    return backend_create(CHAR, host, inst, ret_self);
}

static int
net_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    return backend_create(NET, host, inst, ret_self);
}

static const void *
backend_query(void *self, const char *iface, uint32_t min_size)
{
    (void)self, (void)min_size;
    return strcmp(iface, BP_IF_BLOCK) == 0  ? (const void *)&block_if
           : strcmp(iface, BP_IF_CHAR) == 0 ? (const void *)&char_if
           : strcmp(iface, BP_IF_NET) == 0  ? (const void *)&net_if
                                            : NULL;
}

static int
soft_event(struct peers *p, enum which which, const struct bp_event_if **ret_if, bp_event *ret)
{
    *ret_if = p->host[which]->query(p->inst[which], BP_IF_EVENT, BP_UPTO(struct bp_event_if, kick));
    return *ret_if ? (*ret_if)->soft(p->inst[which], "work", 0, ret) : BP_E_NOTSUP;
}

static int
block_realize(void *self)
{
    struct peers *p = self;

    return soft_event(p, BLOCK, &p->event, &p->work);
}

static int
char_realize(void *self)
{
    struct peers *p = self;

    return soft_event(p, CHAR, &p->chr_event, &p->chr_room);
}

static const char *const provides[3][2] = {{BP_IF_BLOCK}, {BP_IF_CHAR}, {BP_IF_NET}};
static const struct bp_class classes[3] = {
    {.size = sizeof *classes,
     .name = "check-block",
     .provides = provides[BLOCK],
     .create = block_create,
     .realize = block_realize,
     .quiesce = block_quiesce,
     .event = block_event,
     .query = backend_query},
    {.size = sizeof *classes,
     .name = "check-char",
     .provides = provides[CHAR],
     .create = char_create,
     .realize = char_realize,
     .event = char_event,
     .query = backend_query},
    {.size = sizeof *classes,
     .name = "check-net",
     .provides = provides[NET],
     .create = net_create,
     .query = backend_query},
};

/* ---- All of them ---- */

/* Whether the class needs it, and whether only optionally. */
static int
needs(const struct bp_class *cls, const char *iface, int *ret_optional)
{
    for (const char *const *n = cls->needs; n && *n; n++) {
        *ret_optional = **n == '?';
        if (strcmp(*n + *ret_optional, iface) == 0)
            return 1;
    }
    return 0;
}

static int
wanted(const struct rig *r, const char *iface)
{
    int optional;

    return needs(&r->c->cls, iface, &optional) && !(r->flags & RIG_NOTHING) &&
           !(optional && r->flags & RIG_BARE);
}

struct peers *
peers_new(struct rig *r)
{
    struct peers *p = calloc(1, sizeof *p);

    if (!p)
        abort();
    p->r = r;
    p->status = BP_PCI_MSIX_ON | BP_PCI_MASTER_ON;
    p->chr_open = 1;
    current = p;
    if (wanted(r, BP_IF_PCI_BUS) && bpt_provide(r->m, "bus", BP_IF_PCI_BUS, &bus_if, p))
        abort();
    if (wanted(r, BP_IF_ACPI) && bpt_provide(r->m, "acpi", BP_IF_ACPI, &acpi_if, p))
        abort();
    for (unsigned i = 0; i < 3; i++)
        if (bpt_add(r->m, &classes[i], classes[i].name, NULL) || bpt_realize(r->m, classes[i].name))
            abort();
    return p;
}

void
peers_free(struct peers *p)
{
    free(p);
    current = NULL;
}

const char *
peers_id(struct peers *p, const char *iface)
{
    static char id[32];

    for (unsigned i = 0; i < p->r->c->opt->n_with; i++) {
        snprintf(id, sizeof id, "with%u", i);
        if (bpt_query(p->r->m, id, iface, sizeof(uint32_t)))
            return id;
    }
    for (unsigned i = 0; i < 3; i++)
        if (iface && strcmp(iface, provides[i][0]) == 0)
            return classes[i].name;
    return NULL;
}

void
peers_program(struct peers *p)
{
    const struct bp_host *host = bpt_host(p->r->m, DUT);
    const struct bp_irq_if *irq =
        p->n_irqs ? host->query(p->device, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, msi_set)) : NULL;

    for (uint32_t i = 0; irq && i < p->n_irqs; i++)
        (void)!irq->msi_set(p->device, p->irqs[i], 0xfee00000, 0x4000 + i, 0);
}

static void
poke_char(struct peers *p)
{
    uint8_t bytes[64];
    uint64_t n = 1 + rig_random(p->r) % sizeof bytes, took;

    if (p->chr.event && rig_random(p->r) % 4 == 0) {
        p->chr_open = !p->chr_open;
        p->chr.event(p->chr.user, p->chr_open ? BP_CHAR_OPENED : BP_CHAR_CLOSED);
    }
    if (p->chr.event && rig_random(p->r) % 16 == 0)
        p->chr.event(p->chr.user, BP_CHAR_BREAK);
    if (!p->chr_ready || !p->chr.receive)
        return;
    for (uint64_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)rig_random(p->r);
    p->chr_ready = 0;
    took = p->chr.receive(p->chr.user, bytes, n);
    if (took > n)
        bad(p->r->c, "char receive() took %llu of %llu bytes", (unsigned long long)took,
            (unsigned long long)n);
    p->chr_ready |= took == n;
}

static void
poke_net(struct peers *p)
{
    struct {
        struct bp_net_hdr hdr;
        uint8_t frame[FRAME_MAX];
    } packet = {.hdr = {.num_buffers = 1}};
    uint32_t queue = (uint32_t)(rig_random(p->r) % p->net_queues);
    uint64_t len = 14 + rig_random(p->r) % (FRAME_MAX - 13);
    struct bp_iovec iov[2] = {{&packet.hdr, sizeof packet.hdr}, {packet.frame, len}};
    int err;

    for (uint64_t i = 0; i < len; i++)
        packet.frame[i] = (uint8_t)rig_random(p->r);
    if (p->net.receive && !p->net_waits) {
        err = p->net.receive(p->net.user, queue, iov, 2, sizeof packet.hdr + len);
        if (err && err != BP_E_AGAIN)
            bad(p->r->c, "net receive() returned %d; 0 and BP_E_AGAIN can be", err);
        p->net_waits = err == BP_E_AGAIN;
        if (p->net.received)
            p->net.received(p->net.user, queue);
    }
    if (p->net.sendable)
        p->net.sendable(p->net.user, queue);
    if (p->net.changed && rig_random(p->r) % 8 == 0)
        p->net.changed(p->net.user);
}

void
peers_poke(struct peers *p)
{
    p->status =
        (int)(rig_random(p->r) % 8 ? BP_PCI_MSIX_ON | BP_PCI_MASTER_ON : rig_random(p->r) % 4);
    if (p->chr.size)
        poke_char(p);
    if (p->net.size)
        poke_net(p);
    if (p->block.size && p->block.changed && rig_random(p->r) % 8 == 0)
        p->block.changed(p->block.user);
}
