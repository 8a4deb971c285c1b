/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load.c - finds and opens plugins, resolves links between instances, and the host table.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"

static char *
find_plugin(const char *name)
{
    const char *path = getenv("BACKPLANE_PLUGIN_PATH"), *top = getenv("top_builddir");
    char *list, *save = NULL, *found = NULL;

    if (strchr(name, '/'))
        return xstrdup(name);
    list =
        xprintf("%s:%s%s:%s", path ? path : "", top ? top : "", top ? "/modules" : "", PLUGINDIR);
    for (char *dir = strtok_r(list, ":", &save); dir && !found; dir = strtok_r(NULL, ":", &save)) {
        found = xprintf("%s/%s.so", dir, name);
        if (access(found, R_OK) != 0) {
            free(found);
            found = NULL;
        }
    }
    free(list);
    return found;
}

/* The class of file NAME.so that is called NAME, or its only one. */
static const struct bp_class *
pick_class(const struct bp_plugin *plugin, const char *name)
{
    const char *base = strrchr(name, '/');
    size_t len;

    base = base ? base + 1 : name;
    len = strlen(base);
    if (len > 3 && strcmp(base + len - 3, ".so") == 0)
        len -= 3;
    for (uint64_t i = 0; i < plugin->n_classes; i++)
        if (strlen(plugin->classes[i]->name) == len &&
            memcmp(plugin->classes[i]->name, base, len) == 0)
            return plugin->classes[i];
    return plugin->n_classes == 1 ? plugin->classes[0] : NULL;
}

int
load_class(struct bpt_machine *m, const char *name, struct bp_class *ret_class)
{
    static const struct bp_hello hello = {.size = sizeof hello,
                                          .api_min = BP_API_MIN,
                                          .api_level = BP_API_LATEST,
                                          .core_version = "libbackplane-test"};
    const struct bp_plugin *(*entry)(const struct bp_hello *);
    const struct bp_plugin *plugin;
    const struct bp_class *cls;
    char *file = find_plugin(name);
    void *so, *sym;

    if (!file)
        return error_set(m, NULL, BP_E_NOENT, "there is no plugin %s.so in the plugin path", name);
    so = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    free(file);
    if (!so)
        return error_set(m, NULL, BP_E_NOENT, "%s", dlerror());
    sym = dlsym(so, BP_ENTRY);
    if (!sym)
        return error_set(m, NULL, BP_E_INVAL, "%s has no " BP_ENTRY, name);
    memcpy(&entry, &sym, sizeof entry);
    plugin = entry(&hello);
    if (!plugin)
        return error_set(m, NULL, BP_E_NOTSUP, "%s refuses API level %d", name, BP_API_LATEST);
    if (plugin->abi_major != BP_ABI_MAJOR || plugin->api_need > BP_API_LATEST)
        return error_set(m, NULL, BP_E_NOTSUP, "%s needs another API level", name);
    cls = pick_class(plugin, name);
    if (!cls)
        return error_set(m, NULL, BP_E_NOENT, "%s has no class of that name", name);
    memset(ret_class, 0, sizeof *ret_class);
    memcpy(ret_class, cls, cls->size < sizeof *ret_class ? cls->size : sizeof *ret_class);
    return 0;
}

int
inst_provides(struct inst *in, const char *iface)
{
    if (in->iface)
        return strcmp(in->iface, iface) == 0;
    for (const char *const *p = in->cls.provides; p && *p; p++)
        if (strcmp(*p, iface) == 0)
            return 1;
    return 0;
}

const void *
inst_table(struct inst *in, const char *iface, uint32_t min_size)
{
    struct ctx c;
    const void *t = in->table;

    if (!inst_provides(in, iface))
        return NULL;
    if (!in->iface) {
        ctx_enter(&c, in, PH_REALIZE);
        t = in->cls.query ? in->cls.query(in->self, iface, min_size) : NULL;
        ctx_leave(&c);
    }
    /* Every interface table begins with its size. */
    return t && *(const uint32_t *)t >= min_size ? t : NULL;
}

/* ---- Links ---- */

