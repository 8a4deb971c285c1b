/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c - the map: which regions there are, where they are, and what KVM is told of it.
 *
 * Every change is made under one lock and then published for access.c, which takes none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/error.h"
#include "core/memory/internal.h"

/* Rewrites one copy of the table from the regions, in order of address. */
static void
fill_table(struct memory *mem, struct table *table)
{
    struct memory_region *sorted[MEMORY_REGIONS_MAX] = {NULL};
    unsigned n = 0;

    for (unsigned i = 0; i < MEMORY_REGIONS_MAX; i++) {
        struct memory_region *region = mem->regions[i];
        unsigned at = n;

        if (!region || !region->placed)
            continue;
        for (; at && sorted[at - 1]->gpa > region->gpa; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = region;
        n++;
    }
    for (unsigned i = 0; i < n; i++) {
        struct table_entry *entry = &table->entries[i];
        uint64_t last = sorted[i]->gpa + sorted[i]->len - 1;

        atomic_store_explicit(&entry->gpa, sorted[i]->gpa, memory_order_release);
        atomic_store_explicit(&entry->last, last, memory_order_release);
        atomic_store_explicit(&entry->region, sorted[i], memory_order_release);
    }
    atomic_store_explicit(&table->n, n, memory_order_release);
}

/* See struct memory: seq says which copy readers use, and that the other is being rewritten. */
static void
publish(struct memory *mem)
{
    unsigned seq = atomic_load_explicit(&mem->seq, memory_order_relaxed);

    atomic_store_explicit(&mem->seq, seq + 1, memory_order_release);
    fill_table(mem, &mem->tables[0]);
    atomic_store_explicit(&mem->seq, seq + 2, memory_order_release);
    fill_table(mem, &mem->tables[1]);
}

static int
set_slot(struct memory_region *region, bool present)
{
    struct memory *mem = region->mem;

    if (!mem->ops)
        return 0;
    return mem->ops->set_slot(mem->ctx, region->slot, memory_slot_flags(region), region->gpa,
                              present ? region->len : 0, region->pages->base + region->pages_off);
}

static const struct memory_region *
find_overlap(const struct memory *mem, const struct memory_region *self, uint64_t gpa, uint64_t len)
{
    for (unsigned i = 0; i < MEMORY_REGIONS_MAX; i++) {
        const struct memory_region *other = mem->regions[i];

        if (other && other != self && other->placed && gpa <= other->gpa + (other->len - 1) &&
            other->gpa <= gpa + (len - 1))
            return other;
    }
    return NULL;
}

/* Access stops first, then the guest's; what was written until then counts as dirty. */
static void
take_out(struct memory_region *region)
{
    region->placed = false;
    publish(region->mem);
    (void)set_slot(region, false);
    memory_region_mark(region, 0, region->len);
}

static int
put_in(struct memory_region *region, uint64_t gpa)
{
    int err;

    region->gpa = gpa;
    err = set_slot(region, true);
    if (err)
        return err;
    region->placed = true;
    publish(region->mem);
    return 0;
}

int
memory_region_place(struct memory_region *region, uint64_t gpa)
{
    struct memory *mem = region->mem;
    int err = 0;

    if (gpa % MEMORY_PAGE_SIZE || gpa > UINT64_MAX - (region->len - 1))
        return -EINVAL;
    pthread_mutex_lock(&mem->lock);
    if (find_overlap(mem, region, gpa, region->len)) {
        err = -EBUSY;
    } else if (!region->placed) {
        err = put_in(region, gpa);
    } else if (region->gpa != gpa) {
        uint64_t old = region->gpa;

        take_out(region);
        err = put_in(region, gpa);
        if (err)
            (void)put_in(region, old);
    }
    pthread_mutex_unlock(&mem->lock);
    return err;
}

void
memory_region_unplace(struct memory_region *region)
{
    struct memory *mem = region->mem;

    pthread_mutex_lock(&mem->lock);
    if (region->placed)
        take_out(region);
    pthread_mutex_unlock(&mem->lock);
}

bool
memory_region_placed(const struct memory_region *region, uint64_t *ret_gpa)
{
    struct memory *mem = region->mem;
    bool placed;

    pthread_mutex_lock(&mem->lock);
    placed = region->placed;
    if (placed)
        *ret_gpa = region->gpa;
    pthread_mutex_unlock(&mem->lock);
    return placed;
}

/* Gives a region its slot; the caller has set everything else. */
static gboolean
add_region(struct memory *mem, struct memory_region *region, GError **error)
{
    bool added = false;

    pthread_mutex_lock(&mem->lock);
    for (uint32_t i = 0; i < MEMORY_REGIONS_MAX && !added; i++) {
        if (mem->regions[i])
            continue;
        region->slot = i;
        mem->regions[i] = region;
        added = true;
    }
    pthread_mutex_unlock(&mem->lock);
    if (!added)
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "%s: too many memory regions; a machine has at most %d", region->name,
                    MEMORY_REGIONS_MAX);
    return added;
}

