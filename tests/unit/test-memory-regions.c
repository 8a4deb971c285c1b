/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-memory-regions.c - regions that come, move and go: what KVM is told, what access finds, and
 * the dirty log. A recorder stands in for KVM.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/error.h"
#include "core/memory/memory.h"
#include "tests/tap.h"

#define MIB(n) (UINT64_C(1048576) * (n))

/* KVM's side: what each slot is now. Like KVM it refuses overlaps and changes of a live slot. */
static struct slot {
    uint64_t gpa, len;
    uint32_t flags;
    void *hva;
    uint64_t dirty[64];
} slots[MEMORY_REGIONS_MAX];
static unsigned slot_calls;
static int refuse; /* this many calls from now on one fails */
static bool broken;

static int
fake_set_slot(void *ctx, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t len, void *hva)
{
    struct slot *s = &slots[slot];

    slot_calls++;
    if (ctx != slots || (refuse && --refuse == 0))
        return -ENOSPC;
    for (unsigned i = 0; len && i < MEMORY_REGIONS_MAX; i++)
        if (i != slot && slots[i].len && gpa < slots[i].gpa + slots[i].len &&
            slots[i].gpa < gpa + len)
            broken = true;
    if (s->len && len && (s->len != len || s->gpa != gpa || s->hva != hva))
        broken = true;
    if (!s->len && !len)
        broken = true;
    *s = (struct slot){.gpa = gpa, .len = len, .flags = flags, .hva = hva};
    return 0;
}

static int
fake_get_dirty(void *ctx, uint32_t slot, uint64_t *bitmap)
{
    struct slot *s = &slots[slot];

    (void)ctx;
    if (!(s->flags & MEMORY_SLOT_LOG_DIRTY))
        return -ENOENT;
    for (unsigned i = 0; i < (s->len / 4096 + 63) / 64; i++)
        bitmap[i] = s->dirty[i];
    memset(s->dirty, 0, sizeof(s->dirty));
    return 0;
}

static const struct memory_slot_ops fake_ops = {fake_set_slot, fake_get_dirty};

static struct slot *
slot_at(uint64_t gpa)
{
    for (unsigned i = 0; i < MEMORY_REGIONS_MAX; i++)
        if (slots[i].len && slots[i].gpa == gpa)
            return &slots[i];
    return NULL;
}

static struct memory *
make(bool attach)
{
    struct memory_config config = {.size_bytes = MIB(64)};
    struct memory *mem = memory_new(&config, NULL);

    memset(slots, 0, sizeof(slots));
    slot_calls = 0;
    if (!mem || (attach && !memory_attach(mem, &fake_ops, slots, NULL)))
        abort();
    return mem;
}

static struct memory_region *
region(struct memory *mem, enum memory_kind kind, uint64_t len)
{
    struct memory_region *r = memory_region_new(mem, kind, "card", len, NULL);

    if (!r)
        abort();
    return r;
}

