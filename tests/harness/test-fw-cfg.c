/* SPDX-License-Identifier: BSD-3-Clause */
/* fw-cfg: items by port and by DMA, what the machine says, what the config gives, bad requests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backplane/test.h>

#include "tap.h"

#define SELECT 0x510
#define DATA   0x511
#define DMA    0x514
#define DESC   0x2000u
#define BUFFER 0x100000u

static struct bpt_machine *
machine_with(const char *const *props, uint32_t flags, int acpi)
{
    struct bpt_machine *m = bpt_new(4 << 20, 8 << 20);

    bpt_info(m)->cpus = 3;
    bpt_info(m)->flags = flags;
    if ((acpi && bpt_load(m, "acpi", "acpi", "")) || bpt_loadv(m, "fw-cfg", "fw", props) ||
        bpt_realize_all(m) || bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    return m;
}

static uint64_t
le(const uint8_t *p, int bytes)
{
    uint64_t val = 0;

    for (int i = 0; i < bytes; i++)
        val |= (uint64_t)p[i] << i * 8;
    return val;
}

static uint64_t
be(const uint8_t *p, int bytes)
{
    uint64_t val = 0;

    for (int i = 0; i < bytes; i++)
        val = val << 8 | p[i];
    return val;
}

static void
put_be(uint8_t *p, uint64_t val, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(val >> (bytes - 1 - i) * 8);
}

static void
by_port(struct bpt_machine *m, uint16_t key, void *buf, uint32_t n)
{
    uint8_t *p = buf;

    bpt_out(m, SELECT, 2, key);
    for (uint32_t i = 0; i < n; i++)
        p[i] = (uint8_t)bpt_in(m, DATA, 1);
}

/* One transfer; the control word afterwards. */
static uint32_t
dma(struct bpt_machine *m, uint32_t control, uint32_t len, uint64_t addr)
{
    uint8_t *desc = bpt_ram(m, DESC, 16);

    put_be(desc, control, 4);
    put_be(desc + 4, len, 4);
    put_be(desc + 8, addr, 8);
    bpt_out(m, DMA, 4, 0);
    bpt_out(m, DMA + 4, 4, __builtin_bswap32(DESC));
    return (uint32_t)be(desc, 4);
}

/* A file's key through the directory, 0: none; and its length. */
static uint16_t
find(struct bpt_machine *m, const char *name, uint32_t *ret_len)
{
    uint8_t head[4], entry[64];
    uint32_t n;
    uint16_t key = 0;

    by_port(m, 0x19, head, 4);
    n = (uint32_t)be(head, 4);
    for (uint32_t i = 0; i < n && i < 2000; i++) {
        for (int j = 0; j < 64; j++)
            entry[j] = (uint8_t)bpt_in(m, DATA, 1);
        if (strcmp((const char *)entry + 8, name) == 0) {
            *ret_len = (uint32_t)be(entry, 4);
            key = (uint16_t)be(entry + 4, 2);
        }
    }
    return key;
}

/* The file by DMA, in guest memory at BUFFER; NULL: there is none. */
static const uint8_t *
file(struct bpt_machine *m, const char *name, uint32_t *ret_len)
{
    uint16_t key = find(m, name, ret_len);

    if (!key || dma(m, (uint32_t)key << 16 | 8 | 2, *ret_len, BUFFER) != 0)
        return NULL;
    return bpt_ram(m, BUFFER, *ret_len);
}

