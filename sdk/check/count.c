/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * count.c - the C library's allocator, with a count of the blocks that are in use, and failures of
 * the plugin's own allocations on demand.
 *
 * The functions of this program are found before the C library's, by the plugin and by all
 * libraries. Only calls from the plugin, libbackplane-virtio and the C++ run-time fail: the fake
 * host has nothing to go on with when there is no memory. Sanitizers have allocators of their own;
 * with them nothing is counted here and their leak check does that work.
 */
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>

#include "check.h"

#if defined(__GLIBC__) && !CHECK_SANITIZED

#define RANGES_MAX 8u

static atomic_long live;
static atomic_uint left; /* until one fails; 0: none will */
static atomic_int failed;
static struct {
    uintptr_t from, to;
} ranges[RANGES_MAX];
static unsigned n_ranges;

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

static int
fails(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;

    if (!atomic_load_explicit(&left, memory_order_relaxed))
        return 0;
    for (unsigned i = 0; i < n_ranges; i++)
        if (at >= ranges[i].from && at < ranges[i].to && atomic_fetch_sub(&left, 1) == 1) {
            atomic_store(&failed, 1);
            errno = ENOMEM;
            return 1;
        }
    return 0;
}

static void *
counted(void *p)
{
    if (p)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return p;
}

BP_EXPORT void *
malloc(size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(n));
}

BP_EXPORT void *
calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_calloc(n, size));
}

BP_EXPORT void *
realloc(void *old, size_t n)
{
    void *p;

    if (fails(__builtin_return_address(0)))
        return NULL;
    p = __libc_realloc(old, n);
    if (p && !old)
        counted(p);
    if (!p && old && !n)
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    return p;
}

BP_EXPORT void *
memalign(size_t align, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_memalign(align, n));
}

BP_EXPORT void *
aligned_alloc(size_t align, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_memalign(align, n));
}

BP_EXPORT int
posix_memalign(void **ret, size_t align, size_t n)
{
    void *p = fails(__builtin_return_address(0)) ? NULL : counted(__libc_memalign(align, n));

    if (!p)
        return ENOMEM;
    *ret = p;
    return 0;
}

BP_EXPORT void
free(void *p)
{
    if (p)
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    __libc_free(p);
}

static int
add_ranges(struct dl_phdr_info *info, size_t size, void *arg)
{
    const struct check *c = arg;

    (void)size;
    if (strcmp(info->dlpi_name, c->opt->file) != 0 &&
        !strstr(info->dlpi_name, "/libbackplane-virtio.so") &&
        !strstr(info->dlpi_name, "/libstdc++.so"))
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum && n_ranges < RANGES_MAX; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type == PT_LOAD && p->p_flags & PF_X) {
            ranges[n_ranges].from = info->dlpi_addr + p->p_vaddr;
            ranges[n_ranges++].to = info->dlpi_addr + p->p_vaddr + p->p_memsz;
        }
    }
    return 0;
}

void
count_watch(struct check *c)
{
    n_ranges = 0;
    dl_iterate_phdr(add_ranges, c);
}

int
count_works(void)
{
    return 1;
}

long
count_live(void)
{
    return atomic_load(&live);
}

void
count_fail_at(unsigned nth)
{
    atomic_store(&failed, 0);
    atomic_store(&left, nth);
}

int
count_failed(void)
{
    return atomic_load(&failed);
}

#else

void
count_watch(struct check *c)
{
    (void)c;
}

int
count_works(void)
{
    return 0;
}

long
count_live(void)
{
    return 0;
}

void
count_fail_at(unsigned nth)
{
    (void)nth;
}

int
count_failed(void)
{
    return 0;
}

#endif
