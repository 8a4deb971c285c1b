/* SPDX-License-Identifier: BSD-3-Clause */
/* config.c - see config.h: from a file to a description, in the order of private.h. */
#include "core/config/config.h"

#include <string.h>

#include "core/config/private.h"
#include "core/error.h"
#include "core/plugin/guard.h"
#include "core/plugin/nearest.h"

/* ---- Errors --------------------------------------------------------------------------------- */

static char *
config_place(const struct config_source *src, const char *who)
{
    return src->line ? g_strdup_printf("%s:%u: %s%s", src->file, src->line, who ? who : "",
                                       who ? ": " : "")
                     : g_strdup_printf("%s: %s%s", src->file, who ? who : "", who ? ": " : "");
}

gboolean
config_bad(GError **error, const struct config_source *src, const char *who, const char *fmt, ...)
{
    char *place = config_place(src, who), *text;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG, "%s%s", place, text);
    g_free(text);
    g_free(place);
    return FALSE;
}

gboolean
config_locate(GError **error, const struct config_source *src, const char *who)
{
    char *place = config_place(src, who);

    g_prefix_error(error, "%s", place);
    g_free(place);
    return FALSE;
}

char *
config_who(const char *name, const char *id)
{
    return strcmp(name, id) == 0 ? g_strdup(name) : g_strdup_printf("%s %s", name, id);
}

char *
section_who(const struct section *sec)
{
    return config_who(sec->text->name, sec->text->id);
}

void
config_instance_error(GError **error, int code, const struct config_instance *inst,
                      const char *prop, const char *fmt, ...)
{
    const struct config_value *value = prop ? config_instance_value(inst, prop) : NULL;
    const struct config_source *src = value && value->src.line ? &value->src : &inst->src;
    char *who = config_who(inst->cls->c.name, inst->id), *place = config_place(src, who), *text;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(error, CORE_ERROR, code, "%s%s", place, text);
    g_free(text);
    g_free(place);
    g_free(who);
}

/* ---- Look-up -------------------------------------------------------------------------------- */

struct config_instance *
config_instance(const struct config *config, const char *id)
{
    return g_hash_table_lookup(config->priv->ids, id);
}

const struct config_value *
config_instance_value(const struct config_instance *inst, const char *prop)
{
    const struct bp_prop *p = plugin_class_prop(inst->cls, prop);

    return p ? &inst->values[p - inst->cls->c.props] : NULL;
}

char *
config_folder_of(const char *file)
{
    char *folder = g_path_get_dirname(file), *here, *whole;

    if (g_path_is_absolute(folder))
        return folder;
    here = g_get_current_dir();
    whole = strcmp(folder, ".") == 0 ? g_strdup(here) : g_build_filename(here, folder, NULL);
    g_free(here);
    g_free(folder);
    return whole;
}

const struct plugin_class *
config_get_class(struct plugin_set *plugins, const char *name, const struct config_source *src,
                 const char *who, GError **error)
{
    char *where = g_strdup_printf("%s:%u: %s", src->file, src->line, who);
    struct plugin_guard guard = {.where = where};
    const struct plugin_class *cls;

    plugin_guard_enter(&guard);
    cls = plugin_set_get(plugins, name, error);
    plugin_guard_leave(&guard);
    if (!cls)
        (void)config_locate(error, src, who);
    g_free(where);
    return cls;
}

/* ---- Building ------------------------------------------------------------------------------- */

static void
config_value_clear(struct config_value *value)
{
    g_free(value->items);
}

static void
config_instance_free(struct config_instance *inst)
{
    for (uint32_t i = 0; i < inst->cls->c.n_props; i++)
        config_value_clear(&inst->values[i]);
    g_free(inst->values);
    g_free(inst->where);
    g_free(inst->id);
    g_free(inst);
}

static void
config_iothread_free(struct config_iothread *io)
{
    g_free(io->id);
    g_free(io);
}

static void
section_free(struct section *sec)
{
    for (uint32_t i = 0; i < sec->n_props && sec->values; i++)
        config_value_clear(&sec->values[i]);
    config_value_clear(&sec->iothread);
    g_free(sec->values);
    g_free(sec);
}

