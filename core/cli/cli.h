/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cli.h - the subcommands of the program. Each gets its own arguments, its name first, and returns
 * the exit status.
 */
#ifndef CORE_CLI_CLI_H
#define CORE_CLI_CLI_H

#include <glib.h>

#include "core/plugin/plugin.h"

struct cli {
    char **plugin_dirs; /* of --plugin-path; NULL-ended or NULL */
};

int cli_run(struct cli *cli, int argc, char **argv);
int cli_check(struct cli *cli, int argc, char **argv);
int cli_list(struct cli *cli, int argc, char **argv);
int cli_inspect(struct cli *cli, int argc, char **argv);

/*
 * Parses options (a table that ends with an empty entry) and --plugin-path, and expects as many
 * arguments as `want`; usage is what follows the options, "FILE". TRUE: argv[1] and on are the
 * arguments. FALSE: the error has been printed.
 */
gboolean cli_parse(struct cli *cli, const GOptionEntry *options, const char *usage,
                   const char *summary, int want, int *argc, char ***argv);

/* Prints the error and frees it; returns the exit status that it stands for. */
int cli_fail(GError *error);

/* What inspect prints of the classes of one plugin file (those named `only`, or all), as text or as
 * JSON. */
void inspect_text(const GPtrArray *classes, const char *only, char **libraries, GString *out);
void inspect_json(const GPtrArray *classes, const char *only, char **libraries, GString *out);

#endif
