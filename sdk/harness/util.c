/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * util.c - allocation, error text, log lines and problems of the fake host. A test that runs out
 * of memory has nothing left to test, so allocation failures end the program here.
 */
#include <dirent.h>
#include <stdarg.h>
#include <string.h>

#include "fake.h"

static void *
must(void *p)
{
    if (!p) {
        fputs("# libbackplane-test: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *
xcalloc(size_t n, size_t size)
{
    return must(calloc(n ? n : 1, size));
}

/* Room for n + 1 elements; grows in steps of a power of two. */
void *
xgrow(void *p, size_t n, size_t size)
{
    if (n & (n - 1)) /* not a power of two: there is room */
        return p;
    return must(realloc(p, (n ? 2 * n : 1) * size));
}

char *
xstrdup(const char *s)
{
    return must(strdup(s));
}

__attribute__((format(printf, 1, 0))) static char *
vprint(const char *fmt, va_list ap)
{
    char *s = NULL;

    if (vasprintf(&s, fmt, ap) < 0)
        s = NULL;
    return must(s);
}

char *
xprintf(const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = vprint(fmt, ap);
    va_end(ap);
    return s;
}

void
problem(struct bpt_machine *m, const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = vprint(fmt, ap);
    va_end(ap);
    lock(m);
    m->problems = xgrow(m->problems, m->n_problems, sizeof *m->problems);
    m->problems[m->n_problems++] = s;
    unlock(m);
}

unsigned
bpt_problems(struct bpt_machine *m)
{
    return m->n_problems;
}

const char *
bpt_problem(struct bpt_machine *m, unsigned index)
{
    return index < m->n_problems ? m->problems[index] : NULL;
}

void
bpt_problems_clear(struct bpt_machine *m)
{
    while (m->n_problems)
        free(m->problems[--m->n_problems]);
    free(m->problems);
    m->problems = NULL;
}

int
error_set(struct bpt_machine *m, const char *id, int err, const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = vprint(fmt, ap);
    va_end(ap);
    error_clear(m);
    m->error = id ? xprintf("%s: %s", id, s) : xstrdup(s);
    free(s);
    return err;
}

void
error_clear(struct bpt_machine *m)
{
    free(m->error);
    m->error = NULL;
}

const char *
bpt_error(struct bpt_machine *m)
{
    return m->error ? m->error : "";
}

void
fake_log(bp_inst handle, uint32_t level, const char *msg)
{
    struct inst *in = inst_of(handle);
    struct bpt_machine *m;

    if (!in)
        return;
    m = in->m;
    if (strchr(msg, '\n'))
        problem(m, "%s: logs a newline: %s", in->id, msg);
    lock(m);
    m->logs = xgrow(m->logs, m->n_logs, sizeof *m->logs);
    m->logs[m->n_logs].level = level;
    m->logs[m->n_logs++].text = xprintf("%s: %s", in->id, msg);
    unlock(m);
    if (getenv("BPT_VERBOSE"))
        fprintf(stderr, "# log %u: %s: %s\n", level, in->id, msg);
}

unsigned
bpt_logs(struct bpt_machine *m, uint32_t level)
{
    unsigned n = 0;

    lock(m);
    for (unsigned i = 0; i < m->n_logs; i++)
        n += !level || m->logs[i].level == level;
    unlock(m);
    return n;
}

int
bpt_logged(struct bpt_machine *m, const char *text)
{
    int found = 0;

    lock(m);
    for (unsigned i = 0; i < m->n_logs && !found; i++)
        found = strstr(m->logs[i].text, text) != NULL;
    unlock(m);
    return found;
}

void
bpt_log_clear(struct bpt_machine *m)
{
    lock(m);
    while (m->n_logs)
        free(m->logs[--m->n_logs].text);
    free(m->logs);
    m->logs = NULL;
    unlock(m);
}

unsigned
bpt_open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n - 3; /* ".", ".." and the folder itself */
}
