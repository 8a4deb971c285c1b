/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-virtio-console.c - virtio-console in front of back ends that this test plays: no byte lost
 * or doubled either way, the control messages of several ports, and drivers that misuse them.
 */
#include <backplane/test.h>

#include "tests/harness/disk.h"

#define CON_ID 3
enum {
    F_SIZE = 0,
    F_MULTIPORT = 1,
    F_EMERG = 2,
    CTL_READY = 0,
    CTL_ADD = 1,
    CTL_PORT_READY = 3,
    CTL_CONSOLE = 4,
    CTL_RESIZE = 5,
    CTL_OPEN = 6,
    CTL_NAME = 7,
};

/* A back end: takes up to room bytes; offers what is in in[]. */
struct fake {
    const struct bp_char_client *client;
    uint8_t out[1 << 18], in[1 << 16];
    size_t n_out, room, n_in, in_at;
    int connected, wants; /* wants: ready() was called and nothing refused since */
    int close_in_write;
};
static struct fake con, agent, logger;
static struct bpt_machine *m;
static struct bpt_virtio *dev;

static int
fake_attach(void *be, const struct bp_char_client *client)
{
    struct fake *f = be;

    if (client && f->client)
        return BP_E_BUSY;
    f->client = client;
    return 0;
}

static uint64_t
fake_write(void *be, const void *buf, uint64_t n)
{
    struct fake *f = be;

    if (f->close_in_write && f->connected) {
        f->connected = 0;
        f->client->event(f->client->user, BP_CHAR_CLOSED);
    }
    if (n > f->room)
        n = f->room;
    memcpy(f->out + f->n_out, buf, n);
    f->n_out += n;
    f->room -= n;
    return n;
}

static void
offer(struct fake *f)
{
    while (f->wants && f->in_at < f->n_in) {
        uint64_t n = 1 + random_below(700), took;

        if (n > f->n_in - f->in_at)
            n = f->n_in - f->in_at;
        took = f->client->receive(f->client->user, f->in + f->in_at, n);
        f->in_at += took;
        if (took < n)
            f->wants = 0;
    }
}

static void
fake_ready(void *be)
{
    ((struct fake *)be)->wants = 1;
}

static int
fake_connected(void *be)
{
    return ((struct fake *)be)->connected;
}

static const struct bp_char_if fake_if = {
    .size = sizeof fake_if,
    .attach = fake_attach,
    .write = fake_write,
    .ready = fake_ready,
    .connected = fake_connected,
};

static void
fakes_reset(void)
{
    struct fake *all[] = {&con, &agent, &logger};

    for (int i = 0; i < 3; i++) {
        memset(all[i], 0, sizeof *all[i]);
        all[i]->room = sizeof all[i]->out;
        all[i]->connected = 1;
    }
}

static int
machine(const char *props)
{
    char all[200];

    fakes_reset();
    m = bpt_new(8 << 20, 0);
    bpt_provide(m, "con", BP_IF_CHAR, &fake_if, &con);
    bpt_provide(m, "agent", BP_IF_CHAR, &fake_if, &agent);
    bpt_provide(m, "logger", BP_IF_CHAR, &fake_if, &logger);
    snprintf(all, sizeof all, "transport=mmio,%s", props);
    if (bpt_load(m, "virtio-console", "c", all) || bpt_realize_all(m) || bpt_start(m)) {
        printf("# %s\n", bpt_error(m));
        return -1;
    }
    dev = bpt_virtio_find(m, CON_ID, 0);
    return 0;
}

static void
finish(void)
{
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");
    ok(!con.client && !agent.client && !logger.client, "the back ends are let go");
}

static struct bpt_vq *
queue(uint32_t i)
{
    return bpt_virtio_queue(dev, i);
}

/* ---- One console ---- */

