/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom.c - the VGA BIOS: an image from the host, in the expansion ROM of the PCI function; without
 * PCI in guest memory at 0xc0000, where firmware looks for it.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <backplane/log.h>

#include "vga.h"

#define ROM_DEFAULT "/usr/share/seabios/vgabios-stdvga.bin"
#define ROM_LEGACY  0xc0000u
#define ROM_MAX     0x40000u
#define ROM_PCI_MIN 0x1000u

static int
read_all(int fd, uint8_t *buf, uint32_t len)
{
    for (uint32_t done = 0; done < len;) {
        ssize_t n = read(fd, buf + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return BP_E_IO; /* it shrank while we read */
        done += (uint32_t)n;
    }
    return 0;
}

/* A guest that is booted without firmware does not miss the default image. */
static int
missing(struct vga *vga, const char *path)
{
    const struct bp_machine_if *machine =
        vga->host->query(vga->inst, BP_IF_MACHINE, BP_UPTO(struct bp_machine_if, info));
    struct bp_machine_info info = {.size = sizeof info};

    if (machine && machine->info(vga->inst, &info) == 0 && !(info.flags & BP_MACHINE_FIRMWARE) &&
        strcmp(path, ROM_DEFAULT) == 0)
        return 0;
    return bp_failf(vga->host, vga->inst, BP_E_NOENT,
                    "there is no VGA BIOS %s; install Debian's package seabios, name another image "
                    "with rom, or \"/dev/null\" for none",
                    path);
}

static int
load(struct vga *vga, int fd, const char *path, const struct bp_pci_bus_if *bus, void *bus_self,
     uint32_t fn)
{
    struct stat st;
    uint32_t len = ROM_PCI_MIN;
    void *p;
    int err;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size == 0)
        return 0;
    if (st.st_size > ROM_MAX)
        return bp_failf(vga->host, vga->inst, BP_E_INVAL,
                        "%s: %lld bytes are too large for a VGA BIOS", path, (long long)st.st_size);
    while (len < st.st_size)
        len <<= 1;
    if ((err = vga->ram_if->create(vga->inst, "rom", len, BP_RAM_ROM, &vga->rom_id, &p)))
        return err;
    vga->rom = p;
    vga->rom_len = (uint32_t)st.st_size;
    if ((err = read_all(fd, vga->rom, vga->rom_len)))
        return bp_failf(vga->host, vga->inst, err, "%s: %s", path, strerror(-err));
    if (vga->rom[0] != 0x55 || vga->rom[1] != 0xaa)
        return bp_failf(vga->host, vga->inst, BP_E_INVAL,
                        "%s is no VGA BIOS: it does not begin with 55 aa", path);
    return bus ? bus->bar_ram(bus_self, fn, 6, 0, vga->rom_id, len) : 0;
}

int
vga_rom_add(struct vga *vga, const struct bp_pci_bus_if *bus, void *bus_self, uint32_t fn)
{
    struct bp_value path = {.size = sizeof path};
    int err = vga->host->prop(vga->inst, "rom", &path), fd;

    if (err)
        return err;
    if (access(path.s, F_OK) < 0 && errno == ENOENT)
        return missing(vga, path.s);
    fd = vga->host->open(vga->inst, "rom", BP_OPEN_READ);
    if (fd < 0)
        return fd;
    err = load(vga, fd, path.s, bus, bus_self, fn);
    close(fd);
    vga->rom_on_pci = bus != NULL;
    return err;
}

int
vga_rom_start(struct vga *vga)
{
    if (!vga->rom || vga->rom_on_pci)
        return 0;
    return vga->mem->write(vga->inst, ROM_LEGACY, vga->rom, vga->rom_len);
}
