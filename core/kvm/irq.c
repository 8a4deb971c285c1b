/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - interrupt lines: GSIs and the wired-OR of those who share one. Messages are in msi.c.
 */
#include "config.h"

#include "core/kvm/irq.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/kvm/irq-internal.h"

/* GSIs of the kernel's chips: never a device's. */
static const char *
gsi_kernel_owner(uint32_t gsi)
{
    return gsi == 0 ? "KVM's PIT" : gsi == 2 ? "the PIC's cascade" : NULL;
}

struct irq_router *
irq_router_new(struct vm *vm)
{
    struct irq_router *router = g_new0(struct irq_router, 1);

    router->vm = vm;
    if (vm)
        vm->router = router;
    g_mutex_init(&router->lock);
    for (unsigned i = 0; i < VM_GSIS; i++) {
        g_mutex_init(&router->pins[i].lock);
        router->pins[i].lines = g_ptr_array_new();
    }
    router->irqs = g_ptr_array_new();
    router->routes = g_array_new(FALSE, TRUE, sizeof(struct kvm_irq_routing_entry));
    return router;
}

void
irq_router_free(struct irq_router *router)
{
    if (router == NULL)
        return;
    g_assert(router->irqs->len == 0);
    if (router->vm)
        router->vm->router = NULL;
    for (unsigned i = 0; i < VM_GSIS; i++) {
        g_ptr_array_free(router->pins[i].lines, TRUE);
        g_mutex_clear(&router->pins[i].lock);
    }
    g_array_free(router->routes, TRUE);
    g_ptr_array_free(router->irqs, TRUE);
    g_mutex_clear(&router->lock);
    g_free(router);
}

struct irq *
irq_new(struct irq_router *router, const char *name)
{
    struct irq *irq = g_new0(struct irq, 1);

    irq->router = router;
    irq->name = g_strdup(name);
    irq->trigger = irq->resample = -1;
    g_mutex_init(&irq->lock);
    g_mutex_lock(&router->lock);
    g_ptr_array_add(router->irqs, irq);
    g_mutex_unlock(&router->lock);
    return irq;
}

/* ---- GSIs ----------------------------------------------------------------------------------- */

/* May a line of this kind be added to the pin? */
static bool
pin_takes(const struct irq_pin *pin, uint32_t flags)
{
    return pin->lines->len == 0 ||
           (flags == BP_IRQ_LEVEL &&
            ((const struct irq *)pin->lines->pdata[0])->flags == BP_IRQ_LEVEL);
}

/* 16 to 23 belong to no legacy device; of those the least used. An edge line cannot share, so when
 * they are full it gets what ISA cards used to get. */
static int
gsi_choose(struct irq_router *router, uint32_t flags, uint32_t *ret_gsi)
{
    static const uint8_t spare[] = {10, 11, 5};
    uint32_t best = UINT32_MAX;

    for (uint32_t gsi = 16; gsi < VM_GSIS; gsi++)
        if (pin_takes(&router->pins[gsi], flags) &&
            (best == UINT32_MAX || router->pins[gsi].lines->len < router->pins[best].lines->len))
            best = gsi;
    for (unsigned i = 0; best == UINT32_MAX && i < sizeof spare; i++)
        if (pin_takes(&router->pins[spare[i]], flags))
            best = spare[i];
    if (best == UINT32_MAX)
        return -EBUSY;
    *ret_gsi = best;
    return 0;
}

int
irq_line_new(struct irq_router *router, const char *name, uint32_t gsi, uint32_t flags,
             struct irq **ret_irq)
{
    struct irq *irq;
    int err;

