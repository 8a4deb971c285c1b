/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-net-tap.c - the tap back end in a network namespace of its own: no interface of this host is
 * seen, and no packet leaves it. The host's side of a wire is a packet socket.
 */
#include <backplane/test.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/net-client.h"

#define ETHERTYPE 0x88b5 /* for local experiments: nobody else on the wire uses it */

static struct client dev, other;

/* ---- The host's side ---- */

static void
interface_up(const char *name, int up)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq req;

    memset(&req, 0, sizeof req);
    snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
    ioctl(s, SIOCGIFFLAGS, &req);
    req.ifr_flags = (short)(up ? req.ifr_flags | IFF_UP : req.ifr_flags & ~IFF_UP);
    if (ioctl(s, SIOCSIFFLAGS, &req) < 0)
        printf("# %s cannot be set up: %s\n", name, strerror(errno));
    close(s);
}

static int
interface_delete(const char *name)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg info;
    } msg = {
        .head = {.nlmsg_len = sizeof msg, .nlmsg_type = RTM_DELLINK, .nlmsg_flags = NLM_F_REQUEST},
        .info = {.ifi_index = (int)if_nametoindex(name)}};
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    ssize_t n = send(s, &msg, sizeof msg, 0);

    close(s);
    return n == (ssize_t)sizeof msg && if_nametoindex(name) == 0 ? 0 : -1;
}

/* A socket that sees the interface's packets; header: each with a struct virtio_net_hdr. */
static int
host_open(const char *name, int header)
{
    struct sockaddr_ll addr = {.sll_family = AF_PACKET,
                               .sll_protocol = __builtin_bswap16(header ? 0x0800 : ETHERTYPE),
                               .sll_ifindex = (int)if_nametoindex(name)};
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (header)
        setsockopt(s, SOL_PACKET, PACKET_VNET_HDR, &header, sizeof header);
    if (s < 0 || bind(s, (struct sockaddr *)&addr, sizeof addr) < 0)
        printf("# packet socket on %s: %s\n", name, strerror(errno));
    return s;
}

static void
frame_make(uint8_t *frame, uint32_t len, uint8_t fill)
{
    static const uint8_t head[14] = {
        2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ETHERTYPE >> 8, ETHERTYPE & 0xff};

    memset(frame, fill, len);
    memcpy(frame, head, sizeof head);
}

static int
host_send(int s, uint8_t fill)
{
    uint8_t frame[100];

    frame_make(frame, sizeof frame, fill);
    return send(s, frame, sizeof frame, 0) == (ssize_t)sizeof frame ? 0 : -errno;
}

/* ---- The device's side ---- */

/* The fill byte of the next frame of ours that came, -1: none. Others' packets are passed over. */
static int
next_fill(struct client *c)
{
    const uint8_t *frame;
    uint64_t len = 0;

    while (c->first != c->n) {
        frame = client_take(c, &len);
        if (frame && len == 100 && frame[12] == ETHERTYPE >> 8 && frame[13] == (ETHERTYPE & 0xff))
            return frame[99];
    }
    return -1;
}

static int
has_packet(void *user)
{
    struct client *c = user;

    return c->first != c->n || c->refused;
}

static struct bpt_machine *
open_tap(const char *props)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);

    if (bpt_load(m, "net-tap", "wire", props) || bpt_realize_all(m))
        printf("# %s\n", bpt_error(m));
    return m;
}

static void
refused(const char *props, const char *text)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);
    int err = bpt_load(m, "net-tap", "wire", props);

    if (!err)
        err = bpt_realize_all(m);
    if (!ok(err && strstr(bpt_error(m), text), "refused: %s", props ? props : "no property"))
        printf("# %d \"%s\"\n", err, bpt_error(m));
    eq_int(bpt_free(m), 0, "no rule of the ABI was broken");
}

static void
test_errors(void)
{
    unsigned fds = bpt_open_fds();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct bpt_machine *m;
    char text[64];

    refused(NULL, "needs ifname");
    refused("ifname=abcdefghijklmnop", "1 to 15 characters");
    refused("ifname=a/b", "no slash");
    refused("ifname=..", "no slash");
    refused("ifname=lo", "is no tap interface");
    refused("ifname=t0,queues=9", "queues");
    snprintf(text, sizeof text, "fd=%d", null);
    refused(text, "is no tap interface that was opened with IFF_VNET_HDR");
    close(null);
    m = open_tap("ifname=t0");
    refused("ifname=t0", "another program has tap interface t0 open");
    refused("ifname=t0,queues=2", "several queues");
    bpt_free(m);
    eq_int(bpt_open_fds(), fds, "no descriptor is left");
}

