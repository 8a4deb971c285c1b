/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * link.c - what LINK values name: another section, or in the short form "kind:argument" a back end
 * that is made on the spot.
 *
 * The short form's kind is completed by the interface: where bp.block/1 is wanted, "file:disk.img"
 * is the plugin block-file with its primary property set to disk.img.
 */
#include <string.h>

#include "core/config/private.h"
#include "core/error.h"
#include "core/plugin/nearest.h"
#include "core/plugin/value.h"

#define LINK_DEPTH_MAX 8u /* back ends of back ends that short forms make */

struct link {
    struct config *config;
    struct plugin_set *plugins;
    struct config_instance *inst; /* whose link it is */
    const struct bp_prop *prop;
    const struct config_source *src;
    uint32_t item;
    unsigned at; /* where the next back end that it makes goes: after it and those made before */
};

__attribute__((format(printf, 3, 4))) static gboolean
link_bad(GError **error, const struct link *l, const char *fmt, ...)
{
    char *who = config_who(l->inst->cls->c.name, l->inst->id), *text;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    (void)config_bad(error, l->src, who, "%s: %s", l->prop->name, text);
    g_free(text);
    g_free(who);
    return FALSE;
}

/* "block-" of "bp.block/1". */
static char *
link_prefix(const char *iface)
{
    const char *end = strchr(iface, '/'), *start = end;

    while (start > iface && start[-1] != '.')
        start--;
    return g_strdup_printf("%.*s-", (int)(end - start), start);
}

static void
link_set(struct link *l, const char *id)
{
    uint32_t index = (uint32_t)(l->prop - l->inst->cls->c.props);

    l->inst->values[index].items[l->item].s =
        g_string_chunk_insert_const(l->config->priv->strings, id);
}

static gboolean
link_check_provides(const struct link *l, const struct plugin_class *cls, const char *text,
                    GError **error)
{
    GString *has;

    if (plugin_class_provides(cls, l->prop->link_iface))
        return TRUE;
    has = g_string_new(NULL);
    for (const char *const *iface = cls->c.provides; *iface; iface++)
        g_string_append_printf(has, "%s%s", has->len ? ", " : "", *iface);
    (void)link_bad(error, l, "%s is a %s, which provides %s and not %s; name another section", text,
                   cls->c.name, has->len ? has->str : "nothing", l->prop->link_iface);
    g_string_free(has, TRUE);
    return FALSE;
}

static const struct bp_prop *
link_primary(const struct plugin_class *cls, uint32_t *ret_index)
{
    for (uint32_t i = 0; i < cls->c.n_props; i++)
        if (cls->c.props[i].flags & BP_P_PRIMARY) {
            *ret_index = i;
            return &cls->c.props[i];
        }
    return NULL;
}

/* The value that the section passes on to a back end made for it, or NULL. */
static const struct config_value *
link_passed_on(const struct link *l, const struct bp_prop *to)
{
    const struct bp_class *c = &l->inst->cls->c;

    for (uint32_t i = 0; i < c->n_props; i++) {
        const struct bp_prop *from = &c->props[i];
        const struct config_value *value = &l->inst->values[i];

        if ((from->flags & BP_P_PASS_ON) && value->src.line && value->n_items == 1 &&
            from->type == to->type && !((from->flags | to->flags) & BP_P_LIST) &&
            strcmp(from->name, to->name) == 0)
            return value;
    }
    return NULL;
}

/* The values of a back end of the short form: its primary property, what is passed on to it, and
 * defaults. */
