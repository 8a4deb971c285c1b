/* SPDX-License-Identifier: BSD-3-Clause */
/* pci: save and load of the whole bus, and state that lies. */
#include "test-pci.h"

#define SLOT   7u
#define DEVFN  (SLOT << 3)
#define SECOND ((SLOT + 1) << 3)

static uint32_t cap;

static int
setup_first(struct pcidev *d)
{
    static const uint8_t data[4], mask[4] = {0xff, 0xff};
    int err;

    if ((err = pcidev_add(d, SLOT, 0, 1)) ||
        (err =
             d->bus->bar(d->bus_self, d->fn, 0, 0, pcidev_region(d, BP_REGION_MMIO, 4096), 4096)) ||
        (err = d->bus->bar(d->bus_self, d->fn, 4, BP_PCI_BAR_IO,
                           pcidev_region(d, BP_REGION_PIO, 16), 16)) ||
        (err = d->bus->capability(d->bus_self, d->fn, 9, data, mask, sizeof data, &cap)))
        return err;
    return pcidev_msix(d, 2, 3);
}

static int
setup_second(struct pcidev *d)
{
    int err = pcidev_add(d, SLOT + 1, 0, 1);

    if (err)
        return err;
    return d->bus->bar(d->bus_self, d->fn, 0, 0, pcidev_region(d, BP_REGION_MMIO, 4096), 4096);
}

