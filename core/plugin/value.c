/* SPDX-License-Identifier: BSD-3-Clause */
/* value.c - see value.h. */
#include "core/plugin/value.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/plugin/nearest.h"

/* systemd's protocol for descriptors that are handed over with names, sd_listen_fds(3). */
#define VALUE_LISTEN_FDS_START 3

__attribute__((format(printf, 3, 4))) static gboolean
value_bad(GError **error, const struct bp_prop *prop, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG, "%s: %s", prop->name, text);
    g_free(text);
    return FALSE;
}

const char *
value_type_name(uint32_t type)
{
    switch (type) {
    case BP_BOOL:
        return "bool";
    case BP_INT:
        return "int";
    case BP_SIZE:
        return "size";
    case BP_STR:
        return "string";
    case BP_ENUM:
        return "enum";
    case BP_PATH:
        return "path";
    case BP_FD:
        return "fd";
    case BP_LINK:
        return "link";
    default:
        return NULL;
    }
}

char *
value_size_text(int64_t bytes)
{
    static const char units[] = "KMGT";
    int unit = -1;

    while (bytes && bytes % 1024 == 0 && unit < 3) {
        bytes /= 1024;
        unit++;
    }
    return unit < 0 ? g_strdup_printf("%" PRId64, bytes)
                    : g_strdup_printf("%" PRId64 "%c", bytes, units[unit]);
}

char *
value_allowed(const struct bp_prop *prop)
{
    if (prop->type == BP_BOOL)
        return g_strdup("true or false");
    if (prop->type == BP_ENUM) {
        GString *list = g_string_new(NULL);

        for (const char *const *c = prop->choices; *c; c++)
            g_string_append_printf(list, "%s%s",
                                   c == prop->choices ? ""
                                   : c[1]             ? ", "
                                                      : " or ",
                                   *c);
        return g_string_free(list, FALSE);
    }
    if ((prop->type == BP_INT || prop->type == BP_SIZE) && (prop->min || prop->max)) {
        gboolean size = prop->type == BP_SIZE;
        char *min = size ? value_size_text(prop->min) : g_strdup_printf("%" PRId64, prop->min);
        char *max = size ? value_size_text(prop->max) : g_strdup_printf("%" PRId64, prop->max);
        char *text = prop->max == INT64_MAX ? g_strdup_printf("%s or more", min)
                                            : g_strdup_printf("%s to %s", min, max);

        g_free(min);
        g_free(max);
        return text;
    }
    return NULL;
}

static gboolean
value_in_range(const struct bp_prop *prop, int64_t number)
{
    return (!prop->min && !prop->max) || (number >= prop->min && number <= prop->max);
}

static gboolean
value_check_range(const struct bp_prop *prop, const char *text, int64_t number, GError **error)
{
    char *allowed;

    if (value_in_range(prop, number))
        return TRUE;
    allowed = value_allowed(prop);
    (void)value_bad(error, prop, "%s is out of range; allowed are %s", text, allowed);
    g_free(allowed);
    return FALSE;
}

/*
 * Digits, or 0x and hex digits, up to INT64_MAX. The sum of digits is checked before each step, so
 * nothing overflows however long the text is.
 */
static gboolean
value_digits(const char *text, const char **ret_end, uint64_t *ret_number, gboolean *ret_overflow)
{
    gboolean hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    unsigned base = hex ? 16 : 10;
    const char *p = hex ? text + 2 : text;
    uint64_t number = 0;

    if (!(hex ? g_ascii_isxdigit(*p) : g_ascii_isdigit(*p)))
        return FALSE;
    *ret_overflow = FALSE;
    for (; hex ? g_ascii_isxdigit(*p) : g_ascii_isdigit(*p); p++) {
        unsigned digit = (unsigned)g_ascii_xdigit_value(*p);

        if (number > ((uint64_t)INT64_MAX - digit) / base)
            *ret_overflow = TRUE;
        else
            number = number * base + digit;
    }
    *ret_end = p;
    *ret_number = number;
    return TRUE;
}

static gboolean
value_parse_int(const struct bp_prop *prop, const char *text, int64_t *ret, GError **error)
{
    gboolean negative = text[0] == '-', overflow;
    const char *end;
    uint64_t number;

    if (!value_digits(text + (negative || text[0] == '+'), &end, &number, &overflow) || *end)
        return value_bad(error, prop, "\"%s\" is no integer; write it as 10 or 0xa", text);
    if (overflow)
        return value_bad(error, prop, "%s does not fit in 63 bits; write a smaller number", text);
    *ret = negative ? -(int64_t)number : (int64_t)number;
    return value_check_range(prop, text, *ret, error);
}