static void
transmit(void)
{
    struct bpt_vq *tx = queue(1);
    uint64_t buf = bpt_alloc(m, 1 << 17, 4096);
    size_t sent = 0, used = 0;

    random_fill(bpt_ram(m, buf, 1 << 17), 1 << 17);
    con.room = 0;
    for (int i = 0; i < 5000 && used < 60; i++) {
        struct bpt_sg sg[2];

        if (sent + 4096 <= 1 << 17 && random_below(2)) {
            uint32_t a = 1 + (uint32_t)random_below(2000), b = 1 + (uint32_t)random_below(2000);

            sg[0] = (struct bpt_sg){buf + sent, a, 0};
            sg[1] = (struct bpt_sg){buf + sent + a, b, 0};
            if (bpt_vq_add(tx, sg, 2, random_below(2) == 0) >= 0)
                sent += a + b;
            bpt_vq_kick(tx);
        }
        bpt_poll(m, 0);
        if (random_below(3) == 0) {
            con.room = random_below(3000);
            con.client->writable(con.client->user);
        }
        if (random_below(100) == 0) {
            bpt_quiesce(m);
            eq_int(bpt_state_roundtrip(m, "c"), 0, "state, in the middle of a chain");
            bpt_start(m);
        }
        while (bpt_vq_get(tx, NULL) >= 0)
            used++;
    }
    con.room = sizeof con.out - con.n_out;
    con.client->writable(con.client->user);
    bpt_poll(m, 0);
    eq_int(con.n_out, sent, "what the guest sends arrives, as the back end has room");
    ok(!memcmp(con.out, bpt_ram(m, buf, sent), sent), "in order, nothing lost or doubled");
}

static void
receive(void)
{
    struct bpt_vq *rx = queue(0);
    uint64_t buf = bpt_alloc(m, 64 * 256, 4096), slot[64] = {0};
    static uint8_t got[sizeof con.in];
    size_t n_got = 0;
    uint32_t len;
    int head;

    random_fill(con.in, sizeof con.in);
    con.n_in = sizeof con.in;
    for (int i = 0; i < 20000 && n_got < sizeof got; i++) {
        if (random_below(2)) {
            struct bpt_sg sg = {0, 1 + (uint32_t)random_below(256), 1};
            unsigned k = 0;

            while (k < 64 && slot[k])
                k++;
            sg.gpa = buf + 256 * k;
            if (k < 64 && (head = bpt_vq_add(rx, &sg, 1, 0)) >= 0)
                slot[head] = sg.gpa;
            bpt_vq_kick(rx);
        }
        bpt_poll(m, 0);
        offer(&con);
        while ((head = bpt_vq_get(rx, &len)) >= 0) {
            memcpy(got + n_got, bpt_ram(m, slot[head], len), len);
            n_got += len;
            slot[head] = 0;
        }
    }
    eq_int(n_got, sizeof got, "what the host sends arrives, as the guest has buffers");
    ok(!memcmp(got, con.in, sizeof got), "in order, nothing lost or doubled");
}

static void
console(void)
{
    if (!ok(machine("chardev=con,cols=80,rows=25") == 0, "one console"))
        return;
    eq_int(bpt_virtio_offered(dev) & 0xffffff, 1 << F_SIZE | 1 << F_EMERG, "features");
    eq_int(bpt_virtio_config(dev, 0, 2), 80, "columns");
    eq_int(bpt_virtio_config(dev, 2, 2), 25, "rows");
    eq_int(bpt_virtio_queue_max(dev, 2), 0, "two queues");
    bpt_virtio_config_write(dev, 8, 4, 'E');
    ok(con.n_out == 1 && con.out[0] == 'E', "an emergency write needs no driver");
    con.n_out = 0;
    eq_int(con.wants, 0, "without a driver the back end keeps its bytes");
    eq_int(bpt_virtio_setup(dev, UINT64_MAX, 2), 0, "a driver");
    eq_int(bpt_virtio_irq(dev) & 2, 2, "is told to look at the size");
    transmit();
    receive();
    bpt_virtio_irq(dev);
    eq_int(bpt_set(m, "c", "cols=132"), 0, "the window is resized");
    eq_int(bpt_virtio_irq(dev), 2, "an interrupt");
    eq_int(bpt_virtio_config(dev, 0, 2), 132, "the new size");
    finish();
}

/* ---- Several ports ---- */

struct message {
    uint32_t id;
    uint16_t event, value;
    char tail[64];
};
static struct message inbox[64];
static unsigned n_inbox;
static uint64_t ctl_buf, out_buf;

/* Buffers for messages from the device. */
static void
give_buffers(unsigned n, uint32_t len)
{
    struct bpt_vq *vq = queue(2);

    for (unsigned i = 0; i < n; i++) {
        struct bpt_sg sg = {ctl_buf + 128 * i, len, 1};

        bpt_vq_add(vq, &sg, 1, 0);
    }
    bpt_vq_kick(vq);
    bpt_poll(m, 0);
}

