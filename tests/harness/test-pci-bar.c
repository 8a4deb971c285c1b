/* SPDX-License-Identifier: BSD-3-Clause */
/* pci: base address registers: sizing, moves, conflicts, what firmware would have assigned. */
#include "test-pci.h"

#define SLOT  5u
#define DEVFN (SLOT << 3)

/* BAR 0: 4 KiB of memory; 1: 32 ports; 2-3: 64 KiB, 64-bit prefetchable; 4: 16 bytes; 5: RAM; ROM.
 */
static int
setup_all_kinds(struct pcidev *d)
{
    const struct bp_pci_bus_if *bus = d->bus;
    void *p;
    bp_ram ram;
    int err;

    if ((err = pcidev_add(d, SLOT, 0, 1)) ||
        (err = bus->bar(d->bus_self, d->fn, 0, 0, pcidev_region(d, BP_REGION_MMIO, 4096), 4096)) ||
        (err = bus->bar(d->bus_self, d->fn, 1, BP_PCI_BAR_IO, pcidev_region(d, BP_REGION_PIO, 32),
                        32)) ||
        (err = bus->bar(d->bus_self, d->fn, 2, BP_PCI_BAR_64 | BP_PCI_BAR_PREFETCH,
                        pcidev_region(d, BP_REGION_MMIO, 65536), 65536)) ||
        (err = bus->bar(d->bus_self, d->fn, 4, 0, pcidev_region(d, BP_REGION_MMIO, 16), 16)) ||
        (err = d->ram->create(d->inst, "video", 1 << 20, 0, &ram, &p)) ||
        (err = bus->bar_ram(d->bus_self, d->fn, 5, BP_PCI_BAR_PREFETCH, ram, 1 << 20)))
        return err;
    memcpy(p, "video", 6);
    if ((err = d->ram->create(d->inst, "rom", 8192, BP_RAM_ROM, &ram, &p)))
        return err;
    memcpy(p, "\x55\xaa", 2);
    return bus->bar_ram(d->bus_self, d->fn, 6, 0, ram, 8192);
}

