/* SPDX-License-Identifier: BSD-3-Clause */
/* inspect.c - what `backplane inspect` tells of a plugin, for people and as JSON. */
#include <inttypes.h>
#include <string.h>

#include "core/cli/cli.h"
#include "core/plugin/value.h"

struct flag_name {
    uint32_t flag;
    const char *name;
};

static const struct flag_name class_flags[] = {{BP_C_PARALLEL, "parallel"},
                                               {BP_C_INPROC_ONLY, "in-process-only"},
                                               {BP_C_REPLACEABLE, "replaceable"},
                                               {BP_C_SHARED, "shared"},
                                               {0, NULL}};
static const struct flag_name prop_flags[] = {
    {BP_P_REQUIRED, "required"},     {BP_P_RUNTIME, "runtime"}, {BP_P_SECRET, "secret"},
    {BP_P_DEPRECATED, "deprecated"}, {BP_P_LIST, "list"},       {BP_P_PRIMARY, "primary"},
    {BP_P_MUST_EXIST, "must-exist"}, {BP_P_PASS_ON, "pass-on"}, {0, NULL}};

static char **
flag_list(const struct flag_name *names, uint32_t flags)
{
    GPtrArray *list = g_ptr_array_new();

    for (; names->name; names++)
        if (flags & names->flag)
            g_ptr_array_add(list, g_strdup(names->name));
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_free(list, FALSE);
}

/* ---- Text ----------------------------------------------------------------------------------- */

static void
text_list(GString *out, const char *title, const char *const *list)
{
    char *joined = g_strjoinv(", ", (char **)(uintptr_t)list);

    g_string_append_printf(out, "  %-10s %s\n", title, *joined ? joined : "-");
    g_free(joined);
}

static void
text_prop(GString *out, const struct bp_prop *p)
{
    char **flags = flag_list(prop_flags, p->flags), *joined = g_strjoinv(", ", flags);
    char *allowed = p->type == BP_BOOL ? NULL : value_allowed(p);

    g_string_append_printf(out, "\n    %s\n        %s\n        %s", p->name, p->help,
                           value_type_name(p->type));
    if (p->type == BP_LINK)
        g_string_append_printf(out, " to %s", p->link_iface);
    if (allowed)
        g_string_append_printf(out, ", %s", allowed);
    if (p->def)
        g_string_append_printf(out, ", default %s", *p->def ? p->def : "\"\"");
    if (*joined)
        g_string_append_printf(out, " (%s)", joined);
    g_string_append_c(out, '\n');
    g_free(allowed);
    g_free(joined);
    g_strfreev(flags);
}

static void
text_class(GString *out, const struct plugin_class *cls, char **libraries)
{
    char **flags = flag_list(class_flags, cls->c.flags);

    g_string_append_printf(out, "%s %s - %s\n", cls->c.name, cls->c.version, cls->c.summary);
    g_string_append_printf(out, "  %-10s %s\n", "file", cls->file);
    g_string_append_printf(out, "  %-10s %s %s\n", "plugin", cls->plugin, cls->version);
    g_string_append_printf(out, "  %-10s %s\n", "license", cls->license);
    g_string_append_printf(out, "  %-10s %s\n", "origin", *cls->origin ? cls->origin : "-");
    g_string_append_printf(out, "  %-10s ABI %u, built at level %u, needs level %u\n", "API",
                           cls->abi_major, cls->api_level, cls->api_need);
    text_list(out, "provides", cls->c.provides);
    text_list(out, "needs", cls->c.needs);
    text_list(out, "libraries", (const char *const *)libraries);
    text_list(out, "flags", (const char *const *)flags);
    if (cls->c.state_ver)
        g_string_append_printf(out, "  %-10s version %u, loads from %u\n", "state",
                               cls->c.state_ver, cls->c.state_min);
    else
        g_string_append_printf(out, "  %-10s -\n", "state");
    g_string_append_printf(out, "\n  keys of its section%s\n",
                           cls->c.n_props ? "" : ": only iothread");
    for (uint32_t i = 0; i < cls->c.n_props; i++)
        text_prop(out, &cls->c.props[i]);
    g_strfreev(flags);
}

