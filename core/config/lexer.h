/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lexer.h - the words of one config file.
 *
 * Cuts as libconfuse's lexer does, but refuses what that one drops in silence: stray characters,
 * strings and comments without an end, escapes that mean nothing, variables that are not set.
 */
#ifndef CORE_CONFIG_LEXER_H
#define CORE_CONFIG_LEXER_H

#include <glib.h>

#include "core/config/config.h"

enum {
    LEXER_END = 1,
    LEXER_WORD,   /* bare */
    LEXER_STRING, /* quoted, or a ${VARIABLE} by itself; with its quotes */
    LEXER_APPEND, /* += */
    /* = { } ( ) , are themselves */
};

struct lexer_token {
    int kind;
    const char *start; /* as it stands in the file */
    size_t len;
    struct config_source src; /* of its first character */
};

struct lexer {
    const char *file;
    const char *at;
    unsigned line;
};

/* data, NUL-ended, outlives the lexer and its tokens; so does file. FALSE: it is no text. */
gboolean lexer_init(struct lexer *lex, const char *file, const char *data, size_t len,
                    GError **error) __attribute__((warn_unused_result));
gboolean lexer_next(struct lexer *lex, struct lexer_token *ret_token, GError **error)
    __attribute__((warn_unused_result));

/* What a word or string means: quotes and escapes taken away, variables put in. g_free() it. */
gboolean lexer_decode(const struct lexer_token *token, char **ret_text, GError **error)
    __attribute__((warn_unused_result));

#endif