static void
test_life(void)
{
    struct bpt_machine *m = open_tap("ifname=t0");
    struct bp_net_info info = {.size = sizeof info};

    ok(if_nametoindex("t0") != 0, "the interface is made");
    eq_int(client_join(&dev, m, "wire"), 0, "a device attaches");
    eq_int(client_join(&other, m, "wire"), BP_E_BUSY, "a second one is refused");
    eq_int(dev.net->info(dev.be, &info), 0, "it has something to tell");
    ok(info.link_up && info.max_queues == 1, "... the link is up, there is one queue");
    info.size = BP_UPTO(struct bp_net_info, max_queues);
    info.link_up = 77;
    dev.net->info(dev.be, &info);
    eq_int(info.link_up, 77, "an older device's struct is not written past its end");
    dev.net->attach(dev.be, NULL);
    eq_int(client_join(&other, m, "wire"), 0, "after detaching it may");
    eq_int(bpt_free(m), 0, "no rule of the ABI was broken");
    eq_int(if_nametoindex("t0"), 0, "the interface is gone");
    m = open_tap("ifname=made%d");
    ok(if_nametoindex("made0") != 0, "the kernel chooses the number of made%%d");
    bpt_free(m);
}

static void
test_check(void)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);

    bpt_host_flags(m, BP_HOST_CHECK);
    eq_int(bpt_load(m, "net-tap", "wire", "ifname=t0"), 0, "a check reads the section");
    eq_int(bpt_realize_all(m), 0, "... and realizes it");
    eq_int(bpt_free(m), 0, "... and breaks no rule");
    eq_int(if_nametoindex("t0"), 0, "... and leaves nothing");
}

static void
test_packets(void)
{
    struct bpt_machine *m = open_tap("ifname=t0");
    uint8_t frame[100], got[200];
    int s;

    interface_up("t0", 1);
    s = host_open("t0", 0);
    client_join(&dev, m, "wire");
    bpt_start(m);

    frame_make(frame, sizeof frame, 0x11);
    eq_int(client_send(&dev, 0, frame, sizeof frame), 0, "the device sends");
    eq_int(recv(s, got, sizeof got, 0), (ssize_t)sizeof frame, "the host receives");
    ok(memcmp(got, frame, sizeof frame) == 0, "... the same frame");
    eq_int(client_send(&dev, 5, frame, sizeof frame), 0, "a queue that is not there drops");
    ok(recv(s, got, sizeof got, 0) < 0, "... the frame");

    host_send(s, 0x21);
    host_send(s, 0x22);
    bpt_poll(m, 1000);
    eq_int(next_fill(&dev), 0x21, "the host sends, the device receives");
    eq_int(next_fill(&dev), 0x22, "... in order");
    ok(dev.batches > 0, "... and is told that it was all");

    dev.answer = BP_E_AGAIN;
    host_send(s, 0x31);
    host_send(s, 0x32);
    bpt_until(m, has_packet, &dev);
    eq_int(dev.refused, 1, "without a buffer the device is asked once");
    bpt_poll(m, 0);
    eq_int(dev.refused, 1, "... and not again");
    dev.answer = 0;
    dev.net->ready(dev.be, 0);
    bpt_poll(m, 0);
    eq_int(next_fill(&dev), 0x31, "ready(): the packet that was refused comes first");
    eq_int(next_fill(&dev), 0x32, "... then what waited in the kernel");

    bpt_quiesce(m);
    host_send(s, 0x41);
    bpt_poll(m, 0);
    eq_int(next_fill(&dev), -1, "nothing is received while the machine stands");
    bpt_start(m);
    bpt_poll(m, 1000);
    eq_int(next_fill(&dev), 0x41, "it comes when the machine goes on");

    dev.answer = BP_E_AGAIN;
    dev.refused = 0;
    host_send(s, 0x51);
    bpt_until(m, has_packet, &dev);
    bpt_reset(m);
    dev.answer = 0;
    dev.net->ready(dev.be, 0);
    bpt_poll(m, 0);
    eq_int(next_fill(&dev), -1, "what is held is gone after a machine reset");
    host_send(s, 0x52);
    bpt_poll(m, 1000);
    eq_int(next_fill(&dev), 0x52, "... and nothing else");

    interface_up("t0", 0);
    eq_int(client_send(&dev, 0, frame, sizeof frame), 0, "an interface that is down drops");
    bpt_poll(m, 0);
    interface_up("t0", 1);
    close(s); /* it has heard of the interface and says so */
    s = host_open("t0", 0);
    host_send(s, 0x61);
    bpt_poll(m, 1000);
    eq_int(next_fill(&dev), 0x61, "... and works again when it is up");
    eq_int(dev.changed, 0, "the link is the driver's all the while");
    close(s);
    eq_int(bpt_free(m), 0, "no rule of the ABI was broken");
}

