/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm.c - making, resetting and freeing a VM; its memory slots and ioeventfds.
 */
#include "core/kvm/vm.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/kvm/cpuid.h"
#include "core/kvm/internal.h"

static gboolean
vm_get_cpuid(struct vm *vm, GError **error)
{
    int err;

    vm->cpuid = g_malloc0(sizeof *vm->cpuid + CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2));
    vm->cpuid->nent = CPUID_ENTRIES_MAX;
    err = kvm_ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, vm->cpuid);
    if (err < 0) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "KVM_GET_SUPPORTED_CPUID: %s",
                    g_strerror(-err));
        return FALSE;
    }
    return TRUE;
}

static void *
vm_open(void *data)
{
    struct vm *vm = data;

    (void)(vm_probe(vm, &vm->open_error) && vm_get_cpuid(vm, &vm->open_error));
    return NULL;
}

struct vm *
vm_new(const char *device)
{
    struct vm *vm = g_new0(struct vm, 1);
    sigset_t all, before;

    vm->device = g_strdup(device ? device : "/dev/kvm");
    vm->kvm_fd = vm->fd = -1;
    vm->vcpus = g_ptr_array_new();
    g_mutex_init(&vm->lock);
    g_cond_init(&vm->cond);
    /* Signals are for the main thread; the new one inherits this mask. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    vm->opening = pthread_create(&vm->opener, NULL, vm_open, vm) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!vm->opening)
        vm_open(vm);
    return vm;
}

static void
vm_await(struct vm *vm)
{
    if (vm->opening)
        pthread_join(vm->opener, NULL);
    vm->opening = false;
}

gboolean
vm_ready(struct vm *vm, unsigned cpus, GError **error)
{
    vm_await(vm);
    vm->cpus = cpus;
    if (vm->max_cpus && cpus > vm->max_cpus) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                    "%u vCPUs are more than the %u that this host's KVM can do", cpus,
                    vm->max_cpus);
        return FALSE;
    }
    if (vm->open_error == NULL)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&vm->open_error));
    return FALSE;
}

void
vm_free(struct vm *vm)
{
    if (vm == NULL)
        return;
    vm_await(vm);
    g_assert(vm->vcpus->len == 0);
    if (vm->fd >= 0)
        close(vm->fd);
    if (vm->kvm_fd >= 0)
        close(vm->kvm_fd);
    g_ptr_array_free(vm->vcpus, TRUE);
    g_cond_clear(&vm->cond);
    g_mutex_clear(&vm->lock);
    g_free(vm->msrs.entries);
    g_free(vm->cpuid);
    g_clear_error(&vm->open_error);
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
