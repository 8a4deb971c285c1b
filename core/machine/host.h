/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.h - the table of functions that plugins are given, and the core's interfaces behind it.
 *
 * Each interface has a file of its own (host-io.c, host-irq.c, ...) that turns ids into objects of
 * the core and checks every argument: a plugin may be wrong, and a guest may steer it.
 */
#ifndef CORE_MACHINE_HOST_H
#define CORE_MACHINE_HOST_H

#include <backplane/backplane.h>

#include "core/bus/bus.h"
#include "core/machine/instance.h"

/* The table for a machine that is built to run, or only to be checked. Constant. */
const struct bp_host *host_table(gboolean check);

const struct bp_mem_if *host_mem(void);
const struct bp_ram_if *host_ram(void);
const struct bp_io_if *host_io(void);
const struct bp_irq_if *host_irq(void);
const struct bp_event_if *host_event(void);
const struct bp_machine_if *host_machine(void);

/* A doorbell of a region: an event of inst's, rung by the bus or by the kernel itself. */
int host_event_doorbell(struct instance *inst, struct bus_region *region, uint64_t off,
                        uint32_t width, int64_t match, uint32_t cookie, bp_event *ret_event);
int host_event_doorbell_fd(bp_inst id, bp_event ev, gboolean taken, int *ret_fd);

/* Frees an object that an instance made, once nothing calls the instance any more. */
void host_fini_region(void *object);
void host_fini_irq(void *object);
void host_fini_event(void *object);
void host_fini_ram(void *object);

#endif
