/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * access.c - reaching guest memory by guest address, from any thread.
 *
 * Reads the published table (internal.h) and takes no lock. Owns nothing.
 */
#include <errno.h>
#include <string.h>

#include "core/memory/internal.h"

/*
 * The entry loads are acquire: the second load of seq cannot move before them, and an entry written
 * by publish() (a release store) brings the seq that was stored before it along. On x86-64 all of
 * this is plain moves.
 */
bool
memory_find(struct memory *mem, uint64_t gpa, struct memory_hit *ret_hit)
{
    for (;;) {
        unsigned seq = atomic_load_explicit(&mem->seq, memory_order_acquire);
        const struct table *table = &mem->tables[seq & 1];
        unsigned lo = 0, hi = atomic_load_explicit(&table->n, memory_order_acquire);
        uint64_t first = 0, last = 0;
        struct memory_region *region = NULL;

        while (lo < hi) {
            unsigned mid = (lo + hi) / 2;
            const struct table_entry *entry = &table->entries[mid];

            last = atomic_load_explicit(&entry->last, memory_order_acquire);
            if (gpa > last) {
                lo = mid + 1;
                continue;
            }
            first = atomic_load_explicit(&entry->gpa, memory_order_acquire);
            if (gpa < first) {
                hi = mid;
                continue;
            }
            region = atomic_load_explicit(&entry->region, memory_order_acquire);
            break;
        }
        if (atomic_load_explicit(&mem->seq, memory_order_relaxed) != seq)
            continue;
        if (!region)
            return false;
        *ret_hit = (struct memory_hit){region, gpa - first, last - gpa + 1};
        return true;
    }
}

/* A look-up for an access that may be a write, which no ROM takes. */
static bool
find_for(struct memory *mem, uint64_t gpa, bool writable, struct memory_hit *ret_hit)
{
    struct memory_hit hit;

    if (!memory_find(mem, gpa, &hit) || (writable && hit.region->kind == MEMORY_ROM))
        return false;
    *ret_hit = hit;
    return true;
}

/* True when every byte of a range can be accessed. */
static bool
range_ok(struct memory *mem, uint64_t gpa, uint64_t len, bool writable)
{
    struct memory_hit hit;

    while (find_for(mem, gpa, writable, &hit)) {
        if (hit.avail >= len)
            return true;
        len -= hit.avail;
        gpa += hit.avail;
        if (gpa == 0)
            return false;
    }
    return false;
}

/*
 * Guest memory changes under our hands. An aligned access of a size that the CPU has is one access,
 * so that nobody sees half of a ring index; anything else is bytes.
 */
static void
copy_from_guest(void *buf, const uint8_t *host, uint64_t len)
{
    if (((uintptr_t)host & (len - 1)) == 0) {
        if (len == 8) {
            uint64_t v = __atomic_load_n((const uint64_t *)(const void *)host, __ATOMIC_ACQUIRE);
            memcpy(buf, &v, 8);
            return;
        }
        if (len == 4) {
            uint32_t v = __atomic_load_n((const uint32_t *)(const void *)host, __ATOMIC_ACQUIRE);
            memcpy(buf, &v, 4);
            return;
        }
        if (len == 2) {
            uint16_t v = __atomic_load_n((const uint16_t *)(const void *)host, __ATOMIC_ACQUIRE);
            memcpy(buf, &v, 2);
            return;
        }
    }
    memcpy(buf, host, len);
}

static void
copy_to_guest(uint8_t *host, const void *buf, uint64_t len)
{
    if (((uintptr_t)host & (len - 1)) == 0) {
        uint64_t v8;
        uint32_t v4;
        uint16_t v2;

        switch (len) {
        case 8:
            memcpy(&v8, buf, 8);
            __atomic_store_n((uint64_t *)(void *)host, v8, __ATOMIC_RELEASE);
            return;
        case 4:
            memcpy(&v4, buf, 4);
            __atomic_store_n((uint32_t *)(void *)host, v4, __ATOMIC_RELEASE);
            return;
        case 2:
            memcpy(&v2, buf, 2);
            __atomic_store_n((uint16_t *)(void *)host, v2, __ATOMIC_RELEASE);
            return;
        default:
            break;
        }
    }
    memcpy(host, buf, len);
}

