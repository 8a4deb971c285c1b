/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-block-file.c - block-file refuses what cannot be a disk, says why, and lives with files that
 * change, fill up or are taken by somebody else.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <backplane/test.h>

#include "tests/harness/disk.h"

static struct bpt_machine *m;
static const struct bp_block_if *blk;
static void *be;
static unsigned changed;
static uint8_t data[1 << 16];

static void
on_changed(void *user)
{
    (void)user;
    changed++;
}

static const struct bp_block_client client = {.size = sizeof client, .changed = on_changed};

static int
load(const char *id, const char *path, const char *more)
{
    char props[600];
    int err;

    snprintf(props, sizeof props, "path=%s%s%s", path, more ? "," : "", more ? more : "");
    err = bpt_load(m, "block-file", id, props);
    return err ? err : bpt_realize(m, id);
}

/* A machine with one running disk. */
static int
open_disk(const char *path, const char *more)
{
    int err;

    m = bpt_new(1 << 20, 0);
    err = load("d", path, more);
    if (!err)
        err = bpt_start(m);
    if (err)
        return err;
    be = bpt_self(m, "d");
    blk = bpt_query(m, "d", BP_IF_BLOCK, BP_UPTO(struct bp_block_if, commit));
    changed = 0;
    return blk->attach(be, &client);
}

static void
close_disk(const char *what)
{
    blk->attach(be, NULL);
    eq_int(bpt_free(m), 0, what);
}

struct call {
    struct bp_block_req req;
    struct bp_iovec iov;
    int done, result;
};

static void
on_done(struct bp_block_req *req, int result)
{
    struct call *c = req->user;

    c->done++;
    c->result = result;
}

static int
submit_with(struct call *c, uint8_t *buf, uint32_t op, uint64_t off, uint64_t len)
{
    *c = (struct call){.iov = {buf, len}};
    c->req = (struct bp_block_req){
        .size = sizeof c->req,
        .op = op,
        .n_iov = 1,
        .offset = off,
        .len = len,
        .iov = &c->iov,
        .done = on_done,
        .user = c,
    };
    return blk->submit(be, &c->req);
}

static int
submit(struct call *c, uint32_t op, uint64_t off, uint64_t len)
{
    return submit_with(c, data, op, off, len);
}

static int
is_done(void *arg)
{
    return ((struct call *)arg)->done;
}

/* Submits and waits; the error of submit() or of done(). */
static int
run(uint32_t op, uint64_t off, uint64_t len)
{
    struct call c;
    int err = submit(&c, op, off, len);

    if (err)
        return err;
    blk->commit(be);
    bpt_until(m, is_done, &c);
    return c.done == 1 ? c.result : -9999;
}

static void
refused(const char *path, const char *more, const char *says, const char *what)
{
    int err;

    m = bpt_new(1 << 20, 0);
    err = load("d", path, more);
    if (!ok(err < 0 && strstr(bpt_error(m), says), "%s is refused", what))
        printf("# %d: %s\n", err, bpt_error(m));
    eq_int(bpt_free(m), 0, "and nothing is left of it");
}

static void
bad_files(void)
{
    const char *file = scratch_file("ro", 4096);

    refused(scratch_dir, NULL, "irectory", "a directory");
    refused(scratch_dir, "readonly=true", "directory", "a directory, readonly");
    refused(scratch_path("none"), NULL, "none", "a missing file");
    refused("/dev/null", NULL, "character device", "a character device");
    refused(scratch_file("empty", 0), NULL, "empty", "an empty file");
    if (mkfifo(scratch_path("fifo"), 0600) == 0) {
        refused(scratch_path("fifo"), NULL, "FIFO", "a FIFO");
        refused(scratch_path("fifo"), "readonly=true", "FIFO", "a FIFO, readonly");
    }
    if (geteuid() == 0) {
        skip("root may write everything", "a file that cannot be written");
        return;
    }
    chmod(file, 0400);
    refused(file, NULL, "readonly = true", "a file that cannot be written");
    chmod(file, 0);
    refused(file, "readonly=true", "ro", "a file that cannot be read");
}

