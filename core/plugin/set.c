/* SPDX-License-Identifier: BSD-3-Clause */
/* set.c - see plugin.h: the plugin path and the classes got so far. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/plugin/describe.h"
#include "core/plugin/load.h"
#include "core/plugin/nearest.h"
#include "core/plugin/plugin.h"

struct plugin_set {
    GPtrArray *dirs;     /* char *, NULL-ended */
    GHashTable *classes; /* name of the section -> struct plugin_class */
    GPtrArray *files;    /* GPtrArray of classes for each file opened */
};

static void
set_add_dir(struct plugin_set *set, const char *dir)
{
    /* Without a slash in it, dlopen() would search for the file. */
    if (*dir)
        g_ptr_array_add(set->dirs, strchr(dir, '/') ? g_strdup(dir) : g_strconcat("./", dir, NULL));
}

struct plugin_set *
plugin_set_new(const char *const *dirs)
{
    struct plugin_set *set = g_new0(struct plugin_set, 1);
    /* NULL when the process has more rights than who started it. */
    const char *env = secure_getenv("BACKPLANE_PLUGIN_PATH");

    set->dirs = g_ptr_array_new_with_free_func(g_free);
    set->classes = g_hash_table_new(g_str_hash, g_str_equal);
    set->files = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    for (; dirs && *dirs; dirs++)
        set_add_dir(set, *dirs);
    if (env) {
        char **list = g_strsplit(env, ":", -1);

        for (char **dir = list; *dir; dir++)
            set_add_dir(set, *dir);
        g_strfreev(list);
    }
    set_add_dir(set, PLUGINDIR);
    g_ptr_array_add(set->dirs, NULL);
    return set;
}

void
plugin_set_free(struct plugin_set *set)
{
    if (!set)
        return;
    g_hash_table_destroy(set->classes);
    g_ptr_array_free(set->files, TRUE);
    g_ptr_array_free(set->dirs, TRUE);
    g_free(set);
}

const char *const *
plugin_set_dirs(const struct plugin_set *set)
{
    return (const char *const *)set->dirs->pdata;
}

/* A dangling symbolic link is there too: somebody meant it, and should be told that it dangles. */
static gboolean
set_exists(const char *file)
{
    struct stat st;

    return lstat(file, &st) == 0;
}

gboolean
plugin_set_has(const struct plugin_set *set, const char *name, char **ret_file)
{
    const struct plugin_class *known = g_hash_table_lookup(set->classes, name);

    if (known) {
        if (ret_file)
            *ret_file = g_strdup(known->file);
        return TRUE;
    }
    if (!describe_is_class_name(name))
        return FALSE;
    for (const char *const *dir = plugin_set_dirs(set); *dir; dir++) {
        char *file = g_strdup_printf("%s/%s.so", *dir, name);

        if (set_exists(file)) {
            if (ret_file)
                *ret_file = file;
            else
                g_free(file);
            return TRUE;
        }
        g_free(file);
    }
    return FALSE;
}

gboolean
plugin_set_add(struct plugin_set *set, const struct bp_plugin *plugin, const char *file,
               GError **error)
{
    GPtrArray *classes = describe_plugin(plugin, file, error);

    if (!classes)
        return FALSE;
    g_ptr_array_add(set->files, classes);
    for (guint i = 0; i < classes->len; i++) {
        struct plugin_class *cls = g_ptr_array_index(classes, i);

        g_hash_table_insert(set->classes, (gpointer)(uintptr_t)cls->c.name, cls);
    }
    return TRUE;
}

static int
set_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **
plugin_set_names(const struct plugin_set *set)
{
    GHashTable *seen = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *names = g_ptr_array_new();

    for (const char *const *dir = plugin_set_dirs(set); *dir; dir++) {
        GDir *entries = g_dir_open(*dir, 0, NULL);
        const char *entry;

        while (entries && (entry = g_dir_read_name(entries))) {
            char *name;

            if (!g_str_has_suffix(entry, ".so"))
                continue;
            name = g_strndup(entry, strlen(entry) - strlen(".so"));
            if (!describe_is_class_name(name) || g_hash_table_contains(seen, name)) {
                g_free(name);
                continue;
            }
            g_hash_table_add(seen, name);
            g_ptr_array_add(names, name);
        }
        if (entries)
            g_dir_close(entries);
    }
    g_hash_table_destroy(seen);
    g_ptr_array_sort(names, set_compare);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

void
plugin_set_missing(const struct plugin_set *set, const char *name, GError **error)
{
    char **names = plugin_set_names(set);
    const char *near = nearest_name(name, (const char *const *)names);
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "there is no plugin %s; looked for", name);
    for (const char *const *dir = plugin_set_dirs(set); *dir; dir++)
        g_string_append_printf(text, "%s %s/%s.so", dir == plugin_set_dirs(set) ? "" : ",", *dir,
                               name);
    if (near)
        g_string_append_printf(text, "; did you mean %s? If not,", near);
    else
        g_string_append(text, names[0] ? ";" : " (there is no plugin at all);");
    g_string_append_printf(text,
                           " install the package backplane-plugin-%s, or name its folder with "
                           "--plugin-path",
                           name);
    g_set_error_literal(error, CORE_ERROR, CORE_ERROR_CONFIG, text->str);
    g_string_free(text, TRUE);
    g_strfreev(names);
}

const struct plugin_class *
plugin_set_get(struct plugin_set *set, const char *name, GError **error)
{
    struct plugin_class *found = g_hash_table_lookup(set->classes, name);
    GString *others;
    GPtrArray *classes;
    char *file;

    if (found)
        return found;
    if (!describe_is_class_name(name)) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "\"%s\" cannot be a plugin's name; they are lower-case words like block-file",
                    name);
        return NULL;
    }
    if (!plugin_set_has(set, name, &file)) {
        plugin_set_missing(set, name, error);
        return NULL;
    }
    classes = load_classes(file, error);
    g_free(file);
    if (!classes)
        return NULL;
    others = g_string_new(NULL);
    for (guint i = 0; i < classes->len; i++) {
        struct plugin_class *cls = g_ptr_array_index(classes, i);

        g_string_append_printf(others, "%s%s", i ? ", " : "", cls->c.name);
        if (strcmp(cls->c.name, name) == 0)
            found = cls;
    }
    if (found) {
        g_ptr_array_add(set->files, classes);
        g_hash_table_insert(set->classes, (gpointer)(uintptr_t)found->c.name, found);
    } else {
        const struct plugin_class *cls = g_ptr_array_index(classes, 0);

        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "%s: it has no class %s, only %s; name the file, or a link to it, after one of "
                    "its classes",
                    cls->file, name, others->str);
        g_ptr_array_free(classes, TRUE);
    }
    g_string_free(others, TRUE);
    return found;
}

const struct bp_prop *
plugin_class_prop(const struct plugin_class *cls, const char *name)
{
    for (uint32_t i = 0; i < cls->c.n_props; i++)
        if (strcmp(cls->c.props[i].name, name) == 0)
            return &cls->c.props[i];
    return NULL;
}

gboolean
plugin_class_provides(const struct plugin_class *cls, const char *iface)
{
    return g_strv_contains(cls->c.provides, iface);
}
