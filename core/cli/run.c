/* SPDX-License-Identifier: BSD-3-Clause */
/* run.c - `backplane run` and `backplane check`. */
#include <stdio.h>

#include "core/cli/cli.h"
#include "core/cli/terminal.h"
#include "core/config/config.h"
#include "core/error.h"
#include "core/machine/machine.h"

static void
run_warn(const struct config *config)
{
    for (char **line = config->warnings; *line; line++)
        fprintf(stderr, "%s\n", *line);
}

int
cli_run(struct cli *cli, int argc, char **argv)
{
    struct plugin_set *plugins;
    struct machine *machine;
    struct config *config;
    GError *error = NULL;
    int status = -1;

    machine = machine_new();
    if (!cli_parse(cli, NULL, "FILE",
                   "Runs the virtual machine that FILE describes until it powers "
                   "off.",
                   1, &argc, &argv)) {
        machine_free(machine);
        return CORE_ERROR_CONFIG;
    }
    terminal_keep();
    config = config_read(argv[1], &error);
    plugins = plugin_set_new((const char *const *)cli->plugin_dirs);
    if (config && machine_begin(machine, config, &error) &&
        config_resolve(config, plugins, &error)) {
        run_warn(config);
        status = machine_run(machine, &error);
    }
    if (status < 0)
        status = cli_fail(error);
    machine_free(machine);
    config_free(config);
    plugin_set_free(plugins);
    return status;
}

int
cli_check(struct cli *cli, int argc, char **argv)
{
    gboolean print = FALSE;
    const GOptionEntry options[] = {
        {"print", 0, 0, G_OPTION_ARG_NONE, &print, "Print the whole machine as a config file",
         NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    struct plugin_set *plugins;
    struct config *config;
    GError *error = NULL;
    int status = 0;

    if (!cli_parse(cli, options, "FILE",
                   "Finds everything in FILE that run would refuse. Needs no "
                   "KVM and changes nothing.",
                   1, &argc, &argv))
        return CORE_ERROR_CONFIG;
    plugins = plugin_set_new((const char *const *)cli->plugin_dirs);
    config = config_load(argv[1], plugins, &error);
    if (config)
        run_warn(config);
    if (!config || !machine_check(config, &error)) {
        status = cli_fail(error);
    } else if (print) {
        char *text = config_print(config);

        fputs(text, stdout);
        g_free(text);
    } else {
        printf("%s: good\n", argv[1]);
    }
    config_free(config);
    plugin_set_free(plugins);
    return status;
}
