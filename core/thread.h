/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread.h - name, CPU affinity and scheduling class of a thread, as a config file writes them.
 *
 * Shared by vCPU threads and I/O threads. Parsing needs no privilege and no such CPU on this host,
 * so `check` can do it anywhere; applying may fail.
 */
#ifndef CORE_THREAD_H
#define CORE_THREAD_H

#include <glib.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>

#define THREAD_CPUS_MAX 1024

struct thread_attrs {
    uint64_t cpus[THREAD_CPUS_MAX / 64]; /* bit n: may run on host CPU n; all zero: anywhere */
    int policy;                          /* SCHED_OTHER and so on */
    int priority;                        /* of SCHED_FIFO and SCHED_RR, else 0 */
};

/* A zeroed struct is the default: anywhere, SCHED_OTHER. */
#define THREAD_ATTRS_DEFAULT ((struct thread_attrs){.policy = SCHED_OTHER})

/* "0-3,8" into attrs->cpus. CORE_ERROR_CONFIG: what is wrong with text; attrs is then untouched. */
gboolean thread_parse_cpus(const char *text, struct thread_attrs *attrs, GError **error)
    __attribute__((warn_unused_result));

/* "other", "batch", "idle", "fifo:N", "rr:N" into attrs->policy and priority. As above. */
gboolean thread_parse_policy(const char *text, struct thread_attrs *attrs, GError **error)
    __attribute__((warn_unused_result));

/* Give them to the calling thread. NULL: nothing to do. CORE_ERROR_HOST, with what to do. */
gboolean thread_apply(const struct thread_attrs *attrs, GError **error)
    __attribute__((warn_unused_result));

/* Signals are for the main thread: around the making of another, which inherits the mask. */
void thread_block_signals(sigset_t *ret_before);
void thread_restore_signals(const sigset_t *before);

/* Name of the calling thread as ps -L and top -H show it; the kernel keeps 15 bytes. */
void thread_set_name(const char *name);

#endif
