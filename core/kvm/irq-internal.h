/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq-internal.h - what irq.c and msi.c share; nobody else includes it.
 *
 * Locks, in order: irq->lock or pin->lock, then router->lock.
 */
#ifndef CORE_KVM_IRQ_INTERNAL_H
#define CORE_KVM_IRQ_INTERNAL_H

#include "core/kvm/internal.h"
#include "core/kvm/irq.h"

struct irq {
    struct irq_router *router;
    char *name;
    bool is_line;
    GMutex lock;
    int trigger, resample; /* eventfds, or -1; under lock */

    /* a line */
    uint32_t gsi, flags;
    atomic_bool on;

    /* a message, under lock */
    uint64_t addr;
    uint32_t data;
    bool unmasked, pending;
    bool connected; /* the irqfd is assigned */
    uint32_t route; /* GSI of its route; 0: none */
};

struct irq_pin {
    GMutex lock;
    GPtrArray *lines;
    bool driven; /* what KVM was last told */
};

struct irq_router {
    struct vm *vm; /* NULL: nothing is delivered */
    struct irq_pin pins[VM_GSIS];
    GMutex lock;
    GPtrArray *irqs;
    GArray *routes; /* struct kvm_irq_routing_entry; [i] is for GSI VM_GSIS + i; gsi 0: free */
};

/* Is there somebody to deliver to? The chips come with the first vCPU. */
static inline bool
irq_has_chips(const struct irq_router *router)
{
    return router->vm && atomic_load(&router->vm->has_chips);
}

/* irq.c */
/* The chips are there: tell them what happened before. 0 or -errno. */
int irq_router_connect(struct irq_router *router) __attribute__((warn_unused_result));
struct irq *irq_new(struct irq_router *router, const char *name);
int irq_fd_assign(const struct irq *irq, uint32_t gsi) __attribute__((warn_unused_result));
void irq_fd_deassign(const struct irq *irq, uint32_t gsi);
void irq_close_fds(struct irq *irq);

/* msi.c */
int irq_msi_raise(struct irq *irq);
int irq_msi_connect(struct irq *irq) __attribute__((warn_unused_result));
int irq_msi_commit(struct irq_router *router) __attribute__((warn_unused_result));
void irq_msi_release(struct irq *irq);
void irq_msi_reset(struct irq *irq);

#endif
