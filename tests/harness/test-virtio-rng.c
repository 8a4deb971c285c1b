/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-virtio-rng.c - virtio-rng fills buffers, waits when its source has nothing, and refuses a
 * source that ends.
 */
#include <errno.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include <backplane/test.h>

#include "tests/harness/disk.h"

static struct bpt_machine *m;
static struct bpt_virtio *dev;
static struct bpt_vq *vq;

/* The plugin finds this before the C library's. */
static int dry, endless = -1;
static unsigned asked;

BP_EXPORT ssize_t
getrandom(void *buf, size_t n, unsigned flags)
{
    asked++;
    if (endless >= 0 && asked < 10000) /* a driver that offers more while it is served */
        bpt_vq_publish(vq, (uint16_t)endless);
    if (dry) {
        errno = EAGAIN;
        return -1;
    }
    return syscall(SYS_getrandom, buf, n, flags);
}

static int
machine(const char *props)
{
    char all[200];

    m = bpt_new(4 << 20, 0);
    snprintf(all, sizeof all, "transport=mmio%s%s", props ? "," : "", props ? props : "");
    if (bpt_load(m, "virtio-rng", "rng", all) || bpt_realize_all(m) || bpt_start(m))
        return -1;
    dev = bpt_virtio_find(m, 4, 0);
    if (bpt_virtio_setup(dev, UINT64_MAX, 1))
        return -1;
    vq = bpt_virtio_queue(dev, 0);
    return 0;
}

static unsigned
distinct(const uint8_t *p, size_t n)
{
    uint8_t seen[256] = {0};
    unsigned k = 0;

    for (size_t i = 0; i < n; i++)
        k += !seen[p[i]]++;
    return k;
}

static void
fills(void)
{
    uint64_t buf;
    uint32_t len;
    struct bpt_sg sg[3];

    if (!ok(machine(NULL) == 0, "starts"))
        return;
    buf = bpt_alloc(m, 65536, 4096);
    sg[0] = (struct bpt_sg){buf, 1000, 1};
    eq_int(bpt_vq_do(vq, sg, 1, &len), 0, "a buffer comes back");
    eq_int(len, 1000, "full");
    ok(distinct(bpt_ram(m, buf, 1000), 1000) > 200, "of bytes that are not all alike");
    eq_int(*(uint8_t *)bpt_ram(m, buf + 1000, 1), 0, "and no further");
    sg[0] = (struct bpt_sg){buf, 1, 1};
    sg[1] = (struct bpt_sg){buf + 100, 500, 1};
    sg[2] = (struct bpt_sg){buf + 8192, 500, 1};
    eq_int(bpt_vq_do(vq, sg, 3, &len), 0, "three buffers in a chain");
    eq_int(len, 1001, "are filled");
    sg[0] = (struct bpt_sg){buf, 65536, 1};
    eq_int(bpt_vq_do(vq, sg, 1, &len), 0, "a buffer of 64 KiB");
    ok(len > 0 && len <= 4096, "gets %u bytes: a request cannot keep us for long", len);
    sg[0] = (struct bpt_sg){buf, 64, 0};
    eq_int(bpt_vq_do(vq, sg, 1, &len), 0, "nothing to write to");
    eq_int(len, 0, "nothing written");
    eq_int(bpt_quiesce(m), 0, "stop");
    eq_int(bpt_state_roundtrip(m, "rng"), 0, "state");
    eq_int(bpt_start(m), 0, "on");
    sg[0] = (struct bpt_sg){buf, 64, 1};
    eq_int(bpt_vq_do(vq, sg, 1, &len), 0, "works after a restore");
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");
}

