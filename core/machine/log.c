/* SPDX-License-Identifier: BSD-3-Clause */
/* log.c - see log.h. */
#include "core/machine/log.h"

#include <string.h>
#include <unistd.h>

static enum log_level
threshold(void)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    static gsize known; /* level + 1 */

    if (g_once_init_enter(&known)) {
        const char *env = g_getenv("BACKPLANE_LOG");
        gsize level = LOG_LEVEL_INFO;

        for (gsize i = 0; env && i < G_N_ELEMENTS(names); i++)
            if (strcmp(env, names[i]) == 0)
                level = i;
        g_once_init_leave(&known, level + 1);
    }
    return (enum log_level)(known - 1);
}

gboolean
log_wanted(enum log_level level)
{
    return level <= threshold();
}

void
log_line(enum log_level level, const char *fmt, ...)
{
    static const char *const prefix[] = {
        "backplane: error: ", "backplane: ", "backplane: ", "backplane: debug: "};
    g_autoptr(GString) line = NULL;
    va_list ap;

    if (!log_wanted(level))
        return;
    line = g_string_new(prefix[level]);
    va_start(ap, fmt);
    g_string_append_vprintf(line, fmt, ap);
    va_end(ap);
    g_string_append_c(line, '\n');
    /* Nobody is left to be told when standard error is gone. */
    if (write(STDERR_FILENO, line->str, line->len) < 0)
        return;
}
