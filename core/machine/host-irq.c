/* SPDX-License-Identifier: BSD-3-Clause */
/* host-irq.c - bp.irq/1 on core/kvm's interrupt router. */
#include <errno.h>

#include "core/machine/host.h"
#include "core/machine/machine-private.h"

static struct irq *
irq_of(bp_inst id, bp_irq i)
{
    struct instance *inst = instance_of(id);

    return inst ? handles_get(inst->handles, HANDLE_IRQ, i.v) : NULL;
}

static int
give_irq(struct instance *inst, struct irq *irq, bp_irq *ret_irq)
{
    uint64_t id = handles_add(inst->handles, HANDLE_IRQ, irq);

    if (!id) {
        irq_free(irq);
        return BP_E_NOSPC;
    }
    ret_irq->v = id;
    return 0;
}

void
host_fini_irq(void *object)
{
    irq_free(object);
}

static void
explain_line(struct instance *inst, uint32_t gsi, int err)
{
    g_autofree char *text = NULL;
    const char *owner;

    if (err == -EBUSY) {
        owner = irq_gsi_owner(inst->machine->irqs, gsi);
        text = g_strdup_printf("interrupt %u belongs to %s; give one of the two another", gsi,
                               owner ? owner : "another section");
    } else if (err == -ERANGE) {
        text = g_strdup_printf("there is no free interrupt %u: choose one from 1 to %u but 2", gsi,
                               VM_GSIS - 1);
    }
    if (text)
        instance_fail(inst, text);
}

static int
irq_if_line(bp_inst id, const char *name, uint32_t gsi, uint32_t flags, bp_irq *ret_irq)
{
    struct instance *inst = instance_of(id);
    g_autofree char *full = NULL;
    struct irq *irq;
    int err;

    if (!inst || !name || !ret_irq || (flags & ~(uint32_t)BP_IRQ_LEVEL))
        return BP_E_INVAL;
    if (!instance_take_name(inst, HANDLE_IRQ, name))
        return BP_E_EXIST;
    full = g_strdup_printf("%s: %s", inst->conf->id, name);
    err = irq_line_new(inst->machine->irqs, full, gsi, flags, &irq);
    if (err) {
        explain_line(inst, gsi, err);
        return err;
    }
    return give_irq(inst, irq, ret_irq);
}

static int
irq_if_msi(bp_inst id, const char *name, uint32_t vector, bp_irq *ret_irq)
{
    struct instance *inst = instance_of(id);
    g_autofree char *full = NULL, *key = NULL;
    struct irq *irq;
    int err;

    if (!inst || !name || !ret_irq)
        return BP_E_INVAL;
    key = g_strdup_printf("%s/%u", name, vector);
    if (!instance_take_name(inst, HANDLE_IRQ, key))
        return BP_E_EXIST;
    full = g_strdup_printf("%s: %s", inst->conf->id, key);
    err = irq_msi_new(inst->machine->irqs, full, vector, &irq);
    return err ? err : give_irq(inst, irq, ret_irq);
}

static int
irq_if_gsi(bp_inst id, bp_irq i)
{
    struct irq *irq = irq_of(id, i);

    return irq ? irq_gsi(irq) : BP_E_INVAL;
}

static int
irq_if_level(bp_inst id, bp_irq i, uint32_t on)
{
    struct irq *irq = irq_of(id, i);

    return irq ? irq_level(irq, on) : BP_E_INVAL;
}

static int
irq_if_raise(bp_inst id, bp_irq i)
{
    struct irq *irq = irq_of(id, i);

    return irq ? irq_raise(irq) : BP_E_INVAL;
}

static int
irq_if_msi_set(bp_inst id, bp_irq i, uint64_t addr, uint32_t data, uint32_t masked)
{
    struct irq *irq = irq_of(id, i);

    return irq ? irq_msi_set(irq, addr, data, masked) : BP_E_INVAL;
}

static int
irq_if_msi_pending(bp_inst id, bp_irq i)
{
    struct irq *irq = irq_of(id, i);

    return irq ? irq_msi_pending(irq) : BP_E_INVAL;
}

static int
irq_if_as_fd(bp_inst id, bp_irq i, int *ret_trigger, int *ret_resample)
{
    struct irq *irq = irq_of(id, i);

    return irq && ret_trigger ? irq_as_fd(irq, ret_trigger, ret_resample) : BP_E_INVAL;
}

const struct bp_irq_if *
host_irq(void)
{
    static const struct bp_irq_if table = {
        .size = sizeof table,
        .line = irq_if_line,
        .gsi = irq_if_gsi,
        .level = irq_if_level,
        .msi = irq_if_msi,
        .raise = irq_if_raise,
        .msi_set = irq_if_msi_set,
        .msi_pending = irq_if_msi_pending,
        .as_fd = irq_if_as_fd,
    };
    return &table;
}
