/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vga.c - plugin `vga`: a PC's VGA with the linear modes of Bochs' DISPI.
 *
 * Owns what the guest sees around the chip: the PCI function 1234:1111 with memory, registers and
 * BIOS, the ports and addresses of old that it answers too, and the life of the instance. Without a
 * PCI bus only the latter are there.
 */
#include "vga.h"

#include <stdlib.h>
#include <string.h>

#include <backplane/log.h>

/* Regions, as their handlers know them. */
enum {
    REGION_MONO = 1,
    REGION_COLOUR,
    REGION_DISPI,
    REGION_MMIO,
};

#define PORT_MONO     0x3b0u
#define PORT_MONO_LEN 12u /* 0x3bc is a parallel port's */
#define PORT_VGA      0x3c0u
#define PORT_VGA_LEN  32u
#define PORT_DISPI    0x1ceu

/* The memory BAR of registers. */
enum {
    MMIO_EDID_END = 0x400,
    MMIO_VGA = 0x400, /* the ports from 0x3c0 on */
    MMIO_DISPI = 0x500,
    MMIO_EXT = 0x600,
    MMIO_LEN = 0x1000,
};

/* QEMU's extension: its length, and the byte order of pixels. */
enum {
    EXT_SIZE = 0,
    EXT_ENDIAN = 4,
    EXT_LEN = 8,
};
#define EXT_BIG    0xbebebebeu
#define EXT_LITTLE 0x1e1e1e1eu

#define CLASS_VGA 0x030000u

/* ---- Registers ---- */

static uint64_t
ports_read(struct vga *vga, uint32_t port, uint32_t width)
{
    uint64_t val = 0;

    for (uint32_t i = 0; i < width; i++)
        val |= (uint64_t)vga_port_read(vga, port + i) << 8 * i;
    return val;
}

static void
ports_write(struct vga *vga, uint32_t port, uint64_t val, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++)
        vga_port_write(vga, port + i, (uint8_t)(val >> 8 * i));
}

static uint32_t
ext_read(const struct vga *vga, uint64_t off)
{
    if (off == EXT_SIZE)
        return EXT_LEN;
    return vga->regs.big_endian ? EXT_BIG : EXT_LITTLE;
}

static uint64_t
mmio_read(struct vga *vga, uint64_t off, uint32_t width)
{
    uint64_t val = 0;

    if (off + width <= MMIO_EDID_END) {
        for (uint32_t i = 0; i < width; i++)
            val |= (uint64_t)(off + i < sizeof vga->edid ? vga->edid[off + i] : 0) << 8 * i;
        return val;
    }
    if (off >= MMIO_VGA && off + width <= MMIO_VGA + PORT_VGA_LEN)
        return ports_read(vga, (uint32_t)(PORT_VGA + off - MMIO_VGA), width);
    if (off >= MMIO_DISPI && off + width <= MMIO_DISPI + 2 * DISPI_COUNT && width == 2 &&
        !(off & 1))
        return dispi_read(vga, (uint32_t)(off - MMIO_DISPI) / 2);
    if (off >= MMIO_EXT && off + width <= MMIO_EXT + EXT_LEN && width == 4 && !(off & 3))
        return ext_read(vga, off - MMIO_EXT);
    return 0;
}

static void
mmio_write(struct vga *vga, uint64_t off, uint64_t val, uint32_t width)
{
    if (off >= MMIO_VGA && off + width <= MMIO_VGA + PORT_VGA_LEN)
        ports_write(vga, (uint32_t)(PORT_VGA + off - MMIO_VGA), val, width);
    else if (off >= MMIO_DISPI && off < MMIO_DISPI + 2 * DISPI_COUNT && width == 2 && !(off & 1))
        dispi_write(vga, (uint32_t)(off - MMIO_DISPI) / 2, (uint16_t)val);
    else if (off == MMIO_EXT + EXT_ENDIAN && width == 4 && (val == EXT_BIG || val == EXT_LITTLE))
        vga->regs.big_endian = val == EXT_BIG;
}

/* Index at 0x1ce, data at 0x1cf or, for those who want it aligned, 0x1d0. */
static uint64_t
dispi_port_read(struct vga *vga, uint64_t off)
{
    return off == 0 ? vga->regs.dispi_index : dispi_read(vga, vga->regs.dispi_index);
}

static void
dispi_port_write(struct vga *vga, uint64_t off, uint64_t val)
{
    if (off == 0)
        vga->regs.dispi_index = (uint16_t)val;
    else
        dispi_write(vga, vga->regs.dispi_index, (uint16_t)val);
}

static uint64_t
vga_region_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    switch (id) {
    case REGION_MONO:
        return ports_read(self, PORT_MONO + (uint32_t)off, width);
    case REGION_COLOUR:
        return ports_read(self, PORT_VGA + (uint32_t)off, width);
    case REGION_DISPI:
        return dispi_port_read(self, off);
    default:
        return mmio_read(self, off, width);
    }
}

