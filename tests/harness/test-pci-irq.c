/* SPDX-License-Identifier: BSD-3-Clause */
/* pci: MSI-X tables and pending bits, INTx pins from any thread. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "test-pci.h"

#define SLOT  6u
#define DEVFN (SLOT << 3)
#define N     5u

enum {
    CONTROL = 2,
    ENABLE = 0x8000,
    MASK_ALL = 0x4000,
    GSI = 16 + (SLOT + 0) % 8,
};

static int
setup_msix(struct pcidev *d)
{
    int err = pcidev_add(d, SLOT, 0, 1);

    return err ? err : pcidev_msix(d, 1, N);
}

static struct pcidev *
started(struct bpt_machine **ret_m, uint32_t *ret_cap, uint64_t *ret_table)
{
    struct bpt_machine *m = pci_machine("");
    struct pcidev *d = pci_device(m, "dev", setup_msix);

    if (!d || bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    *ret_m = m;
    *ret_cap = cfg_capability(m, DEVFN, 0x11);
    *ret_table = cfg_read(m, DEVFN, BAR(1), 4);
    return d;
}

static void
vector(struct bpt_machine *m, uint64_t table, uint32_t n, uint64_t addr, uint32_t data,
       uint32_t masked)
{
    bpt_mmio_write(m, table + n * 16, 8, addr);
    bpt_mmio_write(m, table + n * 16 + 8, 4, data);
    bpt_mmio_write(m, table + n * 16 + 12, 4, masked);
}

static int
sent(struct bpt_machine *m, uint64_t addr, uint32_t data)
{
    uint64_t got_addr = 0;
    uint32_t got_data = 0;

    return bpt_msi_take(m, &got_addr, &got_data) && got_addr == addr && got_data == data;
}

static void
test_capability(void)
{
    uint32_t cap;
    uint64_t table;
    struct bpt_machine *m;

    started(&m, &cap, &table);
    ok(cap != 0, "there is an MSI-X capability");
    eq_int(cfg_read(m, DEVFN, cap + CONTROL, 2), N - 1, "of five vectors, disabled");
    eq_int(cfg_read(m, DEVFN, cap + 4, 4), 1, "the table is at the start of BAR 1");
    eq_int(cfg_read(m, DEVFN, cap + 8, 4), 0x801, "the pending bits in its upper half");
    eq_int(table & 0xfff, 0, "the BAR is a page");
    cfg_write(m, DEVFN, cap, 4, 0xffffffff);
    cfg_write(m, DEVFN, cap + 4, 4, 0xffffffff);
    eq_int(cfg_read(m, DEVFN, cap + CONTROL, 2), ENABLE | MASK_ALL | (N - 1),
           "only enable and mask can be written");
    eq_int(cfg_read(m, DEVFN, cap + 4, 4), 1, "the table stays");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_table(void)
{
    uint32_t cap;
    uint64_t table;
    struct bpt_machine *m;

    started(&m, &cap, &table);
    eq_int(bpt_mmio_read(m, table + 12, 4), 1, "a vector is masked at first");
    eq_int(bpt_mmio_read(m, table, 8), 0, "and without an address");
    bpt_mmio_write(m, table + 16, 8, UINT64_MAX);
    bpt_mmio_write(m, table + 24, 8, UINT64_MAX);
    ok(bpt_mmio_read(m, table + 16, 8) == 0xfffffffffffffffc, "the two low address bits are zero");
    ok(bpt_mmio_read(m, table + 24, 8) == 0x1ffffffff, "vector control has one bit");
    eq_int(bpt_mmio_read(m, table, 8), 0, "the entry before is untouched");
    eq_int(bpt_mmio_read(m, table + 32, 8), 0, "and the one after");
    bpt_mmio_write(m, table + 14, 4, 0xffffffff);
    eq_int(bpt_mmio_read(m, table + 12, 4), 1, "unaligned writes too keep to their bytes");
    bpt_mmio_write(m, table + N * 16, 4, 0xffffffff);
    eq_int(bpt_mmio_read(m, table + N * 16, 4), 0, "behind the table there is nothing");
    bpt_mmio_write(m, table + 0x800, 8, UINT64_MAX);
    eq_int(bpt_mmio_read(m, table + 0x800, 8), 0, "pending bits are read-only");
    eq_int(bpt_mmio_read(m, table + 0xff8, 8), 0, "and read to the end");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_delivery(void)
{
    uint32_t cap;
    uint64_t table;
    struct bpt_machine *m;
    struct pcidev *d = started(&m, &cap, &table);
    const uint64_t addr = 0xfee01000;

    for (uint32_t i = 0; i < N; i++)
        vector(m, table, i, addr, 0x40 + i, 0);
    eq_int(d->bus->status(d->bus_self, d->fn), 0, "the device sees MSI-X off");
    d->irq->raise(d->inst, d->msgs[0]);
    eq_int(bpt_msi_count(m), 0, "nothing is sent");
    eq_int(bpt_mmio_read(m, table + 0x800, 8), 1, "it is pending");
    cfg_write(m, DEVFN, cap + CONTROL, 2, ENABLE);
    eq_int(d->bus->status(d->bus_self, d->fn), BP_PCI_MSIX_ON, "the device sees MSI-X on");
    eq_int(bpt_msi_count(m), 0, "a function that is not bus master sends nothing");
    cfg_write(m, DEVFN, COMMAND, 2, COMMAND_MEM | COMMAND_MASTER);
    eq_int(d->bus->status(d->bus_self, d->fn), BP_PCI_MSIX_ON | BP_PCI_MASTER_ON, "now it is");
    ok(sent(m, addr, 0x40), "and the pending message goes");
    eq_int(bpt_mmio_read(m, table + 0x800, 8), 0, "no longer pending");
    d->irq->raise(d->inst, d->msgs[4]);
    ok(sent(m, addr, 0x44), "the last vector has its data");

    bpt_mmio_write(m, table + 2 * 16 + 12, 4, 1);
    d->irq->raise(d->inst, d->msgs[2]);
    d->irq->raise(d->inst, d->msgs[2]);
    ok(bpt_msi_count(m) == 2 && bpt_mmio_read(m, table + 0x800, 4) == 4,
       "a masked vector becomes pending");
    d->irq->raise(d->inst, d->msgs[1]);
    ok(sent(m, addr, 0x41), "the others do not mind");
    bpt_mmio_write(m, table + 2 * 16 + 8, 4, 0x99);
    bpt_mmio_write(m, table + 2 * 16 + 12, 4, 0);
    ok(sent(m, addr, 0x99) && bpt_msi_count(m) == 4, "unmasked, it goes once, with new data");

    cfg_write(m, DEVFN, cap + CONTROL, 2, ENABLE | MASK_ALL);
    for (uint32_t i = 0; i < N; i++)
        d->irq->raise(d->inst, d->msgs[i]);
    ok(bpt_msi_count(m) == 4 && bpt_mmio_read(m, table + 0x800, 1) == 0x1f,
       "the function mask masks all");
    cfg_write(m, DEVFN, cap + CONTROL + 1, 1, ENABLE >> 8);
    eq_int(bpt_msi_count(m), 9, "and lets all go");
    ok(!bpt_reset(m) && d->bus->status(d->bus_self, d->fn) == 0 &&
           bpt_mmio_read(m, table, 8) == 0 && bpt_mmio_read(m, table + 12, 4) == 1,
       "a reset clears capability and table");
    d->irq->raise(d->inst, d->msgs[1]);
    eq_int(bpt_msi_count(m), 9, "nothing is sent any more");
    eq_int(bpt_free(m), 0, "no problems");
}

static int
setup_2048(struct pcidev *d)
{
    int err = pcidev_add(d, SLOT, 0, 0);

    return err ? err : pcidev_msix(d, 0, 2048);
}

static int
setup_limits(struct pcidev *d)
{
    int err = pcidev_add(d, SLOT, 0, 0);

    if (err)
        return err;
    ok(pcidev_msix(d, 0, 0) == BP_E_INVAL &&
           d->bus->msix(d->bus_self, d->fn, 0, d->msgs, 2049) == BP_E_INVAL &&
           d->bus->msix(d->bus_self, d->fn, 6, d->msgs, 1) == BP_E_INVAL &&
           d->bus->msix(d->bus_self, 0x99, 0, d->msgs, 1) == BP_E_INVAL,
       "numbers that can not be");
    if ((err = pcidev_msix(d, 5, 129)))
        return err;
    eq_int(d->bus->msix(d->bus_self, d->fn, 0, d->msgs, 1), BP_E_EXIST, "one table a function");
    return 0;
}

static void
test_sizes(void)
{
    struct bpt_machine *m = pci_machine("");
    struct pcidev *d = pci_device(m, "dev", setup_2048);
    uint32_t cap;
    uint64_t table;

    ok(d && !bpt_start(m), "2048 vectors");
    cap = cfg_capability(m, DEVFN, 0x11);
    table = cfg_read(m, DEVFN, BAR(0), 4);
    eq_int(cfg_read(m, DEVFN, cap + CONTROL, 2), 2047, "are told");
    eq_int(cfg_read(m, DEVFN, cap + 8, 4), 0x8000, "with 32 KiB of table");
    d->irq->raise(d->inst, d->msgs[2047]);
    ok(bpt_mmio_read(m, table + 0x8000 + 248, 8) == UINT64_C(1) << 63, "the last is pending");
    eq_int(bpt_mmio_read(m, table + 0x8000 + 256, 8), 0, "and there is none after it");
    eq_int(bpt_free(m), 0, "no problems");

    m = pci_machine("");
    ok(pci_device(m, "dev", setup_limits) && !bpt_start(m), "129 vectors in BAR 5");
    eq_int(cfg_read(m, DEVFN, cfg_capability(m, DEVFN, 0x11) + 8, 4), 0x1005, "take 4 KiB");
    eq_int(bpt_free(m), 0, "no problems");
}

static int
setup_pins(struct pcidev *d)
{
    static uint32_t slot = SLOT;

    return pcidev_add(d, slot++, 0, 1);
}

static void
test_pins(void)
{
    struct bpt_machine *m = pci_machine("");
    struct pcidev *d[9];
    char id[8];
    const uint32_t last = (SLOT + 8) << 3;

    /* The ninth shares the first one's GSI. */
    for (int i = 0; i < 9; i++) {
        snprintf(id, sizeof id, "dev%d", i);
        d[i] = pci_device(m, id, setup_pins);
    }
    ok(d[8] && !bpt_start(m), "nine devices");
    for (uint32_t i = 0; i < 8; i++) {
        d[i]->bus->intx(d[i]->bus_self, d[i]->fn, 1);
        ok(bpt_gsi(m, 16 + (SLOT + i) % 8), "slot %u interrupts at GSI %u", SLOT + i,
           16 + (SLOT + i) % 8);
        d[i]->bus->intx(d[i]->bus_self, d[i]->fn, 0);
        ok(!bpt_gsi(m, 16 + (SLOT + i) % 8), "and stops");
    }
    d[0]->bus->intx(d[0]->bus_self, d[0]->fn, 1);
    eq_int(cfg_read(m, DEVFN, STATUS, 2) & 8, 8, "Interrupt Status tells");
    eq_int(cfg_read(m, last, STATUS, 2) & 8, 0, "who it is");
    d[8]->bus->intx(d[8]->bus_self, d[8]->fn, 1);
    d[0]->bus->intx(d[0]->bus_self, d[0]->fn, 0);
    eq_int(bpt_gsi(m, GSI), 1, "a shared line stays up while one of two holds it");
    cfg_write(m, last, COMMAND, 2, COMMAND_NO_INTX);
    eq_int(bpt_gsi(m, GSI), 0, "Interrupt Disable lets it go");
    eq_int(cfg_read(m, last, STATUS, 2) & 8, 8, "while the status stays");
    cfg_write(m, last, COMMAND, 2, 0);
    eq_int(bpt_gsi(m, GSI), 1, "and back");
    ok(!bpt_reset(m) && bpt_gsi(m, GSI) == 0, "a reset lets go");
    eq_int(bpt_free(m), 0, "no problems");
}

