/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * display-png.c - plugin `display-png`: the picture of an adapter as a PNG file: when asked to
 * (bp.refresh/1), at intervals, when the machine stops.
 *
 * Between those moments it does not look. What is done on the device's context is a copy of the
 * pixels; the rest is writer.c's.
 */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <backplane/backplane.h>
#include <backplane/log.h>

#include "writer.h"

#define NS_PER_S INT64_C(1000000000)

struct display {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    bp_event timer;
    struct bp_display_client client;
    bool attached, at_stop, written;
    int64_t interval_ns; /* 0: none */
    const char *path;
    struct writer writer;
};

static struct picture
display_copy(const struct bp_display_frame *frame)
{
    struct picture picture = {.width = frame->width, .height = frame->height};
    size_t line = (size_t)frame->width * 4;

    picture.pixels = malloc(line * frame->height);
    if (picture.pixels)
        for (uint32_t y = 0; y < frame->height; y++)
            memcpy((char *)picture.pixels + y * line,
                   (const char *)frame->pixels + (size_t)y * frame->stride, line);
    return picture;
}

/* changed_only: not when the file shows this picture already. */
static void
display_shoot(struct display *d, bool changed_only)
{
    struct bp_display_frame frame = {.size = sizeof frame};
    struct picture picture;
    int n;

    if (!d->attached)
        return;
    n = d->client.frame(d->client.user, 0, &frame);
    if (n < 0 || !frame.width || !frame.height || frame.width > BP_DISPLAY_MAX ||
        frame.height > BP_DISPLAY_MAX)
        return;
    if (changed_only && n == 0 && d->written && !(frame.flags & BP_DISPLAY_RESIZED))
        return;
    picture = display_copy(&frame);
    if (!picture.pixels) {
        d->host->log(d->inst, BP_LOG_ERR, "no memory for a picture");
        return;
    }
    d->written = true;
    writer_put(&d->writer, picture);
}

static int
display_attach(void *self, const struct bp_display_client *client)
{
    struct display *d = self;

    if (!client) {
        d->attached = false;
        return 0;
    }
    if (d->attached)
        return d->host->fail(d->inst, BP_E_BUSY, "another adapter has this display");
    if (!BP_HAS(struct bp_display_client, client, frame))
        return BP_E_INVAL;
    memset(&d->client, 0, sizeof d->client);
    memcpy(&d->client, client, client->size < sizeof d->client ? client->size : sizeof d->client);
    d->attached = true;
    return 0;
}

static int
display_refresh(void *self)
{
    display_shoot(self, false);
    return 0;
}

static int
display_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct bp_value path = {.size = sizeof path}, interval = {.size = sizeof interval};
    struct bp_value at_stop = {.size = sizeof at_stop};
    struct display *d;
    int err;

    if ((err = host->prop(inst, "path", &path)) ||
        (err = host->prop(inst, "interval", &interval)) ||
        (err = host->prop(inst, "at-stop", &at_stop)))
        return err;
    d = calloc(1, sizeof *d);
    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    d->path = path.s;
    d->interval_ns = interval.i * NS_PER_S;
    d->at_stop = at_stop.i;
    writer_init(&d->writer, host, inst, path.s);
    *ret_self = d;
    return 0;
}

/* Could the file be written? Without making or changing anything. */
static int
display_check_path(const struct display *d)
{
    char folder[4096];
    struct stat st;
    int err = 0;

    snprintf(folder, sizeof folder, "%s", d->path);
    if (stat(d->path, &st) == 0 && S_ISDIR(st.st_mode))
        err = -EISDIR;
    else if (stat(d->path, &st) == 0 && !S_ISREG(st.st_mode))
        err = access(d->path, W_OK) < 0 ? -errno : 0;
    else if (access(dirname(folder), W_OK | X_OK) < 0)
        err = -errno;
    if (err)
        return bp_failf(d->host, d->inst, err, "cannot write %s: %s", d->path, strerror(-err));
    return 0;
}

static int
display_realize(void *self)
{
    struct display *d = self;

    d->event = d->host->query(d->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, now));
    if (!d->event)
        return d->host->fail(d->inst, BP_E_NOTSUP, "needs " BP_IF_EVENT);
    if (d->interval_ns) {
        int err = d->event->timer(d->inst, "interval", BP_CLOCK_MONOTONIC, 0, &d->timer);

        if (err)
            return err;
    }
    return display_check_path(d);
}

static void
display_arm(struct display *d)
{
    if (d->interval_ns)
        d->event->arm(d->inst, d->timer,
                      d->event->now(d->inst, BP_CLOCK_MONOTONIC) + d->interval_ns);
}

static int
display_start(void *self)
{
    struct display *d = self;
    int err = writer_start(&d->writer);

    if (err)
        return bp_failf(d->host, d->inst, err, "cannot make a thread: %s", strerror(-err));
    display_arm(d);
    return 0;
}

static int
display_quiesce(void *self)
{
    struct display *d = self;

    if (d->interval_ns)
        d->event->arm(d->inst, d->timer, BP_TIMER_OFF);
    writer_stop(&d->writer);
    if (d->at_stop)
        display_shoot(d, true);
    return 0;
}

static void
display_event(void *self, uint32_t cookie, uint32_t mask)
{
    (void)cookie, (void)mask;
    display_shoot(self, true);
    display_arm(self);
}

static const void *
display_query(void *self, const char *iface, uint32_t min_size)
{
    static const struct bp_display_if display = {
        .size = sizeof display,
        .attach = display_attach,
    };
    static const struct bp_refresh_if refresh = {
        .size = sizeof refresh,
        .refresh = display_refresh,
    };

    (void)self;
    if (strcmp(iface, BP_IF_DISPLAY) == 0 && min_size <= sizeof display)
        return &display;
    if (strcmp(iface, BP_IF_REFRESH) == 0 && min_size <= sizeof refresh)
        return &refresh;
    return NULL;
}

static void
display_destroy(void *self)
{
    struct display *d = self;

    writer_stop(&d->writer);
    writer_fini(&d->writer);
    free(d);
}

static const struct bp_prop display_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_PATH,
     .flags = BP_P_REQUIRED | BP_P_PRIMARY,
     .name = "path",
     .help = "the file, which is replaced each time"},
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "interval",
     .help = "seconds between two looks at the picture; 0 for none",
     .def = "0",
     .max = 86400},
    {.size = sizeof(struct bp_prop),
     .type = BP_BOOL,
     .name = "at-stop",
     .help = "whether the last picture is written when the machine stops or reboots",
     .def = "true"},
};

static const char *const display_provides[] = {BP_IF_DISPLAY, BP_IF_REFRESH, NULL};
static const char *const display_needs[] = {BP_IF_EVENT, NULL};

static const struct bp_class display_class = {
    .size = sizeof display_class,
    .name = "display-png",
    .version = "1.0",
    .summary = "screenshots as PNG files",
    .props = display_props,
    .n_props = sizeof display_props / sizeof *display_props,
    .prop_size = sizeof *display_props,
    .provides = display_provides,
    .needs = display_needs,
    .create = display_create,
    .realize = display_realize,
    .start = display_start,
    .quiesce = display_quiesce,
    .event = display_event,
    .query = display_query,
    .destroy = display_destroy,
};

BP_PLUGIN("display-png", "1.0", "BSD-3-Clause", "backplane", &display_class);
