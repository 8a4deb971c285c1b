/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c - the life of a machine that was built: start, run, reboot, stop.
 *
 *      build -> START -> run -> STOP -> (reboot: reset, START again) -> take apart
 *
 * START: devices start, the kernel is loaded, the boot CPU gets its registers, vCPUs run. STOP:
 * vCPUs are parked, then devices quiesce. So no device ever sees a guest while it is not started,
 * and nothing touches guest memory while it is loaded.
 */
#include <sys/resource.h>

#include "core/error.h"
#include "core/machine/log.h"
#include "core/machine/machine-private.h"
#include "core/machine/notify.h"

static uint64_t
published(struct machine *m, const char *key)
{
    const uint64_t *value;
    uint64_t to = 0;

    g_mutex_lock(&m->published_lock);
    value = g_hash_table_lookup(m->published, key);
    if (value)
        to = *value;
    g_mutex_unlock(&m->published_lock);
    return to;
}

/* FALSE without an error: see lifecycle_start(). */
static gboolean
start(struct machine *m, GError **error)
{
    struct boot_entry entry;

    if (!lifecycle_start(m, error) ||
        !boot_load(m->boot, m->e820, published(m, "acpi.rsdp"), &entry, error) ||
        !vcpu_set_entry(m->vcpus[0], &entry, error))
        return FALSE;
    log_line(LOG_LEVEL_DEBUG, "boots with the %s", entry.protocol);
    loop_clock_resume(m->clock);
    vcpus_resume(m->vm);
    notify_send("READY=1\nSTATUS=The guest runs");
    return TRUE;
}

static gboolean
stop(struct machine *m)
{
    vcpus_pause(m->vm);
    loop_clock_pause(m->clock);
    return lifecycle_quiesce(m);
}

static gboolean
reset(struct machine *m, GError **error)
{
    int err;

    lifecycle_reset(m);
    irq_router_reset(m->irqs);
    if (!vm_reset(m->vm, error))
        return FALSE;
    err = memory_reset(m->memory);
    if (err) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "cannot clear guest memory: %s",
                    g_strerror(-err));
        return FALSE;
    }
    return TRUE;
}

/* What a request means for the program: TRUE goes on with a reboot, FALSE ends with *ret_status. */
static gboolean
reboots(struct machine *m, unsigned request, int *ret_status, GError **error)
{
    *ret_status = 0;
    switch (request & 0xffff) {
    case BP_REQ_RESET:
        return m->config->machine.on_reboot == CONFIG_REBOOT;
    case BP_REQ_EXIT:
        *ret_status = (int)(request >> 16);
        return FALSE;
    case BP_REQ_FAULT:
        g_mutex_lock(&m->fault_lock);
        g_set_error_literal(error, CORE_ERROR, CORE_ERROR_GUEST,
                            m->fault ? m->fault : "the guest cannot go on");
        g_mutex_unlock(&m->fault_lock);
        *ret_status = -1;
        return FALSE;
    default:
        return FALSE;
    }
}

static gboolean
requested(void *user)
{
    struct machine *m = user;

    return atomic_load(&m->request) != 0;
}

static bool
requested_bool(void *user)
{
    return requested(user);
}

/* Runs until something was asked for, and returns it. */
static unsigned
wait_for_request(struct machine *m)
{
    while (!requested(m))
        loop_run_until(m->loop, requested_bool, m, -1, -1);
    return atomic_load(&m->request);
}

/* From the first start to the last stop. Returns the exit status, or -1 with an error. */
static int
run_started(struct machine *m, GError **error)
{
    GError *why = NULL;
    unsigned request;
    int status;

    for (;;) {
        if (!start(m, &why) && why) {
            status = -1;
            break;
        }
        request = wait_for_request(m);
        if (!stop(m)) {
            g_clear_error(&why);
            g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                        "stopped with I/O that did not finish; look at the host's disks");
            return -2;
        }
        if (!reboots(m, request, &status, &why)) {
            notify_send("STOPPING=1\nSTATUS=The guest has stopped");
            break;
        }
        atomic_store(&m->request, 0);
        m->button_pressed = FALSE;
        if (!reset(m, &why)) {
            status = -1;
            break;
        }
        log_line(LOG_LEVEL_INFO, "the guest reboots");
    }
    if (!lifecycle_quiesce(m))
        status = -2;
    if (why)
        g_propagate_error(error, why);
    return status;
}

static gboolean
start_threads(struct machine *m, GError **error)
{
    if (!signals_watch(m, error))
        return FALSE;
    cpus_connect(m);
    for (unsigned i = 0; i < m->config->n_iothreads; i++) {
        const struct config_iothread *c = m->config->iothreads[i];
        struct thread_attrs attrs = THREAD_ATTRS_DEFAULT;

        if (c->has_affinity)
            attrs = cpus_attrs(&c->affinity);
        if (!loop_start(m->iothreads[i], &attrs, error))
            return FALSE;
    }
    for (unsigned i = 0; i < m->n_vcpus; i++)
        if (!vcpu_start(m->vcpus[i], error))
            return FALSE;
    return vm_ready(m->vm, error);
}

/* Every device takes a few descriptors. What a shell sets is meant for programs with select(),
 * whose sets end at 1024; neither the core nor a plugin uses it. */
static void
raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* else there is what there was */
    }
}

int
machine_run(struct machine *m, GError **error)
{
    int status = -1;

    signals_block();
    raise_descriptor_limit();
    if (machine_build(m, error) && start_threads(m, error))
        status = run_started(m, error);
    m->stuck = status == -2;
    return MAX(status, -1);
}

gboolean
machine_check(struct config *config, GError **error)
{
    struct machine *m = machine_alloc();
    struct boot_entry entry;
    gboolean good;

    m->check = TRUE;
    raise_descriptor_limit();
    /* Tables that a start would write do not change what fits: the RSDP is a number to the loader.
     */
    good = machine_begin(m, config, error) && machine_build(m, error) &&
           boot_load(m->boot, m->e820, 0, &entry, error);
    machine_free(m);
    return good;
}
