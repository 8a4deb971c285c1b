/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lifecycle.c - calls every instance through its life: create, realize, start, quiesce, reset,
 * destroy; providers first on the way up, last on the way down.
 *
 * Every call is made with the instance's domain locked, so that an event which is already coming in
 * on an I/O thread waits; bp_class is written against that.
 */
#include <string.h>

#include "core/error.h"
#include "core/machine/graph.h"
#include "core/machine/host.h"
#include "core/machine/log.h"
#include "core/machine/machine-private.h"
#include "core/plugin/guard.h"

/* How long devices may take to finish their I/O before the user is told, and before we give up. */
#define QUIESCE_TELL_NS  (INT64_C(5) * 1000000000)
#define QUIESCE_LIMIT_NS (INT64_C(60) * 1000000000)
/* How often an instance that said BP_E_AGAIN is asked. */
#define AGAIN_POLL_NS (INT64_C(10) * 1000000)

static gboolean
name_cycle(struct machine *m, const GArray *cycle, GError **error)
{
    struct instance *first = m->instances[g_array_index(cycle, unsigned, 0)];
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < cycle->len; i++)
        g_string_append_printf(text, "%s needs ",
                               m->instances[g_array_index(cycle, unsigned, i)]->conf->id);
    config_instance_error(error, CORE_ERROR_CONFIG, first->conf, NULL,
                          "sections need each other in a circle: %s%s; take one of the links out",
                          text->str, first->conf->id);
    return FALSE;
}

static gboolean
find_order(struct machine *m, GError **error)
{
    struct graph *g = graph_new(m->n_instances);
    g_autoptr(GArray) cycle = NULL;
    gboolean sorted;

    for (unsigned i = 0; i < m->n_instances; i++)
        for (unsigned p = 0; p < m->instances[i]->providers->len; p++) {
            const struct instance *to = g_ptr_array_index(m->instances[i]->providers, p);

            graph_need(g, i, (unsigned)to->id.v - 1);
        }
    m->order = g_new0(unsigned, m->n_instances);
    sorted = graph_sort(g, m->order, &cycle);
    graph_free(g);
    return sorted || name_cycle(m, cycle, error);
}

/* A crash inside the call is then reported with the plugin's name; see guard.h. */
static void
guard(struct plugin_guard *to, const struct instance *inst, const char *call)
{
    to->where = inst->conf->where;
    to->file = inst->cls->file;
    to->call = call;
    plugin_guard_enter(to);
}

static gboolean
create(struct instance *inst, GError **error)
{
    struct plugin_guard g;
    int err;

    guard(&g, inst, "create()");
    err = inst->cls->c.create(host_table(inst->machine->check), inst->id, &inst->self);
    plugin_guard_leave(&g);
    if (err) {
        instance_error(inst, err, "create()", error);
        return FALSE;
    }
    inst->stage = INSTANCE_CREATED;
    return TRUE;
}

static gboolean
realize(struct instance *inst, GError **error)
{
    struct plugin_guard g;
    int err = 0;

    if (inst->cls->c.realize) {
        guard(&g, inst, "realize()");
        g_mutex_lock(&inst->domain->lock);
        err = inst->cls->c.realize(inst->self);
        g_mutex_unlock(&inst->domain->lock);
        plugin_guard_leave(&g);
    }
    if (err) {
        instance_error(inst, err, "realize()", error);
        return FALSE;
    }
    g_clear_pointer(&inst->fail_text, g_free); /* of something that it got over */
    inst->stage = INSTANCE_REALIZED;
    return TRUE;
}

gboolean
lifecycle_build(struct machine *m, GError **error)
{
    if (!instances_new(m, error) || !find_order(m, error))
        return FALSE;
    for (unsigned i = 0; i < m->n_instances; i++)
        if (!create(m->instances[m->order[i]], error))
            return FALSE;
    for (unsigned i = 0; i < m->n_instances; i++)
        if (!realize(m->instances[m->order[i]], error))
            return FALSE;
    return TRUE;
}

static int
try_start(struct instance *inst, GError **error)
{
    int err = 0;

    g_mutex_lock(&inst->domain->lock);
    if (inst->cls->c.start)
        err = inst->cls->c.start(inst->self);
    if (!err)
        inst->stage = INSTANCE_STARTED;
    else if (err != BP_E_AGAIN)
        instance_error(inst, err, "start()", error);
    g_mutex_unlock(&inst->domain->lock);
    return err;
}

gboolean
lifecycle_start(struct machine *m, GError **error)
{
    for (unsigned i = 0; i < m->n_instances; i++) {
        int err;

        while ((err = try_start(m->instances[m->order[i]], error)) == BP_E_AGAIN) {
            if (atomic_load(&m->request))
                return FALSE;
            loop_run_once(m->loop, AGAIN_POLL_NS);
        }
        if (err)
            return FALSE;
    }
    return TRUE;
}