static void
test_place(void)
{
    struct memory *mem = make(true);
    struct memory_region *a = region(mem, MEMORY_DEVICE, MIB(1));
    struct memory_region *b = region(mem, MEMORY_DEVICE, 4096);
    uint64_t at = 1;
    char c = 0;

    eq_int(slot_calls, 2, "attach pushes RAM");
    ok(!memory_region_placed(a, &at) && at == 1, "a new region is nowhere");
    eq_int(memory_region_len(a), MIB(1), "... has its length");
    eq_str(memory_region_name(a), "card", "... and its name");
    eq_int(memory_region_place(a, 0xe0000000), 0, "place it");
    ok(slot_at(0xe0000000) && slot_at(0xe0000000)->hva == memory_region_host(a),
       "... KVM has the slot");
    ok(memory_region_placed(a, &at) && at == 0xe0000000, "... it knows where it is");
    ok(memory_region_at(mem, 0xe0000000 + 5) == a && !memory_region_at(mem, 0xe0100000),
       "... and can be found by address");
    ok(memory_write(mem, 0xe0000007, "x", 1) == 0 && ((char *)memory_region_host(a))[7] == 'x',
       "... and written");
    eq_int(memory_region_place(a, 0xd0000000), 0, "move it");
    ok(!slot_at(0xe0000000) && slot_at(0xd0000000), "... KVM moved the slot");
    ok(memory_read(mem, 0xe0000007, &c, 1) == -EFAULT, "... nothing is left behind");
    ok(memory_read(mem, 0xd0000007, &c, 1) == 0 && c == 'x', "... its bytes came along");
    slot_calls = 0;
    ok(memory_region_place(a, 0xd0000000) == 0 && slot_calls == 0,
       "placing it there again: nothing");

    eq_int(memory_region_place(b, 0xd00ff000), -EBUSY, "onto another region");
    eq_int(memory_region_place(b, MIB(63)), -EBUSY, "onto RAM");
    eq_int(memory_region_place(b, 0), -EBUSY, "onto RAM at 0");
    eq_int(memory_region_place(b, 0xd0000800), -EINVAL, "not aligned");
    eq_int(memory_region_place(a, UINT64_MAX - 4095), -EINVAL, "end past 2^64");
    ok(!memory_region_placed(b, &at), "... it is nowhere");
    eq_int(memory_region_place(b, UINT64_MAX - 4095), 0, "the last page there is");
    eq_int(memory_write(mem, UINT64_MAX, "z", 1), 0, "... its last byte");
    eq_int(memory_write(mem, UINT64_MAX, "zz", 2), -EFAULT, "... does not wrap to RAM");
    eq_int(memory_region_place(b, 0xd0100000), 0, "right behind another");
    eq_int(memory_write(mem, 0xd00ffffe, "abcd", 4), 0, "a write over both");
    ok(((char *)memory_region_host(a))[MIB(1) - 1] == 'b' &&
           ((char *)memory_region_host(b))[0] == 'c',
       "... reaches both");
    eq_int(memory_region_place(a, 0xd0080000), -EBUSY, "a move onto a neighbour");
    ok(memory_region_placed(a, &at) && at == 0xd0000000, "... stays where it was");
    eq_int(memory_region_place(a, 0xcfff0000), 0, "a move that overlaps its own old place");
    ok(slot_at(0xcfff0000), "... is done");
    eq_int(memory_region_place(b, 0xa0000), 0, "where RAM never is");

    eq_str(memory_overlap(mem, 0xa0fff, 1), "card", "overlap names the region");
    eq_str(memory_overlap(mem, 0x9ffff, 2), "RAM below 640 KiB", "... and RAM");
    ok(!memory_overlap(mem, 0xa1000, 0x1f000), "no overlap beside it");
    ok(!memory_overlap(mem, 0, 0), "nothing overlaps nothing");
    ok(memory_overlap(mem, 0xa1000, UINT64_MAX), "a length past 2^64 is cut");
    memory_region_unplace(b);
    ok(!slot_at(0xa0000) && memory_write(mem, 0xa0000, "x", 1) == -EFAULT, "unplace");
    memory_region_unplace(b);
    memory_region_free(a);
    ok(!slot_at(0xcfff0000) && !memory_region_at(mem, 0xcfff0000), "free takes it out");
    ok(!broken, "KVM never saw slots overlap, change in place or be deleted twice");
    memory_detach(mem);
    memory_free(mem);
}

static void
test_alias(void)
{
    struct memory *mem = make(true);
    struct memory_region *a = region(mem, MEMORY_DEVICE, MIB(1)), *alias;
    g_autoptr(GError) error = NULL;
    uint8_t bits[2] = {0};
    char c = 0;

    ok(!memory_region_new_alias(a, MIB(1) - 4096, 8192, "far", &error) && error,
       "an alias lies within its region");
    g_clear_error(&error);
    ok(!memory_region_new_alias(a, 0, 100, "odd", &error) && error, "and is whole pages");
    g_clear_error(&error);
    alias = memory_region_new_alias(a, 0x8000, 0x10000, "alias", &error);
    ok(alias != NULL && memory_region_host(alias) == (char *)memory_region_host(a) + 0x8000,
       "a part of a region, again");
    eq_int(memory_region_log(alias, true), 0, "it has a log of its own");
    eq_int(memory_region_place(a, 0xe0000000), 0, "the region is placed");
    eq_int(memory_region_place(alias, 0xa0000), 0, "the alias somewhere else");
    eq_int(memory_write(mem, 0xa1234, "q", 1), 0, "a write through it");
    ok(memory_read(mem, 0xe0009234, &c, 1) == 0 && c == 'q', "is seen in the region");
    eq_int(memory_region_fetch_dirty(alias, 0, 0x10000, bits), 1, "and in its log");
    eq_int(bits[0], 2, "on its page");
    memory_region_unplace(alias);
    ok(memory_read(mem, 0xe0009234, &c, 1) == 0 && c == 'q', "the region stays without it");
    memory_region_free(alias);
    eq_int(memory_write(mem, 0xe0009234, "r", 1), 0, "also when it is gone");
    memory_region_free(a);
    ok(!broken, "KVM never saw slots overlap, change in place or be deleted twice");
    memory_detach(mem);
    memory_free(mem);
}

