/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload.c - fixed work for device models on the fake host, for test-counts.sh to count.
 *
 *   workload [NAME...]     all of them if none is named
 *
 * Each scenario warms up, then does BATCHES batches between two marks, and prints what only the
 * guest's side can see of it:
 *
 *   NAME units=N batches=N kicks=N interrupts=N events=N commits=N
 *
 * A mark is a call of perf_mark(), at which callgrind writes a profile and begins a new one, and a
 * write to nowhere, which strace shows. No scenario measures time.
 */
#include <unistd.h>

#include "tests/perf/workload.h"

__attribute__((noinline)) void
perf_mark(const char *name)
{
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
    for (int i = 1; i < argc; i++)
        if (strcmp(name, argv[i]) == 0)
            return 1;
    return argc == 1;
}

int
main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        const struct scenario *s = &scenarios[i];
        struct tally t = {0};

        if (!wanted(s->name, argc, argv))
            continue;
        if (s->run(s->name, &t)) {
            printf("%s skipped\n", s->name);
            continue;
        }
        printf("%s units=%u batches=%u kicks=%u interrupts=%u events=%u commits=%u\n", s->name,
               t.units, t.batches, t.kicks, t.interrupts, t.events, t.commits);
        fflush(stdout);
    }
    return 0;
}
