/* SPDX-License-Identifier: BSD-3-Clause */
/* registers.c - status, features, queue set-up and interrupts used against the rules. */
#include <string.h>

#include "hostile.h"

#define ACK    1u
#define DRIVER 2u
#define READY  4u
#define FEATS  8u
#define FAILED 128u

static uint64_t
registers(struct attack *x)
{
    return bpt_where(x->m, "dev0", bpt_virtio_is_pci(x->v) ? "virtio-pci" : "virtio-mmio");
}

static void
serve(struct attack *x)
{
    x->used0 = bpt_vq_used(x->q)[1];
    offer(x, good_chain(x, 0));
}

/* ---- Status and features ---- */

static void
not_offered(struct attack *x)
{
    bpt_virtio_set_status(x->v, ACK | DRIVER);
    bpt_virtio_accept(x->v, F_VERSION | UINT64_C(1) << 50);
    bpt_virtio_set_status(x->v, ACK | DRIVER | FEATS);
    expect(x, !(bpt_virtio_status(x->v) & FEATS), "FEATURES_OK stands");
}

static void
no_version(struct attack *x)
{
    bpt_virtio_set_status(x->v, ACK | DRIVER);
    bpt_virtio_accept(x->v, F_INDIRECT);
    bpt_virtio_set_status(x->v, ACK | DRIVER | FEATS);
    expect(x, !(bpt_virtio_status(x->v) & FEATS), "FEATURES_OK stands");
}

static void
beyond_63(struct attack *x)
{
    uint64_t at = registers(x);

    bpt_virtio_set_status(x->v, ACK | DRIVER);
    bpt_virtio_accept(x->v, F_VERSION);
    bpt_mmio_write(x->m, at + (bpt_virtio_is_pci(x->v) ? 8 : 0x24), 4, 2);
    bpt_mmio_write(x->m, at + (bpt_virtio_is_pci(x->v) ? 12 : 0x20), 4, 1);
    bpt_virtio_set_status(x->v, ACK | DRIVER | FEATS);
    expect(x, !(bpt_virtio_status(x->v) & FEATS), "FEATURES_OK stands");
}

static void
incomplete_set(struct attack *x)
{
    bpt_virtio_set_status(x->v, ACK | DRIVER);
    bpt_virtio_accept(x->v, F_VERSION | TOY_F_ODD);
    bpt_virtio_set_status(x->v, ACK | DRIVER | FEATS);
    expect(x, !(bpt_virtio_status(x->v) & FEATS), "FEATURES_OK stands");
    /* Asking for less is a second chance. */
    bpt_virtio_accept(x->v, F_VERSION | TOY_F_ODD | TOY_F_EVEN);
    bpt_virtio_set_status(x->v, ACK | DRIVER | FEATS);
    expect(x, bpt_virtio_status(x->v) & FEATS, "FEATURES_OK falls");
}

static void
late_features(struct attack *x)
{
    bpt_virtio_accept(x->v, F_VERSION | TOY_F_ODD);
    expect(x, !(x->toy->features & TOY_F_ODD), "it took them");
    x->q->event_idx = 0;
    serve(x);
}

static void
no_features_ok(struct attack *x)
{
    bpt_virtio_set_status(x->v, ACK | DRIVER | READY);
    expect(x, !(bpt_virtio_status(x->v) & READY), "DRIVER_OK stands");
    expect(x, !x->toy->n_ready, "the device is ready");
}

static void
before_driver_ok(struct attack *x)
{
    bpt_vq_enable(x->q, 1);
    offer(x, good_chain(x, 0));
    expect(x, !x->toy->n_pop, "it used a buffer");
}

static void
clears_bits(struct attack *x)
{
    bpt_virtio_set_status(x->v, ACK);
    expect(x, bpt_virtio_status(x->v) == (ACK | DRIVER | FEATS | READY), "bits were cleared");
    serve(x);
}

static void
all_bits(struct attack *x)
{
    bpt_virtio_set_status(x->v, 0xff);
    serve(x);
    expect(x, !(bpt_virtio_status(x->v) & 64), "the driver can set NEEDS_RESET");
}

static void
gives_up(struct attack *x)
{
    bpt_virtio_set_status(x->v, ACK | DRIVER | FEATS | READY | FAILED);
    serve(x);
}

static void
ready_again(struct attack *x)
{
    for (int i = 0; i < 100; i++)
        bpt_virtio_driver_ok(x->v);
    expect(x, x->toy->n_ready == 1, "ready %u times", x->toy->n_ready);
    serve(x);
}

static void
reset_storm(struct attack *x)
{
    for (int i = 0; i < 300; i++)
        bpt_virtio_set_status(x->v, i & 1 ? 0 : rnd() & 0xff);
}

/* ---- Queues ---- */

