/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * posted.c - writes that the guest does not wait for.
 *
 * The kernel puts them into a ring, one for the VM, which lies in the memory that each vCPU shares
 * with it (KVM_CAP_COALESCED_MMIO), and lets the guest go on; when the ring is full the write exits
 * like any other. Every exit, whatever its reason, first dispatches what is in the ring, so a later
 * access finds everything done; a parked vCPU has emptied it. A guest that never exits again leaves
 * its last posted writes undone, and nobody can tell.
 */
#include "core/kvm/internal.h"

#define RING_BYTES 4096u
#define RING_ENTRIES                                                                               \
    ((RING_BYTES - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio))

int
vm_post(void *ctx, bool assign, bool pio, uint64_t addr, uint64_t len)
{
    struct vm *vm = ctx;
    struct kvm_coalesced_mmio_zone zone = {.addr = addr, .size = (uint32_t)len, .pio = pio};

    if (vm->ring_page == 0 || len > UINT32_MAX)
        return -ENOTSUP;
    return kvm_ioctl(vm->fd, assign ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO,
                     &zone);
}

void
vcpu_posted_flush(struct vcpu *vcpu)
{
    struct kvm_coalesced_mmio_ring *ring = vcpu->ring;
    const struct vcpu_ops *ops = vcpu->config.ops;
    uint32_t at;

    /* An entry leaves the ring after it was dispatched: who finds it empty can rely on that, and
     * who does not waits here for whoever dispatches. */
    g_mutex_lock(&vcpu->vm->posted_lock);
    while ((at = ring->first) != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE) &&
           at < RING_ENTRIES) {
        struct kvm_coalesced_mmio write = ring->coalesced_mmio[at];

        if (write.pio)
            ops->pio(vcpu->config.io, (uint16_t)write.phys_addr, write.len, 1, write.data, true);
        else
            ops->mmio(vcpu->config.io, write.phys_addr, write.data, write.len, true);
        __atomic_store_n(&ring->first, (at + 1) % RING_ENTRIES, __ATOMIC_RELEASE);
    }
    g_mutex_unlock(&vcpu->vm->posted_lock);
}
