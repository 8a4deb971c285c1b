/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - what save() writes, kept as a list of items in order, so that a test can look at it,
 * damage it and give it to load().
 */
#include <string.h>

#include "fake.h"

enum item_type {
    ITEM_SECTION,
    ITEM_U64,
    ITEM_BLOB,
};

struct item {
    enum item_type type;
    char *section, *key; /* key: NULL for a section */
    uint64_t value;      /* a section's version, or the value */
    uint32_t critical;
    uint8_t *blob;
    uint64_t len;
};

struct bpt_state {
    uint32_t ver; /* the class's state_ver */
    struct item *items;
    unsigned n;
};

/* ctx of a reader and of a writer */
struct cursor {
    struct inst *inst;
    struct bpt_state *state;
    const char *section;
    uint8_t *seen; /* reader: items that were asked for */
};

struct bpt_state *
bpt_state_new(void)
{
    return xcalloc(1, sizeof(struct bpt_state));
}

static void
item_free(struct item *it)
{
    free(it->section);
    free(it->key);
    free(it->blob);
}

void
bpt_state_free(struct bpt_state *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->n; i++)
        item_free(&s->items[i]);
    free(s->items);
    free(s);
}

static struct item *
item_find(const struct bpt_state *s, const char *section, const char *key)
{
    for (unsigned i = 0; i < s->n; i++) {
        struct item *it = &s->items[i];

        if (strcmp(it->section, section) == 0 &&
            (key ? it->key && strcmp(it->key, key) == 0 : !it->key))
            return it;
    }
    return NULL;
}

/* A new item after the last one of its section. */
static struct item *
item_add(struct bpt_state *s, enum item_type type, const char *section, const char *key)
{
    unsigned at = s->n;

    for (unsigned i = 0; key && i < s->n; i++)
        if (strcmp(s->items[i].section, section) == 0)
            at = i + 1;
    s->items = xgrow(s->items, s->n, sizeof *s->items);
    memmove(&s->items[at + 1], &s->items[at], (s->n - at) * sizeof *s->items);
    s->n++;
    s->items[at] =
        (struct item){.type = type, .section = xstrdup(section), .key = key ? xstrdup(key) : NULL};
    return &s->items[at];
}

static void
item_set_blob(struct item *it, const void *p, uint64_t n)
{
    free(it->blob);
    it->type = ITEM_BLOB;
    it->blob = xcalloc(n, 1);
    it->len = n;
    if (n)
        memcpy(it->blob, p, n);
}

/* ---- The writer ---- */

static int
write_section(const struct bp_writer *w, const char *name, uint32_t ver, uint32_t critical)
{
    struct cursor *c = w->ctx;
    struct item *it;
    int err = inject_state(c->inst->m);

    if (err)
        return err;
    if (item_find(c->state, name, NULL)) {
        problem(c->inst->m, "%s: saves the section '%s' twice", c->inst->id, name);
        return BP_E_EXIST;
    }
    it = item_add(c->state, ITEM_SECTION, name, NULL);
    it->value = ver;
    it->critical = critical;
    c->section = it->section;
    return 0;
}

static int
write_item(const struct bp_writer *w, enum item_type type, const char *key, struct item **ret_item)
{
    struct cursor *c = w->ctx;
    int err = inject_state(c->inst->m);

    if (err)
        return err;
    if (!c->section) {
        problem(c->inst->m, "%s: saves '%s' outside any section", c->inst->id, key);
        return BP_E_INVAL;
    }
    if (item_find(c->state, c->section, key)) {
        problem(c->inst->m, "%s: saves '%s' twice in '%s'", c->inst->id, key, c->section);
        return BP_E_INVAL;
    }
    *ret_item = item_add(c->state, type, c->section, key);
    return 0;
}

static int
write_u64(const struct bp_writer *w, const char *key, uint64_t val)
{
    struct item *it;
    int err = write_item(w, ITEM_U64, key, &it);

    if (!err)
        it->value = val;
    return err;
}

static int
write_blob(const struct bp_writer *w, const char *key, const void *p, uint64_t n)
{
    struct item *it;
    int err = write_item(w, ITEM_BLOB, key, &it);

    if (!err)
        item_set_blob(it, p, n);
    return err;
}