/* "file:disk.img" for bp.block/1 is a block-file with its primary property set. */
static int
link_make(struct inst *in, struct prop_value *pv, struct bp_value *v)
{
    const char *colon = strchr(v->s, ':'), *iface = pv->iface;
    const char *what = strncmp(iface, "bp.", 3) == 0 ? iface + 3 : iface;
    char *name = xprintf("%.*s-%.*s", (int)strcspn(what, "/"), what, (int)(colon - v->s), v->s);
    char *id = xprintf("%s.%s", in->id, pv->key), *arg = NULL;
    const char *list[2] = {NULL, NULL};
    struct bp_class cls;
    int err = load_class(in->m, name, &cls);

    for (uint32_t i = 0; !err && i < cls.n_props; i++) {
        const struct bp_prop *p =
            (const void *)((const char *)cls.props + (size_t)i * cls.prop_size);

        if (p->flags & BP_P_PRIMARY)
            list[0] = arg = xprintf("%s=%s", p->name, colon + 1);
    }
    if (!err)
        err = bpt_loadv(in->m, name, id, list);
    free(arg);
    free(name);
    if (err) {
        free(id);
        return err;
    }
    free((void *)(uintptr_t)v->s);
    v->s = id;
    return 0;
}

int
links_expand(struct bpt_machine *m)
{
    for (unsigned i = 0; i < m->n_insts; i++) { /* grows meanwhile */
        struct inst *in = m->insts[i];

        if (in->stage != ST_CREATED)
            continue;
        for (uint32_t k = 0; k < in->n_props; k++) {
            struct prop_value *pv = &in->props[k];

            for (uint32_t n = 0; pv->type == BP_LINK && n < pv->n; n++) {
                int err = strchr(pv->items[n].s, ':') ? link_make(in, pv, &pv->items[n]) : 0;

                if (err)
                    return err;
            }
        }
    }
    return 0;
}

struct inst *
link_target(struct inst *in, const char *id)
{
    return inst_by_id(in->m, id);
}

static int
link_to(struct inst *in, struct inst *peer, int exclusive, const char *iface, uint32_t min_size,
        struct bp_link *ret_link)
{
    struct bpt_machine *m = in->m;
    const void *t;
    uint32_t i;

    if (peer->stage == ST_CREATED)
        return error_set(m, in->id, BP_E_INVAL, "links to %s, which is not realized", peer->id);
    if (!inst_provides(peer, iface))
        return error_set(m, in->id, BP_E_INVAL, "%s does not provide %s", peer->id, iface);
    for (i = 0; i < in->n_peers && in->peers[i] != peer; i++)
        ;
    if (exclusive && i == in->n_peers && !(peer->cls.flags & BP_C_SHARED)) {
        if (peer->taken)
            return error_set(m, in->id, BP_E_BUSY, "%s belongs to another device", peer->id);
        peer->taken = 1;
        for (unsigned k = 0; k < m->n_insts; k++)
            if (m->insts[k]->group == peer)
                m->insts[k]->group = in->group;
    }
    t = inst_table(peer, iface, min_size);
    if (!t)
        return BP_E_NOTSUP;
    if (i == in->n_peers) {
        in->peers = xgrow(in->peers, in->n_peers, sizeof *in->peers);
        in->peers[in->n_peers++] = peer;
    }
    ret_link->flags = 0;
    ret_link->peer = peer->handle;
    ret_link->iface = t;
    ret_link->self = peer->self;
    ret_link->id = peer->id;
    return 0;
}

static int
host_link_item(bp_inst handle, const char *prop, uint64_t index, const char *iface,
               uint32_t min_size, struct bp_link *ret_link)
{
    struct prop_value *pv;
    struct inst *in, *peer;
    int err = host_call(handle, TAG_REALIZE, "link()", &in);

    if (err)
        return err;
    if (ctx_in_create(in))
        problem(in->m, "%s: link() from create()", in->id);
    pv = prop_find(in, prop);
    if (!pv)
        return BP_E_NOENT;
    if (index >= pv->n)
        return BP_E_RANGE;
    if (pv->type != BP_LINK || strcmp(pv->iface, iface) != 0)
        problem(in->m, "%s: link() asks %s for %s against its own table", in->id, prop, iface);
    peer = link_target(in, pv->items[index].s);
    if (!peer)
        return error_set(in->m, in->id, BP_E_NOENT, "%s: there is no '%s'", prop,
                         pv->items[index].s);
    return link_to(in, peer, 1, iface, min_size, ret_link);
}

static int
host_link(bp_inst handle, const char *prop, const char *iface, uint32_t min_size,
          struct bp_link *ret_link)
{
    struct inst *in;
    int err, listed = 0;

