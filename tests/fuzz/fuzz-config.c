/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz-config.c - the config file: both passes, values, links, printing.
 *
 * Beside memory errors it looks for a file that is taken but whose printed form is not, or prints
 * as another machine; and for a text that our reader takes and libconfuse does not understand.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backplane/if/block.h>

#include "core/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
fuzz_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    (void)host;
    (void)inst;
    (void)ret_self;
    return BP_E_NOTSUP;
}

static const void *
fuzz_query(void *self, const char *iface, uint32_t min_size)
{
    (void)self;
    (void)iface;
    (void)min_size;
    return NULL;
}

#define PROP(...)                                                                                  \
    {                                                                                              \
        .size = sizeof(struct bp_prop), .help = "", __VA_ARGS__                                    \
    }
#define CLASS(NAME, PROPS, ...)                                                                    \
    {                                                                                              \
        .size = sizeof(struct bp_class), .name = NAME, .version = "1", .summary = "fuzz",          \
        .props = PROPS, .n_props = sizeof PROPS / sizeof *PROPS,                                   \
        .prop_size = sizeof(struct bp_prop), .create = fuzz_create, .query = fuzz_query,           \
        __VA_ARGS__                                                                                \
    }

static const char *const fuzz_choices[] = {"a", "b c", NULL};
static const struct bp_prop dev_props[] = {
    PROP(.type = BP_INT, .name = "int", .def = "7", .min = -5, .max = 100),
    PROP(.type = BP_SIZE, .name = "size", .def = "4K"),
    PROP(.type = BP_STR, .name = "str"),
    PROP(.type = BP_BOOL, .name = "bool", .def = "no"),
    PROP(.type = BP_ENUM, .name = "enum", .choices = fuzz_choices, .def = "a"),
    PROP(.type = BP_PATH, .name = "path"),
    PROP(.type = BP_INT, .name = "ints", .flags = BP_P_LIST, .def = "1,2"),
    PROP(.type = BP_STR, .name = "strs", .flags = BP_P_LIST),
    PROP(.type = BP_LINK, .name = "link", .link_iface = BP_IF_BLOCK),
    PROP(.type = BP_LINK, .name = "links", .link_iface = BP_IF_BLOCK, .flags = BP_P_LIST),
};
static const struct bp_prop file_props[] = {
    PROP(.type = BP_PATH, .name = "path", .flags = BP_P_PRIMARY | BP_P_REQUIRED),
};
static const struct bp_prop raw_props[] = {
    PROP(.type = BP_STR, .name = "text", .flags = BP_P_PRIMARY | BP_P_DEPRECATED),
    PROP(.type = BP_LINK, .name = "link", .link_iface = BP_IF_BLOCK),
};
static const char *const fuzz_block[] = {BP_IF_BLOCK, NULL};
static const struct bp_class dev = CLASS("dev", dev_props, .flags = 0);
static const struct bp_class file = CLASS("block-file", file_props, .provides = fuzz_block);
static const struct bp_class raw =
    CLASS("block-raw", raw_props, .provides = fuzz_block, .flags = BP_C_SHARED);
static const struct bp_class *const fuzz_classes[] = {&dev, &file, &raw};
static const struct bp_plugin fuzz_plugin = {
    .size = sizeof fuzz_plugin,
    .abi_major = BP_ABI_MAJOR,
    .api_level = BP_API_LEVEL,
    .api_need = BP_API_NEED,
    .name = "fuzz",
    .version = "1",
    .license = "BSD-3-Clause",
    .classes = fuzz_classes,
    .n_classes = 3,
};

static char folder[] = "/tmp/backplane-fuzz.XXXXXX";
static char a_conf[64], b_conf[64], kernel[64];

static void
fuzz_leave(void)
{
    (void)unlink(a_conf);
    (void)unlink(b_conf);
    (void)unlink(kernel);
    (void)rmdir(folder);
}

static void
fuzz_write(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(name, "wb");

    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
}

/* Once in each process: replay.c gives every input a child of its own. */
static struct plugin_set *
fuzz_begin(void)
{
    static struct plugin_set *set;
    GError *error = NULL;

    if (set)
        return set;
    unsetenv("BACKPLANE_PLUGIN_PATH");
    setenv("BACKPLANE_DATA_DIR", "/nonexistent", 1);
    if (!mkdtemp(folder))
        abort();
    g_snprintf(a_conf, sizeof a_conf, "%s/a.conf", folder);
    g_snprintf(b_conf, sizeof b_conf, "%s/b.conf", folder);
    g_snprintf(kernel, sizeof kernel, "%s/kernel", folder);
    atexit(fuzz_leave);
    fuzz_write(kernel, "", 0);
    set = plugin_set_new(NULL);
    if (!plugin_set_add(set, &fuzz_plugin, "fuzz", &error))
        abort();
    return set;
}

/*
 * FILE:LINE: [WHO: ]cannot be parsed (...) is an error of libconfuse's own that the reader should
 * have found. The input cannot put these words there: what it may quote comes later.
 */
static void
fuzz_check_error(const GError *error)
{
    const char *said = strstr(error->message, ": ");
    const char *who = said ? strstr(said + 2, ": ") : NULL;

    if (!said || g_str_has_prefix(said + 2, "unexpected "))
        return;
    if (g_str_has_prefix(said + 2, "cannot be parsed (") ||
        (who && g_str_has_prefix(who + 2, "cannot be parsed ("))) {
        fprintf(stderr, "%s\n", error->message);
        abort();
    }
}

/* The text without its comments, each of which ends a line. */
static char *
fuzz_without_comments(const char *text)
{
    GString *out = g_string_new(NULL);
    char **lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line; line++) {
        if (g_str_has_suffix(*line, " # default"))
            (*line)[strlen(*line) - strlen(" # default")] = '\0';
        g_string_append_printf(out, "%s\n", *line);
    }
    g_strfreev(lines);
    return g_string_free(out, FALSE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plugin_set *set = fuzz_begin();
    uint8_t *text = g_malloc(size + 1);
    GError *error = NULL;
    struct config *config;

    memcpy(text, data, size);
    text[size] = '\0';
    /* Files of this host, devices among them, are not part of the test. */
    for (size_t i = 0; g_strstr_len((char *)text, (gssize)size, "include") && i < size; i++)
        if (text[i] == '/')
            text[i] = '_';
    fuzz_write(a_conf, text, size);
    g_free(text);
    config = config_load(a_conf, set, &error);
    if (config) {
        char *first = config_print(config), *second, *first_bare, *second_bare;
        struct config *again;

        fuzz_write(b_conf, first, strlen(first));
        again = config_load(b_conf, set, &error);
        if (!again) {
            fprintf(stderr, "%s\n%s\n", error->message, first);
            abort();
        }
        second = config_print(again);
        first_bare = fuzz_without_comments(first);
        second_bare = fuzz_without_comments(second);
        if (strcmp(first_bare, second_bare) != 0) {
            fprintf(stderr, "%s\nprints as\n%s\n", first, second);
            abort();
        }
        g_free(first);
        g_free(second);
        g_free(first_bare);
        g_free(second_bare);
        config_free(again);
    } else {
        fuzz_check_error(error);
        g_error_free(error);
    }
    config_free(config);
    return 0;
}