static void
dry_source(void)
{
    struct bpt_sg sg;
    uint32_t len;

    if (!ok(machine(NULL) == 0, "starts"))
        return;
    sg = (struct bpt_sg){bpt_alloc(m, 4096, 64), 64, 1};
    dry = 1;
    bpt_vq_add(vq, &sg, 1, 0);
    bpt_vq_kick(vq);
    bpt_poll(m, 0);
    eq_int(bpt_vq_get(vq, &len), BP_E_AGAIN, "without bytes the request waits");
    asked = 0;
    bpt_poll(m, 0);
    eq_int(asked, 0, "and the source is left alone");
    bpt_advance(m, 20000000);
    bpt_poll(m, 0);
    ok(asked > 0 && bpt_vq_get(vq, &len) == BP_E_AGAIN, "it is asked again after a while");
    eq_int(bpt_quiesce(m), 0, "stop");
    eq_int(bpt_state_roundtrip(m, "rng"), 0, "state with a request that waits");
    dry = 0;
    eq_int(bpt_start(m), 0, "on, with bytes");
    bpt_poll(m, 0);
    ok(bpt_vq_get(vq, &len) >= 0 && len == 64, "the request is answered");
    dry = 1;
    bpt_vq_add(vq, &sg, 1, 0);
    bpt_vq_kick(vq);
    bpt_poll(m, 0);
    eq_int(bpt_virtio_reset(dev), 0, "a reset while a request waits");
    dry = 0;
    bpt_advance(m, 20000000);
    bpt_poll(m, 0);
    eq_int(bpt_virtio_setup(dev, UINT64_MAX, 1), 0, "a new driver");
    vq = bpt_virtio_queue(dev, 0);
    eq_int(bpt_vq_do(vq, &sg, 1, &len), 0, "gets bytes");
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");
}

static void
endless_driver(void)
{
    struct bpt_sg sg;

    if (!ok(machine(NULL) == 0, "starts"))
        return;
    sg = (struct bpt_sg){bpt_alloc(m, 4096, 64), 8, 1};
    endless = bpt_vq_add(vq, &sg, 1, 0);
    asked = 0;
    bpt_vq_notify(vq);
    bpt_pump(m);
    ok(asked > 1 && asked < 200, "a driver that never stops is left after %u requests", asked);
    bpt_advance(m, 20000000);
    ok(asked > 100 && asked < 400, "and served again later: %u", asked);
    endless = -1;
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");
}

static void
sources(void)
{
    struct bpt_sg sg;
    uint32_t len;
    char props[400];

    if (ok(machine("path=/dev/zero") == 0, "a character device")) {
        sg = (struct bpt_sg){bpt_alloc(m, 4096, 64), 64, 1};
        memset(bpt_ram(m, sg.gpa, 64), 1, 64);
        eq_int(bpt_vq_do(vq, &sg, 1, &len), 0, "is read");
        eq_int(distinct(bpt_ram(m, sg.gpa, 64), 64), 1, "and nothing else");
    }
    eq_int(bpt_free(m), 0, "no rule of the ABI is broken");
    snprintf(props, sizeof props, "path=%s", scratch_file("bytes", 100));
    ok(machine(props) < 0 && strstr(bpt_error(m), "character device"), "a file is refused: %s",
       bpt_error(m));
    eq_int(bpt_free(m), 0, "and nothing is left of it");
    snprintf(props, sizeof props, "path=%s", scratch_path("none"));
    ok(machine(props) < 0, "a missing file is refused: %s", bpt_error(m));
    eq_int(bpt_free(m), 0, "and nothing is left of it");
}

static void
failing_host(void)
{
    unsigned n, bad = 0, fds = bpt_open_fds();

    for (n = 1; n < 1000; n++) {
        int err, injected;

        m = bpt_new(1 << 20, 0);
        bpt_inject(m, NULL, n, BP_E_NOMEM);
        err = bpt_load(m, "virtio-rng", "rng", "transport=mmio,path=/dev/zero");
        if (!err)
            err = bpt_realize_all(m);
        injected = bpt_injected(m);
        bad += bpt_free(m) != 0;
        if (!injected) {
            bad += err != 0;
            break;
        }
    }
    eq_int(bad, 0, "a host that fails at any call");
    ok(n > 5 && n < 1000, "%u calls", n);
    eq_int(bpt_open_fds(), fds, "no descriptor is left open");
}

int
main(void)
{
    if (scratch_new(NULL))
        return 99;
    fills();
    dry_source();
    endless_driver();
    sources();
    failing_host();
    return done_testing();
}