static void
test_refusals(void)
{
    struct memory *mem = make(true);
    struct memory_region *a = region(mem, MEMORY_DEVICE, MIB(1));
    g_autoptr(GError) error = NULL;
    uint64_t at;

    refuse = 1;
    eq_int(memory_region_place(a, 0xe0000000), -ENOSPC, "KVM refuses a new slot");
    ok(!memory_region_placed(a, &at) && !memory_region_at(mem, 0xe0000000), "... it is nowhere");
    eq_int(memory_region_place(a, 0xe0000000), 0, "next time it works");
    refuse = 2;
    eq_int(memory_region_place(a, 0xe8000000), -ENOSPC, "KVM refuses the new place of a move");
    ok(memory_region_at(mem, 0xe0000000) == a && slot_at(0xe0000000),
       "... it is back where it was");
    refuse = 1;
    ok(memory_region_log(a, true) == -ENOSPC, "KVM refuses the log");
    eq_int(memory_region_fetch_dirty(a, 0, 4096, (uint8_t[1]){0}), -EINVAL, "... it is not on");
    memory_detach(mem);
    ok(memory_region_place(a, 0xe8000000) == 0 && !slot_at(0xe8000000),
       "detached: KVM is not told");
    memset(slots, 0, sizeof(slots));
    refuse = 3;
    ok(!memory_attach(mem, &fake_ops, slots, &error) && error->code == CORE_ERROR_HOST,
       "attach is refused: %s", error ? error->message : "?");
    ok(error && strstr(error->message, "card") && strstr(error->message, "0xe8000000"),
       "... and says which region");
    refuse = 0;
    memory_free(mem);

    mem = make(false);
    g_clear_error(&error);
    ok(!memory_region_new(mem, MEMORY_ROM, "bad", 100, &error) && error->code == CORE_ERROR_CONFIG,
       "a length that is no multiple of 4 KiB: %s", error ? error->message : "?");
    g_clear_error(&error);
    ok(!memory_region_new(mem, MEMORY_ROM, "bad", 0, &error), "no length");
    g_clear_error(&error);
    ok(!memory_region_new(mem, MEMORY_ROM, "bad", UINT64_MAX & ~UINT64_C(4095), &error),
       "a length that no host has");
    g_clear_error(&error);
    for (unsigned i = 0; i < MEMORY_REGIONS_MAX - 2; i++) {
        a = region(mem, MEMORY_DEVICE, 4096);
        if (memory_region_place(a, 0x100000000 + (uint64_t)((i * 37) % 254) * 4096))
            broken = true;
    }
    ok(!broken, "as many regions as there may be, placed in any order");
    for (unsigned i = 0; i < MEMORY_REGIONS_MAX - 2; i++)
        if (!memory_region_at(mem, 0x100000000 + (uint64_t)i * 4096))
            broken = true;
    ok(!broken, "... and each is found");
    ok(!memory_region_new(mem, MEMORY_DEVICE, "one more", 4096, &error) &&
           strstr(error->message, "too many"),
       "one more: %s", error ? error->message : "?");
    memory_region_free(NULL);
    memory_free(mem);
}

static void
test_rom(void)
{
    struct memory *mem = make(true);
    struct memory_region *rom = region(mem, MEMORY_ROM, 65536);
    uint64_t got = 0;
    void *p = NULL;
    char c = 0;

    strcpy(memory_region_host(rom), "pristine");
    eq_int(memory_region_place(rom, 0xffff0000), 0, "a ROM that ends at 4 GiB");
    eq_int(slot_at(0xffff0000)->flags, MEMORY_SLOT_READONLY, "... KVM has it read-only");
    ok(memory_read(mem, 0xffff0000, &c, 1) == 0 && c == 'p', "... can be read");
    eq_int(memory_write(mem, 0xffff0000, "X", 1), -EFAULT, "... not written");
    eq_int(memory_zero(mem, 0xffff0000, 4096), -EFAULT, "... nor zeroed");
    eq_int(memory_map(mem, 0xffff0000, 1, true, &p, &got), -EFAULT, "... nor mapped for writing");
    eq_int(memory_map(mem, 0xffff0000, UINT64_MAX, false, &p, &got), 0, "... mapped for reading");
    eq_int(got, 65536, "... to its end");
    eq_int(memory_region_seal(rom), 0, "seal");
    ok(memory_reset(mem) == 0 && memory_read(mem, 0xffff0000, &c, 1) == 0 && c == 'p',
       "a reset of RAM leaves it alone");
    eq_int(memory_region_seal(memory_region_at(mem, 0)), -EINVAL, "RAM cannot be sealed");
    memory_detach(mem);
    memory_free(mem);
}

