/* SPDX-License-Identifier: BSD-3-Clause */
/* test-memory.c - guest RAM: sizes, the holes in the map, and checked access by guest address. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory/memory.h"
#include "tests/tap.h"

#define MIB(n) (UINT64_C(1048576) * (n))
#define GIB(n) (UINT64_C(1073741824) * (n))

static struct memory *
make(uint64_t size, enum memory_backing backing)
{
    struct memory_config config = {.size_bytes = size, .backing = backing};
    g_autoptr(GError) error = NULL;
    struct memory *mem = memory_new(&config, &error);

    if (!mem)
        printf("# %s\n", error->message);
    return mem;
}

static void
test_refused(const char *what, const struct memory_config *config, int code, const char *text)
{
    g_autoptr(GError) error = NULL;
    struct memory *mem = memory_new(config, &error);

    ok(!mem && error && error->domain == CORE_ERROR && error->code == code, "refused: %s", what);
    ok(error && strstr(error->message, text), "... and the message has \"%s\"", text);
    if (error)
        printf("# %s\n", error->message);
    memory_free(mem);
}

static void
test_sizes(void)
{
    static const struct {
        uint64_t size, low, high;
        unsigned ranges;
    } cases[] = {
        {MIB(2), MIB(2), GIB(4), 2},
        {MIB(256), MIB(256), GIB(4), 2},
        {GIB(3) - 4096, GIB(3) - 4096, GIB(4), 2},
        {GIB(3), GIB(3), GIB(4), 2},
        {GIB(3) + 4096, GIB(3), GIB(4) + 4096, 3},
        {GIB(5), GIB(3), GIB(6), 3},
        {GIB(300), GIB(3), GIB(301), 3},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct memory *mem = make(cases[i].size, MEMORY_ANONYMOUS);
        struct memory_range ranges[4];

        if (!ok(mem, "%" PRIu64 " KiB of RAM", cases[i].size / 1024))
            continue;
        eq_int(memory_size(mem), cases[i].size, "... size");
        eq_int(memory_low_end(mem), cases[i].low, "... end of low RAM");
        eq_int(memory_high_end(mem), cases[i].high, "... end of high RAM");
        eq_int(memory_ranges(mem, ranges, 4), cases[i].ranges, "... number of ranges");
        ok(ranges[0].gpa == 0 && ranges[0].len == 0xa0000, "... the first is 640 KiB");
        ok(ranges[1].gpa == 0xc0000 && ranges[1].gpa + ranges[1].len == cases[i].low,
           "... the second ends low RAM");
        ok(cases[i].ranges == 2 ||
               (ranges[2].gpa == GIB(4) && ranges[2].gpa + ranges[2].len == cases[i].high),
           "... the third is at 4 GiB");
        for (unsigned r = 0; r < cases[i].ranges; r++)
            ok((ranges[r].gpa - (uintptr_t)ranges[r].hva) % 0x200000 == 0,
               "... range %u: guest and host address are equal modulo 2 MiB", r);
        memory_free(mem);
    }
}

static void
test_bad_config(void)
{
    test_refused("no RAM", &(struct memory_config){0}, CORE_ERROR_CONFIG, "too small");
    test_refused("less than 2 MiB", &(struct memory_config){.size_bytes = MIB(2) - 4096},
                 CORE_ERROR_CONFIG, "2 MiB");
    test_refused("not a multiple of the page", &(struct memory_config){.size_bytes = MIB(4) + 1},
                 CORE_ERROR_CONFIG, "multiple of 4 KiB");
    test_refused("more than any host has",
                 &(struct memory_config){.size_bytes = UINT64_MAX & ~4095}, CORE_ERROR_CONFIG,
                 "too large");
    test_refused("a hugetlbfs path that is not there",
                 &(struct memory_config){.size_bytes = MIB(4),
                                         .backing = MEMORY_HUGETLB,
                                         .hugetlb_path = "/nonexistent/huge"},
                 CORE_ERROR_CONFIG, "/nonexistent/huge: ");
    test_refused("a path that is no hugetlbfs",
                 &(struct memory_config){
                     .size_bytes = MIB(4), .backing = MEMORY_HUGETLB, .hugetlb_path = "/"},
                 CORE_ERROR_CONFIG, "not a hugetlbfs");
    test_refused("a huge page that is no power of two",
                 &(struct memory_config){
                     .size_bytes = MIB(6), .backing = MEMORY_HUGETLB, .huge_page_size = MIB(3)},
                 CORE_ERROR_CONFIG, "power of two");
    test_refused("a huge page size that no host has",
                 &(struct memory_config){
                     .size_bytes = MIB(64), .backing = MEMORY_HUGETLB, .huge_page_size = 8192},
                 CORE_ERROR_HOST, "huge pages");
}

/* The pool of most hosts is empty: then the error must say what to raise. */
static void
test_hugetlb(const char *path)
{
    struct memory_config config = {
        .size_bytes = MIB(64), .backing = MEMORY_HUGETLB, .hugetlb_path = path};
    const char *name = path ? path : "memfd";
    g_autoptr(GError) error = NULL;
    struct memory *mem = memory_new(&config, &error);
    uint32_t v = 1;

    if (!mem) {
        ok(error->code == CORE_ERROR_HOST || error->code == CORE_ERROR_CONFIG,
           "huge pages of a %s, none free: %s", name, error->message);
        ok(strstr(error->message, "huge page"), "... says what is missing");
        return;
    }
    ok(memory_write(mem, MIB(32), "x", 1) == 0, "huge pages of a %s: write", name);
    ok(memory_reset(mem) == 0 && memory_read(mem, MIB(32), &v, 4) == 0 && v == 0, "... reset");
    memory_free(mem);
}

