/* SPDX-License-Identifier: BSD-3-Clause */
/* test-isa-scratch.c - the example on the fake host: what a test of a plugin looks like. */
#include <stdio.h>

#include <backplane/test.h>

static int failed;

static void
check(int good, const char *what)
{
    printf("%s - %s\n", good ? "ok" : "not ok", what);
    failed |= !good;
}

int
main(void)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);

    check(bpt_load(m, "isa-scratch", "s0", "irq=99") == BP_E_RANGE, "a bad property is refused");
    check(bpt_load(m, "isa-scratch", "s0", "port=0x300,irq=5") == 0, "it is created");
    check(bpt_realize_all(m) == 0 && bpt_start(m) == 0, "it starts");

    bpt_out(m, 0x300, 1, 0x5a);
    check(bpt_in(m, 0x300, 1) == 0x5a && !bpt_gsi(m, 5), "it keeps a byte");
    bpt_out(m, 0x300, 1, 0xff);
    check(bpt_gsi(m, 5), "0xff interrupts");
    check(bpt_state_roundtrip(m, "s0") == 0 && bpt_in(m, 0x300, 1) == 0xff && bpt_gsi(m, 5),
          "its state survives save and load");
    check(bpt_reset(m) == 0 && bpt_in(m, 0x300, 1) == 0 && !bpt_gsi(m, 5), "a reset clears it");
    check(bpt_free(m) == 0, "it broke no rule of the SDK");
    return failed;
}
