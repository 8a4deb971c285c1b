/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-net-user.c - the user-mode network, by frames that the test writes itself: ARP, DHCP, ICMP,
 * a small TCP of its own, port forwarding, and what the section may say. Only loopback is used.
 */
#include <arpa/inet.h>
#include <backplane/test.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/net-client.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { ETH = 14, IP = 20, TCP = 20 };

#define GATEWAY 0x0a000202u
#define GUEST   0x0a00020fu

static const uint8_t guest_mac[6] = {0x52, 0x54, 0, 1, 2, 3};
static struct client dev, other;
static struct bpt_machine *machine;
static uint8_t gateway_mac[6];

/* ---- Frames ---- */

static void
put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static uint32_t
get16(const uint8_t *p)
{
    return (uint32_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

static uint32_t
sum_of(const uint8_t *p, uint32_t len, uint32_t sum)
{
    for (uint32_t i = 0; i < len; i++)
        sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
    return sum;
}

static uint32_t
folded(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum >> 16) + (sum & 0xffff);
    return ~sum & 0xffff;
}

static void
ether(uint8_t *f, const uint8_t *to, uint32_t type)
{
    memcpy(f, to, 6);
    memcpy(f + 6, guest_mac, 6);
    put16(f + 12, type);
}

/* Ethernet and IP headers around len bytes of protocol's that stand at f + ETH + IP already. */
static uint32_t
ip_frame(uint8_t *f, uint32_t from, uint32_t to, uint8_t protocol, uint32_t len)
{
    static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t *ip = f + ETH;

    ether(f, to == 0xffffffffu ? all : gateway_mac, 0x0800);
    memset(ip, 0, IP);
    ip[0] = 0x45;
    put16(ip + 2, IP + len);
    ip[8] = 64;
    ip[9] = protocol;
    put32(ip + 12, from);
    put32(ip + 16, to);
    put16(ip + 10, folded(sum_of(ip, IP, 0)));
    return ETH + IP + len;
}

static uint32_t
pseudo_sum(const uint8_t *ip, uint32_t len)
{
    return sum_of(ip + 12, 8, ip[9] + len);
}

/* The next frame that fits, others are passed over; waits for it. */
struct wanted {
    int protocol;     /* -1: ARP */
    const uint8_t *f; /* found */
    uint64_t len;
};

static int
fits(void *user)
{
    struct wanted *w = user;

    while ((w->f = client_take(&dev, &w->len)) != NULL || dev.first != dev.n) {
        if (!w->f || w->len < ETH + 28)
            continue;
        if (w->protocol < 0 ? get16(w->f + 12) == 0x0806
                            : get16(w->f + 12) == 0x0800 && w->f[ETH + 9] == w->protocol)
            return 1;
    }
    return 0;
}

static const uint8_t *
await(int protocol, uint64_t *ret_len)
{
    struct wanted w = {.protocol = protocol};

    if (!bpt_until(machine, fits, &w))
        return NULL;
    *ret_len = w.len;
    return w.f;
}

static void
arp(void)
{
    static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t f[42] = {0};
    const uint8_t *got;
    uint64_t len;

    ether(f, all, 0x0806);
    put16(f + 14, 1);
    put16(f + 16, 0x0800);
    f[18] = 6;
    f[19] = 4;
    put16(f + 20, 1);
    memcpy(f + 22, guest_mac, 6);
    put32(f + 28, GUEST);
    put32(f + 38, GATEWAY);
    client_send(&dev, 0, f, sizeof f);
    got = await(-1, &len);
    if (ok(got && get16(got + 20) == 2 && get32(got + 28) == GATEWAY, "ARP: the gateway answers"))
        memcpy(gateway_mac, got + 22, 6);
}

static void
open_with(const char *props)
{
    machine = bpt_new(1 << 20, 0);
    bpt_clock_runs(machine);
    if (bpt_load(machine, "net-user", "up", props) || bpt_realize_all(machine) ||
        client_join(&dev, machine, "up") || bpt_start(machine))
        printf("# %s\n", bpt_error(machine));
}

static void
close_it(void)
{
    eq_int(bpt_free(machine), 0, "no rule of the ABI was broken");
}

/* ---- DHCP and ICMP ---- */

/* A message of the client's (type 1: discover); the answer, or NULL. */
static const uint8_t *
dhcp(uint8_t type, uint64_t *ret_len)
{
    uint8_t f[ETH + IP + 8 + 240 + 16] = {0}, *udp = f + ETH + IP, *b = udp + 8;
    uint32_t len = 8 + 240 + 16;

    put16(udp, 68);
    put16(udp + 2, 67);
    put16(udp + 4, len);
    b[0] = b[1] = 1;
    b[2] = 6;
    put32(b + 4, 0x12345678);
    memcpy(b + 28, guest_mac, 6);
    put32(b + 236, 0x63825363);
    b[240] = 53;
    b[241] = 1;
    b[242] = type;
    b[243] = 255;
    client_send(&dev, 0, f, ip_frame(f, 0, 0xffffffffu, 17, len));
    return await(17, ret_len);
}

/* An option of a DHCP answer: its value, or NULL. */
static const uint8_t *
option(const uint8_t *f, uint64_t len, uint8_t code)
{
    uint64_t at = ETH + IP + 8 + 240;

    while (at + 2 < len && f[at] != 255) {
        if (f[at] == code)
            return f + at + 2;
        at += f[at] ? 2u + f[at + 1] : 1;
    }
    return NULL;
}

static void
test_services(void)
{
    uint8_t f[ETH + IP + 64] = {0}, *icmp = f + ETH + IP;
    struct bp_net_info info = {.size = sizeof info};
    const uint8_t *got, *o;
    uint64_t len = 0;

    open_with("hostname=guest1,mtu=1400");
    eq_int(client_join(&other, machine, "up"), BP_E_BUSY, "a second device is refused");
    eq_int(dev.net->info(dev.be, &info), 0, "it has something to tell");
    ok(info.max_queues == 1 && info.link_up && info.mtu == 1400 && !info.tx_offloads,
       "... one queue, no offloads to it, the MTU of the section");
    eq_int(dev.net->set_queues(dev.be, 2), BP_E_RANGE, "two queues are too many");
    eq_int(dev.net->set_offloads(dev.be, BP_NET_TSO4), BP_E_NOTSUP, "no segmentation");
    arp();
    eq_int(bpt_timer(machine, "up"), BP_TIMER_OFF, "no timer wakes us while nothing waits");
    got = dhcp(1, &len);
    ok(got && get32(got + ETH + IP + 8 + 16) == GUEST, "DHCP: the guest is offered 10.0.2.15");
    o = got ? option(got, len, 53) : NULL;
    ok(o && *o == 2, "... as an offer");
    o = got ? option(got, len, 3) : NULL;
    ok(o && get32(o) == GATEWAY, "... with 10.0.2.2 as the router");
    o = got ? option(got, len, 6) : NULL;
    ok(o && get32(o) == GATEWAY + 1, "... and 10.0.2.3 as the name server");
    o = got ? option(got, len, 12) : NULL;
    ok(o && memcmp(o, "guest1", 6) == 0, "... and its name");
    got = dhcp(3, &len);
    o = got ? option(got, len, 53) : NULL;
    ok(o && *o == 5, "DHCP: what it asks for it gets");

    icmp[0] = 8;
    put16(icmp + 4, 77);
    memset(icmp + 8, 0xa5, 56);
    put16(icmp + 2, folded(sum_of(icmp, 64, 0)));
    client_send(&dev, 0, f, ip_frame(f, GUEST, GATEWAY, 1, 64));
    got = await(1, &len);
    ok(got && got[ETH + IP] == 0 && get16(got + ETH + IP + 4) == 77 && got[ETH + IP + 63] == 0xa5,
       "ICMP: the gateway echoes");
    for (uint32_t n = 0; n < 60; n++) {
        memset(f, 0xff, sizeof f);
        client_send(&dev, 0, f, n);
    }
    bpt_poll(machine, 0);
    icmp[0] = 8;
    icmp[1] = 0;
    put16(icmp + 2, 0);
    put16(icmp + 2, folded(sum_of(icmp, 64, 0)));
    client_send(&dev, 0, f, ip_frame(f, GUEST, GATEWAY, 1, 64));
    ok(await(1, &len) != NULL, "short frames of ones do no harm");
    close_it();
}

/* ---- TCP ---- */

struct conn {
    uint32_t to, seq, ack;
    uint16_t port, to_port;
};

static void
tcp_send(struct conn *c, uint8_t flags, const void *data, uint32_t n)
{
    uint8_t f[ETH + IP + TCP + 1460] = {0}, *tcp = f + ETH + IP;
    uint32_t len = ip_frame(f, GUEST, c->to, 6, TCP + n);

    put16(tcp, c->port);
    put16(tcp + 2, c->to_port);
    put32(tcp + 4, c->seq);
    put32(tcp + 8, c->ack);
    tcp[12] = TCP / 4 << 4;
    tcp[13] = flags;
    put16(tcp + 14, 60000);
    if (n)
        memcpy(tcp + TCP, data, n);
    put16(tcp + 16, folded(sum_of(tcp, TCP + n, pseudo_sum(f + ETH, TCP + n))));
    client_send(&dev, 0, f, len);
    c->seq += n + (flags & (SYN | FIN) ? 1 : 0);
}

/* A segment of the connection's that came: its flags, and its data; 0: none within the limit. */
static uint8_t
tcp_receive(struct conn *c, const uint8_t **ret_data, uint32_t *ret_n, uint32_t *ret_ack)
{
    for (;;) {
        uint64_t len;
        const uint8_t *f = await(6, &len), *tcp = f ? f + ETH + IP : NULL;
        uint32_t n, off;

        if (!f)
            return 0;
        n = get16(f + ETH + 2) - IP;
        if (get16(tcp + 2) != c->port || folded(sum_of(tcp, n, pseudo_sum(f + ETH, n))) != 0)
            continue;
        off = tcp[12] / 16u * 4;
        *ret_n = n - off;
        *ret_data = tcp + off;
        *ret_ack = get32(tcp + 8);
        if (tcp[13] & SYN)
            c->ack = get32(tcp + 4) + 1;
        else if (get32(tcp + 4) != c->ack)
            *ret_n = 0; /* sent twice */
        else
            c->ack += *ret_n + (tcp[13] & FIN ? 1 : 0);
        return tcp[13];
    }
}

static int
listener(uint16_t *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 4) ||
        getsockname(s, (struct sockaddr *)&a, &len))
        printf("# no listener: %s\n", strerror(errno));
    *ret_port = ntohs(a.sin_port);
    return s;
}

