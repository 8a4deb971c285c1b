/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load.h - one plugin file: the checks before it runs, and opening it.
 */
#ifndef CORE_PLUGIN_LOAD_H
#define CORE_PLUGIN_LOAD_H

#include <glib.h>

#include "core/plugin/elf.h"

/*
 * Reads the file without executing any of it: a regular file that only its owner and group can
 * change, a shared object for this machine, its note with levels that fit ours and the id that its
 * name promises.
 */
gboolean load_check(const char *file, struct elf_info *ret_info, GError **error)
    __attribute__((warn_unused_result));

/*
 * load_check(), then dlopen() and the copies of its classes: struct plugin_class *, freed with the
 * array. It is never closed again.
 */
GPtrArray *load_classes(const char *file, GError **error) __attribute__((warn_unused_result));

#endif