static void
test_hugetlbfs(void)
{
    FILE *mounts = fopen("/proc/self/mounts", "r");
    char line[1024], path[512], type[64];
    bool tried = false;

    while (mounts && fgets(line, sizeof(line), mounts)) {
        if (sscanf(line, "%*s %511s %63s", path, type) != 2 || strcmp(type, "hugetlbfs") != 0 ||
            access(path, W_OK) != 0)
            continue;
        test_hugetlb(path);
        tried = true;
    }
    if (mounts)
        fclose(mounts);
    if (!tried)
        skip("no hugetlbfs is mounted", "huge pages of a mounted hugetlbfs");
}

static void
access_case(struct memory *mem, const char *what, uint64_t gpa, uint64_t len, int want)
{
    static uint8_t buf[8192];
    int err;

    memset(buf, 0x5a, sizeof(buf));
    err = memory_write(mem, gpa, buf, len);
    ok(err == want, "write %s: %d", what, err);
    memset(buf, 0, sizeof(buf));
    err = memory_read(mem, gpa, buf, len);
    ok(err == want, "read %s: %d", what, err);
    if (want == 0) {
        bool same = true;

        for (uint64_t i = 0; i < len; i++)
            same = same && buf[i] == 0x5a;
        ok(same, "... and the bytes are those written");
    }
    ok(memory_zero(mem, gpa, len) == want, "zero %s", what);
}