static void
test_machine(void)
{
    struct bpt_machine *m = machine_with(NULL, BP_MACHINE_FIRMWARE, 0);
    uint8_t b[16];
    const uint8_t *p;
    uint32_t len = 0;

    by_port(m, 0, b, 6);
    ok(memcmp(b, "QEMU\0\0", 6) == 0, "the signature, and zeroes behind it");
    by_port(m, 1, b, 4);
    eq_int((int)le(b, 4), 3, "data port and DMA");
    by_port(m, 5, b, 2);
    eq_int((int)le(b, 2), 3, "processors");
    by_port(m, 0xf, b, 2);
    eq_int((int)le(b, 2), 3, "most processors");
    by_port(m, 3, b, 8);
    eq_int((int)le(b, 8), 12 << 20, "memory");
    by_port(m, 0x8002, b, 4);
    eq_int((int)le(b, 4), 1, "the timer's pin");
    by_port(m, 0x7777, b, 4);
    eq_int((int)le(b, 4), 0, "a key that nobody has reads as zero");
    by_port(m, 0x4000, b, 4);
    ok(memcmp(b, "QEMU", 4) == 0, "the write channel's bit is no part of the key");
    eq_int((int)bpt_in(m, DMA, 4), 0x554d4551, "the DMA port says QEMU");
    eq_int((int)bpt_in(m, DMA + 4, 4), 0x47464320, "and CFG");
    eq_int((int)find(m, "no such file", &len), 0, "a file that is not there");
    p = file(m, "etc/e820", &len);
    ok(p && len == 40, "two ranges of memory");
    ok(p && le(p, 8) == 0 && le(p + 8, 8) == 4 << 20 && le(p + 16, 4) == 1, "the low one");
    ok(p && le(p + 20, 8) == UINT64_C(1) << 32 && le(p + 28, 8) == 8 << 20, "the high one");
    eq_int((int)find(m, "etc/table-loader", &len), 0, "no tables without acpi");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_dma(void)
{
    struct bpt_machine *m =
        machine_with((const char *const[]){"strings=opt/a=hello", NULL}, BP_MACHINE_FIRMWARE, 0);
    uint8_t *ram = bpt_ram(m, BUFFER, 256);
    uint32_t len = 0;
    uint16_t key = find(m, "opt/a", &len);

    eq_int((int)len, 5, "a string has no end mark");
    memset(ram, 0xaa, 256);
    eq_int((int)dma(m, (uint32_t)key << 16 | 8 | 2, 8, BUFFER), 0, "select and read");
    ok(memcmp(ram, "hello\0\0\0\xaa", 9) == 0, "zeroes behind the end, and no more than asked");
    dma(m, (uint32_t)key << 16 | 8, 0, 0);
    eq_int((int)dma(m, 4, 2, 0), 0, "skip");
    eq_int((int)dma(m, 2, 3, BUFFER), 0, "read on");
    ok(memcmp(ram, "llo", 3) == 0, "from there");
    eq_int((int)dma(m, 4, UINT32_MAX, 0), 0, "a skip past the end");
    eq_int((int)bpt_in(m, DATA, 1), 0, "is at the end");
    eq_int((int)dma(m, (uint32_t)key << 16 | 8 | 16, 4, BUFFER), 1, "a write is an error");
    eq_int((int)dma(m, (uint32_t)key << 16 | 8 | 2, 16, 0xfff00000), 1, "so is no memory");
    eq_int((int)dma(m, 2, UINT32_MAX, BUFFER), 1, "or more than there is of it");
    eq_int((int)dma(m, (uint32_t)key << 16 | 8 | 2, 16, UINT64_MAX - 4), 1, "or the end of it all");
    eq_int((int)dma(m, 2, 0, BUFFER), 0, "nothing is no error");
    bpt_out(m, DMA, 4, __builtin_bswap32(0x7fffffff));
    bpt_out(m, DMA + 4, 4, __builtin_bswap32(0xfffffff8));
    ok(1, "a descriptor outside memory is ignored");
    put_be(bpt_ram(m, DESC, 16), 8 | 2, 4);
    bpt_out(m, DMA + 4, 2, 0);
    bpt_out(m, DMA + 5, 1, 0);
    eq_int((int)be(bpt_ram(m, DESC, 16), 4), 10, "narrow writes start nothing");
    eq_int(bpt_free(m), 0, "no problems");

    m = machine_with((const char *const[]){"dma=no", NULL}, 0, 0);
    eq_int((int)dma(m, 8 | 2, 4, BUFFER), 10, "without DMA nothing happens");
    by_port(m, 1, bpt_ram(m, BUFFER, 4), 4);
    eq_int((int)le(bpt_ram(m, BUFFER, 4), 4), 1, "and the id says so");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_given(void)
{
    char path[] = "/tmp/test-fw-cfg.XXXXXX", prop[128], folder[64];
    int fd = mkstemp(path);
    const char *const props[] = {prop,
                                 folder,
                                 "numbers=etc/n=0x1f90",
                                 "numbers=etc/big=0x123456789",
                                 "bootorder=/pci@i0cf8/*@4",
                                 "bootorder=/rom@img",
                                 "boot-menu=yes",
                                 "text-only=yes",
                                 NULL};
    struct bpt_machine *m;
    const uint8_t *p;
    uint32_t len = 0;
    uint8_t b[2];

    ok(fd >= 0 && write(fd, "bytes\0more", 10) == 10, "a file is made");
    close(fd);
    snprintf(prop, sizeof prop, "files=opt/org.example/x=%s", path + 5);
    snprintf(folder, sizeof folder, "folder=/tmp");
    m = machine_with(props, 0, 1);
    p = file(m, "opt/org.example/x", &len);
    ok(p && len == 10 && memcmp(p, "bytes\0more", 10) == 0, "a file's bytes");
    p = file(m, "etc/n", &len);
    ok(p && len == 4 && le(p, 4) == 0x1f90, "a number");
    p = file(m, "etc/big", &len);
    ok(p && len == 8 && le(p, 8) == 0x123456789, "a large one");
    p = file(m, "bootorder", &len);
    ok(p && len == 24 && memcmp(p, "/pci@i0cf8/*@4\n/rom@img", 24) == 0, "the boot order");
    by_port(m, 0x0e, b, 2);
    eq_int((int)le(b, 2), 1, "a boot menu");
    by_port(m, 0x04, b, 2);
    eq_int((int)le(b, 2), 1, "no screen");
    eq_int((int)find(m, "etc/table-loader", &len), 0, "no tables for a kernel that has them");
    eq_int(bpt_free(m), 0, "no problems");
    unlink(path);
}

static void
refused(const char *prop, const char *text)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);
    int err = bpt_loadv(m, "fw-cfg", "fw", (const char *const[]){prop, NULL});

    if (!err)
        err = bpt_realize_all(m);
    ok(err && strstr(bpt_error(m), text), "%s: %s", prop, bpt_error(m));
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_refused(void)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);

    refused("files=nothing", "NAME=VALUE");
    refused("files==x", "NAME=VALUE");
    refused("files=opt/x=/nonexistent/x", "cannot open /nonexistent/x");
    refused("files=opt/x=/dev/null", "not a regular file");
    refused("files=opt/x=/", "not a regular file");
    refused("numbers=etc/x=12a", "not a number");
    refused("numbers=etc/x=-1", "not a number");
    refused("numbers=etc/x=0x10000000000000000", "not a number");
    refused("strings=0123456789012345678901234567890123456789012345678901234567=x", "55 bytes");
    ok(!bpt_loadv(m, "fw-cfg", "fw",
                  (const char *const[]){"strings=opt/a=1", "numbers=opt/a=1", NULL}) &&
           bpt_realize_all(m) < 0 && strstr(bpt_error(m), "already"),
       "two of one name: %s", bpt_error(m));
    eq_int(bpt_free(m), 0, "no problems");
}

