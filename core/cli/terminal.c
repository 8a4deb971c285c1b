/* SPDX-License-Identifier: BSD-3-Clause */
/* terminal.c - see terminal.h. The handlers call nothing that is not async-signal-safe. */
#include "core/cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "core/error.h"

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT, SIGSYS};
#define N_FATAL (sizeof fatal_signals / sizeof fatal_signals[0])

static struct sigaction fatal_old[N_FATAL];
static struct termios kept;

void
terminal_fill_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
            _exit(CORE_ERROR_HOST); /* not even /dev/null: nowhere to say so */
}

/* From the background a change would stop us, and the shell has the terminal as it likes it. */
static int
in_foreground(void)
{
    pid_t owner = tcgetpgrp(STDIN_FILENO);

    return owner < 0 || owner == getpgrp();
}

static void
restore(void)
{
    if (in_foreground())
        tcsetattr(STDIN_FILENO, TCSANOW, &kept);
}

static void
on_fatal(int number, siginfo_t *info, void *context)
{
    size_t i = 0;

    while (i < N_FATAL - 1 && fatal_signals[i] != number)
        i++;
    restore();
    if (fatal_old[i].sa_flags & SA_SIGINFO && fatal_old[i].sa_sigaction)
        fatal_old[i].sa_sigaction(number, info, context);
    else if (fatal_old[i].sa_handler != SIG_DFL && fatal_old[i].sa_handler != SIG_IGN)
        fatal_old[i].sa_handler(number);
    /* As if we had never been here. A fault happens again, a signal that was sent does not. */
    signal(number, SIG_DFL);
    if (info->si_code <= 0)
        raise(number);
}

static void
on_stop(int number)
{
    struct sigaction again, stop = {.sa_handler = SIG_DFL};
    struct termios was;
    int changed = in_foreground() && tcgetattr(STDIN_FILENO, &was) == 0;
    int saved = errno;
    sigset_t set;

    restore();
    sigaction(number, &stop, &again);
    raise(number); /* blocked as long as we handle it */
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    /* Stopped here, until SIGCONT. */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigaction(number, &again, NULL);
    if (changed && in_foreground())
        tcsetattr(STDIN_FILENO, TCSANOW, &was);
    errno = saved;
}

void
terminal_keep(void)
{
    struct sigaction fatal = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART | SA_ONSTACK}, old;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &kept) < 0)
        return;
    sigemptyset(&fatal.sa_mask);
    sigemptyset(&stop.sa_mask);
    for (size_t i = 0; i < N_FATAL; i++)
        sigaction(fatal_signals[i], &fatal, &fatal_old[i]);
    /* A shell without job control starts us with it ignored. */
    if (sigaction(SIGTSTP, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        sigaction(SIGTSTP, &stop, NULL);
    atexit(restore);
}
