/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader.c - see reader.h: the grammar, and includes. The words come from lexer.c.
 *
 *     file    = { include | section }
 *     include = "include" "(" text ")"
 *     section = NAME [ id ] "{" { key } "}"
 *     key     = NAME ( "=" | "+=" ) ( text | "{" [ text { "," text } [ "," ] ] "}" )
 */
#include "core/config/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config/lexer.h"
#include "core/config/private.h"
#include "core/error.h"

#define READER_TEXT_MAX  (1u << 20) /* of all files together */
#define READER_DEPTH_MAX 16u
#define READER_FILES_MAX 256u
#define READER_ID_MAX    63u

struct reader_out {
    GString *text;
    GArray *lines; /* struct config_source, one for each line of text */
};

struct reader {
    GStringChunk *strings;
    struct reader_out parts[READER_PARTS];
    struct reader_out *out; /* the part that the section being read belongs to */
    GPtrArray *sections;    /* struct reader_section */
    GHashTable *ids;        /* id -> struct reader_section */
    size_t bytes_read;
    unsigned files;
};

/* One file being read; `outer` is the file that includes it. */
struct reader_file {
    struct reader *r;
    struct lexer lex;
    const struct reader_file *outer;
    unsigned depth;
    dev_t dev;
    ino_t ino;
};

static gboolean reader_read_file(struct reader *r, const char *path,
                                 const struct reader_file *outer, const struct config_source *from,
                                 GError **error);

/* ---- The emitted text ----------------------------------------------------------------------- */

/* Starts new lines in the text until its last one stands for src. */
static void
reader_emit_line(struct reader *r, const struct config_source *src)
{
    const GArray *lines = r->out->lines;
    const struct config_source *last =
        lines->len ? &g_array_index(lines, struct config_source, lines->len - 1) : NULL;

    if (last && last->file == src->file && last->line == src->line)
        return;
    if (last)
        g_string_append_c(r->out->text, '\n');
    g_array_append_val(r->out->lines, *src);
}

/* A token as it stands in the file; the lines inside a string are lines of the text too. */
static void
reader_emit(struct reader *r, const struct lexer_token *token)
{
    struct config_source src = token->src;

    reader_emit_line(r, &src);
    g_string_append_c(r->out->text, ' ');
    g_string_append_len(r->out->text, token->start, (gssize)token->len);
    for (size_t i = 0; i < token->len; i++)
        if (token->start[i] == '\n') {
            src.line++;
            g_array_append_val(r->out->lines, src);
        }
}

struct config_source
reader_source(const struct reader *reader, enum reader_part part, unsigned line)
{
    const GArray *lines = reader->parts[part].lines;

    line = CLAMP(line, 1, lines->len);
    return g_array_index(lines, struct config_source, line - 1);
}

/* ---- Sections ------------------------------------------------------------------------------- */

/* The next token; FALSE when it could not be read. LEXER_END is a token too. */
static gboolean
reader_next(struct reader_file *f, struct lexer_token *token, GError **error)
{
    return lexer_next(&f->lex, token, error);
}

static char *
token_text(const struct lexer_token *token)
{
    return g_strndup(token->start, token->len);
}

static gboolean
reader_unexpected(const struct lexer_token *token, const char *who, const char *want,
                  GError **error)
{
    char *text;

    if (token->kind == LEXER_END)
        return config_bad(error, &token->src, who, "the file ends where %s", want);
    text = token_text(token);
    (void)config_bad(error, &token->src, who, "unexpected %s where %s", text, want);
    g_free(text);
    return FALSE;
}

/* Names of sections and keys: no more than is needed to look them up and to suggest another. */
static gboolean
reader_is_name(const struct lexer_token *token)
{
    if (token->kind != LEXER_WORD || token->len > READER_ID_MAX)
        return FALSE;
    for (size_t i = 0; i < token->len; i++)
        if (!g_ascii_isalnum(token->start[i]) && token->start[i] != '-' && token->start[i] != '_')
            return FALSE;
    return TRUE;
}

