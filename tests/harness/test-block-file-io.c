/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-block-file-io.c - block-file keeps data: random requests, many at once, cut up in every way,
 * against a model, for each engine, with and without O_DIRECT, on tmpfs, and with system calls that
 * do less than they are asked for.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <backplane/test.h>

#include "tests/harness/disk.h"

#define DISK_BYTES (3u << 20)
#define SLOTS      12
#define SLOT_BYTES (DISK_BYTES / SLOTS) /* each slot works in its own part of the disk */
#define REQ_IOV    40
#define ROUNDS     1500

/*
 * The plugin finds these before the C library's. With faults set they are cut short or interrupted
 * most of the time.
 */
static atomic_int faults, faulted;
static size_t fault_unit = 1;

static int
fault(void)
{
    static atomic_uint n;
    unsigned k = atomic_fetch_add(&n, 1) % 4;

    if (!faults || k == 0)
        return 0;
    faulted++;
    return (int)k;
}

static ssize_t
transfer(long nr, int fd, const struct iovec *iov, int n, off_t off)
{
    struct iovec one = iov[0];

    switch (fault()) {
    case 1:
        errno = EINTR;
        return -1;
    case 2: /* part of one buffer; O_DIRECT moves whole blocks */
        if (one.iov_len > fault_unit)
            one.iov_len = (one.iov_len / 2 + fault_unit - 1) / fault_unit * fault_unit;
        return syscall(nr, fd, &one, 1, off, 0);
    case 3:
        n = (n + 1) / 2;
        break;
    }
    return syscall(nr, fd, iov, n, off, 0);
}

BP_EXPORT ssize_t
pread(int fd, void *buf, size_t n, off_t off)
{
    struct iovec iov = {buf, n};

    return transfer(SYS_preadv, fd, &iov, 1, off);
}

BP_EXPORT ssize_t
pwrite(int fd, const void *buf, size_t n, off_t off)
{
    struct iovec iov = {(void *)(uintptr_t)buf, n};

    return transfer(SYS_pwritev, fd, &iov, 1, off);
}

BP_EXPORT ssize_t
preadv(int fd, const struct iovec *iov, int n, off_t off)
{
    return transfer(SYS_preadv, fd, iov, n, off);
}

BP_EXPORT ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
    return transfer(SYS_pwritev, fd, iov, n, off);
}

struct slot {
    struct bp_block_req req;
    struct bp_iovec iov[REQ_IOV];
    uint8_t *buf; /* SLOT_BYTES and a page to be misaligned in */
    int busy, result;
};

static struct bpt_machine *m;
static const struct bp_block_if *blk;
static void *be;
static struct model model;
static struct slot slots[SLOTS];
static unsigned in_flight, completions, batches, wrong, failed, in_submit;

static void
gather(const struct bp_block_req *r, uint8_t *flat)
{
    for (uint32_t i = 0; i < r->n_iov; i++) {
        memcpy(flat, r->iov[i].base, r->iov[i].len);
        flat += r->iov[i].len;
    }
}

static void
on_done(struct bp_block_req *r, int result)
{
    struct slot *s = r->user;
    static uint8_t flat[1 << 20];

    if (in_submit || !s->busy)
        wrong++; /* called twice, or from within submit() */
    s->busy = 0;
    in_flight--;
    completions++;
    if (result != 0)
        failed++;
    if (r->op == BP_BLOCK_READ) {
        gather(r, flat);
        if (!model_check(&model, r->offset, flat, r->len))
            wrong++;
    }
}

static void
on_completed(void *user)
{
    (void)user;
    batches++;
}

static const struct bp_block_client client = {.size = sizeof client, .completed = on_completed};

/* Cuts len bytes of buf into pieces: aligned to unit when aligned is set. */
static void
cut(struct slot *s, uint64_t len, uint32_t unit, int aligned)
{
    uint8_t *p = s->buf + (aligned ? 0 : random_below(64));
    uint32_t n = 0;

    while (len > 0) {
        uint64_t part = 1 + random_below(len);

        if (aligned && part < len)
            part = (part + unit - 1) / unit * unit;
        if (n == REQ_IOV - 1 || part > len)
            part = len;
        s->iov[n++] = (struct bp_iovec){p, part};
        p += part;
        len -= part;
    }
    s->req.iov = s->iov;
    s->req.n_iov = n;
}

