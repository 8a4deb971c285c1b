/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * firmware.c - a raw firmware image: ROM that ends at 4 GiB, entered at the reset vector.
 *
 * The last 128 KiB of it are also what a PC shows below 1 MiB until firmware has shadowed itself
 * there. A machine whose shadow RAM can be switched (memory_shadow_new()) does just that. Without
 * it the last 256 KiB are copied to RAM: that serves both those who wait for shadow RAM and those
 * who find nothing to ask for it; firmware may write to it, and takes the pristine bytes from the
 * ROM when the guest reboots.
 */
#include <inttypes.h>

#include "core/boot/internal.h"

#define SIZE_MIN  UINT64_C(4096)
#define SIZE_MAX_ UINT64_C(0x1000000)
#define SHADOW    UINT64_C(0x40000)

/* Reads the image into a ROM region; the region is then the machine's for good. */
static gboolean
make_rom(struct boot *boot, GError **error)
{
    const struct boot_file *file = &boot->firmware;
    struct memory_region *rom;
    uint64_t at = BOOT_4GIB - file->size;
    int err;

    if (file->size < SIZE_MIN || file->size > SIZE_MAX_ || file->size % SIZE_MIN)
        return boot_file_error(file, error,
                               "a firmware image of %" PRIu64
                               " bytes; it must be 4 KiB to 16 MiB in steps of 4 KiB",
                               file->size);
    rom = memory_region_new(boot->mem, MEMORY_ROM, "the firmware image", file->size, error);
    if (!rom)
        return FALSE;
    if (!boot_file_read(file, 0, memory_region_host(rom), file->size, error)) {
        memory_region_free(rom);
        return FALSE;
    }
    err = memory_region_seal(rom);
    if (!err)
        err = memory_region_place(rom, at);
    if (!err && (err = memory_shadow_rom(boot->mem, rom)) != 0)
        (void)!memory_shadow_rom(boot->mem, NULL);
    if (err) {
        const char *other = memory_overlap(boot->mem, at, file->size);

        boot_file_error(file, error, "cannot be placed at 0x%" PRIx64 ": %s", at,
                        other ? other : g_strerror(-err));
        memory_region_free(rom);
        return FALSE;
    }
    boot->rom = rom;
    return TRUE;
}

gboolean
firmware_load(struct boot *boot, struct boot_entry *entry, GError **error)
{
    const uint8_t *host;
    uint64_t size, shadow;

    if (!boot->rom && !make_rom(boot, error))
        return FALSE;
    host = memory_region_host(boot->rom);
    size = memory_region_len(boot->rom);
    shadow = memory_shadowed(boot->mem) ? 0 : MIN(size, SHADOW);
    if (memory_write(boot->mem, BOOT_1MIB - shadow, host + size - shadow, shadow) != 0)
        return boot_file_error(&boot->firmware, error, "no RAM below 1 MiB to copy it to");
    boot_state_reset(entry);
    g_snprintf(entry->protocol, sizeof(entry->protocol), "firmware, %" PRIu64 " KiB", size / 1024);
    return TRUE;
}
