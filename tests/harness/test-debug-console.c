/* SPDX-License-Identifier: BSD-3-Clause */
/* debug-console: bytes to the back end, in order and together; one that is slow; one that is lost.
 */
#include "fake-char.h"
#include "tap.h"

static struct fake_char wire;

static struct bpt_machine *
machine(const char *props)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);

    memset(&wire, 0, sizeof wire);
    wire.allow = UINT64_MAX;
    if (bpt_provide(m, "wire", BP_IF_CHAR, &fake_char_if, &wire) ||
        bpt_load(m, "debug-console", "con", props) || bpt_realize_all(m) || bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    return m;
}

static void
say(struct bpt_machine *m, uint16_t port, const char *text)
{
    while (*text)
        bpt_out(m, port, 1, (uint8_t)*text++);
}

static void
test_bytes(void)
{
    struct bpt_machine *m = machine("chardev=wire");

    eq_int((int)bpt_in(m, 0x402, 1), 0xe9, "firmware finds the port");
    say(m, 0x402, "hello, ");
    say(m, 0x402, "world\n");
    eq_int((int)wire.writes, 0, "nothing is written while the guest waits");
    bpt_pump(m);
    ok(wire.out_n == 13 && memcmp(wire.out, "hello, world\n", 13) == 0, "the bytes arrive");
    eq_int((int)wire.writes, 1, "together");
    say(m, 0x402, "last words");
    ok(!bpt_quiesce(m) && wire.out_n == 23, "what is left goes out when the machine stops");
    eq_int((int)wire.faults, 0, "no rule is broken");
    eq_int(bpt_free(m), 0, "no problems");
    m = machine("chardev=wire,port=0xe9,readback=0x42");
    eq_int((int)bpt_in(m, 0xe9, 1), 0x42, "another port with another value");
    say(m, 0xe9, "x");
    bpt_pump(m);
    eq_int((int)wire.out_n, 1, "takes bytes");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_slow(void)
{
    struct bpt_machine *m = machine("chardev=wire");
    int same = 1;

    wire.allow = 3;
    for (int i = 0; i < 70000; i++)
        bpt_out(m, 0x402, 1, (uint32_t)i);
    eq_int((int)wire.out_n, 3, "a slow one takes what it can");
    wire.allow = UINT64_MAX;
    wire.stuck = 0;
    wire.client.writable(wire.client.user);
    eq_int((int)wire.out_n, 65536 + 3, "and then what the buffer has");
    for (int i = 0; i < 65536 + 3; i++)
        same = same && wire.out[i] == (uint8_t)i;
    ok(same, "in order");
    ok(bpt_logged(m, "4461 bytes"), "the rest is lost and the operator is told");
    say(m, 0x402, "more");
    bpt_pump(m);
    eq_int((int)wire.out_n, 65536 + 3 + 4, "it goes on");
    wire.allow = 1;
    say(m, 0x402, "end");
    ok(!bpt_quiesce(m), "one that is stuck does not keep the machine from stopping");
    wire.stuck = 0;
    eq_int(bpt_free(m), 0, "no problems");
    eq_int((int)wire.faults, 0, "no rule is broken");
}

static void
test_failures(void)
{
    int all = 1;

    for (uint64_t n = 1; n < 50; n++) {
        struct bpt_machine *m = bpt_new(1 << 20, 0);
        int hit;

        memset(&wire, 0, sizeof wire);
        bpt_provide(m, "wire", BP_IF_CHAR, &fake_char_if, &wire);
        bpt_load(m, "debug-console", "con", "chardev=wire");
        bpt_inject(m, "con", n, BP_E_NOMEM);
        (void)bpt_realize_all(m);
        hit = bpt_injected(m);
        bpt_inject(m, NULL, 0, 0);
        all = all && bpt_free(m) == 0 && !wire.client.receive;
        if (!hit)
            break;
    }
    ok(all, "every host call may fail");
}

int
main(void)
{
    test_bytes();
    test_slow();
    test_failures();
    return done_testing();
}
