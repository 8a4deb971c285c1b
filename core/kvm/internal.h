/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * internal.h - what the files of core/kvm share; nobody else includes it.
 */
#ifndef CORE_KVM_INTERNAL_H
#define CORE_KVM_INTERNAL_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/kvm/vcpu.h"
#include "core/kvm/vm.h"

struct irq_router;

#define VM_CHIPS 3 /* master PIC, slave PIC, I/O APIC */

/* MSRs as they are at power-on, the same on every vCPU. */
struct vm_msrs {
    unsigned n;
    struct kvm_msr_entry *entries;
};

/* What the thread that makes the VM does, in this order. */
enum vm_stage {
    VM_STAGE_NONE,
    VM_STAGE_OPEN,
    VM_STAGE_MEMORY,
    VM_STAGE_CPUS,
};

struct vm_builder {
    pthread_t thread;
    bool has_thread;    /* [main] */
    enum vm_stage last; /* what vm_ready() waits for; [main] */
    /* Under the VM's lock: what is to be done, what has been, and no more. */
    enum vm_stage asked, done;
    bool end;
    GError *error; /* the first, after which nothing is done; [thread] before, [any] after done */
    bool failed;
    gboolean (*attach)(void *ctx, struct vm *vm, GError **error);
    void *attach_ctx;
};

struct vm {
    char *device;
    struct vm_builder builder;
    int kvm_fd, fd;
    unsigned cpus, max_cpus;
    size_t run_size;     /* of the page that a vCPU shares with the kernel */
    size_t xsave_size;   /* of struct kvm_xsave with what follows it */
    unsigned max_routes; /* of KVM_SET_GSI_ROUTING, chips' included */
    unsigned ring_page;  /* of posted writes, in what a vCPU shares with the kernel; 0: none */
    bool has_resample, has_ioeventfd_any, has_xcrs, has_debugregs, has_tsc_deadline, has_clock;
    struct kvm_cpuid2 *cpuid;
    struct vm_msrs msrs;
    struct kvm_irqchip chips[VM_CHIPS]; /* power-on state */
    struct kvm_pit_state2 pit;
    atomic_bool has_chips;
    struct irq_router *router; /* to be told when the chips are there; NULL: none */

    GMutex posted_lock; /* whoever empties the ring of posted writes */
    GMutex lock;        /* states of vCPUs and of the builder */
    GCond cond;
    GPtrArray *vcpus;     /* by index */
    int64_t started_ns;   /* first resume since creation or reset; 0: none yet */
    uint64_t exits_start; /* sum of the vCPUs' exits then */
};

/* What a vCPU was like when it had been made. */
struct vcpu_state {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_xcrs xcrs;
    struct kvm_debugregs debugregs;
    struct kvm_vcpu_events events;
    struct kvm_mp_state mp_state;
    struct kvm_lapic_state lapic;
    void *xsave; /* vm->xsave_size */
};

enum vcpu_request {
    VCPU_PARK,
    VCPU_RUN,
    VCPU_END,
};

struct vcpu {
    struct vm *vm;
    unsigned index;
    int fd;                               /* -1, */
    struct kvm_run *run;                  /* and MAP_FAILED, until the builder has made it */
    struct kvm_coalesced_mmio_ring *ring; /* the VM's; NULL: none */
    struct vcpu_config config;
    struct thread_attrs attrs;
    struct vcpu_state state;
    _Atomic uint64_t exits;
    _Atomic int request; /* enum vcpu_request; written under vm->lock */
    pthread_t thread;
    bool has_thread; /* [main] */

    bool parked; /* under vm->lock from here */
    bool dead;   /* it stopped by itself: only a reset makes it run again */
    GError *birth_error;
};

/* ioctl() that starts again when a signal came. Returns its result, or -errno. */
int kvm_ioctl(int fd, unsigned long request, void *arg) __attribute__((warn_unused_result));
/* The same with a number for an argument. */
int kvm_ioctl_value(int fd, unsigned long request, unsigned long arg)
    __attribute__((warn_unused_result));

/* probe.c */
gboolean vm_probe(struct vm *vm, GError **error);
bool vm_host_has_hardware(void); /* VMX or SVM is in the host's CPUID; for hints only */

/* builder.c: the thread is started, and waited for. */
void vm_builder_start(struct vm *vm);
void vm_builder_end(struct vm *vm);

/* chips.c: made and routed [builder]; then interrupts may be delivered [main]. */
gboolean vm_chips_new(struct vm *vm, GError **error);
gboolean vm_chips_connect(struct vm *vm, GError **error);
gboolean vm_chips_reset(struct vm *vm, GError **error);
/* The whole routing table: the chips' pins, then n further entries. 0 or -errno. */
int vm_set_routes(struct vm *vm, const struct kvm_irq_routing_entry *entries, unsigned n)
    __attribute__((warn_unused_result));
unsigned vm_chip_routes(void); /* how many of the table are the chips' */

/* posted.c: dispatches what is in the ring [vCPU's thread]. */
void vcpu_posted_flush(struct vcpu *vcpu);

/* state.c */
gboolean vcpu_state_save(struct vcpu *vcpu, GError **error);
gboolean vcpu_state_reset(struct vcpu *vcpu, GError **error);
void vcpu_state_fini(struct vcpu *vcpu);

/* vcpu.c */
void vcpu_new(struct vm *vm, unsigned index);          /* appends it to vm->vcpus [main] */
gboolean vcpu_make(struct vcpu *vcpu, GError **error); /* in the kernel [builder] */
void vcpu_free(struct vcpu *vcpu);
int64_t vm_now_ns(void);

/* report.c */
void vcpu_report(struct vcpu *vcpu, enum vcpu_stop why, int run_errno);

#endif
