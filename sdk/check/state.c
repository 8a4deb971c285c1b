/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - save() and load(): the same bytes every time, nothing lost, and nothing believed that
 * is read.
 */
#include "check.h"

static void
need_state(struct check *c, struct rig *r)
{
    rig_need_up(c, 0);
    if (!c->cls.save || !c->cls.load)
        skip(c, "it has no state");
    rig_open(r, c, 0);
    rig_up(r);
}

static void
stop(struct rig *r)
{
    clients_commit(r);
    step(r->c, "in quiesce()");
    if (bpt_quiesce(r->m))
        bad(r->c, "%s", bpt_error(r->m));
}

static struct bpt_state *
save(struct rig *r)
{
    struct bpt_state *s = NULL;
    int err;

    step(r->c, "in save()");
    err = bpt_save(r->m, DUT, &s);
    if (err)
        bad(r->c, "save() returned %d: %s", err, rig_error(r));
    return err ? bpt_state_new() : s;
}

void
test_state_same(struct check *c)
{
    struct bpt_state *a, *b;
    struct rig r;

    need_state(c, &r);
    for (unsigned i = 0; i < 10 && !is_bad(c); i++) {
        rig_drive(&r, 200);
        stop(&r);
        a = save(&r);
        b = save(&r);
        if (!is_bad(c) && !bpt_state_equal(a, b))
            bad(c, "two saves one after the other differ");
        bpt_state_free(a);
        bpt_state_free(b);
        if (rig_start(&r))
            bad(c, "%s", rig_error(&r));
    }
    rig_down(&r);
}

static void
say_difference(struct check *c, const struct bpt_state *a, const struct bpt_state *b)
{
    const char *section, *key;

    for (unsigned i = 0; bpt_state_item(a, i, &section, &key) == 0; i++) {
        uint64_t x = 0, y = 0;
        int ex = bpt_state_get(a, section, key, &x), ey = bpt_state_get(b, section, key, &y);

        if (ex != ey || x != y)
            note(c, "%s %s: 0x%llx was saved and 0x%llx is saved again", section, key ? key : "",
                 (unsigned long long)x, (unsigned long long)y);
    }
}

void
test_state_roundtrip(struct check *c)
{
    struct rig r;

    need_state(c, &r);
    for (unsigned i = 0; i < 10 && !is_bad(c); i++) {
        struct bpt_state *a, *b;
        int err;

        rig_drive(&r, 200);
        stop(&r);
        a = save(&r);
        rig_down(&r);
        rig_open(&r, c, 0);
        if (rig_create(&r) || rig_realize(&r))
            bad(c, "%s", rig_error(&r));
        step(c, "in load(), of another instance");
        err = bpt_restore(r.m, DUT, a);
        if (err)
            bad(c, "load() of its own state returned %d: %s", err, rig_error(&r));
        b = save(&r);
        if (!is_bad(c) && !bpt_state_equal(a, b)) {
            bad(c, "what another instance saves after it has loaded this differs");
            say_difference(c, a, b);
        }
        if (!is_bad(c) && rig_start(&r))
            bad(c, "after load() it does not start: %s", rig_error(&r));
        bpt_state_free(a);
        bpt_state_free(b);
    }
    rig_down(&r);
}

void
test_state_failing(struct check *c)
{
    struct bpt_state *good, *s;
    struct rig r;
    int err, injected = 1;

    need_state(c, &r);
    rig_drive(&r, 200);
    stop(&r);
    good = save(&r);
    for (unsigned n = 1; injected && !is_bad(c); n++) {
        s = NULL;
        bpt_inject_state(r.m, n, BP_E_NOSPC);
        err = bpt_save(r.m, DUT, &s);
        injected = bpt_injected(r.m);
        if (injected && !err)
            bad(c, "call %u of the writer fails, and save() returns 0", n);
        bpt_state_free(s);
    }
    injected = 1;
    for (unsigned n = 1; injected && !is_bad(c); n++) {
        bpt_inject_state(r.m, n, BP_E_IO);
        err = bpt_restore(r.m, DUT, good);
        injected = bpt_injected(r.m);
        if (injected && !err)
            bad(c, "call %u of the reader fails with BP_E_IO, and load() returns 0", n);
    }
    bpt_inject_state(r.m, 0, 0);
    step(c, "in load()");
    if (bpt_restore(r.m, DUT, good))
        bad(c, "after loads that failed, load() fails: %s", rig_error(&r));
    bpt_state_free(good);
    rig_down(&r);
}

