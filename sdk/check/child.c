/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * child.c - one test, one child process: a time limit, what it found, and where it was when it did
 * not come back.
 *
 * Findings travel in shared memory and the child's output in a file of its own, so that nothing a
 * plugin prints can pass for a result.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

#define FINDINGS_MAX 20u
#define OUTPUT_LINES 25u

struct verdict {
    int done, skipped;
    unsigned n_bad;
    char step[256];
    size_t used;
    char text[16384]; /* lines of diagnostics */
};

__attribute__((format(printf, 2, 0))) static void
say(struct verdict *v, const char *fmt, va_list ap)
{
    size_t room = sizeof v->text - v->used;
    int n = vsnprintf(v->text + v->used, room, fmt, ap);

    if (n < 0 || (size_t)n + 2 > room)
        return; /* what does not fit is left out */
    v->used += (size_t)n;
    v->text[v->used++] = '\n';
    v->text[v->used] = '\0';
}

void
bad(struct check *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (c->verdict->n_bad++ < FINDINGS_MAX)
        say(c->verdict, fmt, ap);
    va_end(ap);
}

void
note(struct check *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(c->verdict, fmt, ap);
    va_end(ap);
}

void
step(struct check *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(c->verdict->step, sizeof c->verdict->step, fmt, ap);
    va_end(ap);
}

void
skip(struct check *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    c->verdict->used = 0;
    c->verdict->n_bad = 0;
    say(c->verdict, fmt, ap);
    va_end(ap);
    c->verdict->skipped = 1;
    c->verdict->done = 1;
    _exit(0);
}

int
is_bad(const struct check *c)
{
    return c->verdict->n_bad != 0;
}

struct verdict *
check_verdict_new(void)
{
    struct verdict *v =
        mmap(NULL, sizeof *v, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (v == MAP_FAILED) {
        perror("backplane-check");
        exit(2);
    }
    return v;
}

__attribute__((noreturn)) static void
child(struct check *c, int output, pid_t parent, void (*test)(struct check *))
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    setpgid(0, 0);
    dup2(null, 0);
    dup2(output, 1);
    dup2(output, 2);
    close(null);
    close(output);
    setvbuf(stdout, NULL, _IONBF, 0);
    test(c);
    c->verdict->done = 1;
#if CHECK_SANITIZED
    exit(0); /* the sanitizer has a last look */
#else
    _exit(0);
#endif
}

/* Waits for the child, and ends it when its time is over: 1. */
static int
await(pid_t pid, unsigned seconds, int *ret_status)
{
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    int late = 0;

    if (p.fd >= 0) {
        int n;

        while ((n = poll(&p, 1, (int)seconds * 1000)) < 0 && errno == EINTR)
            ;
        late = n == 0;
        close(p.fd);
    }
    if (late)
        kill(pid, SIGKILL);
    while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
        ;
    kill(-pid, SIGKILL); /* whatever it has left behind in its group */
    return late;
}

static void
print_lines(const char *prefix, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");

        printf("# %s%.*s\n", prefix, (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static void
print_output(int fd)
{
    char buf[8192];
    ssize_t n = pread(fd, buf, sizeof buf - 1, 0);
    unsigned lines = 0;

    if (n <= 0)
        return;
    buf[n] = '\0';
    for (ssize_t i = 0; i < n; i++) {
        if (buf[i] == '\0')
            buf[i] = '?';
        if (buf[i] == '\n' && ++lines == OUTPUT_LINES)
            buf[i + 1] = '\0';
    }
    print_lines("| ", buf);
}

int
run_test(struct check *c, unsigned number, const char *name, const char *what,
         void (*test)(struct check *))
{
    struct verdict *v = check_verdict_new();
    int output = memfd_create("output", MFD_CLOEXEC), status = 0, late, failed;
    pid_t pid, parent = getpid();

    if (output < 0) {
        perror("backplane-check");
        exit(2);
    }
    c->verdict = v;
    fflush(stdout);
    pid = fork();
    if (pid < 0) {
        perror("backplane-check: fork");
        exit(2);
    }
    if (pid == 0)
        child(c, output, parent, test);
    late = await(pid, c->opt->timeout, &status);
    failed = late || !v->done || v->n_bad || !WIFEXITED(status) || WEXITSTATUS(status);
    if (!failed && v->skipped) {
        v->text[strcspn(v->text, "\n")] = '\0';
        printf("ok %u - %s: %s # SKIP %s\n", number, name, what, v->text);
    } else {
        printf("%sok %u - %s: %s\n", failed ? "not " : "", number, name, what);
        print_lines("", v->text);
    }
    if (failed) {
        if (v->n_bad > FINDINGS_MAX)
            printf("# ... and %u more\n", v->n_bad - FINDINGS_MAX);
        if (late)
            printf("# it did not come back within %u s\n", c->opt->timeout);
        else if (WIFSIGNALED(status))
            printf("# it was ended by signal %d (%s)\n", WTERMSIG(status),
                   strsignal(WTERMSIG(status)));
        else if (!v->done || WEXITSTATUS(status))
            printf("# the plugin ended the process with status %d\n", WEXITSTATUS(status));
        if (v->step[0] && (late || !v->done))
            printf("# at: %s\n", v->step);
        print_output(output);
    } else if (c->opt->trace) {
        print_output(output);
    }
    fflush(stdout);
    close(output);
    munmap(v, sizeof *v);
    c->verdict = NULL;
    return failed;
}
