/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vcpu.c - the thread of a vCPU and its KVM_RUN loop; parking and ending all of them.
 *
 * How a vCPU is stopped. Who wants it stopped writes the request, sets immediate_exit in the page
 * that the vCPU shares with the kernel, and sends a signal. Whether that comes while the guest runs
 * (the signal ends KVM_RUN), inside a handler (the next KVM_RUN returns at once) or just before
 * KVM_RUN (immediate_exit is seen) KVM_RUN fails with EINTR, and it does so only after it has
 * finished the access whose exit was handled last. The request is looked at there and nowhere
 * else, so a run costs no system call but KVM_RUN itself, and a parked vCPU has nothing half done.
 * The signal's handler does nothing and restarts system calls, so handlers do not notice it.
 */
#include "config.h"

#include "core/kvm/vcpu.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/kvm/cpuid.h"
#include "core/kvm/internal.h"

#define KICK_SIGNAL SIGRTMIN

static _Thread_local const struct vcpu *vcpu_current;

static void
kick_ignore(int signal)
{
    (void)signal;
}

static void
kick_install(void)
{
    static gsize done;

    if (g_once_init_enter(&done)) {
        struct sigaction action = {.sa_handler = kick_ignore, .sa_flags = SA_RESTART};

        sigemptyset(&action.sa_mask);
        sigaction(KICK_SIGNAL, &action, NULL);
        g_once_init_leave(&done, 1);
    }
}

/* ---- Making --------------------------------------------------------------------------------- */

static int
vcpu_set_cpuid(const struct vcpu *vcpu)
{
    const struct vm *vm = vcpu->vm;
    struct cpuid_params params = {
        .index = vcpu->index, .cpus = vm->cpus, .tsc_deadline = vm->has_tsc_deadline};
    struct kvm_cpuid2 *cpuid =
        g_malloc(sizeof *cpuid + CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2));
    int err = cpuid_build(vm->cpuid, &params, cpuid);

    if (!err)
        err = kvm_ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
    g_free(cpuid);
    return err;
}

void
vcpu_new(struct vm *vm, unsigned index)
{
    struct vcpu *vcpu = g_new0(struct vcpu, 1);

    g_ptr_array_add(vm->vcpus, vcpu);
    vcpu->vm = vm;
    vcpu->index = index;
    vcpu->fd = -1;
    vcpu->run = MAP_FAILED;
}

gboolean
vcpu_make(struct vcpu *vcpu, GError **error)
{
    const char *what = "KVM_CREATE_VCPU";
    struct vm *vm = vcpu->vm;
    int err;

    vcpu->fd = err = kvm_ioctl_value(vm->fd, KVM_CREATE_VCPU, vcpu->index);
    if (err >= 0) {
        what = "mmap";
        vcpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
        err = vcpu->run == MAP_FAILED ? -errno : 0;
    }
    if (err >= 0 && vm->ring_page)
        vcpu->ring = (void *)((uint8_t *)vcpu->run + (size_t)vm->ring_page * MEMORY_PAGE_SIZE);
    if (err >= 0) {
        /* Before anything that depends on CPUID, MSRs above all. */
        what = "KVM_SET_CPUID2";
        err = vcpu_set_cpuid(vcpu);
    }
    if (err < 0)
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "vCPU %u: %s: %s", vcpu->index, what,
                    g_strerror(-err));
    return err >= 0 && vcpu_state_save(vcpu, error);
}

struct vcpu *
vcpu_connect(struct vm *vm, const struct vcpu_config *config)
{
    struct vcpu *vcpu = vm->vcpus->pdata[config->index];

    vcpu->config = *config;
    vcpu->attrs = config->attrs ? *config->attrs : THREAD_ATTRS_DEFAULT;
    vcpu->config.attrs = &vcpu->attrs;
    return vcpu;
}

void
vcpu_free(struct vcpu *vcpu)
{
    g_assert(!vcpu->has_thread);
    if (vcpu->run != MAP_FAILED)
        munmap(vcpu->run, vcpu->vm->run_size);
    if (vcpu->fd >= 0)
        close(vcpu->fd);
    vcpu_state_fini(vcpu);
    g_free(vcpu);
}

unsigned
vcpu_index(const struct vcpu *vcpu)
{
    return vcpu->index;
}

uint64_t
vcpu_exits(const struct vcpu *vcpu)
{
    return atomic_load_explicit(&vcpu->exits, memory_order_relaxed);
}

bool
vcpu_is_current(const struct vcpu *vcpu)
{
    return vcpu_current == vcpu;
}

