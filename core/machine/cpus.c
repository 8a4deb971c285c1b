/* SPDX-License-Identifier: BSD-3-Clause */
/* cpus.c - the machine's vCPUs: where their accesses go, and what happens when one stops. */
#include "core/machine/log.h"
#include "core/machine/machine-private.h"

/* So many triple faults in a row, each so soon after a start, are no reboot but a guest that never
 * gets anywhere. */
#define TRIPLE_FAULTS_MAX 3
#define TRIPLE_FAULT_NS   (INT64_C(1) * 1000000000)

static char *
report(const struct vcpu_event *event)
{
    return g_strdup_printf("vCPU %u: %s\n%s%s%s", event->cpu, event->what, event->dump,
                           event->hint ? event->hint : "", event->hint ? "\n" : "");
}

/* [vCPU's thread] */
static void
cpu_stopped(void *user, const struct vcpu_event *event)
{
    struct machine *m = user;
    g_autofree char *text = NULL;
    unsigned quick;

    switch (event->why) {
    case VCPU_SYSTEM_RESET:
        machine_request(m, BP_REQ_RESET, 0);
        return;
    case VCPU_SYSTEM_SHUTDOWN:
        machine_request(m, BP_REQ_POWEROFF, 0);
        return;
    case VCPU_FAULT:
        machine_fault(m, report(event));
        return;
    case VCPU_TRIPLE_FAULT:
        /* What a kernel tries next when it goes on for a moment after it has asked for a reset. */
        if (atomic_load(&m->request))
            return;
        break;
    }
    text = report(event);
    quick = event->run_time_ns < TRIPLE_FAULT_NS ? atomic_fetch_add(&m->quick_triple_faults, 1) + 1
                                                 : (atomic_store(&m->quick_triple_faults, 0), 0);
    if (quick >= TRIPLE_FAULTS_MAX) {
        machine_fault(m, g_strdup_printf("the guest triple-faults again and again\n%s", text));
        return;
    }
    log_line(LOG_LEVEL_WARNING, "the guest triple-faulted, which resets the machine\n%s", text);
    machine_request(m, BP_REQ_RESET, 0);
}

static int
read_guest(void *ctx, uint64_t gpa, void *buf, uint64_t len)
{
    return memory_read(ctx, gpa, buf, len);
}

struct thread_attrs
cpus_attrs(const cpu_set_t *set)
{
    struct thread_attrs attrs = THREAD_ATTRS_DEFAULT;

    for (unsigned i = 0; i < THREAD_CPUS_MAX && i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, set))
            attrs.cpus[i / 64] |= UINT64_C(1) << i % 64;
    return attrs;
}

static struct thread_attrs
attrs_of(const struct config_machine *config, unsigned cpu)
{
    struct thread_attrs attrs = THREAD_ATTRS_DEFAULT;

    if (config->n_affinity)
        attrs = cpus_attrs(&config->affinity[config->n_affinity == 1 ? 0 : cpu]);
    attrs.policy = config->sched_policy;
    attrs.priority = config->sched_priority;
    return attrs;
}

void
cpus_connect(struct machine *m)
{
    static const struct vcpu_ops ops = {
        .pio = bus_dispatch_pio,
        .mmio = bus_dispatch_mmio,
        .stopped = cpu_stopped,
    };
    unsigned n = m->config->machine.cpus;

    m->vcpus = g_new0(struct vcpu *, n);
    m->readers = g_new0(struct bus_reader *, n);
    for (; m->n_vcpus < n; m->n_vcpus++) {
        unsigned i = m->n_vcpus;
        struct thread_attrs attrs = attrs_of(&m->config->machine, i);
        struct vcpu_config config = {
            .index = i,
            .attrs = &attrs,
            .ops = &ops,
            .user = m,
            .read_guest = read_guest,
            .read_ctx = m->memory,
        };

        m->readers[i] = bus_reader_new(m->bus);
        config.io = m->readers[i];
        m->vcpus[i] = vcpu_connect(m->vm, &config);
    }
}

void
cpus_free(struct machine *m)
{
    for (unsigned i = 0; i < m->n_vcpus; i++)
        bus_reader_free(m->readers[i]);
    g_clear_pointer(&m->vcpus, g_free);
    g_clear_pointer(&m->readers, g_free);
    m->n_vcpus = 0;
}