/* The fill bytes of what the host receives: how many are first, first + 1, ... in order. */
static unsigned
host_row(int s, uint8_t first)
{
    uint8_t got[200];
    unsigned n = 0;

    while (recv(s, got, sizeof got, 0) == 100 && got[99] == (uint8_t)(first + n))
        n++;
    return n;
}

/* A device that keeps its packets until commit(), and bursts in both directions. */
static void
test_bursts(void)
{
    static uint8_t frame[40][HDR + 100];
    struct bp_iovec iov[40][2];
    struct bpt_machine *m = open_tap("ifname=t0");
    unsigned n = 0;
    int s, fill, bad = 0;

    interface_up("t0", 1);
    s = host_open("t0", 0);
    client_join(&dev, m, "wire");
    bpt_start(m);
    memset(frame, 0, sizeof frame);
    for (unsigned i = 0; i < 40; i++) {
        frame_make(frame[i] + HDR, 100, (uint8_t)i);
        iov[i][0] = (struct bp_iovec){frame[i], HDR + 50};
        iov[i][1] = (struct bp_iovec){frame[i] + HDR + 50, 50};
    }
    bad += dev.net->send(dev.be, 0, iov[0], 2, HDR + 100);
    eq_int(host_row(s, 0), 1, "what a device may change at once is sent at once");
    dev.table.flags = BP_NET_CLIENT_KEEPS;
    for (unsigned i = 0; i < 40; i++)
        bad += dev.net->send(dev.be, 0, iov[i], 2, HDR + 100);
    dev.net->commit(dev.be, 0);
    eq_int(bad, 0, "40 packets are taken");
    eq_int(host_row(s, 0), 40, "all are sent, in order");
    dev.net->commit(dev.be, 0);
    eq_int(host_row(s, 0), 0, "and none twice");
    frame[1][0] = 1, frame[1][6] = 0xff, frame[1][7] = 0xff; /* a checksum beyond its end */
    for (unsigned i = 0; i < 3; i++)
        (void)dev.net->send(dev.be, 0, iov[i], 2, HDR + 100);
    dev.net->commit(dev.be, 0);
    eq_int(host_row(s, 0), 1, "of three packets the kernel refuses the middle one");
    dev.net->send(dev.be, 0, iov[4], 2, HDR + 100);
    dev.net->commit(dev.be, 0);
    eq_int(host_row(s, 4), 1, "and the next is sent");

    /* More than one turn reads; then the device has buffers for five at a time. */
    for (unsigned i = 0; i < 50; i++)
        bad += host_send(s, (uint8_t)i);
    for (int i = 0; i < 20 && dev.n < 50; i++)
        bpt_poll(m, 100);
    while ((fill = next_fill(&dev)) == (int)n)
        n++;
    eq_int(n, 50, "a burst of 50 comes in order");
    dev.room = 5;
    for (unsigned i = 0; i < 50; i++)
        bad += host_send(s, (uint8_t)i);
    for (n = 0; n < 50;) {
        bpt_poll(m, 100);
        fill = next_fill(&dev);
        if (fill < 0) {
            dev.room = 5;
            dev.answer = 0;
            dev.net->ready(dev.be, 0);
            bad += ++dev.changed > 100; /* counts turns here */
            if (dev.changed > 100)
                break;
        }
        for (; fill == (int)n; fill = next_fill(&dev))
            n++;
    }
    eq_int(n, 50, "and comes whole to a device that is slow");
    eq_int(bad, 0, "without a failure");
    close(s);
    eq_int(bpt_free(m), 0, "no rule of the ABI was broken");
}