/* Two threads that do one thing each at the same time, again and again. */
struct race {
    struct pcidev *d;
    _Atomic uint32_t round, done;
};

#define ROUNDS 2000

static void *
race_device(void *arg)
{
    struct race *r = arg;

    for (uint32_t i = 1; i <= ROUNDS; i++) {
        while (atomic_load(&r->round) != i)
            sched_yield();
        r->d->bus->intx(r->d->bus_self, r->d->fn, i & 1);
        r->d->bus->status(r->d->bus_self, r->d->fn);
        atomic_store(&r->done, i);
    }
    return NULL;
}

/* A device's thread drives the pin while the driver changes Interrupt Disable: whoever is last, the
 * line is what both say. */
static void
test_race(void)
{
    uint32_t cap, bad = 0;
    uint64_t table;
    struct bpt_machine *m;
    struct race r = {.d = started(&m, &cap, &table)};
    pthread_t thread;

    bpt_out(m, 0xcf8, 4, 0x80000000u | DEVFN << 8 | COMMAND);
    pthread_create(&thread, NULL, race_device, &r);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        int disable = i >> 1 & 1;

        atomic_store(&r.round, i);
        bpt_out(m, 0xcfc, 2, disable ? COMMAND_NO_INTX : 0);
        while (atomic_load(&r.done) != i)
            sched_yield();
        bad += bpt_gsi(m, GSI) != ((i & 1) && !disable);
    }
    pthread_join(thread, NULL);
    eq_int(bad, 0, "the line is right whoever was last");
    eq_int(bpt_free(m), 0, "no problems");
}

int
main(void)
{
    test_capability();
    test_table();
    test_delivery();
    test_sizes();
    test_pins();
    test_race();
    return done_testing();
}