/* ---- Running -------------------------------------------------------------------------------- */

static void
vcpu_set_immediate_exit(struct vcpu *vcpu, uint8_t on)
{
    __atomic_store_n(&vcpu->run->immediate_exit, on, __ATOMIC_SEQ_CST);
}

/* Tell whoever is responsible that this vCPU cannot go on, and be parked until a reset. */
static void
vcpu_die(struct vcpu *vcpu, enum vcpu_stop why, int run_errno)
{
    g_mutex_lock(&vcpu->vm->lock);
    vcpu->dead = true;
    g_mutex_unlock(&vcpu->vm->lock);
    vcpu_report(vcpu, why, run_errno);
}

/* False when the vCPU must stop. */
static bool
vcpu_handle_exit(struct vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    const struct vcpu_ops *ops = vcpu->config.ops;

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        ops->pio(vcpu->config.io, run->io.port, run->io.size, run->io.count,
                 (uint8_t *)run + run->io.data_offset, run->io.direction == KVM_EXIT_IO_OUT);
        return true;
    case KVM_EXIT_MMIO:
        ops->mmio(vcpu->config.io, run->mmio.phys_addr, run->mmio.data, run->mmio.len,
                  run->mmio.is_write);
        return true;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        return true;
    case KVM_EXIT_SHUTDOWN:
        vcpu_die(vcpu, VCPU_TRIPLE_FAULT, 0);
        return false;
    case KVM_EXIT_SYSTEM_EVENT:
        if (run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN)
            vcpu_die(vcpu, VCPU_SYSTEM_SHUTDOWN, 0);
        else if (run->system_event.type == KVM_SYSTEM_EVENT_RESET)
            vcpu_die(vcpu, VCPU_SYSTEM_RESET, 0);
        else
            vcpu_die(vcpu, VCPU_FAULT, 0);
        return false;
    default:
        vcpu_die(vcpu, VCPU_FAULT, 0);
        return false;
    }
}

static bool
vcpu_has_posted(const struct vcpu *vcpu)
{
    const struct kvm_coalesced_mmio_ring *ring = vcpu->ring;

    return ring && __atomic_load_n(&ring->first, __ATOMIC_ACQUIRE) !=
                       __atomic_load_n(&ring->last, __ATOMIC_RELAXED);
}

/* Returns when the vCPU shall do something else than run, with no access of the guest's half done.
 */
static void
vcpu_run(struct vcpu *vcpu)
{
    uint64_t exits = vcpu_exits(vcpu);

    for (;;) {
        int result = ioctl(vcpu->fd, KVM_RUN, 0), error = errno;

        if (vcpu_has_posted(vcpu))
            vcpu_posted_flush(vcpu);
        if (result == 0) {
            atomic_store_explicit(&vcpu->exits, ++exits, memory_order_relaxed);
            if (!vcpu_handle_exit(vcpu))
                return;
        } else if (error == EINTR || error == EAGAIN) {
            /* In this order: a request made after the first line ends the next KVM_RUN. */
            vcpu_set_immediate_exit(vcpu, 0);
            if (atomic_load(&vcpu->request) != VCPU_RUN)
                return;
        } else {
            vcpu_die(vcpu, VCPU_FAULT, error);
            return;
        }
    }
}

/* ---- The thread ----------------------------------------------------------------------------- */

