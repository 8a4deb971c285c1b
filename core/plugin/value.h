/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * value.h - the one parser of property values: what a file says, and what a table gives as default.
 *
 * Owns the spelling of every bp_type. It must not know sections or links: a LINK is any non-empty
 * text here, and becomes an instance's id in core/config.
 */
#ifndef CORE_PLUGIN_VALUE_H
#define CORE_PLUGIN_VALUE_H

#include <glib.h>

#include <backplane/props.h>

enum {
    /* Looks at the text only, not at the host: files and descriptors need not exist. */
    VALUE_TEXT_ONLY = 1,
};

/*
 * text as a value of prop's type, in its range, one of its choices. A relative PATH is taken from
 * the folder dir. ret->s is set for every type, to what reads back as the same value, and lives in
 * strings. FALSE: *ret is untouched and the error reads `NAME: what is wrong; what to do`.
 */
gboolean value_parse(const struct bp_prop *prop, const char *text, const char *dir, unsigned flags,
                     GStringChunk *strings, struct bp_value *ret, GError **error)
    __attribute__((warn_unused_result));

/*
 * The default of prop, which is not NULL: one value, or with BP_P_LIST the items between commas.
 * Appends struct bp_value to ret_items; files and descriptors are not looked at.
 */
gboolean value_parse_default(const struct bp_prop *prop, const char *dir, GStringChunk *strings,
                             GArray *ret_items, GError **error) __attribute__((warn_unused_result));

/* "int", "size", ...; NULL for a number that is no bp_type. */
const char *value_type_name(uint32_t type);
/* 512M, 4K, 1000: the largest unit that loses nothing. g_free() it. */
char *value_size_text(int64_t bytes);
/* What a value of prop may be: "0 to 65535", "auto, pci or mmio"; NULL when anything. g_free() it.
 */
char *value_allowed(const struct bp_prop *prop);

#endif
