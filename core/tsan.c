/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tsan.c - tells ThreadSanitizer about GLib's locks; empty in every other build.
 *
 * GLib's GMutex and GCond are atomics and futexes inside libglib, which is not instrumented, so the
 * sanitizer would see no order between the threads that use them and report races that are none.
 * These functions stand before libglib's for callers in the program, call the real ones and say
 * what they did.
 */
#include "config.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)

#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>

#define REAL(name, type, ...)                                                                      \
    static type (*found)(__VA_ARGS__);                                                             \
    type (*real)(__VA_ARGS__) = __atomic_load_n(&found, __ATOMIC_RELAXED);                         \
    if (real == NULL) {                                                                            \
        real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name);                                      \
        __atomic_store_n(&found, real, __ATOMIC_RELAXED);                                          \
    }

void
g_mutex_lock(GMutex *mutex)
{
    REAL(g_mutex_lock, void, GMutex *)
    __tsan_mutex_pre_lock(mutex, 0);
    real(mutex);
    __tsan_mutex_post_lock(mutex, 0, 0);
}

gboolean(g_mutex_trylock)(GMutex *mutex)
{
    REAL(g_mutex_trylock, gboolean, GMutex *)
    gboolean got;

    __tsan_mutex_pre_lock(mutex, __tsan_mutex_try_lock);
    got = real(mutex);
    __tsan_mutex_post_lock(mutex, __tsan_mutex_try_lock | (got ? 0 : __tsan_mutex_try_lock_failed),
                           0);
    return got;
}

void
g_mutex_unlock(GMutex *mutex)
{
    REAL(g_mutex_unlock, void, GMutex *)
    __tsan_mutex_pre_unlock(mutex, 0);
    real(mutex);
    __tsan_mutex_post_unlock(mutex, 0);
}

void
g_mutex_clear(GMutex *mutex)
{
    REAL(g_mutex_clear, void, GMutex *)
    __tsan_mutex_destroy(mutex, 0);
    real(mutex);
}

void
g_cond_wait(GCond *cond, GMutex *mutex)
{
    REAL(g_cond_wait, void, GCond *, GMutex *)
    __tsan_mutex_pre_unlock(mutex, 0);
    __tsan_mutex_post_unlock(mutex, 0);
    real(cond, mutex);
    __tsan_mutex_pre_lock(mutex, 0);
    __tsan_mutex_post_lock(mutex, 0, 0);
}

gboolean
g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
    REAL(g_cond_wait_until, gboolean, GCond *, GMutex *, gint64)
    gboolean signalled;

    __tsan_mutex_pre_unlock(mutex, 0);
    __tsan_mutex_post_unlock(mutex, 0);
    signalled = real(cond, mutex, end_time);
    __tsan_mutex_pre_lock(mutex, 0);
    __tsan_mutex_post_lock(mutex, 0, 0);
    return signalled;
}

#else
typedef int tsan_is_off;
#endif
