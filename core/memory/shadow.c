/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shadow.c - the area below 1 MiB where firmware lies over RAM; see memory.h.
 *
 * Each piece has up to three regions over the same addresses, of which at most one is placed: its
 * RAM, its RAM as a ROM, and the part of the firmware's ROM. They are aliases and own no pages.
 */
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/memory/internal.h"

#define PIECES ((unsigned)((MEMORY_SHADOW_END - MEMORY_SHADOW_BASE) / MEMORY_SHADOW_PIECE))

struct shadow_piece {
    struct memory_region *ram, *locked;
    struct memory_region *rom; /* NULL: nothing lies there */
    uint64_t rom_gpa;          /* a small ROM begins inside the piece */
    atomic_uint access;        /* MEMORY_SHADOW_* */
};

struct memory_shadow {
    struct shadow_piece pieces[PIECES];
};

static uint64_t
piece_gpa(unsigned i)
{
    return MEMORY_SHADOW_BASE + i * MEMORY_SHADOW_PIECE;
}

/* Shows what the piece's access says. */
static int
piece_show(struct shadow_piece *piece, unsigned i)
{
    unsigned access = atomic_load(&piece->access);
    struct memory_region *show = !(access & MEMORY_SHADOW_READ)   ? piece->rom
                                 : (access & MEMORY_SHADOW_WRITE) ? piece->ram
                                                                  : piece->locked;
    struct memory_region *const all[] = {piece->ram, piece->locked, piece->rom};

    for (unsigned n = 0; n < G_N_ELEMENTS(all); n++)
        if (all[n] && all[n] != show)
            memory_region_unplace(all[n]);
    if (!show)
        return 0;
    return memory_region_place(show, show == piece->rom ? piece->rom_gpa : piece_gpa(i));
}

static struct memory_region *
find_ram(struct memory *mem)
{
    struct memory_region *region = memory_region_at(mem, MEMORY_SHADOW_BASE);

    return region && region->kind == MEMORY_RAM && region->gpa == MEMORY_SHADOW_BASE ? region
                                                                                     : NULL;
}

gboolean
memory_shadow_new(struct memory *mem, GError **error)
{
    struct memory_region *ram = find_ram(mem);
    struct memory_shadow *shadow;
    uint64_t off;
    int err = -EBUSY;

    if (mem->shadow)
        return TRUE;
    off = ram ? ram->pages_off : 0;
    if (ram)
        err = memory_region_trim(ram, MEMORY_SHADOW_END - MEMORY_SHADOW_BASE);
    if (err) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "RAM below 1 MiB cannot be shadowed: %s",
                    g_strerror(-err));
        return FALSE;
    }
    shadow = mem->shadow = g_new0(struct memory_shadow, 1);
    for (unsigned i = 0; i < PIECES; i++) {
        struct shadow_piece *piece = &shadow->pieces[i];
        uint64_t at = off + i * MEMORY_SHADOW_PIECE;

        piece->ram = memory_region_alias(mem, MEMORY_RAM, "RAM below 1 MiB", &mem->ram, at,
                                         MEMORY_SHADOW_PIECE);
        piece->locked = memory_region_alias(mem, MEMORY_ROM, "locked RAM below 1 MiB", &mem->ram,
                                            at, MEMORY_SHADOW_PIECE);
        if (!piece->ram || !piece->locked) {
            g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                        "too many memory regions; a machine has at most %d", MEMORY_REGIONS_MAX);
            return FALSE;
        }
    }
    return TRUE;
}

/* The regions themselves go with all others in memory_free(). */
void
memory_shadow_free(struct memory *mem)
{
    g_clear_pointer(&mem->shadow, g_free);
}

bool
memory_shadowed(const struct memory *mem)
{
    return mem->shadow != NULL;
}

int
memory_shadow_rom(struct memory *mem, struct memory_region *rom)
{
    struct memory_shadow *shadow = mem->shadow;
    int err = 0;

    for (unsigned i = 0; shadow && i < PIECES && !err; i++) {
        struct shadow_piece *piece = &shadow->pieces[i];
        uint64_t end = piece_gpa(i) + MEMORY_SHADOW_PIECE;
        uint64_t above = MEMORY_SHADOW_END - end; /* bytes of the ROM that come after the piece */
        uint64_t len;

        memory_region_free(piece->rom);
        piece->rom = NULL;
        if (!rom || piece_gpa(i) < MEMORY_SHADOW_ROM || rom->len <= above)
            continue;
        len = MIN(rom->len - above, MEMORY_SHADOW_PIECE);
        piece->rom_gpa = end - len;
        piece->rom = memory_region_alias(mem, MEMORY_ROM, "the firmware image below 1 MiB",
                                         rom->pages, rom->pages_off + rom->len - above - len, len);
        err = piece->rom ? piece_show(piece, i) : -ENOSPC;
    }
    return err;
}

int
memory_shadow_set(struct memory *mem, uint64_t gpa, uint64_t len, unsigned access)
{
    struct memory_shadow *shadow = mem->shadow;
    unsigned first, n;
    int err = 0;

    if (!shadow || gpa < MEMORY_SHADOW_BASE || gpa > MEMORY_SHADOW_END ||
        len > MEMORY_SHADOW_END - gpa || gpa % MEMORY_SHADOW_PIECE || len % MEMORY_SHADOW_PIECE ||
        access > (MEMORY_SHADOW_READ | MEMORY_SHADOW_WRITE))
        return -EINVAL;
    first = (unsigned)((gpa - MEMORY_SHADOW_BASE) / MEMORY_SHADOW_PIECE);
    n = (unsigned)(len / MEMORY_SHADOW_PIECE);
    for (unsigned i = first; i < first + n; i++) {
        int failed;

        if (atomic_exchange(&shadow->pieces[i].access, access) == access)
            continue;
        failed = piece_show(&shadow->pieces[i], i);
        err = err ? err : failed;
    }
    return err;
}

/* One byte at a time: an access may cross pieces, and none of this is fast. */
void
memory_shadow_access(struct memory *mem, uint64_t gpa, void *data, uint64_t len, bool write)
{
    uint8_t *p = data;

    for (uint64_t at = gpa; at < gpa + len; at++, p++) {
        unsigned i = (unsigned)((at - MEMORY_SHADOW_BASE) / MEMORY_SHADOW_PIECE);
        const struct shadow_piece *piece = &mem->shadow->pieces[i];
        unsigned access = atomic_load(&piece->access);
        uint64_t off = at - piece_gpa(i);
        uint8_t *ram = (uint8_t *)memory_region_host(piece->ram) + off;

        if (write && (access & MEMORY_SHADOW_WRITE)) {
            *ram = *p;
            memory_region_mark(piece->ram, off, 1);
        } else if (!write && (access & MEMORY_SHADOW_READ)) {
            *p = *ram;
        } else if (!write) {
            *p = piece->rom && at >= piece->rom_gpa
                     ? ((uint8_t *)memory_region_host(piece->rom))[at - piece->rom_gpa]
                     : 0xff;
        }
    }
}