static struct pcidev *
started(struct bpt_machine **ret_m)
{
    struct bpt_machine *m = pci_machine("");
    struct pcidev *d = pci_device(m, "dev", setup_all_kinds);

    if (!d || bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    *ret_m = m;
    return d;
}

static void
command(struct bpt_machine *m, uint32_t devfn, uint32_t val)
{
    cfg_write(m, devfn, COMMAND, 2, val);
}

/* Where the device's region n is placed. */
static uint64_t
region_at(struct bpt_machine *m, const char *id, int n)
{
    char name[16];

    snprintf(name, sizeof name, "region%d", n);
    return bpt_where(m, id, name);
}

static uint64_t
ram_at(struct bpt_machine *m, const char *name)
{
    uint64_t gpa = 0;

    bpt_device_ram(m, "dev", name, &gpa);
    return gpa;
}

static void
test_assigned(void)
{
    struct bpt_machine *m;
    struct pcidev *d = started(&m);
    uint64_t base = cfg_read(m, DEVFN, BAR(0), 4), wide;

    eq_int(cfg_read(m, DEVFN, COMMAND, 2), COMMAND_IO | COMMAND_MEM, "decoding is on at the start");
    ok(base >= BPT_MMIO32_BASE && base % 4096 == 0 && region_at(m, "dev", 0) == base,
       "BAR 0 has a place in the window and is there");
    ok(cfg_read(m, DEVFN, BAR(1), 4) == (region_at(m, "dev", 1) | 1) &&
           region_at(m, "dev", 1) >= 0xc000 && region_at(m, "dev", 1) % 32 == 0,
       "the ports are above those of the ISA bus");
    wide = cfg_read(m, DEVFN, BAR(2), 4) | (uint64_t)cfg_read(m, DEVFN, BAR(3), 4) << 32;
    ok((wide & 0xf) == 0xc && (wide & ~UINT64_C(0xf)) == region_at(m, "dev", 2) &&
           wide < UINT64_C(1) << 32,
       "a 64-bit BAR is below 4 GiB too, where it fits");
    ok(cfg_read(m, DEVFN, BAR(5), 4) == (ram_at(m, "video") | 8), "so is RAM");
    ok(cfg_read(m, DEVFN, ROM, 4) != 0 && !(cfg_read(m, DEVFN, ROM, 4) & 1) &&
           ram_at(m, "rom") == BP_RAM_NOWHERE,
       "the ROM has an address and is disabled");
    eq_int(bpt_mmio_read(m, base + 0x10, 4), 0x00040010, "accesses arrive at the device");
    eq_int(bpt_in(m, (uint16_t)(region_at(m, "dev", 1) + 3), 1), 0x03, "through ports too");
    eq_int(d->last_id, 1, "at the right region");
    eq_int(bpt_mmio_read(m, ram_at(m, "video"), 4), 0x65646976, "RAM reads");
    bpt_mmio_write(m, ram_at(m, "video"), 1, 'V');
    eq_int(bpt_mmio_read(m, ram_at(m, "video"), 1), 'V', "and takes writes");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_sizing(void)
{
    static const struct {
        uint32_t off, want;
        const char *what;
    } cases[] = {
        {BAR(0), 0xfffff000, "4 KiB of memory"}, {BAR(1), 0xffffffe1, "32 ports"},
        {BAR(2), 0xffff000c, "64 KiB, 64-bit"},  {BAR(3), 0xffffffff, "its upper half"},
        {BAR(4), 0xfffffff0, "16 bytes"},        {BAR(5), 0xfff00008, "1 MiB, prefetchable"},
        {ROM, 0xffffe001, "the ROM's 8 KiB"},
    };
    struct bpt_machine *m;
    uint32_t old[7];

    started(&m);
    for (int decoding = 0; decoding < 2; decoding++) {
        command(m, DEVFN, decoding ? 3 : 0);
        for (size_t i = 0; i < 7; i++) {
            old[i] = cfg_read(m, DEVFN, cases[i].off, 4);
            cfg_write(m, DEVFN, cases[i].off, 4, 0xffffffff);
            eq_int(cfg_read(m, DEVFN, cases[i].off, 4), cases[i].want, cases[i].what);
            cfg_write(m, DEVFN, cases[i].off, 4, old[i]);
            eq_int(cfg_read(m, DEVFN, cases[i].off, 4), old[i], "and back");
        }
    }
    ok(region_at(m, "dev", 0) == old[0] && region_at(m, "dev", 1) == (old[1] & ~3u),
       "all is where it was");
    cfg_write(m, DEVFN, BAR(0) + 1, 1, 0xff);
    eq_int(cfg_read(m, DEVFN, BAR(0), 2), 0xf000, "bytes can be written");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_moves(void)
{
    struct bpt_machine *m;
    struct pcidev *d = started(&m);
    uint32_t old = cfg_read(m, DEVFN, BAR(0), 4);

    command(m, DEVFN, 0);
    ok(region_at(m, "dev", 0) == BP_IO_NOWHERE && region_at(m, "dev", 1) == BP_IO_NOWHERE &&
           ram_at(m, "video") == BP_RAM_NOWHERE,
       "nothing is decoded while COMMAND says no");
    command(m, DEVFN, COMMAND_IO);
    ok(region_at(m, "dev", 0) == BP_IO_NOWHERE && region_at(m, "dev", 1) != BP_IO_NOWHERE,
       "ports alone");
    command(m, DEVFN, COMMAND_MEM);
    ok(region_at(m, "dev", 0) == old && region_at(m, "dev", 1) == BP_IO_NOWHERE, "memory alone");
    cfg_write(m, DEVFN, BAR(0), 4, old + 0x100000);
    ok(region_at(m, "dev", 0) == old + 0x100000, "a written BAR moves at once");
    d->reads = 0;
    bpt_mmio_read(m, old, 4);
    eq_int(d->reads, 0, "and leaves its old place");
    cfg_write(m, DEVFN, BAR(3), 4, 0x20);
    ok(region_at(m, "dev", 2) >> 32 == 0x20, "above 4 GiB");
    cfg_write(m, DEVFN, ROM, 4, 0xe8000001);
    eq_int(ram_at(m, "rom"), 0xe8000000, "the ROM appears when enabled");
    eq_int(bpt_mmio_read(m, 0xe8000000, 2), 0xaa55, "with its content");
    cfg_write(m, DEVFN, ROM, 4, 0xe8000000);
    ok(ram_at(m, "rom") == BP_RAM_NOWHERE, "and goes when not");
    cfg_write(m, DEVFN, BAR(5), 4, 0xe9000000);
    eq_int(ram_at(m, "video"), 0xe9000000, "RAM moves");
    cfg_write(m, DEVFN, BAR(0), 4, 0);
    ok(region_at(m, "dev", 0) == BP_IO_NOWHERE, "zero is no place");
    cfg_write(m, DEVFN, BAR(0), 4, 0xffffffff);
    ok(region_at(m, "dev", 0) == BP_IO_NOWHERE, "nor is the sizing pattern");
    ok(!bpt_reset(m) && region_at(m, "dev", 0) == old && ram_at(m, "rom") == BP_RAM_NOWHERE &&
           cfg_read(m, DEVFN, COMMAND, 2) == 3,
       "a reset gives the first places again");
    eq_int(bpt_free(m), 0, "no problems");
}

static int
setup_second(struct pcidev *d)
{
    int err = pcidev_add(d, SLOT + 1, 0, 1);

    if (err)
        return err;
    return d->bus->bar(d->bus_self, d->fn, 0, 0, pcidev_region(d, BP_REGION_MMIO, 8192), 8192);
}

static void
test_conflicts(void)
{
    struct bpt_machine *m = pci_machine("");
    const uint32_t second = (SLOT + 1) << 3;
    uint32_t a, b;

    pci_device(m, "dev", setup_all_kinds);
    pci_device(m, "other", setup_second);
    ok(!bpt_load(m, "debug-exit", "exit", "port=0x501") && !bpt_realize_all(m) && !bpt_start(m),
       "two devices");
    a = cfg_read(m, DEVFN, BAR(0), 4);
    b = cfg_read(m, second, BAR(0), 4);
    ok(a != b && region_at(m, "other", 0) == b, "each has its place");
    bpt_log_clear(m);

    cfg_write(m, DEVFN, BAR(0), 4, b + 4096);
    ok(cfg_read(m, DEVFN, BAR(0), 4) == b + 4096 && region_at(m, "dev", 0) == BP_IO_NOWHERE &&
           region_at(m, "other", 0) == b,
       "onto each other: the one that was there stays");
    cfg_write(m, second, BAR(0), 4, b + 0x10000);
    ok(region_at(m, "other", 0) == b + 0x10000 && region_at(m, "dev", 0) == b + 4096,
       "when it moves away, the other appears");
    cfg_write(m, second, BAR(0), 4, b);
    ok(region_at(m, "other", 0) == BP_IO_NOWHERE, "and the other way round");
    command(m, DEVFN, 0);
    ok(region_at(m, "other", 0) == b, "switching off makes room too");
    command(m, DEVFN, 3);

    cfg_write(m, DEVFN, BAR(0), 4, 0x100000);
    ok(region_at(m, "dev", 0) == BP_IO_NOWHERE, "onto RAM");
    cfg_write(m, DEVFN, BAR(5), 4, 0x100000);
    ok(ram_at(m, "video") == BP_RAM_NOWHERE, "RAM onto RAM");
    cfg_write(m, DEVFN, BAR(5), 4, (uint32_t)ecam_at(m, 0, 0));
    ok(ram_at(m, "video") == BP_RAM_NOWHERE, "RAM onto registers");
    cfg_write(m, DEVFN, BAR(0), 4, (uint32_t)ecam_at(m, 0, 0x8000));
    ok(region_at(m, "dev", 0) == BP_IO_NOWHERE, "onto configuration space");
    cfg_write(m, DEVFN, BAR(1), 4, 0xce0);
    ok(region_at(m, "dev", 1) == BP_IO_NOWHERE, "onto the configuration ports");
    cfg_write(m, DEVFN, BAR(1), 4, 0x500);
    ok(region_at(m, "dev", 1) == BP_IO_NOWHERE, "onto another device's ports");
    cfg_write(m, DEVFN, BAR(1), 4, 0x10000);
    ok(region_at(m, "dev", 1) == BP_IO_NOWHERE, "past the last port");
    cfg_write(m, DEVFN, BAR(1), 4, 0);
    ok(region_at(m, "dev", 1) == BP_IO_NOWHERE, "to port zero");
    cfg_write(m, DEVFN, BAR(2), 4, 0xffffffff);
    cfg_write(m, DEVFN, BAR(3), 4, 0xffffffff);
    ok(region_at(m, "dev", 2) == BP_IO_NOWHERE, "to the end of all addresses");
    cfg_write(m, DEVFN, BAR(2), 4, 0xfffe0000);
    ok(region_at(m, "dev", 2) == UINT64_C(0xfffffffffffe0000), "or just below");
    cfg_write(m, DEVFN, BAR(3), 4, 0);
    cfg_write(m, DEVFN, BAR(2), 4, 0xea000000);
    cfg_write(m, DEVFN, BAR(0), 4, 0xea001000);
    cfg_write(m, DEVFN, BAR(4), 4, 0xea001ff0);
    ok(region_at(m, "dev", 2) == 0xea000000 && region_at(m, "dev", 0) == BP_IO_NOWHERE &&
           region_at(m, "dev", 3) == BP_IO_NOWHERE,
       "onto its own");
    cfg_write(m, DEVFN, BAR(2), 4, 0xeb000000);
    ok(region_at(m, "dev", 0) == 0xea001000 && region_at(m, "dev", 3) == BP_IO_NOWHERE,
       "which then goes in order");
    eq_int(bpt_logs(m, 0), 0, "and nobody complained");
    ok(!bpt_reset(m) && region_at(m, "dev", 0) == a && region_at(m, "other", 0) == b,
       "a reset clears it all up");
    eq_int(bpt_free(m), 0, "no problems");
}

static int
setup_huge(struct pcidev *d)
{
    int err;

    if ((err = pcidev_add(d, SLOT, 0, 0)) ||
        (err =
             d->bus->bar(d->bus_self, d->fn, 0, BP_PCI_BAR_64,
                         pcidev_region(d, BP_REGION_MMIO, UINT64_C(1) << 30), UINT64_C(1) << 30)) ||
        (err = d->bus->bar(d->bus_self, d->fn, 2, 0, pcidev_region(d, BP_REGION_MMIO, 1u << 31),
                           1u << 31)))
        return err;
    return d->bus->bar(d->bus_self, d->fn, 4, BP_PCI_BAR_IO, pcidev_region(d, BP_REGION_PIO, 4), 4);
}

static void
test_huge(void)
{
    struct bpt_machine *m = pci_machine("");

    bpt_info(m)->mmio64_base = UINT64_C(1) << 38;
    bpt_info(m)->mmio64_len = UINT64_C(1) << 36;
    ok(pci_device(m, "dev", setup_huge) && !bpt_start(m), "BARs larger than the window");
    eq_int(cfg_read(m, DEVFN, BAR(1), 4), 0x40, "a 64-bit one goes above RAM");
    eq_int(cfg_read(m, DEVFN, BAR(2), 4), 0, "a 32-bit one gets no address");
    eq_int(cfg_read(m, DEVFN, COMMAND, 2), COMMAND_IO,
           "and memory is not decoded, since one of them is not placed");
    ok(bpt_logs(m, BP_LOG_WARN) == 1, "which is said");
    eq_int(bpt_free(m), 0, "no problems");

    m = pci_machine("");
    bpt_info(m)->flags = BP_MACHINE_FIRMWARE;
    ok(pci_device(m, "dev", setup_all_kinds) && !bpt_start(m), "a machine with firmware");
    ok(cfg_read(m, DEVFN, COMMAND, 2) == 0 && cfg_read(m, DEVFN, BAR(0), 4) == 0,
       "finds nothing assigned");
    eq_int(bpt_free(m), 0, "no problems");
}

/* Somebody who is not on the bus and sits where its BARs go first. */
static int
setup_in_the_way(struct pcidev *d)
{
    int err = d->io->place(d->inst, pcidev_region(d, BP_REGION_PIO, 4), 0xc008);

    return err ? err : d->io->place(d->inst, pcidev_region(d, BP_REGION_MMIO, 16), 0xe0000040);
}

static void
test_in_the_way(void)
{
    struct bpt_machine *m = pci_machine("");

    ok(pci_device(m, "other", setup_in_the_way) && pci_device(m, "dev", setup_all_kinds) &&
           !bpt_start(m),
       "others in the bus's windows");
    eq_int(cfg_read(m, DEVFN, COMMAND, 2), COMMAND_IO | COMMAND_MEM, "all is assigned");
    ok(region_at(m, "dev", 1) == 0xc020, "ports behind theirs");
    ok(ram_at(m, "video") == 0xe0100000, "memory behind theirs, the largest first");
    eq_int(bpt_free(m), 0, "no problems");
}

static int
setup_refused(struct pcidev *d)
{
    const struct bp_pci_bus_if *bus = d->bus;
    bp_region mem = pcidev_region(d, BP_REGION_MMIO, 4096);
    bp_region pio = pcidev_region(d, BP_REGION_PIO, 8);
    bp_ram ram;
    void *p;
    int err = pcidev_add(d, SLOT, 0, 0);

    if (err || (err = d->ram->create(d->inst, "rom", 4096, BP_RAM_ROM, &ram, &p)))
        return err;
    ok(bus->bar(d->bus_self, d->fn, 0, 0, mem, 3000) == BP_E_INVAL &&
           bus->bar(d->bus_self, d->fn, 0, 0, mem, 8) == BP_E_INVAL &&
           bus->bar(d->bus_self, d->fn, 0, 0, mem, 0) == BP_E_INVAL &&
           bus->bar(d->bus_self, d->fn, 0, 0, mem, UINT64_C(1) << 32) == BP_E_INVAL &&
           bus->bar(d->bus_self, d->fn, 0, BP_PCI_BAR_IO, pio, 2) == BP_E_INVAL,
       "sizes that can not be");
    ok(bus->bar(d->bus_self, d->fn, 6, 0, mem, 4096) == BP_E_INVAL &&
           bus->bar(d->bus_self, d->fn, 7, 0, mem, 4096) == BP_E_INVAL &&
           bus->bar(d->bus_self, d->fn, 5, BP_PCI_BAR_64, mem, 4096) == BP_E_INVAL &&
           bus->bar(d->bus_self, d->fn, 0, BP_PCI_BAR_64 | BP_PCI_BAR_IO, pio, 8) == BP_E_INVAL &&
           bus->bar_ram(d->bus_self, d->fn, 0, BP_PCI_BAR_IO, ram, 4096) == BP_E_INVAL &&
           bus->bar_ram(d->bus_self, d->fn, 6, BP_PCI_BAR_PREFETCH, ram, 4096) == BP_E_INVAL,
       "places and kinds that can not be");
    ok(!bus->bar(d->bus_self, d->fn, 2, BP_PCI_BAR_64, mem, 4096) &&
           bus->bar(d->bus_self, d->fn, 2, 0, mem, 4096) == BP_E_EXIST &&
           bus->bar(d->bus_self, d->fn, 3, 0, mem, 4096) == BP_E_EXIST &&
           bus->bar(d->bus_self, d->fn, 1, BP_PCI_BAR_64, mem, 4096) == BP_E_EXIST,
       "one twice, or under a 64-bit one");
    return 0;
}

static void
test_refused(void)
{
    struct bpt_machine *m = pci_machine("");

    ok(pci_device(m, "dev", setup_refused) && !bpt_start(m), "starts");
    eq_int(bpt_free(m), 0, "no problems");
}

/* Whatever is written, what is decoded is where the registers say, and nothing is there twice. */
static void
test_random(void)
{
    struct bpt_machine *m = pci_machine("");
    uint64_t seed = 31;
    int bad = 0;

    pci_device(m, "dev", setup_all_kinds);
    pci_device(m, "other", setup_second);
    bpt_start(m);
    for (int i = 0; i < 100000; i++) {
        uint32_t r, devfn, off, val;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        r = (uint32_t)(seed >> 32);
        devfn = r & 1 ? DEVFN : (SLOT + 1) << 3;
        off = (r >> 1 & 3) == 0 ? COMMAND : 0x10 + (r >> 3 & 0x27);
        val = (uint32_t)(seed >> 16);
        /* Mostly near each other, so that they meet. */
        if (off != COMMAND && (r >> 9 & 3))
            val = 0xe0000000 | (val & 0x1f000) | (r >> 13 & 1);
        cfg_write(m, devfn, off, 1u << (r >> 11 & 3) % 3, val);
        if (region_at(m, "dev", 0) != BP_IO_NOWHERE)
            bad |= region_at(m, "dev", 0) != (cfg_read(m, DEVFN, BAR(0), 4) & 0xfffff000) ||
                   !(cfg_read(m, DEVFN, COMMAND, 2) & COMMAND_MEM);
        if (region_at(m, "other", 0) != BP_IO_NOWHERE)
            bad |= region_at(m, "other", 0) !=
                       (cfg_read(m, (SLOT + 1) << 3, BAR(0), 4) & 0xffffe000) ||
                   !(cfg_read(m, (SLOT + 1) << 3, COMMAND, 2) & COMMAND_MEM);
    }
    ok(!bad, "random writes: the registers always agree with the bus");
    ok(!bpt_reset(m) && region_at(m, "dev", 0) != BP_IO_NOWHERE &&
           region_at(m, "other", 0) != BP_IO_NOWHERE,
       "and a reset puts everything back");
    eq_int(bpt_free(m), 0, "no problems");
}

int
main(void)
{
    test_assigned();
    test_sizing();
    test_moves();
    test_conflicts();
    test_huge();
    test_in_the_way();
    test_refused();
    test_random();
    return done_testing();
}