int
memory_read(struct memory *mem, uint64_t gpa, void *buf, uint64_t len)
{
    struct memory_hit hit;
    uint8_t *to = buf;

    if (len == 0)
        return 0;
    if (!memory_find(mem, gpa, &hit))
        return -EFAULT;
    if (hit.avail >= len) {
        copy_from_guest(to, memory_hit_host(&hit), len);
        return 0;
    }
    if (!range_ok(mem, gpa, len, false))
        return -EFAULT;
    while (len) {
        uint64_t n;

        if (!memory_find(mem, gpa, &hit))
            return -EFAULT; /* moved away this moment */
        n = MIN(len, hit.avail);
        copy_from_guest(to, memory_hit_host(&hit), n);
        to += n;
        gpa += n;
        len -= n;
    }
    return 0;
}

int
memory_write(struct memory *mem, uint64_t gpa, const void *buf, uint64_t len)
{
    struct memory_hit hit;
    const uint8_t *from = buf;

    if (len == 0)
        return 0;
    if (!range_ok(mem, gpa, len, true))
        return -EFAULT;
    while (len) {
        uint64_t n;

        if (!find_for(mem, gpa, true, &hit))
            return -EFAULT;
        n = MIN(len, hit.avail);
        copy_to_guest(memory_hit_host(&hit), from, n);
        memory_region_mark(hit.region, hit.off, n);
        from += n;
        gpa += n;
        len -= n;
    }
    return 0;
}

int
memory_zero(struct memory *mem, uint64_t gpa, uint64_t len)
{
    struct memory_hit hit;

    if (len == 0)
        return 0;
    if (!range_ok(mem, gpa, len, true))
        return -EFAULT;
    while (len) {
        uint64_t n;
        int err;

        if (!find_for(mem, gpa, true, &hit))
            return -EFAULT;
        n = MIN(len, hit.avail);
        err = host_pages_zero(hit.region->pages, hit.region->pages_off + hit.off, n);
        if (err)
            return err;
        memory_region_mark(hit.region, hit.off, n);
        gpa += n;
        len -= n;
    }
    return 0;
}

int
memory_map(struct memory *mem, uint64_t gpa, uint64_t len, bool writable, void **ret_ptr,
           uint64_t *ret_got)
{
    struct memory_hit hit;

    if (len == 0)
        return -EINVAL;
    if (!find_for(mem, gpa, writable, &hit))
        return -EFAULT;
    *ret_ptr = memory_hit_host(&hit);
    *ret_got = MIN(len, hit.avail);
    return 0;
}

const uint32_t *
memory_logs(const struct memory *mem)
{
    _Static_assert(sizeof(mem->logs) == sizeof(uint32_t),
                   "an atomic 32-bit number is plain memory");
    return (const uint32_t *)(uintptr_t)&mem->logs;
}

void
memory_mark_dirty(struct memory *mem, uint64_t gpa, uint64_t len)
{
    struct memory_hit hit;

    if (atomic_load_explicit(&mem->logs, memory_order_acquire) == 0)
        return;
    while (len && memory_find(mem, gpa, &hit)) {
        uint64_t n = MIN(len, hit.avail);

        memory_region_mark(hit.region, hit.off, n);
        len -= n;
        gpa += n;
        if (gpa == 0)
            return;
    }
}

struct memory_region *
memory_region_at(struct memory *mem, uint64_t gpa)
{
    struct memory_hit hit;

    return memory_find(mem, gpa, &hit) ? hit.region : NULL;
}
