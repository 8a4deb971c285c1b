/* SPDX-License-Identifier: BSD-3-Clause */
/* instance.c - see instance.h. */
#include "core/machine/instance.h"

#include <string.h>

#include "core/error.h"
#include "core/machine/log.h"
#include "core/machine/machine-private.h"

#define GUEST_LINES_PER_SECOND 10

/* One machine a process: ids index its instances, so that a plugin's call needs no search. */
static struct machine *the_machine;

struct instance *
instance_of(bp_inst id)
{
    const struct machine *m = the_machine;

    return m && id.v > 0 && id.v <= m->n_instances ? m->instances[id.v - 1] : NULL;
}

struct instance *
instance_of_conf(const struct config_instance *conf)
{
    return conf ? conf->user : NULL;
}

gboolean
instance_core_serves(const char *iface)
{
    static const char *const served[] = {BP_IF_MEM,   BP_IF_RAM,     BP_IF_IO, BP_IF_IRQ,
                                         BP_IF_EVENT, BP_IF_MACHINE, NULL};

    return g_strv_contains(served, iface);
}

struct instance *
instance_provider(const struct machine *m, const char *iface)
{
    for (unsigned i = 0; i < m->n_instances; i++)
        if (plugin_class_provides(m->instances[i]->cls, iface))
            return m->instances[i];
    return NULL;
}

const void *
instance_query(struct instance *inst, const char *iface, uint32_t min_size)
{
    const uint32_t *table;

    if (!inst->cls->c.query || !plugin_class_provides(inst->cls, iface))
        return NULL;
    /* The table's own size decides: an older plugin may ignore min_size. */
    table = inst->cls->c.query(inst->self, iface, min_size);
    return table && *table >= min_size ? table : NULL;
}

static struct domain *
domain_new(void)
{
    struct domain *d = g_new0(struct domain, 1);

    g_mutex_init(&d->lock);
    d->refs = 1;
    return d;
}

static void
domain_unref(struct domain *d)
{
    if (--d->refs == 0) {
        g_mutex_clear(&d->lock);
        g_free(d);
    }
}

/* A back end moves into its device's domain, with whatever is in its own already. */
static void
domain_join(struct machine *m, struct instance *device, struct instance *backend)
{
    struct domain *old = backend->domain, *to = device->domain;

    if (old == to)
        return;
    for (unsigned i = 0; i < m->n_instances; i++) {
        struct instance *inst = m->instances[i];

        if (inst->domain == old) {
            inst->domain = to;
            inst->loop = device->loop;
            to->refs++;
            domain_unref(old);
        }
    }
}

static void
add_provider(struct instance *inst, struct instance *provider)
{
    if (provider != inst && !g_ptr_array_find(inst->providers, provider, NULL))
        g_ptr_array_add(inst->providers, provider);
}

static gboolean
resolve_links(struct machine *m, struct instance *inst, GError **error)
{
    const struct bp_class *c = &inst->cls->c;

    for (uint32_t p = 0; p < c->n_props; p++) {
        const struct config_value *value = &inst->conf->values[p];

        if (c->props[p].type != BP_LINK)
            continue;
        for (uint32_t i = 0; i < value->n_items; i++) {
            const char *id = value->items[i].s;
            struct instance *to = instance_of_conf(config_instance(m->config, id));

            if (!to) {
                config_instance_error(error, CORE_ERROR_CONFIG, inst->conf, c->props[p].name,
                                      "%s = \"%s\" names no section", c->props[p].name, id);
                return FALSE;
            }
            if (to == inst) {
                config_instance_error(error, CORE_ERROR_CONFIG, inst->conf, c->props[p].name,
                                      "%s names this section itself", c->props[p].name);
                return FALSE;
            }
            add_provider(inst, to);
            if (!(to->cls->c.flags & BP_C_SHARED))
                domain_join(m, inst, to);
        }
    }
    return TRUE;
}

static gboolean
resolve_needs(struct machine *m, struct instance *inst, GError **error)
{
    for (const char *const *need = inst->cls->c.needs; *need; need++) {
        gboolean optional = **need == '?';
        const char *iface = *need + optional;
        struct instance *provider;

        if (instance_core_serves(iface))
            continue;
        provider = instance_provider(m, iface);
        if (provider) {
            add_provider(inst, provider);
        } else if (!optional) {
            config_instance_error(error, CORE_ERROR_CONFIG, inst->conf, NULL,
                                  "%s needs %s, which no section of this file provides; add one "
                                  "that does (`backplane list` tells which plugins there are)",
                                  inst->cls->c.name, iface);
            return FALSE;
        }
    }
    return TRUE;
}