static void
vga_region_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    switch (id) {
    case REGION_MONO:
        ports_write(self, PORT_MONO + (uint32_t)off, val, width);
        break;
    case REGION_COLOUR:
        ports_write(self, PORT_VGA + (uint32_t)off, val, width);
        break;
    case REGION_DISPI:
        dispi_port_write(self, off, val);
        break;
    default:
        mmio_write(self, off, val, width);
        break;
    }
}

/* ---- Where they are ---- */

static int
add_region(struct vga *vga, uint32_t id, uint32_t kind, uint64_t len, const char *name,
           bp_region *ret_region)
{
    static const struct bp_region_ops ops = {
        .size = sizeof ops,
        .read = vga_region_read,
        .write = vga_region_write,
    };
    const struct bp_region_desc desc = {
        .size = sizeof desc,
        .id = id,
        .kind = kind,
        .len = len,
        .name = name,
        .ops = &ops,
    };

    return vga->io->region(vga->inst, &desc, ret_region);
}

static int
add_ports(struct vga *vga)
{
    static const struct {
        uint32_t id, port, len;
        const char *name;
    } ports[] = {
        {REGION_MONO, PORT_MONO, PORT_MONO_LEN, "mono"},
        {REGION_COLOUR, PORT_VGA, PORT_VGA_LEN, "vga"},
        {REGION_DISPI, PORT_DISPI, 4, "dispi"},
    };
    int err;

    for (unsigned i = 0; i < sizeof ports / sizeof *ports; i++) {
        bp_region region;

        if ((err = add_region(vga, ports[i].id, BP_REGION_PIO, ports[i].len, ports[i].name,
                              &region)) ||
            (err = vga->io->place(vga->inst, region, ports[i].port)))
            return err;
    }
    return 0;
}

static int
add_function(struct vga *vga, const struct bp_link *link, uint32_t *ret_fn)
{
    const struct bp_pci_bus_if *bus = link->iface;
    struct bp_value slot = {.size = sizeof slot};
    struct bp_pci_function f = {
        .size = sizeof f,
        .slot = BP_PCI_SLOT_AUTO,
        .vendor = 0x1234,
        .device = 0x1111,
        .subsystem_vendor = 0x1af4, /* what drivers know it by */
        .subsystem = 0x1100,
        .class_code = CLASS_VGA,
        .revision = 2,
        .name = "vga",
    };
    bp_region mmio;
    int err = vga->host->prop(vga->inst, "slot", &slot);

    if (err)
        return err;
    if (slot.n)
        f.slot = (uint32_t)slot.i;
    if ((err = bus->add(link->self, vga->inst, &f, ret_fn)) ||
        (err = bus->bar_ram(link->self, *ret_fn, 0, BP_PCI_BAR_PREFETCH, vga->ram_id,
                            vga->ram_len)) ||
        (err = add_region(vga, REGION_MMIO, BP_REGION_MMIO, MMIO_LEN, "mmio", &mmio)))
        return err;
    return bus->bar(link->self, *ret_fn, 2, 0, mmio, MMIO_LEN);
}

static int
add_memory(struct vga *vga)
{
    struct bp_value memory = {.size = sizeof memory};
    void *p;
    int err = vga->host->prop(vga->inst, "memory", &memory);

    if (err)
        return err;
    if (memory.i & (memory.i - 1))
        return vga->host->fail(vga->inst, BP_E_INVAL,
                               "memory: give a power of two, for example 16M or 32M");
    vga->ram_len = (uint32_t)memory.i;
    vga->pages_len = vga->ram_len / VGA_PAGE / 8;
    vga->touched = calloc(1, vga->pages_len);
    vga->log = calloc(1, vga->pages_len);
    if (!vga->touched || !vga->log)
        return BP_E_NOMEM;
    if ((err = vga->ram_if->create(vga->inst, "memory", vga->ram_len, BP_RAM_DIRTY, &vga->ram_id,
                                   &p)))
        return err;
    vga->ram = p;
    return 0;
}

/* Pages that were never used stay so. */
void
vga_memory_clear(struct vga *vga)
{
    static const uint8_t zero[VGA_PAGE];

    for (uint32_t at = 0; at < vga->ram_len; at += VGA_PAGE)
        if (memcmp(vga->ram + at, zero, VGA_PAGE) != 0)
            memset(vga->ram + at, 0, VGA_PAGE);
}

/* ---- Life ---- */

static int
vga_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct bp_value w = {.size = sizeof w}, h = {.size = sizeof h}, retrace = {.size = sizeof w};
    struct vga *vga;
    int err;

    if ((err = host->prop(inst, "xres", &w)) || (err = host->prop(inst, "yres", &h)) ||
        (err = host->prop(inst, "retrace", &retrace)))
        return err;
    vga = calloc(1, sizeof *vga);
    if (!vga)
        return BP_E_NOMEM;
    vga->host = host;
    vga->inst = inst;
    vga->precise = retrace.i == 0;
    vga_edid(vga->edid, (uint32_t)w.i, (uint32_t)h.i);
    vga_regs_reset(&vga->regs);
    *ret_self = vga;
    return 0;
}

