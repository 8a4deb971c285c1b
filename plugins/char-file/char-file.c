/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * char-file.c - plugin `char-file`: a file that gets what the device writes, and optionally another
 * one to read from.
 *
 * The file is emptied when the machine starts and not before, so that a configuration that is
 * refused leaves the last log alone. A full disk costs the bytes that do not fit and nothing else.
 */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <backplane/log.h>

#include "char/stream.h"

#define FILE_BUFFER 4096

struct file {
    const struct bp_host *host;
    bp_inst inst;
    struct stream stream;
    int out, in; /* the stream's from the first start on */
    const char *path, *input;
    bool append;
    bool created; /* by us: a machine that never starts takes it away again */
    bool opened;  /* given to the stream */
    bool failing; /* the disk is full or the like, and that was said */
    bool failed;  /* the write that is under way met an error */
};

/* stream_ops.input_end */
static void
file_input_end(void *owner, int err, bool gone)
{
    struct file *d = owner;

    (void)gone;
    if (err)
        bp_logf(d->host, d->inst, BP_LOG_WARN, "%s: %s", d->input, strerror(-err));
}

/* stream_ops.output_error */
static void
file_output_error(void *owner, int err)
{
    struct file *d = owner;

    d->failed = true;
    if (d->failing)
        return;
    d->failing = true;
    bp_logf(d->host, d->inst, BP_LOG_ERR, "%s: %s; output is dropped until there is room", d->path,
            strerror(-err));
}

static const struct stream_ops file_stream_ops = {
    .input_end = file_input_end,
    .output_error = file_output_error,
};

/* Would open() for writing do? Without making or changing anything. */
static int
file_check_output(const struct file *d)
{
    char folder[4096];
    struct stat st;
    int err = 0;

    if (stat(d->path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            err = -EISDIR;
        else if (access(d->path, W_OK) < 0)
            err = -errno;
    } else if (errno != ENOENT) {
        err = -errno;
    } else {
        snprintf(folder, sizeof folder, "%s", d->path);
        if (access(dirname(folder), W_OK | X_OK) < 0)
            err = -errno;
    }
    if (err)
        return bp_failf(d->host, d->inst, err, "cannot write to %s: %s", d->path, strerror(-err));
    return 0;
}

static int
file_check_input(const struct file *d)
{
    struct stat st;
    int err = 0;

    if (stat(d->input, &st) < 0 || access(d->input, R_OK) < 0)
        err = -errno;
    else if (S_ISDIR(st.st_mode))
        err = -EISDIR;
    if (err)
        return bp_failf(d->host, d->inst, err, "cannot read %s: %s", d->input, strerror(-err));
    return 0;
}

static int
file_open(struct file *d)
{
    uint32_t flags = BP_OPEN_WRITE | BP_OPEN_CREATE | BP_OPEN_NONBLOCK;
    struct stat st;
    bool missing = access(d->path, F_OK) < 0;

    d->out = d->host->open(d->inst, "path", flags | (d->append ? BP_OPEN_APPEND : 0));
    if (d->out < 0)
        return d->out;
    d->created = missing;
    if (!d->input)
        return 0;
    /* A pipe that is also open for writing does not end when the first writer leaves. */
    flags = BP_OPEN_READ | BP_OPEN_NONBLOCK;
    if (stat(d->input, &st) == 0 && S_ISFIFO(st.st_mode) && access(d->input, W_OK) == 0)
        flags |= BP_OPEN_WRITE;
    d->in = d->host->open(d->inst, "input", flags);
    return d->in < 0 ? d->in : 0;
}

static int
file_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct bp_value path = {.size = sizeof path}, append = {.size = sizeof append};
    struct bp_value input = {.size = sizeof input};
    struct file *d;
    int err;

    if ((err = host->prop(inst, "path", &path)) || (err = host->prop(inst, "append", &append)) ||
        (err = host->prop(inst, "input", &input)))
        return err;
    d = calloc(1, sizeof *d);
    if (!d)
        return BP_E_NOMEM;
    d->host = host;
    d->inst = inst;
    d->path = path.s;
    d->append = append.i;
    d->input = input.n ? input.s : NULL;
    d->in = d->out = -1;
    *ret_self = d;
    return 0;
}

