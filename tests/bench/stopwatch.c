/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stopwatch - runs a command and says when texts came out of it.
 *
 *   stopwatch [-s SECONDS] [-r MIB] MARK... -- COMMAND [ARG...]
 *
 * Prints one line: for each MARK, microseconds from just before the command was started until
 * MARK was read from its output, in the order given; with -r also the KiB of memory (PSS) that the
 * command has at the last mark, without the mappings of at least half of MIB, which are the
 * guest's. Then the command is killed. Status 1 when it ended or SECONDS (60) passed before.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STOPWATCH_MARKS = 8, OUTPUT_BYTES = 1 << 20, US_PER_S = 1000000 };

extern char **environ;

static int64_t
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

static pid_t
start(char **command, int *ret_fd)
{
    posix_spawn_file_actions_t actions;
    int pipe_fds[2], status;
    pid_t pid;

    if (pipe(pipe_fds) < 0)
        err(2, "pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 1);
    posix_spawn_file_actions_addclose(&actions, pipe_fds[0]);
    posix_spawn_file_actions_addclose(&actions, pipe_fds[1]);
    status = posix_spawnp(&pid, command[0], &actions, NULL, command, environ);
    if (status)
        errx(2, "%s: %s", command[0], strerror(status));
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    *ret_fd = pipe_fds[0];
    return pid;
}

/* Memory beside the guest's: the sum of Pss of all mappings smaller than half of the guest's RAM.
 */
static long
memory_beside_guest(pid_t pid, long guest_kib)
{
    long size_kib = 0, pss_kib, sum_kib = 0;
    char path[64], line[512];
    FILE *smaps;

    snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
    smaps = fopen(path, "r");
    if (!smaps)
        err(2, "%s", path);
    while (fgets(line, sizeof line, smaps)) {
        if (sscanf(line, "Size: %ld kB", &size_kib) == 1)
            continue;
        if (sscanf(line, "Pss: %ld kB", &pss_kib) == 1 && size_kib < guest_kib / 2)
            sum_kib += pss_kib;
    }
    fclose(smaps);
    return sum_kib;
}

/* Reads until all marks were seen; false when the output ended or time was up. */
static int
watch(int fd, char **marks, int n_marks, int64_t started_us, int64_t limit_us, int64_t *at_us)
{
    static char output[OUTPUT_BYTES + 1];
    size_t used = 0, from = 0;
    int seen = 0;

    while (seen < n_marks) {
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};
        int64_t left_us = started_us + limit_us - now_us();
        int64_t read_us;
        ssize_t got;
        char *found;

        if (left_us <= 0 || poll(&pollfd, 1, (int)(left_us / 1000) + 1) <= 0)
            return 0;
        got = read(fd, output + used, OUTPUT_BYTES - used);
        read_us = now_us();
        if (got <= 0)
            return 0;
        for (ssize_t i = 0; i < got; i++)
            if (!output[used + (size_t)i])
                output[used + (size_t)i] = ' ';
        used += (size_t)got;
        output[used] = '\0';
        while (seen < n_marks && (found = strstr(output + from, marks[seen]))) {
            at_us[seen] = read_us - started_us;
            from = (size_t)(found - output) + strlen(marks[seen]);
            seen++;
        }
    }
    return 1;
}

int
main(int argc, char **argv)
{
    int64_t started_us, limit_us = 60 * US_PER_S, at_us[STOPWATCH_MARKS];
    long guest_mib = 0;
    int option, n_marks = 0, fd, good;
    char **marks;
    pid_t pid;

    while ((option = getopt(argc, argv, "+s:r:")) != -1) {
        if (option == 's')
            limit_us = atol(optarg) * US_PER_S;
        else if (option == 'r')
            guest_mib = atol(optarg);
        else
            return 2;
    }
    marks = argv + optind;
    while (marks[n_marks] && strcmp(marks[n_marks], "--") != 0)
        n_marks++;
    if (n_marks == 0 || n_marks > STOPWATCH_MARKS || !marks[n_marks] || !marks[n_marks + 1])
        errx(2, "usage: stopwatch [-s SECONDS] [-r MIB] MARK... -- COMMAND [ARG...]");

    started_us = now_us();
    pid = start(marks + n_marks + 1, &fd);
    good = watch(fd, marks, n_marks, started_us, limit_us, at_us);
    if (good) {
        for (int i = 0; i < n_marks; i++)
            printf("%lld ", (long long)at_us[i]);
        if (guest_mib)
            printf("%ld", memory_beside_guest(pid, guest_mib * 1024));
        putchar('\n');
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