static int
tell_acpi(struct vga *vga)
{
    struct bp_link link = {.size = sizeof link};
    int err =
        vga->host->link(vga->inst, NULL, BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, fixed), &link);

    if (err)
        return err == BP_E_NOENT ? 0 : err;
    return ((const struct bp_acpi_if *)link.iface)->fixed(link.self, BP_ACPI_HAS_VGA, 0);
}

static int
vga_realize(void *self)
{
    struct vga *vga = self;
    const struct bp_host *host = vga->host;
    struct bp_link pci = {.size = sizeof pci};
    uint32_t fn = 0;
    int err;

    vga->io = host->query(vga->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
    vga->ram_if = host->query(vga->inst, BP_IF_RAM, BP_UPTO(struct bp_ram_if, dirty));
    vga->event = host->query(vga->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, now));
    vga->mem = host->query(vga->inst, BP_IF_MEM, BP_UPTO(struct bp_mem_if, write));
    if (!vga->io || !vga->ram_if || !vga->event || !vga->mem)
        return host->fail(vga->inst, BP_E_NOTSUP,
                          "needs " BP_IF_IO ", " BP_IF_RAM ", " BP_IF_EVENT " and " BP_IF_MEM);
    if ((err = add_memory(vga)) || (err = add_ports(vga)) || (err = vga_window_add(vga)))
        return err;
    err = host->link(vga->inst, NULL, BP_IF_PCI_BUS, BP_UPTO(struct bp_pci_bus_if, bar_ram), &pci);
    if (err && err != BP_E_NOENT)
        return err;
    if (!err && (err = add_function(vga, &pci, &fn)))
        return err;
    if ((err = vga_rom_add(vga, pci.iface, pci.self, fn)) || (err = tell_acpi(vga)))
        return err;
    return vga_heads_add(vga);
}

static int
vga_start(void *self)
{
    return vga_rom_start(self);
}

static void
vga_reset(void *self, uint32_t kind)
{
    struct vga *vga = self;

    (void)kind;
    vga_regs_reset(&vga->regs);
    vga_memory_clear(vga);
    vga_window_update(vga);
    vga_picture_forget(vga);
}

static void
vga_destroy(void *self)
{
    struct vga *vga = self;

    vga_heads_remove(vga);
    vga_picture_free(vga);
    free(vga->text_cells);
    free(vga->touched);
    free(vga->log);
    free(vga);
}

static const char *const vga_retraces[] = {"precise", "fast", NULL};

static const struct bp_prop vga_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_LINK,
     .flags = BP_P_LIST,
     .name = "display",
     .help = "what shows the picture",
     .link_iface = BP_IF_DISPLAY},
    {.size = sizeof(struct bp_prop),
     .type = BP_SIZE,
     .name = "memory",
     .help = "video memory, a power of two",
     .def = "32M",
     .min = 1 << 20,
     .max = 256 << 20},
    {.size = sizeof(struct bp_prop),
     .type = BP_PATH,
     .name = "rom",
     .help = "VGA BIOS; /dev/null for none",
     .def = "/usr/share/seabios/vgabios-stdvga.bin"},
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "xres",
     .help = "width of the mode that the monitor prefers",
     .def = "1280",
     .min = VGA_PREFER_XMIN,
     .max = DISPI_XMAX},
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "yres",
     .help = "height of the mode that the monitor prefers",
     .def = "800",
     .min = VGA_PREFER_YMIN,
     .max = DISPI_YMAX},
    {.size = sizeof(struct bp_prop),
     .type = BP_ENUM,
     .name = "retrace",
     .help = "retrace bits by the clock, or as fast as a guest waits for them",
     .def = "precise",
     .choices = vga_retraces},
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "slot",
     .help = "device number on the PCI bus; the first free one when not given",
     .max = 31},
};

static const char *const vga_needs[] = {BP_IF_IO,          BP_IF_RAM,      BP_IF_EVENT, BP_IF_MEM,
                                        "?" BP_IF_PCI_BUS, "?" BP_IF_ACPI, NULL};

static const struct bp_class vga_class = {
    .size = sizeof vga_class,
    .name = "vga",
    .version = "1.0",
    .summary = "VGA with linear frame buffer (Bochs DISPI)",
    .props = vga_props,
    .n_props = sizeof vga_props / sizeof *vga_props,
    .prop_size = sizeof *vga_props,
    .needs = vga_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = vga_create,
    .realize = vga_realize,
    .start = vga_start,
    .reset = vga_reset,
    .save = vga_save,
    .load = vga_load,
    .destroy = vga_destroy,
};

BP_PLUGIN("vga", "1.0", "BSD-3-Clause", "backplane", &vga_class);