/* Reads what came; gives that many buffers again. */
static unsigned
read_messages(void)
{
    struct bpt_vq *vq = queue(2);
    uint32_t len;
    int head;

    for (n_inbox = 0; n_inbox < 64 && (head = bpt_vq_get(vq, &len)) >= 0; n_inbox++) {
        memset(&inbox[n_inbox], 0, sizeof *inbox);
        memcpy(&inbox[n_inbox], bpt_ram(m, bpt_vq_desc(vq, (uint32_t)head)->addr, len),
               len < 72 ? len : 72);
    }
    give_buffers(n_inbox, 128);
    return n_inbox;
}

static void
say(uint32_t id, uint16_t event, uint16_t value)
{
    struct message c = {.id = id, .event = event, .value = value};
    struct bpt_sg sg = {out_buf, 8, 0};

    memcpy(bpt_ram(m, out_buf, 8), &c, 8);
    bpt_vq_do(queue(3), &sg, 1, NULL);
}

static int
came(unsigned i, uint32_t id, uint16_t event, uint16_t value, const char *tail)
{
    return i < n_inbox && inbox[i].id == id && inbox[i].event == event && inbox[i].value == value &&
           !strcmp(inbox[i].tail, tail ? tail : "");
}

static int
ports_machine(const char *props)
{
    if (machine(props) || bpt_virtio_setup(dev, UINT64_MAX, 8))
        return -1;
    ctl_buf = bpt_alloc(m, 64 * 128, 4096);
    out_buf = bpt_alloc(m, 4096, 4096);
    return 0;
}

static void
handshake(void)
{
    if (!ok(ports_machine("chardev=con,ports=agent,ports=logger,cols=80,rows=25") == 0, "3 ports"))
        return;
    ok(bpt_virtio_offered(dev) & 1 << F_MULTIPORT, "several ports are offered");
    eq_int(bpt_virtio_config(dev, 4, 4), 3, "three");
    eq_int(bpt_virtio_queue_max(dev, 7), 64, "eight queues");
    eq_int(bpt_virtio_queue_max(dev, 8), 0, "no ninth");
    logger.connected = 0;
    give_buffers(32, 128);
    eq_int(read_messages(), 0, "the device waits for the driver");
    say(0, CTL_READY, 1);
    eq_int(read_messages(), 3, "then it adds its ports");
    ok(came(0, 0, CTL_ADD, 1, NULL) && came(1, 1, CTL_ADD, 1, NULL) && came(2, 2, CTL_ADD, 1, NULL),
       "0, 1 and 2");
    say(0, CTL_PORT_READY, 1);
    read_messages();
    ok(came(0, 0, CTL_CONSOLE, 1, NULL), "port 0 is a console");
    ok(n_inbox == 3 && inbox[1].event == CTL_RESIZE && !memcmp(inbox[1].tail, "\x50\0\x19\0", 4),
       "of 80 by 25");
    ok(came(2, 0, CTL_OPEN, 1, NULL), "and open");
    say(1, CTL_PORT_READY, 1);
    read_messages();
    ok(n_inbox == 2 && came(0, 1, CTL_NAME, 1, "agent") && came(1, 1, CTL_OPEN, 1, NULL),
       "port 1 has a name and is open");
    say(2, CTL_PORT_READY, 1);
    read_messages();
    ok(n_inbox == 1 && came(0, 2, CTL_NAME, 1, "logger"), "port 2 has a name and is not");
    logger.connected = 1;
    logger.client->event(logger.client->user, BP_CHAR_OPENED);
    read_messages();
    ok(n_inbox == 1 && came(0, 2, CTL_OPEN, 1, NULL), "until somebody is there");
    agent.client->event(agent.client->user, BP_CHAR_CLOSED);
    agent.client->event(agent.client->user, BP_CHAR_OPENED);
    read_messages();
    ok(n_inbox == 2 && came(0, 1, CTL_OPEN, 0, NULL) && came(1, 1, CTL_OPEN, 1, NULL),
       "a new connection is seen as one");
    bpt_set(m, "c", "rows=50");
    read_messages();
    ok(n_inbox == 1 && inbox[0].event == CTL_RESIZE && !memcmp(inbox[0].tail, "\x50\0\x32\0", 4),
       "a resize");
}

