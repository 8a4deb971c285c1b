/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * builder.c - the thread that makes a VM, step by step, while main reads the config, opens plugins
 * and builds devices. Most of the time that a start takes is the kernel's, here.
 */
#include <signal.h>

#include "core/error.h"
#include "core/kvm/cpuid.h"
#include "core/kvm/internal.h"

static gboolean
build_cpuid(struct vm *vm, GError **error)
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

static gboolean
build_cpus(struct vm *vm, GError **error)
{
    if (vm->cpus > vm->max_cpus) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                    "%u vCPUs are more than the %u that this host's KVM can do", vm->cpus,
                    vm->max_cpus);
        return FALSE;
    }
    if (!vm_chips_new(vm, error))
        return FALSE;
    for (unsigned i = 0; i < vm->cpus; i++)
        if (!vcpu_make(vm->vcpus->pdata[i], error))
            return FALSE;
    return TRUE;
}

static gboolean
build_stage(struct vm *vm, enum vm_stage stage, GError **error)
{
    struct vm_builder *b = &vm->builder;

    switch (stage) {
    case VM_STAGE_OPEN:
        return vm_probe(vm, error) && build_cpuid(vm, error);
    case VM_STAGE_MEMORY:
        return !b->attach || b->attach(b->attach_ctx, vm, error);
    case VM_STAGE_CPUS:
        return build_cpus(vm, error);
    default:
        return TRUE;
    }
}

static void *
builder_thread(void *data)
{
    struct vm *vm = data;
    struct vm_builder *b = &vm->builder;

    g_mutex_lock(&vm->lock);
    while (!b->end && !b->failed) {
        enum vm_stage next = b->done + 1;
        gboolean good;

        if (b->done == b->asked) {
            g_cond_wait(&vm->cond, &vm->lock);
            continue;
        }
        g_mutex_unlock(&vm->lock);
        good = build_stage(vm, next, &b->error);
        g_mutex_lock(&vm->lock);
        b->done = next;
        b->failed = !good;
        b->end = b->end || next == VM_STAGE_CPUS;
        g_cond_broadcast(&vm->cond);
    }
    g_mutex_unlock(&vm->lock);
    return NULL;
}

static void
builder_ask(struct vm *vm, enum vm_stage stage)
{
    vm->builder.last = stage;
    g_mutex_lock(&vm->lock);
    vm->builder.asked = stage;
    g_cond_broadcast(&vm->cond);
    g_mutex_unlock(&vm->lock);
}

void
vm_builder_start(struct vm *vm)
{
    struct vm_builder *b = &vm->builder;
    sigset_t before;
    int err;

    b->last = b->asked = VM_STAGE_OPEN;
    thread_block_signals(&before);
    err = pthread_create(&b->thread, NULL, builder_thread, vm);
    thread_restore_signals(&before);
    b->has_thread = err == 0;
    if (err) {
        b->failed = true;
        g_set_error(&b->error, CORE_ERROR, CORE_ERROR_HOST, "cannot start a thread: %s",
                    g_strerror(err));
    }
}

void
vm_builder_end(struct vm *vm)
{
    struct vm_builder *b = &vm->builder;

    g_mutex_lock(&vm->lock);
    b->end = true;
    g_cond_broadcast(&vm->cond);
    g_mutex_unlock(&vm->lock);
    if (b->has_thread)
        pthread_join(b->thread, NULL);
    b->has_thread = false;
    g_clear_error(&b->error);
}

void
vm_begin_memory(struct vm *vm, gboolean (*attach)(void *ctx, struct vm *vm, GError **error),
                void *ctx)
{
    vm->builder.attach = attach; /* the thread reads it after builder_ask() */
    vm->builder.attach_ctx = ctx;
    builder_ask(vm, VM_STAGE_MEMORY);
}

void
vm_begin_cpus(struct vm *vm, unsigned cpus)
{
    vm->cpus = cpus;
    for (unsigned i = 0; i < cpus; i++)
        vcpu_new(vm, i);
    builder_ask(vm, VM_STAGE_CPUS);
}

static gboolean
builder_await(struct vm *vm, enum vm_stage stage, GError **error)
{
    struct vm_builder *b = &vm->builder;
    gboolean good;

    g_mutex_lock(&vm->lock);
    while (b->done < stage && !b->failed)
        g_cond_wait(&vm->cond, &vm->lock);
    good = b->done > stage || !b->failed;
    g_mutex_unlock(&vm->lock);
    if (!good && error)
        *error = g_error_copy(b->error);
    return good;
}

gboolean
vm_opened(struct vm *vm, GError **error)
{
    return builder_await(vm, VM_STAGE_OPEN, error);
}

gboolean
vm_ready(struct vm *vm, GError **error)
{
    if (!builder_await(vm, vm->builder.last, error))
        return FALSE;
    return vm->builder.last < VM_STAGE_CPUS || vm_chips_connect(vm, error);
}
