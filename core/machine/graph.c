/* SPDX-License-Identifier: BSD-3-Clause */
/* graph.c - see graph.h. Depth first: a node comes right after the last of what it needs. */
#include "core/machine/graph.h"

struct graph {
    unsigned n;
    GArray **needs; /* per node: unsigned providers, ascending */
};

struct graph *
graph_new(unsigned n)
{
    struct graph *g = g_new0(struct graph, 1);

    g->n = n;
    g->needs = g_new0(GArray *, n);
    for (unsigned i = 0; i < n; i++)
        g->needs[i] = g_array_new(FALSE, FALSE, sizeof(unsigned));
    return g;
}

void
graph_free(struct graph *g)
{
    if (!g)
        return;
    for (unsigned i = 0; i < g->n; i++)
        g_array_free(g->needs[i], TRUE);
    g_free(g->needs);
    g_free(g);
}

void
graph_need(struct graph *g, unsigned needer, unsigned provider)
{
    GArray *a = g->needs[needer];
    unsigned i = 0;

    while (i < a->len && g_array_index(a, unsigned, i) < provider)
        i++;
    if (i == a->len || g_array_index(a, unsigned, i) != provider)
        g_array_insert_val(a, i, provider);
}

enum mark { UNSEEN, OPEN, DONE };

struct step {
    unsigned node, next; /* next: which of its needs to look at */
};

/* The open part of the stack from `node` on is the cycle. */
static GArray *
cycle_from(const GArray *stack, unsigned node)
{
    GArray *cycle = g_array_new(FALSE, FALSE, sizeof(unsigned));
    gboolean in = FALSE;

    for (unsigned i = 0; i < stack->len; i++) {
        unsigned at = g_array_index(stack, struct step, i).node;

        in = in || at == node;
        if (in)
            g_array_append_val(cycle, at);
    }
    return cycle;
}

gboolean
graph_sort(const struct graph *g, unsigned *ret_order, GArray **ret_cycle)
{
    g_autofree enum mark *mark = g_new0(enum mark, g->n);
    g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct step));
    unsigned done = 0;

    for (unsigned root = 0; root < g->n; root++) {
        struct step first = {root, 0};

        if (mark[root] != UNSEEN)
            continue;
        mark[root] = OPEN;
        g_array_append_val(stack, first);
        while (stack->len) {
            struct step *top = &g_array_index(stack, struct step, stack->len - 1);
            const GArray *needs = g->needs[top->node];
            struct step down = {0, 0};

            if (top->next == needs->len) {
                mark[top->node] = DONE;
                ret_order[done++] = top->node;
                g_array_set_size(stack, stack->len - 1);
                continue;
            }
            down.node = g_array_index(needs, unsigned, top->next++);
            if (mark[down.node] == OPEN) {
                *ret_cycle = cycle_from(stack, down.node);
                return FALSE;
            }
            if (mark[down.node] == UNSEEN) {
                mark[down.node] = OPEN;
                g_array_append_val(stack, down);
            }
        }
    }
    return TRUE;
}
