/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance.h - one section of the config file as a living object, and the ways into it.
 *
 * Owns the plugin's self pointer, the ids that were given to it, and the lock that serialises the
 * calls into it. A device and the back ends that only it links to form one domain: one lock, one
 * event context. So a back end calls its device, and a device its back end, directly.
 *
 * Lock order, outermost first: domain of a bus, domain of a device, the core's own small locks
 * (irq, bus, memory, handles, log). The core calls into a plugin with no lock held but its domain.
 */
#ifndef CORE_MACHINE_INSTANCE_H
#define CORE_MACHINE_INSTANCE_H

#include <backplane/backplane.h>
#include <glib.h>

#include "core/config/config.h"
#include "core/loop/loop.h"
#include "core/machine/handles.h"

struct machine;

struct domain {
    GMutex lock;
    unsigned refs;
};

enum instance_stage {
    INSTANCE_NEW,
    INSTANCE_CREATED,
    INSTANCE_REALIZED,
    INSTANCE_STARTED,
};

struct instance {
    struct machine *machine;
    const struct config_instance *conf;
    const struct plugin_class *cls;
    bp_inst id;
    struct domain *domain;
    struct loop *loop; /* the main loop's or an I/O thread's */
    struct handles *handles;
    GPtrArray *providers; /* struct instance *: what it links to or needs */
    void *self;
    enum instance_stage stage;
    GHashTable *names; /* of the objects it made: a name stands for one */
    char *fail_text;   /* under the domain's lock */
    GMutex log_lock;
    gint64 log_window_us; /* start of the current second of BP_LOG_GUEST lines */
    unsigned log_lines, log_dropped;
};

/*
 * One instance for each of the config's, ids and domains assigned, links and needs resolved to
 * providers. The array is machine-wide and stays until instances_free(). [main]
 */
gboolean instances_new(struct machine *m, GError **error) __attribute__((warn_unused_result));
void instances_free(struct machine *m);

/* The instance behind an id that a plugin gave us, or NULL. [any] */
struct instance *instance_of(bp_inst id);
/* The instance made from a config section. */
struct instance *instance_of_conf(const struct config_instance *conf);
/* The first instance that provides iface, or NULL. */
struct instance *instance_provider(const struct machine *m, const char *iface);
/* A table that an instance provides, by its class's query(); NULL when it has none that long. */
const void *instance_query(struct instance *inst, const char *iface, uint32_t min_size);

/* Whether the core itself serves iface. */
gboolean instance_core_serves(const char *iface);

/* FALSE when the instance has an object of that kind and name already. [realize] */
gboolean instance_take_name(struct instance *inst, enum handle_kind kind, const char *name);
void instance_drop_name(struct instance *inst, enum handle_kind kind, const char *name);

/* Attaches a text to the error that the plugin is about to return. The first one stays. */
void instance_fail(struct instance *inst, const char *text);
/* Turns a plugin's negative result, and the text it attached, into a GError. */
void instance_error(struct instance *inst, int err, const char *doing, GError **error);

/* A line of the instance's to the user; guest-caused lines are limited to ten a second. [any] */
void instance_log(struct instance *inst, uint32_t level, const char *text);

#endif
