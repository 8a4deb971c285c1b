/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dirty.c - dirty logs: which pages of a region were written since somebody last asked.
 *
 * A region's bitmap holds what user space wrote; KVM's own log is fetched and added when somebody
 * asks. Writers set bits without a lock, after the bytes; a fetch clears the bits before its caller
 * looks at the bytes. So a write is seen by this fetch or its bit by the next one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory/internal.h"

#define PAGE_SHIFT 12

static size_t
dirty_words(const struct memory_region *region)
{
    return (size_t)((region->len / MEMORY_PAGE_SIZE + 63) / 64);
}

void
memory_region_mark(struct memory_region *region, uint64_t off, uint64_t len)
{
    uint64_t *dirty;

    if (!atomic_load_explicit(&region->logging, memory_order_acquire) || len == 0)
        return;
    dirty = atomic_load_explicit(&region->dirty, memory_order_acquire);
    for (uint64_t page = off >> PAGE_SHIFT, last = (off + len - 1) >> PAGE_SHIFT; page <= last;) {
        uint64_t in_word = MIN(64 - page % 64, last - page + 1);
        uint64_t mask = (in_word == 64 ? UINT64_MAX : (UINT64_C(1) << in_word) - 1) << page % 64;

        __atomic_fetch_or(&dirty[page / 64], mask, __ATOMIC_ACQ_REL);
        page += in_word;
    }
}

/* Tell KVM of changed flags. */
static int
push_flags(struct memory_region *region)
{
    struct memory *mem = region->mem;

    if (!mem->ops || !region->placed)
        return 0;
    return mem->ops->set_slot(mem->ctx, region->slot, memory_slot_flags(region), region->gpa,
                              region->len, region->pages->base + region->pages_off);
}

static int
log_start(struct memory_region *region)
{
    size_t words = dirty_words(region);
    uint64_t *dirty = atomic_load_explicit(&region->dirty, memory_order_relaxed);
    int err;

    if (!dirty) {
        dirty = calloc(words, sizeof(*dirty));
        region->kvm_dirty = calloc(words, sizeof(*region->kvm_dirty));
        if (!dirty || !region->kvm_dirty) {
            free(dirty);
            free(region->kvm_dirty);
            region->kvm_dirty = NULL;
            return -ENOMEM;
        }
        atomic_store_explicit(&region->dirty, dirty, memory_order_release);
    }
    for (size_t i = 0; i < words; i++)
        __atomic_store_n(&dirty[i], 0, __ATOMIC_RELAXED);
    region->log_users = 1;
    err = push_flags(region);
    if (err) {
        region->log_users = 0;
        return err;
    }
    atomic_store_explicit(&region->logging, true, memory_order_release);
    atomic_fetch_add_explicit(&region->mem->logs, 1, memory_order_release);
    return 0;
}

int
memory_region_log(struct memory_region *region, bool on)
{
    struct memory *mem = region->mem;
    int err = 0;

    pthread_mutex_lock(&mem->lock);
    if (on) {
        if (region->log_users)
            region->log_users++;
        else
            err = log_start(region);
    } else if (region->log_users == 0) {
        err = -EINVAL;
    } else if (--region->log_users == 0) {
        atomic_store_explicit(&region->logging, false, memory_order_release);
        atomic_fetch_sub_explicit(&mem->logs, 1, memory_order_release);
        err = push_flags(region);
    }
    pthread_mutex_unlock(&mem->lock);
    return err;
}

/* Adds what KVM has logged to the bitmap. */
static int
merge_kvm(struct memory_region *region, uint64_t *dirty)
{
    struct memory *mem = region->mem;
    size_t words = dirty_words(region);
    int err;

    if (!mem->ops || !mem->ops->get_dirty || !region->placed)
        return 0;
    memset(region->kvm_dirty, 0, words * sizeof(*region->kvm_dirty));
    err = mem->ops->get_dirty(mem->ctx, region->slot, region->kvm_dirty);
    if (err)
        return err;
    for (size_t i = 0; i < words; i++)
        if (region->kvm_dirty[i])
            __atomic_fetch_or(&dirty[i], region->kvm_dirty[i], __ATOMIC_ACQ_REL);
    return 0;
}

/* Takes the bits of up to 64 pages from page on out of the bitmap. */
static uint64_t
take_word(uint64_t *dirty, uint64_t page, uint64_t n)
{
    uint64_t mask = (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) << page % 64;

    if ((__atomic_load_n(&dirty[page / 64], __ATOMIC_RELAXED) & mask) == 0)
        return 0;
    return (__atomic_fetch_and(&dirty[page / 64], ~mask, __ATOMIC_ACQ_REL) & mask) >> page % 64;
}

int64_t
memory_region_fetch_dirty(struct memory_region *region, uint64_t off, uint64_t len, uint8_t *bits)
{
    struct memory *mem = region->mem;
    uint64_t *dirty;
    uint64_t first = off >> PAGE_SHIFT, pages;
    int64_t count = 0;
    int err;

    if (off % MEMORY_PAGE_SIZE || off > region->len || len > region->len - off)
        return -EINVAL;
    pages = (len + MEMORY_PAGE_SIZE - 1) >> PAGE_SHIFT;
    pthread_mutex_lock(&mem->lock);
    dirty = atomic_load_explicit(&region->dirty, memory_order_relaxed);
    err = region->log_users ? merge_kvm(region, dirty) : -EINVAL;
    pthread_mutex_unlock(&mem->lock);
    if (err)
        return err;

    memset(bits, 0, (size_t)(pages + 7) / 8);
    for (uint64_t done = 0; done < pages;) {
        uint64_t page = first + done;
        uint64_t n = MIN(64 - page % 64, pages - done);
        uint64_t word = take_word(dirty, page, n);

        count += __builtin_popcountll(word);
        for (uint64_t left = word; left; left &= left - 1) {
            uint64_t bit = done + (uint64_t)__builtin_ctzll(left);

            bits[bit / 8] |= (uint8_t)(1U << bit % 8);
        }
        done += n;
    }
    return count;
}
