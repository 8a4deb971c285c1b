/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload.h - what the parts of the workload program share.
 */
#ifndef TESTS_PERF_WORKLOAD_H
#define TESTS_PERF_WORKLOAD_H

#include <backplane/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32 };
extern unsigned perf_batches; /* between a scenario's two marks */

struct tally {
    unsigned units, batches; /* requests, packets or bytes; and in how many batches */
    unsigned kicks;          /* how often the driver had to notify */
    unsigned interrupts;     /* how often it was interrupted */
    unsigned events;         /* deliveries to the device */
    unsigned commits;        /* batches that the back end saw the end of */
};

struct scenario {
    const char *name;
    int (*run)(const char *name, struct tally *t); /* not 0: cannot run here */
};

void perf_mark(const char *name);

/* blk.c */
int blk_null(const char *name, struct tally *t);
int blk_null_direct(const char *name, struct tally *t);
int blk_single(const char *name, struct tally *t);
int blk_polled(const char *name, struct tally *t);
int blk_high(const char *name, struct tally *t);
int blk_file(const char *name, struct tally *t);
int blk_memory(const char *name, struct tally *t);
/* net.c */
int net_tx(const char *name, struct tally *t);
int net_rx(const char *name, struct tally *t);
/* tap.c */
int tap_tx(const char *name, struct tally *t);
int tap_rx(const char *name, struct tally *t);
/* serial.c */
int serial_out(const char *name, struct tally *t);
int serial_in(const char *name, struct tally *t);

/* What went wrong is a fault of this program or of a plugin: nothing can be counted then. */
#define must(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                             \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#endif
