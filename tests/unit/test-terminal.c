/* SPDX-License-Identifier: BSD-3-Clause */
/* test-terminal.c - a terminal that was changed is as before after every kind of end. */
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "core/cli/terminal.h"
#include "tests/tap.h"

enum { END_EXIT, END_ABORT, END_FAULT, END_QUIT, END_KEPT_HANDLER };

static void
older_handler(int number)
{
    (void)number;
    _exit(77);
}

static void
make_raw(void)
{
    struct termios t;

    tcgetattr(0, &t);
    cfmakeraw(&t);
    tcsetattr(0, TCSANOW, &t);
}

static void
take_terminal(int slave)
{
    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    dup2(slave, 0);
    alarm(20);
}

/* The program on its terminal: changes it and comes to an end. */
static void
child(int slave, int how)
{
    take_terminal(slave);
    /* A sanitizer has handlers of its own. */
    signal(SIGABRT, SIG_DFL);
    signal(SIGSEGV, how == END_KEPT_HANDLER ? older_handler : SIG_DFL);
    terminal_keep();
    make_raw();
    switch (how) {
    case END_EXIT:
        exit(5);
    case END_ABORT:
        abort();
    case END_QUIT:
        kill(getpid(), SIGQUIT);
        break;
    default:
        kill(getpid(), SIGSEGV);
        break;
    }
    _exit(99);
}

static int
is_raw(int slave)
{
    struct termios t;

    return tcgetattr(slave, &t) == 0 && !(t.c_lflag & ICANON);
}

static void
test_end(int how, const char *what)
{
    int master, slave, status = 0;
    pid_t pid;

    if (openpty(&master, &slave, NULL, NULL, NULL) < 0) {
        skip("no pty", what);
        return;
    }
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        child(slave, how);
    waitpid(pid, &status, 0);
    ok(!is_raw(slave), "%s: the terminal is as before", what);
    switch (how) {
    case END_EXIT:
        ok(WIFEXITED(status) && WEXITSTATUS(status) == 5, "%s: with its status", what);
        break;
    case END_KEPT_HANDLER:
        ok(WIFEXITED(status) && WEXITSTATUS(status) == 77, "%s: it runs", what);
        break;
    default:
        ok(WIFSIGNALED(status), "%s: of that signal", what);
        break;
    }
    close(master);
    close(slave);
}

/* A job in the foreground, as a shell starts it. */
static pid_t
start_job(int ready[2])
{
    pid_t pid;
    char c;

    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        tcsetpgrp(0, getpid());
        signal(SIGTTOU, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        terminal_keep();
        make_raw();
        if (write(ready[1], "r", 1) != 1)
            _exit(99);
        for (;;)
            pause();
    }
    if (pid < 0 || read(ready[0], &c, 1) != 1)
        _exit(0); /* a pid of -1 is everybody */
    return pid;
}

static int
becomes(int raw)
{
    int i;

    for (i = 0; i < 500 && is_raw(0) != raw; i++)
        usleep(10000);
    return is_raw(0) == raw;
}

enum {
    SEEN_CHANGED = 1,
    SEEN_STOPPED = 2,
    SEEN_RESTORED = 4,
    SEEN_BACK = 8,
    SEEN_KILLED = 16,
    SEEN_BACKGROUND = 32,
};

/* Stops a job, lets it go on in the foreground, kills it; another one goes on in the background. */
static void
shell(int slave)
{
    int ready[2], status, seen = 0;
    pid_t job;

    take_terminal(slave);
    signal(SIGTTOU, SIG_IGN);
    if (pipe(ready) < 0)
        _exit(0);
    job = start_job(ready);
    seen |= is_raw(0) ? SEEN_CHANGED : 0;
    kill(job, SIGTSTP);
    waitpid(job, &status, WUNTRACED);
    seen |= WIFSTOPPED(status) ? SEEN_STOPPED : 0;
    seen |= !is_raw(0) ? SEEN_RESTORED : 0;
    tcsetpgrp(0, getpgrp());
    tcsetpgrp(0, job);
    kill(job, SIGCONT);
    seen |= becomes(1) ? SEEN_BACK : 0;
    kill(job, SIGSEGV);
    waitpid(job, &status, 0);
    seen |= WIFSIGNALED(status) && !is_raw(0) ? SEEN_KILLED : 0;

    job = start_job(ready);
    kill(job, SIGTSTP);
    waitpid(job, &status, WUNTRACED);
    tcsetpgrp(0, getpgrp());
    make_raw(); /* the shell's own settings */
    kill(job, SIGCONT);
    usleep(50000);
    kill(job, SIGSEGV);
    waitpid(job, &status, 0);
    seen |= WIFSIGNALED(status) && is_raw(0) ? SEEN_BACKGROUND : 0;
    _exit(seen);
}

static void
test_stop(void)
{
    int master, slave, status = 0, seen;
    pid_t pid;

    if (openpty(&master, &slave, NULL, NULL, NULL) < 0) {
        skip("no pty", "stop");
        return;
    }
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        shell(slave);
    waitpid(pid, &status, 0);
    seen = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    ok(seen & SEEN_CHANGED, "a job that has changed the terminal");
    ok(seen & SEEN_STOPPED, "SIGTSTP stops it");
    ok(seen & SEEN_RESTORED, "... with the terminal as before");
    ok(seen & SEEN_BACK, "it goes on with the terminal as it had it");
    ok(seen & SEEN_KILLED, "a signal kills it, and the terminal is as before");
    ok(seen & SEEN_BACKGROUND, "in the background it leaves the terminal alone");
    close(master);
    close(slave);
}

static void
test_descriptors(void)
{
    pid_t pid;
    int status;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        close(0);
        close(1);
        close(2);
        terminal_fill_descriptors();
        _exit(open("/dev/null", O_RDONLY) > 2 ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    eq_int(status, 0, "closed standard descriptors are filled");
}

int
main(void)
{
    test_end(END_EXIT, "exit()");
    test_end(END_ABORT, "abort()");
    test_end(END_FAULT, "SIGSEGV");
    test_end(END_QUIT, "SIGQUIT");
    test_end(END_KEPT_HANDLER, "handler of somebody else");
    test_stop();
    test_descriptors();
    return done_testing();
}