static void
ports_data(void)
{
    struct bpt_sg sg;
    uint32_t len;
    uint64_t buf = bpt_alloc(m, 4096, 4096);

    memcpy(agent.in, "hello", 5);
    agent.n_in = 5;
    sg = (struct bpt_sg){buf, 64, 1};
    bpt_vq_add(queue(4), &sg, 1, 0);
    bpt_vq_kick(queue(4));
    bpt_poll(m, 0);
    eq_int(agent.wants, 0, "a port that nobody has open gets nothing");
    say(1, CTL_OPEN, 1);
    offer(&agent);
    ok(bpt_vq_get(queue(4), &len) >= 0 && len == 5 && !memcmp(bpt_ram(m, buf, 5), "hello", 5),
       "one that is open does");
    memcpy(bpt_ram(m, buf, 5), "world", 5);
    sg = (struct bpt_sg){buf, 5, 0};
    eq_int(bpt_vq_do(queue(5), &sg, 1, NULL), 0, "the guest writes to port 1");
    ok(agent.n_out == 5 && !memcmp(agent.out, "world", 5) && !con.n_out && !logger.n_out,
       "and to no other");
    logger.close_in_write = 1;
    eq_int(bpt_vq_do(queue(7), &sg, 1, NULL), 0, "a back end that closes while it is written to");
    eq_int(logger.n_out, 5, "gets its bytes");
    read_messages();
    ok(n_inbox == 1 && came(0, 2, CTL_OPEN, 0, NULL), "and the guest hears of it");
    eq_int(bpt_quiesce(m), 0, "stop");
    logger.connected = 1;
    eq_int(bpt_state_roundtrip(m, "c"), 0, "state");
    eq_int(bpt_start(m), 0, "on");
    bpt_poll(m, 0);
    read_messages();
    ok(n_inbox == 1 && came(0, 2, CTL_OPEN, 1, NULL), "what changed meanwhile is told");
    agent.n_in = agent.in_at = 0;
    eq_int(bpt_reset(m), 0, "machine reset");
    eq_int(agent.client->receive(agent.client->user, "x", 1), 0, "nobody has the port open");
    finish();
}

/* Messages that make no sense, queues that are never emptied, buffers that are too short. */
static void
misuse(void)
{
    struct bpt_sg sg;

    if (!ok(ports_machine("ports=agent,ports=logger") == 0, "two ports, no console"))
        return;
    eq_int(bpt_virtio_offered(dev) & (1 << F_SIZE | 1 << F_EMERG), 0, "no console features");
    random_seed(5);
    for (int i = 0; i < 500; i++)
        say((uint32_t)random_below(5), (uint16_t)random_below(10), (uint16_t)random_below(3));
    say(UINT32_MAX, CTL_PORT_READY, 1);
    say(0, CTL_PORT_READY, 1);
    say(0, CTL_OPEN, 1);
    sg = (struct bpt_sg){out_buf, 7, 0};
    eq_int(bpt_vq_do(queue(3), &sg, 1, NULL), 0, "half a message");
    sg = (struct bpt_sg){out_buf, 8, 1};
    eq_int(bpt_vq_do(queue(3), &sg, 1, NULL), 0, "a message to be written");
    say(1, CTL_PORT_READY, 1);
    for (int i = 0; i < 500; i++)
        say(0, CTL_READY, 1);
    give_buffers(40, 128);
    ok(read_messages() <= 12, "a thousand questions without a buffer: %u answers", n_inbox);
    sg = (struct bpt_sg){out_buf, 5, 0};
    memcpy(bpt_ram(m, out_buf, 5), "12345", 5);
    eq_int(bpt_vq_do(queue(1), &sg, 1, NULL), 0,
           "bytes for the console that is not there are gone");
    eq_int(bpt_vq_do(queue(5), &sg, 1, NULL), 0, "the others live");
    eq_int(agent.n_out, 5, "and work");
    ok(!(bpt_virtio_status(dev) & 64), "no reset is needed");

    eq_int(bpt_virtio_setup(dev, UINT64_MAX, 8), 0, "a new driver");
    give_buffers(1, 7);
    say(0, CTL_READY, 1);
    ok(bpt_vq_get(queue(2), NULL) >= 0, "a buffer that is too short comes back");
    give_buffers(8, 128);
    ok(read_messages() == 1 && came(0, 2, CTL_ADD, 1, NULL),
       "its message is lost, the next is not");

    eq_int(bpt_virtio_setup(dev, UINT64_MAX & ~(1ull << F_MULTIPORT), 2), 0,
           "a driver that knows one port only");
    eq_int(bpt_vq_do(queue(1), &sg, 1, NULL), 0, "writes");
    finish();
}

