/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * on-terminal.c - runs a command on a terminal of its own, types, and tells what became of it.
 *
 *     on-terminal KEYS COMMAND...
 *
 * As soon as the terminal is raw, KEYS are typed (\xHH is a byte; \k stands for SIGTERM to the
 * command instead of a key). What the command prints goes to standard output. The last line says
 * "status N, terminal as before" or "... terminal changed".
 */
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

static void
type(int master, pid_t pid, const char *keys)
{
    unsigned byte;
    char c;

    while (*keys) {
        if (strncmp(keys, "\\k", 2) == 0) {
            kill(pid, SIGTERM);
            keys += 2;
            continue;
        }
        if (sscanf(keys, "\\x%2x", &byte) == 1) {
            c = (char)byte;
            keys += 4;
        } else {
            c = *keys++;
        }
        if (write(master, &c, 1) != 1)
            return;
    }
}

static int
is_raw(int fd)
{
    struct termios t;

    return tcgetattr(fd, &t) == 0 && !(t.c_lflag & ICANON);
}

int
main(int argc, char **argv)
{
    struct termios before, after;
    int master, slave, status = 0, typed = 0, rounds = 0;
    struct pollfd p;
    char buf[4096];
    ssize_t n;
    pid_t pid;

    if (argc < 3 || openpty(&master, &slave, NULL, NULL, NULL) < 0)
        return 99;
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    tcgetattr(slave, &before);
    pid = fork();
    if (pid < 0)
        return 99;
    if (pid == 0) {
        login_tty(slave);
        execvp(argv[2], argv + 2);
        _exit(98);
    }
    p = (struct pollfd){.fd = master, .events = POLLIN};
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (++rounds == 60 * 50) /* a minute when nothing is said */
            kill(pid, SIGKILL);
        if (poll(&p, 1, 20) > 0 && (n = read(master, buf, sizeof buf)) > 0)
            fwrite(buf, 1, (size_t)n, stdout);
        if (!typed && is_raw(slave)) {
            typed = 1;
            type(master, pid, argv[1]);
        }
    }
    while (poll(&p, 1, 0) > 0 && p.revents & POLLIN && (n = read(master, buf, sizeof buf)) > 0)
        fwrite(buf, 1, (size_t)n, stdout);
    tcgetattr(slave, &after);
    if (WIFEXITED(status))
        printf("\nstatus %d, ", WEXITSTATUS(status));
    else
        printf("\nsignal %d, ", WTERMSIG(status));
    printf("terminal %s\n", memcmp(&before, &after, sizeof after) ? "changed" : "as before");
    return 0;
}
