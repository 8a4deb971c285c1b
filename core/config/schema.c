/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema.c - pass two: libconfuse parses a text, property tables are its schema.
 *
 * Each section name becomes a CFGT_SEC with one string option a property; a parse callback gives
 * each value to the one parser of values. libconfuse hands no user pointer to its callbacks and
 * keeps its lexer in global variables, so one parse can be under way in a process, and what it is
 * about is a static here.
 */
#include <confuse.h>
#include <string.h>

#include "core/config/private.h"
#include "core/error.h"
#include "core/plugin/nearest.h"
#include "core/plugin/value.h"

static struct {
    struct config *config;
    const struct reader *reader;
    enum reader_part part;
    GHashTable *by_id; /* id -> struct section */
    GError *error;     /* the first */
} schema;

/* The key that every device section has beside its plugin's. */
static const struct bp_prop schema_iothread = {
    .size = sizeof schema_iothread,
    .type = BP_STR,
    .name = "iothread",
    .help = "the iothread section that runs it",
};

/* libconfuse counts lines of our text. */
static struct config_source
schema_source(const cfg_t *cfg)
{
    return reader_source(schema.reader, schema.part, (unsigned)MAX(cfg->line, 1));
}

void
value_append(struct config_value *value, const struct bp_value *item)
{
    if ((value->n_items & (value->n_items - 1)) == 0)
        value->items = g_renew(struct bp_value, value->items, MAX(1, value->n_items * 2));
    value->items[value->n_items++] = *item;
}

gboolean
value_default(struct config *config, const struct bp_prop *prop, struct config_value *value,
              GError **error)
{
    GArray *items;
    gboolean good;

    if (!prop->def)
        return TRUE;
    items = g_array_new(FALSE, FALSE, sizeof(struct bp_value));
    good = value_parse_default(prop, config->priv->folder, config->priv->strings, items, error);
    for (guint i = 0; good && i < items->len; i++)
        value_append(value, &g_array_index(items, struct bp_value, i));
    g_array_free(items, TRUE);
    return good;
}

/* ---- Callbacks of libconfuse ---------------------------------------------------------------- */

static void
schema_unknown_key(const cfg_t *cfg, const struct section *sec, const struct config_source *src,
                   const char *who, const char *key)
{
    GPtrArray *names = g_ptr_array_new();
    const char *near;

    for (const cfg_opt_t *opt = cfg->opts; opt && opt->name; opt++)
        g_ptr_array_add(names, (gpointer)(uintptr_t)opt->name);
    g_ptr_array_add(names, NULL);
    near = nearest_name(key, (const char *const *)names->pdata);
    if (near)
        (void)config_bad(&schema.error, src, who, "unknown key %s; did you mean %s?", key, near);
    else if (sec->cls)
        (void)config_bad(&schema.error, src, who,
                         "unknown key %s; `backplane inspect %s` tells which there are", key,
                         sec->text->name);
    else
        (void)config_bad(&schema.error, src, who,
                         "unknown key %s; backplane.conf(5) tells which "
                         "there are",
                         key);
    g_ptr_array_free(names, TRUE);
}

/* An error that libconfuse found. Its texts are known for 3.3; another one is passed on as it is.
 */
__attribute__((format(printf, 2, 0))) static void
schema_on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
    struct config_source src = schema_source(cfg);
    const struct section *sec = cfg->title ? g_hash_table_lookup(schema.by_id, cfg->title) : NULL;
    char *who, *text;

    if (schema.error)
        return;
    who = sec ? section_who(sec) : NULL;
    text = g_strdup_vprintf(fmt, ap);
    if (sec && strcmp(fmt, "no such option '%s'") == 0) {
        char *key = g_strndup(text + strlen("no such option '"),
                              strlen(text) - strlen("no such option ''"));

        schema_unknown_key(cfg, sec, &src, who, key);
        g_free(key);
    } else if (sec && strcmp(text, "unexpected token '{'") == 0) {
        (void)config_bad(&schema.error, &src, who,
                         "a list in { } stands where one value should be");
    } else if (sec && g_str_has_prefix(text, "attempt to append")) {
        (void)config_bad(&schema.error, &src, who,
                         "+= is for lists, and this key has one value; "
                         "write =");
    } else {
        (void)config_bad(&schema.error, &src, who,
                         "cannot be parsed (%s); correct what stands here", text);
    }
    g_free(text);
    g_free(who);
}

/* Which property and value a key of a section is. */
static const struct bp_prop *
schema_slot(struct section *sec, const char *key, struct config_value **ret_value)
{
    for (uint32_t i = 0; i < sec->n_props; i++)
        if (strcmp(sec->props[i].name, key) == 0) {
            *ret_value = &sec->values[i];
            return &sec->props[i];
        }
    *ret_value = &sec->iothread;
    return &schema_iothread;
}

static gboolean
schema_take(struct section *sec, const struct bp_prop *prop, struct config_value *value,
            const struct config_source *src, const char *text, GError **error)
{
    const struct reader_key *key = reader_section_key(sec->text, prop->name);
    struct bp_value item;
    char *folder;
    gboolean good;

    /* The first item of `+=` comes after the default. */
    if (!value->src.line && key && key->append && !value_default(schema.config, prop, value, error))
        return FALSE;
    if (!value->src.line)
        value->src = *src;
    folder = config_folder_of(src->file);
    good = value_parse(prop, text, folder, 0, schema.config->priv->strings, &item, error);
    g_free(folder);
    if (good)
        value_append(value, &item);
    return good;
}

