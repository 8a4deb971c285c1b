/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * list.c - `backplane list` and `backplane inspect`: opens plugins in child processes only, so that
 * a broken one is a line of text.
 */
#include <stdio.h>
#include <string.h>

#include "core/cli/cli.h"
#include "core/error.h"
#include "core/plugin/load.h"
#include "core/plugin/probe.h"

#define LIST_LIMIT_S 10

/* What the child is to look at, and how it should tell. */
struct look {
    const char *file;
    const char *name; /* of the class; NULL: all of the file's */
    void (*write)(const GPtrArray *classes, const char *only, char **libraries, GString *out);
};

static gboolean
look_has(const GPtrArray *classes, const char *name)
{
    for (guint i = 0; i < classes->len; i++) {
        const struct plugin_class *cls = g_ptr_array_index(classes, i);

        if (strcmp(cls->c.name, name) == 0)
            return TRUE;
    }
    return FALSE;
}

/* In the child. */
static gboolean
look_at(void *data, GString *out, GError **error)
{
    const struct look *look = data;
    struct elf_info info;
    GPtrArray *classes;

    if (!load_check(look->file, &info, error))
        return FALSE;
    classes = load_classes(look->file, error);
    if (classes && look->name && !look_has(classes, look->name)) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG, "%s: it has no class %s", look->file,
                    look->name);
        return FALSE;
    }
    if (!classes)
        return FALSE;
    look->write(classes, look->name, info.needed, out);
    return TRUE;
}

static void
list_line(const GPtrArray *classes, const char *only, char **libraries, GString *out)
{
    (void)libraries;
    for (guint i = 0; i < classes->len; i++) {
        const struct plugin_class *cls = g_ptr_array_index(classes, i);

        if (strcmp(cls->c.name, only) == 0)
            g_string_append_printf(out, "%-8s %s", cls->c.version, cls->c.summary);
    }
}

static const GOptionEntry *
list_options(int *limit_s, gboolean *json)
{
    static GOptionEntry options[3];

    options[0] = (GOptionEntry){
        "timeout", 0, 0, G_OPTION_ARG_INT, limit_s, "Give each plugin N seconds to open", "N"};
    options[1] =
        (GOptionEntry){json ? "json" : NULL, 0, 0, G_OPTION_ARG_NONE, json, "Print JSON", NULL};
    return options;
}

static unsigned
list_limit_ms(int limit_s)
{
    return (unsigned)CLAMP(limit_s, 1, 3600) * 1000;
}

int
cli_list(struct cli *cli, int argc, char **argv)
{
    int limit_s = LIST_LIMIT_S;
    struct plugin_set *plugins;
    size_t width = 0;
    char **names;

    if (!cli_parse(cli, list_options(&limit_s, NULL), "",
                   "Lists the plugins that are there, and "
                   "what is wrong with those that cannot be used.",
                   0, &argc, &argv))
        return CORE_ERROR_CONFIG;
    plugins = plugin_set_new((const char *const *)cli->plugin_dirs);
    names = plugin_set_names(plugins);
    for (char **name = names; *name; name++)
        width = MAX(width, strlen(*name));
    if (!*names) {
        char *dirs = g_strjoinv(", ", (char **)(uintptr_t)plugin_set_dirs(plugins));

        fprintf(stderr,
                "backplane: there is no plugin in %s; install packages named "
                "backplane-plugin-NAME, or name a folder with --plugin-path\n",
                dirs);
        g_free(dirs);
    }
    for (char **name = names; *name; name++) {
        struct look look = {.name = *name, .write = list_line};
        GError *error = NULL;
        char *line, *file;

        if (!plugin_set_has(plugins, *name, &file))
            continue; /* it has gone meanwhile */
        look.file = file;
        if (probe_run(look_at, &look, file, list_limit_ms(limit_s), &line, &error)) {
            printf("%-*s  %s\n", (int)width, *name, line);
            g_free(line);
        } else {
            printf("%-*s  BROKEN   %s\n", (int)width, *name, error->message);
            g_error_free(error);
        }
        g_free(file);
    }
    g_strfreev(names);
    plugin_set_free(plugins);
    return 0;
}

/* A name is looked for in the path; what has a slash is a file. */
static char *
inspect_find(struct plugin_set *plugins, const char *what, GError **error)
{
    char *file = NULL;

    if (strchr(what, '/'))
        return g_strdup(what);
    if (!plugin_set_has(plugins, what, &file))
        plugin_set_missing(plugins, what, error);
    return file;
}

int
cli_inspect(struct cli *cli, int argc, char **argv)
{
    int limit_s = LIST_LIMIT_S, status = 0;
    struct plugin_set *plugins;
    gboolean json = FALSE;
    GError *error = NULL;
    struct look look;
    char *file, *text;

    if (!cli_parse(cli, list_options(&limit_s, &json), "PLUGIN",
                   "Shows what a plugin is and which "
                   "keys its section takes. PLUGIN is a name, or a file with a slash in its path.",
                   1, &argc, &argv))
        return CORE_ERROR_CONFIG;
    plugins = plugin_set_new((const char *const *)cli->plugin_dirs);
    file = inspect_find(plugins, argv[1], &error);
    look.file = file;
    look.name = strchr(argv[1], '/') ? NULL : argv[1];
    look.write = json ? inspect_json : inspect_text;
    if (file && probe_run(look_at, &look, file, list_limit_ms(limit_s), &text, &error)) {
        fputs(text, stdout);
        g_free(text);
    } else {
        status = cli_fail(error);
    }
    g_free(file);
    plugin_set_free(plugins);
    return status;
}
