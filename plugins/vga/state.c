/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - the adapter's state, written and read back.
 *
 * Memory goes in pieces of 64 KiB, and a piece that is all zero not at all: a guest in a text mode
 * uses 256 KiB of the many MiB that there are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vga.h"

#define PIECE 0x10000u

/* One value a register that is no table. */
struct number {
    const char *key;
    uint64_t max, val;
};

enum {
    N_MISC,
    N_FEATURE,
    N_ENABLE,
    N_STATUS,
    N_SEQ_INDEX,
    N_GR_INDEX,
    N_CR_INDEX,
    N_AR_INDEX,
    N_AR_DATA,
    N_DAC_MASK,
    N_DAC_INDEX,
    N_DAC_PHASE,
    N_DAC_STATE,
    N_LATCH,
    N_DISPI_INDEX,
    N_BIG_ENDIAN,
    N_COUNT,
};

static void
numbers_of(const struct vga_regs *r, struct number n[N_COUNT])
{
    n[N_MISC] = (struct number){"misc", 0xff, r->misc};
    n[N_FEATURE] = (struct number){"feature", 0xff, r->feature};
    n[N_ENABLE] = (struct number){"enable", 1, r->enable};
    n[N_STATUS] = (struct number){"status", 0x09, r->status};
    n[N_SEQ_INDEX] = (struct number){"seq-index", 0xff, r->seq_index};
    n[N_GR_INDEX] = (struct number){"gr-index", 0xff, r->gr_index};
    n[N_CR_INDEX] = (struct number){"cr-index", 0xff, r->cr_index};
    n[N_AR_INDEX] = (struct number){"ar-index", 0x3f, r->ar_index};
    n[N_AR_DATA] = (struct number){"ar-data", 1, r->ar_data};
    n[N_DAC_MASK] = (struct number){"dac-mask", 0xff, r->dac_mask};
    n[N_DAC_INDEX] = (struct number){"dac-index", 0xff, r->dac_index};
    n[N_DAC_PHASE] = (struct number){"dac-phase", 2, r->dac_phase};
    n[N_DAC_STATE] = (struct number){"dac-state", 3, r->dac_state};
    n[N_LATCH] = (struct number){"latch", UINT32_MAX, r->latch};
    n[N_DISPI_INDEX] = (struct number){"dispi-index", 0xffff, r->dispi_index};
    n[N_BIG_ENDIAN] = (struct number){"big-endian", 1, r->big_endian};
}

static void
numbers_to(struct vga_regs *r, const struct number n[N_COUNT])
{
    r->misc = (uint8_t)n[N_MISC].val;
    r->feature = (uint8_t)n[N_FEATURE].val;
    r->enable = (uint8_t)n[N_ENABLE].val;
    r->status = (uint8_t)n[N_STATUS].val;
    r->seq_index = (uint8_t)n[N_SEQ_INDEX].val;
    r->gr_index = (uint8_t)n[N_GR_INDEX].val;
    r->cr_index = (uint8_t)n[N_CR_INDEX].val;
    r->ar_index = (uint8_t)n[N_AR_INDEX].val;
    r->ar_data = n[N_AR_DATA].val;
    r->dac_mask = (uint8_t)n[N_DAC_MASK].val;
    r->dac_index = (uint8_t)n[N_DAC_INDEX].val;
    r->dac_phase = (uint8_t)n[N_DAC_PHASE].val;
    r->dac_state = (uint8_t)n[N_DAC_STATE].val;
    r->latch = (uint32_t)n[N_LATCH].val;
    r->dispi_index = (uint16_t)n[N_DISPI_INDEX].val;
    r->big_endian = n[N_BIG_ENDIAN].val;
}

struct table {
    const char *key;
    void *p;
    uint64_t n;
};

enum { TABLES = 6 };

static void
tables_of(struct vga_regs *r, struct table t[TABLES])
{
    t[0] = (struct table){"seq", r->seq, sizeof r->seq};
    t[1] = (struct table){"gr", r->gr, sizeof r->gr};
    t[2] = (struct table){"cr", r->cr, sizeof r->cr};
    t[3] = (struct table){"ar", r->ar, sizeof r->ar};
    t[4] = (struct table){"dac", r->dac, sizeof r->dac};
    t[5] = (struct table){"dac-cache", r->dac_cache, sizeof r->dac_cache};
}

static const char *const dispi_keys[DISPI_COUNT] = {
    "id",         "xres",        "yres",     "bpp",      "enable", "bank",
    "virt-width", "virt-height", "x-offset", "y-offset", NULL,
};