static int64_t
fetch(struct memory_region *r, uint64_t off, uint64_t len, uint64_t *ret_bits)
{
    uint8_t bits[64];
    int64_t n;

    memset(bits, 0xff, sizeof(bits));
    n = memory_region_fetch_dirty(r, off, len, bits);
    memcpy(ret_bits, bits, 8);
    if (n >= 0 && len / 4096 < 64)
        *ret_bits &= (UINT64_C(1) << (len + 4095) / 4096) - 1;
    return n;
}

static void
test_dirty(void)
{
    struct memory *mem = make(true);
    struct memory_region *r = region(mem, MEMORY_DEVICE, MIB(1)), *ram = memory_region_at(mem, 0);
    const uint64_t at = 0xe0000000;
    uint64_t bits = 0;

    ok(memory_region_place(r, at) == 0, "a region of 256 pages");
    eq_int(fetch(r, 0, MIB(1), &bits), -EINVAL, "without a log there is nothing to fetch");
    eq_int(memory_region_log(r, false), -EINVAL, "... nothing to stop");
    ok(memory_write(mem, at, "x", 1) == 0, "a write before the log");
    eq_int(memory_region_log(r, true), 0, "start it");
    eq_int(slot_at(at)->flags, MEMORY_SLOT_LOG_DIRTY, "... in KVM too");
    eq_int(fetch(r, 0, MIB(1), &bits), 0, "all is clean");
    ok(memory_write(mem, at + 4095, "xy", 2) == 0, "a write over two pages");
    ok(fetch(r, 0, 8 * 4096, &bits) == 2 && bits == 3, "... marks both");
    eq_int(fetch(r, 0, MIB(1), &bits), 0, "... and a fetch clears them");
    slot_at(at)->dirty[0] = 0x10;
    memory_mark_dirty(mem, at + 7 * 4096, 1);
    ok(fetch(r, 0, 64 * 4096, &bits) == 2 && bits == 0x90, "KVM's log and a marked page together");
    slot_at(at)->dirty[3] = UINT64_C(1) << 63;
    ok(fetch(r, 255 * 4096, 4096, &bits) == 1 && bits == 1, "only the last page");
    memory_mark_dirty(mem, at + 60 * 4096, 10 * 4096);
    ok(fetch(r, 62 * 4096, 4 * 4096, &bits) == 4 && bits == 0xf, "the middle of a marked range");
    ok(fetch(r, 56 * 4096, 16 * 4096, &bits) == 6 && bits == 0x3c30, "... the rest is still there");
    memory_mark_dirty(mem, at + MIB(1) - 1, 4096);
    eq_int(fetch(r, 0, MIB(1), &bits), 1, "marking past the end marks up to it");
    memory_mark_dirty(mem, 0xc0000000, UINT64_MAX);
    memory_mark_dirty(mem, at, 0);
    eq_int(fetch(r, 0, MIB(1), &bits), 0, "marking what is no region marks nothing");
    memory_mark_dirty(mem, at, UINT64_MAX);
    eq_int(fetch(r, 0, MIB(1), &bits), 256, "a huge length marks the region");
    ok(memory_zero(mem, at + 4096, 8192) == 0 && fetch(r, 0, 32768, &bits) == 2 && bits == 6,
       "zeroing is a write");
    eq_int(fetch(r, 100, 4096, &bits), -EINVAL, "an offset that is no page's");
    eq_int(fetch(r, 0, MIB(1) + 1, &bits), -EINVAL, "a length past the end");
    eq_int(fetch(r, MIB(1) + 4096, 1, &bits), -EINVAL, "an offset past the end");
    eq_int(fetch(r, MIB(1), 0, &bits), 0, "no length");
    eq_int(fetch(r, 4096, UINT64_MAX, &bits), -EINVAL, "a length that overflows");

    ok(memory_region_log(r, true) == 0 && memory_region_log(r, false) == 0, "a second user");
    eq_int(slot_at(at)->flags, MEMORY_SLOT_LOG_DIRTY, "... the log is still on");
    ok(memory_region_place(r, at + MIB(16)) == 0, "a move");
    eq_int(slot_at(at + MIB(16))->flags, MEMORY_SLOT_LOG_DIRTY, "... takes the log along");
    eq_int(fetch(r, 0, MIB(1), &bits), 256, "... and marks everything");
    eq_int(memory_region_log(r, false), 0, "stop it");
    eq_int(slot_at(at + MIB(16))->flags, 0, "... in KVM too");
    memory_mark_dirty(mem, at + MIB(16), 1);
    ok(memory_region_log(r, true) == 0 && fetch(r, 0, MIB(1), &bits) == 0, "a new log is clean");

    ok(memory_region_log(ram, true) == 0, "a log on RAM");
    ok(memory_write(mem, 0x5000, "x", 1) == 0 && fetch(ram, 0, 0x10000, &bits) == 1 && bits == 0x20,
       "... works the same");
    ok(memory_reset(mem) == 0 && fetch(ram, 0, 0xa0000, &bits) == 0xa0,
       "... a reset writes it all");
    memory_region_free(r);
    memory_detach(mem);
    memory_free(mem);
}

