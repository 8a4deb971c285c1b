/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.c - guest memory during one load: the RAM of the e820 map, less what has been taken.
 *
 * A kernel's own segments go where it wants them, so they are claimed first; everything of ours is
 * then put where room is left. So no image can collide with a structure of ours.
 */
#include "core/boot/internal.h"

struct claim {
    uint64_t first, last;
    const char *name;
};

struct layout {
    struct e820 *e820;
    GArray *claims;
};

struct layout *
layout_new(struct e820 *e820)
{
    struct layout *layout = g_new0(struct layout, 1);

    layout->e820 = e820;
    layout->claims = g_array_new(FALSE, FALSE, sizeof(struct claim));
    return layout;
}

void
layout_free(struct layout *layout)
{
    g_array_unref(layout->claims);
    g_free(layout);
}

static const struct claim *
find_claim(const struct layout *layout, uint64_t first, uint64_t last)
{
    for (guint i = 0; i < layout->claims->len; i++) {
        const struct claim *claim = &g_array_index(layout->claims, struct claim, i);

        if (first <= claim->last && claim->first <= last)
            return claim;
    }
    return NULL;
}

static void
take(struct layout *layout, uint64_t gpa, uint64_t len, const char *name)
{
    struct claim claim = {gpa, gpa + (len - 1), name};

    g_array_append_val(layout->claims, claim);
}

const char *
layout_claim(struct layout *layout, uint64_t gpa, uint64_t len, const char *name)
{
    const struct claim *other;

    if (len == 0)
        return NULL;
    if (!e820_is_ram(layout->e820, gpa, len))
        return "what is not free RAM";
    other = find_claim(layout, gpa, gpa + (len - 1));
    if (other)
        return other->name;
    take(layout, gpa, len, name);
    return NULL;
}

/* The lowest place in [first, end), or false. */
static bool
lowest_in(const struct layout *layout, uint64_t first, uint64_t end, uint64_t len, uint64_t align,
          uint64_t *ret_gpa)
{
    while (first < end) {
        const struct claim *claim;

        if (first > UINT64_MAX - (align - 1))
            return false;
        first = (first + align - 1) & ~(align - 1);
        if (first >= end || len > end - first)
            return false;
        claim = find_claim(layout, first, first + (len - 1));
        if (!claim) {
            *ret_gpa = first;
            return true;
        }
        first = claim->last + 1; /* claims lie in RAM: no overflow */
    }
    return false;
}

static bool
highest_in(const struct layout *layout, uint64_t first, uint64_t end, uint64_t len, uint64_t align,
           uint64_t *ret_gpa)
{
    while (end > first && end - first >= len) {
        uint64_t gpa = (end - len) & ~(align - 1);
        const struct claim *claim;

        if (gpa < first)
            return false;
        claim = find_claim(layout, gpa, gpa + (len - 1));
        if (!claim) {
            *ret_gpa = gpa;
            return true;
        }
        end = claim->first;
    }
    return false;
}

bool
layout_lowest(struct layout *layout, uint64_t min, uint64_t end, uint64_t len, uint64_t align,
              const char *name, uint64_t *ret_gpa)
{
    unsigned n;
    const struct e820_entry *entries = e820_entries(layout->e820, &n);

    for (unsigned i = 0; len && i < n; i++) {
        uint64_t first = MAX(min, entries[i].base);
        uint64_t stop = MIN(end, entries[i].base + entries[i].len);

        if (entries[i].type != E820_RAM || !lowest_in(layout, first, stop, len, align, ret_gpa))
            continue;
        take(layout, *ret_gpa, len, name);
        return true;
    }
    return false;
}

bool
layout_highest(struct layout *layout, uint64_t min, uint64_t end, uint64_t len, uint64_t align,
               const char *name, uint64_t *ret_gpa)
{
    unsigned n;
    const struct e820_entry *entries = e820_entries(layout->e820, &n);

    for (unsigned i = n; len && i-- > 0;) {
        uint64_t first = MAX(min, entries[i].base);
        uint64_t stop = MIN(end, entries[i].base + entries[i].len);

        if (entries[i].type != E820_RAM || !highest_in(layout, first, stop, len, align, ret_gpa))
            continue;
        take(layout, *ret_gpa, len, name);
        return true;
    }
    return false;
}
