/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm.c - a VM's life after it was made: reset, end, memory slots and ioeventfds.
 */
#include "core/kvm/vm.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/kvm/cpuid.h"
#include "core/kvm/internal.h"

struct vm *
vm_new(const char *device)
{
    struct vm *vm = g_new0(struct vm, 1);

    vm->device = g_strdup(device ? device : "/dev/kvm");
    vm->kvm_fd = vm->fd = -1;
    vm->vcpus = g_ptr_array_new();
    g_mutex_init(&vm->lock);
    g_mutex_init(&vm->posted_lock);
    g_cond_init(&vm->cond);
    vm_builder_start(vm);
    return vm;
}

void
vm_free(struct vm *vm)
{
    if (vm == NULL)
        return;
    vm_builder_end(vm);
    for (unsigned i = 0; i < vm->vcpus->len; i++)
        vcpu_free(vm->vcpus->pdata[i]);
    if (vm->fd >= 0)
        close(vm->fd);
    if (vm->kvm_fd >= 0)
        close(vm->kvm_fd);
    g_ptr_array_free(vm->vcpus, TRUE);
    g_cond_clear(&vm->cond);
    g_mutex_clear(&vm->lock);
    g_mutex_clear(&vm->posted_lock);
    g_free(vm->msrs.entries);
    g_free(vm->cpuid);
    g_free(vm->device);
    g_free(vm);
}

gboolean
vm_reset(struct vm *vm, GError **error)
{
    struct kvm_clock_data clock = {.clock = 0};
    int err;

    if (!vm_chips_reset(vm, error))
        return FALSE;
    for (unsigned i = 0; i < vm->vcpus->len; i++)
        if (!vcpu_state_reset(vm->vcpus->pdata[i], error))
            return FALSE;
    if (vm->has_clock) {
        err = kvm_ioctl(vm->fd, KVM_SET_CLOCK, &clock);
        if (err) {
            g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "KVM_SET_CLOCK: %s", g_strerror(-err));
            return FALSE;
        }
    }
    g_mutex_lock(&vm->lock);
    vm->started_ns = 0;
    for (unsigned i = 0; i < vm->vcpus->len; i++)
        ((struct vcpu *)vm->vcpus->pdata[i])->dead = false;
    g_mutex_unlock(&vm->lock);
    return TRUE;
}

unsigned
vm_phys_bits(const struct vm *vm)
{
    return cpuid_phys_bits(vm->cpuid);
}

/* ---- Memory slots --------------------------------------------------------------------------- */

static int
vm_set_slot(void *ctx, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t len, void *hva)
{
    struct vm *vm = ctx;
    struct kvm_userspace_memory_region region = {.slot = slot,
                                                 .flags = flags,
                                                 .guest_phys_addr = gpa,
                                                 .memory_size = len,
                                                 .userspace_addr = (uintptr_t)hva};

    return kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static int
vm_get_dirty(void *ctx, uint32_t slot, uint64_t *bitmap)
{
    struct vm *vm = ctx;
    struct kvm_dirty_log log = {.slot = slot, .dirty_bitmap = bitmap};

    return kvm_ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log);
}

const struct memory_slot_ops vm_slot_ops = {.set_slot = vm_set_slot, .get_dirty = vm_get_dirty};

G_STATIC_ASSERT(MEMORY_SLOT_LOG_DIRTY == KVM_MEM_LOG_DIRTY_PAGES);
G_STATIC_ASSERT(MEMORY_SLOT_READONLY == KVM_MEM_READONLY);

/* ---- Doorbells ------------------------------------------------------------------------------ */

int
vm_ioeventfd(void *ctx, bool assign, bool pio, uint64_t addr, uint32_t width, int64_t match, int fd)
{
    struct vm *vm = ctx;
    struct kvm_ioeventfd arg = {.addr = addr,
                                .len = width,
                                .fd = fd,
                                .flags = (assign ? 0u : KVM_IOEVENTFD_FLAG_DEASSIGN) |
                                         (pio ? KVM_IOEVENTFD_FLAG_PIO : 0u)};

    if (width == 0 && !vm->has_ioeventfd_any)
        return -ENOTSUP;
    if (match >= 0) {
        arg.datamatch = (uint64_t)match;
        arg.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
    }
    return kvm_ioctl(vm->fd, KVM_IOEVENTFD, &arg);
}