static void
moves_queue(struct attack *x)
{
    struct bpt_vq moved = *x->q;

    moved.desc = moved.avail = moved.used = x->buf;
    moved.num = 2;
    bpt_vq_configure(&moved);
    serve(x);
}

static void
disables_queue(struct attack *x)
{
    bpt_vq_enable(x->q, 0);
    expect(x, bpt_vq_enabled(x->q), "it is disabled");
    serve(x);
}

static void
disables_mmio_queue(struct attack *x)
{
    bpt_vq_enable(x->q, 0);
    expect(x, !bpt_vq_enabled(x->q), "it is still ready");
    serve(x);
}

static void
no_such_queue(struct attack *x)
{
    struct bpt_vq other = *x->q;

    other.index = TOY_QUEUES;
    bpt_vq_configure(&other);
    bpt_vq_enable(&other, 1);
    expect(x, !bpt_vq_enabled(&other) && !bpt_virtio_queue_max(x->v, TOY_QUEUES), "it exists");
    other.index = 0xffff;
    bpt_vq_configure(&other);
    bpt_vq_enable(&other, 1);
    expect(x, !bpt_virtio_queue_max(x->v, 0xffff), "it exists");
}

static void
rings_no_queue(struct attack *x)
{
    struct bpt_vq other = *x->q;

    for (uint32_t i = 1; i < 70000; i += 1 + i / 4) {
        other.index = i;
        bpt_vq_notify(&other);
        bpt_poll(x->m, 0);
    }
    bpt_mmio_write(x->m, registers(x) + (bpt_virtio_is_pci(x->v) ? 0x3ffc : 0x50), 4, 0xffffffff);
    bpt_poll(x->m, 0);
}

static void
no_such_vector(struct attack *x)
{
    uint64_t at = registers(x);

    bpt_mmio_write(x->m, at + 16, 2, TOY_QUEUES + 1);
    expect(x, bpt_mmio_read(x->m, at + 16, 2) == 0xffff, "the configuration has it");
    bpt_virtio_reset(x->v);
    bpt_mmio_write(x->m, at + 22, 2, 0);
    bpt_mmio_write(x->m, at + 26, 2, 0x7fff);
    expect(x, bpt_mmio_read(x->m, at + 26, 2) == 0xffff, "a queue has it");
}

/* ---- Garbage ---- */

static void
every_register(struct attack *x)
{
    uint64_t at = registers(x);
    uint32_t end = bpt_virtio_is_pci(x->v) ? 0x4000 : 0x1000;

    for (uint32_t off = 0; off < end; off += (off & 0xfff) < 0x180 ? 1 : 0x111) {
        for (uint32_t width = 1; width <= 8; width *= 2) {
            bpt_mmio_read(x->m, at + off, width);
            bpt_mmio_write(x->m, at + off, width, (uint64_t)rnd() << 32 | rnd());
            bpt_mmio_read(x->m, at + off, width);
            bpt_mmio_write(x->m, at + off, width, UINT64_MAX);
        }
        bpt_poll(x->m, 0);
    }
}

static void
random_registers(struct attack *x)
{
    uint64_t at = registers(x);

    for (int i = 0; i < 5000; i++) {
        uint32_t width = 1u << rnd() % 4, off = rnd() % 0x110;
        uint64_t val = rnd() & 1 ? rnd() % 70 : x->buf;

        if (bpt_virtio_is_pci(x->v))
            off += 0x1000 * (rnd() % 4);
        if (rnd() & 1)
            bpt_mmio_write(x->m, at + off, width, val);
        else
            bpt_mmio_read(x->m, at + off, width);
        if (!(rnd() % 16))
            bpt_poll(x->m, 0);
    }
}

/* ---- PCI ---- */

static uint32_t
pci_cfg_cap(struct attack *x)
{
    uint32_t fn = bpt_virtio_devfn(x->v), cap = 0;

    while ((cap = bpt_pci_cap(x->m, fn, 9, cap)) && bpt_pci_read(x->m, fn, cap + 3, 1) != 5)
        ;
    return cap;
}

static void
window_garbage(struct attack *x)
{
    uint32_t fn = bpt_virtio_devfn(x->v), cap = pci_cfg_cap(x);

    for (int i = 0; i < 5000; i++) {
        uint32_t width = 1u << rnd() % 3, off = rnd() % 18 / width * width;

        if (off < 4)
            bpt_pci_write(x->m, fn, cap + 8, 4, rnd() % 0x4010);
        else if (off < 8)
            bpt_pci_write(x->m, fn, cap + 12, 4, 1u << rnd() % 4);
        bpt_pci_write(x->m, fn, cap + 2 + off, width, rnd() & 1 ? rnd() : rnd() % 16);
        bpt_pci_read(x->m, fn, cap + 2 + off, width);
    }
}