static void
requests(const char *aio)
{
    char props[64];
    struct bp_block_info info = {.size = sizeof info};
    struct call c[3];
    const char *path = scratch_file("disk", (1 << 20) + 1000);

    snprintf(props, sizeof props, "aio=%s,queue_depth=2", aio);
    if (!ok(open_disk(path, props) == 0, "%s: opens", aio))
        return;
    eq_int(blk->attach(be, &client), BP_E_BUSY, "a second device gets BUSY");
    eq_int(blk->info(be, &info), 0, "info");
    eq_int(info.bytes, (1 << 20) + 1024, "the size is rounded up to a block");
    eq_int(info.block_size, 512, "of 512 bytes");
    eq_int(info.features, BP_BLOCK_CAN_FLUSH | BP_BLOCK_CAN_DISCARD | BP_BLOCK_CAN_ZERO,
           "features");

    memset(data, 0xaa, sizeof data);
    eq_int(run(BP_BLOCK_READ, 1 << 20, 1024), 0, "the last block is read past the end of the file");
    ok(data[1023] == 0 && data[1024] == 0xaa, "as zeroes, and no further");
    memset(data, 0x55, 1024);
    eq_int(run(BP_BLOCK_WRITE, 1 << 20, 1024), 0, "and written");
    memset(data, 0, sizeof data);
    eq_int(run(BP_BLOCK_READ, 1 << 20, 1024), 0, "and read again");
    eq_int(data[1023], 0x55, "the same");

    eq_int(run(BP_BLOCK_READ, info.bytes, 512), BP_E_RANGE, "past the end: RANGE");
    eq_int(run(BP_BLOCK_READ, info.bytes - 512, 1024), BP_E_RANGE, "across the end: RANGE");
    eq_int(run(BP_BLOCK_READ, UINT64_MAX - 511, 1024), BP_E_RANGE, "overflow: RANGE");
    eq_int(run(BP_BLOCK_WRITE, 512, 100), BP_E_RANGE, "part of a block: RANGE");
    eq_int(run(BP_BLOCK_WRITE, 100, 512), BP_E_RANGE, "not at a block: RANGE");
    eq_int(run(BP_BLOCK_WRITE, 512, 0), BP_E_RANGE, "nothing: RANGE");
    eq_int(run(77, 0, 512), BP_E_NOTSUP, "unknown request: NOTSUP");
    eq_int(run(BP_BLOCK_FLUSH, 0, 0), 0, "flush");

    eq_int(submit_with(&c[0], data, BP_BLOCK_READ, 0, 512), 0, "first of queue_depth = 2");
    eq_int(submit_with(&c[1], data + 512, BP_BLOCK_READ, 0, 512), 0, "second");
    eq_int(submit_with(&c[2], data + 1024, BP_BLOCK_READ, 0, 512), BP_E_AGAIN, "third: AGAIN");
    ok(!c[0].done && !c[1].done, "nothing is done before commit");
    blk->commit(be);
    eq_int(bpt_quiesce(m), 0, "quiesce waits for both");
    ok(c[0].done == 1 && c[1].done == 1, "they are done");
    eq_int(bpt_start(m), 0, "and on");
    eq_int(run(BP_BLOCK_READ, 0, 512), 0, "the third is taken now");
    close_disk("no rule of the ABI is broken");
}

static void
changing_size(const char *aio)
{
    char props[64];
    const struct bp_refresh_if *refresh;
    struct bp_block_info info = {.size = sizeof info};
    const char *path = scratch_file("disk", 1 << 20);

    snprintf(props, sizeof props, "aio=%s", aio);
    if (!ok(open_disk(path, props) == 0, "%s: opens", aio))
        return;
    refresh = bpt_query(m, "d", BP_IF_REFRESH, BP_UPTO(struct bp_refresh_if, refresh));
    eq_int(refresh->refresh(be), 0, "refresh of what did not change");
    eq_int(changed, 0, "says nothing");
    ok(truncate(path, 2 << 20) == 0 && run(BP_BLOCK_READ, 1 << 20, 512) == BP_E_RANGE,
       "a file that grew is not seen by itself");
    eq_int(refresh->refresh(be), 0, "refresh");
    eq_int(changed, 1, "tells the device");
    eq_int(run(BP_BLOCK_READ, (2 << 20) - 512, 512), 0, "the new end can be read");

    ok(truncate(path, 4096) == 0, "the file is cut short while in use");
    eq_int(run(BP_BLOCK_READ, 1 << 20, 4096), BP_E_IO, "what is gone reads as an error");
    eq_int(run(BP_BLOCK_READ, 0, 8192), BP_E_IO, "what is half gone too");
    ok(bpt_logged(m, "shorter"), "the operator is told");
    eq_int(run(BP_BLOCK_READ, 0, 4096), 0, "what is left can be read");
    eq_int(run(BP_BLOCK_WRITE, 4096, 512), 0, "and written");
    eq_int(refresh->refresh(be), 0, "refresh of the shorter file");
    eq_int(changed, 2, "tells the device");
    eq_int(run(BP_BLOCK_READ, 1 << 20, 4096), BP_E_RANGE, "what is gone is out of range now");
    ok(truncate(path, 0) == 0 && refresh->refresh(be) < 0, "a file without contents is no disk");
    eq_int(blk->info(be, &info), 0, "info");
    eq_int(info.bytes, 4608, "it keeps its size");
    close_disk("no rule of the ABI is broken");
}

