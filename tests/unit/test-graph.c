/* SPDX-License-Identifier: BSD-3-Clause */
/* test-graph.c - the order of a machine's instances, and how a cycle is named. */
#include "core/machine/graph.h"
#include "tests/tap.h"

static int
position(const unsigned *order, unsigned n, unsigned node)
{
    for (unsigned i = 0; i < n; i++)
        if (order[i] == node)
            return (int)i;
    return -1;
}

static void
test_stable(void)
{
    struct graph *g = graph_new(4);
    unsigned order[4];
    GArray *cycle = NULL;

    ok(graph_sort(g, order, &cycle), "nodes without needs sort");
    ok(order[0] == 0 && order[1] == 1 && order[2] == 2 && order[3] == 3, "... in their own order");
    graph_need(g, 0, 3);
    graph_need(g, 0, 3);
    ok(graph_sort(g, order, &cycle), "a provider that stands later in the file");
    ok(order[0] == 3 && order[1] == 0 && order[2] == 1 && order[3] == 2,
       "... moves just before its needer");
    graph_free(g);
}

static void
test_cycle(void)
{
    struct graph *g = graph_new(5);
    unsigned order[5];
    GArray *cycle = NULL;

    graph_need(g, 0, 1);
    graph_need(g, 1, 2);
    graph_need(g, 2, 3);
    graph_need(g, 3, 1);
    ok(!graph_sort(g, order, &cycle), "a cycle is found");
    eq_int(cycle ? cycle->len : 0, 3, "... without the node that only leads to it");
    if (cycle && cycle->len == 3) {
        eq_int(g_array_index(cycle, unsigned, 0), 1, "... first");
        eq_int(g_array_index(cycle, unsigned, 1), 2, "... second");
        eq_int(g_array_index(cycle, unsigned, 2), 3, "... third");
    }
    g_clear_pointer(&cycle, g_array_unref);
    graph_need(g, 4, 4);
    graph_free(g);
    g = graph_new(1);
    graph_need(g, 0, 0);
    ok(!graph_sort(g, order, &cycle), "a node that needs itself is a cycle");
    eq_int(cycle ? cycle->len : 0, 1, "... of one");
    g_clear_pointer(&cycle, g_array_unref);
    graph_free(g);
}

static void
test_random(void)
{
    enum { N = 200 };
    GRand *rand = g_rand_new_with_seed(20);
    struct graph *g = graph_new(N);
    unsigned order[N], from[1000], to[1000];
    GArray *cycle = NULL;
    unsigned edges = 0;
    int good = 1;

    /* Needs only go from higher to lower numbers of a shuffled ranking, so there is no cycle. */
    for (unsigned i = 0; i < 1000; i++) {
        unsigned a = g_rand_int_range(rand, 0, N), b = g_rand_int_range(rand, 0, N);
        unsigned ra = a * 77 % N, rb = b * 77 % N; /* 77 and 200 are coprime: a permutation */

        if (ra == rb)
            continue;
        from[edges] = ra > rb ? a : b;
        to[edges] = ra > rb ? b : a;
        graph_need(g, from[edges], to[edges]);
        edges++;
    }
    ok(graph_sort(g, order, &cycle), "a large acyclic graph sorts");
    for (unsigned i = 0; i < N; i++)
        good = good && position(order, N, i) >= 0;
    ok(good, "... every node is in the order");
    for (unsigned i = 0; i < edges; i++)
        good = good && position(order, N, to[i]) < position(order, N, from[i]);
    ok(good && edges > 900, "... each after what it needs");
    graph_free(g);
    g_rand_free(rand);
}

int
main(void)
{
    test_stable();
    test_cycle();
    test_random();
    return done_testing();
}