static void
test_access(enum memory_backing backing)
{
    struct memory *mem = make(GIB(3) + MIB(4), backing);
    uint64_t high_end = GIB(4) + MIB(4), got = 77, v = 0;
    void *p = NULL;
    uint8_t big[16];

    if (!ok(mem, "RAM that reaches above 4 GiB, backing %d", backing))
        return;
    access_case(mem, "at 0", 0, 4096, 0);
    access_case(mem, "across a page", 4000, 8192, 0);
    access_case(mem, "up to the hole at 640 KiB", 0xa0000 - 8, 8, 0);
    access_case(mem, "into the hole at 640 KiB", 0xa0000 - 8, 9, -EFAULT);
    access_case(mem, "in the hole at 640 KiB", 0xa0000, 1, -EFAULT);
    access_case(mem, "out of the hole at 640 KiB", 0xbffff, 2, -EFAULT);
    access_case(mem, "after the hole at 640 KiB", 0xc0000, 1, 0);
    access_case(mem, "up to the end of low RAM", GIB(3) - 16, 16, 0);
    access_case(mem, "past the end of low RAM", GIB(3) - 16, 17, -EFAULT);
    access_case(mem, "in the hole below 4 GiB", GIB(3), 1, -EFAULT);
    access_case(mem, "last byte below 4 GiB", GIB(4) - 1, 1, -EFAULT);
    access_case(mem, "at 4 GiB", GIB(4), 8, 0);
    access_case(mem, "up to the end of RAM", high_end - 1, 1, 0);
    access_case(mem, "past the end of RAM", high_end - 1, 2, -EFAULT);
    access_case(mem, "at the end of RAM", high_end, 1, -EFAULT);
    access_case(mem, "no bytes, nowhere", high_end, 0, 0);
    access_case(mem, "wrapping", UINT64_MAX, 2, -EFAULT);
    access_case(mem, "at the last address", UINT64_MAX, 1, -EFAULT);
    access_case(mem, "of all lengths", 4096, UINT64_MAX, -EFAULT);
    access_case(mem, "wrapping to RAM", UINT64_MAX - 10, UINT64_MAX, -EFAULT);

    ok(memory_write(mem, 0x9fff8, "untouched", 8) == 0 &&
           memory_write(mem, 0x9fff8, "too long", 9) == -EFAULT &&
           memory_zero(mem, 0x9fff8, 9) == -EFAULT && memory_read(mem, 0x9fff8, big, 8) == 0 &&
           memcmp(big, "untouched", 8) == 0,
       "what fails has written nothing");

    for (unsigned size = 1; size <= 9; size++) {
        uint8_t in[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, out[9] = {0};
        bool good = true;

        for (unsigned at = 0; at < 8; at++) {
            good = good && memory_write(mem, MIB(1) + at, in, size) == 0;
            good = good && memory_read(mem, MIB(1) + at, out, size) == 0;
            good = good && memcmp(in, out, size) == 0;
        }
        ok(good, "accesses of %u bytes at every offset", size);
    }

    eq_int(memory_map(mem, 0x1000, 0x2000, true, &p, &got), 0, "map");
    eq_int(got, 0x2000, "... all of it");
    memcpy(p, "via pointer", 11);
    ok(memory_read(mem, 0x1000, big, 11) == 0 && memcmp(big, "via pointer", 11) == 0,
       "... and it is the same memory");
    eq_int(memory_map(mem, 0x9f000, 0x10000, true, &p, &got), 0, "map up to a hole");
    eq_int(got, 0x1000, "... is shorter");
    eq_int(memory_map(mem, GIB(4), UINT64_MAX, false, &p, &got), 0, "map all there is");
    eq_int(got, MIB(4), "... to the end");
    got = 77;
    p = &got;
    eq_int(memory_map(mem, GIB(3), 1, false, &p, &got), -EFAULT, "map what is no RAM");
    eq_int(memory_map(mem, 0, 0, false, &p, &got), -EINVAL, "map nothing");
    ok(got == 77 && p == &got, "... the results are untouched");

    ok(memory_write(mem, 0x1ffc, &(uint64_t){UINT64_MAX}, 8) == 0, "bytes around a page's edge");
    ok(memory_write(mem, 0x4ffc, &(uint64_t){UINT64_MAX}, 8) == 0, "... and another's");
    ok(memory_zero(mem, 0x1ffe, 0x3001) == 0, "zero from one to the other");
    ok(memory_read(mem, 0x1ffc, &v, 8) == 0 && v == 0xffff, "... leaves what is before");
    ok(memory_read(mem, 0x4ffc, &v, 8) == 0 && v == UINT64_C(0xffffffffff000000),
       "... and what is after");

    ok(memory_write(mem, GIB(2), "gone", 4) == 0 && memory_write(mem, GIB(4), "gone", 4) == 0,
       "before a reset");
    eq_int(memory_reset(mem), 0, "reset");
    ok(memory_read(mem, GIB(2), &v, 8) == 0 && v == 0, "... low RAM is zero");
    ok(memory_read(mem, GIB(4), &v, 8) == 0 && v == 0, "... high RAM is zero");
    ok(memory_read(mem, 0x1ff8, &v, 8) == 0 && v == 0, "... and everything else");
    memory_free(mem);
}

/* Pages of RAM that the host has spent. */
static long
resident(const struct memory *mem, struct memory_range *range)
{
    size_t pages = range->len / 4096;
    g_autofree unsigned char *vec = g_malloc(pages);
    long n = 0;

    (void)mem;
    if (mincore(range->hva, range->len, vec) != 0)
        return -1;
    for (size_t i = 0; i < pages; i++)
        n += vec[i] & 1;
    return n;
}

static void
test_untouched(void)
{
    struct memory *mem = make(MIB(64), MEMORY_MEMFD);
    struct memory_range ranges[2] = {0};
    struct stat st;
    char c;

    if (!ok(mem, "a memfd of RAM"))
        return;
    memory_ranges(mem, ranges, 2);
    eq_int(resident(mem, &ranges[1]), 0, "no page is there before somebody writes");
    ok(memory_zero(mem, MIB(2), MIB(32)) == 0, "zero what is zero already");
    eq_int(resident(mem, &ranges[1]), 0, "... touches nothing");
    ok(memory_write(mem, MIB(32), "x", 1) == 0 && resident(mem, &ranges[1]) > 0, "a write does");
    ok(memory_reset(mem) == 0 && resident(mem, &ranges[1]) == 0, "a reset gives the pages back");

    ok(ranges[0].fd >= 0 && fstat(ranges[0].fd, &st) == 0 && st.st_size == (off_t)MIB(64),
       "the fd has RAM's size");
    ok(ranges[1].fd == ranges[0].fd && ranges[1].fd_offset == 0xc0000, "ranges know their offset");
    ok(memory_write(mem, MIB(5), "Q", 1) == 0 && pread(ranges[1].fd, &c, 1, MIB(5)) == 1 &&
           c == 'Q',
       "who has the fd sees the same memory");
    ok(ftruncate(ranges[0].fd, 4096) != 0, "nobody can shrink it");
    memory_free(mem);
    mem = make(MIB(4), MEMORY_ANONYMOUS);
    memory_ranges(mem, ranges, 2);
    eq_int(ranges[0].fd, -1, "anonymous RAM has no fd");
    memory_free(mem);
}

int
main(void)
{
    test_sizes();
    test_bad_config();
    test_hugetlb(NULL);
    test_hugetlbfs();
    test_access(MEMORY_ANONYMOUS);
    test_access(MEMORY_MEMFD);
    test_untouched();
    memory_free(NULL);
    return done_testing();
}
