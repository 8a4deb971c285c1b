/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * describe.c - see describe.h.
 *
 * The size rule of the boundary: the smaller of the two sizes is copied, the rest of ours is zero.
 * A size below that of level 1 is a lie, since members are only ever appended; one that no level
 * could reach is a lie too.
 */
#include "core/plugin/describe.h"

#include <string.h>

#include "core/error.h"
#include "core/plugin/value.h"

#define DESCRIBE_SIZE_MAX    4096u
#define DESCRIBE_TEXT_MAX    1024u
#define DESCRIBE_CLASSES_MAX 64u
#define DESCRIBE_PROPS_MAX   256u
#define DESCRIBE_NAMES_MAX   256u /* of provides, needs, choices */

/* What level 1 has; a plugin of any level has at least that. */
#define DESCRIBE_PLUGIN_MIN BP_UPTO(struct bp_plugin, n_classes)
#define DESCRIBE_CLASS_MIN  BP_UPTO(struct bp_class, destroy)
#define DESCRIBE_PROP_MIN   BP_UPTO(struct bp_prop, link_iface)

#define DESCRIBE_CLASS_FLAGS (BP_C_PARALLEL | BP_C_INPROC_ONLY | BP_C_REPLACEABLE | BP_C_SHARED)
#define DESCRIBE_PROP_FLAGS                                                                        \
    (BP_P_REQUIRED | BP_P_RUNTIME | BP_P_SECRET | BP_P_DEPRECATED | BP_P_LIST | BP_P_PRIMARY |     \
     BP_P_MUST_EXIST | BP_P_PASS_ON)

struct class_box {
    struct plugin_class cls; /* first, so that a class leads to its box */
    GStringChunk *strings;
    struct bp_prop *props;
    GPtrArray *lists; /* of string pointers, NULL-ended */
};

/* Where we are, for messages: FILE: class C: property P: */
struct place {
    const char *file, *class_name, *prop_name;
};

__attribute__((format(printf, 3, 4))) static gboolean
describe_bad(GError **error, const struct place *at, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                "%s: %s%s%s%s%s%s%s; the plugin is faulty, "
                "ask its author",
                at->file, at->class_name ? "class " : "", at->class_name ? at->class_name : "",
                at->class_name ? ": " : "", at->prop_name ? "property " : "",
                at->prop_name ? at->prop_name : "", at->prop_name ? ": " : "", text);
    g_free(text);
    return FALSE;
}

static gboolean
describe_is_name(const char *name, gboolean underscore)
{
    if (!g_ascii_islower(name[0]))
        return FALSE;
    for (const char *p = name; *p; p++)
        if (!g_ascii_islower(*p) && !g_ascii_isdigit(*p) && *p != '-' && !(underscore && *p == '_'))
            return FALSE;
    return strlen(name) < BP_NOTE_ID_SIZE;
}

gboolean
describe_is_class_name(const char *name)
{
    return describe_is_name(name, FALSE);
}

gboolean
describe_is_prop_name(const char *name)
{
    return describe_is_name(name, TRUE);
}

/* "bp.block/1": lower-case words with dots and hyphens, a slash, a number. */
static gboolean
describe_is_iface(const char *name)
{
    const char *slash = strchr(name, '/');

    if (!slash || slash == name || !slash[1] || slash[1 + strspn(slash + 1, "0123456789")])
        return FALSE;
    for (const char *p = name; p < slash; p++)
        if (!g_ascii_islower(*p) && !g_ascii_isdigit(*p) && *p != '.' && *p != '-')
            return FALSE;
    return TRUE;
}

static gboolean
describe_aligned(const void *p)
{
    return p && (uintptr_t)p % sizeof(void *) == 0;
}

/* Copies one line of text; what says which one. A missing one becomes "" unless it is required. */
static gboolean
describe_text(GStringChunk *strings, const struct place *at, const char *what, const char *theirs,
              gboolean required, const char **ret, GError **error)
{
    size_t len = theirs ? strnlen(theirs, DESCRIBE_TEXT_MAX + 1) : 0;

    if (len == 0 && required)
        return describe_bad(error, at, "it has no %s", what);
    if (len > DESCRIBE_TEXT_MAX)
        return describe_bad(error, at, "its %s is longer than %u bytes", what, DESCRIBE_TEXT_MAX);
    if (len && !g_utf8_validate(theirs, (gssize)len, NULL))
        return describe_bad(error, at, "its %s is not UTF-8", what);
    for (size_t i = 0; i < len; i++)
        if ((guchar)theirs[i] < 0x20 || theirs[i] == 0x7f)
            return describe_bad(error, at, "its %s has a control character", what);
    *ret = g_string_chunk_insert_len(strings, len ? theirs : "", (gssize)len);
    return TRUE;
}

