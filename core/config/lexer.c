/* SPDX-License-Identifier: BSD-3-Clause */
/* lexer.c - see lexer.h. */
#include "core/config/lexer.h"

#include <string.h>

#include "core/config/private.h"

#define LEXER_STOP  " #\"'\t\n\r={}()+,*" /* what ends a bare word */
#define LEXER_BLANK " \t\r"

static struct config_source
lexer_here(const struct lexer *lex)
{
    return (struct config_source){.file = lex->file, .line = lex->line};
}

/* A control character has no place in a config file, and a NUL would hide what follows it. */
static const char *
lexer_find_control(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((guchar)data[i] < 0x20 && !strchr("\t\n\r", data[i] ? data[i] : 1)) || data[i] == 0x7f)
            return data + i;
    return NULL;
}

gboolean
lexer_init(struct lexer *lex, const char *file, const char *data, size_t len, GError **error)
{
    const char *bad = lexer_find_control(data, len);
    const char *end = bad;

    *lex = (struct lexer){.file = file, .at = data, .line = 1};
    if (!bad && g_utf8_validate(data, (gssize)len, &end))
        return TRUE;
    for (const char *p = data; p < end; p++)
        lex->line += *p == '\n';
    {
        struct config_source src = lexer_here(lex);

        return config_bad(error, &src, NULL, "byte 0x%02x is no UTF-8 text; is this a config file?",
                          (guchar)*end);
    }
}

/* Past blanks and comments. */
static gboolean
lexer_skip(struct lexer *lex, GError **error)
{
    for (;;) {
        lex->at += strspn(lex->at, LEXER_BLANK);
        if (*lex->at == '\n') {
            lex->line++;
            lex->at++;
        } else if (*lex->at == '#' || (lex->at[0] == '/' && lex->at[1] == '/')) {
            lex->at += strcspn(lex->at, "\n");
        } else if (lex->at[0] == '/' && lex->at[1] == '*') {
            struct config_source src = lexer_here(lex);
            const char *end = strstr(lex->at + 2, "*/");

            if (!end)
                return config_bad(error, &src, NULL, "this comment has no end; write */ after it");
            for (; lex->at < end; lex->at++)
                lex->line += *lex->at == '\n';
            lex->at = end + 2;
        } else {
            return TRUE;
        }
    }
}

/*
 * ${NAME} or ${NAME:-default} at p: where it ends. libconfuse takes all up to the next }, whatever
 * and wherever that is, so what is written here must be exactly one of the two forms.
 */
static const char *
lexer_variable(const char *p, const struct config_source *src, GError **error)
{
    const char *name = p + 2, *end = name;
    char *variable;
    gboolean set;

    while (g_ascii_isalnum(*end) || *end == '_')
        end++;
    if (p[strcspn(p, "}\"'\n\\")] != '}') {
        (void)config_bad(error, src, NULL,
                         "this ${ has no }; write one after it, or \\${ for the two characters");
        return NULL;
    }
    if (end == name || g_ascii_isdigit(*name) ||
        (*end != '}' && !(end[0] == ':' && end[1] == '-'))) {
        (void)config_bad(error, src, NULL,
                         "${ begins no variable; write ${NAME}, ${NAME:-default}, or \\${ for the "
                         "two characters");
        return NULL;
    }
    variable = g_strndup(name, (gsize)(end - name));
    set = g_getenv(variable) != NULL;
    if (*end == '}' && !set) {
        (void)config_bad(error, src, NULL,
                         "the environment variable %s is not set; set it, or write "
                         "${%s:-default}",
                         variable, variable);
        g_free(variable);
        return NULL;
    }
    g_free(variable);
    return strchr(end, '}') + 1;
}

/* The escape at p (a backslash) in a "string": how long it is; 0 with an error. */
static size_t
lexer_escape(const char *p, const struct config_source *src, GError **error)
{
    size_t digits;

    if (g_ascii_isdigit(p[1])) {
        unsigned value = 0;

        for (digits = 0; digits < 3 && p[1 + digits] >= '0' && p[1 + digits] <= '7'; digits++)
            value = value * 8 + (unsigned)(p[1 + digits] - '0');
        if (digits == 0 || g_ascii_isdigit(p[1 + digits]) || value == 0 || value > 0xff)
            return (void)config_bad(error, src, NULL,
                                    "\\%c begins no octal character from \\001 to \\377; write "
                                    "\\\\ for a backslash",
                                    p[1]),
                   0;
        return 1 + digits;
    }
    if (p[1] == 'x') {
        for (digits = 0; digits < 2 && g_ascii_isxdigit(p[2 + digits]); digits++)
            ;
        if (digits == 0 || strspn(p + 2, "0") >= digits)
            return (void)config_bad(error, src, NULL,
                                    "\\x begins no character from \\x01 to \\xff; write \\\\ for "
                                    "a backslash"),
                   0;
        return 2 + digits;
    }
    return 2; /* a letter that libconfuse knows, or the character itself */
}