static gboolean
reader_is_id(const char *id)
{
    if (!g_ascii_isalnum(id[0]) || strlen(id) > READER_ID_MAX)
        return FALSE;
    for (; *id; id++)
        if (!g_ascii_isalnum(*id) && !strchr("-_.", *id))
            return FALSE;
    return TRUE;
}

static gboolean
reader_take_id(struct reader_file *f, struct reader_section *sec, const struct lexer_token *title,
               GError **error)
{
    const struct reader_section *other;
    uint32_t n;
    char *who;

    if (title) {
        char *text;

        if (!lexer_decode(title, &text, error))
            return FALSE;
        if (!reader_is_id(text)) {
            (void)config_bad(error, &title->src, sec->name,
                             "\"%s\" cannot be an id; those are letters, digits, '-', '_' and '.', "
                             "at most %u",
                             text, READER_ID_MAX);
            g_free(text);
            return FALSE;
        }
        sec->id = g_string_chunk_insert(f->r->strings, text);
        g_free(text);
    }
    other = g_hash_table_lookup(f->r->ids, sec->id);
    if (!other) {
        g_hash_table_insert(f->r->ids, (gpointer)(uintptr_t)sec->id, sec);
        return TRUE;
    }
    who = config_who(sec->name, sec->id);
    if (strcmp(sec->name, other->name) == 0 && core_section_props(sec->name, &n))
        (void)config_bad(error, &sec->src, who,
                         "there is one already, at %s:%u; make one of the two", other->src.file,
                         other->src.line);
    else if (!sec->titled && !other->titled)
        (void)config_bad(error, &sec->src, who,
                         "there is a section %s already, at %s:%u; give this one an id of its own: "
                         "%s ID { ... }",
                         other->name, other->src.file, other->src.line, sec->name);
    else
        (void)config_bad(error, &sec->src, who,
                         "the id %s is taken by the section %s at %s:%u; choose another", sec->id,
                         other->name, other->src.file, other->src.line);
    g_free(who);
    return FALSE;
}

static gboolean
reader_take_key(struct reader_file *f, struct reader_section *sec, const struct lexer_token *name,
                gboolean append, const char *who, GError **error)
{
    char *text = token_text(name);
    const struct reader_key *other = reader_section_key(sec, text);
    struct reader_key *key;

    if (other && !append) {
        (void)config_bad(error, &name->src, who,
                         "%s is set twice, first at %s:%u; remove one of the two", text,
                         other->src.file, other->src.line);
        g_free(text);
        return FALSE;
    }
    if (!other) {
        key = g_new(struct reader_key, 1);
        *key = (struct reader_key){
            .name = g_string_chunk_insert_const(f->r->strings, text),
            .src = name->src,
            .append = append,
        };
        g_ptr_array_add(sec->keys, key);
    }
    g_free(text);
    return TRUE;
}

static gboolean
reader_is_value(const struct lexer_token *token)
{
    return token->kind == LEXER_WORD || token->kind == LEXER_STRING;
}

/* After the '{' of a list, up to and including its '}'. */
static gboolean
reader_list(struct reader_file *f, const char *who, GError **error)
{
    struct lexer_token token;

    for (;;) {
        if (!reader_next(f, &token, error))
            return FALSE;
        if (token.kind == '}') {
            reader_emit(f->r, &token);
            return TRUE;
        }
        if (!reader_is_value(&token))
            return reader_unexpected(&token, who, "a list goes on or ends with }", error);
        reader_emit(f->r, &token);
        if (!reader_next(f, &token, error))
            return FALSE;
        if (token.kind != ',' && token.kind != '}')
            return reader_unexpected(&token, who, "a list goes on with , or ends with }", error);
        reader_emit(f->r, &token);
        if (token.kind == '}')
            return TRUE;
    }
}

