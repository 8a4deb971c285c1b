/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts without a VM, as `check` has them: who may use which GSI, and the state of messages.
 * Delivery is tested with a guest, in tests/kvm.
 */
#include "core/kvm/irq.h"

#include <errno.h>
#include <glib.h>
#include <unistd.h>

#include "core/kvm/vm.h"
#include "tests/tap.h"

static void
test_lines(void)
{
    struct irq_router *router = irq_router_new(NULL);
    struct irq *edge = NULL, *a = NULL, *b = NULL, *none = NULL;
    int trigger = -1, resample = -1;

    eq_int(irq_line_new(router, "com1: irq", 4, BP_IRQ_EDGE, &edge), 0, "an edge line");
    eq_int(irq_gsi(edge), 4, "knows its GSI");
    eq_int(irq_line_new(router, "x", 4, BP_IRQ_EDGE, &none), -EBUSY,
           "not shared with an edge line");
    eq_int(irq_line_new(router, "x", 4, BP_IRQ_LEVEL, &none), -EBUSY, "nor with a level line");
    eq_str(irq_gsi_owner(router, 4), "com1: irq", "the owner is named");
    eq_int(irq_line_new(router, "a", 11, BP_IRQ_LEVEL, &a), 0, "a level line");
    eq_int(irq_line_new(router, "x", 11, BP_IRQ_EDGE, &none), -EBUSY, "not shared by an edge line");
    eq_int(irq_line_new(router, "b", 11, BP_IRQ_LEVEL, &b), 0, "shared by a level line");
    eq_int(irq_line_new(router, "x", 0, BP_IRQ_EDGE, &none), -ERANGE, "the timer's is KVM's");
    eq_int(irq_line_new(router, "x", 2, BP_IRQ_LEVEL, &none), -ERANGE, "the cascade too");
    ok(irq_gsi_owner(router, 0) && irq_gsi_owner(router, 2), "and says so");
    eq_int(irq_line_new(router, "x", 24, BP_IRQ_LEVEL, &none), -ERANGE, "no such pin");
    eq_int(irq_line_new(router, "x", 5, 7, &none), -EINVAL, "no such kind");
    ok(none == NULL, "nothing is given back on failure");
    ok(irq_gsi_owner(router, 5) == NULL && irq_gsi_owner(router, 99) == NULL, "free, or not there");
    eq_int(irq_level(a, true), 0, "assert");
    eq_int(irq_level(a, true), 0, "again");
    eq_int(irq_raise(edge), 0, "pulse");
    eq_int(irq_raise(a), -EINVAL, "a level line has no pulse");
    eq_int(irq_msi_set(a, 0, 0, false), -EINVAL, "nor an address");
    eq_int(irq_msi_pending(a), -EINVAL, "nor is it pending");
    eq_int(irq_as_fd(a, &trigger, NULL), -EINVAL, "its resample must be taken");
    eq_int(irq_as_fd(a, &trigger, &resample), 0, "eventfds");
    ok(trigger >= 0 && resample >= 0 && trigger != resample, "both");
    close(trigger);
    close(resample);
    irq_router_reset(router);
    irq_free(edge);
    ok(irq_gsi_owner(router, 4) == NULL, "freed: its GSI is free");
    irq_free(a);
    eq_str(irq_gsi_owner(router, 11), "b", "the other keeps theirs");
    irq_free(b);
    irq_free(NULL);
    irq_router_free(router);
}

