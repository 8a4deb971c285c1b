/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * props.c - property text against a class's table, with the rules of the config file: types,
 * ranges, defaults, unknown names.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"

/* The index-th entry of the table as a full-size struct; the stride is the plugin's own. */
static void
prop_at(const struct bp_class *cls, uint32_t index, struct bp_prop *ret_prop)
{
    const char *at = (const char *)cls->props + (size_t)index * cls->prop_size;
    uint32_t size = ((const struct bp_prop *)(const void *)at)->size;

    memset(ret_prop, 0, sizeof *ret_prop);
    memcpy(ret_prop, at, size < sizeof *ret_prop ? size : sizeof *ret_prop);
}

int
class_prop(const struct bp_class *cls, const char *name, struct bp_prop *ret_prop)
{
    for (uint32_t i = 0; i < cls->n_props; i++) {
        struct bp_prop p;

        prop_at(cls, i, &p);
        if (strcmp(p.name, name) == 0) {
            *ret_prop = p;
            return 1;
        }
    }
    return 0;
}

struct prop_value *
prop_find(struct inst *in, const char *name)
{
    for (uint32_t i = 0; i < in->n_props; i++)
        if (strcmp(in->props[i].key, name) == 0)
            return &in->props[i];
    return NULL;
}

/* A whole number with an optional size suffix; 0 or BP_E_INVAL. */
static int
parse_number(const char *text, int sizes, int64_t *ret)
{
    char *end;
    long long v;
    int shift = 0;

    errno = 0;
    v = strtoll(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
    if (errno || end == text || isspace((unsigned char)*text))
        return BP_E_INVAL;
    if (sizes && *end) {
        const char *units = "KMGT", *u = strchr(units, toupper((unsigned char)*end));

        if (!u || !*u)
            return BP_E_INVAL;
        shift = 10 * (int)(u - units + 1);
        end++;
    }
    if (*end || (sizes && v < 0) || (shift && v > INT64_MAX >> shift))
        return BP_E_INVAL;
    *ret = (int64_t)((uint64_t)v << shift);
    return 0;
}

static int
parse_bool(const char *text, int64_t *ret)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = i & 1;
            return 0;
        }
    }
    return BP_E_INVAL;
}

static char *
absolute(const char *path)
{
    char *cwd, *full;

    if (*path == '/' || !*path)
        return xstrdup(path);
    cwd = getcwd(NULL, 0);
    full = xprintf("%s/%s", cwd ? cwd : "", path);
    free(cwd);
    return full;
}

int
prop_parse_one(struct inst *in, const struct bp_prop *p, const char *text, struct bp_value *v)
{
    int64_t i = 0;
    char *s = NULL;

    switch (p->type) {
    case BP_BOOL:
        if (parse_bool(text, &i))
            return error_set(in->m, in->id, BP_E_INVAL, "%s: '%s' is neither true nor false",
                             p->name, text);
        break;
    case BP_INT:
    case BP_SIZE:
    case BP_FD:
        if (parse_number(text, p->type == BP_SIZE, &i))
            return error_set(in->m, in->id, BP_E_INVAL, "%s: '%s' is not a number", p->name, text);
        if (p->type != BP_FD && (p->min || p->max) && (i < p->min || i > p->max))
            return error_set(in->m, in->id, BP_E_RANGE, "%s: %s is not in %lld to %lld", p->name,
                             text, (long long)p->min, (long long)p->max);
        break;
    case BP_ENUM:
        while (p->choices[i] && strcmp(p->choices[i], text) != 0)
            i++;
        if (!p->choices[i])
            return error_set(in->m, in->id, BP_E_INVAL, "%s: '%s' is none of its choices", p->name,
                             text);
        s = xstrdup(text);
        break;
    case BP_PATH:
        s = absolute(text);
        break;
    case BP_STR:
    case BP_LINK:
        s = xstrdup(text);
        break;
    default:
        return error_set(in->m, in->id, BP_E_INVAL, "%s: the class gives it the unknown type %u",
                         p->name, p->type);
    }
    *v = (struct bp_value){.size = sizeof *v, .type = p->type, .i = i, .s = s, .n = 1};
    return 0;
}

static int
prop_assign(struct inst *in, const char *key, const char *text)
{
    struct prop_value *pv = prop_find(in, key);
    struct bp_prop p;
    struct bp_value v;
    int err;

    if (!class_prop(&in->cls, key, &p))
        return error_set(in->m, in->id, BP_E_NOENT, "%s has no property '%s'", in->cls.name, key);
    if (pv && !(p.flags & BP_P_LIST))
        return error_set(in->m, in->id, BP_E_EXIST, "%s is given twice", key);
    err = prop_parse_one(in, &p, text, &v);
    if (err)
        return err;
    if (!pv) {
        in->props = xgrow(in->props, in->n_props, sizeof *in->props);
        pv = &in->props[in->n_props++];
        *pv = (struct prop_value){
            .key = xstrdup(key), .type = p.type, .flags = p.flags, .iface = p.link_iface};
    }
    pv->items = xgrow(pv->items, pv->n, sizeof *pv->items);
    pv->items[pv->n++] = v;
    return 0;
}

static int
assign_text(struct inst *in, const char *pair)
{
    const char *eq = strchr(pair, '=');
    char *key;
    int err;

    if (!eq)
        return error_set(in->m, in->id, BP_E_INVAL, "'%s' is not key=value", pair);
    key = xstrdup(pair);
    key[eq - pair] = '\0';
    err = prop_assign(in, key, eq + 1);
    free(key);
    return err;
}

/* Cuts the next item off "a=1,b=\"x,y\"": unquotes it into buf, returns where the rest begins. */
static const char *
next_item(const char *text, char *buf)
{
    int quoted = 0;

    for (; *text && (quoted || *text != ','); text++) {
        if (*text == '"')
            quoted = !quoted;
        else
            *buf++ = *text;
    }
    *buf = '\0';
    return *text ? text + 1 : text;
}

static int
finish_props(struct inst *in)
{
    for (uint32_t i = 0; i < in->cls.n_props; i++) {
        struct bp_prop p;
        int err;

        prop_at(&in->cls, i, &p);
        if (prop_find(in, p.name))
            continue;
        if (p.flags & BP_P_REQUIRED)
            return error_set(in->m, in->id, BP_E_INVAL, "needs the property '%s'", p.name);
        if (p.def) {
            char *def = xcalloc(1, strlen(p.def) + 1);
            const char *rest = p.def;

            if (!(p.flags & BP_P_LIST))
                err = prop_assign(in, p.name, p.def);
            else
                for (err = 0; *rest && !err; err = prop_assign(in, p.name, def))
                    rest = next_item(rest, def);
            free(def);
            if (err)
                return err;
        }
    }
    return 0;
}

int
props_parse(struct inst *in, const char *text, const char *const *list)
{
    int err = 0;

    if (text) {
        char *item = xcalloc(1, strlen(text) + 1);

        while (*text && !err) {
            text = next_item(text, item);
            err = assign_text(in, item);
        }
        free(item);
    }
    for (; list && *list && !err; list++)
        err = assign_text(in, *list);
    return err ? err : finish_props(in);
}

void
props_free(struct inst *in)
{
    for (uint32_t i = 0; i < in->n_props; i++) {
        struct prop_value *pv = &in->props[i];

        for (uint32_t k = 0; k < pv->n; k++)
            free((void *)(uintptr_t)pv->items[k].s);
        free(pv->items);
        free(pv->key);
    }
    free(in->props);
    in->props = NULL;
    in->n_props = 0;
}
