/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chips.c - the interrupt controllers and the timer that KVM emulates: making them, their pins,
 * their power-on state.
 */
#include <string.h>

#include "core/error.h"
#include "core/kvm/internal.h"
#include "core/kvm/irq-internal.h"

#define PIC_PINS 8u

static gboolean
chips_fail(GError **error, const char *what, int err)
{
    g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "%s: %s", what, g_strerror(-err));
    return FALSE;
}

static void
add_route(struct kvm_irq_routing *table, uint32_t gsi, uint32_t chip, uint32_t pin)
{
    table->entries[table->nr++] = (struct kvm_irq_routing_entry){
        .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = {.irqchip = chip, .pin = pin}};
}

/* Every GSI but 2, the slave PIC's cascade; 0 to 15 also have a pin of a PIC. */
unsigned
vm_chip_routes(void)
{
    return VM_GSIS - 1 + 2 * PIC_PINS - 1;
}

int
vm_set_routes(struct vm *vm, const struct kvm_irq_routing_entry *entries, unsigned n)
{
    struct kvm_irq_routing *table =
        g_malloc0(sizeof *table + (vm_chip_routes() + n) * sizeof table->entries[0]);
    int err;

    for (uint32_t gsi = 0; gsi < VM_GSIS; gsi++) {
        if (gsi == 2)
            continue;
        if (gsi < PIC_PINS)
            add_route(table, gsi, KVM_IRQCHIP_PIC_MASTER, gsi);
        else if (gsi < 2 * PIC_PINS)
            add_route(table, gsi, KVM_IRQCHIP_PIC_SLAVE, gsi - PIC_PINS);
        add_route(table, gsi, KVM_IRQCHIP_IOAPIC, gsi == 0 ? 2 : gsi);
    }
    if (n)
        memcpy(&table->entries[table->nr], entries, n * sizeof entries[0]);
    table->nr += n;
    err = kvm_ioctl(vm->fd, KVM_SET_GSI_ROUTING, table);
    g_free(table);
    return err;
}

gboolean
vm_chips_new(struct vm *vm, GError **error)
{
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
    uint64_t identity_map = MEMORY_IDENTITY_MAP_ADDR;
    int err;

    /* In this order: the identity map before any vCPU, the PIT after the PIC. */
    err = kvm_ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
    if (err)
        return chips_fail(error, "KVM_SET_IDENTITY_MAP_ADDR", err);
    err = kvm_ioctl_value(vm->fd, KVM_SET_TSS_ADDR, MEMORY_TSS_ADDR);
    if (err)
        return chips_fail(error, "KVM_SET_TSS_ADDR", err);
    err = kvm_ioctl_value(vm->fd, KVM_CREATE_IRQCHIP, 0);
    if (err)
        return chips_fail(error, "KVM_CREATE_IRQCHIP", err);
    err = kvm_ioctl(vm->fd, KVM_CREATE_PIT2, &pit);
    if (err)
        return chips_fail(error, "KVM_CREATE_PIT2", err);
    err = vm_set_routes(vm, NULL, 0);
    if (err)
        return chips_fail(error, "KVM_SET_GSI_ROUTING", err);

    for (uint32_t i = 0; i < VM_CHIPS; i++) {
        vm->chips[i].chip_id = i; /* KVM_IRQCHIP_PIC_MASTER, _PIC_SLAVE, _IOAPIC */
        err = kvm_ioctl(vm->fd, KVM_GET_IRQCHIP, &vm->chips[i]);
        if (err)
            return chips_fail(error, "KVM_GET_IRQCHIP", err);
    }
    err = kvm_ioctl(vm->fd, KVM_GET_PIT2, &vm->pit);
    if (err)
        return chips_fail(error, "KVM_GET_PIT2", err);
    return TRUE;
}

gboolean
vm_chips_connect(struct vm *vm, GError **error)
{
    int err;

    if (atomic_exchange(&vm->has_chips, true))
        return TRUE;
    err = vm->router ? irq_router_connect(vm->router) : 0;
    return err ? chips_fail(error, "KVM_IRQFD", err) : TRUE;
}

gboolean
vm_chips_reset(struct vm *vm, GError **error)
{
    int err;

    for (uint32_t i = 0; i < VM_CHIPS; i++) {
        struct kvm_irqchip chip = vm->chips[i];

        err = kvm_ioctl(vm->fd, KVM_SET_IRQCHIP, &chip);
        if (err)
            return chips_fail(error, "KVM_SET_IRQCHIP", err);
    }
    err = kvm_ioctl(vm->fd, KVM_SET_PIT2, &vm->pit);
    return err ? chips_fail(error, "KVM_SET_PIT2", err) : TRUE;
}

const struct vm_reserved *
vm_reserved(unsigned *ret_n)
{
    static const struct vm_reserved reserved[] = {
        {true, 0x20, 2, "KVM's PIC"},
        {true, 0xa0, 2, "KVM's PIC"},
        {true, 0x4d0, 2, "KVM's PIC"},
        {true, 0x40, 4, "KVM's PIT"},
        {true, 0x61, 1, "KVM's PIT"},
        {false, VM_IOAPIC_BASE, 0x100, "KVM's I/O APIC"},
        {false, VM_LAPIC_BASE, 0x100000, "KVM's local APICs"},
        {false, MEMORY_IDENTITY_MAP_ADDR, 4 * MEMORY_PAGE_SIZE, "KVM's own pages"},
    };

    *ret_n = G_N_ELEMENTS(reserved);
    return reserved;
}
