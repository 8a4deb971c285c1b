/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msi.c - message-signalled interrupts: their state, and routes for those that have an eventfd.
 *
 * An eventfd is connected to KVM only while its message is unmasked. What is written to it before
 * that stays in it, and KVM looks at it when it is connected, so nothing is lost.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/kvm/irq-internal.h"

#define MSI_ADDR_BASE  UINT64_C(0xfee) /* bits 31-20 of an address that is an interrupt's */
#define ROUTES_LOGICAL 4096u           /* without a VM */

int
irq_msi_new(struct irq_router *router, const char *name, uint32_t vector, struct irq **ret_irq)
{
    (void)vector;
    *ret_irq = irq_new(router, name);
    return 0;
}

/* A write to any other address would be to memory, which is nobody's interrupt. */
static bool
msi_has_target(const struct irq *irq)
{
    return irq->addr >> 20 == MSI_ADDR_BASE;
}

/* Under irq->lock. */
static int
msi_send(struct irq *irq)
{
    struct kvm_msi msi = {.address_lo = (uint32_t)irq->addr, .data = irq->data};
    int n;

    if (!irq_has_chips(irq->router) || !msi_has_target(irq))
        return 0;
    n = kvm_ioctl(irq->router->vm->fd, KVM_SIGNAL_MSI, &msi);
    /* Positive: delivered; 0: the guest blocked it, as it may. */
    return n < 0 ? n : 0;
}

int
irq_msi_raise(struct irq *irq)
{
    int err = 0;

    g_mutex_lock(&irq->lock);
    if (irq->unmasked)
        err = msi_send(irq);
    else
        irq->pending = true;
    g_mutex_unlock(&irq->lock);
    return err;
}

/* ---- Routes, under router->lock ------------------------------------------------------------- */

static struct kvm_irq_routing_entry *
route_at(struct irq_router *router, uint32_t gsi)
{
    return &g_array_index(router->routes, struct kvm_irq_routing_entry, gsi - VM_GSIS);
}

/* A GSI number without a route, or 0. */
static uint32_t
route_find_free(struct irq_router *router)
{
    unsigned max = (router->vm ? router->vm->max_routes : ROUTES_LOGICAL) - vm_chip_routes();

    for (unsigned i = 0; i < router->routes->len; i++)
        if (route_at(router, VM_GSIS + i)->gsi == 0)
            return VM_GSIS + i;
    if (router->routes->len >= max)
        return 0;
    g_array_set_size(router->routes, router->routes->len + 1);
    return VM_GSIS + router->routes->len - 1;
}

/* Write the table to the kernel. */
static int
routes_commit(struct irq_router *router)
{
    struct kvm_irq_routing_entry *used;
    unsigned n = 0;
    int err;

    if (!irq_has_chips(router))
        return 0;
    used = g_new(struct kvm_irq_routing_entry, router->routes->len + 1);
    for (unsigned i = 0; i < router->routes->len; i++)
        if (route_at(router, VM_GSIS + i)->gsi)
            used[n++] = *route_at(router, VM_GSIS + i);
    err = vm_set_routes(router->vm, used, n);
    g_free(used);
    return err;
}

/* Make the message's route say what the message says; the table is written only when it changes. */
static int
msi_route(struct irq *irq)
{
    struct irq_router *router = irq->router;
    struct kvm_irq_routing_entry *route, before, wanted = {.type = KVM_IRQ_ROUTING_MSI};
    uint32_t gsi = irq->route;
    int err = 0;

    g_mutex_lock(&router->lock);
    if (gsi == 0)
        gsi = route_find_free(router);
    if (gsi == 0) {
        g_mutex_unlock(&router->lock);
        return -ENOSPC;
    }
    wanted.gsi = gsi;
    wanted.u.msi.address_lo = (uint32_t)irq->addr;
    wanted.u.msi.data = irq->data;
    route = route_at(router, gsi);
    if (memcmp(route, &wanted, sizeof wanted) != 0) {
        before = *route;
        *route = wanted;
        err = routes_commit(router);
        if (err)
            *route = before;
    }
    if (!err)
        irq->route = gsi;
    g_mutex_unlock(&router->lock);
    return err;
}

int
irq_msi_commit(struct irq_router *router)
{
    int err = 0;

    g_mutex_lock(&router->lock);
    if (router->routes->len)
        err = routes_commit(router);
    g_mutex_unlock(&router->lock);
    return err;
}

/* ---- Connecting, under irq->lock ------------------------------------------------------------ */

int
irq_msi_connect(struct irq *irq)
{
    int err;

    if (irq->trigger < 0 || !irq->unmasked || !msi_has_target(irq))
        return 0;
    err = msi_route(irq);
    if (!err && !irq->connected) {
        err = irq_fd_assign(irq, irq->route);
        irq->connected = !err;
    }
    return err;
}

static void
msi_disconnect(struct irq *irq)
{
    if (irq->connected)
        irq_fd_deassign(irq, irq->route);
    irq->connected = false;
}

int
irq_msi_set(struct irq *irq, uint64_t addr, uint32_t data, bool masked)
{
    int err = 0;

    if (irq->is_line)
        return -EINVAL;
    g_mutex_lock(&irq->lock);
    if (irq->addr != addr || irq->data != data || irq->unmasked == masked) {
        irq->addr = addr;
        irq->data = data;
        irq->unmasked = !masked;
        if (irq->trigger >= 0) {
            if (masked || !msi_has_target(irq))
                msi_disconnect(irq);
            else
                err = irq_msi_connect(irq);
        }
        if (irq->unmasked && irq->pending) {
            int sent = msi_send(irq);

            irq->pending = false;
            err = err ? err : sent;
        }
    }
    g_mutex_unlock(&irq->lock);
    return err;
}

int
irq_msi_pending(struct irq *irq)
{
    int pending;

    if (irq->is_line)
        return -EINVAL;
    g_mutex_lock(&irq->lock);
    pending = irq->pending;
    if (!pending && irq->trigger >= 0 && !irq->connected) {
        struct pollfd waiting = {.fd = irq->trigger, .events = POLLIN};

        pending = poll(&waiting, 1, 0) == 1;
    }
    g_mutex_unlock(&irq->lock);
    return pending;
}

/* Nobody uses the message any more. */
void
irq_msi_release(struct irq *irq)
{
    struct irq_router *router = irq->router;

    g_mutex_lock(&irq->lock);
    msi_disconnect(irq);
    if (irq->route) {
        /* The table in the kernel is written with the next change; no irqfd leads there. */
        g_mutex_lock(&router->lock);
        memset(route_at(router, irq->route), 0, sizeof(struct kvm_irq_routing_entry));
        g_mutex_unlock(&router->lock);
        irq->route = 0;
    }
    g_mutex_unlock(&irq->lock);
}

void
irq_msi_reset(struct irq *irq)
{
    uint64_t n;

    g_mutex_lock(&irq->lock);
    msi_disconnect(irq);
    irq->addr = 0;
    irq->data = 0;
    irq->unmasked = irq->pending = false;
    while (irq->trigger >= 0 && read(irq->trigger, &n, sizeof n) > 0)
        continue;
    g_mutex_unlock(&irq->lock);
}