/* Loads what may be anything, goes on with it for a while, and comes back to what is good. */
static void
load_hostile(struct rig *r, const struct bpt_state *bad_one, const struct bpt_state *good)
{
    int err;

    err = bpt_restore(r->m, DUT, bad_one);
    if (!plausible(err))
        bad(r->c, "load() returned %d", err);
    if (rig_start(r))
        bad(r->c, "it does not start: %s", rig_error(r));
    rig_drive(r, 20);
    stop(r);
    step(r->c, "in reset()");
    if (bpt_reset(r->m))
        bad(r->c, "%s", rig_error(r));
    err = bpt_restore(r->m, DUT, good);
    if (err)
        bad(r->c, "after a load of nonsense and a reset, load() of its own state returned %d: %s",
            err, rig_error(r));
}

static void
damage(struct rig *r, struct bpt_state *s, const char *section, const char *key, unsigned how)
{
    static const uint64_t values[] = {0, 1, UINT64_MAX, 0x80000000, 0xffff, 0x7fffffffffffffff};
    uint8_t bytes[300];
    uint64_t was = 0;

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)rig_random(r);
    if (how < 6)
        (void)!bpt_state_put(s, section, key, values[how]);
    else if (how == 6 && bpt_state_get(s, section, key, &was) == 0)
        (void)!bpt_state_put(s, section, key, was + 1);
    else if (key)
        (void)!bpt_state_put_blob(s, section, key, bytes, rig_random(r) % (sizeof bytes + 1));
}

void
test_state_hostile(struct check *c)
{
    const char *section, *key;
    struct bpt_state *good;
    struct rig r;
    unsigned n;

    need_state(c, &r);
    rig_drive(&r, 300);
    stop(&r);
    good = save(&r);
    n = bpt_state_count(good);
    for (unsigned i = 0; i < n && !is_bad(c); i++) {
        for (unsigned how = 0; how < 9 && !is_bad(c); how++) {
            struct bpt_state *s = save(&r);

            if (bpt_state_item(s, i, &section, &key) == 0) {
                char what[128];

                snprintf(what, sizeof what, "%s %s", section, key ? key : "(its version)");
                damage(&r, s, section, key, how);
                step(c, "loading a state that is damaged at %s", what);
                load_hostile(&r, s, good);
                if (is_bad(c))
                    note(c, "with a state that is damaged at %s", what);
            }
            bpt_state_free(s);
        }
    }
    bpt_state_free(good);
    rig_down(&r);
}

/* Of a device as it is after a reset, where one absent key contradicts no other. */
void
test_state_missing(struct check *c)
{
    const char *section, *key;
    struct bpt_state *good;
    struct rig r;
    int err;

    need_state(c, &r);
    stop(&r);
    good = save(&r);
    for (unsigned i = 0; i < bpt_state_count(good) && !is_bad(c); i++) {
        struct bpt_state *s = save(&r);
        char what[128] = "";
        int is_key = 0;

        if (bpt_state_item(s, i, &section, &key) == 0) {
            is_key = key != NULL;
            snprintf(what, sizeof what, "%s %s", section, key ? key : "(all of it)");
            (void)!bpt_state_remove(s, section, key);
        }
        step(c, "loading a state without %s", what);
        err = bpt_restore(r.m, DUT, s);
        if (is_key && err)
            bad(c,
                "load() refuses a state without %s (%d); a key that is absent keeps its reset "
                "value",
                what, err);
        if (bpt_reset(r.m) || bpt_restore(r.m, DUT, good))
            bad(c, "after it, its own state is refused: %s", rig_error(&r));
        bpt_state_free(s);
    }
    bpt_state_free(good);
    rig_down(&r);
}

void
test_state_fuzz(struct check *c)
{
    const char *section, *key;
    struct bpt_state *good;
    struct rig r;

    need_state(c, &r);
    note(c, "seed %llu", (unsigned long long)c->opt->seed);
    rig_drive(&r, 300);
    stop(&r);
    good = save(&r);
    for (unsigned i = 0; i < c->opt->steps / 20 && !is_bad(c); i++) {
        struct bpt_state *s = save(&r);
        unsigned n = bpt_state_count(s);

        for (unsigned k = (unsigned)(rig_random(&r) % 8) + 1; n && k > 0; k--) {
            if (bpt_state_item(s, (unsigned)(rig_random(&r) % n), &section, &key))
                continue;
            char *a = strdup(section), *b = key ? strdup(key) : NULL;

            if (key || rig_random(&r) % 8 == 0)
                damage(&r, s, a, b, (unsigned)(rig_random(&r) % 9));
            free(a);
            free(b);
        }
        step(c, "loading a state that is damaged at random");
        load_hostile(&r, s, good);
        bpt_state_free(s);
    }
    bpt_state_free(good);
    rig_down(&r);
}
