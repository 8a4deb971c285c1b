/* SPDX-License-Identifier: BSD-3-Clause */
/* test-serial-life.c - the port in its machine: lines, platform, stop, reset, state, failures. */
#include "test-serial.h"

static void
test_modem_lines(void)
{
    begin("chardev=c0");
    out(IER, 0x08);
    be.up = 0;
    be.client.event(be.client.user, BP_CHAR_CLOSED);
    eq_int(irq(), 1, "a peer that leaves interrupts");
    eq_int(in(MSR), 0x0b, "DCD, DSR and CTS fall");
    eq_int(in(MSR), 0x00, "reading MSR clears the deltas");
    eq_int(irq(), 0, "... and the interrupt");
    be.client.event(be.client.user, BP_CHAR_CLOSED);
    eq_int(irq(), 0, "no change is no interrupt");
    be.up = 1;
    be.client.event(be.client.user, BP_CHAR_OPENED);
    eq_int(in(MSR), 0xbb, "a peer that comes raises them");
    end("modem lines");
}

static void
test_not_connected(void)
{
    int i;

    begin("");
    eq_int(in(MSR), 0, "without a back end no line is up");
    for (i = 0; i < 10000; i++)
        out(THR, 'x');
    eq_int(in(LSR), 0x60, "output to nowhere never waits");
    out(IER, 0x02);
    eq_int(in(IIR), 0x02, "... and interrupts as usual");
    eq_int(bpt_quiesce(m), 0, "such a port stops at once");
    eq_int(bpt_start(m), 0, "and starts again");
    end("no back end");
}

static void
test_two_ports(void)
{
    m = bpt_new(1 << 20, 0);
    memset(&be, 0, sizeof be);
    be.allow = UINT64_MAX;
    bpt_provide(m, "c0", BP_IF_CHAR, &fake_char_if, &be);
    bpt_load(m, "serial", "com1", "port=0x3f8,irq=4");
    bpt_load(m, "serial", "com3", "port=0x3e8,irq=4,chardev=c0");
    ok(!bpt_realize_all(m) && !bpt_start(m), "two ports may share an interrupt");
    bpt_out(m, 0x3f9, 1, 0x02);
    bpt_out(m, 0x3e9, 1, 0x02);
    bpt_in(m, 0x3fa, 1);
    eq_int(bpt_gsi(m, 4), 1, "the line is up while one of them wants it");
    bpt_in(m, 0x3ea, 1);
    eq_int(bpt_gsi(m, 4), 0, "and down when none does");
    ok(!bpt_free(m), "two ports: no rule of the SDK was broken");
}

static void
test_refusals(void)
{
    m = bpt_new(1 << 20, 0);
    ok(bpt_load(m, "serial", "a", "port=0xfff9") != 0, "ports beyond 0xffff are refused");
    ok(strstr(bpt_error(m), "0xfff9") != NULL, "... with a text that says so");
    ok(!bpt_load(m, "serial", "b", "port=0xfff8"), "the last eight ports are not");
    ok(bpt_load(m, "serial", "c", "port=0x10000") != 0, "nor is a port that does not exist");
    ok(!bpt_load(m, "serial", "d", "port=0xfff0,irq=5") && bpt_realize_all(m) == 0,
       "neighbours get along");
    ok(!bpt_load(m, "serial", "e", "port=0xfff4,irq=6") && bpt_realize(m, "e") == BP_E_BUSY,
       "overlapping ports are refused");
    bpt_free(m);

    m = bpt_new(1 << 20, 0);
    memset(&be, 0, sizeof be);
    bpt_provide(m, "c0", BP_IF_CHAR, &fake_char_if, &be);
    bpt_load(m, "serial", "com1", "chardev=c0");
    bpt_load(m, "serial", "com2", "port=0x2f8,irq=3,chardev=c0");
    eq_int(bpt_realize_all(m), BP_E_BUSY, "one back end serves one device");
    ok(strstr(bpt_error(m), "'c0' already") != NULL, "... and the text names it");
    bpt_free(m);
    ok(!be.client.receive, "a device that goes detaches");
}

static void
test_hidden_services(void)
{
    static const char *const iface[] = {BP_IF_IO, BP_IF_IRQ, BP_IF_EVENT};
    unsigned i;

    for (i = 0; i < 3; i++) {
        m = bpt_new(1 << 20, 0);
        bpt_hide(m, iface[i]);
        ok(!bpt_load(m, "serial", "com1", "") && bpt_realize_all(m) == BP_E_NOTSUP,
           "a host without %s is refused", iface[i]);
        bpt_free(m);
    }
}

