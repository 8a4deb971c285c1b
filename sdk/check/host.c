/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.c - hosts that are older, lack something, or fail: a plugin may be refused by them, or do
 * without, but neither crash nor leave anything behind.
 */
#include "check.h"

#define CALLS_MAX  3000u
#define BLOCKS_MAX 300u

/* What each service's table, and the host's own, had when a level was frozen. */
static const struct {
    const char *iface;
    uint32_t level, size;
} tables[] = {
    {"bp.host", 1, BP_UPTO(struct bp_host, link_item)},
    {BP_IF_MEM, 1, BP_UPTO(struct bp_mem_if, dirty_wanted)},
    {BP_IF_IO, 1, BP_UPTO(struct bp_io_if, doorbell_fd)},
    {BP_IF_IRQ, 1, BP_UPTO(struct bp_irq_if, as_fd)},
    {BP_IF_EVENT, 1, BP_UPTO(struct bp_event_if, poller)},
    {BP_IF_RAM, 1, BP_UPTO(struct bp_ram_if, alias)},
    {BP_IF_MACHINE, 1, BP_UPTO(struct bp_machine_if, shadow)},
};
#define N_TABLES (sizeof tables / sizeof *tables)

/* As far as it gets, with a little use of it. 0 or the error that ended it. */
static int
try(struct rig *r)
{
    int err = rig_create(r);

    if (!err)
        err = rig_realize(r);
    if (!err)
        err = rig_start(r);
    if (!err)
        rig_drive(r, 40);
    if (!plausible(err))
        bad(r->c, "it returned %d, which is no BP_E_ value", err);
    return err;
}

void
test_host_old(struct check *c)
{
    struct rig r;

    rig_need_up(c, 0);
    for (uint32_t level = c->plugin->api_need; level <= BP_API_LATEST; level++) {
        rig_open(&r, c, 0);
        for (unsigned i = 0; i < N_TABLES; i++)
            if (tables[i].level == level)
                bpt_truncate(r.m, tables[i].iface, tables[i].size);
        if (try(&r))
            bad(c, "it needs level %u, and on a host of level %u it says: %s", c->plugin->api_need,
                level, rig_error(&r));
        rig_down(&r);
    }
}

void
test_host_short(struct check *c)
{
    struct rig r;

    rig_need_up(c, 0);
    for (unsigned i = 1; i < N_TABLES; i++) {
        for (uint32_t size = 8; size < tables[i].size && !is_bad(c); size += 8) {
            rig_open(&r, c, 0);
            bpt_truncate(r.m, tables[i].iface, size);
            (void)!try(&r);
            rig_down(&r);
            if (is_bad(c))
                note(c, "with the first %u bytes of %s only", size, tables[i].iface);
        }
    }
}

/* 2: it cannot do without; 1: it says that it can; 0: it does not say that it uses it. */
static int
listed(const struct check *c, const char *iface)
{
    for (const char *const *n = c->cls.needs; n && *n; n++)
        if (strcmp(*n + (**n == '?'), iface) == 0)
            return **n == '?' ? 1 : 2;
    return 0;
}

void
test_host_missing(struct check *c)
{
    struct rig r;
    int err;

    rig_need_up(c, 0);
    for (unsigned i = 1; i < N_TABLES; i++) {
        int how = listed(c, tables[i].iface);

        rig_open(&r, c, 0);
        bpt_hide(r.m, tables[i].iface);
        err = try(&r);
        if (err && how == 1)
            bad(c, "its needs say \"?%s\", and without it says: %s", tables[i].iface,
                rig_error(&r));
        if (err && how == 0)
            bad(c, "it does not work without %s, which its needs do not list: %s", tables[i].iface,
                rig_error(&r));
        if (err && !*bpt_error(r.m))
            bad(c, "without %s it fails and attaches no text; use host->fail()", tables[i].iface);
        rig_down(&r);
    }
}

void
test_host_optional(struct check *c)
{
    struct rig r;

    rig_need_up(c, 0);
    rig_open(&r, c, RIG_BARE);
    if (try(&r))
        bad(c, "without what it needs only optionally it says: %s", rig_error(&r));
    rig_down(&r);
    rig_open(&r, c, RIG_BARE | RIG_ALONE);
    if (try(&r) && !*bpt_error(r.m))
        bad(c, "without links it fails and attaches no text; use host->fail()");
    rig_down(&r);
}

static int
failing_once(struct check *c, unsigned n, int *ret_injected)
{
    struct usage before;
    struct rig r;
    int err;

    usage_take(&before);
    rig_open(&r, c, 0);
    bpt_inject(r.m, DUT, n, BP_E_NOMEM);
    err = try(&r);
    if (!err) {
        step(c, "in quiesce()");
        clients_commit(&r);
        err = bpt_quiesce(r.m);
        if (!plausible(err))
            bad(c, "quiesce() returned %d", err);
    }
    *ret_injected = bpt_injected(r.m);
    bpt_inject(r.m, NULL, 0, 0);
    rig_down(&r);
    if (is_bad(c)) {
        note(c, "with call %u of the host failing", n);
        return 0;
    }
    /* Only told by the second time: libraries may keep what they made the first. */
    if (count_live() > before.blocks || bpt_open_fds() > before.fds)
        return 1;
    return 0;
}

void
test_host_failing(struct check *c)
{
    int injected = 1, more;

    rig_need_up(c, 0);
    for (unsigned n = 1; injected && n <= CALLS_MAX && !is_bad(c); n++) {
        for (unsigned again = more = 0; again < 3 && (!again || more); again++)
            more = failing_once(c, n, &injected);
        if (more)
            bad(c, "with call %u of the host failing, memory or descriptors are left over", n);
    }
}

static void
use_with(struct check *c, unsigned flags, const char *what)
{
    struct rig r;

    rig_need_up(c, 0);
    rig_open(&r, c, flags);
    if (try(&r)) {
        bad(c, "%s it says: %s", what, rig_error(&r));
    } else {
        for (unsigned i = 0; i < 10 && !is_bad(c); i++) {
            rig_drive(&r, c->opt->steps / 20);
            clients_commit(&r);
            step(c, "in quiesce()");
            if (bpt_quiesce(r.m) || rig_start(&r))
                bad(c, "%s", rig_error(&r));
        }
    }
    rig_down(&r);
}

void
test_host_no_map(struct check *c)
{
    use_with(c, RIG_NO_MAP | RIG_BARE, "on a host that never maps guest memory");
}

void
test_host_windows(struct check *c)
{
    use_with(c, RIG_WINDOWS | RIG_BARE, "on a host that maps guest memory page by page");
}

void
test_no_memory(struct check *c)
{
    if (!count_works())
        skip(c, "this build cannot make allocations fail");
    rig_need_up(c, 0);
    count_watch(c);
    for (unsigned n = 1; n <= BLOCKS_MAX && !is_bad(c); n++) {
        struct rig r;
        int failed;

        rig_open(&r, c, n % 2 ? 0 : RIG_BARE);
        count_fail_at((n + 1) / 2);
        (void)!try(&r);
        failed = count_failed();
        count_fail_at(0);
        rig_down(&r);
        if (is_bad(c))
            note(c, "with allocation %u failing", (n + 1) / 2);
        if (!failed && n % 2 == 0)
            break;
    }
}