static struct bpt_machine *
started(struct pcidev **ret_first)
{
    struct bpt_machine *m = pci_machine("");

    *ret_first = pci_device(m, "first", setup_first);
    if (!*ret_first || !pci_device(m, "second", setup_second) || bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    return m;
}

static void
test_roundtrip(void)
{
    struct pcidev *d;
    struct bpt_machine *m = started(&d);
    uint32_t msix = cfg_capability(m, DEVFN, 0x11), a, b, table;

    a = cfg_read(m, DEVFN, BAR(0), 4);
    b = cfg_read(m, SECOND, BAR(0), 4);
    table = cfg_read(m, DEVFN, BAR(2), 4);
    /* The first lies on the second, which has the place; its other BARs are decoded. */
    cfg_write(m, DEVFN, BAR(0), 4, b);
    cfg_write(m, DEVFN, BAR(4), 4, 0xd000);
    cfg_write(m, DEVFN, cap + 2, 2, 0x1234);
    cfg_write(m, DEVFN, COMMAND, 2, COMMAND_IO | COMMAND_MEM | COMMAND_MASTER);
    cfg_write(m, DEVFN, msix + 2, 2, 0x8000);
    for (uint32_t i = 0; i < 3; i++) {
        bpt_mmio_write(m, table + i * 16, 8, 0xfee00000);
        bpt_mmio_write(m, table + i * 16 + 8, 8, (0x30 + i) | UINT64_C(0x100000000) * (i == 1));
    }
    d->irq->raise(d->inst, d->msgs[1]);
    d->bus->intx(d->bus_self, d->fn, 1);
    bpt_out(m, 0xcf8, 4, 0x80001234);
    bpt_out(m, 0xcf9, 1, 0x02);

    eq_int(bpt_state_roundtrip(m, "pci"), 0, "save, reset, load, save");
    eq_int(bpt_in(m, 0xcf8, 4), 0x80001234, "the address register is back");
    eq_int(bpt_in(m, 0xcf9, 1), 0x02, "the reset control register");
    eq_int(cfg_read(m, DEVFN, cap + 2, 2), 0x1234, "what a driver wrote");
    ok(cfg_read(m, DEVFN, BAR(0), 4) == b && bpt_where(m, "first", "region0") == BP_IO_NOWHERE &&
           bpt_where(m, "second", "region0") == b,
       "who had the place has it again");
    eq_int(bpt_where(m, "first", "region1"), 0xd000, "moved BARs are where they were");
    ok(bpt_mmio_read(m, table + 8, 4) == 0x30 && bpt_mmio_read(m, table + 28, 4) == 1,
       "so is the MSI-X table");
    eq_int(bpt_mmio_read(m, table + 0x800, 4), 2, "one vector is pending");
    eq_int(bpt_gsi(m, 16 + SLOT % 8), 1, "the pin is asserted");
    eq_int(d->bus->status(d->bus_self, d->fn), 3, "the device sees the same status");
    eq_int(bpt_msi_count(m), 0, "and nothing was sent on the way");
    bpt_mmio_write(m, table + 28, 4, 0);
    eq_int(bpt_msi_count(m), 1, "unmasked, the pending one goes");
    cfg_write(m, SECOND, BAR(0), 4, a);
    ok(bpt_where(m, "first", "region0") == b && bpt_where(m, "second", "region0") == a,
       "who waited for the place gets it");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_not_started(void)
{
    struct bpt_machine *m = pci_machine("");

    pci_device(m, "first", setup_first);
    eq_int(bpt_state_roundtrip(m, "pci"), 0, "before the first start");
    ok(!bpt_start(m) && cfg_read(m, DEVFN, COMMAND, 2) == 3, "addresses are still assigned then");
    eq_int(bpt_free(m), 0, "no problems");
}

/* The first function's configuration space as it is now, but for one byte. */
static void
put_config(struct bpt_machine *m, struct bpt_state *s, uint32_t len, uint32_t at, uint8_t val)
{
    uint8_t config[256];

    for (uint32_t i = 0; i < len; i++)
        config[i] = (uint8_t)cfg_read(m, DEVFN, i, 1);
    config[at] = val;
    bpt_state_put_blob(s, "fn.07.0", "config", config, len);
}

static void
test_hostile(void)
{
    struct pcidev *d;
    struct bpt_machine *m = started(&d);
    const char *fn = "fn.07.0";
    struct bpt_state *s = NULL;
    uint8_t table[48];

    ok(!bpt_quiesce(m) && !bpt_save(m, "pci", &s), "saves");
    bpt_state_put(s, "bus", NULL, 2);
    ok(bpt_restore(m, "pci", s) < 0, "another version of the bus");
    bpt_state_put(s, "bus", NULL, 1);
    bpt_state_put(s, "bus", "address", 3);
    eq_int(bpt_restore(m, "pci", s), BP_E_INVAL, "an address with bits that do not exist");
    bpt_state_put(s, "bus", "address", 0);
    bpt_state_put(s, fn, "decoded", 0x80);
    eq_int(bpt_restore(m, "pci", s), BP_E_INVAL, "an eighth BAR");
    bpt_state_put(s, fn, "decoded", 0x7f);
    bpt_state_put(s, fn, "pin", 2);
    eq_int(bpt_restore(m, "pci", s), BP_E_INVAL, "a pin with two bits");
    bpt_state_put(s, fn, "pin", 0);
    put_config(m, s, 256, 0, 0x35);
    ok(bpt_restore(m, "pci", s) == BP_E_INVAL && strstr(bpt_error(m), "slot 7"),
       "configuration space of another device");
    put_config(m, s, 255, 4, 2);
    ok(bpt_restore(m, "pci", s) < 0, "less of it");
    put_config(m, s, 256, 0x12, 0x10); /* BAR 0 onto RAM */
    bpt_state_put_blob(s, fn, "msix-table", table, 32);
    ok(bpt_restore(m, "pci", s) < 0, "a table of two vectors");
    memset(table, 0xff, sizeof table);
    bpt_state_put_blob(s, fn, "msix-table", table, 48);
    bpt_state_put_blob(s, fn, "msix-pending", "\xff", 1);
    ok(!bpt_restore(m, "pci", s) && !bpt_start(m), "all ones in the table");
    ok(bpt_mmio_read(m, cfg_read(m, DEVFN, BAR(2), 4) + 8, 8) == UINT64_C(0x1ffffffff),
       "gives the bits that exist");
    eq_int(bpt_mmio_read(m, cfg_read(m, DEVFN, BAR(2), 4) + 0x800, 8), 7,
           "and three pending vectors of eight");
    ok(!bpt_quiesce(m) && !bpt_state_remove(s, fn, NULL) && !bpt_restore(m, "pci", s) &&
           !bpt_start(m),
       "a function that is not in it is as after a reset");
    eq_int(cfg_read(m, DEVFN, COMMAND, 2), 0, "with decoding off");
    ok(bpt_where(m, "first", "region0") == BP_IO_NOWHERE, "and nothing placed");
    bpt_state_free(s);
    s = bpt_state_new();
    ok(!bpt_quiesce(m) && bpt_restore(m, "pci", s) < 0, "empty state");
    bpt_state_free(s);
    ok(!bpt_reset(m) && !bpt_start(m), "a reset works after all that");
    eq_int(bpt_free(m), 0, "no problems");
}

int
main(void)
{
    test_roundtrip();
    test_not_started();
    test_hostile();
    return done_testing();
}