static void
test_deleted(void)
{
    struct bpt_machine *m = open_tap("ifname=t0,queues=2");
    struct bp_net_info info = {.size = sizeof info};
    uint8_t frame[100];

    interface_up("t0", 1);
    client_join(&dev, m, "wire");
    dev.net->set_queues(dev.be, 2);
    bpt_start(m);
    eq_int(interface_delete("t0"), 0, "the interface is deleted under the machine");
    bpt_poll(m, 1000);
    eq_int(dev.changed, 1, "the device is told once");
    dev.net->info(dev.be, &info);
    eq_int(info.link_up, 0, "... that the link is down");
    ok(bpt_logged(m, "tap interface t0 is gone"), "the log names it");
    eq_int(bpt_poll(m, 0), 0, "no event goes on and on");
    frame_make(frame, sizeof frame, 1);
    eq_int(client_send(&dev, 0, frame, sizeof frame), 0, "what is sent is dropped");
    eq_int(dev.net->set_queues(dev.be, 1), 0, "the driver may reset the device");
    eq_int(dev.net->set_offloads(dev.be, 0), 0, "... as it likes");
    bpt_quiesce(m);
    bpt_start(m);
    bpt_poll(m, 0);
    eq_int(bpt_poll(m, 0), 0, "... and the machine may be stopped and go on");
    eq_int(bpt_free(m), 0, "no rule of the ABI was broken");
}

static void
test_queues(void)
{
    struct bpt_machine *m = open_tap("ifname=t0,queues=4");
    struct bp_net_info info = {.size = sizeof info};
    uint8_t frame[100], got[200];
    unsigned n = 0;
    int s;

    interface_up("t0", 1);
    s = host_open("t0", 0);
    client_join(&dev, m, "wire");
    bpt_start(m);
    dev.net->info(dev.be, &info);
    eq_int(info.max_queues, 4, "four queues");
    eq_int(dev.net->set_queues(dev.be, 0), BP_E_RANGE, "none is too few");
    eq_int(dev.net->set_queues(dev.be, 5), BP_E_RANGE, "five are too many");
    for (unsigned i = 0; i < 16; i++)
        host_send(s, 1);
    bpt_poll(m, 1000);
    for (; next_fill(&dev) == 1; n++)
        ;
    eq_int(n, 16, "with one queue in use everything comes there");
    eq_int(dev.queue[0], 0, "... on the first");
    eq_int(dev.net->set_queues(dev.be, 4), 0, "all four");
    frame_make(frame, sizeof frame, 3);
    eq_int(client_send(&dev, 3, frame, sizeof frame), 0, "the last one sends");
    eq_int(recv(s, got, sizeof got, 0), (ssize_t)sizeof frame, "... and the host receives");
    /* The kernel sends a flow's packets to where the flow sent from last; these are one flow. */
    for (unsigned i = 0; i < 16; i++)
        host_send(s, 2);
    bpt_poll(m, 1000);
    for (n = 0; next_fill(&dev) == 2; n++)
        ;
    eq_int(n, 16, "with four all packets arrive");
    eq_int(dev.net->set_queues(dev.be, 2), 0, "two");
    eq_int(dev.net->set_queues(dev.be, 2), 0, "... twice");
    eq_int(dev.net->set_queues(dev.be, 1), 0, "one again");
    for (unsigned i = 0; i < 16; i++)
        host_send(s, 4);
    bpt_poll(m, 1000);
    for (n = 0; next_fill(&dev) == 4; n++)
        ;
    eq_int(n, 16, "no packet goes to a queue that is not used");
    close(s);
    eq_int(bpt_free(m), 0, "no rule of the ABI was broken");
}