static int
dial(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(s, (struct sockaddr *)&a, sizeof a) == 0)
        return s;
    close(s);
    return -1;
}

static uint8_t
pattern(uint32_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

#define AMOUNT 100000u

/* The guest sends AMOUNT bytes, the host's end reads them. */
static void
upload(struct conn *c, int s)
{
    uint32_t base = c->seq, acked = 0, read_bytes = 0, n, ack, wrong = 0;
    uint8_t buf[1460];
    const uint8_t *data;

    while (read_bytes < AMOUNT) {
        struct pollfd p = {.fd = s, .events = POLLIN};
        ssize_t got;

        while (c->seq - base < AMOUNT && c->seq - base - acked < 8 * 1460) {
            uint32_t at = c->seq - base, take = AMOUNT - at < 1460 ? AMOUNT - at : 1460;

            for (uint32_t i = 0; i < take; i++)
                buf[i] = pattern(at + i);
            tcp_send(c, ACK | PSH, buf, take);
        }
        if (acked < AMOUNT) {
            if (!tcp_receive(c, &data, &n, &ack))
                break;
            acked = ack - base;
        }
        while (poll(&p, 1, acked < AMOUNT ? 0 : 2000) > 0 && read_bytes < AMOUNT) {
            got = recv(s, buf, sizeof buf, 0);
            if (got <= 0)
                break;
            for (ssize_t i = 0; i < got; i++)
                wrong += buf[i] != pattern(read_bytes++);
        }
        if (acked >= AMOUNT && !(p.revents & POLLIN))
            break;
    }
    eq_int(read_bytes, AMOUNT, "from the guest to the host: every byte");
    eq_int(wrong, 0, "... in its place");
}

/* The host's end sends AMOUNT bytes; the device has no buffer for every fifth packet at first. */
static void
download(struct conn *c, int s)
{
    uint32_t sent = 0, got = 0, wrong = 0, turns = 0, n, ack;
    uint8_t buf[4096];
    const uint8_t *data;

    while (got < AMOUNT) {
        while (sent < AMOUNT) {
            uint32_t take = AMOUNT - sent < sizeof buf ? AMOUNT - sent : (uint32_t)sizeof buf;
            ssize_t done;

            for (uint32_t i = 0; i < take; i++)
                buf[i] = pattern(sent + i);
            done = send(s, buf, take, MSG_DONTWAIT);
            if (done <= 0)
                break;
            sent += (uint32_t)done;
        }
        if (++turns % 5 == 0) {
            dev.answer = BP_E_AGAIN;
            bpt_poll(machine, 10);
            dev.answer = 0;
            dev.net->ready(dev.be, 0);
        }
        if (!tcp_receive(c, &data, &n, &ack))
            break;
        for (uint32_t i = 0; i < n; i++)
            wrong += data[i] != pattern(got++);
        if (n)
            tcp_send(c, ACK, NULL, 0);
    }
    eq_int(got, AMOUNT, "from the host to the guest: every byte");
    eq_int(wrong, 0, "... in its place");
    ok(dev.refused > 0, "... though the device had no buffer %u times", dev.refused);
}

static void
test_tcp(void)
{
    unsigned fds = bpt_open_fds();
    struct conn c = {.to = GATEWAY, .seq = 1000, .port = 40000};
    const uint8_t *data;
    uint32_t n, ack;
    int l, s;

    l = listener(&c.to_port);
    open_with(NULL);
    arp();
    tcp_send(&c, SYN, NULL, 0);
    eq_int(tcp_receive(&c, &data, &n, &ack), SYN | ACK, "TCP: the gateway leads to the host");
    tcp_send(&c, ACK, NULL, 0);
    s = accept(l, NULL, NULL);
    ok(s >= 0, "... where the connection arrives");
    upload(&c, s);
    download(&c, s);

    bpt_quiesce(machine);
    send(s, "a", 1, 0);
    dev.first = dev.n;
    bpt_poll(machine, 0);
    ok(dev.first == dev.n, "nothing comes while the machine stands");
    bpt_start(machine);
    ok(tcp_receive(&c, &data, &n, &ack) && n == 1 && *data == 'a',
       "the connection lives on when it goes on");
    tcp_send(&c, ACK, NULL, 0);
    close(s);
    ok(tcp_receive(&c, &data, &n, &ack) & FIN, "the host closes, the guest is told");
    tcp_send(&c, ACK | FIN, NULL, 0);
    close(l);
    bpt_poll(machine, 10);
    c = (struct conn){.to = GATEWAY, .seq = 1000, .port = 40001, .to_port = c.to_port};
    tcp_send(&c, SYN, NULL, 0);
    ok(tcp_receive(&c, &data, &n, &ack) & RST, "where nobody listens, the guest is refused");
    close_it();
    eq_int(bpt_open_fds(), fds, "no descriptor is left");
}

static void
test_loopback_off(void)
{
    struct conn c = {.to = GATEWAY, .seq = 1, .port = 40002};
    struct pollfd p = {.events = POLLIN};
    int l = listener(&c.to_port);

    open_with("host-loopback=false");
    arp();
    tcp_send(&c, SYN, NULL, 0);
    bpt_poll(machine, 50);
    p.fd = l;
    eq_int(poll(&p, 1, 0), 0, "host-loopback = false: the gateway leads nowhere");
    close(l);
    close_it();
}

/* ---- hostfwd ---- */

static uint16_t
free_port(void)
{
    uint16_t port;

    close(listener(&port));
    return port;
}

static void
test_hostfwd(void)
{
    uint16_t port = free_port();
    struct conn c = {.to = GATEWAY, .seq = 5000, .port = 22};
    const uint8_t *data;
    uint32_t n, ack;
    char text[64], buf[8] = "";
    uint64_t len;
    const uint8_t *f;
    int s;

    snprintf(text, sizeof text, "hostfwd=tcp:127.0.0.1:%u-22", port);
    open_with(text);
    arp();
    s = dial(port);
    ok(s >= 0, "the forwarded port listens");
    f = await(6, &len);
    ok(f && f[ETH + IP + 13] == SYN && get32(f + ETH + 16) == GUEST &&
           get16(f + ETH + IP + 2) == 22,
       "who connects there connects to the guest's");
    if (f) {
        c.to = get32(f + ETH + 12);
        c.to_port = (uint16_t)get16(f + ETH + IP);
        c.ack = get32(f + ETH + IP + 4) + 1;
    }
    tcp_send(&c, SYN | ACK, NULL, 0);
    ok(tcp_receive(&c, &data, &n, &ack) & ACK, "... which answers");
    tcp_send(&c, ACK | PSH, "hello", 5);
    ok(tcp_receive(&c, &data, &n, &ack) & ACK, "... and sends");
    eq_int(recv(s, buf, 5, 0), 5, "the host gets it");
    eq_str(buf, "hello", "... as it was");
    send(s, "world", 5, 0);
    ok(tcp_receive(&c, &data, &n, &ack) && n == 5 && memcmp(data, "world", 5) == 0,
       "and the other way");
    close(s);
    close_it();
    eq_int(dial(port), -1, "afterwards nobody listens");

    machine = bpt_new(1 << 20, 0);
    bpt_host_flags(machine, BP_HOST_CHECK);
    eq_int(bpt_load(machine, "net-user", "up", text), 0, "a check reads the section");
    eq_int(bpt_realize_all(machine), 0, "... and realizes it");
    close_it();
    eq_int(dial(port), -1, "... and leaves no listener");
}

static void
test_properties(void)
{
    static const struct {
        const char *props, *text;
    } bad[] = {
        {"hostfwd=22", "begin with tcp: or udp:"},
        {"hostfwd=sctp:127.0.0.1:1-2", "begin with tcp: or udp:"},
        {"hostfwd=tcp:2222-22", "HOSTADDR"},
        {"hostfwd=tcp:localhost:2222-22", "no IPv4 address"},
        {"hostfwd=tcp:127.0.0.1.127.0.0.1:2222-22", "no IPv4 address"},
        {"hostfwd=tcp:300.0.0.1:2222-22", "no IPv4 address"},
        {"hostfwd=tcp:127.0.0.1:0-22", "host's port"},
        {"hostfwd=tcp:127.0.0.1:65536-22", "host's port"},
        {"hostfwd=tcp:127.0.0.1:-22", "host's port"},
        {"hostfwd=tcp:127.0.0.1:+1-22", "host's port"},
        {"hostfwd=tcp:127.0.0.1:2222", "host's port"},
        {"hostfwd=tcp:127.0.0.1:2222-", "guest's port"},
        {"hostfwd=tcp:127.0.0.1:2222-0", "guest's port"},
        {"hostfwd=tcp:127.0.0.1:2222-22x", "guest's port"},
        {"hostfwd=tcp:127.0.0.1:2222-99999999999999999999", "guest's port"},
        {"hostfwd=tcp:192.0.2.1:2222-22", "cannot listen there"},
        {"network=10.0.2.0", "ADDRESS/BITS"},
        {"network=10.0.2.0/", "ADDRESS/BITS"},
        {"network=10.0.2.0/ 24", "ADDRESS/BITS"},
        {"network=10.0.2.0/+24", "ADDRESS/BITS"},
        {"network=10.0.2.0/24x", "ADDRESS/BITS"},
        {"network=10.0.2.0/28", "ADDRESS/BITS"},
        {"network=10.0.2.0/7", "ADDRESS/BITS"},
        {"network=10.0.2/24", "ADDRESS/BITS"},
        {"network=fec0::/64", "ADDRESS/BITS"},
        {"network=10.0.2.1/24", "bits beyond its first 24"},
        {"mtu=500", "mtu"},
    };
    unsigned fds = bpt_open_fds();

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        int err;

        machine = bpt_new(1 << 20, 0);
        err = bpt_load(machine, "net-user", "up", bad[i].props);
        if (!err)
            err = bpt_realize_all(machine);
        if (!ok(err && strstr(bpt_error(machine), bad[i].text), "refused: %s", bad[i].props))
            printf("# %d \"%s\"\n", err, bpt_error(machine));
        if (bpt_free(machine))
            ok(0, "no rule of the ABI was broken");
    }
    eq_int(bpt_open_fds(), fds, "no descriptor is left");
}

