/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * handles.h - the ids that plugins hold instead of pointers.
 *
 * An id is slot and generation: a stale or forged one finds nothing. Look-up takes no lock, so that
 * the data path may do it from any thread. Whoever closes an object frees it, so a plugin must not
 * use an id on one thread while it closes it on another. An object belongs to one instance, and
 * asking with another instance's id finds nothing either.
 */
#ifndef CORE_MACHINE_HANDLES_H
#define CORE_MACHINE_HANDLES_H

#include <stdint.h>

enum handle_kind {
    HANDLE_NONE,
    HANDLE_REGION,
    HANDLE_IRQ,
    HANDLE_EVENT,
    HANDLE_RAM,
};

struct handles;

struct handles *handles_new(void);
/* Calls fini on each object that is left, the newest first. */
void handles_free(struct handles *h, void (*fini)(enum handle_kind kind, void *object));

/* A NULL table, that of an instance which is being destroyed, holds nothing and takes nothing. */

/* A new id for object; 0 when the table is full. [any] */
uint64_t handles_add(struct handles *h, enum handle_kind kind, void *object);
/* The object behind an id, NULL when it is not one of this kind in this table. [any] */
void *handles_get(const struct handles *h, enum handle_kind kind, uint64_t id);
/* Forgets an id; the object is the caller's again. NULL when there was none. [any] */
void *handles_remove(struct handles *h, enum handle_kind kind, uint64_t id);

#endif