static gboolean
value_parse_size(const struct bp_prop *prop, const char *text, int64_t *ret, GError **error)
{
    static const char units[] = "KMGT";
    gboolean overflow;
    const char *end;
    uint64_t number;
    unsigned shift = 0;

    if (!value_digits(text, &end, &number, &overflow))
        return value_bad(error, prop, "\"%s\" is no size; write bytes, or K, M, G, T: 512M", text);
    if (*end) {
        const char *unit = strchr(units, g_ascii_toupper(*end));

        /* K, k, KB and KiB are all 1024 bytes. */
        if (!unit || (end[1] && g_ascii_strcasecmp(end + 1, "B") != 0 &&
                      g_ascii_strcasecmp(end + 1, "iB") != 0))
            return value_bad(error, prop, "\"%s\" is no size; the units are K, M, G and T: 512M",
                             text);
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (overflow || number > (uint64_t)INT64_MAX >> shift)
        return value_bad(error, prop, "%s is more bytes than 63 bits count; write a smaller size",
                         text);
    *ret = (int64_t)(number << shift);
    return value_check_range(prop, text, *ret, error);
}

static gboolean
value_parse_bool(const struct bp_prop *prop, const char *text, int64_t *ret, GError **error)
{
    static const char *const words[2][3] = {{"false", "no", "off"}, {"true", "yes", "on"}};

    for (int truth = 0; truth < 2; truth++)
        for (int i = 0; i < 3; i++)
            if (g_ascii_strcasecmp(text, words[truth][i]) == 0) {
                *ret = truth;
                return TRUE;
            }
    return value_bad(error, prop, "\"%s\" is neither true nor false; write one of the two", text);
}

static gboolean
value_parse_enum(const struct bp_prop *prop, const char *text, int64_t *ret, GError **error)
{
    const char *near;
    char *allowed;

    for (int64_t i = 0; prop->choices[i]; i++)
        if (strcmp(prop->choices[i], text) == 0) {
            *ret = i;
            return TRUE;
        }
    allowed = value_allowed(prop);
    near = nearest_name(text, prop->choices);
    if (near)
        (void)value_bad(error, prop, "\"%s\" is none of %s; did you mean \"%s\"?", text, allowed,
                        near);
    else
        (void)value_bad(error, prop, "\"%s\" is no choice; write %s", text, allowed);
    g_free(allowed);
    return FALSE;
}

static char *
value_resolve_path(const char *text, const char *dir)
{
    return g_path_is_absolute(text) ? g_strdup(text) : g_build_filename(dir, text, NULL);
}

static gboolean
value_check_path(const struct bp_prop *prop, const char *text, const char *path, GError **error)
{
    int err;

    if (!(prop->flags & BP_P_MUST_EXIST) || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0)
        return TRUE;
    err = errno;
    if (g_path_is_absolute(text))
        return value_bad(error, prop, "cannot read %s: %s; correct the path or its permissions",
                         path, g_strerror(err));
    return value_bad(error, prop,
                     "cannot read %s: %s; a relative path starts at the config file's folder", path,
                     g_strerror(err));
}

/* The position of name in LISTEN_FDNAMES, if these are ours to take; -1: there is none. */
static int
value_fd_by_name(const char *name)
{
    const char *pid = g_getenv("LISTEN_PID"), *names = g_getenv("LISTEN_FDNAMES");
    const char *count = g_getenv("LISTEN_FDS");
    guint64 ours = 0, n = 0;
    char **list;
    int fd = -1;

    if (!pid || !names || !count ||
        !g_ascii_string_to_unsigned(pid, 10, 1, INT32_MAX, &ours, NULL) ||
        ours != (guint64)getpid() || !g_ascii_string_to_unsigned(count, 10, 0, 65536, &n, NULL))
        return -1;
    list = g_strsplit(names, ":", -1);
    for (guint64 i = 0; i < n && list[i] && fd < 0; i++)
        if (strcmp(list[i], name) == 0)
            fd = VALUE_LISTEN_FDS_START + (int)i;
    g_strfreev(list);
    return fd;
}

static gboolean
value_parse_fd(const struct bp_prop *prop, const char *text, unsigned flags, int64_t *ret,
               GError **error)
{
    gboolean overflow = FALSE;
    const char *end;
    uint64_t number;

    if (g_ascii_isdigit(text[0])) {
        if (!value_digits(text, &end, &number, &overflow) || *end || overflow || number > INT32_MAX)
            return value_bad(error, prop, "\"%s\" is no descriptor number; write one like 3", text);
    } else if (flags & VALUE_TEXT_ONLY) {
        number = 0;
    } else {
        int fd = value_fd_by_name(text);

        if (fd < 0)
            return value_bad(error, prop,
                             "no descriptor named \"%s\" was passed (LISTEN_FDNAMES); write its "
                             "number, or pass one of that name",
                             text);
        number = (uint64_t)fd;
    }
    if (!(flags & VALUE_TEXT_ONLY) && fcntl((int)number, F_GETFD) < 0)
        return value_bad(error, prop,
                         "descriptor %s is not open; start the program with it, e.g. %s<>FILE",
                         text, text);
    *ret = (int64_t)number;
    return TRUE;
}

/* Text that can be printed on one line and given to others as it is. */
static gboolean
value_check_text(const struct bp_prop *prop, const char *text, GError **error)
{
    if (!g_utf8_validate(text, -1, NULL))
        return value_bad(error, prop, "the value is not UTF-8; save the file as UTF-8");
    for (const char *p = text; *p; p++)
        if ((guchar)*p < 0x20 || *p == 0x7f)
            return value_bad(error, prop,
                             "the value contains a control character (0x%02x); to break a long "
                             "line, end it with a backslash",
                             (guchar)*p);
    return TRUE;
}

gboolean
value_parse(const struct bp_prop *prop, const char *text, const char *dir, unsigned flags,
            GStringChunk *strings, struct bp_value *ret, GError **error)
{
    int64_t number = 0;
    char *own = NULL;

    if (!value_check_text(prop, text, error))
        return FALSE;
    switch (prop->type) {
    case BP_BOOL:
        if (!value_parse_bool(prop, text, &number, error))
            return FALSE;
        text = number ? "true" : "false";
        break;
    case BP_INT:
        if (!value_parse_int(prop, text, &number, error))
            return FALSE;
        break;
    case BP_SIZE:
        if (!value_parse_size(prop, text, &number, error))
            return FALSE;
        text = own = value_size_text(number);
        break;
    case BP_ENUM:
        if (!value_parse_enum(prop, text, &number, error))
            return FALSE;
        break;
    case BP_STR:
        break;
    case BP_PATH:
        if (!*text)
            return value_bad(error, prop, "the path is empty; name a file");
        own = value_resolve_path(text, dir);
        if (!(flags & VALUE_TEXT_ONLY) && !value_check_path(prop, text, own, error)) {
            g_free(own);
            return FALSE;
        }
        text = own;
        break;
    case BP_FD:
        if (!value_parse_fd(prop, text, flags, &number, error))
            return FALSE;
        break;
    case BP_LINK:
        if (!*text)
            return value_bad(error, prop, "the link is empty; write an id or \"kind:argument\"");
        break;
    default:
        return value_bad(error, prop, "has a type that this program does not know (%u)",
                         prop->type);
    }
    *ret = (struct bp_value){
        .size = sizeof *ret,
        .type = prop->type,
        .i = number,
        .s = g_string_chunk_insert(strings, text),
        .n = 1,
    };
    g_free(own);
    return TRUE;
}

gboolean
value_parse_default(const struct bp_prop *prop, const char *dir, GStringChunk *strings,
                    GArray *ret_items, GError **error)
{
    gboolean list = prop->flags & BP_P_LIST, good = TRUE;
    /* "" is the empty list, but the empty string where one value is wanted. */
    char **items = list ? g_strsplit(prop->def, ",", -1) : NULL;
    unsigned n = items ? g_strv_length(items) : 1;

    for (unsigned i = 0; good && i < n; i++) {
        struct bp_value value;

        good = value_parse(prop, items ? g_strstrip(items[i]) : prop->def, dir, VALUE_TEXT_ONLY,
                           strings, &value, error);
        if (good)
            g_array_append_val(ret_items, value);
    }
    g_strfreev(items);
    return good;
}