/* What is under way when the machine stops is part of the state. */
static void
state(void)
{
    struct bpt_state *st;
    struct bpt_sg sg;
    uint64_t got = 0;

    if (!ok(ports_machine("chardev=con,ports=agent,ports=logger") == 0, "3 ports"))
        return;
    sg = (struct bpt_sg){bpt_alloc(m, 64, 64), 10, 0};
    memcpy(bpt_ram(m, sg.gpa, 10), "0123456789", 10);
    con.room = 3;
    bpt_vq_add(queue(1), &sg, 1, 0);
    bpt_vq_kick(queue(1));
    bpt_poll(m, 0);
    say(0, CTL_READY, 1);
    eq_int(bpt_quiesce(m), 0, "stop");
    eq_int(bpt_save(m, "c", &st), 0, "save");
    ok(bpt_state_get(st, "port.0", "transmitted", &got) == 0 && got == 3, "three bytes are gone");
    ok(bpt_state_get(st, "port.1", "messages", &got) == 0 && got != 0, "a message waits");
    eq_int(bpt_state_roundtrip(m, "c"), 0, "save, reset, load, save");
    bpt_state_put(st, "port.1", "messages", 1 << 20);
    ok(bpt_restore(m, "c", st) < 0, "an impossible message is refused");
    bpt_state_put(st, "port.1", "messages", 0);
    bpt_state_put(st, "port.2", "ready", 2);
    ok(bpt_restore(m, "c", st) < 0, "a flag of 2 is refused");
    bpt_state_put(st, "port.2", "ready", 0);
    bpt_state_put(st, "port.0", NULL, 9);
    ok(bpt_restore(m, "c", st) < 0, "another version is refused");
    bpt_state_put(st, "port.0", NULL, 1);
    bpt_state_put(st, "port.1", "messages", 1);
    eq_int(bpt_restore(m, "c", st), 0, "the same without these is taken");
    bpt_state_free(st);
    eq_int(bpt_start(m), 0, "on");
    con.room = 100;
    con.client->writable(con.client->user);
    ok(con.n_out == 10 && !memcmp(con.out, "0123456789", 10),
       "the rest goes out, and only the rest");
    give_buffers(8, 128);
    ok(read_messages() == 3 && came(1, 1, CTL_ADD, 1, NULL), "the messages come");

    con.room = 3;
    bpt_vq_add(queue(1), &sg, 1, 0);
    bpt_vq_kick(queue(1));
    bpt_poll(m, 0);
    eq_int(bpt_virtio_setup(dev, UINT64_MAX, 8), 0, "a reset in the middle of a chain");
    con.room = 100;
    con.n_out = 0;
    eq_int(bpt_vq_do(queue(1), &sg, 1, NULL), 0, "the next");
    eq_int(con.n_out, 10, "begins at its beginning");
    finish();
}

static void
bad_configs(void)
{
    ok(machine("cols=1") < 0 && strstr(bpt_error(m), "chardev"), "no port at all is refused: %s",
       bpt_error(m));
    eq_int(bpt_free(m), 0, "nothing is left of it");
    ok(machine("chardev=con,ports=con") < 0, "one back end twice is refused: %s", bpt_error(m));
    eq_int(bpt_free(m), 0, "nothing is left of it");
    ok(!con.client, "the back end is let go");
}

static void
failing_host(void)
{
    unsigned n, bad = 0;

    for (n = 1; n < 2000; n++) {
        int err, injected;

        fakes_reset();
        m = bpt_new(1 << 20, 0);
        bpt_provide(m, "con", BP_IF_CHAR, &fake_if, &con);
        bpt_provide(m, "agent", BP_IF_CHAR, &fake_if, &agent);
        bpt_inject(m, NULL, n, BP_E_NOMEM);
        err = bpt_load(m, "virtio-console", "c", "transport=mmio,chardev=con,ports=agent");
        if (!err)
            err = bpt_realize_all(m);
        injected = bpt_injected(m);
        bad += (bpt_free(m) != 0) + (con.client || agent.client);
        if (!injected) {
            bad += err != 0;
            break;
        }
    }
    eq_int(bad, 0, "a host that fails at any call");
    ok(n > 10 && n < 2000, "%u calls", n);
}

int
main(void)
{
    console();
    handshake();
    ports_data();
    misuse();
    state();
    bad_configs();
    failing_host();
    return done_testing();
}