/* A TCP segment of four times 1000 bytes, for the kernel to send in one piece or in four. */
static int
send_large(int s)
{
    struct {
        struct virtio_net_hdr hdr;
        uint8_t frame[14 + 20 + 20 + 4000];
    } __attribute__((packed)) p;
    uint8_t *ip = p.frame + 14, *tcp = ip + 20;
    uint32_t sum = 0;

    memset(&p, 0, sizeof p);
    p.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    p.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    p.hdr.hdr_len = 54;
    p.hdr.gso_size = 1000;
    p.hdr.csum_start = 34;
    p.hdr.csum_offset = 16;
    frame_make(p.frame, sizeof p.frame, 0x5a);
    p.frame[12] = 8;
    p.frame[13] = 0;
    memset(ip, 0, 40);
    ip[0] = 0x45;
    ip[2] = (20 + 20 + 4000) >> 8;
    ip[3] = (20 + 20 + 4000) & 0xff;
    ip[8] = 64;
    ip[9] = 6;
    ip[12] = ip[16] = 10;
    ip[15] = 1;
    ip[19] = 2;
    for (int i = 0; i < 20; i += 2)
        sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    sum = ~((sum >> 16) + (sum & 0xffff));
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
    tcp[1] = 80;
    tcp[3] = 81;
    tcp[12] = 0x50;
    tcp[13] = 0x10;
    return send(s, &p, sizeof p, 0) == (ssize_t)sizeof p ? 0 : -errno;
}

static void
test_offloads(void)
{
    struct bpt_machine *m = open_tap("ifname=t0");
    struct bp_net_info info = {.size = sizeof info};
    const struct bp_net_hdr *hdr;
    int s;

    interface_up("t0", 1);
    s = host_open("t0", 1);
    client_join(&dev, m, "wire");
    bpt_start(m);
    dev.net->info(dev.be, &info);
    ok((info.rx_offloads & (BP_NET_CSUM | BP_NET_TSO4 | BP_NET_TSO6)) ==
           (BP_NET_CSUM | BP_NET_TSO4 | BP_NET_TSO6),
       "the kernel's offloads are found out");
    eq_int(dev.net->set_offloads(dev.be, BP_NET_USO), BP_E_NOTSUP, "others are refused");
    eq_int(dev.net->set_offloads(dev.be, info.rx_offloads), 0, "all are switched on");
    bpt_poll(m, 0);
    dev.first = dev.n = 0;
    eq_int(send_large(s), 0, "the host sends 4000 bytes of TCP");
    bpt_poll(m, 1000);
    hdr = (const void *)dev.data[0];
    eq_int(dev.n, 1, "one packet arrives");
    ok(dev.len[0] == HDR + 4054 && hdr->gso_type == 1 && hdr->gso_size == 1000 &&
           hdr->flags & BP_NET_HDR_NEEDS_CSUM,
       "... for the driver to take apart");
    eq_int(dev.net->set_offloads(dev.be, 0), 0, "all are switched off");
    dev.first = dev.n = 0;
    eq_int(send_large(s), 0, "the same once more");
    bpt_poll(m, 1000);
    eq_int(dev.n, 4, "four packets arrive");
    ok(dev.len[3] == HDR + 1054 && hdr->gso_type == 0 && !(hdr->flags & BP_NET_HDR_NEEDS_CSUM),
       "... with nothing left to do");
    close(s);
    eq_int(bpt_free(m), 0, "no rule of the ABI was broken");
}

static int
tap_fd(const char *name, int flags)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    struct ifreq req;

    memset(&req, 0, sizeof req);
    snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
    req.ifr_flags = (short)flags;
    if (ioctl(fd, TUNSETIFF, &req) < 0)
        printf("# %s: %s\n", name, strerror(errno));
    return fd;
}

static void
test_descriptors(void)
{
    const int good = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, many = good | IFF_MULTI_QUEUE;
    int a = tap_fd("t0", good), b = tap_fd("t1", good), bare = tap_fd("t2", IFF_TAP | IFF_NO_PI),
        q[3], s;
    struct bpt_machine *m;
    char text[64];

    for (unsigned i = 0; i < 3; i++)
        q[i] = tap_fd("t4", many);
    snprintf(text, sizeof text, "fd=%d,fd=%d,queues=2", a, b);
    refused(text, "all must be queues of one");
    snprintf(text, sizeof text, "fd=%d,queues=2", q[0]);
    refused(text, "needs as many descriptors");
    snprintf(text, sizeof text, "fd=%d,fd=%d", q[0], q[1]);
    refused(text, "more descriptors than");
    snprintf(text, sizeof text, "fd=%d", bare);
    refused(text, "IFF_VNET_HDR");
    close(b);
    close(bare);
    snprintf(text, sizeof text, "fd=%d,fd=%d,fd=%d,queues=3", q[0], q[1], q[2]);
    m = open_tap(text);
    client_join(&dev, m, "wire");
    eq_int(dev.net->set_queues(dev.be, 3), 0, "three queues by descriptor");
    bpt_free(m);
    for (unsigned i = 0; i < 3; i++)
        close(q[i]);
    snprintf(text, sizeof text, "fd=%d", a);
    m = open_tap(text);
    close(a);
    interface_up("t0", 1);
    s = host_open("t0", 0);
    client_join(&dev, m, "wire");
    bpt_start(m);
    host_send(s, 0x71);
    bpt_poll(m, 1000);
    eq_int(next_fill(&dev), 0x71, "a descriptor in the config is duplicated");
    close(s);
    eq_int(bpt_free(m), 0, "no rule of the ABI was broken");
    eq_int(if_nametoindex("t0"), 0, "... and closed in the end");
}