static gboolean
vcpu_thread_init(struct vcpu *vcpu, GError **error)
{
    sigset_t kick;
    char name[16];

    vcpu_current = vcpu;
    snprintf(name, sizeof name, "vcpu %u", vcpu->index);
    thread_set_name(name);
    sigemptyset(&kick);
    sigaddset(&kick, KICK_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
    return thread_apply(&vcpu->attrs, error);
}

/* A guest that was stopped for long shall not take that for a lock-up of its own. */
static void
vcpu_tell_paused(const struct vcpu *vcpu)
{
    int err = kvm_ioctl_value(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);

    (void)err; /* it has no kvmclock that could be told */
}

static void *
vcpu_thread(void *data)
{
    struct vcpu *vcpu = data;
    struct vm *vm = vcpu->vm;
    GError *error = NULL;
    bool ran = false;

    if (!vcpu_thread_init(vcpu, &error)) {
        g_mutex_lock(&vm->lock);
        vcpu->birth_error = error;
        vcpu->parked = true;
        g_cond_broadcast(&vm->cond);
        g_mutex_unlock(&vm->lock);
        return NULL;
    }
    g_mutex_lock(&vm->lock);
    for (;;) {
        int request = atomic_load(&vcpu->request);

        if (request == VCPU_END)
            break;
        if (request == VCPU_PARK || vcpu->dead) {
            vcpu->parked = true;
            g_cond_broadcast(&vm->cond);
            g_cond_wait(&vm->cond, &vm->lock);
            continue;
        }
        vcpu->parked = false;
        g_mutex_unlock(&vm->lock);
        if (ran)
            vcpu_tell_paused(vcpu);
        ran = true;
        vcpu_run(vcpu);
        g_mutex_lock(&vm->lock);
    }
    vcpu->parked = true;
    g_cond_broadcast(&vm->cond);
    g_mutex_unlock(&vm->lock);
    return NULL;
}

/* Wait until the thread has its attributes; an error if it did not get them. */
static gboolean
vcpu_wait_born(struct vcpu *vcpu, GError **error)
{
    struct vm *vm = vcpu->vm;
    GError *cause;

    g_mutex_lock(&vm->lock);
    while (!vcpu->parked)
        g_cond_wait(&vm->cond, &vm->lock);
    cause = g_steal_pointer(&vcpu->birth_error);
    g_mutex_unlock(&vm->lock);
    if (cause == NULL)
        return TRUE;
    g_propagate_prefixed_error(error, cause, "vCPU %u: ", vcpu->index);
    pthread_join(vcpu->thread, NULL);
    vcpu->has_thread = false;
    return FALSE;
}

gboolean
vcpu_start(struct vcpu *vcpu, GError **error)
{
    const struct thread_attrs none = THREAD_ATTRS_DEFAULT;
    sigset_t before;
    int err;

    g_assert(!vcpu->has_thread);
    kick_install();
    atomic_store(&vcpu->request, VCPU_PARK);
    vcpu->parked = false;
    thread_block_signals(&before);
    err = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
    thread_restore_signals(&before);
    if (err) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "cannot start the thread of vCPU %u: %s",
                    vcpu->index, g_strerror(err));
        return FALSE;
    }
    vcpu->has_thread = true;
    /* Nothing can go wrong with a plain thread, so it gets to its parking place while the caller
     * goes on. */
    return memcmp(&vcpu->attrs, &none, sizeof none) == 0 || vcpu_wait_born(vcpu, error);
}

/* ---- All of them ---------------------------------------------------------------------------- */

/* Give every vCPU that has a thread a request; under vm->lock. */
static void
vcpus_request(struct vm *vm, enum vcpu_request request)
{
    for (unsigned i = 0; i < vm->vcpus->len; i++) {
        struct vcpu *vcpu = vm->vcpus->pdata[i];

        if (!vcpu->has_thread)
            continue;
        g_assert(!vcpu_is_current(vcpu));
        atomic_store(&vcpu->request, request);
        if (request != VCPU_RUN && !vcpu->parked && vcpu->run != MAP_FAILED) {
            vcpu_set_immediate_exit(vcpu, 1);
            pthread_kill(vcpu->thread, KICK_SIGNAL);
        }
    }
    g_cond_broadcast(&vm->cond);
}

static void
vcpus_wait_parked(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpus->len; i++) {
        struct vcpu *vcpu = vm->vcpus->pdata[i];

        while (vcpu->has_thread && !vcpu->parked)
            g_cond_wait(&vm->cond, &vm->lock);
    }
}

int64_t
vm_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

void
vcpus_resume(struct vm *vm)
{
    g_mutex_lock(&vm->lock);
    if (vm->started_ns == 0) {
        vm->started_ns = vm_now_ns();
        vm->exits_start = 0;
        for (unsigned i = 0; i < vm->vcpus->len; i++)
            vm->exits_start += vcpu_exits(vm->vcpus->pdata[i]);
    }
    vcpus_request(vm, VCPU_RUN);
    g_mutex_unlock(&vm->lock);
}

void
vcpus_pause(struct vm *vm)
{
    g_mutex_lock(&vm->lock);
    vcpus_request(vm, VCPU_PARK);
    vcpus_wait_parked(vm);
    g_mutex_unlock(&vm->lock);
}

void
vcpus_stop(struct vm *vm)
{
    vm_builder_end(vm); /* when a start fails it may be making them yet */
    g_mutex_lock(&vm->lock);
    vcpus_request(vm, VCPU_END);
    g_mutex_unlock(&vm->lock);
    for (unsigned i = 0; i < vm->vcpus->len; i++) {
        struct vcpu *vcpu = vm->vcpus->pdata[i];

        if (vcpu->has_thread)
            pthread_join(vcpu->thread, NULL);
        vcpu->has_thread = false;
    }
}
