/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.h - interrupt lines and messages: who drives which GSI, and how it gets to the guest.
 *
 * Owns the GSI numbers, the wired-OR of lines that share one, message state (address, data, mask,
 * pending) and KVM's routing table. Without a VM (`check`, tests) everything works but nothing is
 * delivered. It must not know what a device is; names are for messages.
 *
 * A message that user space raises goes out with KVM_SIGNAL_MSI, which needs no route; only a
 * message with an eventfd (irq_as_fd()) has a route and an irqfd, made when it is first unmasked.
 * So a guest with a thousand vectors costs no routing table update.
 *
 * Threads: making and freeing is for one thread at a time, functions tagged [any] take a lock of
 * this irq's or GSI's own, a leaf, for the time of one ioctl.
 */
#ifndef CORE_KVM_IRQ_H
#define CORE_KVM_IRQ_H

#include <backplane/if/irq.h>
#include <stdbool.h>
#include <stdint.h>

struct vm;
struct irq;
struct irq_router;

/* vm may be NULL. The VM outlives it. */
struct irq_router *irq_router_new(struct vm *vm);
void irq_router_free(struct irq_router *router); /* every irq has been freed */

/*
 * A line to a GSI, or BP_IRQ_AUTO: 16-23, the least used. flags: BP_IRQ_EDGE or BP_IRQ_LEVEL.
 *  -ERANGE  no such GSI, or one that the kernel's chips use (0, 2)
 *  -EBUSY   taken, and one of the two is not level-triggered: irq_gsi_owner() says by whom
 */
int irq_line_new(struct irq_router *router, const char *name, uint32_t gsi, uint32_t flags,
                 struct irq **ret_irq) __attribute__((warn_unused_result));

/* A message, masked and without an address. */
int irq_msi_new(struct irq_router *router, const char *name, uint32_t vector, struct irq **ret_irq)
    __attribute__((warn_unused_result));

/* Releases a line that is asserted. No thread uses it any more. NULL is fine. */
void irq_free(struct irq *irq);

/* Name of the first line on a GSI, or of the kernel's chip; NULL: free. */
const char *irq_gsi_owner(struct irq_router *router, uint32_t gsi);

/* -EINVAL where irq is not a line. [any] */
int irq_gsi(const struct irq *irq);
/* Drive a line. -EINVAL: not a line. [any] */
int irq_level(struct irq *irq, bool on);
/* Pulse an edge line; send a message, or note it while it is masked. -EINVAL: a level line. [any]
 */
int irq_raise(struct irq *irq);

/* Address, data, mask bit; sends what is pending when it unmasks. No ioctl when nothing changed.
 * -EINVAL: not a message; -ENOSPC: it has an eventfd and the host has no route left. [any] */
int irq_msi_set(struct irq *irq, uint64_t addr, uint32_t data, bool masked);
/* 1: raised while masked and not sent yet; 0; -EINVAL. [any] */
int irq_msi_pending(struct irq *irq);

/*
 * Eventfds, the caller's to close. Writing *ret_trigger raises the interrupt (a message only while
 * unmasked: what is written while it is masked is sent when it is unmasked). For a level line
 * *ret_resample becomes readable when the guest has acknowledged it; it must not be NULL then, and
 * is set to -1 otherwise. -ENOTSUP: an edge line on a host without irqfd; -EMFILE; -ENOSPC.
 */
int irq_as_fd(struct irq *irq, int *ret_trigger, int *ret_resample)
    __attribute__((warn_unused_result));

/* Every line is low, every message masked, without an address and nothing pending: for a machine
 * reset, after the devices' and before vm_reset(). */
void irq_router_reset(struct irq_router *router);

#endif