static struct {
    char name[5], hid[8];
    uint64_t uid, port, gsi;
    unsigned n;
} node;

static int
acpi_device(void *self, const struct bp_acpi_device *dev)
{
    uint32_t i;

    (void)self;
    node.n++;
    node.uid = dev->uid;
    snprintf(node.name, sizeof node.name, "%s", dev->name);
    snprintf(node.hid, sizeof node.hid, "%s", dev->hid);
    for (i = 0; i < dev->n_res; i++) {
        if (dev->res[i].kind == BP_ACPI_IO && dev->res[i].len == 8)
            node.port = dev->res[i].base;
        if (dev->res[i].kind == BP_ACPI_IRQ)
            node.gsi = dev->res[i].base;
    }
    return 0;
}

static void
test_acpi(void)
{
    static const struct bp_acpi_if acpi = {.size = sizeof acpi, .device = acpi_device};
    static const struct {
        const char *props, *name;
        uint64_t uid, port, gsi;
    } t[] = {
        {"port=0x3f8,irq=4", "COM1", 1, 0x3f8, 4},      {"port=0x2f8,irq=3", "COM2", 2, 0x2f8, 3},
        {"port=0x3e8,irq=4", "COM3", 3, 0x3e8, 4},      {"port=0x2e8,irq=3", "COM4", 4, 0x2e8, 3},
        {"port=0x1000,irq=9", "UR", 0x1000, 0x1000, 9},
    };
    unsigned i;

    for (i = 0; i < sizeof t / sizeof *t; i++) {
        memset(&node, 0, sizeof node);
        m = bpt_new(1 << 20, 0);
        bpt_provide(m, "acpi", BP_IF_ACPI, &acpi, NULL);
        bpt_load(m, "serial", "com", t[i].props);
        bpt_realize_all(m);
        ok(node.n == 1 && !strcmp(node.hid, "PNP0501") && !strcmp(node.name, t[i].name) &&
               node.uid == t[i].uid && node.port == t[i].port && node.gsi == t[i].gsi,
           "ACPI: %s is PNP0501 %s with its port and interrupt", t[i].props, t[i].name);
        bpt_free(m);
    }
}

static void
test_quiesce(void)
{
    int i;

    begin("chardev=c0");
    for (i = 0; i < 100; i++)
        out(THR, 'x');
    eq_int(bpt_quiesce(m), 0, "stopping");
    eq_int(be.out_n, 100, "... hands on what was written");
    be.ready = 1;
    eq_int(fake_send(&be, "a", 1), 0, "a stopped port takes no input");
    eq_int(bpt_start(m), 0, "starting again");
    eq_int(be.ready, 1, "asks for input");
    eq_int(fake_send(&be, "a", 1), 1, "... and takes it");
    eq_int(in(RBR), 'a', "and gives it to the guest");
    be.up = 0;
    bpt_quiesce(m);
    be.client.event(be.client.user, BP_CHAR_CLOSED);
    bpt_start(m);
    eq_int(in(MSR), 0x0b, "what happened to the lines meanwhile is noticed");
    out(THR, 'y');
    end("quiesce");
    ok(be.out_n == 101 && be.out[100] == 'y', "the end of the machine hands on the last byte");
}

static void
test_stuck_at_stop(void)
{
    int i;

    begin("chardev=c0");
    bpt_clock_runs(m);
    fake_let(&be, 10);
    for (i = 0; i < 100; i++)
        out(THR, (uint32_t)i);
    eq_int(bpt_quiesce(m), 0, "a back end that takes nothing does not hold up a stop for ever");
    eq_int(bpt_start(m), 0, "... the machine goes on");
    fake_let(&be, UINT64_MAX);
    for (i = 0; i < (int)be.out_n && be.out[i] == i; i++)
        ;
    eq_int(i, 100, "... and nothing was lost");
    end("stuck at stop");
}