void
inspect_text(const GPtrArray *classes, const char *only, char **libraries, GString *out)
{
    for (guint i = 0; i < classes->len; i++) {
        const struct plugin_class *cls = g_ptr_array_index(classes, i);

        if (only && strcmp(cls->c.name, only) != 0)
            continue;
        g_string_append(out, i && !only ? "\n" : "");
        text_class(out, cls, libraries);
    }
}

/* ---- JSON (RFC 8259) ------------------------------------------------------------------------ */

static void
json_string(GString *out, const char *text)
{
    g_string_append_c(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            g_string_append_printf(out, "\\%c", *text);
        else if ((guchar)*text < 0x20)
            g_string_append_printf(out, "\\u%04x", (guchar)*text);
        else
            g_string_append_c(out, *text);
    }
    g_string_append_c(out, '"');
}

/* A member of an object; it is not the first, so a comma precedes it. */
static void
json_member(GString *out, const char *key, const char *text)
{
    g_string_append_printf(out, ", \"%s\": ", key);
    if (text)
        json_string(out, text);
    else
        g_string_append(out, "null");
}

static void
json_number(GString *out, const char *key, int64_t number)
{
    g_string_append_printf(out, ", \"%s\": %" PRId64, key, number);
}

static void
json_list(GString *out, const char *key, const char *const *list)
{
    g_string_append_printf(out, ", \"%s\": [", key);
    for (unsigned i = 0; list[i]; i++) {
        g_string_append(out, i ? ", " : "");
        json_string(out, list[i]);
    }
    g_string_append_c(out, ']');
}

static void
json_flags(GString *out, const struct flag_name *names, uint32_t flags)
{
    char **list = flag_list(names, flags);

    json_list(out, "flags", (const char *const *)list);
    g_strfreev(list);
}

static void
json_prop(GString *out, const struct bp_prop *p)
{
    g_string_append(out, "{\"name\": ");
    json_string(out, p->name);
    json_member(out, "type", value_type_name(p->type));
    json_member(out, "help", p->help);
    json_member(out, "default", p->def);
    json_flags(out, prop_flags, p->flags);
    if (p->min || p->max) {
        json_number(out, "min", p->min);
        json_number(out, "max", p->max);
    }
    if (p->type == BP_ENUM)
        json_list(out, "choices", p->choices);
    if (p->type == BP_LINK)
        json_member(out, "interface", p->link_iface);
    if (p->since)
        json_number(out, "since", p->since);
    g_string_append_c(out, '}');
}

static void
json_class(GString *out, const struct plugin_class *cls)
{
    g_string_append(out, "{\"name\": ");
    json_string(out, cls->c.name);
    json_member(out, "version", cls->c.version);
    json_member(out, "summary", cls->c.summary);
    json_flags(out, class_flags, cls->c.flags);
    json_list(out, "provides", cls->c.provides);
    json_list(out, "needs", cls->c.needs);
    json_number(out, "state_version", cls->c.state_ver);
    json_number(out, "state_min", cls->c.state_min);
    g_string_append(out, ", \"properties\": [");
    for (uint32_t i = 0; i < cls->c.n_props; i++) {
        g_string_append(out, i ? ",\n      " : "\n      ");
        json_prop(out, &cls->c.props[i]);
    }
    g_string_append(out, "]}");
}

void
inspect_json(const GPtrArray *classes, const char *only, char **libraries, GString *out)
{
    const struct plugin_class *first = g_ptr_array_index(classes, 0);
    gboolean any = FALSE;

    g_string_append(out, "{\"file\": ");
    json_string(out, first->file);
    json_member(out, "plugin", first->plugin);
    json_member(out, "version", first->version);
    json_member(out, "license", first->license);
    json_member(out, "origin", first->origin);
    json_number(out, "abi_major", first->abi_major);
    json_number(out, "api_level", first->api_level);
    json_number(out, "api_need", first->api_need);
    json_list(out, "libraries", (const char *const *)libraries);
    g_string_append(out, ", \"classes\": [");
    for (guint i = 0; i < classes->len; i++) {
        const struct plugin_class *cls = g_ptr_array_index(classes, i);

        if (only && strcmp(cls->c.name, only) != 0)
            continue;
        g_string_append(out, any ? ",\n    " : "\n    ");
        json_class(out, cls);
        any = TRUE;
    }
    g_string_append(out, "]}\n");
}