/* A file that may not grow stands for a full file system; SIGXFSZ is ignored as the core does. */
static void
no_space(const char *aio)
{
    struct rlimit old, limit;
    char props[64];
    const char *path = scratch_file("disk", 1 << 20);

    snprintf(props, sizeof props, "aio=%s", aio);
    if (!ok(open_disk(path, props) == 0, "%s: opens", aio))
        return;
    memset(data, 0x77, sizeof data);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 65536 + 1024;
    setrlimit(RLIMIT_FSIZE, &limit);
    eq_int(run(BP_BLOCK_WRITE, 1 << 18, 4096), BP_E_NOSPC, "no space: NOSPC");
    eq_int(run(BP_BLOCK_WRITE, 65536, 4096), BP_E_NOSPC, "space for a part: NOSPC");
    setrlimit(RLIMIT_FSIZE, &old);
    ok(bpt_logged(m, "write of 4096 bytes"), "the operator is told");
    eq_int(run(BP_BLOCK_WRITE, 1 << 18, 4096), 0, "with space again it goes on");
    eq_int(run(BP_BLOCK_READ, 1 << 18, 4096), 0, "and reads");
    eq_int(data[4095], 0x77, "what was written");
    close_disk("no rule of the ABI is broken");
}

static uint64_t
blocks_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (uint64_t)st.st_blocks : UINT64_MAX;
}

static void
holes(const char *aio)
{
    char props[64];
    uint64_t before;
    const char *path = scratch_file("disk", 1 << 20);

    snprintf(props, sizeof props, "aio=%s", aio);
    if (!ok(open_disk(path, props) == 0, "%s: opens", aio))
        return;
    for (unsigned i = 0; i < (1 << 20) / sizeof data; i++)
        run(BP_BLOCK_WRITE, i * sizeof data, sizeof data);
    run(BP_BLOCK_FLUSH, 0, 0);
    before = blocks_of(path);
    eq_int(run(BP_BLOCK_DISCARD, 0, 1 << 19), 0, "discard");
    ok(blocks_of(path) <= before / 2 + 16, "frees the space");
    close_disk("no rule of the ABI is broken");
    snprintf(props, sizeof props, "aio=%s,discard=false", aio);
    if (ok(open_disk(path, props) == 0, "%s: opens", aio)) {
        struct bp_block_info info = {.size = sizeof info};

        blk->info(be, &info);
        ok(!(info.features & BP_BLOCK_CAN_DISCARD), "discard = false is not offered");
        close_disk("no rule of the ABI is broken");
    }
}

static void
locks(void)
{
    const char *path = scratch_file("disk", 4096), *link_path = scratch_path("link");
    struct flock fl = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int fd;

    ok(symlink(path, link_path) == 0 || errno == EEXIST, "a second name for the file");
    m = bpt_new(1 << 20, 0);
    eq_int(load("a", path, NULL), 0, "the first takes the file");
    ok(load("b", link_path, NULL) == BP_E_BUSY && strstr(bpt_error(m), "another section"),
       "the second is told that it is taken: %s", bpt_error(m));
    eq_int(load("c", path, "readonly=true"), BP_E_BUSY, "a reader too");
    eq_int(load("e", path, "lock=false"), 0, "unless it takes the risk");
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");

    m = bpt_new(1 << 20, 0);
    eq_int(load("a", path, "readonly=true"), 0, "two readers");
    eq_int(load("b", path, "readonly=true"), 0, "share it");
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");

    fd = open(path, O_RDWR | O_CLOEXEC);
    ok(fcntl(fd, F_OFD_SETLK, &fl) == 0, "somebody else reads it");
    m = bpt_new(1 << 20, 0);
    ok(load("a", path, NULL) == BP_E_BUSY && strstr(bpt_error(m), path) &&
           strstr(bpt_error(m), "another program"),
       "a writer is refused and told why: %s", bpt_error(m));
    eq_int(load("b", path, "readonly=true"), 0, "a reader is not");
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");

    m = bpt_new(1 << 20, 0);
    bpt_host_flags(m, BP_HOST_CHECK);
    eq_int(load("a", path, NULL), BP_E_BUSY, "check finds that too");
    eq_int(load("b", path, "readonly=true"), 0, "and a reader passes");
    fl.l_type = F_WRLCK;
    eq_int(fcntl(fd, F_OFD_SETLK, &fl), 0, "but holds no lock");
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");
    close(fd);

    m = bpt_new(1 << 20, 0);
    bpt_host_flags(m, BP_HOST_CHECK);
    eq_int(load("a", path, NULL), 0, "check, the first");
    eq_int(load("b", path, NULL), BP_E_BUSY, "check, two sections with one file");
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");
}

