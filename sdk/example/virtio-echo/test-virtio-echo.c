/* SPDX-License-Identifier: BSD-3-Clause */
/* test-virtio-echo.c - a driver of virtio-echo, on the MMIO transport of the fake host. */
#include <stdio.h>
#include <string.h>

#include <backplane/test.h>

static int count, failed;

static void
check(int good, const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
    failed |= !good;
}

/* One machine with the device in that mode: sends text, compares the answer. */
static void
try(const char *props, const char *text, const char *want)
{
    struct bpt_machine *m = bpt_new(4 << 20, 0);
    uint32_t len = 0, n = (uint32_t)strlen(text);
    struct bpt_virtio *dev;
    uint64_t at;

    check(bpt_load(m, "virtio-echo", "echo", props) == 0 && bpt_realize_all(m) == 0 &&
              bpt_start(m) == 0,
          props);
    dev = bpt_virtio_find(m, 62, 0);
    check(dev && bpt_virtio_setup(dev, UINT64_MAX, 1) == 0, "it is found and set up");
    at = bpt_alloc(m, 128, 16);
    memcpy(bpt_ram(m, at, n), text, n);
    check(bpt_vq_do(bpt_virtio_queue(dev, 0), (const struct bpt_sg[]){{at, n, 0}, {at + 64, 64, 1}},
                    2, &len) == 0 &&
              len == n && memcmp(bpt_ram(m, at + 64, n), want, n) == 0,
          want);
    check(bpt_virtio_config(dev, 0, 4) == 1, "it counts");
    check(bpt_state_roundtrip(m, "echo") == 0, "its state survives save and load");
    check(bpt_free(m) == 0, "it broke no rule of the SDK");
}

int
main(void)
{
    try("mode=plain,transport=mmio", "Hello", "Hello");
    try("mode=reverse,transport=mmio", "Hello", "olleH");
    try("mode=upper,transport=mmio", "Hello", "HELLO");
    printf("1..%d\n", count);
    return failed;
}