/* One try; TRUE when the instance has stopped, for better or worse. */
static gboolean
try_quiesce(struct instance *inst)
{
    int err = 0;

    g_mutex_lock(&inst->domain->lock);
    if (inst->stage == INSTANCE_STARTED && inst->cls->c.quiesce)
        err = inst->cls->c.quiesce(inst->self);
    if (err != BP_E_AGAIN && inst->stage == INSTANCE_STARTED)
        inst->stage = INSTANCE_REALIZED;
    g_mutex_unlock(&inst->domain->lock);
    if (err && err != BP_E_AGAIN)
        log_line(LOG_LEVEL_ERROR, "%s: quiesce() failed: %s", inst->conf->id, g_strerror(-err));
    return err != BP_E_AGAIN;
}

static gboolean
quiesce(struct instance *inst)
{
    struct machine *m = inst->machine;
    int64_t begin = loop_clock_now(m->clock, BP_CLOCK_MONOTONIC), now;
    gboolean told = FALSE;

    while (!try_quiesce(inst)) {
        /* An instance on the main loop makes progress here, one on an I/O thread by itself. */
        loop_run_once(m->loop, AGAIN_POLL_NS);
        now = loop_clock_now(m->clock, BP_CLOCK_MONOTONIC);
        if (now - begin > QUIESCE_TELL_NS && !told) {
            log_line(LOG_LEVEL_WARNING, "%s: waiting for its I/O to finish", inst->conf->id);
            told = TRUE;
        }
        if (now - begin > QUIESCE_LIMIT_NS) {
            log_line(LOG_LEVEL_ERROR, "%s: its I/O does not finish", inst->conf->id);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean
lifecycle_quiesce(struct machine *m)
{
    gboolean all = TRUE;

    for (unsigned i = m->n_instances; i > 0; i--)
        all = quiesce(m->instances[m->order[i - 1]]) && all;
    return all;
}

void
lifecycle_reset(struct machine *m)
{
    for (unsigned i = 0; i < m->n_instances; i++) {
        struct instance *inst = m->instances[m->order[i]];

        g_mutex_lock(&inst->domain->lock);
        if (inst->cls->c.reset)
            inst->cls->c.reset(inst->self, BP_RESET_COLD);
        g_mutex_unlock(&inst->domain->lock);
    }
}

static void
fini_object(enum handle_kind kind, void *object)
{
    switch (kind) {
    case HANDLE_REGION:
        host_fini_region(object);
        break;
    case HANDLE_IRQ:
        host_fini_irq(object);
        break;
    case HANDLE_EVENT:
        host_fini_event(object);
        break;
    case HANDLE_RAM:
        host_fini_ram(object);
        break;
    case HANDLE_NONE:
        break;
    }
}

/* I/O threads have ended and vCPUs are gone: nothing calls an instance but this. */
void
lifecycle_destroy(struct machine *m)
{
    for (unsigned i = m->n_instances; i > 0; i--) {
        struct instance *inst = m->instances[m->order ? m->order[i - 1] : i - 1];

        handles_free(inst->handles, fini_object);
        inst->handles = NULL;
        if (inst->stage >= INSTANCE_CREATED && inst->cls->c.destroy)
            inst->cls->c.destroy(inst->self);
        inst->stage = INSTANCE_NEW;
    }
    instances_free(m);
    g_clear_pointer(&m->order, g_free);
}

void
lifecycle_refresh(struct machine *m)
{
    for (unsigned i = 0; i < m->n_instances; i++) {
        struct instance *inst = m->instances[m->order[i]];
        const struct bp_refresh_if *r;
        int err;

        r = instance_query(inst, BP_IF_REFRESH, BP_UPTO(struct bp_refresh_if, refresh));
        if (!r || !r->refresh)
            continue;
        g_mutex_lock(&inst->domain->lock);
        err = r->refresh(inst->self);
        g_mutex_unlock(&inst->domain->lock);
        if (err)
            log_line(LOG_LEVEL_WARNING, "%s: looking at its resource again failed: %s",
                     inst->conf->id, g_strerror(-err));
    }
}

gboolean
lifecycle_power_button(struct machine *m)
{
    struct instance *inst = instance_provider(m, BP_IF_POWER);
    const struct bp_power_if *power;
    int err;

    power = inst ? instance_query(inst, BP_IF_POWER, BP_UPTO(struct bp_power_if, button)) : NULL;
    if (!power || !power->button)
        return FALSE;
    g_mutex_lock(&inst->domain->lock);
    err = power->button(inst->self);
    g_mutex_unlock(&inst->domain->lock);
    return err == 0;
}