/* A string from its opening quote on; *ret_end is behind the closing one. */
static gboolean
lexer_string(struct lexer *lex, const char **ret_end, GError **error)
{
    struct config_source src = lexer_here(lex);
    char quote = *lex->at;
    const char *p = lex->at + 1;

    while (*p && *p != quote) {
        if (*p == '\\' && p[1]) {
            size_t len = quote == '"' ? lexer_escape(p, &src, error) : 2;

            if (len == 0)
                return FALSE;
            src.line += p[1] == '\n';
            p += len;
        } else if (quote == '"' && p[0] == '$' && p[1] == '{') {
            p = lexer_variable(p, &src, error);
            if (!p)
                return FALSE;
        } else {
            src.line += *p == '\n';
            p++;
        }
    }
    if (!*p) {
        src = lexer_here(lex);
        return config_bad(error, &src, NULL, "this string has no end; write a %c after it", quote);
    }
    lex->line = src.line;
    *ret_end = p + 1;
    return TRUE;
}

gboolean
lexer_next(struct lexer *lex, struct lexer_token *ret_token, GError **error)
{
    struct lexer_token token = {0};
    const char *end;

    if (!lexer_skip(lex, error))
        return FALSE;
    token.start = lex->at;
    token.src = lexer_here(lex);
    end = lex->at + 1;
    if (!*lex->at) {
        token.kind = LEXER_END;
        end = lex->at;
    } else if (strchr("={}(),", *lex->at)) {
        token.kind = (guchar)*lex->at;
    } else if (lex->at[0] == '+' && lex->at[1] == '=') {
        token.kind = LEXER_APPEND;
        end++;
    } else if (*lex->at == '"' || *lex->at == '\'') {
        token.kind = LEXER_STRING;
        if (!lexer_string(lex, &end, error))
            return FALSE;
    } else if (lex->at[0] == '$' && lex->at[1] == '{') {
        token.kind = LEXER_STRING;
        end = lexer_variable(lex->at, &token.src, error);
        if (!end)
            return FALSE;
    } else {
        token.kind = LEXER_WORD;
        end = lex->at + strcspn(lex->at, LEXER_STOP);
        if (end == lex->at)
            return config_bad(error, &token.src, NULL,
                              "stray character %c; put the value that it belongs to into quotes",
                              *lex->at);
        if (end[-1] == '$' && *end == '{')
            return config_bad(error, &token.src, NULL,
                              "a ${ inside of a bare word; put the whole value into quotes");
    }
    token.len = (size_t)(end - token.start);
    lex->at = end;
    *ret_token = token;
    return TRUE;
}

static void
lexer_decode_variable(const char *p, const char *end, GString *text)
{
    const char *name_end = p + 2 + strcspn(p + 2, ":}");
    char *name = g_strndup(p + 2, (gsize)(name_end - (p + 2)));
    const char *value = g_getenv(name);

    if (value)
        g_string_append(text, value);
    else if (*name_end == ':')
        g_string_append_len(text, name_end + 2, end - 1 - (name_end + 2));
    g_free(name);
}

gboolean
lexer_decode(const struct lexer_token *token, char **ret_text, GError **error)
{
    GString *text = g_string_new(NULL);
    const char *p = token->start, *end = p + token->len;
    char quote = *p == '"' || *p == '\'' ? *p : 0;

    if (quote) {
        p++;
        end--;
    }
    while (p < end) {
        if (*p == '\\' && quote == '"' && !strchr("\"\\$", p[1])) {
            g_string_free(text, TRUE);
            return config_bad(error, &token->src, NULL,
                              "a name has no escapes but \\\" and \\\\; write it plainly");
        }
        if (*p == '\\' && quote && (quote == '"' || p[1] == '\'' || p[1] == '\\')) {
            g_string_append_c(text, p[1]);
            p += 2;
        } else if (quote != '\'' && p[0] == '$' && p[1] == '{') {
            const char *after = strchr(p, '}') + 1;

            lexer_decode_variable(p, after, text);
            p = after;
        } else {
            g_string_append_c(text, *p++);
        }
    }
    *ret_text = g_string_free(text, FALSE);
    return TRUE;
}
