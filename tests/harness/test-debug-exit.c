/* SPDX-License-Identifier: BSD-3-Clause */
/* debug-exit: a write of v ends the program with (v << 1) | 1, whatever its width. */
#include <backplane/test.h>

#include "tap.h"

static struct bpt_machine *
machine(const char *props)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);

    ok(!bpt_load(m, "debug-exit", "exit", props), "loads with \"%s\"", props);
    ok(!bpt_realize_all(m) && !bpt_start(m), "starts");
    return m;
}

static void
expect(struct bpt_machine *m, uint16_t port, uint32_t width, uint32_t val, uint32_t status)
{
    uint32_t arg = 0;

    bpt_out(m, port, width, val);
    ok(bpt_requested(m, &arg) == BP_REQ_EXIT && arg == status,
       "port 0x%x, %u bytes: 0x%x gives status %u", port, width, val, status);
}

static void
test_default(void)
{
    struct bpt_machine *m = machine("");

    expect(m, 0xf4, 1, 0, 1);
    expect(m, 0xf4, 1, 0x10, 33);
    expect(m, 0xf4, 2, 3, 7);
    expect(m, 0xf4, 4, 0x7f, 255);
    expect(m, 0xf4, 4, 0xffffffff, 255);
    expect(m, 0xf4, 4, 0x80, 1);
    expect(m, 0xf6, 1, 2, 5);
    eq_int(bpt_in(m, 0xf4, 4), 0, "reads as zero");
    bpt_out(m, 0xf8, 1, 1);
    eq_int(bpt_requested(m, NULL), 0, "the port after it is not its own");
    ok(!bpt_reset(m), "resets");
    expect(m, 0xf4, 1, 1, 3);
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_properties(void)
{
    struct bpt_machine *m = machine("port=0x501,width=1");

    bpt_out(m, 0xf4, 1, 1);
    bpt_out(m, 0x502, 1, 1);
    eq_int(bpt_requested(m, NULL), 0, "no other port ends anything");
    expect(m, 0x501, 1, 5, 11);
    expect(m, 0x501, 4, 0x105, 11);
    eq_int(bpt_free(m), 0, "no problems");

    m = bpt_new(1 << 20, 0);
    ok(bpt_load(m, "debug-exit", "exit", "width=5") == BP_E_INVAL ||
           bpt_load(m, "debug-exit", "exit", "width=5") == BP_E_RANGE,
       "five ports are refused");
    bpt_free(m);
}

static void
test_failing_host(void)
{
    int failed = 1;

    for (uint64_t n = 1; failed && n < 100; n++) {
        struct bpt_machine *m = bpt_new(1 << 20, 0);

        bpt_inject(m, NULL, n, BP_E_NOMEM);
        failed = bpt_load(m, "debug-exit", "exit", "") || bpt_realize_all(m);
        if (!!failed != !!bpt_injected(m))
            ok(0, "host call %u fails and the device does not notice", (unsigned)n);
        if (bpt_free(m))
            ok(0, "a problem after the failure of host call %u", (unsigned)n);
    }
    ok(!failed, "any host call may fail");
}

int
main(void)
{
    test_default();
    test_properties();
    test_failing_host();
    return done_testing();
}