    if (prop)
        return host_link_item(handle, prop, 0, iface, min_size, ret_link);
    err = host_call(handle, TAG_REALIZE, "link()", &in);
    if (err)
        return err;
    if (ctx_in_create(in))
        problem(in->m, "%s: link() from create()", in->id);
    for (const char *const *n = in->cls.needs; n && *n; n++)
        listed |= strcmp(**n == '?' ? *n + 1 : *n, iface) == 0;
    if (!listed)
        problem(in->m, "%s: links to %s, which its needs do not list", in->id, iface);
    for (unsigned i = 0; i < in->m->n_insts; i++) {
        struct inst *peer = in->m->insts[i];

        if (peer->stage != ST_DESTROYED && peer != in && inst_provides(peer, iface))
            return link_to(in, peer, 0, iface, min_size, ret_link);
    }
    return BP_E_NOENT;
}

/* ---- The host table ---- */

static const void *
host_query(bp_inst handle, const char *iface, uint32_t min_size)
{
    struct inst *in;

    if (host_call(handle, TAG_CTX, "query()", &in))
        return NULL;
    for (unsigned i = 0; i < N_SERVICES; i++) {
        const struct service *s = &in->m->services[i];

        if (strcmp(s->iface, iface) == 0 && !s->hidden)
            return min_size > (s->cut ? s->cut_size : s->size) ? NULL : s->cut ? s->cut : s->table;
    }
    return NULL;
}

static int
host_prop_item(bp_inst handle, const char *name, uint64_t index, struct bp_value *ret)
{
    struct prop_value *pv;
    struct bp_prop p;
    struct inst *in;
    uint32_t size = ret->size;
    struct bp_value v = {.size = size};
    int err = host_call(handle, TAG_CTX, "prop()", &in);

    if (err)
        return err;
    if (size < BP_UPTO(struct bp_value, i) || size > 4096) {
        problem(in->m, "%s: prop() with a bp_value of size %u", in->id, size);
        return BP_E_INVAL;
    }
    if (!class_prop(&in->cls, name, &p))
        return BP_E_NOENT;
    pv = prop_find(in, name);
    v.type = p.type;
    if (pv && index < pv->n) {
        v = pv->items[index];
        v.n = index ? 1 : pv->n;
    } else if (index) {
        return BP_E_RANGE;
    }
    v.size = size;
    memcpy(ret, &v, size < sizeof v ? size : sizeof v);
    return 0;
}

static int
host_prop(bp_inst handle, const char *name, struct bp_value *ret)
{
    return host_prop_item(handle, name, 0, ret);
}

static int
host_prop_list(bp_inst handle, const char *name, uint64_t index, struct bp_value *ret)
{
    struct inst *in = inst_of(handle);
    struct prop_value *pv = in ? prop_find(in, name) : NULL;

    struct bp_value none = {.size = sizeof none};
    int err;

    if (pv && index < pv->n)
        return host_prop_item(handle, name, index, ret);
    /* Past the end, which an unset list has at its first item; or no such name. */
    err = host_prop_item(handle, name, 0, &none);
    return err ? err : BP_E_RANGE;
}

static int
host_fail(bp_inst handle, int err, const char *msg)
{
    struct inst *in = inst_of(handle);

    if (in)
        error_set(in->m, in->id, err, "%s", msg);
    return err;
}

static int
host_open(bp_inst handle, const char *prop, uint32_t flags)
{
    struct prop_value *pv;
    struct inst *in;
    int fd, how = O_CLOEXEC | O_NOCTTY, err = host_call(handle, TAG_CTX, "open()", &in);

    if (err)
        return err;
    pv = prop_find(in, prop);
    if (!pv || pv->type != BP_PATH)
        return pv ? BP_E_INVAL : BP_E_NOENT;
    how |= (flags & 3) == (BP_OPEN_READ | BP_OPEN_WRITE) ? O_RDWR
           : flags & BP_OPEN_WRITE                       ? O_WRONLY
                                                         : O_RDONLY;
    how |= flags & BP_OPEN_CREATE ? O_CREAT : 0;
    how |= flags & BP_OPEN_TRUNC ? O_TRUNC : 0;
    how |= flags & BP_OPEN_APPEND ? O_APPEND : 0;
    how |= flags & BP_OPEN_DIRECT ? O_DIRECT : 0;
    how |= flags & BP_OPEN_NONBLOCK ? O_NONBLOCK : 0;
    fd = open(pv->items[0].s, how, 0600);
    if (fd < 0) {
        err = -errno;
        return error_set(in->m, in->id, err, "%s: %s: %s", prop, pv->items[0].s, strerror(errno));
    }
    return fd;
}

const struct bp_host fake_host = {
    .size = sizeof fake_host,
    .api_level = BP_API_LATEST,
    .query = host_query,
    .prop = host_prop,
    .prop_item = host_prop_list,
    .link = host_link,
    .log = fake_log,
    .fail = host_fail,
    .open = host_open,
    .link_item = host_link_item,
};
