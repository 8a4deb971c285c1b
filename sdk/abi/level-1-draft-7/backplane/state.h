/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/state.h - how a device's state is written and read back.
 *
 * State is named sections of keyed values, so that a missing key is told apart from zero: a key
 * that is absent on load keeps its reset value, an unknown one is skipped, and an unknown section
 * marked critical is refused before any device is touched. Save the device as its data sheet
 * describes it, not the plugin's variables. What is read is hostile input: check every value.
 *
 * save() must not change the device; save, load, save must give the same bytes.
 */
#ifndef BACKPLANE_STATE_H
#define BACKPLANE_STATE_H

#include <backplane/base.h>

struct bp_writer {
    uint32_t size, flags;
    void *ctx;
    /* Begins a section; the values that follow belong to it. 0 or BP_E_*. */
    int (*section)(const struct bp_writer *, const char *name, uint32_t ver, uint32_t critical);
    int (*u64)(const struct bp_writer *, const char *key, uint64_t val);
    int (*blob)(const struct bp_writer *, const char *key, const void *p, uint64_t n);
};

struct bp_reader {
    uint32_t size, flags;
    void *ctx;
    /* Goes to a section by name and gives its version. BP_E_NOENT: there is none. */
    int (*section)(const struct bp_reader *, const char *name, uint32_t *ret_ver);
    /* BP_E_NOENT: the key is absent and *ret_val untouched, so set the default before. */
    int (*u64)(const struct bp_reader *, const char *key, uint64_t *ret_val);
    /* *ret_n is the stored length; BP_E_RANGE when it exceeds cap (nothing is copied then). */
    int (*blob)(const struct bp_reader *, const char *key, void *p, uint64_t cap, uint64_t *ret_n);
};

#endif
