/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.c - opens the plugin, and looks at what it says of itself: its descriptor, its classes, the
 * table of their properties. No instance is made, but of stand-ins that take a property's text.
 */
#include <dlfcn.h>

#include "check.h"

#define TABLE_MAX 256u /* entries of one list, at most */

typedef const struct bp_plugin *entry_fn(const struct bp_hello *);

static const struct bp_hello newest = {.size = sizeof newest,
                                       .api_min = BP_API_MIN,
                                       .api_level = BP_API_LATEST,
                                       .core_version = "backplane-check"};

static entry_fn *
open_entry(struct check *c)
{
    entry_fn *entry;
    void *symbol;

    step(c, "opening it");
    c->so = dlopen(c->opt->file, RTLD_NOW | RTLD_LOCAL);
    if (!c->so) {
        bad(c, "%s", dlerror());
        return NULL;
    }
    symbol = dlsym(c->so, BP_ENTRY);
    if (!symbol) {
        bad(c, "it has no " BP_ENTRY "(); is there a BP_PLUGIN in it?");
        return NULL;
    }
    memcpy(&entry, &symbol, sizeof entry);
    step(c, "in " BP_ENTRY "()");
    return entry;
}

static void
file_name(const struct check *c, char *buf, size_t size)
{
    size_t len = strlen(c->opt->name);

    if (len > 3 && strcmp(c->opt->name + len - 3, ".so") == 0)
        len -= 3;
    snprintf(buf, size, "%.*s", (int)len, c->opt->name);
}

static int
usable(struct check *c)
{
    const struct bp_plugin *p = c->plugin;

    if ((uintptr_t)p % sizeof(void *) || p->size < BP_UPTO(struct bp_plugin, n_classes)) {
        bad(c, "its descriptor is too small or misaligned");
        return 0;
    }
    if (!p->name || !p->classes || !p->n_classes || p->n_classes > 64) {
        bad(c, "its descriptor has no name, no classes or too many");
        return 0;
    }
    for (uint64_t i = 0; i < p->n_classes; i++) {
        const struct bp_class *cls = p->classes[i];

        if (!cls || cls->size < BP_UPTO(struct bp_class, destroy) || cls->size > 4096 ||
            !cls->name) {
            bad(c, "class %llu has no name, or says that it has an impossible size",
                (unsigned long long)i);
            return 0;
        }
    }
    return 1;
}

void
plugin_open(struct check *c)
{
    entry_fn *entry = open_entry(c);
    char name[128];

    if (!entry)
        return;
    c->plugin = entry(&newest);
    if (!c->plugin) {
        bad(c, "it refuses API level %d", BP_API_LATEST);
        return;
    }
    step(c, "looking at its descriptor");
    if (!usable(c)) {
        c->plugin = NULL;
        return;
    }
    file_name(c, name, sizeof name);
    for (uint64_t i = 0; i < c->plugin->n_classes; i++) {
        const struct bp_class *cls = c->plugin->classes[i];

        if (strcmp(cls->name, c->opt->class_name ? c->opt->class_name : name) == 0)
            c->theirs = cls;
    }
    if (!c->theirs && !c->opt->class_name)
        c->theirs = c->plugin->classes[0];
    if (!c->theirs) {
        bad(c, "it has no class %s", c->opt->class_name);
        c->plugin = NULL;
        return;
    }
    memset(&c->cls, 0, sizeof c->cls);
    memcpy(&c->cls, c->theirs, c->theirs->size < sizeof c->cls ? c->theirs->size : sizeof c->cls);
    step(c, "%s", "");
}

unsigned
class_names(struct check *c, char names[][BP_NOTE_ID_SIZE], unsigned n)
{
    unsigned i = 0;

    plugin_open(c);
    for (; c->plugin && i < c->plugin->n_classes && i < n; i++)
        snprintf(names[i], BP_NOTE_ID_SIZE, "%s", c->plugin->classes[i]->name);
    return i;
}

/* ---- The entry ---- */