static int
file_realize(void *self)
{
    struct file *d = self;
    int err = stream_init(&d->stream, d->host, d->inst, &file_stream_ops, d, FILE_BUFFER);

    if (err || (err = file_check_output(d)) || (d->input && (err = file_check_input(d))))
        return err;
    return d->host->flags & BP_HOST_CHECK ? 0 : file_open(d);
}

/* The descriptors are non-blocking and nobody else's. */
static enum descriptor_kind
file_kind(int fd)
{
    enum descriptor_kind kind = descriptor_kind(fd);

    return kind == DESCRIPTOR_SHARED ? DESCRIPTOR_POLLED : kind;
}

static int
file_start(void *self)
{
    struct file *d = self;

    if (!d->opened) {
        enum descriptor_kind out = file_kind(d->out);

        if (!d->append && out == DESCRIPTOR_REGULAR && ftruncate(d->out, 0) < 0)
            return bp_failf(d->host, d->inst, -errno, "%s: %s", d->path, strerror(errno));
        d->opened = true;
        stream_open(&d->stream, d->in, file_kind(d->in), d->out, out);
    }
    stream_start(&d->stream);
    return 0;
}

static int
file_quiesce(void *self)
{
    stream_stop(&((struct file *)self)->stream);
    return 0;
}

static void
file_event(void *self, uint32_t cookie, uint32_t mask)
{
    stream_event(&((struct file *)self)->stream, cookie, mask);
}

static int
file_save(void *self, const struct bp_writer *w)
{
    return stream_save(&((struct file *)self)->stream, w);
}

static int
file_load(void *self, const struct bp_reader *r)
{
    return stream_load(&((struct file *)self)->stream, r);
}

static void
file_destroy(void *self)
{
    struct file *d = self;

    stream_fini(&d->stream);
    if (!d->opened) {
        if (d->out >= 0)
            close(d->out);
        if (d->in >= 0)
            close(d->in);
        if (d->created)
            unlink(d->path);
    }
    free(d);
}

static int
file_attach(void *be, const struct bp_char_client *client)
{
    return stream_attach(&((struct file *)be)->stream, client);
}

static uint64_t
file_write(void *be, const void *buf, uint64_t n)
{
    struct file *d = be;
    uint64_t taken;

    d->failed = false;
    taken = stream_write(&d->stream, buf, n);
    if (d->failing && !d->failed && taken) {
        d->failing = false;
        bp_logf(d->host, d->inst, BP_LOG_INFO, "%s: output works again", d->path);
    }
    return taken;
}

static void
file_ready(void *be)
{
    stream_ready(&((struct file *)be)->stream);
}

static int
file_connected(void *be)
{
    (void)be;
    return 1;
}

static const void *
file_query(void *self, const char *iface, uint32_t min_size)
{
    static const struct bp_char_if table = {
        .size = sizeof table,
        .attach = file_attach,
        .write = file_write,
        .ready = file_ready,
        .connected = file_connected,
    };

    (void)self;
    return strcmp(iface, BP_IF_CHAR) == 0 && min_size <= sizeof table ? &table : NULL;
}

static const struct bp_prop file_props[] = {
    {
        .size = sizeof *file_props,
        .type = BP_PATH,
        .flags = BP_P_REQUIRED | BP_P_PRIMARY,
        .name = "path",
        .help = "File that gets the output; made when it does not exist",
    },
    {
        .size = sizeof *file_props,
        .type = BP_BOOL,
        .name = "append",
        .help = "Keep what is in the file and write behind it",
        .def = "false",
    },
    {
        .size = sizeof *file_props,
        .type = BP_PATH,
        .flags = BP_P_MUST_EXIST,
        .name = "input",
        .help = "File or named pipe to read input from",
    },
};

static const char *const file_provides[] = {BP_IF_CHAR, NULL};
static const char *const file_needs[] = {BP_IF_EVENT, NULL};

static const struct bp_class file_class = {
    .size = sizeof file_class,
    .name = "char-file",
    .version = "1.0",
    .summary = "file as a byte stream",
    .props = file_props,
    .n_props = sizeof file_props / sizeof *file_props,
    .prop_size = sizeof *file_props,
    .provides = file_provides,
    .needs = file_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = file_create,
    .realize = file_realize,
    .start = file_start,
    .quiesce = file_quiesce,
    .event = file_event,
    .save = file_save,
    .load = file_load,
    .query = file_query,
    .destroy = file_destroy,
};

BP_PLUGIN("char-file", "1.0", "BSD-3-Clause", "https://example.org/backplane", &file_class);