static struct memory_region *
new_region(struct memory *mem, enum memory_kind kind, const char *name, uint64_t len)
{
    struct memory_region *region = g_new0(struct memory_region, 1);

    region->mem = mem;
    region->kind = kind;
    region->name = g_strdup(name);
    region->len = len;
    region->own.fd = -1;
    return region;
}

static void
free_region(struct memory_region *region)
{
    host_pages_unmap(&region->own);
    free(atomic_load_explicit(&region->dirty, memory_order_relaxed));
    free(region->kvm_dirty);
    g_free(region->name);
    g_free(region);
}

struct memory_region *
memory_region_new(struct memory *mem, enum memory_kind kind, const char *name, uint64_t len,
                  GError **error)
{
    struct memory_config config = {
        .backing = mem->config.backing == MEMORY_ANONYMOUS ? MEMORY_ANONYMOUS : MEMORY_MEMFD};
    struct memory_region *region;

    if (len == 0 || len % MEMORY_PAGE_SIZE || len > MEMORY_SIZE_MAX) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "%s: memory of %" PRIu64 " bytes; give a multiple of 4 KiB", name, len);
        return NULL;
    }
    region = new_region(mem, kind, name, len);
    if (!host_pages_map(&region->own, len, &config, name, error)) {
        free_region(region);
        return NULL;
    }
    region->pages = &region->own;
    if (!add_region(mem, region, error)) {
        free_region(region);
        return NULL;
    }
    return region;
}

struct memory_region *
memory_region_new_alias(struct memory_region *of, uint64_t off, uint64_t len, const char *name,
                        GError **error)
{
    struct memory_region *region;

    if (len == 0 || (off | len) % MEMORY_PAGE_SIZE || off > of->len || len > of->len - off) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "%s: 0x%" PRIx64 " bytes at 0x%" PRIx64 " are not pages of %s", name, len, off,
                    of->name);
        return NULL;
    }
    region = new_region(of->mem, of->kind, name, len);
    region->pages = of->pages;
    region->pages_off = of->pages_off + off;
    if (!add_region(of->mem, region, error)) {
        free_region(region);
        return NULL;
    }
    return region;
}

void
memory_region_free(struct memory_region *region)
{
    if (!region)
        return;
    memory_region_unplace(region);
    while (region->log_users)
        if (memory_region_log(region, false) != 0)
            break;
    pthread_mutex_lock(&region->mem->lock);
    region->mem->regions[region->slot] = NULL;
    pthread_mutex_unlock(&region->mem->lock);
    free_region(region);
}

void *
memory_region_host(const struct memory_region *region)
{
    return region->pages->base + region->pages_off;
}

uint64_t
memory_region_len(const struct memory_region *region)
{
    return region->len;
}

const char *
memory_region_name(const struct memory_region *region)
{
    return region->name;
}

int
memory_region_seal(struct memory_region *region)
{
    if (region->kind != MEMORY_ROM)
        return -EINVAL;
    return mprotect(memory_region_host(region), region->len, PROT_READ) ? -errno : 0;
}

unsigned
memory_ranges(struct memory *mem, struct memory_range *ranges, unsigned max)
{
    unsigned n;

    pthread_mutex_lock(&mem->lock);
    /* Under the lock tables[0] is the map; see publish(). */
    n = atomic_load_explicit(&mem->tables[0].n, memory_order_relaxed);
    for (unsigned i = 0; i < n && i < max; i++) {
        const struct memory_region *region =
            atomic_load_explicit(&mem->tables[0].entries[i].region, memory_order_relaxed);

        ranges[i] = (struct memory_range){
            .gpa = region->gpa,
            .len = region->len,
            .hva = memory_region_host(region),
            .kind = region->kind,
            .fd = region->pages->fd,
            .fd_offset = region->pages_off,
            .name = region->name,
        };
    }
    pthread_mutex_unlock(&mem->lock);
    return n;
}

const char *
memory_overlap(struct memory *mem, uint64_t gpa, uint64_t len)
{
    const struct memory_region *region = NULL;

    if (len == 0)
        return NULL;
    len = MIN(len - 1, UINT64_MAX - gpa) + 1; /* 2^64 comes out as 0, and find_overlap takes it */
    pthread_mutex_lock(&mem->lock);
    region = find_overlap(mem, NULL, gpa, len);
    pthread_mutex_unlock(&mem->lock);
    return region ? region->name : NULL;
}

gboolean
memory_attach(struct memory *mem, const struct memory_slot_ops *ops, void *ctx, GError **error)
{
    const struct memory_region *refused = NULL;
    int err = 0;

    pthread_mutex_lock(&mem->lock);
    mem->ops = ops;
    mem->ctx = ctx;
    for (unsigned i = 0; i < MEMORY_REGIONS_MAX && !err; i++) {
        struct memory_region *region = mem->regions[i];

        if (!region || !region->placed)
            continue;
        err = set_slot(region, true);
        if (err)
            refused = region;
    }
    if (err)
        mem->ops = NULL;
    pthread_mutex_unlock(&mem->lock);
    if (err)
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                    "KVM refuses the memory slot of %s (0x%" PRIx64 " bytes at 0x%" PRIx64 "): %s",
                    refused->name, refused->len, refused->gpa, g_strerror(-err));
    return err == 0;
}