static void
test_auto(void)
{
    struct irq_router *router = irq_router_new(NULL);
    struct irq *irqs[40];
    unsigned used[VM_GSIS] = {0}, n = 0, least = 99, most = 0;

    for (; n < 16; n++) {
        if (irq_line_new(router, "auto", BP_IRQ_AUTO, BP_IRQ_LEVEL, &irqs[n]))
            g_error("auto");
        used[irq_gsi(irqs[n])]++;
    }
    for (unsigned i = 16; i < VM_GSIS; i++) {
        least = MIN(least, used[i]);
        most = MAX(most, used[i]);
    }
    ok(least == 2 && most == 2, "level lines are spread evenly over 16 to 23");
    for (unsigned i = 0; i < 3; i++, n++)
        if (irq_line_new(router, "edge", BP_IRQ_AUTO, BP_IRQ_EDGE, &irqs[n]))
            g_error("auto edge");
    eq_int(irq_gsi(irqs[16]), 10, "an edge line gets one of its own");
    eq_int(irq_gsi(irqs[18]), 5, "as long as there is one");
    eq_int(irq_line_new(router, "edge", BP_IRQ_AUTO, BP_IRQ_EDGE, &irqs[n]), -EBUSY, "then not");
    while (n)
        irq_free(irqs[--n]);
    eq_int(irq_line_new(router, "edge", BP_IRQ_AUTO, BP_IRQ_EDGE, &irqs[0]), 0, "all free again");
    eq_int(irq_gsi(irqs[0]), 16, "an edge line may have one of the first choice");
    eq_int(irq_line_new(router, "level", BP_IRQ_AUTO, BP_IRQ_LEVEL, &irqs[1]), 0, "a level line");
    eq_int(irq_gsi(irqs[1]), 17, "keeps off it");
    irq_free(irqs[0]);
    irq_free(irqs[1]);
    irq_router_free(router);
}

static void
test_messages(void)
{
    struct irq_router *router = irq_router_new(NULL);
    struct irq *msi, *many[3];
    const uint64_t one = 1;
    int fd = -1, none = 3;

    eq_int(irq_msi_new(router, "disk0: vector 0", 0, &msi), 0, "a message");
    eq_int(irq_gsi(msi), -EINVAL, "has no GSI");
    eq_int(irq_level(msi, true), -EINVAL, "and no level");
    eq_int(irq_raise(msi), 0, "is masked at first");
    eq_int(irq_msi_pending(msi), 1, "so it is pending");
    eq_int(irq_msi_set(msi, 0xfee00000, 0x41, true), 0, "programmed while masked");
    eq_int(irq_msi_pending(msi), 1, "still");
    eq_int(irq_msi_set(msi, 0xfee00000, 0x41, false), 0, "unmasked");
    eq_int(irq_msi_pending(msi), 0, "sent");
    eq_int(irq_raise(msi), 0, "raised");
    eq_int(irq_msi_pending(msi), 0, "is not pending then");
    irq_router_reset(router);
    irq_raise(msi);
    eq_int(irq_msi_pending(msi), 1, "after a reset it is masked");
    irq_router_reset(router);
    eq_int(irq_msi_pending(msi), 0, "and nothing pending");

    ok(irq_as_fd(msi, &fd, &none) == 0 && none == -1, "an eventfd, no resample");
    if (write(fd, &one, sizeof one) != sizeof one)
        g_error("write");
    eq_int(irq_msi_pending(msi), 1, "written while masked: pending");
    irq_router_reset(router);
    eq_int(irq_msi_pending(msi), 0, "a reset forgets it");
    eq_int(irq_msi_set(msi, 0xfee00000, 0x41, false), 0, "unmasked with an eventfd");
    eq_int(irq_msi_set(msi, 0xfee01000, 0x42, false), 0, "changed");
    eq_int(irq_msi_set(msi, 0xfee01000, 0x42, true), 0, "masked");
    for (unsigned i = 0; i < 3; i++) {
        int other;

        if (irq_msi_new(router, "m", i, &many[i]) || irq_as_fd(many[i], &other, NULL) ||
            irq_msi_set(many[i], 0xfee00000, i, false))
            g_error("many");
        close(other);
    }
    irq_free(many[1]);
    ok(1, "routes come and go");
    irq_free(many[0]);
    irq_free(many[2]);
    irq_free(msi);
    close(fd);
    irq_router_free(router);
}

int
main(void)
{
    test_lines();
    test_auto();
    test_messages();
    return done_testing();
}
