/* SPDX-License-Identifier: BSD-3-Clause */
/* pci: the ways into configuration space, headers, capabilities, windows, who sits where. */
#include "test-pci.h"

#define DEVFN(slot, function) ((uint32_t)((slot) << 3 | (function)))

static uint32_t cap_a, cap_b;

static int
setup_full(struct pcidev *d)
{
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7}, mask[] = {0, 0xff, 0x0f, 0, 0, 0, 0};
    int err;

    if ((err = pcidev_add(d, 4, 0, 2)) ||
        (err = d->bus->capability(d->bus_self, d->fn, 0x09, data, mask, sizeof data, &cap_a)) ||
        (err = d->bus->capability(d->bus_self, d->fn, 0x0b, data, NULL, 2, &cap_b)))
        return err;
    return d->bus->window(d->bus_self, d->fn, 0x80, 12, pcidev_region(d, BP_REGION_BUS, 12));
}

static void
test_bridge(void)
{
    struct bpt_machine *m = pci_machine("");

    ok(!bpt_realize_all(m) && !bpt_start(m), "a bus without devices");
    eq_int(cfg_read(m, 0, 0, 4), 0x00081b36, "a host bridge sits at 00:00.0");
    eq_int(cfg_read(m, 0, 0x0a, 2), 0x0600, "of its class");
    eq_int(cfg_read(m, 0, 0x0e, 1), 0, "with a plain header");
    for (uint32_t devfn = 1; devfn < 256; devfn++)
        if (cfg_read(m, devfn, 0, 4) != 0xffffffff)
            ok(0, "something at %u.%u", devfn >> 3, devfn & 7);
    eq_int(cfg_read(m, 0x100, 0, 4), 0xffffffff, "there is no bus 1");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_ports(void)
{
    struct bpt_machine *m = pci_machine("");

    ok(!bpt_realize_all(m) && !bpt_start(m), "starts");
    bpt_out(m, 0xcf8, 4, 0xffffffff);
    eq_int(bpt_in(m, 0xcf8, 4), 0x80fffffc, "the address register has its bits");
    bpt_out(m, 0xcf8, 4, 0x80000000);
    bpt_out(m, 0xcfb, 1, 1);
    bpt_out(m, 0xcf8, 2, 0x1234);
    eq_int(bpt_in(m, 0xcf8, 4), 0x80000000, "and is written by double words only");
    eq_int(bpt_in(m, 0xcf8, 2), 0xffff, "and read so");
    eq_int(bpt_in(m, 0xcfc, 1), 0x36, "data by bytes");
    eq_int(bpt_in(m, 0xcfd, 1), 0x1b, "of the double word");
    eq_int(bpt_in(m, 0xcfe, 2), 0x0008, "by words");
    eq_int(bpt_in(m, 0xcfd, 2), 0x081b, "unaligned too");
    bpt_out(m, 0xcf8, 4, 0);
    eq_int(bpt_in(m, 0xcfc, 4), 0xffffffff, "nothing without the enable bit");

    /* What a kernel does to find mechanism 1. */
    bpt_out(m, 0xcfb, 1, 1);
    bpt_out(m, 0xcf8, 4, 0x80000000);
    ok(bpt_in(m, 0xcf8, 4) == 0x80000000, "a probe for mechanism 1 finds it");

    eq_int(bpt_in(m, 0xcf9, 1), 0, "the reset control register");
    bpt_out(m, 0xcf9, 1, 0x02);
    eq_int(bpt_requested(m, NULL), 0, "the kind of reset alone does nothing");
    eq_int(bpt_in(m, 0xcf9, 1), 2, "and is kept");
    bpt_out(m, 0xcf9, 1, 0x06);
    eq_int(bpt_requested(m, NULL), BP_REQ_RESET, "the reset bit resets");
    bpt_out(m, 0xcf9, 1, 0x06);
    eq_int(bpt_requested(m, NULL), 0, "once for each edge");
    ok(!bpt_reset(m) && bpt_in(m, 0xcf9, 1) == 0 && bpt_in(m, 0xcf8, 4) == 0,
       "a reset clears both registers");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_no_ports(void)
{
    struct bpt_machine *m = pci_machine("ports=false");

    ok(!bpt_realize_all(m) && !bpt_start(m), "starts without the ports");
    bpt_out(m, 0xcf8, 4, 0x80000000);
    eq_int(bpt_in(m, 0xcf8, 4), 0xffffffff, "a probe for mechanism 1 does not find it");
    eq_int(bpt_in(m, 0xcfc, 4), 0xffffffff, "nor data");
    eq_int(bpt_mmio_read(m, ecam_at(m, 0, 0), 4), 0x00081b36, "the window has it all");
    bpt_out(m, 0xcf8, 4, 0x80000600);
    eq_int(bpt_requested(m, NULL), 0, "nor does looking for devices reset");
    eq_int(bpt_in(m, 0xcf9, 1), 0, "the reset control register is there");
    bpt_out(m, 0xcf9, 1, 0x06);
    eq_int(bpt_requested(m, NULL), BP_REQ_RESET, "and resets");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_ecam(void)
{
    struct bpt_machine *m = pci_machine("");
    uint64_t base, len = 0, at = 0, r_base, r_len;
    uint32_t type;

    pci_device(m, "dev", setup_full);
    ok(!bpt_start(m), "starts");
    base = ecam_at(m, 0, 0);
    for (unsigned i = 0; bpt_reserved(m, i, &r_base, &r_len, &type); i++)
        if (r_base == base && type == BP_E820_RESERVED)
            at = r_base, len = r_len;
    ok(at == base && len == 1 << 20, "the window is reserved in the memory map");
    eq_int(bpt_mmio_read(m, base, 4), 0x00081b36, "it reads the bridge");
    eq_int(bpt_mmio_read(m, ecam_at(m, DEVFN(4, 0), 2), 2), 0x5678, "a device by words");
    eq_int(bpt_mmio_read(m, ecam_at(m, DEVFN(4, 0), 9), 1), 4, "by bytes");
    ok(bpt_mmio_read(m, ecam_at(m, DEVFN(4, 0), 0), 8) ==
           (0x56781234 | (uint64_t)cfg_read(m, DEVFN(4, 0), 4, 4) << 32),
       "by quad words");
    ok(bpt_mmio_read(m, ecam_at(m, DEVFN(5, 0), 0), 8) == UINT64_MAX, "nothing where nobody is");
    eq_int(bpt_mmio_read(m, ecam_at(m, DEVFN(4, 0), 0x100), 4), 0, "no extended capabilities");
    bpt_mmio_write(m, ecam_at(m, DEVFN(4, 0), 0xffc), 4, 1);
    eq_int((int64_t)bpt_mmio_read(m, ecam_at(m, DEVFN(4, 0), 0xffe), 4), 0xffffffff,
           "no access over a function's end");
    bpt_mmio_write(m, ecam_at(m, DEVFN(4, 0), 0x3c), 1, 0x55);
    eq_int(cfg_read(m, DEVFN(4, 0), 0x3c, 1), 0x55, "writes arrive");
    eq_int(bpt_free(m), 0, "no problems");

    m = pci_machine("ecam=false");
    ok(!bpt_realize_all(m) && !bpt_start(m) && bpt_where(m, "pci", "ecam") == BP_IO_NOWHERE,
       "it can be left out");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_header(void)
{
    static const uint32_t want[] = {0x56781234, 0, 0x02030405, 0,          0, 0, 0, 0,
                                    0,          0, 0,          0xdef09abc, 0, 0, 0, 0};
    struct bpt_machine *m = pci_machine("");
    uint32_t devfn = DEVFN(4, 0);
    int good = 1;

    pci_device(m, "dev", setup_full);
    ok(!bpt_start(m), "starts");
    for (uint32_t i = 0; i < 11; i++)
        if (i != 1)
            good &= cfg_read(m, devfn, i * 4, 4) == want[i];
    ok(good, "ids, class and revision");
    eq_int(cfg_read(m, devfn, 0x2c, 4), 0xdef09abc, "subsystem");
    eq_int(cfg_read(m, devfn, STATUS, 2), 0x10, "there are capabilities");
    eq_int(cfg_read(m, devfn, 0x3d, 1), 2, "it uses INTB#");
    eq_int(cfg_read(m, devfn, 0x3c, 1), 16 + (4 + 1) % 8, "its line is where the pin arrives");
    for (uint32_t off = 0; off < 0x40; off += 4)
        cfg_write(m, devfn, off, 4, 0xffffffff);
    good = 1;
    for (uint32_t i = 0; i < 11; i++)
        if (i != 1 && i != 3)
            good &= cfg_read(m, devfn, i * 4, 4) == want[i];
    ok(good && cfg_read(m, devfn, 0x2c, 4) == 0xdef09abc, "none of it can be written");
    eq_int(cfg_read(m, devfn, COMMAND, 4), 0x00100547, "only command bits that exist");
    eq_int(cfg_read(m, devfn, 0x0c, 4), 0xff, "the cache line size is the driver's");
    eq_int(cfg_read(m, devfn, 0x3c, 4), 0x02ff, "so is the interrupt line");
    for (uint32_t off = 0; off < 0x40; off += 4)
        cfg_write(m, devfn, off, 4, 0);
    eq_int(cfg_read(m, devfn, COMMAND, 4), 0x00100000, "and can be cleared");
    ok(!bpt_reset(m) && cfg_read(m, devfn, 0x3c, 1) == 16 + 5, "a reset puts it back");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_capabilities(void)
{
    struct bpt_machine *m = pci_machine("");
    uint32_t devfn = DEVFN(4, 0);

    pci_device(m, "dev", setup_full);
    ok(!bpt_start(m), "starts");
    ok(cap_a == 0x40 && cap_b == 0x4c, "they follow the header, aligned");
    eq_int(cfg_read(m, devfn, 0x34, 1), cap_a, "the list begins with the first");
    eq_int(cfg_read(m, devfn, cap_a, 4), 0x02010009 | cap_b << 8, "leads to the second");
    eq_int(cfg_read(m, devfn, cap_a + 4, 4), 0x06050403, "data follow");
    eq_int(cfg_read(m, devfn, cap_b, 4), 0x0201000b, "and ends there");
    for (uint32_t off = 0x40; off < 0x80; off += 4)
        cfg_write(m, devfn, off, 4, 0xffffffff);
    eq_int(cfg_read(m, devfn, cap_a, 4), 0xff010009 | cap_b << 8, "only the mask is written");
    eq_int(cfg_read(m, devfn, cap_a + 4, 4), 0x0605040f, "in the second double word too");
    eq_int(cfg_read(m, devfn, cap_b, 4), 0x0201000b, "and no mask is none");
    eq_int(cfg_read(m, devfn, 0x70, 4), 0, "free space is read-only");
    ok(!bpt_reset(m) && cfg_read(m, devfn, cap_a + 4, 4) == 0x06050403, "a reset puts it back");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_window(void)
{
    struct bpt_machine *m = pci_machine("");
    uint32_t devfn = DEVFN(4, 0);
    struct pcidev *d = pci_device(m, "dev", setup_full);

    ok(d && !bpt_start(m), "starts");
    eq_int(cfg_read(m, devfn, 0x80, 4), 0x00040000, "a read goes to the device");
    eq_int(cfg_read(m, devfn, 0x86, 2), 0x00020006 & 0xffff, "with its width and place");
    ok(d->last_width == 2 && d->last_off == 6, "as the guest made it");
    cfg_write(m, devfn, 0x8b, 1, 0x5a);
    ok(d->writes == 1 && d->last_off == 11 && d->last_val == 0x5a && d->last_width == 1,
       "so does a write");
    d->reads = 0;
    ok(bpt_mmio_read(m, ecam_at(m, devfn, 0x88), 8) == 0x0b0a0908, "half in it, half not");
    eq_int(d->reads, 4, "reads the device's half by bytes");
    bpt_mmio_write(m, ecam_at(m, devfn, 0x88), 8, UINT64_MAX);
    ok(d->writes == 5 && d->last_off == 11, "and writes it so");
    eq_int(cfg_read(m, devfn, 0x7c, 4), 0, "before it is the bus's");
    eq_int(bpt_free(m), 0, "no problems");
}

static int
setup_many(struct pcidev *d)
{
    uint32_t fn = d->fn;
    int err;

    /* Function 3 first: function 0 learns of it later. */
    if ((err = pcidev_add(d, 9, 3, 0)) || (err = pcidev_add(d, 9, 0, 1)))
        return err;
    ok(d->bus->where(d->bus_self, d->fn) == (int)DEVFN(9, 0), "where() says so");
    fn = d->fn;
    eq_int(pcidev_add(d, 9, 3, 0), BP_E_BUSY, "a place is taken once");
    eq_int(pcidev_add(d, 0, 0, 0), BP_E_BUSY, "the bridge has its own");
    ok(pcidev_add(d, 32, 0, 0) == BP_E_INVAL && pcidev_add(d, 1, 8, 0) == BP_E_INVAL &&
           pcidev_add(d, 1, 0, 5) == BP_E_INVAL,
       "no slot 32, function 8 or pin 5");
    ok(!pcidev_add(d, BP_PCI_SLOT_AUTO, 0, 0) && d->fn == DEVFN(1, 0), "the first free slot is 1");
    ok(!pcidev_add(d, BP_PCI_SLOT_AUTO, 0, 0) && d->fn == DEVFN(2, 0), "the next is 2");
    d->fn = fn;
    return 0;
}

/* Slot 9 is asked for by name, so nobody else comes to sit there. */
static int
setup_crowd(struct pcidev *d)
{
    int good = 1;
    int err = pcidev_add(d, 9, 0, 0);

    for (uint32_t slot = 1; !err && slot < 32; slot++)
        if (slot != 9) {
            err = pcidev_add(d, BP_PCI_SLOT_AUTO, 0, 0);
            good = good && d->fn == DEVFN(slot, 0);
        }
    ok(!err && good, "as long as there are free slots each gets one");
    ok(pcidev_add(d, BP_PCI_SLOT_AUTO, 1, 0) == BP_E_NOSPC, "no slot has a function 1 to itself");
    for (uint32_t slot = 1; !err && slot < 32; slot++)
        if (slot != 9) {
            err = pcidev_add(d, BP_PCI_SLOT_AUTO, 0, 1);
            good = good && d->fn == DEVFN(slot, 1);
        }
    ok(!err && good, "then each gets a second function");
    ok(!pcidev_add(d, BP_PCI_SLOT_AUTO, 0, 1) && d->fn == DEVFN(1, 2), "and then a third");
    return err;
}

static int
setup_all_slots(struct pcidev *d)
{
    int n = 0, err;

    while (!(err = pcidev_add(d, BP_PCI_SLOT_AUTO, 0, 1)))
        n++;
    eq_int(n, 31 * 8, "31 slots of 8 functions are free beside the bridge's");
    return err;
}

static void
test_places(void)
{
    struct bpt_machine *m = pci_machine("");

    ok(pci_device(m, "dev", setup_many) && !bpt_start(m), "several functions");
    eq_int(cfg_read(m, DEVFN(9, 0), 0x0e, 1), 0x80, "function 0 says that there are more");
    eq_int(cfg_read(m, DEVFN(1, 0), 0x0e, 1), 0, "elsewhere there are not");
    eq_int(cfg_read(m, DEVFN(9, 3), 0, 4), 0x56781234, "function 3 is there");
    eq_int(cfg_read(m, DEVFN(9, 1), 0, 4), 0xffffffff, "function 1 is not");
    eq_int(bpt_free(m), 0, "no problems");

    m = pci_machine("");
    ok(pci_device(m, "dev", setup_crowd) && !bpt_start(m), "more functions than slots");
    eq_int(cfg_read(m, DEVFN(31, 0), 0x0e, 1), 0x80, "function 0 says so");
    eq_int(cfg_read(m, DEVFN(31, 1), 0, 4), 0x56781234, "the second function is there");
    eq_int(cfg_read(m, DEVFN(9, 0), 0x0e, 1), 0, "a slot that was asked for stays alone");
    eq_int(bpt_free(m), 0, "no problems");

    m = pci_machine("");
    pcidev_setup = setup_all_slots;
    ok(!bpt_add(m, &pcidev_class, "dev", "") && bpt_realize_all(m) == BP_E_NOSPC &&
           strstr(bpt_error(m), "PCI bus is full"),
       "a full bus says so");
    bpt_problems_clear(m);
    bpt_free(m);
}

static int
setup_refused(struct pcidev *d)
{
    const struct bp_pci_bus_if *bus = d->bus;
    uint8_t data[256] = {0};
    uint32_t off;

    if (pcidev_add(d, 3, 0, 0))
        return BP_E_INVAL;
    eq_int(bus->capability(d->bus_self, d->fn, 9, data, NULL, 191, &off), BP_E_NOSPC,
           "a capability that is too long");
    ok(!bus->capability(d->bus_self, d->fn, 9, data, NULL, 190, &off), "the longest one");
    eq_int(bus->capability(d->bus_self, d->fn, 9, data, NULL, 0, &off), BP_E_NOSPC,
           "then none any more");
    pcidev_region(d, BP_REGION_BUS, 256);
    ok(bus->window(d->bus_self, d->fn, 0x3c, 8, d->regions[0]) == BP_E_INVAL &&
           bus->window(d->bus_self, d->fn, 0xfc, 8, d->regions[0]) == BP_E_INVAL &&
           bus->window(d->bus_self, d->fn, 0x40, 0, d->regions[0]) == BP_E_INVAL,
       "windows outside the device's part");
    ok(!bus->window(d->bus_self, d->fn, 0x40, 8, d->regions[0]) &&
           bus->window(d->bus_self, d->fn, 0x47, 4, d->regions[0]) == BP_E_BUSY,
       "windows over each other");
    ok(bus->window(d->bus_self, 0x77, 0x40, 8, d->regions[0]) == BP_E_INVAL &&
           bus->capability(d->bus_self, 9999, 9, data, NULL, 2, &off) == BP_E_INVAL &&
           bus->status(d->bus_self, 0x77) == BP_E_INVAL &&
           bus->where(d->bus_self, 9999) == BP_E_INVAL &&
           bus->intx(d->bus_self, 0x77, 1) == BP_E_INVAL,
       "functions that are not there");
    eq_int(bus->intx(d->bus_self, d->fn, 1), BP_E_INVAL, "a function without a pin");
    return 0;
}

static void
test_refused(void)
{
    struct bpt_machine *m = pci_machine("");

    ok(pci_device(m, "dev", setup_refused) && !bpt_start(m), "starts");
    eq_int(bpt_free(m), 0, "no problems");

    m = bpt_new(1 << 20, 0);
    ok(!bpt_load(m, "pci", "pci", "window=48M") && bpt_realize_all(m) == BP_E_INVAL,
       "a window that is no power of two");
    bpt_free(m);
}

static void
test_failing_host(void)
{
    int failed = 1;

    for (uint64_t n = 1; failed && n < 300; n++) {
        struct bpt_machine *m = bpt_new(16 << 20, 0);

        bpt_inject(m, "pci", n, BP_E_NOMEM);
        pcidev_setup = setup_full;
        failed = bpt_load(m, "acpi", "acpi", "") || bpt_load(m, "pci", "pci", "") ||
                 bpt_add(m, &pcidev_class, "dev", "") || bpt_realize_all(m) || bpt_start(m) ||
                 bpt_injected(m);
        if (bpt_free(m))
            ok(0, "a problem after the failure of host call %u", (unsigned)n);
    }
    ok(!failed, "any host call may fail");
}

int
main(void)
{
    test_bridge();
    test_ports();
    test_no_ports();
    test_ecam();
    test_header();
    test_capabilities();
    test_window();
    test_places();
    test_refused();
    test_failing_host();
    return done_testing();
}
