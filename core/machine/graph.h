/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * graph.h - who needs whom, and the order that follows from it.
 *
 * Nodes are numbers 0 to n-1. The order is stable: of two nodes that do not depend on each other
 * the lower number comes first, so that a machine is built in the order of its config file as far
 * as its links allow.
 */
#ifndef CORE_MACHINE_GRAPH_H
#define CORE_MACHINE_GRAPH_H

#include <glib.h>

struct graph;

struct graph *graph_new(unsigned n);
void graph_free(struct graph *g);

/* `needer` comes after `provider`. Saying it twice is harmless. */
void graph_need(struct graph *g, unsigned needer, unsigned provider);

/*
 * Fills ret_order (n entries). FALSE when there is a cycle: *ret_cycle is then a new array of
 * unsigned, each node needing the next and the last the first.
 */
gboolean graph_sort(const struct graph *g, unsigned *ret_order, GArray **ret_cycle)
    __attribute__((warn_unused_result));

#endif
