/* SPDX-License-Identifier: BSD-3-Clause */
/* test-block-overlay.cc - block-overlay over a disk of the test's own. */
#include <cstdio>
#include <cstring>

#include <backplane/test.h>

namespace
{

int count, failed;
uint8_t disk[65536];
bp_block_req *waiting;

void
check(bool good, const char *what)
{
    std::printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
    failed |= !good;
}

/* The disk below: one request at a time, answered at commit. */
int
info(void *, bp_block_info *ret)
{
    ret->block_size = 512;
    ret->bytes = sizeof disk;
    ret->features = BP_BLOCK_READONLY;
    return 0;
}

int
attach(void *, const bp_block_client *)
{
    return 0;
}

int
submit(void *, bp_block_req *req)
{
    if (waiting)
        return BP_E_AGAIN;
    waiting = req;
    return 0;
}

void
commit(void *)
{
    bp_block_req *req = waiting;
    uint64_t at = req ? req->offset : 0;

    waiting = nullptr;
    for (uint32_t i = 0; req && i < req->n_iov; at += req->iov[i++].len)
        std::memcpy(req->iov[i].base, disk + at, req->iov[i].len);
    if (req)
        req->done(req, req->op == BP_BLOCK_READ ? 0 : BP_E_IO);
}

const bp_block_if below = {sizeof below, 0, info, attach, submit, commit};

int result;

void
done(bp_block_req *, int r)
{
    result = r;
}

int
request(bpt_machine *m, uint32_t op, uint64_t offset, void *buf, uint64_t len)
{
    const auto *be =
        static_cast<const bp_block_if *>(bpt_query(m, "top", BP_IF_BLOCK, sizeof(bp_block_if)));
    bp_iovec iov = {buf, len};
    bp_block_req req = {};

    req.size = sizeof req;
    req.op = op;
    req.offset = offset;
    req.len = len;
    req.iov = &iov;
    req.n_iov = 1;
    req.done = done;
    result = 1;
    const int err = be->submit(bpt_self(m, "top"), &req);
    if (err)
        return err;
    be->commit(bpt_self(m, "top"));
    bpt_pump(m);
    return result;
}

} // namespace

int
main()
{
    bpt_machine *m = bpt_new(1 << 20, 0);
    uint8_t buf[2048];

    for (unsigned i = 0; i < sizeof disk; i++)
        disk[i] = static_cast<uint8_t>(i / 512);
    bpt_provide(m, "disk", BP_IF_BLOCK, &below, nullptr);
    check(bpt_load(m, "block-overlay", "top", "drive=disk,limit=4096") == 0 &&
              bpt_realize_all(m) == 0 && bpt_start(m) == 0,
          "it starts");
    check(request(m, BP_BLOCK_READ, 1024, buf, 1024) == 0 && buf[0] == 2 && buf[512] == 3,
          "it reads what is below");
    std::memset(buf, 0xaa, sizeof buf);
    check(request(m, BP_BLOCK_WRITE, 1536, buf, 512) == 0 && disk[1536] == 3,
          "it writes, and not below");
    check(request(m, BP_BLOCK_READ, 1024, buf, 1536) == 0 && buf[0] == 2 && buf[512] == 0xaa &&
              buf[1024] == 4,
          "what was written is read between what is below");
    check(request(m, BP_BLOCK_ZERO, 1024, nullptr, 0) == 0, "nothing is zeroed");
    check(request(m, BP_BLOCK_WRITE, 8192, buf, 2048) == 0, "it takes four blocks more");
    check(request(m, BP_BLOCK_WRITE, 16384, buf, 2048) == BP_E_NOSPC, "and no more than its limit");
    check(request(m, BP_BLOCK_READ, 16384, buf, 2048) == 0 && buf[0] == 32,
          "what was refused is as it was");
    check(request(m, BP_BLOCK_WRITE, sizeof disk, buf, 512) == BP_E_RANGE, "the end is the end");
    check(bpt_reset(m) == 0 && request(m, BP_BLOCK_READ, 1536, buf, 512) == 0 && buf[0] == 3,
          "a reset loses what was written");
    check(bpt_free(m) == 0, "it broke no rule of the SDK");
    std::printf("1..%d\n", count);
    return failed;
}