/* Copies a NULL-ended list; theirs may be NULL, the copy is not. */
static gboolean
describe_list(struct class_box *box, const struct place *at, const char *what,
              const char *const *theirs, const char *const **ret, GError **error)
{
    GPtrArray *copy = g_ptr_array_new();
    gpointer *list;

    for (unsigned i = 0; theirs && theirs[i]; i++) {
        const char *text;

        if (i == DESCRIBE_NAMES_MAX) {
            g_ptr_array_free(copy, TRUE);
            return describe_bad(error, at, "its %s has more than %u entries, or no NULL at its end",
                                what, DESCRIBE_NAMES_MAX);
        }
        if (!describe_text(box->strings, at, what, theirs[i], TRUE, &text, error)) {
            g_ptr_array_free(copy, TRUE);
            return FALSE;
        }
        for (unsigned j = 0; j < i; j++)
            if (strcmp(g_ptr_array_index(copy, j), text) == 0) {
                g_ptr_array_free(copy, TRUE);
                return describe_bad(error, at, "its %s has \"%s\" twice", what, text);
            }
        g_ptr_array_add(copy, (gpointer)(uintptr_t)text);
    }
    g_ptr_array_add(copy, NULL);
    list = g_ptr_array_free(copy, FALSE);
    g_ptr_array_add(box->lists, list);
    *ret = (const char *const *)list;
    return TRUE;
}

static gboolean
describe_ifaces(const struct place *at, const char *what, const char *const *list, gboolean needs,
                GError **error)
{
    for (; *list; list++)
        if (!describe_is_iface(*list + (needs && **list == '?')))
            return describe_bad(error, at, "\"%s\" in its %s is no interface, e.g. \"bp.block/1\"",
                                *list, what);
    return TRUE;
}

static gboolean
describe_prop_type(const struct place *at, const struct bp_prop *p, GError **error)
{
    if (!value_type_name(p->type))
        return describe_bad(error, at, "type %u is unknown here; a newer backplane may know it",
                            p->type);
    if ((p->flags & ~(uint32_t)DESCRIBE_PROP_FLAGS) >> 16)
        return describe_bad(error, at,
                            "flags 0x%x are unknown here; a newer backplane may know "
                            "them",
                            p->flags & ~(uint32_t)DESCRIBE_PROP_FLAGS);
    if ((p->type == BP_INT || p->type == BP_SIZE) && (p->min || p->max) && p->min > p->max)
        return describe_bad(error, at, "its least value is above its greatest");
    if (p->type == BP_SIZE && p->min < 0)
        return describe_bad(error, at, "its least size is negative");
    if (p->type == BP_ENUM && !p->choices[0])
        return describe_bad(error, at, "it has no choices");
    if (p->type == BP_LINK && !describe_is_iface(p->link_iface))
        return describe_bad(error, at, "\"%s\" is no interface to link to, e.g. \"bp.block/1\"",
                            p->link_iface);
    if (p->flags & BP_P_REQUIRED && p->def)
        return describe_bad(error, at, "it is required and has a default");
    return TRUE;
}

static gboolean
describe_prop_default(struct class_box *box, const struct place *at, const struct bp_prop *p,
                      GError **error)
{
    GError *why = NULL;
    GArray *items;

    if (!p->def)
        return TRUE;
    items = g_array_new(FALSE, FALSE, sizeof(struct bp_value));
    if (!value_parse_default(p, "/", box->strings, items, &why)) {
        (void)describe_bad(error, at, "its default is refused: %s", why->message);
        g_error_free(why);
        g_array_free(items, TRUE);
        return FALSE;
    }
    g_array_free(items, TRUE);
    return TRUE;
}

static gboolean
describe_prop(struct class_box *box, struct place at, const void *theirs, uint32_t stride,
              struct bp_prop *p, GError **error)
{
    uint32_t size;

    memcpy(&size, theirs, sizeof size);
    if (size < DESCRIBE_PROP_MIN || size > stride)
        return describe_bad(error, &at, "a property says that it has %u bytes; %u to %u can be",
                            size, DESCRIBE_PROP_MIN, stride);
    memcpy(p, theirs, MIN(size, sizeof *p));
    p->size = sizeof *p;

