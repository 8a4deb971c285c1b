/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * private.h - what the files of core/config share: reader -> schema -> sections, links -> config.
 */
#ifndef CORE_CONFIG_PRIVATE_H
#define CORE_CONFIG_PRIVATE_H

#include "core/config/config.h"
#include "core/config/reader.h"

struct config_private {
    GStringChunk *strings; /* every string of the config that nothing else owns */
    GHashTable *ids;       /* id -> struct config_instance */
    GPtrArray *instances;  /* what config->instances points to */
    GPtrArray *iothreads;
    GPtrArray *warnings;
    struct reader *reader; /* between config_read() and config_resolve() */
    char *folder;          /* of the main file, absolute: where defaults start */
};

/* One section of the files and what it means: the core's own, or a plugin's. */
struct section {
    const struct reader_section *text;
    const struct plugin_class *cls; /* NULL: a section of the core */
    const struct bp_prop *props;
    uint32_t n_props;
    struct config_value *values;  /* n_props of them */
    struct config_value iothread; /* the key that every device section has */
};

/* The folder of a file as named in messages, absolute; g_free() it. */
char *config_folder_of(const char *file);

/* firmware.c: the image that `firmware = path` means, path as resolved against the file's folder.
 */
char *config_find_firmware(const char *path, const struct config_source *src, GError **error);

/* `file:line: who: text`; who, e.g. "block-file root", may be NULL. Returns FALSE. */
gboolean config_bad(GError **error, const struct config_source *src, const char *who,
                    const char *fmt, ...) G_GNUC_PRINTF(4, 5);
/* Puts `file:line: who: ` before what *error says. Returns FALSE. */
gboolean config_locate(GError **error, const struct config_source *src, const char *who);
/* "block-file root", or "pci" when the id is the name; g_free() it. */
char *config_who(const char *name, const char *id);
char *section_who(const struct section *sec);

/* The core's tables; NULL for a name that is not a section of the core. */
const struct bp_prop *core_section_props(const char *name, uint32_t *ret_n);

/* Pass two: libconfuse over the text of one part, with the tables of its sections as schema; fills
 * the values of each. */
gboolean schema_parse(struct config *config, const struct reader *reader, enum reader_part part,
                      GPtrArray *sections, GError **error) __attribute__((warn_unused_result));
/* Adds an item; the array doubles as it grows. */
void value_append(struct config_value *value, const struct bp_value *item);
/* The value as the table's default has it. */
gboolean value_default(struct config *config, const struct bp_prop *prop,
                       struct config_value *value, GError **error)
    __attribute__((warn_unused_result));

/* The meaning of machine, boot and iothread sections. */
gboolean core_section_apply(struct config *config, const struct section *sec, GError **error)
    __attribute__((warn_unused_result));
/* What holds between them, and what a file without them gets. */
gboolean core_sections_finish(struct config *config, GError **error)
    __attribute__((warn_unused_result));

/* Links become ids; short forms become instances. */
gboolean links_resolve(struct config *config, struct plugin_set *plugins, GError **error)
    __attribute__((warn_unused_result));

/* A new instance without values, owned by the config; at: its place in the order. */
struct config_instance *config_add_instance(struct config *config, const char *id,
                                            const struct plugin_class *cls, unsigned at);
/* plugin_set_get() under a guard and with the place in its error. */
const struct plugin_class *config_get_class(struct plugin_set *plugins, const char *name,
                                            const struct config_source *src, const char *who,
                                            GError **error);

#endif
