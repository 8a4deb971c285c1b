/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * describe.h - copies a plugin's descriptor into our own memory, believing nothing that it says.
 *
 * Owns the rules of what a descriptor, a class and a property table may contain. It runs no code of
 * the plugin's; pointers that lead nowhere end in a fatal signal, for which the caller holds a
 * guard.
 */
#ifndef CORE_PLUGIN_DESCRIBE_H
#define CORE_PLUGIN_DESCRIBE_H

#include <glib.h>

#include "core/plugin/plugin.h"

/*
 * The classes of a descriptor, struct plugin_class * with plugin_class_free(); file is where it
 * came from. NULL: an error `FILE: what is wrong; what to do`.
 */
GPtrArray *describe_plugin(const struct bp_plugin *theirs, const char *file, GError **error)
    __attribute__((warn_unused_result));

/* Names of a class or a property: [a-z][a-z0-9-]* ("_" in a property's too), at most 51 bytes. */
gboolean describe_is_class_name(const char *name);
gboolean describe_is_prop_name(const char *name);

/* NULL is fine. */
void plugin_class_free(struct plugin_class *cls);

#endif