    if (!describe_text(box->strings, &at, "property's name", p->name, TRUE, &p->name, error))
        return FALSE;
    at.prop_name = p->name;
    if (!describe_is_prop_name(p->name))
        return describe_bad(error, &at, "a name is [a-z][a-z0-9_-]*, at most 51 bytes");
    if (strcmp(p->name, "iothread") == 0)
        return describe_bad(error, &at, "that key belongs to the core");
    if (!describe_text(box->strings, &at, "help", p->help, FALSE, &p->help, error) ||
        (p->def && !describe_text(box->strings, &at, "default", p->def, FALSE, &p->def, error)) ||
        !describe_text(box->strings, &at, "link_iface", p->link_iface, FALSE, &p->link_iface,
                       error) ||
        !describe_list(box, &at, "choices", p->type == BP_ENUM ? p->choices : NULL, &p->choices,
                       error))
        return FALSE;
    return describe_prop_type(&at, p, error) && describe_prop_default(box, &at, p, error);
}

static gboolean
describe_props(struct class_box *box, const struct place *at, GError **error)
{
    struct bp_class *c = &box->cls.c;
    const unsigned char *theirs = (const unsigned char *)c->props;
    const char *primary = NULL;

    if (c->n_props > DESCRIBE_PROPS_MAX)
        return describe_bad(error, at, "%u properties; %u can be", c->n_props, DESCRIBE_PROPS_MAX);
    if (c->n_props && (!describe_aligned(theirs) || c->prop_size < DESCRIBE_PROP_MIN ||
                       c->prop_size > DESCRIBE_SIZE_MAX || c->prop_size % sizeof(void *)))
        return describe_bad(error, at, "its property table says %u bytes an entry; at least %u are",
                            c->prop_size, DESCRIBE_PROP_MIN);
    box->props = g_new0(struct bp_prop, c->n_props + 1);
    for (uint32_t i = 0; i < c->n_props; i++) {
        struct bp_prop *p = &box->props[i];
        struct place here = *at;

        if (!describe_prop(box, here, theirs + (size_t)i * c->prop_size, c->prop_size, p, error))
            return FALSE;
        here.prop_name = p->name;
        for (uint32_t j = 0; j < i; j++)
            if (g_strcmp0(box->props[j].name, p->name) == 0)
                return describe_bad(error, &here, "it is in the table twice");
        if (p->flags & BP_P_PRIMARY && primary)
            return describe_bad(error, &here, "it and %s are both primary", primary);
        if (p->flags & BP_P_PRIMARY)
            primary = p->name;
    }
    c->props = box->props;
    c->prop_size = sizeof(struct bp_prop);
    return TRUE;
}

static gboolean
describe_class_members(struct class_box *box, struct place *at, GError **error)
{
    static const char *const reserved[] = {"machine", "boot", "iothread", "include", NULL};
    struct bp_class *c = &box->cls.c;

    if (!describe_text(box->strings, at, "class name", c->name, TRUE, &c->name, error))
        return FALSE;
    at->class_name = c->name;
    if (!describe_is_class_name(c->name))
        return describe_bad(error, at, "a name is [a-z][a-z0-9-]*, at most 51 bytes");
    if (g_strv_contains(reserved, c->name))
        return describe_bad(error, at, "a section of the core has that name");
    if (!describe_text(box->strings, at, "version", c->version, TRUE, &c->version, error) ||
        !describe_text(box->strings, at, "summary", c->summary, TRUE, &c->summary, error) ||
        !describe_list(box, at, "provides", c->provides, &c->provides, error) ||
        !describe_list(box, at, "needs", c->needs, &c->needs, error) ||
        !describe_ifaces(at, "provides", c->provides, FALSE, error) ||
        !describe_ifaces(at, "needs", c->needs, TRUE, error) || !describe_props(box, at, error))
        return FALSE;
    if ((c->flags & ~(uint32_t)DESCRIBE_CLASS_FLAGS) >> 16)
        return describe_bad(error, at,
                            "flags 0x%x are unknown here; a newer backplane may know "
                            "them",
                            c->flags & ~(uint32_t)DESCRIBE_CLASS_FLAGS);
    if (!c->create)
        return describe_bad(error, at, "it has no create()");
    if (c->provides[0] && !c->query)
        return describe_bad(error, at, "it provides %s but has no query()", c->provides[0]);
    if (c->state_min > c->state_ver)
        return describe_bad(error, at, "it loads state from version %u but saves version %u",
                            c->state_min, c->state_ver);
    if (c->state_ver && (!c->save || !c->load))
        return describe_bad(error, at, "it has state version %u but no save() and load()",
                            c->state_ver);
    return TRUE;
}