    if (flags != BP_IRQ_EDGE && flags != BP_IRQ_LEVEL)
        return -EINVAL;
    if (gsi == BP_IRQ_AUTO) {
        err = gsi_choose(router, flags, &gsi);
        if (err)
            return err;
    }
    if (gsi >= VM_GSIS || gsi_kernel_owner(gsi))
        return -ERANGE;
    if (!pin_takes(&router->pins[gsi], flags))
        return -EBUSY;
    irq = irq_new(router, name);
    irq->is_line = true;
    irq->gsi = gsi;
    irq->flags = flags;
    g_mutex_lock(&router->pins[gsi].lock);
    g_ptr_array_add(router->pins[gsi].lines, irq);
    g_mutex_unlock(&router->pins[gsi].lock);
    *ret_irq = irq;
    return 0;
}

const char *
irq_gsi_owner(struct irq_router *router, uint32_t gsi)
{
    if (gsi >= VM_GSIS)
        return NULL;
    if (gsi_kernel_owner(gsi) || router->pins[gsi].lines->len == 0)
        return gsi_kernel_owner(gsi);
    return ((const struct irq *)router->pins[gsi].lines->pdata[0])->name;
}

int
irq_gsi(const struct irq *irq)
{
    return irq->is_line ? (int)irq->gsi : -EINVAL;
}

/* ---- Driving -------------------------------------------------------------------------------- */

static int
pin_ioctl(struct irq_router *router, uint32_t gsi, bool on)
{
    struct kvm_irq_level level = {.irq = gsi, .level = on};

    return irq_has_chips(router) ? kvm_ioctl(router->vm->fd, KVM_IRQ_LINE, &level) : 0;
}

/*
 * Let the pin follow its lines; under its lock. Two threads that change lines at once may come here
 * in either order: whoever is last sees both changes.
 */
static int
pin_update(struct irq_router *router, uint32_t gsi)
{
    struct irq_pin *pin = &router->pins[gsi];
    bool on = false;
    int err;

    for (unsigned i = 0; i < pin->lines->len; i++)
        on |= atomic_load(&((struct irq *)pin->lines->pdata[i])->on);
    if (on == pin->driven)
        return 0;
    err = pin_ioctl(router, gsi, on);
    if (!err)
        pin->driven = on;
    return err;
}

int
irq_level(struct irq *irq, bool on)
{
    struct irq_pin *pin;
    int err;

    if (!irq->is_line)
        return -EINVAL;
    if (atomic_exchange(&irq->on, on) == on)
        return 0;
    pin = &irq->router->pins[irq->gsi];
    g_mutex_lock(&pin->lock);
    err = pin_update(irq->router, irq->gsi);
    g_mutex_unlock(&pin->lock);
    return err;
}

int
irq_raise(struct irq *irq)
{
    struct irq_pin *pin;
    int err;

    if (!irq->is_line)
        return irq_msi_raise(irq);
    if (irq->flags != BP_IRQ_EDGE)
        return -EINVAL;
    pin = &irq->router->pins[irq->gsi];
    g_mutex_lock(&pin->lock);
    err = pin->driven ? pin_ioctl(irq->router, irq->gsi, false) : 0;
    if (!err)
        err = pin_ioctl(irq->router, irq->gsi, true);
    if (!err)
        err = pin_ioctl(irq->router, irq->gsi, pin->driven);
    g_mutex_unlock(&pin->lock);
    return err;
}

/* ---- Eventfds ------------------------------------------------------------------------------- */

int
irq_fd_assign(const struct irq *irq, uint32_t gsi)
{
    struct kvm_irqfd arg = {.fd = (uint32_t)irq->trigger, .gsi = gsi};

    if (!irq_has_chips(irq->router))
        return 0;
    if (irq->resample >= 0) {
        arg.flags = KVM_IRQFD_FLAG_RESAMPLE;
        arg.resamplefd = (uint32_t)irq->resample;
    }
    return kvm_ioctl(irq->router->vm->fd, KVM_IRQFD, &arg);
}

void
irq_fd_deassign(const struct irq *irq, uint32_t gsi)
{
    struct kvm_irqfd arg = {
        .fd = (uint32_t)irq->trigger, .gsi = gsi, .flags = KVM_IRQFD_FLAG_DEASSIGN};

    if (irq_has_chips(irq->router) && kvm_ioctl(irq->router->vm->fd, KVM_IRQFD, &arg) < 0)
        g_warn_if_reached();
}

