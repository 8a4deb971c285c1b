/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.c - virtio-net in front of net-tap: bursts of packets to and from an interface in a network
 * namespace of its own, which no packet leaves. The host's side of the wire is a packet socket.
 */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/perf/workload.h"

enum { RX, TX, FRAME = 1514, HDR = 12, ROOM = 1536 };

struct wire {
    struct bpt_machine *m;
    struct bpt_virtio *dev;
    struct bpt_vq *vq;
    uint64_t buffers;
    int socket;
};

static const uint8_t head[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};

/* Neither 0: there can be no interface here. */
static int
enter_namespace(void)
{
    static const char *const ipv6 = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
    int fd;

    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return -1;
    /* An interface that comes up would send its own packets. */
    fd = open(ipv6, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        must(write(fd, "1", 1) == 1);
        close(fd);
    }
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static void
wire_open(struct wire *w, unsigned index)
{
    struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = 0};
    struct ifreq req = {.ifr_name = "perf0"};

    w->m = bpt_new(16 << 20, 0);
    must(w->m && bpt_load(w->m, "pci", "pci", NULL) == 0);
    bpt_dirty_log(w->m, 0);
    must(bpt_load(w->m, "net-tap", "wire", "ifname=perf0,vhost=off") == 0 &&
         bpt_load(w->m, "virtio-net", "card", "netdev=wire") == 0);
    must(bpt_realize_all(w->m) == 0 && bpt_start(w->m) == 0);
    w->socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    addr.sll_ifindex = (int)if_nametoindex("perf0");
    must(w->socket >= 0 && bind(w->socket, (struct sockaddr *)&addr, sizeof addr) == 0);
    req.ifr_flags = IFF_UP;
    must(ioctl(w->socket, SIOCSIFFLAGS, &req) == 0);
    w->dev = bpt_virtio_find(w->m, 1, 0);
    must(w->dev && bpt_virtio_setup(w->dev, UINT64_MAX, 3) == 0);
    w->vq = bpt_virtio_queue(w->dev, index);
    w->buffers = bpt_alloc(w->m, BATCH * ROOM, 64);
    for (unsigned i = 0; i < BATCH; i++)
        memcpy(bpt_ram(w->m, w->buffers + i * ROOM + HDR, sizeof head), head, sizeof head);
}

static void
tx_burst(struct wire *w, struct tally *t)
{
    for (unsigned i = 0; i < BATCH; i++) {
        uint64_t at = w->buffers + i * ROOM;
        const struct bpt_sg sg[] = {{at, HDR + 66, 0}, {at + HDR + 66, FRAME - 66, 0}};

        must(bpt_vq_add(w->vq, sg, 2, 1) >= 0);
    }
    t->kicks += (unsigned)bpt_vq_kick(w->vq);
    t->events += bpt_pump(w->m);
    for (unsigned i = 0; i < BATCH; i++)
        must(bpt_vq_get(w->vq, NULL) >= 0);
}

static int
all_came(void *user)
{
    struct wire *w = user;

    return (uint16_t)(bpt_vq_used(w->vq)[1] - w->vq->last_used) == BATCH;
}

static void
rx_burst(struct wire *w, struct tally *t)
{
    static uint8_t frame[FRAME];
    uint32_t len;

    bpt_vq_want_irq(w->vq, 1);
    for (unsigned i = 0; i < BATCH; i++) {
        const struct bpt_sg sg = {w->buffers + i * ROOM, ROOM, 1};

        must(bpt_vq_add(w->vq, &sg, 1, 0) >= 0);
    }
    t->kicks += (unsigned)bpt_vq_kick(w->vq);
    t->events += bpt_pump(w->m);
    memcpy(frame, head, sizeof head);
    for (unsigned i = 0; i < BATCH; i++)
        must(send(w->socket, frame, sizeof frame, 0) == (ssize_t)sizeof frame);
    while (!all_came(w))
        t->events += bpt_poll(w->m, 100);
    for (unsigned i = 0; i < BATCH; i++)
        must(bpt_vq_get(w->vq, &len) >= 0 && len == HDR + FRAME);
}

static int
wire_run(const char *name, struct tally *t, unsigned index)
{
    struct wire w;
    struct tally warm = {0};
    uint64_t messages;

    if (enter_namespace() < 0)
        return -1;
    wire_open(&w, index);
    for (unsigned i = 0; i < 4; i++)
        (index == TX ? tx_burst : rx_burst)(&w, &warm);
    messages = bpt_virtio_messages(w.dev, index);
    perf_mark("between");
    for (unsigned i = 0; i < perf_batches; i++)
        (index == TX ? tx_burst : rx_burst)(&w, t);
    perf_mark(name);
    t->units = perf_batches * BATCH;
    t->batches = perf_batches;
    t->interrupts = (unsigned)(bpt_virtio_messages(w.dev, index) - messages);
    close(w.socket);
    must(bpt_free(w.m) == 0);
    return 0;
}

int
tap_tx(const char *name, struct tally *t)
{
    return wire_run(name, t, TX);
}

int
tap_rx(const char *name, struct tally *t)
{
    return wire_run(name, t, RX);
}
