/* SPDX-License-Identifier: BSD-3-Clause */
/* chains.c - descriptors and indirect tables that a driver must not make. */
#include <string.h>

#include "hostile.h"

#define NEXT  BPT_DESC_NEXT
#define WRITE BPT_DESC_WRITE
#define INDIR BPT_DESC_INDIRECT

#define RAM_END  (UINT64_C(8) << 20)
#define HIGH     (UINT64_C(1) << 32)
#define HIGH_END (HIGH + (1 << 20))

/* An indirect table at buf + 8192. */
static void
table(struct attack *x, uint32_t i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
    struct bpt_desc *d = bpt_ram(x->m, x->buf + 8192, 32768);

    d[i] = (struct bpt_desc){addr, len, flags, next};
}

static void
offer_table(struct attack *x, uint32_t len)
{
    fill_desc(x, 0, x->buf + 8192, len, INDIR, 0);
    offer(x, 0);
}

static void
loop_self(struct attack *x)
{
    fill_desc(x, 0, x->buf, 16, NEXT, 0);
    offer(x, 0);
}

static void
loop_two(struct attack *x)
{
    fill_desc(x, 3, x->buf, 16, NEXT | WRITE, 5);
    fill_desc(x, 5, x->buf, 16, NEXT | WRITE, 3);
    offer(x, 3);
}

static void
next_beyond(struct attack *x)
{
    fill_desc(x, 0, x->buf, 16, NEXT, (uint16_t)x->q->num);
    offer(x, 0);
}

static void
next_ffff(struct attack *x)
{
    fill_desc(x, 0, x->buf, 16, NEXT, 0xffff);
    offer(x, 0);
}

static void
no_length(struct attack *x)
{
    fill_desc(x, 0, x->buf, 0, 0, 0);
    offer(x, 0);
}

static void
no_length_second(struct attack *x)
{
    fill_desc(x, 0, x->buf, 16, NEXT, 1);
    fill_desc(x, 1, x->buf, 0, WRITE, 0);
    offer(x, 0);
}

static void
beyond_ram(struct attack *x)
{
    fill_desc(x, 0, HIGH_END, 16, WRITE, 0);
    offer(x, 0);
}

static void
in_the_hole(struct attack *x)
{
    fill_desc(x, 0, RAM_END + 4096, 16, WRITE, 0);
    offer(x, 0);
}

static void
over_the_end(struct attack *x)
{
    fill_desc(x, 0, RAM_END - 8, 16, WRITE, 0);
    offer(x, 0);
}

static void
over_the_end_long(struct attack *x)
{
    fill_desc(x, 0, RAM_END - 4096, 0xffffffff, WRITE, 0);
    offer(x, 0);
}

static void
below_high(struct attack *x)
{
    fill_desc(x, 0, HIGH - 8, 16, WRITE, 0);
    offer(x, 0);
}

static void
wraps(struct attack *x)
{
    fill_desc(x, 0, UINT64_MAX - 7, 16, WRITE, 0);
    offer(x, 0);
}

static void
all_ones(struct attack *x)
{
    fill_desc(x, 0, UINT64_MAX, 0xffffffff, WRITE, 0);
    offer(x, 0);
}

static void
at_registers(struct attack *x)
{
    uint64_t at = bpt_where(x->m, "dev0", bpt_virtio_is_pci(x->v) ? "virtio-pci" : "virtio-mmio");

    fill_desc(x, 0, at, 16, WRITE, 0);
    offer(x, 0);
}

static void
four_gib(struct attack *x)
{
    for (uint16_t i = 0; i < 3; i++)
        fill_desc(x, i, HIGH, 0x80000000, (uint16_t)(WRITE | (i < 2 ? NEXT : 0)),
                  (uint16_t)(i + 1));
    offer(x, 0);
}

static void
four_gib_out(struct attack *x)
{
    for (uint16_t i = 0; i < 2; i++)
        fill_desc(x, i, HIGH, 0xffffffff, i ? 0 : NEXT, 1);
    offer(x, 0);
}

static void
write_then_read(struct attack *x)
{
    fill_desc(x, 0, x->buf, 16, NEXT | WRITE, 1);
    fill_desc(x, 1, x->buf, 16, 0, 0);
    offer(x, 0);
}

static void
reserved_flags(struct attack *x)
{
    fill_desc(x, 0, x->buf, 16, (uint16_t)(0xfff8 | NEXT), 1);
    fill_desc(x, 1, x->buf + 4096, 16, (uint16_t)(0xfff8 | WRITE), 0xffff);
    offer(x, 0);
}

static void
whole_table(struct attack *x)
{
    for (uint32_t i = 0; i < x->q->num; i++)
        fill_desc(x, i, x->buf + i, 1, i + 1 < x->q->num ? NEXT : 0, (uint16_t)(i + 1));
    offer(x, 0);
}