static void
msix_garbage(struct attack *x)
{
    uint32_t fn = bpt_virtio_devfn(x->v);

    for (int i = 0; i < 300; i++) {
        bpt_pci_msix_vector(x->m, fn, rnd() % 8, (uint64_t)rnd() << 32 | rnd(), rnd(), rnd() & 1);
        bpt_pci_msix_control(x->m, fn, rnd());
        serve(x);
    }
    x->used0--;
    bpt_pci_msix(x->m, fn);
}

static void
decoding_off(struct attack *x)
{
    uint32_t fn = bpt_virtio_devfn(x->v);

    bpt_pci_enable(x->m, fn, 0);
    serve(x); /* a notification into nothing */
    bpt_pci_enable(x->m, fn, 1);
    expect(x, x->toy->n_pop == 0, "it heard the notification");
    kick(x);
}

static void
bar_over_bar(struct attack *x)
{
    uint32_t fn = bpt_virtio_devfn(x->v), bar = bpt_pci_read(x->m, fn, 0x10, 4);

    bpt_pci_write(x->m, fn, 0x14, 4, bar); /* MSI-X over the registers */
    bpt_pci_write(x->m, fn, 0x10, 4, 0);   /* registers over RAM */
    bpt_pci_write(x->m, fn, 0x10, 4, 0xfee00000);
    bpt_pci_write(x->m, fn, 0x10, 4, 0xfffff000);
    bpt_pci_write(x->m, fn, 0x14, 4, bar + 0x100000);
    bpt_pci_write(x->m, fn, 0x10, 4, bar);
    serve(x);
}

/* ---- Configuration ---- */

static void
config_far(struct attack *x)
{
    for (uint32_t off = 0; off < 0xe00; off += 3) {
        bpt_virtio_config_write(x->v, off, 8, UINT64_MAX);
        expect(x, off < TOY_CONFIG || bpt_virtio_config(x->v, off, 8) == 0, "something is there");
    }
    serve(x);
}

const struct hostile_case register_cases[] = {
    CASE("a feature that was not offered (2.2.1)", IGNORED, not_offered, .flags = NO_SETUP),
    CASE("no VERSION_1 (6.1)", IGNORED, no_version, .flags = NO_SETUP),
    CASE("a feature beyond bit 63 (2.2.1)", IGNORED, beyond_63, .flags = NO_SETUP),
    CASE("a feature without the one it needs (2.2.1)", IGNORED, incomplete_set, .flags = NO_SETUP),
    CASE("features after FEATURES_OK (3.1.1)", SERVED, late_features),
    CASE("DRIVER_OK without FEATURES_OK (3.1.1)", IGNORED, no_features_ok, .flags = NO_SETUP),
    CASE("a notification before DRIVER_OK (3.1.1)", IGNORED, before_driver_ok, .flags = NO_ENABLE),
    CASE("clears status bits without a reset (2.1.1)", SERVED, clears_bits),
    CASE("sets all status bits (2.1)", IGNORED, all_bits),
    CASE("goes on after FAILED (2.1)", IGNORED, gives_up),
    CASE("sets DRIVER_OK again and again", SERVED, ready_again),
    CASE("resets in random states", ANY_END, reset_storm),
    CASE("changes a queue that is enabled (4.1.4.3.2, 4.2.2.2)", SERVED, moves_queue),
    CASE("writes 0 to queue_enable (4.1.4.3.2)", SERVED, disables_queue, .flags = ON_PCI),
    CASE("uses a queue that is not ready (4.2.2.2)", IGNORED, disables_mmio_queue,
         .flags = ON_MMIO),
    CASE("sets up queues that do not exist (4.1.4.3.2)", IGNORED, no_such_queue),
    CASE("notifies queues that do not exist (2.9)", IGNORED, rings_no_queue),
    CASE("a vector that does not exist (4.1.5.1.2)", IGNORED, no_such_vector, .flags = ON_PCI),
    CASE("every register in every width (4.1.3.1, 4.2.2.2)", ANY_END, every_register),
    CASE("random registers", ANY_END, random_registers),
    CASE("random accesses through PCI_CFG (4.1.4.9.2)", ANY_END, window_garbage, .flags = ON_PCI),
    CASE("random MSI-X tables and controls (4.1.5.1.2)", SERVED, msix_garbage, .flags = ON_PCI),
    CASE("decoding switched off under a running device", SERVED, decoding_off, .flags = ON_PCI),
    CASE("BARs over each other, over RAM and over the interrupt controllers", SERVED, bar_over_bar,
         .flags = ON_PCI),
    CASE("configuration behind its end (2.5)", SERVED, config_far),
};
const unsigned n_register_cases = sizeof register_cases / sizeof *register_cases;
