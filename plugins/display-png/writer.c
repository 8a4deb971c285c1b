/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * writer.c - see writer.h.
 *
 * Whoever looks at the file sees a whole picture, the old or the new one: it is written beside and
 * renamed. What is no regular file (a pipe, a terminal) is written to as it is.
 */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <backplane/log.h>

static int
write_special(const struct writer *w, const struct picture *picture)
{
    int fd = open(w->path, O_WRONLY | O_CLOEXEC | O_NOCTTY), err;

    if (fd < 0)
        return -errno;
    err = encode_png(fd, picture);
    close(fd);
    return err;
}

static int
write_beside(const struct writer *w, const struct picture *picture)
{
    char beside[4096];
    int fd, err;

    if (snprintf(beside, sizeof beside, "%s.XXXXXX", w->path) >= (int)sizeof beside)
        return -ENAMETOOLONG;
    fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    err = encode_png(fd, picture);
    if (close(fd) < 0 && !err)
        err = -errno;
    if (!err && rename(beside, w->path) < 0)
        err = -errno;
    if (err)
        unlink(beside);
    return err;
}

/* Takes the picture's pixels. */
static void
write_picture(struct writer *w, struct picture picture)
{
    struct stat st;
    bool special = stat(w->path, &st) == 0 && !S_ISREG(st.st_mode);
    int err = special ? write_special(w, &picture) : write_beside(w, &picture);

    free(picture.pixels);
    if (err && !w->failing)
        bp_logf(w->host, w->inst, BP_LOG_ERR, "cannot write %s: %s", w->path, strerror(-err));
    w->failing = err != 0;
}

static void *
writer_main(void *arg)
{
    struct writer *w = arg;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct picture picture = w->next;

        if (picture.pixels) {
            w->next.pixels = NULL;
            pthread_mutex_unlock(&w->lock);
            write_picture(w, picture);
            pthread_mutex_lock(&w->lock);
        } else if (w->end) {
            break;
        } else {
            pthread_cond_wait(&w->changed, &w->lock);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

void
writer_init(struct writer *w, const struct bp_host *host, bp_inst inst, const char *path)
{
    memset(w, 0, sizeof *w);
    w->host = host;
    w->inst = inst;
    w->path = path;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
}

void
writer_fini(struct writer *w)
{
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
}

int
writer_start(struct writer *w)
{
    int err;

    if (w->running)
        return 0;
    w->end = false;
    err = pthread_create(&w->thread, NULL, writer_main, w);
    w->running = err == 0;
    return -err;
}

void
writer_stop(struct writer *w)
{
    if (!w->running)
        return;
    pthread_mutex_lock(&w->lock);
    w->end = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    w->running = false;
}

void
writer_put(struct writer *w, struct picture picture)
{
    if (!w->running) {
        write_picture(w, picture);
        return;
    }
    pthread_mutex_lock(&w->lock);
    free(w->next.pixels);
    w->next = picture;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}