static void
test_busy_port(void)
{
    uint16_t port;
    int l = listener(&port);
    char text[64];

    snprintf(text, sizeof text, "hostfwd=tcp::%u-22", port);
    machine = bpt_new(1 << 20, 0);
    eq_int(bpt_load(machine, "net-user", "up", text), 0, "a port that somebody has");
    eq_int(bpt_realize_all(machine), BP_E_BUSY, "... is refused");
    ok(strstr(bpt_error(machine), text + 8), "... by its entry");
    close_it();
    close(l);
}

/* Every call of the host's fails in turn. */
static void
test_host_failures(void)
{
    unsigned fds = bpt_open_fds(), left = 0, bad = 0;
    int happened = 1;

    for (uint64_t n = 1; happened && n < 80; n++) {
        machine = bpt_new(1 << 20, 0);
        bpt_inject(machine, NULL, n, BP_E_NOMEM);
        if (bpt_load(machine, "net-user", "up", "ipv6=true") == 0 &&
            bpt_realize_all(machine) == 0) {
            client_join(&dev, machine, "up");
            bpt_start(machine);
        }
        happened = bpt_injected(machine);
        bpt_inject(machine, NULL, 0, 0);
        bad += bpt_free(machine) != 0;
        left += bpt_open_fds() != fds;
    }
    ok(!happened && !bad && !left, "a host that fails breaks no rule and leaves no descriptor");
}

int
main(void)
{
    test_services();
    test_tcp();
    test_loopback_off();
    test_hostfwd();
    test_properties();
    test_busy_port();
    test_host_failures();
    return done_testing();
}
