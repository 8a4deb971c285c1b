/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread.c - parsing and applying of thread attributes. See thread.h.
 */
#include "config.h"

#include "core/thread.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "core/error.h"

/* One decimal number below limit at *text, which is moved behind it. */
static gboolean
thread_parse_number(const char **text, guint64 limit, guint64 *ret_n)
{
    gchar *end = NULL;
    guint64 n;

    if (!g_ascii_isdigit(**text))
        return FALSE;
    n = g_ascii_strtoull(*text, &end, 10);
    if (n >= limit)
        return FALSE;
    *text = end;
    *ret_n = n;
    return TRUE;
}

gboolean
thread_parse_cpus(const char *text, struct thread_attrs *attrs, GError **error)
{
    uint64_t cpus[THREAD_CPUS_MAX / 64] = {0};
    const char *p = text;

    for (;;) {
        guint64 first, last;

        p += strspn(p, " \t");
        if (!thread_parse_number(&p, THREAD_CPUS_MAX, &first))
            break;
        last = first;
        p += strspn(p, " \t");
        if (*p == '-') {
            p++;
            p += strspn(p, " \t");
            if (!thread_parse_number(&p, THREAD_CPUS_MAX, &last) || last < first)
                break;
            p += strspn(p, " \t");
        }
        for (guint64 i = first; i <= last; i++)
            cpus[i / 64] |= UINT64_C(1) << (i % 64);
        if (*p == '\0') {
            memcpy(attrs->cpus, cpus, sizeof cpus);
            return TRUE;
        }
        if (*p++ != ',')
            break;
    }
    g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                "\"%s\" is no list of host CPUs; write numbers below %d and ranges, like \"0-3,8\"",
                text, THREAD_CPUS_MAX);
    return FALSE;
}

gboolean
thread_parse_policy(const char *text, struct thread_attrs *attrs, GError **error)
{
    static const struct {
        const char *name;
        int policy;
        gboolean real_time;
    } known[] = {
        {"other", SCHED_OTHER, FALSE}, {"batch", SCHED_BATCH, FALSE}, {"idle", SCHED_IDLE, FALSE},
        {"fifo:", SCHED_FIFO, TRUE},   {"rr:", SCHED_RR, TRUE},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
        guint64 priority = 0;

        if (known[i].real_time) {
            const char *p = text + strlen(known[i].name);
            guint64 limit = (guint64)sched_get_priority_max(known[i].policy) + 1;

            if (!g_str_has_prefix(text, known[i].name) ||
                !thread_parse_number(&p, limit, &priority) || *p != '\0' || priority < 1)
                continue;
        } else if (strcmp(text, known[i].name) != 0) {
            continue;
        }
        attrs->policy = known[i].policy;
        attrs->priority = (int)priority;
        return TRUE;
    }
    g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                "\"%s\" is no scheduling class; write other, batch, idle, fifo:N or rr:N with N "
                "from 1 to 99",
                text);
    return FALSE;
}

gboolean
thread_apply(const struct thread_attrs *attrs, GError **error)
{
    cpu_set_t set;
    int err;

    if (attrs == NULL)
        return TRUE;
    CPU_ZERO(&set);
    for (int i = 0; i < THREAD_CPUS_MAX && i < CPU_SETSIZE; i++)
        if (attrs->cpus[i / 64] >> (i % 64) & 1)
            CPU_SET(i, &set);
    if (CPU_COUNT(&set) > 0) {
        err = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
        if (err) {
            g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                        "cannot bind a thread to the host CPUs asked for: %s; this process may use "
                        "those that `taskset -pc $$` shows",
                        g_strerror(err));
            return FALSE;
        }
    }
    if (attrs->policy != SCHED_OTHER) {
        struct sched_param param = {.sched_priority = attrs->priority};

        err = pthread_setschedparam(pthread_self(), attrs->policy, &param);
        if (err) {
            g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                        "cannot set a thread's scheduling class: %s; real-time classes need "
                        "CAP_SYS_NICE or a limit (`ulimit -r %d`)",
                        g_strerror(err), attrs->priority);
            return FALSE;
        }
    }
    return TRUE;
}

void
thread_block_signals(sigset_t *ret_before)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, ret_before);
}

void
thread_restore_signals(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

void
thread_set_name(const char *name)
{
    char kept[16];

    g_strlcpy(kept, name, sizeof kept);
    pthread_setname_np(pthread_self(), kept);
}