/*
 * One thread moves a region to and fro over others, so that their places in the table shift; other
 * threads read, map and mark meanwhile: no torn look-up ever.
 */
enum { BYSTANDERS = 40 };
static struct memory *shared;
static atomic_bool stop;
static atomic_uint wrong, hits;

static void *
reader(void *arg)
{
    uint64_t v, got;
    void *p;

    (void)arg;
    while (!atomic_load(&stop)) {
        /* RAM on both sides of the moving region is always there. */
        if (memory_read(shared, 0x2000, &v, 8) != 0 || v != 0x1122334455667788)
            atomic_fetch_add(&wrong, 1);
        if (memory_map(shared, MIB(64) - 8, 64, true, &p, &got) != 0 || got != 8)
            atomic_fetch_add(&wrong, 1);
        for (unsigned i = 0; i < BYSTANDERS; i++)
            if (memory_read(shared, 0xe1000000 + i * MIB(1), &v, 8) != 0 || v != i)
                atomic_fetch_add(&wrong, 1);
        for (unsigned i = 0; i < 2; i++) {
            int err = memory_read(shared, 0xe0000000 + i * MIB(64) + 8, &v, 8);

            if (err == 0)
                atomic_fetch_add(&hits, 1);
            if (err ? err != -EFAULT : v != 0xfeedface)
                atomic_fetch_add(&wrong, 1);
            memory_mark_dirty(shared, 0xe0000000 + i * MIB(64), 4096);
        }
    }
    return NULL;
}

static void
test_threads(void)
{
    struct memory_region *r;
    pthread_t threads[3];
    uint8_t bits[32];
    unsigned moves = 0;

    shared = make(true);
    r = region(shared, MEMORY_DEVICE, MIB(1));
    ((uint64_t *)memory_region_host(r))[1] = 0xfeedface;
    if (memory_write(shared, 0x2000, &(uint64_t){0x1122334455667788}, 8) ||
        memory_region_log(r, true))
        abort();
    for (uint64_t i = 0; i < BYSTANDERS; i++) {
        struct memory_region *other = region(shared, MEMORY_DEVICE, 4096);

        if (memory_region_place(other, 0xe1000000 + i * MIB(1)) ||
            memory_write(shared, 0xe1000000 + i * MIB(1), &i, 8))
            abort();
    }
    for (unsigned i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, reader, NULL);
    while (moves < 20000 || (atomic_load(&hits) < 100 && moves < 10000000)) {
        if (memory_region_place(r, 0xe0000000 + (moves % 2) * MIB(64)) != 0 ||
            memory_region_fetch_dirty(r, 0, MIB(1), bits) < 0)
            atomic_fetch_add(&wrong, 1);
        moves++;
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    eq_int(atomic_load(&wrong), 0, "no access goes wrong while a region moves under it");
    ok(atomic_load(&hits) >= 100, "... and some of them met it");
    memory_detach(shared);
    memory_free(shared);
}

int
main(void)
{
    test_place();
    test_alias();
    test_refusals();
    test_rom();
    test_dirty();
    test_threads();
    return done_testing();
}