static void
changed_in_flight(struct attack *x)
{
    x->toy->hold = 1;
    offer(x, good_chain(x, 0));
    for (uint32_t i = 0; i < x->q->num; i++)
        fill_desc(x, i, UINT64_MAX - 1, 0xffffffff, NEXT | INDIR | WRITE, 0xffff);
    toy_finish(x->toy);
}

static void
too_long_for_device(struct attack *x)
{
    x->toy->cap = 4;
    for (uint32_t i = 0; i < 5; i++)
        fill_desc(x, i, x->buf + 4096 * i, 16, i < 4 ? NEXT : 0, (uint16_t)(i + 1));
    offer(x, 0);
}

/* ---- Indirect ---- */

static void
not_negotiated(struct attack *x)
{
    table(x, 0, x->buf, 16, 0, 0);
    offer_table(x, 16);
}

static void
table_empty(struct attack *x)
{
    table(x, 0, x->buf, 16, 0, 0);
    offer_table(x, 0);
}

static void
table_15(struct attack *x)
{
    table(x, 0, x->buf, 16, 0, 0);
    offer_table(x, 15);
}

static void
table_17(struct attack *x)
{
    table(x, 0, x->buf, 16, 0, 0);
    offer_table(x, 17);
}

static void
table_outside(struct attack *x)
{
    fill_desc(x, 0, HIGH_END + 4096, 16, INDIR, 0);
    offer(x, 0);
}

static void
table_over_end(struct attack *x)
{
    struct bpt_desc *d = bpt_ram(x->m, RAM_END - 16, 16);

    *d = (struct bpt_desc){x->buf, 16, NEXT, 1};
    fill_desc(x, 0, RAM_END - 16, 32, INDIR, 0);
    offer(x, 0);
}

static void
table_wraps(struct attack *x)
{
    fill_desc(x, 0, UINT64_MAX - 15, 32, INDIR, 0);
    offer(x, 0);
}

static void
table_huge(struct attack *x)
{
    table(x, 0, x->buf, 16, NEXT, 0xffff);
    offer_table(x, 0xfffffff0);
}

static void
table_nested(struct attack *x)
{
    table(x, 0, x->buf, 16, NEXT, 1);
    table(x, 1, x->buf + 8192, 16, INDIR, 0);
    offer_table(x, 32);
}

static void
table_and_next(struct attack *x)
{
    table(x, 0, x->buf, 16, 0, 0);
    fill_desc(x, 0, x->buf + 8192, 16, INDIR | NEXT, 1);
    fill_desc(x, 1, x->buf, 16, WRITE, 0);
    offer(x, 0);
}

static void
table_and_write(struct attack *x)
{
    table(x, 0, x->buf, 16, NEXT, 1);
    table(x, 1, x->buf + 4096, 16, WRITE, 0);
    fill_desc(x, 0, x->buf + 8192, 32, INDIR | WRITE, 0);
    offer(x, 0);
}

static void
table_loop(struct attack *x)
{
    table(x, 0, x->buf, 16, NEXT, 1);
    table(x, 1, x->buf, 16, NEXT, 0);
    offer_table(x, 32);
}

static void
table_next_beyond(struct attack *x)
{
    table(x, 0, x->buf, 16, NEXT, 2);
    table(x, 2, x->buf, 16, 0, 0);
    offer_table(x, 32);
}

static void
table_after_chain(struct attack *x)
{
    table(x, 0, x->buf + 4096, 16, WRITE, 0);
    fill_desc(x, 7, x->buf, 16, NEXT, 9);
    fill_desc(x, 9, x->buf + 8192, 16, INDIR, 0);
    offer(x, 7);
}

static void
table_unaligned(struct attack *x)
{
    struct bpt_desc d = {x->buf, 16, 0, 0};

    memcpy(bpt_ram(x->m, x->buf + 8195, 16), &d, 16);
    fill_desc(x, 0, x->buf + 8195, 16, INDIR, 0);
    offer(x, 0);
}

static void
table_over_pages(struct attack *x)
{
    struct bpt_desc *d = bpt_ram(x->m, x->buf + 4096 * 3 - 16, 32);

    d[0] = (struct bpt_desc){x->buf, 16, NEXT, 1};
    d[1] = (struct bpt_desc){x->buf + 64, 16, WRITE, 0};
    fill_desc(x, 0, x->buf + 4096 * 3 - 16, 32, INDIR, 0);
    offer(x, 0);
}

static void
table_too_long(struct attack *x)
{
    for (uint32_t i = 0; i < 2048; i++)
        table(x, i, x->buf, 1, i < 2047 ? NEXT : 0, (uint16_t)(i + 1));
    offer_table(x, 2048 * 16);
}

/* The device writes over the table that it has read. */
static void
table_is_buffer(struct attack *x)
{
    table(x, 0, x->buf, 64, NEXT, 1);
    table(x, 1, x->buf + 8192, 64, WRITE, 0);
    memset(bpt_ram(x->m, x->buf, 64), 0xff, 64);
    offer_table(x, 32);
}