void
memory_detach(struct memory *mem)
{
    pthread_mutex_lock(&mem->lock);
    mem->ops = NULL;
    mem->ctx = NULL;
    pthread_mutex_unlock(&mem->lock);
}

static gboolean
check_size(const struct memory_config *config, GError **error)
{
    if (config->size_bytes < MEMORY_SIZE_MIN)
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "guest RAM of %" PRIu64 " bytes is too small; give at least 2 MiB",
                    config->size_bytes);
    else if (config->size_bytes > MEMORY_SIZE_MAX)
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "guest RAM of %" PRIu64 " GiB is too large; give at most 16 TiB",
                    config->size_bytes >> 30);
    else if (config->size_bytes % MEMORY_PAGE_SIZE)
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "guest RAM of %" PRIu64 " bytes is not a multiple of 4 KiB",
                    config->size_bytes);
    else
        return TRUE;
    return FALSE;
}

struct memory_region *
memory_region_alias(struct memory *mem, enum memory_kind kind, const char *name,
                    struct host_pages *pages, uint64_t pages_off, uint64_t len)
{
    struct memory_region *region = new_region(mem, kind, name, len);

    region->pages = pages;
    region->pages_off = pages_off;
    if (add_region(mem, region, NULL))
        return region;
    free_region(region);
    return NULL;
}

int
memory_region_trim(struct memory_region *region, uint64_t by)
{
    struct memory *mem = region->mem;
    int err = -EBUSY;

    pthread_mutex_lock(&mem->lock);
    if (region->placed && !region->log_users && by < region->len &&
        !atomic_load_explicit(&region->dirty, memory_order_relaxed)) {
        uint64_t gpa = region->gpa + by;

        take_out(region);
        region->len -= by;
        region->pages_off += by;
        err = put_in(region, gpa);
    }
    pthread_mutex_unlock(&mem->lock);
    return err;
}

/* One contiguous piece of RAM; host and guest addresses stay equal modulo 2 MiB. */
static void
add_ram(struct memory *mem, const char *name, uint64_t gpa, uint64_t end, uint64_t pages_off)
{
    struct memory_region *region = new_region(mem, MEMORY_RAM, name, end - gpa);
    bool added = add_region(mem, region, NULL); /* the first regions: there is a slot */

    g_assert(added);
    region->pages = &mem->ram;
    region->pages_off = pages_off;
    (void)put_in(region, gpa); /* no VM yet that could refuse */
}

struct memory *
memory_new(const struct memory_config *config, GError **error)
{
    struct memory *mem;
    uint64_t low;

    if (!check_size(config, error))
        return NULL;
    mem = g_new0(struct memory, 1);
    mem->config = *config;
    mem->config.hugetlb_path = NULL; /* not ours to keep */
    mem->ram.fd = -1;
    if (!host_pages_map(&mem->ram, config->size_bytes, config, "guest RAM", error)) {
        g_free(mem);
        return NULL;
    }
    pthread_mutex_init(&mem->lock, NULL);
    low = MIN(config->size_bytes, MEMORY_LOW_MAX);
    mem->low_end = low;
    mem->high_end = MEMORY_HIGH_BASE + (config->size_bytes - low);
    add_ram(mem, "RAM below 640 KiB", 0, MEMORY_LEGACY_HOLE, 0);
    add_ram(mem, "RAM below 4 GiB", MEMORY_LEGACY_END, low, MEMORY_LEGACY_END);
    if (mem->high_end > MEMORY_HIGH_BASE)
        add_ram(mem, "RAM above 4 GiB", MEMORY_HIGH_BASE, mem->high_end, low);
    return mem;
}

void
memory_free(struct memory *mem)
{
    if (!mem)
        return;
    memory_shadow_free(mem);
    for (unsigned i = 0; i < MEMORY_REGIONS_MAX; i++)
        if (mem->regions[i])
            free_region(mem->regions[i]);
    host_pages_unmap(&mem->ram);
    pthread_mutex_destroy(&mem->lock);
    g_free(mem);
}

uint64_t
memory_size(const struct memory *mem)
{
    return mem->config.size_bytes;
}

uint64_t
memory_low_end(const struct memory *mem)
{
    return mem->low_end;
}

uint64_t
memory_high_end(const struct memory *mem)
{
    return mem->high_end;
}

int
memory_reset(struct memory *mem)
{
    int err = host_pages_zero(&mem->ram, 0, mem->ram.len);

    for (unsigned i = 0; i < MEMORY_REGIONS_MAX; i++)
        if (mem->regions[i] && mem->regions[i]->kind == MEMORY_RAM)
            memory_region_mark(mem->regions[i], 0, mem->regions[i]->len);
    return err;
}