static struct plugin_class *
describe_class(const struct bp_class *theirs, const struct bp_plugin *plugin, const char *file,
               GError **error)
{
    struct place at = {.file = file};
    struct class_box *box;
    uint32_t size;

    if (!describe_aligned(theirs)) {
        (void)describe_bad(error, &at, "its list of classes has a bad pointer");
        return NULL;
    }
    size = theirs->size;
    if (size < DESCRIBE_CLASS_MIN || size > DESCRIBE_SIZE_MAX) {
        (void)describe_bad(error, &at, "a class says that it has %u bytes; at least %u are", size,
                           DESCRIBE_CLASS_MIN);
        return NULL;
    }
    box = g_new0(struct class_box, 1);
    box->strings = g_string_chunk_new(512);
    box->lists = g_ptr_array_new_with_free_func(g_free);
    memcpy(&box->cls.c, theirs, MIN(size, sizeof box->cls.c));
    box->cls.c.size = sizeof box->cls.c;
    if (!describe_class_members(box, &at, error)) {
        plugin_class_free(&box->cls);
        return NULL;
    }
    box->cls.file = g_strdup(file);
    box->cls.plugin = g_strdup(plugin->name);
    box->cls.version = g_strdup(plugin->version);
    box->cls.license = g_strdup(plugin->license);
    box->cls.origin = g_strdup(plugin->origin);
    box->cls.abi_major = plugin->abi_major;
    box->cls.api_level = plugin->api_level;
    box->cls.api_need = plugin->api_need;
    return &box->cls;
}

/* The members of the descriptor itself; strings go to `strings`. */
static gboolean
describe_head(const struct bp_plugin *theirs, const struct place *at, GStringChunk *strings,
              struct bp_plugin *p, GError **error)
{
    uint32_t size;

    if (!describe_aligned(theirs))
        return describe_bad(error, at, BP_ENTRY "() returned a bad pointer");
    size = theirs->size;
    if (size < DESCRIBE_PLUGIN_MIN || size > DESCRIBE_SIZE_MAX)
        return describe_bad(error, at, "its descriptor says that it has %u bytes; at least %u are",
                            size, DESCRIBE_PLUGIN_MIN);
    memcpy(p, theirs, MIN(size, sizeof *p));
    if (!describe_text(strings, at, "name", p->name, TRUE, &p->name, error) ||
        !describe_text(strings, at, "version", p->version, TRUE, &p->version, error) ||
        !describe_text(strings, at, "license", p->license, TRUE, &p->license, error) ||
        !describe_text(strings, at, "origin", p->origin, FALSE, &p->origin, error))
        return FALSE;
    if (p->n_classes == 0 || p->n_classes > DESCRIBE_CLASSES_MAX || !describe_aligned(p->classes))
        return describe_bad(error, at, "it has %" G_GUINT64_FORMAT " classes; 1 to %u can be",
                            p->n_classes, DESCRIBE_CLASSES_MAX);
    return TRUE;
}

GPtrArray *
describe_plugin(const struct bp_plugin *theirs, const char *file, GError **error)
{
    GPtrArray *classes = g_ptr_array_new_with_free_func((GDestroyNotify)plugin_class_free);
    GStringChunk *strings = g_string_chunk_new(256);
    struct place at = {.file = file};
    struct bp_plugin plugin = {0};
    gboolean good = describe_head(theirs, &at, strings, &plugin, error);

    for (uint64_t i = 0; good && i < plugin.n_classes; i++) {
        struct plugin_class *cls = describe_class(plugin.classes[i], &plugin, file, error);

        good = cls != NULL;
        for (uint64_t j = 0; good && j < i; j++) {
            const struct plugin_class *other = g_ptr_array_index(classes, j);

            if (strcmp(other->c.name, cls->c.name) == 0)
                good = describe_bad(error, &at, "it has two classes %s", other->c.name);
        }
        if (cls)
            g_ptr_array_add(classes, cls);
    }
    g_string_chunk_free(strings);
    if (good)
        return classes;
    g_ptr_array_free(classes, TRUE);
    return NULL;
}

void
plugin_class_free(struct plugin_class *cls)
{
    struct class_box *box = (struct class_box *)cls;

    if (!box)
        return;
    g_ptr_array_free(box->lists, TRUE);
    g_string_chunk_free(box->strings);
    g_free(box->props);
    g_free(cls->file);
    g_free(cls->plugin);
    g_free(cls->version);
    g_free(cls->license);
    g_free(cls->origin);
    g_free(box);
}
