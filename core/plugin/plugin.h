/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin.h - finds plugins and turns what they say of themselves into checked, private copies.
 *
 * Owns the plugin path, the checks made on a file before it is opened as code, dlopen(), and the
 * validation of descriptors and property tables. It must not know what any plugin is for, and makes
 * no instance: the machine calls the functions of a class.
 *
 * Nothing is scanned or cached: a class is looked for when it is named, as DIR/NAME.so, in the
 * order of the path. The checks before dlopen() (ownership, ELF, note with levels) execute nothing
 * of the file. Nothing is ever unloaded.
 *
 * Errors are CORE_ERROR_CONFIG, and name the file, what is wrong with it and what to do. A plugin
 * that is at fault in its own code (a crash in its entry) ends the process; see guard.h for how
 * that is still told, and probe.h for looking at a plugin from the safety of a child process.
 *
 * Threads: [main] for all of it; a class is constant once got and may be read from any thread.
 */
#ifndef CORE_PLUGIN_PLUGIN_H
#define CORE_PLUGIN_PLUGIN_H

#include <glib.h>
#include <stdint.h>

#include <backplane/plugin.h>

/*
 * A class as the core uses it. `c` has our size, whatever the plugin was compiled with: members
 * that its struct did not have are NULL or 0. All strings, lists and tables in it are copies,
 * c.prop_size is sizeof(struct bp_prop), and only the function pointers lead into the plugin.
 * Guaranteed: name, version, summary and create are set; provides, needs and every ENUM's choices
 * are NULL-ended and never NULL; every default parses as its type and is in range; property names
 * are unique.
 */
struct plugin_class {
    struct bp_class c;
    char *file;    /* the path it was found at */
    char *plugin;  /* the plugin's own name: the note's id */
    char *version; /* of the plugin */
    char *license;
    char *origin;
    uint32_t abi_major, api_level, api_need;
};

/* A property of the class, or NULL. */
const struct bp_prop *plugin_class_prop(const struct plugin_class *cls, const char *name);
/* Whether iface ("bp.block/1") is one of provides. */
gboolean plugin_class_provides(const struct plugin_class *cls, const char *iface);

/* The path and the classes got so far. */
struct plugin_set;

/*
 * dirs, NULL-ended or NULL, are looked into first; then BACKPLANE_PLUGIN_PATH (colon-separated,
 * ignored in a set-user-ID process), then the compiled-in folder.
 */
struct plugin_set *plugin_set_new(const char *const *dirs);
/* Frees the copies; what was dlopen()ed stays. NULL is fine. */
void plugin_set_free(struct plugin_set *set);

/* The folders in order, NULL-ended; the set's. */
const char *const *plugin_set_dirs(const struct plugin_set *set);

/*
 * Adds the classes of a descriptor that is in this process, as if files of their names had been
 * found: for tests, which must not depend on files. `file` is what messages call it.
 */
gboolean plugin_set_add(struct plugin_set *set, const struct bp_plugin *plugin, const char *file,
                        GError **error) __attribute__((warn_unused_result));

/* Whether a file for that class exists; opens nothing. ret_file: its path, or NULL. */
gboolean plugin_set_has(const struct plugin_set *set, const char *name, char **ret_file);
/* Names of all files in the path that could be plugins, sorted, each once; g_strfreev() it. */
char **plugin_set_names(const struct plugin_set *set);

/* Sets the error of a name that has no file: where it was looked for, the nearest name, the
 * package.
 */
void plugin_set_missing(const struct plugin_set *set, const char *name, GError **error);

/*
 * The class of that name: found, checked, opened and validated at the first call, the same pointer
 * afterwards; the set's. NULL with an error that says which files were looked for, or what is
 * wrong.
 */
const struct plugin_class *plugin_set_get(struct plugin_set *set, const char *name, GError **error)
    __attribute__((warn_unused_result));

#endif