static uint32_t
vhost_of(const char *props)
{
    struct bpt_machine *m = open_tap(props);
    struct bp_net_info info = {.size = sizeof info};

    client_join(&dev, m, "wire");
    dev.net->info(dev.be, &info);
    bpt_free(m);
    return info.vhost;
}

/* What somebody else reads: a vhost device, here nobody. */
static void
test_taken(void)
{
    struct bpt_machine *m = open_tap("ifname=t0,vhost=off");
    int s;

    interface_up("t0", 1);
    s = host_open("t0", 0);
    client_join(&dev, m, "wire");
    bpt_start(m);
    eq_int(dev.net->take_fd(dev.be, 1, 1), BP_E_RANGE, "a queue that is not there cannot be taken");
    ok(dev.net->take_fd(dev.be, 0, 1) >= 0, "one that is can");
    host_send(s, 0x11);
    bpt_poll(m, 0);
    eq_int(next_fill(&dev), -1, "... and is not read any more");
    dev.net->take_fd(dev.be, 0, 0);
    bpt_poll(m, 1000);
    eq_int(next_fill(&dev), 0x11, "until it is given back");
    dev.net->take_fd(dev.be, 0, 1);
    interface_delete("t0");
    bpt_poll(m, 1000);
    eq_int(dev.changed, 1, "that the interface is deleted is noticed all the same");
    bpt_poll(m, 0);
    eq_int(bpt_poll(m, 0), 0, "... once");
    close(s);
    eq_int(bpt_free(m), 0, "no rule of the ABI was broken");
    eq_int(vhost_of("ifname=t0"), BP_NET_VHOST_AUTO, "vhost is auto by default");
    eq_int(vhost_of("ifname=t0,vhost=on"), BP_NET_VHOST_ON, "... or on");
    eq_int(vhost_of("ifname=t0,vhost=off"), BP_NET_VHOST_OFF, "... or off");
}

/* ---- A card, and the host's kernel ---- */

enum { RX, TX };

static int
used(void *user)
{
    return bpt_vq_used(user)[1] != ((struct bpt_vq *)user)->last_used;
}

/* A packet each way through the card's rings. */
static void
exchange(struct bpt_machine *m, struct bpt_virtio *card, int s, uint8_t fill, const char *when)
{
    struct bpt_vq *rx = bpt_virtio_queue(card, RX);
    struct bpt_sg in = {bpt_alloc(m, 2000, 16), 2000, 1}, out = {bpt_alloc(m, 200, 16), 112, 0};
    struct pollfd p = {.fd = s, .events = POLLIN};
    uint8_t got[200];
    uint32_t len = 0;

    memset(bpt_ram(m, out.gpa, HDR), 0, HDR);
    frame_make((uint8_t *)bpt_ram(m, out.gpa, 112) + HDR, 100, fill);
    eq_int(bpt_vq_do(bpt_virtio_queue(card, TX), &out, 1, NULL), 0, when);
    ok(poll(&p, 1, 5000) == 1 && recv(s, got, sizeof got, 0) == 100 && got[99] == fill,
       "... what the driver sends arrives");
    bpt_vq_add(rx, &in, 1, 0);
    bpt_vq_kick(rx);
    bpt_poll(m, 0);
    host_send(s, (uint8_t)(fill + 1));
    bpt_until(m, used, rx);
    ok(bpt_vq_get(rx, &len) >= 0 && len == HDR + 100 &&
           ((uint8_t *)bpt_ram(m, in.gpa, 112))[111] == fill + 1,
       "... and what the host sends");
    bpt_poll(m, 0);
    ok(bpt_virtio_irq(card) & 1, "... with an interrupt");
}