struct config_instance *
config_add_instance(struct config *config, const char *id, const struct plugin_class *cls,
                    unsigned at)
{
    struct config_instance *inst = g_new0(struct config_instance, 1);

    inst->id = g_strdup(id);
    inst->cls = cls;
    inst->values = g_new0(struct config_value, cls->c.n_props);
    g_ptr_array_insert(config->priv->instances, (gint)at, inst);
    g_hash_table_insert(config->priv->ids, inst->id, inst);
    return inst;
}

/* A misspelt section of the core should not be explained as a missing plugin. */
static gboolean
config_is_core_misspelt(const struct reader_section *text, GError **error)
{
    static const char *const names[] = {"machine", "boot", "iothread", NULL};
    const char *near = nearest_name(text->name, names);

    if (!near)
        return FALSE;
    (void)config_bad(error, &text->src, text->name,
                     "there is neither a section nor a plugin of that name; did you mean %s?",
                     near);
    return TRUE;
}

/* The core's tables, or those of a plugin, which is opened. */
static gboolean
config_find_props(struct section *sec, struct plugin_set *plugins, GError **error)
{
    const struct reader_section *text = sec->text;
    char *who;

    if (text->part == READER_CORE) {
        sec->props = core_section_props(text->name, &sec->n_props);
        return TRUE;
    }
    who = section_who(sec);
    if (plugin_set_has(plugins, text->name, NULL) || !config_is_core_misspelt(text, error))
        sec->cls = config_get_class(plugins, text->name, &text->src, who, error);
    g_free(who);
    if (!sec->cls)
        return FALSE;
    sec->props = sec->cls->c.props;
    sec->n_props = sec->cls->c.n_props;
    return TRUE;
}

static struct section *
config_new_section(const struct reader_section *text, struct plugin_set *plugins, GError **error)
{
    struct section *sec = g_new0(struct section, 1);

    sec->text = text;
    if (!config_find_props(sec, plugins, error)) {
        g_free(sec);
        return NULL;
    }
    sec->values = g_new0(struct config_value, sec->n_props);
    return sec;
}

/* The instance of a device section; the values move over to it. */
static gboolean
config_take_section(struct config *config, struct section *sec, GError **error)
{
    struct config_instance *inst;

    if (!sec->cls)
        return core_section_apply(config, sec, error);
    inst = config_add_instance(config, sec->text->id, sec->cls, config->priv->instances->len);
    inst->src = sec->text->src;
    g_free(inst->values);
    inst->values = sec->values;
    sec->values = NULL;
    return TRUE;
}

static gboolean
config_take_iothread(struct config *config, const struct section *sec, GError **error)
{
    const char *want = sec->iothread.n_items ? sec->iothread.items[0].s : NULL;
    GPtrArray *names;
    const char *near;
    char *who;

    if (!sec->cls || !want)
        return TRUE;
    names = g_ptr_array_new();
    for (guint i = 0; i < config->priv->iothreads->len; i++) {
        struct config_iothread *io = g_ptr_array_index(config->priv->iothreads, i);

        g_ptr_array_add(names, io->id);
        if (strcmp(io->id, want) == 0) {
            config_instance(config, sec->text->id)->iothread = io;
            g_ptr_array_free(names, TRUE);
            return TRUE;
        }
    }
    g_ptr_array_add(names, NULL);
    near = nearest_name(want, (const char *const *)names->pdata);
    who = section_who(sec);
    (void)config_bad(error, &sec->iothread.src, who, "iothread: there is no iothread %s; %s%s%s",
                     want, near ? "did you mean " : "add iothread ", near ? near : want,
                     near ? "?" : " { }");
    g_free(who);
    g_ptr_array_free(names, TRUE);
    return FALSE;
}

