/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - the program `backplane`: its subcommands and the options that they share. */
#include "config.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/cli/cli.h"
#include "core/cli/terminal.h"
#include "core/error.h"
#include "core/plugin/guard.h"

#define MAIN_STATUS_USAGE CORE_ERROR_CONFIG
#define MAIN_STACK        (1u << 20) /* bytes, of every thread but the first */

static const struct {
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv);
    const char *summary;
} commands[] = {
    {"run", cli_run, "Run the virtual machine that a config file describes"},
    {"check", cli_check, "Find everything that run would refuse, without running"},
    {"list", cli_list, "List the plugins that are there"},
    {"inspect", cli_inspect, "Show what a plugin is and which keys it takes"},
};

int
cli_fail(GError *error)
{
    int status = error->domain == CORE_ERROR ? error->code : MAIN_STATUS_USAGE;

    /* What is wrong with a config begins with its file; anything else with our name. */
    fprintf(stderr, "%s%s\n",
            error->domain == CORE_ERROR && status == CORE_ERROR_CONFIG ? "" : "backplane: ",
            error->message);
    g_error_free(error);
    return status;
}

/* Options may be given before the subcommand and after it, --plugin-path more than once. */
static GOptionContext *
main_options(struct cli *cli, const char *usage, const GOptionEntry *more, char ***dirs)
{
    const GOptionEntry shared[] = {
        {"plugin-path", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, dirs,
         "Look for plugins in DIR first (may be repeated)", "DIR"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new(usage);

    (void)cli;
    g_option_context_add_main_entries(context, shared, NULL);
    if (more)
        g_option_context_add_main_entries(context, more, NULL);
    return context;
}

static void
main_add_dirs(struct cli *cli, char **dirs)
{
    GPtrArray *all = g_ptr_array_new();

    for (char **dir = cli->plugin_dirs; dir && *dir; dir++)
        g_ptr_array_add(all, *dir);
    for (char **dir = dirs; dir && *dir; dir++)
        g_ptr_array_add(all, *dir);
    g_ptr_array_add(all, NULL);
    g_free(cli->plugin_dirs);
    g_free(dirs);
    cli->plugin_dirs = (char **)g_ptr_array_free(all, FALSE);
}

gboolean
cli_parse(struct cli *cli, const GOptionEntry *options, const char *usage, const char *summary,
          int want, int *argc, char ***argv)
{
    char *title = g_strdup_printf("%s %s", (*argv)[0], usage), **dirs = NULL;
    GOptionContext *context = main_options(cli, title, options, &dirs);
    GError *error = NULL;
    gboolean good;

    g_option_context_set_summary(context, summary);
    good = g_option_context_parse(context, argc, argv, &error);
    if (good && *argc > 1 && strcmp((*argv)[1], "--") == 0) {
        memmove(&(*argv)[1], &(*argv)[2], sizeof **argv * (size_t)(*argc - 1));
        --*argc;
    }
    if (good && *argc != want + 1) {
        g_set_error(&error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "%s wants %s; see backplane %s --help", (*argv)[0],
                    want ? usage : "no argument", (*argv)[0]);
        good = FALSE;
    }
    if (!good)
        (void)cli_fail(error);
    main_add_dirs(cli, dirs);
    g_option_context_free(context);
    g_free(title);
    return good;
}

static int
main_version(void)
{
    printf("backplane %s\nplugin ABI %d, API level %d, oldest accepted level %d\n", PACKAGE_VERSION,
           BP_ABI_MAJOR, BP_API_LATEST, BP_API_MIN);
    return 0;
}

static char *
main_summary(void)
{
    GString *text = g_string_new("Commands:\n");

    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        g_string_append_printf(text, "  %-10s %s\n", commands[i].name, commands[i].summary);
    g_string_append(text, "\n\"backplane COMMAND --help\" tells more of each; backplane.conf(5) "
                          "describes the file.");
    return g_string_free(text, FALSE);
}

static int
main_dispatch(struct cli *cli, int argc, char **argv)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        if (strcmp(commands[i].name, argv[0]) == 0)
            return commands[i].run(cli, argc, argv);
    fprintf(stderr, "backplane: there is no command %s; see backplane --help\n", argv[0]);
    return MAIN_STATUS_USAGE;
}

/* Options before the command. */
static int
main_options_first(struct cli *cli, int argc, char **argv)
{
    gboolean version = FALSE;
    const GOptionEntry options[] = {
        {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version and the plugin API",
         NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    char *summary = main_summary(), **dirs = NULL;
    GOptionContext *context = main_options(cli, "COMMAND ...", options, &dirs);
    GError *error = NULL;
    int status;

    g_option_context_set_summary(context, summary);
    /* Stop at the command: what follows is its own. */
    g_option_context_set_strict_posix(context, TRUE);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        status = cli_fail(error);
    } else if (version) {
        status = main_version();
    } else if (argc < 2) {
        fprintf(stderr, "backplane: which command? See backplane --help\n");
        status = MAIN_STATUS_USAGE;
    } else {
        main_add_dirs(cli, dirs);
        dirs = NULL;
        status = main_dispatch(cli, argc - 1, argv + 1);
    }
    g_option_context_free(context);
    g_strfreev(dirs);
    g_free(summary);
    return status;
}

/*
 * Nothing that happens often allocates memory, and an arena for each thread would cost pages and
 * the time to map them. The default stacks of 8 MiB have room for huge pages, of which a thread
 * that needs a few KiB would get one where the host gives them to everybody.
 */
static void
main_keep_small(void)
{
    pthread_attr_t attr;

    mallopt(M_ARENA_MAX, 1);
    if (pthread_attr_init(&attr) == 0) {
        if (pthread_attr_setstacksize(&attr, MAIN_STACK) == 0)
            pthread_setattr_default_np(&attr);
        pthread_attr_destroy(&attr);
    }
}

int
main(int argc, char **argv)
{
    struct cli cli = {0};
    int status;

    terminal_fill_descriptors();
    plugin_guard_install();
    g_set_prgname("backplane");
    main_keep_small();
    if (argc > 1 && argv[1][0] != '-')
        status = main_dispatch(&cli, argc - 1, argv + 1);
    else
        status = main_options_first(&cli, argc, argv);
    g_strfreev(cli.plugin_dirs);
    return status;
}