static void
test_machine_reset(void)
{
    int i;

    begin("chardev=c0");
    out(LCR, 0x80);
    out(DLL, 12);
    out(LCR, 0x1b);
    out(FCR, 0xc1);
    out(MCR, 0x0b);
    out(SCR, 0x77);
    out(IER, 0x0f);
    fake_send(&be, "abc", 3);
    bpt_advance(m, 100 * MS);
    for (i = 0; i < 5; i++)
        out(THR, 'x');
    fake_send(&be, "defghijklmnop", 13);
    be.client.event(be.client.user, BP_CHAR_BREAK);
    be.up = 0;
    eq_int(irq(), 1, "a busy port");
    eq_int(bpt_reset(m), 0, "is reset");
    eq_int(irq(), 0, "its line is low");
    eq_int(in(IER) | in(MCR) | in(SCR) | in(LCR), 0, "its registers are 0");
    eq_int(in(LSR), 0x60, "its FIFOs are empty");
    eq_int(in(IIR), 0x01, "and off");
    eq_int(in(MSR), 0, "there are no deltas");
    out(LCR, 0x80);
    eq_int(in(DLL) | in(DLM) << 8, 1, "the divisor is 1");
    out(LCR, 0x00);
    out(IER, 0x01);
    eq_int(irq(), 0, "the timeout is gone");
    out(IER, 0x00);
    eq_int(be.out_n, 5, "what was written before came out");
    out(THR, 'y');
    flush();
    eq_int(be.out_n, 6, "and it works");
    eq_int(be.ready, 1, "both ways");
    end("machine reset");
}

static void
test_state(void)
{
    static const struct {
        const char *key;
        uint64_t good, bad;
    } value[] = {
        {"ier", 0x0d, 0x10},     {"fcr", 0xc9, 0xcb},       {"fcr", 0xc1, 0xc0},
        {"lcr", 0x5b, 0x100},    {"mcr", 0x0b, 0x20},       {"scr", 0xa5, 0x1a5},
        {"errors", 0x1a, 0x01},  {"divisor", 384, 0x10000}, {"msr", 0x9b, 0x100},
        {"pins", 0x90, 0x9f},    {"thre-pending", 1, 2},    {"timeout", 1, 2},
        {"pins", 0xb0, 0x100b0},
    };
    struct bpt_state *a = NULL, *b = NULL;
    uint64_t v;
    int i;

    begin("chardev=c0");
    out(LCR, 0x83);
    out(DLL, 0x0c);
    out(LCR, 0x03);
    out(FCR, 0x81);
    out(MCR, 0x0b);
    out(SCR, 0x42);
    out(IER, 0x0f);
    fake_send(&be, "abc", 3);
    be.client.event(be.client.user, BP_CHAR_BREAK);
    bpt_advance(m, 100 * MS);
    eq_int(in(IIR), 0xcc, "a port with something in most corners");
    eq_int(bpt_state_roundtrip(m, "com1"), 0, "save, reset, load, save gives the same");
    eq_int(in(IIR), 0xcc, "the timeout is still pending");
    eq_int(in(SCR), 0x42, "registers are as before");
    eq_int(in(LSR), 0xe1, "so is LSR");
    ok(in(RBR) == 'a' && in(RBR) == 'b' && in(RBR) == 'c', "so is the receiver");
    eq_int(in(LSR)&0x18, 0x18, "with the break in it");

    bpt_quiesce(m);
    ok(!bpt_save(m, "com1", &a), "a state");
    bpt_state_put_blob(a, "line", "sent", "0123", 4);
    bpt_state_put_blob(a, "uart", "tx", "456789", 6);
    ok(!bpt_restore(m, "com1", a) && !bpt_save(m, "com1", &b) && bpt_state_equal(a, b),
       "with output that waits is taken over");
    bpt_start(m);
    flush();
    ok(be.out_n == 10 && !memcmp(be.out, "0123456789", 10), "and all of it comes out");
    bpt_state_put_blob(a, "uart", "tx", "", 0);
    bpt_quiesce(m);
    bpt_restore(m, "com1", a);
    bpt_start(m);
    eq_int(be.out_n, 14, "also when only the line has some");
    bpt_quiesce(m);
    bpt_restore(m, "com1", a);
    be.out_n = 0;
    bpt_state_free(a);
    bpt_state_free(b);
    end("state");
    eq_int(be.out_n, 4, "and when the machine does not run again");

    begin("chardev=c0");
    bpt_quiesce(m);
    bpt_save(m, "com1", &a);
    for (i = 0; i < (int)(sizeof value / sizeof *value); i++)
        bpt_state_put(a, "uart", value[i].key, value[i].good);
    bpt_state_put_blob(a, "uart", "rx", "0123456789abcdef", 16);
    bpt_state_put_blob(a, "uart", "rx-errors", "\0\4\x18\0\0\0\0\0\0\0\0\0\0\0\0\10", 16);
    bpt_state_put(a, "line", "break-in", 1);
    bpt_state_put(a, "line", "break-out", 1);
    ok(!bpt_restore(m, "com1", a) && !bpt_save(m, "com1", &b) && bpt_state_equal(a, b),
       "every value is taken over");
    bpt_state_free(b);
    for (i = 0; i < (int)(sizeof value / sizeof *value); i++) {
        bpt_state_put(a, "uart", value[i].key, value[i].bad);
        ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "%s = 0x%llx is refused", value[i].key,
           (unsigned long long)value[i].bad);
        bpt_state_put(a, "uart", value[i].key, value[i].good);
    }
    bpt_state_put_blob(a, "uart", "rx", "abc", 3);
    bpt_state_put_blob(a, "uart", "rx-errors", "\0\4", 2);
    ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "error flags of another number are refused");
    bpt_state_put_blob(a, "uart", "rx-errors", "\0\4\1", 3);
    ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "error flags that are none are refused");
    bpt_state_put_blob(a, "uart", "rx-errors", "", 0);
    bpt_state_put_blob(a, "uart", "rx", "", 0);
    ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "a timeout of nothing is refused");
    bpt_state_put(a, "uart", "timeout", 0);
    bpt_state_put(a, "uart", "fcr", 0);
    ok(bpt_restore(m, "com1", a) == 0, "a port without FIFOs");
    bpt_state_put_blob(a, "uart", "tx", "ab", 2);
    ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "... has room for one byte to send");
    bpt_state_put_blob(a, "uart", "tx", "a", 1);
    bpt_state_put_blob(a, "uart", "rx", "ab", 2);
    bpt_state_put_blob(a, "uart", "rx-errors", "\0\0", 2);
    ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "... and for one received");
    bpt_state_free(a);
    a = b = NULL;
    be.allow = UINT64_MAX;
    bpt_start(m);
    flush();

    bpt_quiesce(m);
    ok(!bpt_save(m, "com1", &a) && !bpt_save(m, "com1", &b) && bpt_state_equal(a, b),
       "saving twice gives the same");
    for (i = 0; i < 300; i++) {
        static const char *const key[] = {"ier",    "fcr",  "lcr",          "mcr",    "scr",
                                          "errors", "pins", "thre-pending", "timeout"};

        bpt_state_put(b, "uart", key[i % 9], (uint64_t)i << (i % 40));
        if (bpt_restore(m, "com1", b) == 0)
            in(LSR);
    }
    bpt_state_put_blob(b, "uart", "rx", "0123456789abcdefX", 17);
    ok(bpt_restore(m, "com1", b) != 0, "a FIFO of 17 bytes is refused");
    eq_int(bpt_restore(m, "com1", a), 0, "a good state is still taken");
    bpt_state_put(a, "uart", NULL, 2);
    ok(bpt_restore(m, "com1", a) != 0, "a newer version is refused");
    bpt_state_put(a, "uart", NULL, 1);
    bpt_state_remove(a, "uart", "scr");
    ok(!bpt_restore(m, "com1", a) && in(SCR) == 0, "a missing key is the reset value");
    bpt_state_put(a, "uart", "msr", 0x100);
    eq_int(bpt_restore(m, "com1", a), BP_E_INVAL, "a value out of range is refused");
    ok(bpt_state_get(a, "uart", "msr", &v) == 0 && v == 0x100, "(it was in the state)");
    bpt_state_free(a);
    bpt_state_free(b);
    end("state");
}