/* ---- The reader ---- */

static int
read_section(const struct bp_reader *r, const char *name, uint32_t *ret_ver)
{
    struct cursor *c = r->ctx;
    struct item *it = item_find(c->state, name, NULL);
    int err = inject_state(c->inst->m);

    if (err)
        return err;
    if (!it)
        return BP_E_NOENT;
    c->section = it->section;
    c->seen[it - c->state->items] = 1;
    *ret_ver = (uint32_t)it->value;
    return 0;
}

static int
read_item(const struct bp_reader *r, enum item_type type, const char *key, struct item **ret_item)
{
    struct cursor *c = r->ctx;
    struct item *it = c->section ? item_find(c->state, c->section, key) : NULL;
    int err = inject_state(c->inst->m);

    if (err)
        return err;
    if (!it || it->type != type)
        return BP_E_NOENT;
    *ret_item = it;
    return 0;
}

static int
read_u64(const struct bp_reader *r, const char *key, uint64_t *ret_val)
{
    struct item *it;
    int err = read_item(r, ITEM_U64, key, &it);

    if (!err)
        *ret_val = it->value;
    return err;
}

static int
read_blob(const struct bp_reader *r, const char *key, void *p, uint64_t cap, uint64_t *ret_n)
{
    struct item *it;
    int err = read_item(r, ITEM_BLOB, key, &it);

    if (err)
        return err;
    *ret_n = it->len;
    if (it->len > cap)
        return BP_E_RANGE;
    if (it->len)
        memcpy(p, it->blob, it->len);
    return 0;
}

/* ---- The test's side ---- */

static struct inst *
stopped(struct bpt_machine *m, const char *id, int *ret_err)
{
    struct inst *in = inst_by_id(m, id);

    if (!in)
        *ret_err = error_set(m, NULL, BP_E_NOENT, "there is no '%s'", id);
    else if (in->stage != ST_REALIZED && in->stage != ST_QUIESCED)
        *ret_err = error_set(m, id, BP_E_BUSY, "runs, or is not realized yet");
    else
        return in;
    return NULL;
}

int
bpt_save(struct bpt_machine *m, const char *id, struct bpt_state **ret_state)
{
    struct cursor c = {.section = NULL};
    struct bp_writer w = {.size = sizeof w,
                          .ctx = &c,
                          .section = write_section,
                          .u64 = write_u64,
                          .blob = write_blob};
    struct ctx x;
    int err = 0;

    error_clear(m);
    c.inst = stopped(m, id, &err);
    if (err)
        return err;
    if (!c.inst->cls.save) {
        error_set(m, id, BP_E_NOTSUP, "its class has no save()");
        return BP_E_NOTSUP;
    }
    if (!c.inst->cls.state_ver)
        problem(m, "%s: has save() and no state_ver", id);
    c.state = bpt_state_new();
    c.state->ver = c.inst->cls.state_ver;
    ctx_enter(&x, c.inst, PH_RUN);
    err = c.inst->cls.save(c.inst->self, &w);
    ctx_leave(&x);
    if (err) {
        bpt_state_free(c.state);
        return err;
    }
    *ret_state = c.state;
    return 0;
}

int
bpt_restore(struct bpt_machine *m, const char *id, const struct bpt_state *s)
{
    struct cursor c = {.section = NULL};
    struct bp_reader r = {
        .size = sizeof r, .ctx = &c, .section = read_section, .u64 = read_u64, .blob = read_blob};
    struct ctx x;
    int err = 0;

    error_clear(m);
    c.inst = stopped(m, id, &err);
    if (err)
        return err;
    if (!c.inst->cls.load)
        return error_set(m, id, BP_E_NOTSUP, "its class has no load()");
    if (s->ver < c.inst->cls.state_min || s->ver > c.inst->cls.state_ver)
        return error_set(m, id, BP_E_NOTSUP, "cannot load state version %u", s->ver);
    c.state = (struct bpt_state *)(uintptr_t)s;
    c.seen = xcalloc(s->n, 1);
    ctx_enter(&x, c.inst, PH_REALIZE);
    err = c.inst->cls.load(c.inst->self, &r);
    ctx_leave(&x);
    for (unsigned i = 0; !err && i < s->n; i++)
        if (s->items[i].type == ITEM_SECTION && s->items[i].critical && !c.seen[i])
            err = error_set(m, id, BP_E_NOTSUP, "does not know the section '%s'",
                            s->items[i].section);
    free(c.seen);
    return err;
}