static void
table_is_ring(struct attack *x)
{
    fill_desc(x, 0, x->q->desc, 32, INDIR, 0);
    fill_desc(x, 1, x->buf, 16, 0, 0);
    offer(x, 0);
}

const struct hostile_case chain_cases[] = {
    CASE("a descriptor that is its own next (2.7.5.2)", NEEDS_RESET, loop_self),
    CASE("two descriptors that are each other's next (2.7.5.2)", NEEDS_RESET, loop_two),
    CASE("next just outside the table (2.7.5)", NEEDS_RESET, next_beyond),
    CASE("next far outside the table (2.7.5)", NEEDS_RESET, next_ffff),
    CASE("a buffer of no length (2.7.5)", NEEDS_RESET, no_length),
    CASE("a second buffer of no length (2.7.5)", NEEDS_RESET, no_length_second),
    CASE("a buffer behind all RAM (2.7.5)", NEEDS_RESET, beyond_ram),
    CASE("a buffer in the hole below 4 GiB (2.7.5)", NEEDS_RESET, in_the_hole),
    CASE("a buffer that leaves RAM (2.7.5)", NEEDS_RESET, over_the_end),
    CASE("a buffer that leaves RAM by 4 GiB (2.7.5)", NEEDS_RESET, over_the_end_long),
    CASE("a buffer that begins before RAM (2.7.5)", NEEDS_RESET, below_high),
    CASE("a buffer that wraps around 2^64 (2.7.5)", NEEDS_RESET, wraps),
    CASE("address and length all ones (2.7.5)", NEEDS_RESET, all_ones),
    CASE("a buffer over the device's own registers (2.7.5)", NEEDS_RESET, at_registers),
    CASE("6 GiB of device-writable buffers (2.7.5.2)", NEEDS_RESET, four_gib, .flags = BIG_RAM),
    CASE("8 GiB of device-readable buffers (2.7.5.2)", NEEDS_RESET, four_gib_out, .flags = BIG_RAM),
    CASE("a readable buffer after a writable one (2.7.4.2)", NEEDS_RESET, write_then_read),
    CASE("a table without the feature (2.7.5.3.1)", NEEDS_RESET, not_negotiated),
    CASE("an empty indirect table (2.7.5.3)", NEEDS_RESET, table_empty, IND),
    CASE("an indirect table of 15 bytes (2.7.5.3)", NEEDS_RESET, table_15, IND),
    CASE("an indirect table of 17 bytes (2.7.5.3)", NEEDS_RESET, table_17, IND),
    CASE("an indirect table outside RAM (2.7.5.3)", NEEDS_RESET, table_outside, IND),
    CASE("an indirect table that leaves RAM (2.7.5.3)", NEEDS_RESET, table_over_end, IND),
    CASE("an indirect table that wraps around 2^64 (2.7.5.3)", NEEDS_RESET, table_wraps, IND),
    CASE("an indirect table of 4 GiB (2.7.5.3)", NEEDS_RESET, table_huge, IND),
    CASE("an indirect table in an indirect table (2.7.5.3.1)", NEEDS_RESET, table_nested, IND),
    CASE("INDIRECT and NEXT at once (2.7.5.3.1)", NEEDS_RESET, table_and_next, IND),
    CASE("an indirect table that loops (2.7.5.2)", NEEDS_RESET, table_loop, IND),
    CASE("next outside an indirect table (2.7.5.3)", NEEDS_RESET, table_next_beyond, IND),
    CASE("an indirect table with more than the device takes (2.7.5.3.1)", NEEDS_RESET,
         table_too_long, IND),
    CASE("an indirect table that is the queue's own (2.7.5.3.1)", NEEDS_RESET, table_is_ring, IND),
};
const unsigned n_chain_cases = sizeof chain_cases / sizeof *chain_cases;

/* What only a device that takes any chain can show. */
const struct hostile_case toy_chain_cases[] = {
    CASE("reserved descriptor flags (2.7.5)", SERVED, reserved_flags),
    CASE("a chain as long as the queue (2.7.5.2)", SERVED, whole_table),
    CASE("descriptors changed while the device has them (2.7.5.1)", SERVED, changed_in_flight),
    CASE("a chain longer than the device takes (2.7.5.2)", NEEDS_RESET, too_long_for_device),
    CASE("INDIRECT and WRITE, which is to be ignored (2.7.5.3.2)", SERVED, table_and_write, IND),
    CASE("a table after other descriptors (2.7.5.3.2)", SERVED, table_after_chain, IND),
    CASE("an indirect table at an odd address", SERVED, table_unaligned, IND),
    CASE("an indirect table over two pages", SERVED, table_over_pages, IND),
    CASE("an indirect table that the device overwrites", SERVED, table_is_buffer, IND),
};
const unsigned n_toy_chain_cases = sizeof toy_chain_cases / sizeof *toy_chain_cases;