static bool
is_zero(const uint8_t *p, uint32_t n)
{
    return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

int
vga_save(void *self, const struct bp_writer *w)
{
    const struct vga *vga = self;
    struct vga_regs r = vga->regs;
    struct number n[N_COUNT];
    struct table t[TABLES];
    char key[16];
    int err;

    numbers_of(&r, n);
    tables_of(&r, t);
    if ((err = w->section(w, "vga", 1, 1)))
        return err;
    for (unsigned i = 0; i < N_COUNT; i++)
        if ((err = w->u64(w, n[i].key, n[i].val)))
            return err;
    for (unsigned i = 0; i < TABLES; i++)
        if ((err = w->blob(w, t[i].key, t[i].p, t[i].n)))
            return err;
    if ((err = w->section(w, "dispi", 1, 1)))
        return err;
    for (unsigned i = 0; i < DISPI_COUNT; i++)
        if (dispi_keys[i] && (err = w->u64(w, dispi_keys[i], r.dispi[i])))
            return err;
    if ((err = w->section(w, "memory", 1, 1)) || (err = w->u64(w, "bytes", vga->ram_len)))
        return err;
    for (uint32_t at = 0; at < vga->ram_len; at += PIECE) {
        if (is_zero(vga->ram + at, PIECE))
            continue;
        snprintf(key, sizeof key, "%08x", at);
        if ((err = w->blob(w, key, vga->ram + at, PIECE)))
            return err;
    }
    return 0;
}

static int
open_section(const struct bp_reader *r, const char *name)
{
    uint32_t ver;
    int err = r->section(r, name, &ver);

    return err ? err : ver == 1 ? 0 : BP_E_INVAL;
}

static int
load_number(const struct bp_reader *r, const char *key, uint64_t max, uint64_t *val)
{
    int err = r->u64(r, key, val);

    if (err == BP_E_NOENT)
        return 0;
    return err ? err : *val > max ? BP_E_INVAL : 0;
}

static int
load_regs(const struct bp_reader *r, struct vga_regs *regs)
{
    struct number n[N_COUNT];
    struct table t[TABLES];
    int err = open_section(r, "vga");

    if (err)
        return err;
    numbers_of(regs, n);
    tables_of(regs, t);
    for (unsigned i = 0; i < N_COUNT; i++)
        if ((err = load_number(r, n[i].key, n[i].max, &n[i].val)))
            return err;
    numbers_to(regs, n);
    for (unsigned i = 0; i < TABLES; i++) {
        uint64_t len = t[i].n;

        err = r->blob(r, t[i].key, t[i].p, t[i].n, &len);
        if (err && err != BP_E_NOENT)
            return err;
        if (len != t[i].n)
            return BP_E_INVAL;
    }
    vga_regs_mask(regs);
    if ((err = open_section(r, "dispi")))
        return err;
    for (unsigned i = 0; i < DISPI_COUNT; i++) {
        uint64_t val = regs->dispi[i];

        if (dispi_keys[i] && (err = load_number(r, dispi_keys[i], 0xffff, &val)))
            return err;
        regs->dispi[i] = (uint16_t)val;
    }
    if (regs->dispi[DISPI_ID] < DISPI_ID_MIN || regs->dispi[DISPI_ID] > DISPI_ID_MAX)
        return BP_E_INVAL;
    return 0;
}

static int
load_memory(const struct bp_reader *r, struct vga *vga)
{
    uint64_t bytes = vga->ram_len;
    char key[16];
    int err;

    if ((err = open_section(r, "memory")) || (err = load_number(r, "bytes", UINT32_MAX, &bytes)))
        return err;
    if (bytes != vga->ram_len)
        return vga->host->fail(vga->inst, BP_E_INVAL,
                               "memory: the state is of an adapter with another size");
    vga_memory_clear(vga);
    for (uint32_t at = 0; at < vga->ram_len; at += PIECE) {
        uint64_t len = PIECE;

        snprintf(key, sizeof key, "%08x", at);
        err = r->blob(r, key, vga->ram + at, PIECE, &len);
        if (err && err != BP_E_NOENT)
            return err;
        if (len != PIECE)
            return BP_E_INVAL;
    }
    return 0;
}

int
vga_load(void *self, const struct bp_reader *r)
{
    struct vga *vga = self;
    struct vga_regs fresh; /* the device keeps its registers when they are refused */
    int err;

    vga_regs_reset(&fresh);
    if ((err = load_regs(r, &fresh)) || (err = load_memory(r, vga)))
        return err;
    vga->regs = fresh;
    dispi_settle(vga);
    vga_window_update(vga);
    vga_picture_forget(vga);
    return 0;
}