/* Parses the sections of one part and takes what they say; plugins may be NULL for the core's. */
static gboolean
config_take_part(struct config *config, enum reader_part part, struct plugin_set *plugins,
                 GError **error)
{
    const GPtrArray *texts = reader_sections(config->priv->reader);
    GPtrArray *sections = g_ptr_array_new_with_free_func((GDestroyNotify)section_free);
    gboolean good = TRUE;

    for (guint i = 0; good && i < texts->len; i++) {
        const struct reader_section *text = g_ptr_array_index(texts, i);
        struct section *sec = text->part == part ? config_new_section(text, plugins, error) : NULL;

        if (sec)
            g_ptr_array_add(sections, sec);
        else
            good = text->part != part;
    }
    good = good && schema_parse(config, config->priv->reader, part, sections, error);
    for (guint i = 0; good && i < sections->len; i++)
        good = config_take_section(config, g_ptr_array_index(sections, i), error);
    for (guint i = 0; good && i < sections->len; i++)
        good = config_take_iothread(config, g_ptr_array_index(sections, i), error);
    g_ptr_array_free(sections, TRUE);
    return good;
}

struct config *
config_read(const char *path, GError **error)
{
    struct config *config = g_new0(struct config, 1);
    struct config_private *priv = config->priv = g_new0(struct config_private, 1);

    config->file = g_strdup(path);
    priv->strings = g_string_chunk_new(4096);
    priv->ids = g_hash_table_new(g_str_hash, g_str_equal);
    priv->instances = g_ptr_array_new_with_free_func((GDestroyNotify)config_instance_free);
    priv->iothreads = g_ptr_array_new_with_free_func((GDestroyNotify)config_iothread_free);
    priv->warnings = g_ptr_array_new_with_free_func(g_free);
    priv->folder = config_folder_of(path);
    priv->reader = reader_new(path, priv->strings, error);
    if (!priv->reader || !config_take_part(config, READER_CORE, NULL, error) ||
        !core_sections_finish(config, error)) {
        config_free(config);
        return NULL;
    }
    config->n_iothreads = priv->iothreads->len;
    config->iothreads = (struct config_iothread **)priv->iothreads->pdata;
    return config;
}

gboolean
config_resolve(struct config *config, struct plugin_set *plugins, GError **error)
{
    struct config_private *priv = config->priv;

    if (!config_take_part(config, READER_DEVICES, plugins, error) ||
        !links_resolve(config, plugins, error))
        return FALSE;
    for (guint i = 0; i < priv->instances->len; i++) {
        struct config_instance *inst = g_ptr_array_index(priv->instances, i);
        char *who = config_who(inst->cls->c.name, inst->id);

        inst->where = g_strdup_printf("%s:%u: %s", inst->src.file, inst->src.line, who);
        g_free(who);
    }
    config->n_instances = priv->instances->len;
    config->instances = (struct config_instance **)priv->instances->pdata;
    g_ptr_array_add(priv->warnings, NULL);
    config->warnings = (char **)priv->warnings->pdata;
    g_clear_pointer(&priv->reader, reader_free);
    return TRUE;
}

struct config *
config_load(const char *path, struct plugin_set *plugins, GError **error)
{
    struct config *config = config_read(path, error);

    if (config && !config_resolve(config, plugins, error))
        g_clear_pointer(&config, config_free);
    return config;
}

void
config_free(struct config *config)
{
    struct config_private *priv;

    if (!config)
        return;
    priv = config->priv;
    reader_free(priv->reader);
    g_hash_table_destroy(priv->ids);
    g_ptr_array_free(priv->instances, TRUE);
    g_ptr_array_free(priv->iothreads, TRUE);
    g_ptr_array_free(priv->warnings, TRUE);
    g_string_chunk_free(priv->strings);
    g_free(priv->folder);
    g_free(priv);
    for (unsigned i = 0; i < config->boot.n_modules; i++) {
        g_free(config->boot.modules[i].path);
        g_free(config->boot.modules[i].string);
    }
    g_free(config->boot.modules);
    g_free(config->boot.kernel);
    g_free(config->boot.initrd);
    g_free(config->boot.firmware);
    g_free(config->boot.cmdline);
    g_free(config->machine.affinity);
    g_free(config->machine.hugetlb_path);
    g_free(config->file);
    g_free(config);
}
