/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard.c - see guard.h. The handler calls nothing that is not async-signal-safe.
 */
#include "core/plugin/guard.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"

static const struct {
    int number;
    const char *name;
} guard_signals[] = {
    {SIGSEGV, "SIGSEGV (bad memory access)"},    {SIGBUS, "SIGBUS (bad memory access)"},
    {SIGILL, "SIGILL (illegal instruction)"},    {SIGFPE, "SIGFPE (arithmetic error)"},
    {SIGABRT, "SIGABRT (it ended the process)"},
};
#define GUARD_N (sizeof guard_signals / sizeof guard_signals[0])

static struct sigaction guard_old[GUARD_N];
static char guard_stack[64 * 1024];
static _Thread_local const struct plugin_guard *volatile guard_top;

static void
guard_append(char *line, size_t size, size_t *len, const char *text)
{
    while (*text && *len < size)
        line[(*len)++] = *text++;
}

static void
guard_report(const struct plugin_guard *guard, const char *name)
{
    const struct plugin_guard *place = guard;
    char line[1024];
    size_t len = 0, done = 0;

    while (place && !place->where)
        place = place->outer;
    if (place) {
        guard_append(line, sizeof line - 1, &len, place->where);
        guard_append(line, sizeof line - 1, &len, ": ");
    }
    guard_append(line, sizeof line - 1, &len, "plugin ");
    guard_append(line, sizeof line - 1, &len, guard->file ? guard->file : "?");
    guard_append(line, sizeof line - 1, &len, " crashed in ");
    guard_append(line, sizeof line - 1, &len, guard->call ? guard->call : "?");
    guard_append(line, sizeof line - 1, &len, ": ");
    guard_append(line, sizeof line - 1, &len, name);
    guard_append(line, sizeof line - 1, &len, "; the plugin is faulty, ask its author");
    line[len++] = '\n';
    while (done < len) {
        ssize_t n = write(STDERR_FILENO, line + done, len - done);

        if (n <= 0)
            break;
        done += (size_t)n;
    }
}

static void
guard_handler(int number, siginfo_t *info, void *context)
{
    size_t i = 0;

    (void)context;
    while (i < GUARD_N - 1 && guard_signals[i].number != number)
        i++;
    if (guard_top) {
        guard_report(guard_top, guard_signals[i].name);
        _exit(CORE_ERROR_CONFIG);
    }
    /* Not ours: as if we had never been here. A fault happens again by itself, a signal that
     * somebody sent does not. */
    sigaction(number, &guard_old[i], NULL);
    if (info->si_code <= 0)
        raise(number);
}

void
plugin_guard_install(void)
{
    struct sigaction action = {.sa_sigaction = guard_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t stack = {.ss_sp = guard_stack, .ss_size = sizeof guard_stack}, now;

    /* A sanitizer may have given us a stack already. */
    if (sigaltstack(NULL, &now) == 0 && now.ss_flags & SS_DISABLE)
        sigaltstack(&stack, NULL);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < GUARD_N; i++)
        sigaction(guard_signals[i].number, &action, &guard_old[i]);
}

void
plugin_guard_enter(struct plugin_guard *guard)
{
    guard->outer = guard_top;
    guard_top = guard;
}

void
plugin_guard_leave(struct plugin_guard *guard)
{
    guard_top = guard->outer;
}
