/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload.c - fixed work for device models on the fake host, for test-counts.sh to count.
 *
 *   workload [-t perf_batches] [NAME...]     all of them if none is named
 *
 * Each scenario warms up, then does 20 batches between two marks, and prints what only the guest's
 * side can see of it:
 *
 *   NAME units=N batches=N kicks=N interrupts=N events=N commits=N
 *
 * With -t it does as many batches as that, and the line ends with the time between the marks,
 * "ns=N", which includes the driver's side and the fake host.
 *
 * A mark is a call of perf_mark(), at which callgrind writes a profile and begins a new one, and a
 * write to nowhere, which strace shows.
 */
#include <time.h>
#include <unistd.h>

#include "tests/perf/workload.h"

unsigned perf_batches = 20;
static struct timespec before, marked;

__attribute__((noinline)) void
perf_mark(const char *name)
{
    before = marked;
    clock_gettime(CLOCK_MONOTONIC, &marked);
    /* EBADF, and seen by strace. */
    if (write(-1, name, strlen(name)) >= 0)
        abort();
}

static const struct scenario scenarios[] = {
    {"blk-null-direct", blk_null_direct},
    {"blk-null", blk_null},
    {"blk-null-single", blk_single},
    {"blk-null-polled", blk_polled},
    {"blk-null-high", blk_high},
    {"blk-file", blk_file},
    {"blk-memory", blk_memory},
    {"net-tx", net_tx},
    {"net-rx", net_rx},
    {"tap-tx", tap_tx},
    {"tap-rx", tap_rx},
    {"serial-out", serial_out},
    {"serial-in", serial_in},
};

static int
wanted(const char *name, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(name, argv[i]) == 0)
            return 1;
    return argc == 0;
}

static long long
ns_between_marks(void)
{
    return (marked.tv_sec - before.tv_sec) * 1000000000LL + marked.tv_nsec - before.tv_nsec;
}

int
main(int argc, char **argv)
{
    int option, timed = 0;

    while ((option = getopt(argc, argv, "t:")) != -1) {
        if (option != 't')
            return 2;
        timed = 1;
        perf_batches = (unsigned)strtoul(optarg, NULL, 0);
    }
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        const struct scenario *s = &scenarios[i];
        struct tally t = {0};

        if (!wanted(s->name, argc - optind, argv + optind))
            continue;
        if (s->run(s->name, &t)) {
            printf("%s skipped\n", s->name);
            continue;
        }
        printf("%s units=%u batches=%u kicks=%u interrupts=%u events=%u commits=%u", s->name,
               t.units, t.batches, t.kicks, t.interrupts, t.events, t.commits);
        if (timed)
            printf(" ns=%lld", ns_between_marks());
        putchar('\n');
        fflush(stdout);
    }
    return 0;
}
