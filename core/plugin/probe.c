/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.c - see probe.h.
 *
 * The child answers on a pipe: one byte, '+' or '-', then func's output or its error's text. An
 * answer counts only when the child also ended by itself with status 0, so that code of the plugin
 * that calls exit() is not taken for one.
 */
#include "core/plugin/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"

#define PROBE_ANSWER_MAX (1u << 20)

static void
probe_child(probe_func func, void *data, int out_fd)
{
    GString *out = g_string_new("+");
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    GError *error = NULL;
    size_t done = 0;

    /* Of its own group, so that what it may have started is killed with it. */
    setpgid(0, 0);
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (null_fd >= 0)
            dup2(null_fd, fd);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    if (!func(data, out, &error)) {
        g_string_assign(out, "-");
        g_string_append(out, error->message);
    }
    while (done < out->len) {
        ssize_t n = write(out_fd, out->str + done, out->len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(1);
        done += (size_t)n;
    }
    _exit(0);
}

static gint64
probe_left_ms(gint64 deadline)
{
    return (deadline - g_get_monotonic_time() + 999) / 1000;
}

/* Reads until the end of the answer. FALSE: the time is up. */
static gboolean
probe_read(int fd, gint64 deadline, GString *answer)
{
    for (;;) {
        gint64 left_ms = probe_left_ms(deadline);
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        char buf[4096];
        ssize_t n;

        if (left_ms <= 0)
            return FALSE;
        if (poll(&poll_fd, 1, (int)MIN(left_ms, G_MAXINT)) <= 0)
            continue;
        n = read(fd, buf, sizeof buf);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return TRUE;
        if (answer->len < PROBE_ANSWER_MAX)
            g_string_append_len(answer, buf, n);
    }
}

/*
 * Waits for the child's end, which is near once it has closed the pipe unless its code did that. It
 * is not reaped here: its id must stay taken until its group has been killed.
 */
static gboolean
probe_await_end(pid_t pid, gint64 deadline)
{
    for (;;) {
        siginfo_t info = {0};

        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid)
            return TRUE;
        if (probe_left_ms(deadline) <= 0)
            return FALSE;
        g_usleep(500);
    }
}

static gboolean
probe_judge(const char *file, int status, const GString *answer, GError **error)
{
    if (WIFSIGNALED(status))
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "%s: crashed while it was opened: %s; the plugin is faulty, ask its author",
                    file, strsignal(WTERMSIG(status)));
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || answer->len == 0)
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "%s: ended the process while it was opened (status %d); the plugin is faulty, "
                    "ask its author",
                    file, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    else if (answer->str[0] != '+')
        g_set_error_literal(error, CORE_ERROR, CORE_ERROR_CONFIG, answer->str + 1);
    else
        return TRUE;
    return FALSE;
}

gboolean
probe_run(probe_func func, void *data, const char *file, unsigned limit_ms, char **ret_out,
          GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)limit_ms * 1000;
    GString *answer = g_string_new(NULL);
    gboolean good = FALSE, in_time;
    int fds[2], status = 0;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "cannot start a process to look at %s: %s",
                    file, g_strerror(errno));
        g_string_free(answer, TRUE);
        return FALSE;
    }
    if (pid == 0) {
        close(fds[0]);
        probe_child(func, data, fds[1]);
    }
    close(fds[1]);
    setpgid(pid, pid); /* also here: whoever comes first */
    in_time = probe_read(fds[0], deadline, answer) && probe_await_end(pid, deadline);
    close(fds[0]);
    kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!in_time)
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "%s: did not come back within %u ms when it was opened; the plugin is faulty, "
                    "ask its author",
                    file, limit_ms);
    else if (probe_judge(file, status, answer, error)) {
        *ret_out = g_strdup(answer->str + 1);
        good = TRUE;
    }
    g_string_free(answer, TRUE);
    return good;
}
