/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h - lines for the user, on standard error.
 *
 * One write(2) a line, so that lines of several threads do not mix. BACKPLANE_LOG=error, warning,
 * info (the default) or debug says from which level on lines are shown. At info are the answers to
 * what somebody asked for (the name of a terminal, the help of the escape key): a few lines a run.
 */
#ifndef CORE_MACHINE_LOG_H
#define CORE_MACHINE_LOG_H

#include <glib.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

/* [any] */
gboolean log_wanted(enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

#endif
