/* SPDX-License-Identifier: BSD-3-Clause */
/* test-loop.h - callbacks that note what they were told, for test-loop.c and test-loop-threads.c.
 */
#ifndef TESTS_UNIT_TEST_LOOP_H
#define TESTS_UNIT_TEST_LOOP_H

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/loop/loop.h"
#include "tests/tap.h"

#define SECOND INT64_C(1000000000)

struct rec {
    struct loop *loop;
    struct loop_source *source, *other;
    _Atomic unsigned calls;
    uint32_t mask;
    int fd;
    unsigned stop_at;
    int64_t again; /* timer: arm again so far from now */
    atomic_bool inside, go;
    unsigned order;
};

static unsigned order;

static inline void
count(void *user, uint32_t mask)
{
    struct rec *rec = user;

    rec->calls++;
    rec->mask = mask;
    rec->order = ++order;
    if (rec->stop_at && rec->calls >= rec->stop_at)
        loop_quit(rec->loop);
}

static inline bool
called(void *user)
{
    return ((struct rec *)user)->calls > 0;
}

static inline bool
is_true(void *user)
{
    return atomic_load((atomic_bool *)user);
}

static inline bool
never(void *user)
{
    (void)user;
    return false;
}

static inline struct loop *
make_loop(struct loop_clock *clock)
{
    GError *error = NULL;
    struct loop *loop = loop_new("test", clock, &error);

    if (loop == NULL)
        g_error("%s", error->message);
    return loop;
}

static inline void
must(int err)
{
    if (err)
        g_error("unexpected error: %s", g_strerror(-err));
}

static inline void
write_one(int fd)
{
    const uint64_t one = 1;

    if (write(fd, &one, sizeof one) != sizeof one)
        g_error("write: %s", g_strerror(errno));
}

#endif