/* Our own copies of the eventfds; what the callers get are duplicates. Under irq->lock. */
static int
irq_make_fds(struct irq *irq)
{
    bool level = irq->is_line && irq->flags == BP_IRQ_LEVEL;
    int err = 0;

    if (irq->trigger >= 0)
        return 0;
    if (level && irq->router->vm && !irq->router->vm->has_resample)
        return -ENOTSUP;
    irq->trigger = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (irq->trigger < 0)
        return -errno;
    if (level) {
        irq->resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        err = irq->resample < 0 ? -errno : 0;
    }
    if (!err)
        err = irq->is_line ? irq_fd_assign(irq, irq->gsi) : irq_msi_connect(irq);
    if (err)
        irq_close_fds(irq);
    return err;
}

void
irq_close_fds(struct irq *irq)
{
    if (irq->trigger >= 0)
        close(irq->trigger);
    if (irq->resample >= 0)
        close(irq->resample);
    irq->trigger = irq->resample = -1;
}

int
irq_as_fd(struct irq *irq, int *ret_trigger, int *ret_resample)
{
    bool level = irq->is_line && irq->flags == BP_IRQ_LEVEL;
    int trigger = -1, resample = -1, err;

    if (level && ret_resample == NULL)
        return -EINVAL;
    g_mutex_lock(&irq->lock);
    err = irq_make_fds(irq);
    if (!err && (trigger = fcntl(irq->trigger, F_DUPFD_CLOEXEC, 0)) < 0)
        err = -errno;
    if (!err && level && (resample = fcntl(irq->resample, F_DUPFD_CLOEXEC, 0)) < 0)
        err = -errno;
    g_mutex_unlock(&irq->lock);
    if (err) {
        if (trigger >= 0)
            close(trigger);
        return err;
    }
    *ret_trigger = trigger;
    if (ret_resample)
        *ret_resample = resample;
    return 0;
}

int
irq_router_connect(struct irq_router *router)
{
    int err = irq_msi_commit(router);

    for (unsigned i = 0; i < router->irqs->len && !err; i++) {
        const struct irq *irq = router->irqs->pdata[i];

        if (irq->is_line && irq->trigger >= 0)
            err = irq_fd_assign(irq, irq->gsi);
        else if (irq->connected)
            err = irq_fd_assign(irq, irq->route);
    }
    for (uint32_t gsi = 0; gsi < VM_GSIS && !err; gsi++)
        if (router->pins[gsi].driven)
            err = pin_ioctl(router, gsi, true);
    return err;
}

/* ---- The end, and a new beginning ----------------------------------------------------------- */

void
irq_free(struct irq *irq)
{
    struct irq_router *router;

    if (irq == NULL)
        return;
    router = irq->router;
    if (irq->is_line) {
        struct irq_pin *pin = &router->pins[irq->gsi];

        if (irq->trigger >= 0)
            irq_fd_deassign(irq, irq->gsi);
        g_mutex_lock(&pin->lock);
        g_ptr_array_remove(pin->lines, irq);
        (void)pin_update(router, irq->gsi);
        g_mutex_unlock(&pin->lock);
    } else {
        irq_msi_release(irq);
    }
    irq_close_fds(irq);
    g_mutex_lock(&router->lock);
    g_ptr_array_remove_fast(router->irqs, irq);
    g_mutex_unlock(&router->lock);
    g_mutex_clear(&irq->lock);
    g_free(irq->name);
    g_free(irq);
}

void
irq_router_reset(struct irq_router *router)
{
    for (unsigned i = 0; i < router->irqs->len; i++) {
        struct irq *irq = router->irqs->pdata[i];

        if (irq->is_line)
            (void)irq_level(irq, false);
        else
            irq_msi_reset(irq);
    }
}
