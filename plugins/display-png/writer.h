/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * writer.h - puts pictures into a file, on a thread of its own while the machine runs.
 *
 * Encoding takes long enough to hold a vCPU up, so it does not happen on the device's context. A
 * picture that comes while one is being written waits; a newer one takes its place.
 */
#ifndef PLUGINS_DISPLAY_PNG_WRITER_H
#define PLUGINS_DISPLAY_PNG_WRITER_H

#include <pthread.h>
#include <stdbool.h>

#include <backplane/host.h>

#include "encode.h"

struct writer {
    const struct bp_host *host;
    bp_inst inst;
    const char *path;
    pthread_t thread;
    bool running; /* there is a thread */
    bool failing; /* the last try failed, and that was said */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct picture next; /* under lock; pixels NULL: none */
    bool end;            /* under lock */
};

void writer_init(struct writer *w, const struct bp_host *host, bp_inst inst, const char *path);
void writer_fini(struct writer *w);

/* The thread. 0 or -errno. */
int writer_start(struct writer *w) __attribute__((warn_unused_result));
/* Writes what waits, and ends the thread. */
void writer_stop(struct writer *w);

/* Takes the picture; written soon, or at once when there is no thread. */
void writer_put(struct writer *w, struct picture picture);

#endif
