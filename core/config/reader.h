/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader.h - pass one over a config file: its words, its includes, the names of its sections.
 *
 * Owns the lexical language, which is libconfuse's: `#`, `//` and C comments, quoted strings with
 * escapes and ${VARIABLE}s, bare words, sections of `key = value` and `key = { list }`. It must not
 * know what any section or key means.
 *
 * Why a pass of our own: plugins have to be found by the names that occur before there is a schema
 * to parse with, and libconfuse 3.3 loses count of lines at comments, takes the end of a file for
 * the end of a section, lets a later value replace an earlier one, and remembers a string without
 * an end until the next file. The result are texts without comments and includes, with each section
 * titled, that libconfuse parses exactly, and tables that lead their lines back to files.
 */
#ifndef CORE_CONFIG_READER_H
#define CORE_CONFIG_READER_H

#include <glib.h>

#include "core/config/config.h"

/* The core's sections can be parsed before any plugin is known, so they are a text of their own. */
enum reader_part {
    READER_CORE,
    READER_DEVICES,
    READER_PARTS,
};

struct reader_key {
    const char *name;
    struct config_source src;
    gboolean append; /* its first assignment is += */
};

struct reader_section {
    const char *name, *id; /* id: the title, or the name */
    gboolean titled;
    enum reader_part part;
    struct config_source src;
    GPtrArray *keys; /* struct reader_key *, in order */
};

struct reader;

/* Strings of the result live in the chunk, the rest in the reader. */
struct reader *reader_new(const char *path, GStringChunk *strings, GError **error)
    __attribute__((warn_unused_result));
void reader_free(struct reader *reader);

const char *reader_text(const struct reader *reader, enum reader_part part);
/* struct reader_section *, of all parts in order */
const GPtrArray *reader_sections(const struct reader *reader);
/* Where a line (from 1) of a text came from. */
struct config_source reader_source(const struct reader *reader, enum reader_part part,
                                   unsigned line);
/* A file that is looked for beside the file `from`, then in the data folders; NULL, with the places
 * in tried. */
char *reader_find_data(const char *name, const char *from, GString *tried);
/* NULL: the section does not have it. */
const struct reader_key *reader_section_key(const struct reader_section *sec, const char *name);

#endif