static void
test_kernel(const char *bus, const char *vhost)
{
    int have = access("/dev/vhost-net", R_OK | W_OK) == 0, s, err;
    unsigned fds = bpt_open_fds();
    struct bpt_machine *m = bpt_new(64 << 20, 0);
    struct bpt_virtio *card;
    char text[64];

    printf("# a card on %s, vhost = %s\n", bus, vhost);
    if (strcmp(bus, "pci") == 0)
        bpt_load(m, "pci", "pci", NULL);
    snprintf(text, sizeof text, "ifname=t0,vhost=%s", vhost);
    bpt_load(m, "net-tap", "wire", text);
    bpt_load(m, "virtio-net", "net0", "netdev=wire");
    err = bpt_realize_all(m);
    if (strcmp(vhost, "on") == 0 && !have) {
        ok(err && strstr(bpt_error(m), "vhost = on, but"), "a host without vhost is refused");
        eq_int(bpt_free(m), 0, "no rule of the ABI was broken");
        return;
    }
    eq_int(err, 0, "the card is made");
    interface_up("t0", 1);
    s = host_open("t0", 0);
    bpt_start(m);
    card = bpt_virtio_find(m, 1, 0);
    bpt_virtio_setup(card, UINT64_MAX, 3);
    eq_int(bpt_logged(m, "queue pair 0 uses vhost"), have && strcmp(vhost, "off") != 0,
           "the kernel has the queues if it can and may");
    exchange(m, card, s, 0x10, "a driver starts");
    exchange(m, card, s, 0x20, "it goes on");
    bpt_quiesce(m);
    eq_int(bpt_maps(m), 0, "no mapping is left while the machine stands");
    bpt_start(m);
    exchange(m, card, s, 0x30, "it goes on after a stop");
    eq_int(bpt_state_roundtrip(m, "net0"), 0, "its state is saved and loaded");
    exchange(m, card, s, 0x40, "it goes on after that");
    bpt_virtio_reset(card);
    bpt_virtio_setup(card, UINT64_MAX & ~(UINT64_C(1) << 29), 3);
    exchange(m, card, s, 0x50, "a driver without EVENT_IDX, after a reset");
    bpt_reset(m);
    card = bpt_virtio_find(m, 1, 0); /* on PCI it has to be placed anew */
    bpt_virtio_setup(card, UINT64_MAX, 3);
    exchange(m, card, s, 0x60, "a machine reset");
    close(s);
    eq_int(bpt_free(m), 0, "no rule of the ABI was broken");
    eq_int(bpt_open_fds(), fds, "no descriptor is left");
}

/* Every call of the host's fails in turn. */
static void
test_host_failures(void)
{
    unsigned fds = bpt_open_fds(), left = 0, bad = 0;
    int happened = 1;

    for (uint64_t n = 1; happened && n < 50; n++) {
        struct bpt_machine *m = bpt_new(1 << 20, 0);

        bpt_inject(m, NULL, n, BP_E_NOMEM);
        if (bpt_load(m, "net-tap", "wire", "ifname=t0,queues=2") == 0 && bpt_realize_all(m) == 0) {
            client_join(&dev, m, "wire");
            bpt_start(m);
        }
        happened = bpt_injected(m);
        bpt_inject(m, NULL, 0, 0);
        bad += bpt_free(m) != 0;
        left += bpt_open_fds() != fds;
    }
    ok(!happened && !bad && !left, "a host that fails breaks no rule and leaves no descriptor");
}

int
main(void)
{
    int fd;

    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        printf("1..0 # SKIP no network namespace of our own: %s\n", strerror(errno));
        return 0;
    }
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        printf("1..0 # SKIP /dev/net/tun: %s\n", strerror(errno));
        return 0;
    }
    close(fd);
    /* An interface that comes up would send its own packets. */
    fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "1", 1) != 1)
        printf("# IPv6 stays on\n");
    if (fd >= 0)
        close(fd);
    test_errors();
    test_life();
    test_check();
    test_packets();
    test_bursts();
    test_deleted();
    test_queues();
    test_offloads();
    test_descriptors();
    test_taken();
    test_kernel("pci", "off");
    test_kernel("pci", "auto");
    test_kernel("pci", "on");
    test_kernel("mmio", "on");
    test_host_failures();
    return done_testing();
}
