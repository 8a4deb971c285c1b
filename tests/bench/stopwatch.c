/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stopwatch - runs a command, says when texts came out of it and what it had used until then.
 *
 *   stopwatch [-s SECONDS] [-i MILLISECONDS] MARK... -- COMMAND [ARG...]
 *
 * Prints one line of JSON, a list with one object for each MARK in the order given: "us" from just
 * before the command was started until MARK was read from its output, "cpu_us" of processor time of
 * all its threads, "faults" (page faults), "switches" (context switches of either kind). With -i
 * two objects are added, one a second after the last mark, when all is still, and one so many
 * milliseconds later. Then the command and what it started are killed, which a signal to end does,
 * too. Status 1 when it ended, or SECONDS (60) passed, before all marks came.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STOPWATCH_MARKS = 24, OUTPUT_BYTES = 1 << 20, US_PER_S = 1000000, SETTLE_MS = 1000 };

extern char **environ;

struct reading {
    int64_t us, cpu_us;
    unsigned long faults, switches;
};

static volatile pid_t command_pid;

static void
stopped(int number)
{
    if (command_pid > 0)
        kill(-command_pid, SIGKILL);
    _exit(128 + number);
}

static int64_t
clock_us(clockid_t clock)
{
    struct timespec ts;

    if (clock_gettime(clock, &ts) < 0)
        return -1;
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

static pid_t
start(char **command, int *ret_fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int pipe_fds[2], status;
    pid_t pid;

    if (pipe(pipe_fds) < 0)
        err(2, "pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 1);
    posix_spawn_file_actions_addclose(&actions, pipe_fds[0]);
    posix_spawn_file_actions_addclose(&actions, pipe_fds[1]);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    status = posix_spawnp(&pid, command[0], &actions, &attributes, command, environ);
    if (status)
        errx(2, "%s: %s", command[0], strerror(status));
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(pipe_fds[1]);
    *ret_fd = pipe_fds[0];
    return pid;
}

static unsigned long
faults_of(pid_t pid)
{
    unsigned long minor = 0, major = 0;
    char path[64], text[1024];
    const char *after;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (!file)
        return 0;
    /* The second field is the name, in parentheses, with anything in it. */
    if (fgets(text, sizeof text, file) && (after = strrchr(text, ')')))
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %lu %*u %lu", &minor, &major);
    fclose(file);
    return minor + major;
}

static unsigned long
switches_of(pid_t pid)
{
    unsigned long sum = 0, n;
    char path[512], line[256];
    struct dirent *entry;
    FILE *file;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, entry->d_name);
        file = fopen(path, "r");
        while (file && fgets(line, sizeof line, file))
            if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1 ||
                sscanf(line, "nonvoluntary_ctxt_switches: %lu", &n) == 1)
                sum += n;
        if (file)
            fclose(file);
    }
    if (dir)
        closedir(dir);
    return sum;
}

static struct reading
look(pid_t pid, int64_t started_us)
{
    struct reading reading = {.us = clock_us(CLOCK_MONOTONIC) - started_us};
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) == 0)
        reading.cpu_us = clock_us(clock);
    reading.faults = faults_of(pid);
    reading.switches = switches_of(pid);
    return reading;
}

/* Reads until all marks were seen; false when the output ended or time was up. */
static int
watch(pid_t pid, int fd, char **marks, int n_marks, int64_t started_us, int64_t limit_us,
      struct reading *readings)
{
    static char output[OUTPUT_BYTES + 1];
    size_t used = 0, from = 0;
    int seen = 0;

    while (seen < n_marks) {
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};
        int64_t left_us = started_us + limit_us - clock_us(CLOCK_MONOTONIC);
        struct reading reading;
        ssize_t got;
        char *found;

        if (left_us <= 0 || poll(&pollfd, 1, (int)(left_us / 1000) + 1) <= 0)
            return 0;
        got = read(fd, output + used, OUTPUT_BYTES - used);
        if (got <= 0)
            return 0;
        for (ssize_t i = 0; i < got; i++)
            if (!output[used + (size_t)i])
                output[used + (size_t)i] = ' ';
        used += (size_t)got;
        output[used] = '\0';
        if (!strstr(output + from, marks[seen]))
            continue;
        reading = look(pid, started_us);
        while (seen < n_marks && (found = strstr(output + from, marks[seen]))) {
            from = (size_t)(found - output) + strlen(marks[seen]);
            readings[seen++] = reading;
        }
    }
    return 1;
}

static void
print(const struct reading *readings, int n)
{
    for (int i = 0; i < n; i++)
        printf("%s{\"us\": %lld, \"cpu_us\": %lld, \"faults\": %lu, \"switches\": %lu}",
               i == 0 ? "[" : ", ", (long long)readings[i].us, (long long)readings[i].cpu_us,
               readings[i].faults, readings[i].switches);
    puts("]");
}

int
main(int argc, char **argv)
{
    struct reading readings[STOPWATCH_MARKS + 2];
    int64_t started_us, limit_us = 60 * US_PER_S;
    int option, n_marks = 0, idle_ms = 0, fd, good;
    char **marks;
    pid_t pid;

    while ((option = getopt(argc, argv, "+s:i:")) != -1) {
        if (option == 's')
            limit_us = atol(optarg) * US_PER_S;
        else if (option == 'i')
            idle_ms = atoi(optarg);
        else
            return 2;
    }
    marks = argv + optind;
    while (marks[n_marks] && strcmp(marks[n_marks], "--") != 0)
        n_marks++;
    if (n_marks == 0 || n_marks > STOPWATCH_MARKS || !marks[n_marks] || !marks[n_marks + 1])
        errx(2, "usage: stopwatch [-s SECONDS] [-i MILLISECONDS] MARK... -- COMMAND [ARG...]");

    started_us = clock_us(CLOCK_MONOTONIC);
    signal(SIGTERM, stopped);
    signal(SIGINT, stopped);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    command_pid = pid = start(marks + n_marks + 1, &fd);
    good = watch(pid, fd, marks, n_marks, started_us, limit_us, readings);
    if (good && idle_ms) {
        poll(NULL, 0, SETTLE_MS);
        readings[n_marks] = look(pid, started_us);
        poll(NULL, 0, idle_ms);
        readings[n_marks + 1] = look(pid, started_us);
    }
    if (good)
        print(readings, n_marks + (idle_ms ? 2 : 0));
    kill(-pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
