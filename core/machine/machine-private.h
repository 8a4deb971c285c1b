/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * machine-private.h - the machine as core/machine's own files see it.
 */
#ifndef CORE_MACHINE_PRIVATE_H
#define CORE_MACHINE_PRIVATE_H

#include <backplane/backplane.h>
#include <glib.h>
#include <stdatomic.h>

#include "core/boot/boot.h"
#include "core/bus/bus.h"
#include "core/config/config.h"
#include "core/kvm/irq.h"
#include "core/kvm/vcpu.h"
#include "core/kvm/vm.h"
#include "core/loop/loop.h"
#include "core/machine/instance.h"
#include "core/machine/machine.h"
#include "core/memory/e820.h"
#include "core/memory/memory.h"

/* Where the parts of the 32-bit hole are. Windows that a bus claims come off the top. */
#define MACHINE_MMIO32_BASE  UINT64_C(0xc0000000)
#define MACHINE_MMIO32_END   UINT64_C(0xfeb00000)
#define MACHINE_AUTO_BASE    MACHINE_MMIO32_END /* BP_IO_AUTO: up to the I/O APIC */
#define MACHINE_AUTO_END     UINT64_C(0xfec00000)
#define MACHINE_AUTO_PIO     UINT64_C(0xd00) /* BP_IO_AUTO for ports: 0xd00-0xfff */
#define MACHINE_AUTO_PIO_END UINT64_C(0x1000)

struct machine {
    struct config *config;
    gboolean check;

    struct memory *memory;
    struct e820 *e820;
    struct vm *vm; /* NULL while checking */
    struct irq_router *irqs;
    struct bus *bus;
    struct loop_clock *clock;
    struct loop *loop;
    struct loop **iothreads; /* one for each of the config's */
    struct boot *boot;

    struct instance **instances;
    unsigned n_instances;
    unsigned *order; /* providers first; n_instances entries */

    struct vcpu **vcpus;
    struct bus_reader **readers;
    unsigned n_vcpus;

    gboolean stuck; /* I/O that did not finish may still reach guest memory: nothing is freed */
    struct instance *shadow_owner; /* who switches RAM below 1 MiB; NULL: nobody */

    uint64_t mmio32_end; /* under published_lock: claims lower it */
    GMutex published_lock;
    GHashTable *published; /* char * -> uint64_t * */

    /* What somebody asked for; the first request wins until it is carried out. */
    atomic_uint request; /* BP_REQ_*, 0: nothing */
    atomic_uint request_arg;
    GMutex fault_lock;
    char *fault; /* what to tell about BP_REQ_FAULT */
    atomic_uint quick_triple_faults;

    struct loop_source *signals;
    int signal_fd;
    gboolean button_pressed;
};

/* machine.c: everything but the life cycle of instances. [main] */
struct machine *machine_alloc(void) __attribute__((warn_unused_result)); /* without a VM */
gboolean machine_build(struct machine *m, GError **error) __attribute__((warn_unused_result));

/* Asks the main loop to do something: BP_REQ_*. FALSE when something was asked before. [any] */
gboolean machine_request(struct machine *m, uint32_t what, uint32_t arg);
/* BP_REQ_FAULT with a text for the user; takes text. [any] */
void machine_fault(struct machine *m, char *text);

/* lifecycle.c: all instances, in dependency order or its reverse. */
gboolean lifecycle_build(struct machine *m, GError **error) __attribute__((warn_unused_result));
/* FALSE without an error: something was requested while an instance was not ready to start yet. */
gboolean lifecycle_start(struct machine *m, GError **error) __attribute__((warn_unused_result));
/* FALSE: an instance would not stop within the time limit; it must not be destroyed. */
gboolean lifecycle_quiesce(struct machine *m) __attribute__((warn_unused_result));
void lifecycle_reset(struct machine *m);
void lifecycle_destroy(struct machine *m);
/* SIGHUP; and whether any instance took the power button. */
void lifecycle_refresh(struct machine *m);
gboolean lifecycle_power_button(struct machine *m);

/* cpus.c: vCPUs and their threads. */
void cpus_connect(struct machine *m);
void cpus_free(struct machine *m);
/* An affinity as core/thread.h takes it. */
struct thread_attrs cpus_attrs(const cpu_set_t *set);

/* signals.c: signals as events of the main loop. */
void signals_block(void);
gboolean signals_watch(struct machine *m, GError **error) __attribute__((warn_unused_result));
void signals_unwatch(struct machine *m);

#endif