/* A word where a key should be, and then no '='. Most often the } of the section is missing, or a
 * value has several words. */
static gboolean
reader_no_equals(const struct lexer_token *name, const struct lexer_token *token, const char *who,
                 GError **error)
{
    char *key = token_text(name), *text = token_text(token);

    if (token->kind == '(')
        (void)config_bad(error, &name->src, who,
                         "%s( ) stands inside of a section; move it out, or is a } missing above?",
                         key);
    else if (token->kind == '{' || reader_is_value(token))
        (void)config_bad(error, &name->src, who,
                         "%s is followed by %s and not by =; write %s = ..., or is a } missing "
                         "above?",
                         key, text, key);
    else
        (void)config_bad(error, &name->src, who,
                         "%s has no value; write %s = ..., or put a value of several words into "
                         "quotes",
                         key, key);
    g_free(key);
    g_free(text);
    return FALSE;
}

static gboolean
reader_key(struct reader_file *f, struct reader_section *sec, const struct lexer_token *name,
           const char *who, GError **error)
{
    struct lexer_token token;

    if (!reader_is_name(name))
        return reader_unexpected(name, who, "a key or } should be", error);
    if (!reader_next(f, &token, error))
        return FALSE;
    if (token.kind != '=' && token.kind != LEXER_APPEND)
        return reader_no_equals(name, &token, who, error);
    if (!reader_take_key(f, sec, name, token.kind == LEXER_APPEND, who, error))
        return FALSE;
    reader_emit(f->r, name);
    reader_emit(f->r, &token);
    if (!reader_next(f, &token, error))
        return FALSE;
    if (token.kind != '{' && !reader_is_value(&token))
        return reader_unexpected(&token, who, "a value should be", error);
    reader_emit(f->r, &token);
    return token.kind != '{' || reader_list(f, who, error);
}

static gboolean
reader_section_body(struct reader_file *f, struct reader_section *sec, const char *who,
                    GError **error)
{
    struct lexer_token token;

    for (;;) {
        if (!reader_next(f, &token, error))
            return FALSE;
        if (token.kind == '}') {
            reader_emit(f->r, &token);
            return TRUE;
        }
        if (token.kind == LEXER_END)
            return config_bad(error, &sec->src, who, "this section has no end; write a } after it");
        if (!reader_key(f, sec, &token, who, error))
            return FALSE;
    }
}

static void
reader_section_free(struct reader_section *sec)
{
    g_ptr_array_free(sec->keys, TRUE);
    g_free(sec);
}

/* After the section's name; token is what follows it. */
static gboolean
reader_section(struct reader_file *f, const struct lexer_token *name, struct lexer_token token,
               GError **error)
{
    struct reader_section *sec = g_new0(struct reader_section, 1);
    char *text = token_text(name), *who = NULL;
    struct lexer_token title = token;
    gboolean good = FALSE;
    uint32_t n;

    sec->name = sec->id = g_string_chunk_insert_const(f->r->strings, text);
    sec->titled = reader_is_value(&token);
    sec->src = name->src;
    sec->part = core_section_props(sec->name, &n) ? READER_CORE : READER_DEVICES;
    f->r->out = &f->r->parts[sec->part];
    sec->keys = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(f->r->sections, sec);
    g_free(text);
    if (sec->titled && !reader_next(f, &token, error))
        return FALSE;
    if (token.kind != '{')
        return reader_unexpected(&token, sec->name, "the { of the section should be", error);
    if (!reader_take_id(f, sec, sec->titled ? &title : NULL, error))
        return FALSE;
    who = config_who(sec->name, sec->id);
    reader_emit(f->r, name);
    g_string_append_printf(f->r->out->text, " \"%s\"", sec->id);
    reader_emit(f->r, &token);
    good = reader_section_body(f, sec, who, error);
    g_free(who);
    return good;
}

