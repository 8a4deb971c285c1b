/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz.c - a guest that does anything at all: --seed says what, --reproduce shows each step. */
#include "check.h"

#define OFFSETS_MAX 4096u

static void
fuzz(struct check *c, unsigned flags)
{
    struct rig r;

    rig_need_up(c, flags);
    note(c, "seed %llu", (unsigned long long)c->opt->seed);
    rig_open(&r, c, flags);
    rig_up(&r);
    for (unsigned done = 0; done < c->opt->steps && !is_bad(c); done += 250) {
        rig_drive(&r, 250);
        clients_commit(&r);
        if (rig_random(&r) % 4 == 0) {
            step(c, "in the reset of the machine");
            if (bpt_reset(r.m))
                bad(c, "a reset of the machine fails: %s", rig_error(&r));
        }
        step(c, "in save() and load()");
        if (rig_random(&r) % 4 == 0 && c->cls.save && c->cls.load && !clients_busy(&r)) {
            int err = bpt_state_roundtrip(r.m, DUT);

            if (err)
                bad(c, "save, reset, load and save returned %d: %s", err, rig_error(&r));
        }
    }
    rig_down(&r);
}

void
test_fuzz_registers(struct check *c)
{
    fuzz(c, 0);
}

void
test_fuzz_bare(struct check *c)
{
    fuzz(c, RIG_BARE);
}

void
test_fuzz_widths(struct check *c)
{
    struct bpt_region_info info = {0};
    struct rig r;

    rig_need_up(c, 0);
    rig_open(&r, c, 0);
    rig_up(&r);
    if (!bpt_region(r.m, DUT, 0, &info))
        skip(c, "it has no registers");
    for (unsigned i = 0; bpt_region(r.m, DUT, i, &info); i++) {
        for (uint64_t off = 0; off < info.len && off < OFFSETS_MAX; off++) {
            for (uint32_t width = 1; width <= 8; width *= 2) {
                uint64_t val = 0;

                step(c, "read of %u bytes at 0x%llx of %s", width, (unsigned long long)off,
                     info.name);
                if (off + width <= info.len)
                    (void)!bpt_access(r.m, DUT, i, off, width, 0, &val);
            }
        }
    }
    rig_down(&r);
}
