/* SPDX-License-Identifier: BSD-3-Clause */
/* test-memory-e820.c - the map that a guest is told: sorted, without overlaps, nothing lost. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>

#include "core/memory/e820.h"
#include "tests/tap.h"

#define MIB(n) (UINT64_C(1048576) * (n))
#define GIB(n) (UINT64_C(1073741824) * (n))

static struct memory *
make(uint64_t size)
{
    struct memory_config config = {.size_bytes = size};
    struct memory *mem = memory_new(&config, NULL);

    if (!mem)
        abort();
    return mem;
}

static void
check(struct e820 *map, const char *what, const struct e820_entry *want, unsigned n_want)
{
    unsigned n;
    const struct e820_entry *got = e820_entries(map, &n);
    bool same = n == n_want;

    for (unsigned i = 0; same && i < n; i++)
        same =
            got[i].base == want[i].base && got[i].len == want[i].len && got[i].type == want[i].type;
    if (!ok(same, "%s", what))
        for (unsigned i = 0; i < n; i++)
            printf("# %" PRIx64 "-%" PRIx64 " %u\n", got[i].base, got[i].base + got[i].len,
                   got[i].type);
}
#define CHECK(map, what, ...)                                                                      \
    do {                                                                                           \
        static const struct e820_entry want_[] = {__VA_ARGS__};                                    \
        check(map, what, want_, sizeof(want_) / sizeof(want_[0]));                                 \
    } while (0)

#define FIRST                                                                                      \
    {0, 0x9fc00, E820_RAM},                                                                        \
    {                                                                                              \
        0x9fc00, 0x60400, E820_RESERVED                                                            \
    }
#define ROM_AREA                                                                                   \
    {                                                                                              \
        0xfeffc000, 0x1004000, E820_RESERVED                                                       \
    }

static void
test_maps(void)
{
    struct memory *mem = make(MIB(256));
    struct e820 *map = e820_new(mem);

    CHECK(map, "256 MiB", FIRST, {MIB(1), MIB(255), E820_RAM}, ROM_AREA);
    eq_int(e820_reserve(map, MIB(255), MIB(1), E820_ACPI), 0, "tables at the end of RAM");
    CHECK(map, "... are cut out of it", FIRST, {MIB(1), MIB(254), E820_RAM},
          {MIB(255), MIB(1), E820_ACPI}, ROM_AREA);
    eq_int(e820_reserve(map, 0xe0000000, MIB(256), E820_RESERVED), 0, "a window in the hole");
    eq_int(e820_reserve(map, 0xb0000000, MIB(256), E820_RESERVED), 0, "... and one before it");
    CHECK(map, "... are sorted in", FIRST, {MIB(1), MIB(254), E820_RAM},
          {MIB(255), MIB(1), E820_ACPI}, {0xb0000000, MIB(256), E820_RESERVED},
          {0xe0000000, MIB(256), E820_RESERVED}, ROM_AREA);
    eq_int(e820_reserve(map, MIB(254) + 4096, MIB(1), E820_RESERVED), 0, "over RAM and tables");
    CHECK(map, "... RAM gives way, the higher type stays", FIRST,
          {MIB(1), MIB(253) + 4096, E820_RAM}, {MIB(254) + 4096, MIB(1) - 4096, E820_RESERVED},
          {MIB(255), MIB(1), E820_ACPI}, {0xb0000000, MIB(256), E820_RESERVED},
          {0xe0000000, MIB(256), E820_RESERVED}, ROM_AREA);
    eq_int(e820_reserve(map, 0xc0000000, GIB(1) / 2, E820_RESERVED), 0, "between two that touch");
    CHECK(map, "... equal neighbours become one", FIRST, {MIB(1), MIB(253) + 4096, E820_RAM},
          {MIB(254) + 4096, MIB(1) - 4096, E820_RESERVED}, {MIB(255), MIB(1), E820_ACPI},
          {0xb0000000, MIB(1024), E820_RESERVED}, ROM_AREA);
    e820_free(map);
    memory_free(mem);

    mem = make(GIB(5));
    map = e820_new(mem);
    CHECK(map, "5 GiB", FIRST, {MIB(1), GIB(3) - MIB(1), E820_RAM}, ROM_AREA,
          {GIB(4), GIB(2), E820_RAM});
    ok(e820_reserve(map, 0, 4096, E820_NVS) == 0 &&
           e820_reserve(map, GIB(5), 4096, E820_UNUSABLE) == 0,
       "holes at the start and in the middle");
    CHECK(map, "... split RAM", {0, 4096, E820_NVS}, {4096, 0x9ec00, E820_RAM},
          {0x9fc00, 0x60400, E820_RESERVED}, {MIB(1), GIB(3) - MIB(1), E820_RAM}, ROM_AREA,
          {GIB(4), GIB(1), E820_RAM}, {GIB(5), 4096, E820_UNUSABLE},
          {GIB(5) + 4096, GIB(1) - 4096, E820_RAM});
    ok(e820_is_ram(map, MIB(1), GIB(3) - MIB(1)), "is RAM: all of low RAM");
    ok(!e820_is_ram(map, MIB(1), GIB(3) - MIB(1) + 1), "... not a byte more");
    ok(!e820_is_ram(map, MIB(1) - 1, 2), "... nor before");
    ok(!e820_is_ram(map, GIB(5), 1), "... nor what was reserved");
    ok(!e820_is_ram(map, GIB(4), GIB(2)), "... nor across it");
    ok(e820_is_ram(map, GIB(6) - 1, 1) && !e820_is_ram(map, GIB(6), 1), "... the last byte");
    ok(!e820_is_ram(map, UINT64_MAX, 2), "... no wrap");
    ok(!e820_is_ram(map, MIB(1), UINT64_MAX), "... no overflow");
    e820_free(map);
    memory_free(mem);
}

static void
test_refused(void)
{
    struct memory *mem = make(MIB(4));
    struct e820 *map = e820_new(mem);

    eq_int(e820_reserve(map, 0x1000, 0, E820_RESERVED), -EINVAL, "nothing to reserve");
    eq_int(e820_reserve(map, UINT64_MAX, 2, E820_RESERVED), -EINVAL, "past 2^64");
    eq_int(e820_reserve(map, GIB(8), MIB(1), E820_RAM), -EINVAL, "RAM cannot be made up");
    eq_int(e820_reserve(map, GIB(8), MIB(1), 0), -EINVAL, "type 0");
    CHECK(map, "the map is as before", FIRST, {MIB(1), MIB(3), E820_RAM}, ROM_AREA);
    e820_free(map);
    e820_free(NULL);
    memory_free(mem);
}

/* Against the definition: each page has the highest type that anybody gave it. */
static void
test_random(void)
{
    enum { PAGES = 1024, ROUNDS = 200 };
    struct memory *mem = make(PAGES * 4096);
    unsigned bad = 0;
    uint32_t seed = 12345;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct e820 *map = e820_new(mem);
        uint8_t type[PAGES];
        const struct e820_entry *entries;
        unsigned n, known = 0;
        uint64_t end = 0;

        for (unsigned i = 0; i < PAGES; i++)
            type[i] = i >= 0xa0 && i < 0x100 ? E820_RESERVED : E820_RAM;
        for (unsigned i = 0; i < round % 20; i++) {
            uint32_t base, len, t;

            seed = seed * 1103515245 + 12345;
            base = 0x100 + (seed >> 8) % (PAGES - 0x100);
            seed = seed * 1103515245 + 12345;
            len = 1 + (seed >> 8) % (PAGES - base);
            t = 2 + (seed >> 4) % 4;
            if (e820_reserve(map, base * 4096, len * 4096, t))
                bad++;
            for (unsigned p = base; p < base + len; p++)
                type[p] = MAX(type[p], t);
        }
        entries = e820_entries(map, &n);
        for (unsigned i = 0; i < n; i++) {
            if (entries[i].base < end || entries[i].len == 0)
                bad++;
            end = entries[i].base + entries[i].len;
            for (uint64_t p = (entries[i].base + 4095) / 4096; p < PAGES && p < end / 4096; p++) {
                known++;
                if (type[p] != entries[i].type)
                    bad++;
            }
        }
        if (known != PAGES - 1) /* the page with 0x9fc00 in it is of two types */
            bad++;
        e820_free(map);
    }
    eq_int(bad, 0, "200 random maps: sorted, without overlap, each page of the highest type");
    memory_free(mem);
}

int
main(void)
{
    test_maps();
    test_refused();
    test_random();
    return done_testing();
}