void
test_entry_levels(struct check *c)
{
    struct bp_hello hello = newest;
    entry_fn *entry = open_entry(c);
    const struct bp_plugin *p = entry ? entry(&newest) : NULL;

    if (!p) {
        if (entry)
            bad(c, "it refuses API level %d", BP_API_LATEST);
        return;
    }
    if (p->abi_major != BP_ABI_MAJOR)
        bad(c, "its ABI's major number is %u, this one's %d", p->abi_major, BP_ABI_MAJOR);
    if (!p->api_need || p->api_need > p->api_level)
        bad(c, "it needs level %u and is built for level %u", p->api_need, p->api_level);
    for (hello.api_level = p->api_need; hello.api_level <= p->api_level + 2; hello.api_level++)
        if (entry(&hello) != p)
            bad(c, "it needs level %u and refuses level %u", p->api_need, hello.api_level);
    hello.api_level = p->api_need - 1;
    hello.api_min = 0;
    if (entry(&hello))
        bad(c, "it needs level %u and accepts level %u", p->api_need, hello.api_level);
    hello.api_level = p->api_level + 9;
    hello.api_min = p->api_level + 1;
    if (entry(&hello))
        bad(c, "it is built for level %u and accepts a core that wants %u at least", p->api_level,
            hello.api_min);
}

void
test_entry_unload(struct check *c)
{
    struct usage before;

    if (CHECK_SANITIZED)
        skip(c, "sanitizers keep what was opened");
    for (unsigned i = 0; i < 20; i++) {
        entry_fn *entry;

        if (i == 10)
            usage_take(&before);
        entry = open_entry(c);
        if (!entry)
            return;
        (void)entry(&newest);
        step(c, "closing it");
        if (dlclose(c->so) != 0)
            bad(c, "dlclose: %s", dlerror());
    }
    usage_grown(c, &before, 10, "after it was opened and closed ten times");
}

/* ---- The descriptor and its classes ---- */

/* One line of printable UTF-8, as far as bytes show it. */
static void
line(struct check *c, const char *of, const char *what, const char *text, int required)
{
    if (!text || !*text) {
        if (required)
            bad(c, "%s has no %s", of, what);
        return;
    }
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            bad(c, "%s: its %s has a control character", of, what);
            return;
        }
    if (strlen(text) > 1024)
        bad(c, "%s: its %s is longer than 1024 bytes", of, what);
}