int
bpt_state_equal(const struct bpt_state *a, const struct bpt_state *b)
{
    if (a->n != b->n || a->ver != b->ver)
        return 0;
    for (unsigned i = 0; i < a->n; i++) {
        const struct item *x = &a->items[i], *y = &b->items[i];

        if (x->type != y->type || strcmp(x->section, y->section) != 0 || x->value != y->value ||
            x->critical != y->critical || x->len != y->len)
            return 0;
        if (x->key && strcmp(x->key, y->key) != 0)
            return 0;
        if (x->len && memcmp(x->blob, y->blob, x->len) != 0)
            return 0;
    }
    return 1;
}

int
bpt_state_roundtrip(struct bpt_machine *m, const char *id)
{
    struct bpt_state *first = NULL, *second = NULL;
    int was_running = m->running;
    int err = was_running ? bpt_quiesce(m) : 0;
    struct inst *in = inst_by_id(m, id);
    struct ctx x;

    if (!err)
        err = bpt_save(m, id, &first);
    if (!err && in->cls.reset) {
        ctx_enter(&x, in, PH_RUN);
        in->cls.reset(in->self, BP_RESET_COLD);
        ctx_leave(&x);
    }
    if (!err)
        err = bpt_restore(m, id, first);
    if (!err)
        err = bpt_save(m, id, &second);
    if (!err && !bpt_state_equal(first, second))
        err = error_set(m, id, BP_E_PROTO, "save, load, save differ");
    bpt_state_free(first);
    bpt_state_free(second);
    if (!err && was_running)
        err = bpt_start(m);
    return err;
}

int
bpt_state_get(const struct bpt_state *s, const char *section, const char *key, uint64_t *ret_value)
{
    const struct item *it = item_find(s, section, key);

    if (!it || it->type == ITEM_BLOB)
        return BP_E_NOENT;
    *ret_value = it->value;
    return 0;
}

static struct item *
item_make(struct bpt_state *s, const char *section, const char *key)
{
    struct item *it = item_find(s, section, key);

    if (!item_find(s, section, NULL) && key)
        item_add(s, ITEM_SECTION, section, NULL)->value = 1;
    return it ? it : item_add(s, key ? ITEM_U64 : ITEM_SECTION, section, key);
}

int
bpt_state_put(struct bpt_state *s, const char *section, const char *key, uint64_t val)
{
    struct item *it = item_make(s, section, key);

    free(it->blob);
    it->blob = NULL;
    it->len = 0;
    it->type = key ? ITEM_U64 : ITEM_SECTION;
    it->value = val;
    return 0;
}

int
bpt_state_put_blob(struct bpt_state *s, const char *section, const char *key, const void *p,
                   uint64_t n)
{
    struct item *it = item_make(s, section, key);

    it->value = 0;
    item_set_blob(it, p, n);
    return 0;
}

int
bpt_state_remove(struct bpt_state *s, const char *section, const char *key)
{
    unsigned kept = 0, n = s->n;
    /* The names may be those of an item that goes. */
    char *in = xstrdup(section), *what = key ? xstrdup(key) : NULL;

    for (unsigned i = 0; i < n; i++) {
        struct item *it = &s->items[i];

        if (strcmp(it->section, in) == 0 && (!what || (it->key && strcmp(it->key, what) == 0)))
            item_free(it);
        else
            s->items[kept++] = *it;
    }
    s->n = kept;
    free(in);
    free(what);
    return kept == n ? BP_E_NOENT : 0;
}

unsigned
bpt_state_count(const struct bpt_state *s)
{
    return s->n;
}

int
bpt_state_item(const struct bpt_state *s, unsigned index, const char **ret_section,
               const char **ret_key)
{
    if (index >= s->n)
        return BP_E_RANGE;
    *ret_section = s->items[index].section;
    *ret_key = s->items[index].key;
    return 0;
}