static void
readonly(void)
{
    const char *path = scratch_file("disk", 4096);

    chmod(path, 0400);
    if (!ok(open_disk(path, "readonly=true") == 0, "opens readonly"))
        return;
    eq_int(run(BP_BLOCK_READ, 0, 4096), 0, "reads");
    eq_int(run(BP_BLOCK_WRITE, 0, 512), BP_E_PERM, "does not write");
    eq_int(run(BP_BLOCK_DISCARD, 0, 512), BP_E_PERM, "nor discard");
    eq_int(run(BP_BLOCK_ZERO, 0, 512), BP_E_PERM, "nor zero");
    eq_int(run(BP_BLOCK_FLUSH, 0, 0), 0, "flushing nothing is fine");
    close_disk("no rule of the ABI is broken");
}

/* In a child whose kernel has no io_uring. */
static int
without_io_uring(int err)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {sizeof code / sizeof *code, code};
    const char *path = scratch_file("disk", 4096);
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int bad = 0;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &prog))
            _exit(77);
        bad |= open_disk(path, NULL) != 0 || !bpt_logged(m, "using threads");
        bad |= run(BP_BLOCK_READ, 0, 4096) != 0 ? 2 : 0;
        blk->attach(be, NULL);
        bad |= bpt_free(m) ? 4 : 0;
        m = bpt_new(1 << 20, 0);
        bad |= load("d", path, "aio=io_uring") == 0 || !strstr(bpt_error(m), "aio = auto") ? 8 : 0;
        bad |= bpt_free(m) ? 16 : 0;
        _exit(bad);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Each call into the host fails in turn: an error, and nothing left behind. */
static void
failing_host(const char *aio)
{
    const char *path = scratch_file("disk", 4096);
    unsigned fds = bpt_open_fds(), bad = 0, n;
    char props[64];

    snprintf(props, sizeof props, "aio=%s", aio);
    for (n = 1;; n++) {
        int err, injected;

        m = bpt_new(1 << 20, 0);
        bpt_inject(m, NULL, n, BP_E_NOMEM);
        err = load("d", path, props);
        injected = bpt_injected(m);
        bad += bpt_free(m) != 0;
        if (!injected) {
            bad += err != 0;
            break;
        }
        if (n > 1000)
            break;
    }
    eq_int(bad, 0, "a host that fails at any call");
    ok(n > 8 && n < 1000, "%u calls", n);
    eq_int(bpt_open_fds(), fds, "no descriptor is left open");
}

/* A file in memory is read and written within commit(), a long batch in more than one turn. */
static void
in_memory(void)
{
    static struct call c[80]; /* 64 KiB each: 5 MiB */
    uint8_t *before = malloc(sizeof data);
    unsigned done = 0;

    ok(!open_disk(scratch_file("memory", 8 << 20), "aio=sync"), "a file in memory");
    memset(data, 0x5a, sizeof data);
    ok(!submit(&c[0], BP_BLOCK_WRITE, 0, sizeof data) && !c[0].done,
       "a request waits for commit()");
    blk->commit(be);
    ok(c[0].done == 1 && c[0].result == 0, "and is done within it");
    memset(data, 0, sizeof data);
    eq_int(run(BP_BLOCK_READ, 0, sizeof data), 0, "and read back");
    memset(before, 0x5a, sizeof data);
    ok(memcmp(data, before, sizeof data) == 0, "as it was written");
    for (unsigned i = 0; i < 80; i++)
        if (submit(&c[i], BP_BLOCK_WRITE, i * sizeof data, sizeof data))
            printf("# request %u\n", i);
    blk->commit(be);
    for (unsigned i = 0; i < 80; i++)
        done += (unsigned)c[i].done;
    ok(done > 0 && done < 80, "a long batch leaves something for others (%u done)", done);
    bpt_until(m, is_done, &c[79]);
    for (unsigned i = done = 0; i < 80; i++)
        done += c[i].done == 1 && c[i].result == 0;
    eq_int(done, 80, "and is done in the end");
    close_disk("no problems");
    free(before);
}

int
main(void)
{
    static const char *const engines[] = {"io_uring", "threads", "sync"};
    int r;

    signal(SIGXFSZ, SIG_IGN);
    if (scratch_new(NULL))
        return 99;
    bad_files();
    for (int i = 0; i < 3; i++) {
        requests(engines[i]);
        changing_size(engines[i]);
        no_space(engines[i]);
        holes(engines[i]);
        failing_host(engines[i]);
    }
    locks();
    readonly();
    for (int i = 0; i < 2; i++) {
        r = without_io_uring(i ? EPERM : ENOSYS);
        if (r == 77)
            skip("seccomp is not to be had", "a host without io_uring");
        else
            eq_int(r, 0, "a host without io_uring uses threads, or says so");
    }
    scratch_remove();
    if (access("/dev/shm", W_OK) == 0 && scratch_new("/dev/shm") == 0)
        in_memory();
    else
        skip("no /dev/shm", "a file in memory");
    return done_testing();
}