static int
is_name(const char *name, int underscore)
{
    if (*name < 'a' || *name > 'z' || strlen(name) >= BP_NOTE_ID_SIZE)
        return 0;
    for (; *name; name++)
        if (!((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') || *name == '-' ||
              (underscore && *name == '_')))
            return 0;
    return 1;
}

static int
is_iface(const char *name)
{
    const char *slash = name ? strchr(name, '/') : NULL;

    return slash && slash != name && slash[1] && !slash[1 + strspn(slash + 1, "0123456789")] &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == (size_t)(slash - name);
}

void
test_descriptor(struct check *c)
{
    char name[128];

    plugin_open(c);
    if (!c->plugin)
        return;
    file_name(c, name, sizeof name);
    line(c, "the plugin", "version", c->plugin->version, 1);
    line(c, "the plugin", "license", c->plugin->license, 1);
    line(c, "the plugin", "origin", c->plugin->origin, 1);
    if (c->plugin->n_classes == 1 && strcmp(c->plugin->name, name) != 0)
        bad(c, "the file is %s.so and the plugin's id is %s", name, c->plugin->name);
    for (uint64_t i = 0; i < c->plugin->n_classes; i++)
        for (uint64_t k = 0; k < i; k++)
            if (strcmp(c->plugin->classes[i]->name, c->plugin->classes[k]->name) == 0)
                bad(c, "two classes are called %s", c->plugin->classes[i]->name);
}

static void
ifaces(struct check *c, const char *what, const char *const *list, int needs)
{
    unsigned n;

    for (n = 0; list && list[n]; n++) {
        if (n == TABLE_MAX) {
            bad(c, "%s has more than %u entries, or no NULL at its end", what, TABLE_MAX);
            return;
        }
        if (!is_iface(list[n] + (needs && *list[n] == '?')))
            bad(c, "\"%s\" in %s is no interface, e.g. \"bp.block/1\"", list[n], what);
        for (unsigned k = 0; k < n; k++)
            if (strcmp(list[k], list[n]) == 0)
                bad(c, "\"%s\" is in %s twice", list[n], what);
    }
}

void
test_class(struct check *c)
{
    const struct bp_class *cls = &c->cls;

    plugin_open(c);
    if (!c->plugin)
        return;
    if (!is_name(cls->name, 0))
        bad(c, "a name is [a-z][a-z0-9-]*, at most 51 bytes");
    line(c, "the class", "version", cls->version, 1);
    line(c, "the class", "summary", cls->summary, 1);
    if (cls->flags & ~(uint32_t)(BP_C_PARALLEL | BP_C_INPROC_ONLY | BP_C_REPLACEABLE | BP_C_SHARED))
        bad(c, "flags 0x%x are unknown", cls->flags);
    ifaces(c, "provides", cls->provides, 0);
    ifaces(c, "needs", cls->needs, 1);
    if (!cls->create)
        bad(c, "it has no create()");
    if (!cls->destroy)
        bad(c, "it has no destroy(): what create() allocates is never freed");
    if (cls->provides && cls->provides[0] && !cls->query)
        bad(c, "it provides %s and has no query()", cls->provides[0]);
    if (cls->state_min > cls->state_ver)
        bad(c, "it loads state from version %u and saves version %u", cls->state_min,
            cls->state_ver);
    if (!cls->state_ver != !cls->save || !cls->save != !cls->load)
        bad(c, "state_ver, save() and load() go together");
    if (cls->flags & BP_C_REPLACEABLE && cls->save && !cls->load)
        bad(c, "it says that it can be replaced while it runs and cannot load its state");
}

/* ---- Properties ---- */

/* The index-th as a full-size struct; 0 when the table lies about its sizes. */
static int
prop_get(struct check *c, uint32_t index, struct bp_prop *p)
{
    const char *at = (const char *)c->cls.props + (size_t)index * c->cls.prop_size;
    uint32_t size;

    memcpy(&size, at, sizeof size);
    if (size < BP_UPTO(struct bp_prop, link_iface) || size > c->cls.prop_size) {
        bad(c, "entry %u says that it has %u bytes; the stride is %u", index, size,
            c->cls.prop_size);
        return 0;
    }
    memset(p, 0, sizeof *p);
    memcpy(p, at, size < sizeof *p ? size : sizeof *p);
    if (!p->name || !*p->name) {
        bad(c, "entry %u has no name", index);
        return 0;
    }
    return 1;
}

static int
props_usable(struct check *c)
{
    plugin_open(c);
    if (!c->plugin)
        return 0;
    if (!c->cls.n_props)
        skip(c, "it has no properties");
    if (!c->cls.props || c->cls.n_props > TABLE_MAX ||
        c->cls.prop_size < BP_UPTO(struct bp_prop, link_iface) || c->cls.prop_size > 4096 ||
        c->cls.prop_size % sizeof(void *)) {
        bad(c, "%u properties of %u bytes are no table", c->cls.n_props, c->cls.prop_size);
        return 0;
    }
    return 1;
}

static void
check_prop(struct check *c, const struct bp_prop *p)
{
    const uint32_t known = BP_P_REQUIRED | BP_P_RUNTIME | BP_P_SECRET | BP_P_DEPRECATED |
                           BP_P_LIST | BP_P_PRIMARY | BP_P_MUST_EXIST | BP_P_PASS_ON;
    const char *n = p->name;

    if (!is_name(n, 1) || strcmp(n, "iothread") == 0)
        bad(c, "%s: a name is [a-z][a-z0-9_-]*, at most 51 bytes; iothread is the core's", n);
    line(c, n, "help", p->help, 1);
    if (p->help && *p->help && p->help[strlen(p->help) - 1] == '.')
        bad(c, "%s: its help ends with a full stop", n);
    if (p->type < BP_BOOL || p->type > BP_LINK || p->type % 1000)
        bad(c, "%s: type %u is unknown", n, p->type);
    if (p->flags & ~known)
        bad(c, "%s: flags 0x%x are unknown", n, p->flags & ~known);
    if (p->min > p->max)
        bad(c, "%s: its least value is above its greatest", n);
    if (p->type == BP_SIZE && p->min < 0)
        bad(c, "%s: its least size is negative", n);
    if (p->type == BP_ENUM && (!p->choices || !p->choices[0]))
        bad(c, "%s: it has no choices", n);
    if (p->type == BP_LINK && !is_iface(p->link_iface))
        bad(c, "%s: it links to no interface, e.g. \"bp.block/1\"", n);
    if (p->flags & BP_P_REQUIRED && p->def)
        bad(c, "%s: it is required and has a default", n);
    if (p->flags & BP_P_MUST_EXIST && p->type != BP_PATH)
        bad(c, "%s: only a path can be one that must exist", n);
    if (p->flags & BP_P_RUNTIME && !c->cls.set)
        bad(c, "%s: it can be changed while the machine runs and there is no set()", n);
    if (p->since > c->plugin->api_level)
        bad(c, "%s: it is there since API level %u and the plugin is built for %u", n, p->since,
            c->plugin->api_level);
}

void
test_props(struct check *c)
{
    const char *primary = NULL;

    if (!props_usable(c))
        return;
    for (uint32_t i = 0; i < c->cls.n_props; i++) {
        struct bp_prop p, q;

        if (!prop_get(c, i, &p))
            return;
        check_prop(c, &p);
        if (p.flags & BP_P_PRIMARY && primary)
            bad(c, "%s: it and %s are both primary", p.name, primary);
        if (p.flags & BP_P_PRIMARY)
            primary = p.name;
        for (uint32_t k = 0; k < i; k++)
            if (prop_get(c, k, &q) && strcmp(p.name, q.name) == 0)
                bad(c, "%s: it is in the table twice", p.name);
    }
}

/* A class that has one property and nothing else, to parse text as the config file's is. */
static int stand_in;

static int
stand_in_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    (void)host, (void)inst;
    *ret_self = &stand_in;
    return 0;
}

