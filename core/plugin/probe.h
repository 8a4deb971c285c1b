/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.h - does something with a plugin in a child process, so that its crash or endless loop is a
 * message and not ours.
 */
#ifndef CORE_PLUGIN_PROBE_H
#define CORE_PLUGIN_PROBE_H

#include <glib.h>

/* Runs in the child; appends to out. FALSE with an error that the parent gets as its own. */
typedef gboolean (*probe_func)(void *data, GString *out, GError **error);

/*
 * Forks and runs func; the child's standard streams are /dev/null. TRUE: ret_out, a new string, is
 * what func appended. FALSE: func's error, or that the child died of a signal, or that it was
 * killed after limit_ms. [main], while no other thread runs
 */
gboolean probe_run(probe_func func, void *data, const char *file, unsigned limit_ms, char **ret_out,
                   GError **error) __attribute__((warn_unused_result));

#endif