static gboolean
link_fill(struct link *l, struct config_instance *made, const char *kind, const char *argument,
          GError **error)
{
    const struct plugin_class *cls = made->cls;
    uint32_t index = 0;
    const struct bp_prop *primary = link_primary(cls, &index);

    if (argument && !primary)
        return link_bad(error, l, "%s takes no argument; write \"%s\"", cls->c.name, kind);
    for (uint32_t i = 0; i < cls->c.n_props; i++) {
        const struct bp_prop *prop = &cls->c.props[i];
        struct config_value *value = &made->values[i];
        const struct config_value *passed = link_passed_on(l, prop);
        struct bp_value item;
        GError *why = NULL;

        value->src.file = l->src->file;
        if (prop == primary && argument) {
            char *folder = config_folder_of(l->src->file);
            gboolean good =
                value_parse(prop, argument, folder, 0, l->config->priv->strings, &item, &why);

            g_free(folder);
            if (!good) {
                (void)link_bad(error, l, "%s", why->message);
                g_error_free(why);
                return FALSE;
            }
            value->src = *l->src;
            value_append(value, &item);
        } else if (passed) {
            value->src = passed->src;
            value_append(value, &passed->items[0]);
        } else if (prop->flags & BP_P_REQUIRED) {
            return link_bad(error, l, "\"%s\" needs %s (%s); write %s%s", kind, prop->name,
                            prop->help, prop == primary ? kind : "a section ",
                            prop == primary ? ":ARGUMENT" : cls->c.name);
        } else if (!value_default(l->config, prop, value, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static unsigned
link_depth(const struct config_instance *inst)
{
    unsigned depth = 0;

    for (; inst->owner; inst = inst->owner)
        depth++;
    return depth;
}

/* "disk0.drive", or "disk0.drive.1" in a list. */
static char *
link_new_id(const struct link *l)
{
    if (l->prop->flags & BP_P_LIST)
        return g_strdup_printf("%s.%s.%u", l->inst->id, l->prop->name, l->item);
    return g_strdup_printf("%s.%s", l->inst->id, l->prop->name);
}

static gboolean
link_short_form(struct link *l, const char *kind, const char *argument, GError **error)
{
    char *prefix = link_prefix(l->prop->link_iface), *name = g_strconcat(prefix, kind, NULL);
    char *owner = config_who(l->inst->cls->c.name, l->inst->id), *id = link_new_id(l);
    char *who = g_strdup_printf("%s: %s", owner, l->prop->name);
    const struct plugin_class *cls;
    struct config_instance *made;
    gboolean good = FALSE;

    cls = config_get_class(l->plugins, name, l->src, who, error);
    if (!cls || !link_check_provides(l, cls, name, error))
        goto out;
    if (link_depth(l->inst) >= LINK_DEPTH_MAX) {
        (void)link_bad(error, l,
                       "more than %u back ends would be made of each other; the plugin "
                       "%s is faulty, ask its author",
                       LINK_DEPTH_MAX, cls->c.name);
        goto out;
    }
    if (config_instance(l->config, id)) {
        (void)link_bad(error, l,
                       "the id %s for its back end is taken by another section; rename "
                       "that one",
                       id);
        goto out;
    }
    made = config_add_instance(l->config, id, cls, l->at++);
    made->src = *l->src;
    made->owner = l->inst;
    made->owner_prop = l->prop->name;
    made->iothread = l->inst->iothread;
    if (!link_fill(l, made, kind, argument, error))
        goto out;
    link_set(l, made->id);
    good = TRUE;
out:
    g_free(owner);
    g_free(id);
    g_free(who);
    g_free(name);
    g_free(prefix);
    return good;
}

static gboolean
link_to_nowhere(const struct link *l, const char *text, GError **error)
{
    char *prefix = link_prefix(l->prop->link_iface);
    GPtrArray *names = g_ptr_array_new();
    char **plugins = plugin_set_names(l->plugins);
    const char *near;

    for (guint i = 0; i < l->config->priv->instances->len; i++) {
        const struct config_instance *other = g_ptr_array_index(l->config->priv->instances, i);

        if (plugin_class_provides(other->cls, l->prop->link_iface))
            g_ptr_array_add(names, other->id);
    }
    for (char **name = plugins; *name; name++)
        if (g_str_has_prefix(*name, prefix))
            g_ptr_array_add(names, *name + strlen(prefix));
    g_ptr_array_add(names, NULL);
    near = nearest_name(text, (const char *const *)names->pdata);
    (void)link_bad(
        error, l,
        "\"%s\" is neither the id of a section nor, as a short form, a plugin %s%s; %s%s%s", text,
        prefix, text, near ? "did you mean " : "correct it, or add a section of ",
        near ? near : "that id", near ? "?" : "");
    g_ptr_array_free(names, TRUE);
    g_strfreev(plugins);
    g_free(prefix);
    return FALSE;
}

static gboolean
link_resolve(struct link *l, const char *text, GError **error)
{
    const struct config_instance *to = config_instance(l->config, text);
    const char *colon = strchr(text, ':');
    char *kind, *prefix, *name;
    gboolean plain;

    if (to) {
        if (to == l->inst)
            return link_bad(error, l, "it links to itself; name another section");
        return link_check_provides(l, to->cls, text, error);
    }
    if (colon) {
        gboolean good;

        kind = g_strndup(text, (gsize)(colon - text));
        good = *kind ? link_short_form(l, kind, colon + 1, error)
                     : link_bad(error, l,
                                "\"%s\" has no kind before the colon; write "
                                "\"KIND:ARGUMENT\"",
                                text);
        g_free(kind);
        return good;
    }
    prefix = link_prefix(l->prop->link_iface);
    name = g_strconcat(prefix, text, NULL);
    plain = plugin_set_has(l->plugins, name, NULL);
    g_free(name);
    g_free(prefix);
    return plain ? link_short_form(l, text, NULL, error) : link_to_nowhere(l, text, error);
}

/* A back end serves one device: it may be the target of one link in the whole file. */
static gboolean
link_check_exclusive(const struct link *l, GHashTable *users, GError **error)
{
    uint32_t index = (uint32_t)(l->prop - l->inst->cls->c.props);
    struct config_instance *to =
        config_instance(l->config, l->inst->values[index].items[l->item].s);
    const struct config_instance *first = g_hash_table_lookup(users, to);

    if (to->cls->c.flags & BP_C_SHARED)
        return TRUE;
    if (first)
        return link_bad(error, l,
                        "%s serves one device and has one, the %s %s at %s:%u; give each "
                        "its own",
                        to->id, first->cls->c.name, first->id, first->src.file, first->src.line);
    g_hash_table_insert(users, to, l->inst);
    return TRUE;
}

static gboolean
link_instance(struct link *l, GHashTable *users, GError **error)
{
    const struct bp_class *c = &l->inst->cls->c;

    for (uint32_t p = 0; p < c->n_props; p++) {
        const struct config_value *value = &l->inst->values[p];

        if (c->props[p].type != BP_LINK)
            continue;
        l->prop = &c->props[p];
        l->src = value->src.line ? &value->src : &l->inst->src;
        for (l->item = 0; l->item < value->n_items; l->item++)
            if (!link_resolve(l, value->items[l->item].s, error) ||
                !link_check_exclusive(l, users, error))
                return FALSE;
    }
    return TRUE;
}

gboolean
links_resolve(struct config *config, struct plugin_set *plugins, GError **error)
{
    GHashTable *users = g_hash_table_new(NULL, NULL);
    GPtrArray *instances = config->priv->instances;
    gboolean good = TRUE;

    /* What a short form makes comes next in the array, so its own links are met as well. */
    for (guint i = 0; good && i < instances->len; i++) {
        struct link l = {.config = config,
                         .plugins = plugins,
                         .inst = g_ptr_array_index(instances, i),
                         .at = i + 1};

        good = link_instance(&l, users, error);
    }
    g_hash_table_destroy(users);
    return good;
}