static struct loop *
loop_of(struct machine *m, const struct config_instance *conf)
{
    for (unsigned i = 0; i < m->config->n_iothreads; i++)
        if (conf->iothread == m->config->iothreads[i])
            return m->iothreads[i];
    return m->loop;
}

gboolean
instances_new(struct machine *m, GError **error)
{
    m->n_instances = m->config->n_instances;
    m->instances = g_new0(struct instance *, m->n_instances);
    for (unsigned i = 0; i < m->n_instances; i++) {
        struct instance *inst = g_new0(struct instance, 1);
        struct config_instance *conf = m->config->instances[i];

        conf->user = inst;
        inst->machine = m;
        inst->conf = conf;
        inst->cls = conf->cls;
        inst->id.v = i + 1;
        inst->domain = domain_new();
        inst->loop = loop_of(m, conf);
        inst->handles = handles_new();
        inst->providers = g_ptr_array_new();
        inst->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_mutex_init(&inst->log_lock);
        m->instances[i] = inst;
    }
    the_machine = m;
    for (unsigned i = 0; i < m->n_instances; i++)
        if (!resolve_links(m, m->instances[i], error) || !resolve_needs(m, m->instances[i], error))
            return FALSE;
    return TRUE;
}

void
instances_free(struct machine *m)
{
    the_machine = NULL;
    for (unsigned i = 0; i < m->n_instances; i++) {
        struct instance *inst = m->instances[i];

        m->config->instances[i]->user = NULL;
        g_ptr_array_free(inst->providers, TRUE);
        g_hash_table_destroy(inst->names);
        g_mutex_clear(&inst->log_lock);
        domain_unref(inst->domain);
        g_free(inst->fail_text);
        g_free(inst);
    }
    g_clear_pointer(&m->instances, g_free);
    m->n_instances = 0;
}

gboolean
instance_take_name(struct instance *inst, enum handle_kind kind, const char *name)
{
    return g_hash_table_add(inst->names, g_strdup_printf("%d %s", (int)kind, name));
}

void
instance_drop_name(struct instance *inst, enum handle_kind kind, const char *name)
{
    g_autofree char *key = g_strdup_printf("%d %s", (int)kind, name);

    g_hash_table_remove(inst->names, key);
}

void
instance_fail(struct instance *inst, const char *text)
{
    if (!inst->fail_text)
        inst->fail_text = g_strdup(text);
}

/* Which of the two a user has to look at: his file, or this host. */
static int
code_of(int err)
{
    switch (err) {
    case BP_E_NOMEM:
    case BP_E_NOSPC:
    case BP_E_NOTSUP:
    case BP_E_PERM:
        return CORE_ERROR_HOST;
    default:
        return CORE_ERROR_CONFIG;
    }
}

void
instance_error(struct instance *inst, int err, const char *doing, GError **error)
{
    g_autofree char *text = g_steal_pointer(&inst->fail_text);

    if (text)
        config_instance_error(error, code_of(err), inst->conf, NULL, "%s", text);
    else
        config_instance_error(error, code_of(err), inst->conf, NULL, "%s of %s failed: %s", doing,
                              inst->cls->file, g_strerror(-err));
}

void
instance_log(struct instance *inst, uint32_t level, const char *text)
{
    enum log_level to = level < BP_LOG_WARN    ? LOG_LEVEL_ERROR
                        : level < BP_LOG_INFO  ? LOG_LEVEL_WARNING
                        : level < BP_LOG_DEBUG ? LOG_LEVEL_INFO
                                               : LOG_LEVEL_DEBUG;
    unsigned dropped = 0;

    if (level == BP_LOG_GUEST) {
        gint64 now = g_get_monotonic_time();
        gboolean drop;

        to = LOG_LEVEL_WARNING;
        g_mutex_lock(&inst->log_lock);
        if (now - inst->log_window_us >= G_USEC_PER_SEC) {
            dropped = inst->log_dropped;
            inst->log_window_us = now;
            inst->log_lines = inst->log_dropped = 0;
        }
        drop = inst->log_lines >= GUEST_LINES_PER_SECOND;
        if (drop)
            inst->log_dropped++;
        else
            inst->log_lines++;
        g_mutex_unlock(&inst->log_lock);
        if (drop)
            return;
        if (dropped)
            log_line(to, "%s: the guest caused %u more lines that are not shown", inst->conf->id,
                     dropped);
        log_line(to, "%s: guest: %s", inst->conf->id, text);
        return;
    }
    log_line(to, "%s: %s", inst->conf->id, text);
}