static void
start_one(unsigned i, uint32_t unit)
{
    static const uint32_t ops[] = {BP_BLOCK_READ,  BP_BLOCK_READ,  BP_BLOCK_WRITE,   BP_BLOCK_WRITE,
                                   BP_BLOCK_WRITE, BP_BLOCK_FLUSH, BP_BLOCK_DISCARD, BP_BLOCK_ZERO};
    static uint8_t flat[1 << 20];
    struct slot *s = &slots[i];
    uint64_t units = SLOT_BYTES / unit, first = random_below(units);
    uint64_t count = 1 + random_below(random_below(4) ? 8 : units);
    int err;

    if (count > units - first)
        count = units - first;
    s->req = (struct bp_block_req){
        .size = sizeof s->req,
        .op = ops[random_below(sizeof ops / sizeof *ops)],
        .flags = random_below(2) ? BP_BLOCK_UNMAP : 0,
        .offset = (uint64_t)i * SLOT_BYTES + first * unit,
        .len = count * unit,
        .done = on_done,
        .user = s,
    };
    if (s->req.op == BP_BLOCK_READ || s->req.op == BP_BLOCK_WRITE)
        cut(s, s->req.len, unit, random_below(2) == 0);
    if (s->req.op == BP_BLOCK_WRITE) {
        for (uint32_t k = 0; k < s->req.n_iov; k++)
            random_fill(s->iov[k].base, s->iov[k].len);
        gather(&s->req, flat);
    }
    in_submit = 1;
    err = blk->submit(be, &s->req);
    in_submit = 0;
    if (err == BP_E_AGAIN && in_flight > 0)
        return;
    if (err) {
        failed++;
        return;
    }
    s->busy = 1;
    in_flight++;
    if (s->req.op == BP_BLOCK_WRITE)
        model_write(&model, s->req.offset, flat, s->req.len);
    else if (s->req.op == BP_BLOCK_ZERO)
        model_write(&model, s->req.offset, NULL, s->req.len);
    else if (s->req.op == BP_BLOCK_DISCARD)
        model_forget(&model, s->req.offset, s->req.len);
}

static int
all_done(void *arg)
{
    (void)arg;
    return in_flight == 0;
}

static int
open_disk(const char *path, const char *aio, int direct, uint32_t depth)
{
    char props[500];

    m = bpt_new(1 << 20, 0);
    snprintf(props, sizeof props, "path=%s,aio=%s,direct=%s,queue_depth=%u", path, aio,
             direct ? "true" : "false", depth);
    if (bpt_load(m, "block-file", "d", props) || bpt_realize_all(m) || bpt_start(m))
        return -1;
    be = bpt_self(m, "d");
    blk = bpt_query(m, "d", BP_IF_BLOCK, BP_UPTO(struct bp_block_if, commit));
    return blk->attach(be, &client);
}

static void
random_io(const char *where, const char *device, const char *aio, int direct, uint32_t depth)
{
    char path[400];
    struct bp_block_info info = {.size = sizeof info};

    snprintf(path, sizeof path, "%s", device ? device : scratch_file("disk", DISK_BYTES));
    if (open_disk(path, aio, direct, depth) != 0) {
        if (direct && strstr(bpt_error(m), "direct"))
            skip("no O_DIRECT here", where);
        else
            ok(0, "%s, %s: opens (%s)", where, aio, bpt_error(m));
        bpt_free(m);
        return;
    }
    random_seed(direct * 2u + (aio[0] == 't') + depth);
    blk->info(be, &info);
    fault_unit = direct ? info.block_size : 1;
    model_init(&model, DISK_BYTES);
    completions = batches = wrong = failed = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < SLOTS; i++)
            if (!slots[i].busy && random_below(2))
                start_one(i, info.block_size);
        blk->commit(be);
        bpt_poll(m, random_below(4) ? 0 : 20);
    }
    ok(bpt_until(m, all_done, NULL), "%s, %s%s: %u requests are all done, in %u batches", where,
       aio, direct ? ", direct" : "", completions, batches);
    eq_int(wrong, 0, "nothing read differs and each is completed once");
    eq_int(failed, 0, "none failed");
    ok(completions > 200 && batches > 0 && batches <= completions, "batches are announced");
    blk->attach(be, NULL);
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");
    ok(model_check_file(&model, path), "the file is what was written");
    model_fini(&model);
}