/* One value; libconfuse wants a string back, which is not used. */
static int
schema_on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *ret)
{
    struct config_source src = schema_source(cfg);
    struct section *sec = cfg->title ? g_hash_table_lookup(schema.by_id, cfg->title) : NULL;
    struct config_value *value = NULL;
    const struct bp_prop *prop;

    if (!sec || !text || schema.error)
        return -1;
    prop = schema_slot(sec, opt->name, &value);
    if (!schema_take(sec, prop, value, &src, text, &schema.error)) {
        char *who = section_who(sec);

        (void)config_locate(&schema.error, &src, who);
        g_free(who);
        return -1;
    }
    *(const char **)ret = "";
    return 0;
}

/* ---- The schema ----------------------------------------------------------------------------- */

/* libconfuse's structs have non-const names and copies of nothing: they live until cfg_free(). */
static cfg_opt_t
schema_option(const struct bp_prop *prop)
{
    return (cfg_opt_t){
        .name = prop->name,
        .type = CFGT_STR,
        .flags = CFGF_NODEFAULT | (prop->flags & BP_P_LIST ? CFGF_LIST : 0),
        .parsecb = schema_on_value,
    };
}

static cfg_opt_t
schema_section(const struct section *sec)
{
    cfg_opt_t *keys = g_new0(cfg_opt_t, sec->n_props + 2);

    for (uint32_t i = 0; i < sec->n_props; i++)
        keys[i] = schema_option(&sec->props[i]);
    if (sec->cls)
        keys[sec->n_props] = schema_option(&schema_iothread);
    return (cfg_opt_t){
        .name = sec->text->name,
        .type = CFGT_SEC,
        .flags = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES,
        .subopts = keys,
    };
}

/* Parses; the error, if any, is in schema.error. */
static void
schema_run(cfg_opt_t *options)
{
    cfg_t *cfg = cfg_init(options, CFGF_NONE);

    cfg_set_error_function(cfg, schema_on_error);
    if (cfg_parse_buf(cfg, reader_text(schema.reader, schema.part)) != CFG_SUCCESS &&
        !schema.error) {
        struct config_source src = schema_source(cfg);

        (void)config_bad(&schema.error, &src, NULL, "cannot be parsed (it does not say why)");
    }
    cfg_free(cfg);
}

/* What the file did not set: the default, or an error where the plugin cannot do without. */
static gboolean
schema_complete(struct config *config, struct section *sec, const char *who, GError **error)
{
    for (uint32_t i = 0; i < sec->n_props; i++) {
        const struct bp_prop *prop = &sec->props[i];
        const struct reader_key *key = reader_section_key(sec->text, prop->name);
        struct config_value *value = &sec->values[i];

        if (!value->src.file)
            value->src.file = sec->text->src.file;
        if (key) {
            value->src = key->src; /* also of the empty list */
            if (prop->flags & BP_P_DEPRECATED)
                g_ptr_array_add(config->priv->warnings,
                                g_strdup_printf("%s:%u: %s: %s is deprecated: %s", key->src.file,
                                                key->src.line, who, prop->name, prop->help));
        } else if (prop->flags & BP_P_REQUIRED) {
            return config_bad(error, &sec->text->src, who, "%s is missing (%s); add %s = ...",
                              prop->name, prop->help, prop->name);
        } else if (!value_default(config, prop, value, error)) {
            return config_locate(error, &sec->text->src, who);
        }
    }
    return TRUE;
}

gboolean
schema_parse(struct config *config, const struct reader *reader, enum reader_part part,
             GPtrArray *sections, GError **error)
{
    cfg_opt_t *options = g_new0(cfg_opt_t, sections->len + 1);
    GHashTable *names = g_hash_table_new(g_str_hash, g_str_equal);
    guint n = 0;

    schema.config = config;
    schema.reader = reader;
    schema.part = part;
    schema.by_id = g_hash_table_new(g_str_hash, g_str_equal);
    schema.error = NULL;
    for (guint i = 0; i < sections->len; i++) {
        struct section *sec = g_ptr_array_index(sections, i);

        g_hash_table_insert(schema.by_id, (gpointer)(uintptr_t)sec->text->id, sec);
        if (g_hash_table_add(names, (gpointer)(uintptr_t)sec->text->name))
            options[n++] = schema_section(sec);
    }
    if (n)
        schema_run(options);
    for (guint i = 0; i < sections->len && !schema.error; i++) {
        struct section *sec = g_ptr_array_index(sections, i);
        char *who = section_who(sec);

        (void)schema_complete(config, sec, who, &schema.error);
        g_free(who);
    }
    g_hash_table_destroy(schema.by_id);
    g_hash_table_destroy(names);
    for (guint i = 0; i < n; i++)
        g_free(options[i].subopts);
    g_free(options);
    if (!schema.error)
        return TRUE;
    g_propagate_error(error, schema.error);
    return FALSE;
}
