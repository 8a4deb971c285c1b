/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interrupt pin of a function between two threads, one step at a time: the host's level() is
 * the test's own, and lets the other side come in between the decision and the line.
 */
#include "plugins/pci/pci.h"
#include "tap.h"

#include <string.h>

/* What function.c needs of the rest of the plugin. */
void
pci_config_init(struct pci_fn *fn, uint32_t off, const void *data, const void *writable,
                uint32_t len)
{
    memcpy(fn->config + off, data, len);
    if (writable)
        memcpy(fn->writable + off, writable, len);
}

void
pci_msix_free(struct pci_msix *msix)
{
    (void)msix;
}

static struct pci_fn *fn;
static uint32_t line, calls;
static void (*between)(void); /* runs once, inside the next level() and before its effect */

static int
pin_level(bp_inst inst, bp_irq irq, uint32_t on)
{
    void (*other)(void) = between;

    (void)inst, (void)irq;
    calls++;
    between = NULL;
    if (other)
        other();
    line = on;
    return 0;
}

static void
disable(uint32_t on)
{
    pci_put16(fn->config + PCI_COMMAND, on ? PCI_COMMAND_INTX_DISABLE : 0);
    pci_function_update(fn);
}

static void
driver_disables(void)
{
    disable(1);
}

static void
driver_enables(void)
{
    disable(0);
}

static void
device_asserts(void)
{
    pci_function_intx(fn, true);
}

static void
device_lets_go(void)
{
    pci_function_intx(fn, false);
}

static void
meet(void (*first)(void), void (*second)(void), uint32_t want, const char *what)
{
    between = second;
    first();
    eq_int(line, want, what);
}

int
main(void)
{
    static const struct bp_irq_if irq = {.size = sizeof irq, .level = pin_level};
    struct pci_bus bus = {.irq = &irq, .n_gsis = 8};
    const struct bp_pci_function desc = {.size = sizeof desc, .intx_pin = 1};

    fn = pci_function_new(&bus, (bp_inst){1}, 8, &desc);
    fn->has_line = true;

    meet(device_asserts, driver_disables, 0, "asserting meets disabling");
    device_lets_go();
    driver_enables();
    eq_int(line, 0, "let go and enabled");
    device_asserts();
    meet(driver_disables, device_lets_go, 0, "disabling meets letting go");
    device_asserts();
    meet(driver_enables, device_lets_go, 0, "enabling meets letting go");
    device_asserts();
    driver_disables();
    meet(driver_enables, driver_disables, 0, "enabling meets disabling");
    driver_enables();
    eq_int(line, 1, "asserted and enabled");
    meet(device_lets_go, device_asserts, 1, "letting go meets asserting");
    calls = 0;
    device_asserts();
    driver_enables();
    eq_int(calls, 0, "nothing new costs nothing");
    pci_function_free(fn);
    return done_testing();
}