/* One request of more pieces than the kernel takes in one call. */
static void
long_iovec(const char *aio)
{
    enum { N = 3000 };
    static struct bp_iovec iov[N];
    struct slot *s = &slots[0];
    const char *path = scratch_file("disk", DISK_BYTES);

    if (!ok(open_disk(path, aio, 0, 4) == 0, "%s: opens", aio))
        return;
    model_init(&model, DISK_BYTES);
    random_fill(s->buf, 512 * N / 2);
    for (int i = 0; i < N; i++)
        iov[i] = (struct bp_iovec){s->buf + 256 * i, 256};
    s->req = (struct bp_block_req){
        .size = sizeof s->req,
        .op = BP_BLOCK_WRITE,
        .n_iov = N,
        .offset = 4096,
        .len = 256 * N,
        .iov = iov,
        .done = on_done,
        .user = s,
    };
    failed = wrong = 0;
    for (int pass = 0; pass < 2; pass++) {
        s->req.op = pass ? BP_BLOCK_READ : BP_BLOCK_WRITE;
        s->busy = 1;
        eq_int(blk->submit(be, &s->req), 0, "3000 pieces are accepted");
        in_flight++;
        blk->commit(be);
        if (pass == 0)
            model_write(&model, s->req.offset, s->buf, s->req.len);
        ok(bpt_until(m, all_done, NULL) && failed == 0 && wrong == 0,
           "and all of them transferred");
        memset(s->buf, 0, 1);
        if (pass == 0)
            memset(s->buf, 0xee, 256 * N);
    }
    blk->attach(be, NULL);
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");
    ok(model_check_file(&model, path), "the file is what was written");
    model_fini(&model);
}

/* The first line that a command prints; 0 when it printed one and went well. */
static int
command(const char *cmd, char *ret_line, int size)
{
    FILE *p = popen(cmd, "r");
    int good = p && fgets(ret_line, size, p);

    if (good)
        ret_line[strcspn(ret_line, "\n")] = 0;
    return p && pclose(p) == 0 && good ? 0 : -1;
}

/* A block device: discarding is an ioctl there, which io_uring has not got. */
static void
block_device(const char *const engines[3])
{
    char cmd[400], device[100];

    snprintf(cmd, sizeof cmd, "losetup -f --show '%s' 2>/dev/null",
             scratch_file("backing", DISK_BYTES));
    if (geteuid() != 0 || command(cmd, device, sizeof device)) {
        skip("no loop device to be had", "block device");
        return;
    }
    for (int e = 0; e < 3; e++) {
        snprintf(cmd, sizeof cmd, "blkdiscard -z %s && echo", device);
        if (command(cmd, cmd, sizeof cmd) == 0)
            random_io("block device", device, engines[e], e == 1, 256);
        else
            skip("no blkdiscard", "block device");
    }
    snprintf(cmd, sizeof cmd, "losetup -d %s && echo", device);
    if (command(cmd, cmd, sizeof cmd))
        printf("# cannot detach %s\n", device);
}

int
main(void)
{
    static const char *const engines[] = {"io_uring", "threads", "sync"};
    unsigned fds;

    for (int i = 0; i < SLOTS; i++)
        if (posix_memalign((void **)&slots[i].buf, 65536, 1 << 20))
            return 99;
    if (scratch_new(NULL))
        return 99;
    m = bpt_new(1 << 20, 0);
    bpt_load(m, "block-file", "d",
             "path=/dev/null"); /* what loading keeps open is kept from here */
    bpt_free(m);
    fds = bpt_open_fds();
    for (int e = 0; e < 3; e++) {
        random_io("file", NULL, engines[e], 0, 256);
        random_io("file", NULL, engines[e], 0, 3);
        random_io("file", NULL, engines[e], 1, 256);
        long_iovec(engines[e]);
    }
    block_device(engines);
    faults = 1;
    random_io("short transfers", NULL, "threads", 0, 256);
    random_io("short transfers", NULL, "threads", 1, 256);
    faults = 0;
    ok(faulted > 1000, "%d system calls were cut short", faulted);
    eq_int(bpt_open_fds(), fds, "no descriptor is left open");
    scratch_remove();
    if (access("/dev/shm", W_OK) == 0 && scratch_new("/dev/shm") == 0) {
        for (int e = 0; e < 3; e++) /* no FALLOC_FL_ZERO_RANGE there */
            random_io("tmpfs", NULL, engines[e], 0, 256);
    } else {
        skip("no /dev/shm", "tmpfs");
    }
    for (int i = 0; i < SLOTS; i++)
        free(slots[i].buf);
    return done_testing();
}