const struct reader_key *
reader_section_key(const struct reader_section *sec, const char *name)
{
    for (guint i = 0; i < sec->keys->len; i++) {
        const struct reader_key *key = g_ptr_array_index(sec->keys, i);

        if (strcmp(key->name, name) == 0)
            return key;
    }
    return NULL;
}

/* ---- Files ---------------------------------------------------------------------------------- */

char *
reader_find_data(const char *name, const char *from, GString *tried)
{
    const char *data = secure_getenv("BACKPLANE_DATA_DIR");
    char *beside = g_path_get_dirname(from);
    const char *const folders[] = {beside, data && *data ? data : CONFDIR, CONFDIR, NULL};
    char *found = NULL;

    for (unsigned i = 0; folders[i] && !found; i++) {
        char *path;

        if (i == 2 && strcmp(folders[1], CONFDIR) == 0)
            break;
        if (g_path_is_absolute(name) || (i == 0 && strcmp(beside, ".") == 0))
            path = g_strdup(name);
        else
            path = g_build_filename(folders[i], name, NULL);
        if (access(path, F_OK) == 0) {
            found = path;
            break;
        }
        g_string_append_printf(tried, "%s%s", tried->len ? ", " : "", path);
        g_free(path);
        if (g_path_is_absolute(name))
            break;
    }
    g_free(beside);
    return found;
}

static gboolean
reader_include(struct reader_file *f, const struct lexer_token *word, GError **error)
{
    struct lexer_token name, token;
    GString *tried;
    char *text, *path;
    gboolean good = FALSE;

    if (!reader_next(f, &name, error))
        return FALSE;
    if (!reader_is_value(&name))
        return reader_unexpected(&name, "include", "a file name should be", error);
    if (!reader_next(f, &token, error))
        return FALSE;
    if (token.kind != ')')
        return reader_unexpected(&token, "include", "a ) should be", error);
    if (!lexer_decode(&name, &text, error))
        return FALSE;
    tried = g_string_new(NULL);
    path = *text ? reader_find_data(text, f->lex.file, tried) : NULL;
    if (f->depth + 1 >= READER_DEPTH_MAX)
        (void)config_bad(error, &word->src, "include",
                         "%s would be the %uth file inside of another; at most %u may be", text,
                         f->depth + 1, READER_DEPTH_MAX - 1);
    else if (!path)
        (void)config_bad(error, &word->src, "include", "there is no file \"%s\"%s%s", text,
                         tried->len ? "; looked for " : "; write a name", tried->str);
    else
        good = reader_read_file(f->r, path, f, &word->src, error);
    g_string_free(tried, TRUE);
    g_free(path);
    g_free(text);
    return good;
}

static gboolean
reader_file(struct reader_file *f, GError **error)
{
    struct lexer_token name, token;

    for (;;) {
        if (!reader_next(f, &name, error))
            return FALSE;
        if (name.kind == LEXER_END)
            return TRUE;
        if (name.kind == '}')
            return config_bad(error, &name.src, NULL, "a } without a section; remove it");
        if (!reader_is_name(&name))
            return reader_unexpected(&name, NULL, "the name of a section should be", error);
        if (!reader_next(f, &token, error))
            return FALSE;
        if (name.len == 7 && memcmp(name.start, "include", 7) == 0) {
            if (token.kind != '(')
                return config_bad(error, &name.src, "include", "write include(\"FILE\")");
            if (!reader_include(f, &name, error))
                return FALSE;
        } else if (token.kind == '=' || token.kind == LEXER_APPEND) {
            char *text = token_text(&name);

            (void)config_bad(error, &name.src, NULL,
                             "%s = ... stands outside of any section; move it into one", text);
            g_free(text);
            return FALSE;
        } else if (!reader_section(f, &name, token, error)) {
            return FALSE;
        }
    }
}

