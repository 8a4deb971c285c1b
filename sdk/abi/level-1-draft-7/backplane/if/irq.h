/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/irq.h - bp.irq/1: interrupt lines (GSIs) and message-signalled interrupts.
 *
 * A service of the core. Several lines may share a GSI when all of them are level-triggered; the
 * pin is then the logical OR of its lines.
 */
#ifndef BACKPLANE_IF_IRQ_H
#define BACKPLANE_IF_IRQ_H

#include <backplane/base.h>

#define BP_IF_IRQ "bp.irq/1"

enum {
    BP_IRQ_EDGE = 0,
    BP_IRQ_LEVEL = 1, /* active high; may be shared */
};

#define BP_IRQ_AUTO UINT32_MAX /* line(): the core chooses a GSI, shared when it has to be */

struct bp_irq_if {
    uint32_t size, flags;
    /*
     * A line to a GSI (0-15 are also the PIC's IRQs). BP_E_BUSY: the GSI belongs to another
     * instance and cannot be shared, a text that names it is attached; BP_E_RANGE: there is no
     * such GSI. [realize]
     */
    int (*line)(bp_inst, const char *name, uint32_t gsi, uint32_t flags, bp_irq *ret_irq);
    /* The line's GSI; BP_E_INVAL for what is no line. [ctx] */
    int (*gsi)(bp_inst, bp_irq);
    /* Drives the line. An edge line interrupts on 0 -> 1. Setting what is already set costs
     * nothing. [any] */
    int (*level)(bp_inst, bp_irq, uint32_t on);
    /*
     * A message-signalled interrupt, at first masked and without an address. The bus programs it
     * with msi_set() on behalf of the device. [realize]
     */
    int (*msi)(bp_inst, const char *name, uint32_t vector, bp_irq *ret_irq);
    /* Pulses an edge line, or sends the message (or remembers it while masked). Never blocks. [any]
     */
    int (*raise)(bp_inst, bp_irq);
    /* Address, data and mask bit of a message; a pending one is sent when it is unmasked. Writing
     * what is already there costs nothing. BP_E_NOSPC: the host has no route left. [ctx] */
    int (*msi_set)(bp_inst, bp_irq, uint64_t addr, uint32_t data, uint32_t masked);
    /* 1: raised while masked and not sent yet. [any] */
    int (*msi_pending)(bp_inst, bp_irq);
    /*
     * An eventfd that raises the interrupt when written, for a kernel back end such as vhost; for
     * a level line also one that becomes readable when the guest has acknowledged it (resample).
     * Both belong to the caller. ret_resample may be NULL for a message. BP_E_NOTSUP. [ctx]
     */
    int (*as_fd)(bp_inst, bp_irq, int *ret_trigger, int *ret_resample);
};

#endif
