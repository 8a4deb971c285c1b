/* SPDX-License-Identifier: BSD-3-Clause */
/* life.c - create, realize, start, quiesce, reset, destroy; once, often, and with work under way.
 */
#include "check.h"

#define WARM_UP 10u

void
test_life_once(struct check *c)
{
    struct rig r;

    plugin_open(c);
    if (!c->plugin)
        return;
    rig_open(&r, c, 0);
    rig_up(&r);
    if (is_bad(c)) {
        note(c, "if it needs more than can be guessed, say so with --set KEY=VALUE or --with FILE");
        return;
    }
    rig_drive(&r, 50);
    rig_down(&r);
}

void
test_life_check_mode(struct check *c)
{
    struct usage before;
    struct rig r;
    int err;

    rig_need_up(c, 0);
    for (unsigned i = 0; i < 2; i++) { /* the first time libraries may keep something */
        usage_take(&before);
        rig_open(&r, c, RIG_CHECK);
        err = rig_create(&r);
        if (!err)
            err = rig_realize(&r);
        if (err)
            bad(c, "`backplane check` would refuse it: %s", rig_error(&r));
        rig_down(&r);
    }
    usage_grown(c, &before, 1, "after `backplane check`");
}

void
test_life_many(struct check *c)
{
    unsigned cycles = c->opt->cycles > 2 * WARM_UP ? c->opt->cycles : 2 * WARM_UP;
    struct usage before;
    struct rig r;

    rig_need_up(c, 0);
    for (unsigned i = 0; i < cycles && !is_bad(c); i++) {
        if (i == WARM_UP)
            usage_take(&before);
        rig_open(&r, c, 0);
        rig_up(&r);
        rig_drive(&r, 10);
        rig_down(&r);
    }
    if (!is_bad(c))
        usage_grown(c, &before, (cycles - WARM_UP) / 2, "after all were destroyed");
}

void
test_life_two(struct check *c)
{
    struct rig r;
    int err;

    rig_need_up(c, 0);
    rig_open(&r, c, 0);
    if (rig_create(&r) || rig_realize(&r))
        bad(c, "%s", rig_error(&r));
    /* The second may well find its ports or its file taken, but has to say so. */
    err = rig_create_as(&r, "second");
    if (!err)
        err = bpt_realize(r.m, "second");
    if (!plausible(err))
        bad(c, "the second returned %d", err);
    if (rig_start(&r))
        bad(c, "it does not start: %s", rig_error(&r));
    rig_drive(&r, 100);
    if (bpt_inst(r.m, "second").v) {
        step(c, "ending the second");
        if (bpt_destroy(r.m, "second"))
            bad(c, "%s", bpt_error(r.m));
    }
    rig_drive(&r, 100);
    rig_down(&r);
}

void
test_life_reset(struct check *c)
{
    struct rig r;

    rig_need_up(c, 0);
    rig_open(&r, c, 0);
    rig_up(&r);
    for (unsigned i = 0; i < 20 && !is_bad(c); i++) {
        rig_drive(&r, 50);
        clients_commit(&r);
        step(c, "in the reset of the machine");
        if (bpt_reset(r.m))
            bad(c, "a reset of the machine fails: %s", rig_error(&r));
    }
    rig_down(&r);
}

void
test_life_quiesce(struct check *c)
{
    unsigned threads = count_threads(), left;
    struct rig r;

    rig_need_up(c, 0);
    rig_open(&r, c, 0);
    rig_up(&r);
    for (unsigned i = 0; i < 30 && !is_bad(c); i++) {
        rig_drive(&r, 20);
        for (unsigned k = 0; k < 8; k++)
            clients_drive(&r);
        clients_commit(&r);
        step(c, "in quiesce(), with work under way");
        if (bpt_quiesce(r.m))
            bad(c, "%s", bpt_error(r.m));
        if (clients_busy(&r))
            bad(c, "it is quiesced and %u requests are not done", clients_busy(&r));
        if (bpt_maps(r.m))
            bad(c, "it is quiesced and %u mappings of guest memory are open", bpt_maps(r.m));
        for (unsigned k = 0; k < 2000 && (left = count_threads()) > threads; k++)
            bpt_poll(r.m, 1);
        if (count_threads() > threads)
            bad(c, "it is quiesced and %u threads are left", count_threads() - threads);
        if (rig_start(&r))
            bad(c, "it does not start again: %s", rig_error(&r));
    }
    rig_down(&r);
}