/* All of a file, NUL-ended. */
static char *
reader_slurp(int fd, size_t room, size_t *ret_len, GError **error, const char *path)
{
    GString *data = g_string_sized_new(4096);

    for (;;) {
        char buf[16384];
        ssize_t n = read(fd, buf, sizeof buf);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG, "%s: cannot read: %s", path,
                        g_strerror(errno));
            break;
        }
        if (n == 0) {
            *ret_len = data->len;
            return g_string_free(data, FALSE);
        }
        if (data->len + (size_t)n > room) {
            g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                        "%s: too long for a config file; all files together may have %u bytes",
                        path, READER_TEXT_MAX);
            break;
        }
        g_string_append_len(data, buf, n);
    }
    g_string_free(data, TRUE);
    return NULL;
}

static gboolean
reader_check_cycle(const struct reader_file *outer, const struct stat *st, const char *path,
                   GError **error)
{
    for (const struct reader_file *f = outer; f; f = f->outer)
        if (S_ISREG(st->st_mode) && f->dev == st->st_dev && f->ino == st->st_ino) {
            g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                        "%s: it includes itself%s%s; remove one of the includes", path,
                        f == outer ? "" : " by way of ", f == outer ? "" : outer->lex.file);
            return FALSE;
        }
    return TRUE;
}

static gboolean
reader_open(struct reader *r, const char *path, const struct reader_file *outer,
            struct reader_file *f, char **ret_data, size_t *ret_len, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    gboolean good = FALSE;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG, "%s: cannot open: %s", path,
                    g_strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "%s: it is a folder; name the config file in it", path);
    } else if (++r->files > READER_FILES_MAX) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG, "%s: more than %u files are included",
                    path, READER_FILES_MAX);
    } else if (reader_check_cycle(outer, &st, path, error)) {
        *ret_data = reader_slurp(fd, READER_TEXT_MAX - r->bytes_read, ret_len, error, path);
        good = *ret_data != NULL;
        f->dev = st.st_dev;
        f->ino = st.st_ino;
    }
    if (fd >= 0)
        close(fd);
    return good;
}

static gboolean
reader_read_file(struct reader *r, const char *path, const struct reader_file *outer,
                 const struct config_source *from, GError **error)
{
    struct reader_file f = {.r = r, .outer = outer, .depth = outer ? outer->depth + 1 : 0};
    size_t len = 0;
    gboolean good;
    char *data;

    if (!reader_open(r, path, outer, &f, &data, &len, error))
        return from ? config_locate(error, from, "include") : FALSE;
    r->bytes_read += len;
    good = lexer_init(&f.lex, g_string_chunk_insert_const(r->strings, path), data, len, error) &&
           reader_file(&f, error);
    g_free(data);
    return good;
}

struct reader *
reader_new(const char *path, GStringChunk *strings, GError **error)
{
    struct reader *r = g_new0(struct reader, 1);

    r->strings = strings;
    for (unsigned i = 0; i < READER_PARTS; i++) {
        r->parts[i].text = g_string_new(NULL);
        r->parts[i].lines = g_array_new(FALSE, FALSE, sizeof(struct config_source));
    }
    r->sections = g_ptr_array_new_with_free_func((GDestroyNotify)reader_section_free);
    r->ids = g_hash_table_new(g_str_hash, g_str_equal);
    if (reader_read_file(r, path, NULL, NULL, error))
        return r;
    reader_free(r);
    return NULL;
}

void
reader_free(struct reader *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < READER_PARTS; i++) {
        g_string_free(r->parts[i].text, TRUE);
        g_array_free(r->parts[i].lines, TRUE);
    }
    g_hash_table_destroy(r->ids);
    g_ptr_array_free(r->sections, TRUE);
    g_free(r);
}

const char *
reader_text(const struct reader *r, enum reader_part part)
{
    return r->parts[part].text->str;
}

const GPtrArray *
reader_sections(const struct reader *r)
{
    return r->sections;
}
