/* SPDX-License-Identifier: BSD-3-Clause */
/* e820.c - see e820.h. */
#include "core/memory/e820.h"

#include <errno.h>
#include <glib.h>

struct e820 {
    GArray *given;  /* struct e820_entry, in any order, may overlap */
    GArray *sorted; /* the map made of them */
    bool stale;
};

static void
add(struct e820 *map, uint64_t base, uint64_t end, uint32_t type)
{
    struct e820_entry entry = {base, end - base, type};

    g_array_append_val(map->given, entry);
    map->stale = true;
}

struct e820 *
e820_new(const struct memory *mem)
{
    struct e820 *map = g_new0(struct e820, 1);

    map->given = g_array_new(FALSE, FALSE, sizeof(struct e820_entry));
    map->sorted = g_array_new(FALSE, FALSE, sizeof(struct e820_entry));
    add(map, 0, memory_low_end(mem), E820_RAM);
    if (memory_high_end(mem) > MEMORY_HIGH_BASE)
        add(map, MEMORY_HIGH_BASE, memory_high_end(mem), E820_RAM);
    add(map, E820_EBDA, E820_LOW_BASE, E820_RESERVED);
    add(map, MEMORY_IDENTITY_MAP_ADDR, MEMORY_HIGH_BASE, E820_RESERVED);
    return map;
}

void
e820_free(struct e820 *map)
{
    if (!map)
        return;
    g_array_unref(map->given);
    g_array_unref(map->sorted);
    g_free(map);
}

int
e820_reserve(struct e820 *map, uint64_t base, uint64_t len, uint32_t type)
{
    if (len == 0 || base > UINT64_MAX - len || type <= E820_RAM)
        return -EINVAL;
    add(map, base, base + len, type);
    return 0;
}

static int
compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The type of the piece that starts at base: pieces never straddle the edge of a given range. */
static uint32_t
type_at(const GArray *given, uint64_t base)
{
    uint32_t type = 0;

    for (guint i = 0; i < given->len; i++) {
        const struct e820_entry *entry = &g_array_index(given, struct e820_entry, i);

        if (base >= entry->base && base - entry->base < entry->len)
            type = MAX(type, entry->type);
    }
    return type;
}

static void
rebuild(struct e820 *map)
{
    g_autoptr(GArray) edges = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    for (guint i = 0; i < map->given->len; i++) {
        const struct e820_entry *entry = &g_array_index(map->given, struct e820_entry, i);
        uint64_t end = entry->base + entry->len;

        g_array_append_val(edges, entry->base);
        g_array_append_val(edges, end);
    }
    g_array_sort(edges, compare_u64);
    g_array_set_size(map->sorted, 0);
    for (guint i = 0; i + 1 < edges->len; i++) {
        uint64_t base = g_array_index(edges, uint64_t, i);
        uint64_t end = g_array_index(edges, uint64_t, i + 1);
        uint32_t type = base < end ? type_at(map->given, base) : 0;
        struct e820_entry entry = {base, end - base, type};
        struct e820_entry *last =
            map->sorted->len ? &g_array_index(map->sorted, struct e820_entry, map->sorted->len - 1)
                             : NULL;

        if (type == 0)
            continue;
        if (last && last->type == type && last->base + last->len == base)
            last->len += entry.len;
        else
            g_array_append_val(map->sorted, entry);
    }
    map->stale = false;
}

const struct e820_entry *
e820_entries(struct e820 *map, unsigned *ret_n)
{
    if (map->stale)
        rebuild(map);
    *ret_n = map->sorted->len;
    return (const struct e820_entry *)(void *)map->sorted->data;
}

bool
e820_is_ram(struct e820 *map, uint64_t base, uint64_t len)
{
    unsigned n;
    const struct e820_entry *entries = e820_entries(map, &n);

    for (unsigned i = 0; i < n; i++)
        if (entries[i].type == E820_RAM && base >= entries[i].base &&
            base - entries[i].base <= entries[i].len)
            return len <= entries[i].len - (base - entries[i].base);
    return false;
}
