/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PCI configuration space under a driver that writes anything anywhere: the input is a list of
 * accesses of eight bytes each. Afterwards what is decoded is where the registers say, a save, a
 * load and a save give the same bytes, the fake host saw no broken rule, and a reset puts
 * everything back.
 */
#include "harness/test-pci.h"

#define SLOT_A  3u
#define SLOT_B  4u
#define VECTORS 5u

static struct bpt_machine *machine;
static struct pcidev *dev_a, *dev_b;

static int
setup_a(struct pcidev *d)
{
    static const uint8_t data[10], mask[10] = {0xff, 0, 0x55, 0xff};
    const struct bp_pci_bus_if *bus = d->bus;
    uint32_t off;
    bp_ram ram;
    void *p;
    int err;

    if ((err = pcidev_add(d, SLOT_A, 0, 1)) ||
        (err = bus->bar(d->bus_self, d->fn, 0, 0, pcidev_region(d, BP_REGION_MMIO, 4096), 4096)) ||
        (err = bus->bar(d->bus_self, d->fn, 1, BP_PCI_BAR_IO, pcidev_region(d, BP_REGION_PIO, 16),
                        16)) ||
        (err = bus->bar(d->bus_self, d->fn, 2, BP_PCI_BAR_64,
                        pcidev_region(d, BP_REGION_MMIO, 8192), 8192)) ||
        (err = d->ram->create(d->inst, "video", 65536, 0, &ram, &p)) ||
        (err = bus->bar_ram(d->bus_self, d->fn, 5, 0, ram, 65536)) ||
        (err = d->ram->create(d->inst, "rom", 4096, BP_RAM_ROM, &ram, &p)) ||
        (err = bus->bar_ram(d->bus_self, d->fn, 6, 0, ram, 4096)) ||
        (err = bus->capability(d->bus_self, d->fn, 9, data, mask, sizeof data, &off)) ||
        (err = bus->window(d->bus_self, d->fn, 0xa0, 20, pcidev_region(d, BP_REGION_BUS, 20))))
        return err;
    return pcidev_msix(d, 4, VECTORS);
}

static int
setup_b(struct pcidev *d)
{
    int err = pcidev_add(d, SLOT_B, 0, 1);

    if (err)
        return err;
    return d->bus->bar(d->bus_self, d->fn, 0, 0, pcidev_region(d, BP_REGION_MMIO, 16384), 16384);
}

static void
must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz-pci-config: %s: %s\n", what, bpt_error(machine));
    abort();
}

static void
make_machine(void)
{
    if (!getenv("top_builddir"))
        setenv("BACKPLANE_PLUGIN_PATH", "modules", 0);
    machine = bpt_new(4 << 20, 0);
    must(!bpt_load(machine, "pci", "pci", ""), "load");
    dev_a = pci_device(machine, "a", setup_a);
    dev_b = pci_device(machine, "b", setup_b);
    must(dev_a && dev_b && !bpt_start(machine), "start");
}

struct access {
    uint8_t kind, where, off, width;
    uint32_t val;
};

static void
play(const struct access *a)
{
    static const uint32_t devfns[] = {SLOT_A << 3, SLOT_B << 3, 0, SLOT_A << 3 | 1};
    uint32_t devfn = devfns[a->where & 3], width = 1u << a->width % 4, off = a->off;
    uint32_t narrow = width > 4 ? 4 : width;
    uint64_t wide = a->val | (uint64_t)a->val << 32;

    switch (a->kind % 10) {
    case 0:
        cfg_write(machine, devfn, off, narrow, a->val);
        break;
    case 1:
        cfg_read(machine, devfn, off, narrow);
        break;
    case 2:
        bpt_mmio_write(machine, ecam_at(machine, devfn, off | (a->where & 0xf0u) << 4), width,
                       wide);
        break;
    case 3:
        bpt_mmio_read(machine, ecam_at(machine, devfn, off | (a->where & 0xf0u) << 4), width);
        break;
    case 4:
        bpt_out(machine, (uint16_t)(0xcf8 + off % 8), narrow, a->val);
        break;
    case 5:
        bpt_in(machine, (uint16_t)(0xcf8 + off % 8), narrow);
        break;
    case 6: /* the MSI-X table, wherever it is */
        bpt_mmio_write(machine, cfg_read(machine, SLOT_A << 3, BAR(4), 4) + off * 16u, width, wide);
        break;
    case 7:
        bpt_mmio_read(machine, a->val, width);
        break;
    case 8:
        dev_a->irq->raise(dev_a->inst, dev_a->msgs[off % VECTORS]);
        break;
    default:
        dev_a->bus->intx(dev_a->bus_self, dev_a->fn, off & 1);
        break;
    }
}

/* A region that is placed is where its register says, and COMMAND allows it. */
static void
check_region(const char *id, const char *region, uint32_t devfn, uint32_t bar, uint64_t len,
             uint32_t bit)
{
    uint64_t at = bpt_where(machine, id, region);

    if (at == BP_IO_NOWHERE)
        return;
    must((cfg_read(machine, devfn, COMMAND, 2) & bit) != 0, "decoded against COMMAND");
    must((uint32_t)at == (cfg_read(machine, devfn, BAR(bar), 4) & (uint32_t) ~(len - 1)),
         "decoded where no register says");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct access a;

    if (!machine)
        make_machine();
    for (; size >= sizeof a; data += sizeof a, size -= sizeof a) {
        memcpy(&a, data, sizeof a);
        play(&a);
    }
    check_region("a", "region0", SLOT_A << 3, 0, 4096, COMMAND_MEM);
    check_region("a", "region1", SLOT_A << 3, 1, 16, COMMAND_IO);
    check_region("a", "region2", SLOT_A << 3, 2, 8192, COMMAND_MEM);
    check_region("b", "region0", SLOT_B << 3, 0, 16384, COMMAND_MEM);
    must(!bpt_state_roundtrip(machine, "pci"), "state does not come back");
    bpt_requested(machine, NULL);
    must(!bpt_reset(machine), "reset");
    must(bpt_where(machine, "a", "region0") != BP_IO_NOWHERE &&
             bpt_where(machine, "b", "region0") != BP_IO_NOWHERE && bpt_problems(machine) == 0,
         "not as new after a reset");
    return 0;
}