static int
parse(const struct bp_prop *p, const char *text, char *why, size_t size)
{
    const struct bp_class cls = {.size = sizeof cls,
                                 .name = "stand-in",
                                 .props = p,
                                 .n_props = 1,
                                 .prop_size = sizeof *p,
                                 .create = stand_in_create};
    struct bpt_machine *m = bpt_new(4096, 0);
    char *pair = NULL;
    int err;

    if (text && asprintf(&pair, "%s=\"%s\"", p->name, text) < 0)
        abort();
    err = bpt_add(m, &cls, "section", pair);
    snprintf(why, size, "%s", bpt_error(m));
    bpt_free(m);
    free(pair);
    return err;
}

void
test_props_defaults(struct check *c)
{
    if (!props_usable(c))
        return;
    for (uint32_t i = 0; i < c->cls.n_props; i++) {
        struct bp_prop p;
        char why[256];

        if (!prop_get(c, i, &p))
            return;
        if (p.def && strchr(p.def, '"'))
            bad(c, "%s: its default has a quotation mark in it", p.name);
        if (p.def && parse(&p, NULL, why, sizeof why))
            bad(c, "the default \"%s\" is refused: %s", p.def, why);
        for (unsigned k = 0; p.type == BP_ENUM && p.choices && p.choices[k]; k++)
            if (k == TABLE_MAX || parse(&p, p.choices[k], why, sizeof why)) {
                bad(c, "%s: its choices have no end, or \"%s\" is none", p.name,
                    k == TABLE_MAX ? "..." : p.choices[k]);
                break;
            }
    }
}

void
test_props_refused(struct check *c)
{
    struct bp_value v = {.size = sizeof v};
    struct rig r;

    if (!props_usable(c))
        return;
    rig_need_up(c, 0);
    rig_open(&r, c, 0);
    rig_up(&r);
    step(c, "setting properties that cannot be set");
    if (c->cls.set) {
        v.type = BP_INT;
        v.n = 1;
        if (c->cls.set(bpt_self(r.m, DUT), "no-such-property", &v) >= 0)
            bad(c, "set() takes a property that is not in the table");
    }
    for (uint32_t i = 0; i < c->cls.n_props; i++) {
        struct bp_prop p;
        char pair[128];
        int err;

        if (!prop_get(c, i, &p) || !(p.flags & BP_P_RUNTIME))
            continue;
        /* The value that it has by default is one that it must take. */
        if (!p.def)
            continue;
        step(c, "setting %s", p.name);
        snprintf(pair, sizeof pair, "%s=%s", p.name, p.def);
        err = bpt_set(r.m, DUT, pair);
        if (err)
            bad(c, "set() refuses the default of %s: %d", p.name, err);
    }
    rig_down(&r);
}