static void
test_failing_host(void)
{
    uint64_t n;
    int started = 0;

    for (n = 1; n < 100 && !started; n++) {
        memset(&be, 0, sizeof be);
        be.allow = UINT64_MAX;
        m = bpt_new(1 << 20, 0);
        bpt_provide(m, "c0", BP_IF_CHAR, &fake_char_if, &be);
        bpt_inject(m, "com1", n, BP_E_NOMEM);
        if (!bpt_load(m, "serial", "com1", "chardev=c0") && !bpt_realize_all(m)) {
            started = !bpt_injected(m);
            bpt_start(m);
        }
        if (bpt_free(m))
            break;
    }
    ok(started, "every host call may fail once (%d calls)", (int)n - 2);
}

/* A back end may keep the pointer that it was given. */
static void
test_client_stays(void)
{
    begin("port=0x3f8,irq=4,chardev=c0");
    out(3, 3);
    out(0, 'x');
    flush();
    ok(be.given && memcmp(be.given, &be.client, sizeof be.client) == 0,
       "what it attached is still where it was");
    end("the client");
}

int
main(void)
{
    test_client_stays();
    test_modem_lines();
    test_not_connected();
    test_two_ports();
    test_refusals();
    test_hidden_services();
    test_acpi();
    test_quiesce();
    test_stuck_at_stop();
    test_machine_reset();
    test_state();
    test_failing_host();
    return done_testing();
}