/* What firmware does with the loader's commands, the tables at 2 MiB and the RSDP at 0xf0000. */
static void
carry_out(struct bpt_machine *m, const uint8_t *commands, uint32_t len)
{
    uint64_t tables = 0x200000, rsdp = 0xf0000;
    int allocated = 0;

    for (uint32_t i = 0; i + 128 <= len; i += 128) {
        const uint8_t *c = commands + i;
        int is_rsdp = strcmp((const char *)c + 4, "etc/acpi/rsdp") == 0;
        uint8_t *to = bpt_ram(m, is_rsdp ? rsdp : tables, 0x10000);
        uint8_t sum = 0;
        uint64_t old;

        switch (le(c, 4)) {
        case 1:
            allocated += is_rsdp ? c[64] == 2 : c[64] == 1;
            break;
        case 2:
            old = le(to + le(c + 116, 4), c[120]);
            old += tables;
            for (int b = 0; b < c[120]; b++)
                to[le(c + 116, 4) + (uint32_t)b] = (uint8_t)(old >> b * 8);
            break;
        case 3:
            for (uint64_t b = 0; b < le(c + 68, 4); b++)
                sum = (uint8_t)(sum + to[le(c + 64, 4) + b]);
            to[le(c + 60, 4)] = (uint8_t)(to[le(c + 60, 4)] - sum);
            break;
        default:
            ok(0, "an unknown command");
        }
    }
    eq_int(allocated, 2, "both files are allocated in their zones");
}

static int
sums_up(const uint8_t *p, uint64_t n)
{
    uint8_t sum = 0;

    while (n--)
        sum = (uint8_t)(sum + *p++);
    return sum == 0;
}

