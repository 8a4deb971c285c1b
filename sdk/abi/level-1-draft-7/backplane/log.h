/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/log.h - printf-style helpers. They are inline, so that only a finished string crosses
 * the boundary. Not included by backplane.h: it needs stdio.
 */
#ifndef BACKPLANE_LOG_H
#define BACKPLANE_LOG_H

#include <stdarg.h>
#include <stdio.h>

#include <backplane/host.h>

/* Logs one line of at most 511 bytes. [any] */
__attribute__((format(printf, 4, 5), unused)) static inline void
bp_logf(const struct bp_host *h, bp_inst inst, uint32_t level, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    h->log(inst, level, text);
}

/* `return bp_failf(h, inst, BP_E_INVAL, "...", ...)`: attaches the text and gives err back. [ctx]
 */
__attribute__((format(printf, 4, 5), unused)) static inline int
bp_failf(const struct bp_host *h, bp_inst inst, int err, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return h->fail(inst, err, text);
}

#endif
