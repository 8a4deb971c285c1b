/* SPDX-License-Identifier: BSD-3-Clause */
/* test-handles.c - stale, forged and foreign ids find nothing; look-up is safe beside adding. */
#include <glib.h>

#include "core/machine/handles.h"
#include "tests/tap.h"

static unsigned freed;

static void
count_fini(enum handle_kind kind, void *object)
{
    (void)kind;
    (void)object;
    freed++;
}

static void
test_ids(void)
{
    struct handles *a = handles_new(), *b = handles_new();
    int x, y;
    uint64_t id = handles_add(a, HANDLE_IRQ, &x), old;

    ok(id != 0, "an id is never 0");
    ok(handles_get(a, HANDLE_IRQ, id) == &x, "it finds its object");
    ok(!handles_get(a, HANDLE_REGION, id), "not as another kind");
    ok(!handles_get(b, HANDLE_IRQ, id), "not in another table");
    ok(!handles_get(a, HANDLE_IRQ, 0), "id 0 finds nothing");
    ok(!handles_get(a, HANDLE_IRQ, id + 1), "a guessed neighbour finds nothing");
    ok(!handles_get(a, HANDLE_IRQ, id ^ (UINT64_C(1) << 40)), "a wrong generation finds nothing");
    ok(!handles_get(a, HANDLE_NONE, UINT64_C(0xffffffff)), "the largest slot finds nothing");
    ok(handles_remove(a, HANDLE_IRQ, id) == &x, "removing gives the object back");
    ok(!handles_get(a, HANDLE_IRQ, id), "a removed id finds nothing");
    ok(!handles_remove(a, HANDLE_IRQ, id), "removing twice finds nothing");
    old = id;
    id = handles_add(a, HANDLE_IRQ, &y);
    ok(handles_get(a, HANDLE_IRQ, id) == &y, "the slot is used again");
    ok(id != old && !handles_get(a, HANDLE_IRQ, old), "... and the stale id still finds nothing");
    freed = 0;
    handles_free(a, count_fini);
    eq_int(freed, 1, "what is left is given to fini");
    handles_free(b, count_fini);
    eq_int(freed, 1, "an empty table has nothing to give");
}

static void
test_full(void)
{
    struct handles *h = handles_new();
    int x;
    unsigned n = 0;

    while (n < 100000 && handles_add(h, HANDLE_EVENT, &x))
        n++;
    eq_int(n, 8192, "a table holds 8192 objects and then says that it is full");
    freed = 0;
    handles_free(h, count_fini);
    eq_int(freed, n, "each is given to fini");
}

static gpointer
reader(gpointer data)
{
    struct handles *h = data;
    unsigned found = 0;

    for (unsigned i = 0; i < 200000; i++)
        found += handles_get(h, HANDLE_IRQ, UINT64_C(1) << 32 | (i % 512 + 1)) != NULL;
    return GUINT_TO_POINTER(found);
}

static void
test_threads(void)
{
    struct handles *h = handles_new();
    GThread *t = g_thread_new("reader", reader, h);
    int x;
    unsigned n = 0;

    for (unsigned i = 0; i < 500; i++)
        n += handles_add(h, HANDLE_IRQ, &x) != 0;
    g_thread_join(t);
    eq_int(n, 500, "objects are added beside a reader");
    handles_free(h, count_fini);
}

int
main(void)
{
    test_ids();
    test_full();
    test_threads();
    return done_testing();
}