static void
test_tables(void)
{
    struct bpt_machine *m = machine_with(NULL, BP_MACHINE_FIRMWARE, 1);
    uint32_t len = 0, n = 0;
    const uint8_t *p, *rsdp, *xsdt, *fadt;
    uint8_t *commands;

    p = file(m, "etc/acpi/tables", &len);
    ok(p && len > 500, "the tables are there");
    memcpy(bpt_ram(m, 0x200000, len), p, len);
    p = file(m, "etc/acpi/rsdp", &len);
    eq_int((int)len, 36, "so is the root pointer");
    memcpy(bpt_ram(m, 0xf0000, len), p, len);
    p = file(m, "etc/table-loader", &len);
    ok(p && len % 128 == 0, "and the commands");
    commands = malloc(len);
    memcpy(commands, p, len);
    carry_out(m, commands, len);
    free(commands);

    rsdp = bpt_ram(m, 0xf0000, 36);
    ok(memcmp(rsdp, "RSD PTR ", 8) == 0 && sums_up(rsdp, 20) && sums_up(rsdp, 36),
       "a root pointer that sums up");
    xsdt = bpt_ram(m, le(rsdp + 24, 8), 36);
    ok(xsdt && memcmp(xsdt, "XSDT", 4) == 0 && sums_up(xsdt, le(xsdt + 4, 4)), "leads to the XSDT");
    for (uint64_t i = 36; i < le(xsdt + 4, 4); i += 8) {
        p = bpt_ram(m, le(xsdt + i, 8), 36);
        n += p && le(xsdt + i, 8) >= 0x200000 && sums_up(p, le(p + 4, 4));
    }
    eq_int((int)n, (int)(le(xsdt + 4, 4) - 36) / 8, "which leads to tables that sum up");
    fadt = bpt_ram(m, le(xsdt + 36, 8), 276);
    p = bpt_ram(m, le(fadt + 40, 4), 36);
    ok(memcmp(fadt, "FACP", 4) == 0 && memcmp(p, "DSDT", 4) == 0 && sums_up(p, le(p + 4, 4)) &&
           le(fadt + 140, 8) == le(fadt + 40, 4),
       "the FADT to the DSDT, twice");
    p = bpt_ram(m, le(fadt + 36, 4), 64);
    ok(memcmp(p, "FACS", 4) == 0, "and to the FACS");
    ok(!bpt_reset(m) && file(m, "etc/acpi/tables", &len), "they are there again after a reset");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_state(void)
{
    struct bpt_machine *m = machine_with(NULL, 0, 1);
    struct bpt_state *s = NULL;

    bpt_out(m, SELECT, 2, 0);
    (void)bpt_in(m, DATA, 1);
    bpt_out(m, DMA, 4, 0x12345678);
    eq_int(bpt_state_roundtrip(m, "fw"), 0, "save, reset, load, save");
    eq_int((int)bpt_in(m, DATA, 1), 'E', "reading goes on where it was");
    ok(!bpt_quiesce(m) && !bpt_save(m, "fw", &s), "saves");
    bpt_state_put(s, "fw-cfg", "key", 0x10000);
    ok(bpt_restore(m, "fw", s) == BP_E_INVAL, "a key of 17 bits is refused");
    bpt_state_put(s, "fw-cfg", "key", 0);
    bpt_state_put(s, "fw-cfg", "offset", UINT64_C(1) << 32);
    ok(bpt_restore(m, "fw", s) == BP_E_INVAL, "so is an offset of 33 bits");
    bpt_state_put(s, "fw-cfg", "offset", 4711);
    ok(!bpt_restore(m, "fw", s) && !bpt_start(m), "one past the end is not");
    eq_int((int)bpt_in(m, DATA, 1), 0, "and reads as zero");
    eq_int((int)dma(m, 4, 5, 0), 0, "skipping from there");
    bpt_state_put(s, "fw-cfg", NULL, 2);
    ok(!bpt_quiesce(m) && bpt_restore(m, "fw", s) < 0, "a newer version is refused");
    bpt_state_free(s);
    eq_int(bpt_free(m), 0, "no problems");
}

/* A host call that fails, each in turn: it is reported and nothing is leaked. */
static void
test_failures(void)
{
    int all = 1;

    for (uint64_t n = 1; n < 200; n++) {
        struct bpt_machine *m = bpt_new(1 << 20, 0);
        int err, hit;

        bpt_load(m, "acpi", "acpi", "");
        bpt_load(m, "fw-cfg", "fw", "strings=opt/a=1,bootorder=/x");
        bpt_inject(m, "fw", n, BP_E_NOMEM);
        err = bpt_realize_all(m);
        if (!err)
            err = bpt_start(m);
        hit = bpt_injected(m);
        bpt_inject(m, NULL, 0, 0);
        bpt_problems_clear(m);
        all = all && bpt_free(m) == 0;
        if (!hit)
            break;
    }
    ok(all, "every host call may fail");
}

static void
test_random(void)
{
    struct bpt_machine *m = machine_with(NULL, BP_MACHINE_FIRMWARE, 1);
    uint64_t seed = 510;

    for (int i = 0; i < 100000; i++) {
        uint32_t r;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        r = (uint32_t)(seed >> 33);
        if (r & 1)
            bpt_out(m, (uint16_t)(SELECT + (r >> 1) % 12), 1u << (r >> 5) % 3, r >> 7);
        else
            (void)bpt_in(m, (uint16_t)(SELECT + (r >> 1) % 12), 1u << (r >> 5) % 3);
        if (i % 64 == 0) {
            uint32_t len = r % 5 ? r % 100000 : (uint32_t)seed;

            dma(m, (uint32_t)(seed >> 40) % 48 << 16 | (r >> 9 & 31), len, seed % (14 << 20));
        }
    }
    eq_int(bpt_state_roundtrip(m, "fw"), 0, "random accesses leave a state that can be saved");
    eq_int(bpt_free(m), 0, "no problems");
}

int
main(void)
{
    test_machine();
    test_dma();
    test_given();
    test_refused();
    test_tables();
    test_state();
    test_failures();
    test_random();
    return done_testing();
}
