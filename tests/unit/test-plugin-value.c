/* SPDX-License-Identifier: BSD-3-Clause */
/* test-plugin-value.c - the parser of property values, and the nearest name. */
#include <fcntl.h>
#include <glib.h>
#include <stdint.h>
#include <unistd.h>

#include "core/plugin/nearest.h"
#include "core/plugin/value.h"
#include "tests/tap.h"

static GStringChunk *strings;

/* The value of text; a failure is one line that begins with the property's name. */
static gboolean
parse(const struct bp_prop *prop, const char *text, struct bp_value *ret)
{
    struct bp_value value = {.size = 77};
    GError *error = NULL;

    if (value_parse(prop, text, "/etc/vm", 0, strings, &value, &error)) {
        if (value.type != prop->type || value.n != 1 || value.size != sizeof value || !value.s)
            printf("# a bad value of %s\n", text);
        *ret = value;
        return value.type == prop->type && value.n == 1 && value.s;
    }
    if (value.size != 77 || !g_str_has_prefix(error->message, "p: ") ||
        strchr(error->message, '\n'))
        printf("# a bad failure of %s: %s\n", text, error->message);
    g_error_free(error);
    return FALSE;
}

static void
good_int(const struct bp_prop *prop, const char *text, int64_t want)
{
    struct bp_value value = {0}, again = {0};

    if (!ok(parse(prop, text, &value), "%s is taken", text))
        return;
    eq_int(value.i, want, text);
    ok(parse(prop, value.s, &again) && again.i == want, "... and what it prints as reads back");
}

static void
bad(const struct bp_prop *prop, const char *text)
{
    struct bp_value value;

    ok(!parse(prop, text, &value), "\"%s\" is refused", text);
}

static void
test_int(void)
{
    const struct bp_prop any = {.type = BP_INT, .name = "p"};
    const struct bp_prop port = {.type = BP_INT, .name = "p", .min = -1, .max = 31};
    const struct bp_prop below = {.type = BP_INT, .name = "p", .min = -9};

    good_int(&any, "0", 0);
    good_int(&any, "-0", 0);
    good_int(&any, "+7", 7);
    good_int(&any, "007", 7);
    good_int(&any, "0x1F", 31);
    good_int(&any, "-0x10", -16);
    good_int(&any, "9223372036854775807", INT64_MAX);
    good_int(&any, "0x7fffffffffffffff", INT64_MAX);
    good_int(&any, "-9223372036854775807", -INT64_MAX);
    good_int(&port, "-1", -1);
    good_int(&port, "31", 31);
    good_int(&below, "0", 0);
    bad(&any, "9223372036854775808");
    bad(&any, "0x8000000000000000");
    bad(&any, "99999999999999999999999999999999");
    bad(&any, "");
    bad(&any, "-");
    bad(&any, "--1");
    bad(&any, "0x");
    bad(&any, "0xg");
    bad(&any, " 1");
    bad(&any, "1 ");
    bad(&any, "1.0");
    bad(&any, "1e3");
    bad(&port, "32");
    bad(&port, "-2");
    bad(&below, "1");
}

static void
test_size(void)
{
    const struct bp_prop any = {.type = BP_SIZE, .name = "p"};
    const struct bp_prop ram = {.type = BP_SIZE, .name = "p", .min = 4096, .max = 1 << 20};

    good_int(&any, "0", 0);
    good_int(&any, "1000", 1000);
    good_int(&any, "4K", 4096);
    good_int(&any, "4k", 4096);
    good_int(&any, "4KB", 4096);
    good_int(&any, "4KiB", 4096);
    good_int(&any, "0x10M", 16 << 20);
    good_int(&any, "3G", (int64_t)3 << 30);
    good_int(&any, "8388607T", (int64_t)8388607 << 40);
    good_int(&any, "1025", 1025);
    good_int(&any, "1536K", 1536 << 10);
    good_int(&ram, "1M", 1 << 20);
    bad(&any, "8388608T");
    bad(&any, "99999999999999999999T");
    bad(&any, "-1");
    bad(&any, "K");
    bad(&any, "1X");
    bad(&any, "1KK");
    bad(&any, "1KBs");
    bad(&any, "1 K");
    bad(&any, "1.5G");
    bad(&ram, "4095");
    bad(&ram, "2M");
}

static void
test_words(void)
{
    static const char *const choices[] = {"raw", "qcow2", NULL};
    const struct bp_prop truth = {.type = BP_BOOL, .name = "p"};
    const struct bp_prop format = {.type = BP_ENUM, .name = "p", .choices = choices};
    const struct bp_prop text = {.type = BP_STR, .name = "p"};
    const struct bp_prop path = {.type = BP_PATH, .name = "p"};
    const struct bp_prop file = {.type = BP_PATH, .name = "p", .flags = BP_P_MUST_EXIST};
    const struct bp_prop link = {.type = BP_LINK, .name = "p"};
    const struct bp_prop unknown = {.type = 9999, .name = "p"};
    struct bp_value value = {0};

    good_int(&truth, "true", 1);
    good_int(&truth, "Yes", 1);
    good_int(&truth, "ON", 1);
    good_int(&truth, "false", 0);
    good_int(&truth, "no", 0);
    good_int(&truth, "off", 0);
    bad(&truth, "1");
    bad(&truth, "");
    good_int(&format, "raw", 0);
    good_int(&format, "qcow2", 1);
    bad(&format, "Raw");
    bad(&format, "");
    ok(parse(&text, "", &value) && !*value.s, "an empty text is a text");
    ok(parse(&text, "t\xc3\xa4xt", &value), "UTF-8 is text");
    bad(&text, "\xff");
    bad(&text, "two\nlines");
    bad(&text, "\x7f");
    ok(parse(&path, "disk.img", &value), "a relative path");
    eq_str(value.s, "/etc/vm/disk.img", "... starts at the folder");
    ok(parse(&path, "/disk.img", &value), "an absolute path");
    eq_str(value.s, "/disk.img", "... is left alone");
    bad(&path, "");
    ok(parse(&file, "/dev/null", &value), "a file that exists");
    bad(&file, "/nonexistent/file");
    ok(parse(&link, "stdio", &value), "a link");
    bad(&link, "");
    bad(&unknown, "x");
}

static void
test_fd(void)
{
    const struct bp_prop fd = {.type = BP_FD, .name = "p"};
    char text[16], pid[16];
    int open_fd = open("/dev/null", O_RDONLY);
    struct bp_value value;

    snprintf(text, sizeof text, "%d", open_fd);
    good_int(&fd, text, open_fd);
    close(open_fd);
    bad(&fd, text);
    bad(&fd, "99999999999");
    bad(&fd, "3x");
    bad(&fd, "-1");
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    g_setenv("LISTEN_FDS", "2", TRUE);
    g_setenv("LISTEN_FDNAMES", "a:b:c", TRUE);
    g_setenv("LISTEN_PID", "1", TRUE);
    bad(&fd, "b");
    g_setenv("LISTEN_PID", pid, TRUE);
    open_fd = open("/dev/null", O_RDONLY);
    ok(dup2(open_fd, 4) == 4 && parse(&fd, "b", &value) && value.i == 4, "a descriptor by name");
    bad(&fd, "c");
    bad(&fd, "d");
}

static void
test_default(void)
{
    const struct bp_prop list = {
        .type = BP_INT, .name = "p", .flags = BP_P_LIST, .def = "1, 2 ,3", .max = 5};
    const struct bp_prop none = {.type = BP_STR, .name = "p", .flags = BP_P_LIST, .def = ""};
    const struct bp_prop empty = {.type = BP_STR, .name = "p", .def = ""};
    const struct bp_prop comma = {.type = BP_STR, .name = "p", .def = "a, b"};
    const struct bp_prop wrong = {
        .type = BP_INT, .name = "p", .flags = BP_P_LIST, .def = "1,9", .max = 5};
    const struct bp_prop gone = {
        .type = BP_PATH, .name = "p", .flags = BP_P_MUST_EXIST, .def = "nowhere"};
    GArray *items = g_array_new(FALSE, FALSE, sizeof(struct bp_value));
    GError *error = NULL;

    ok(value_parse_default(&list, "/", strings, items, &error), "the default of a list");
    eq_int(items->len, 3, "... has its items");
    eq_int(g_array_index(items, struct bp_value, 2).i, 3, "... each by itself");
    g_array_set_size(items, 0);
    ok(value_parse_default(&none, "/", strings, items, &error) && items->len == 0,
       "an empty default of a list is no item");
    ok(value_parse_default(&empty, "/", strings, items, &error) && items->len == 1,
       "an empty default of a text is one");
    g_array_set_size(items, 0);
    ok(value_parse_default(&comma, "/", strings, items, &error) && items->len == 1,
       "a comma is part of a text that is no list");
    eq_str(g_array_index(items, struct bp_value, 0).s, "a, b", "... and stays");
    g_array_set_size(items, 0);
    ok(!value_parse_default(&wrong, "/", strings, items, &error), "an item out of range");
    g_clear_error(&error);
    ok(value_parse_default(&gone, "/", strings, items, &error),
       "the file of a default is not looked for");
    g_array_free(items, TRUE);
}

static void
test_allowed(void)
{
    static const char *const choices[] = {"a", "b", "c", NULL};
    const struct bp_prop format = {.type = BP_ENUM, .name = "p", .choices = choices};
    const struct bp_prop size = {.type = BP_SIZE, .name = "p", .min = 512, .max = INT64_MAX};
    const struct bp_prop port = {.type = BP_INT, .name = "p", .max = 7};
    const struct bp_prop text = {.type = BP_STR, .name = "p"};
    char *allowed;

    eq_str(allowed = value_allowed(&format), "a, b or c", "choices");
    g_free(allowed);
    eq_str(allowed = value_allowed(&size), "512 or more", "an open range");
    g_free(allowed);
    eq_str(allowed = value_allowed(&port), "0 to 7", "a range");
    g_free(allowed);
    ok(!value_allowed(&text), "any text");
}

static void
test_nearest(void)
{
    static const char *const names[] = {"port", "irq", "chardev", "memory", "io", NULL};
    char longest[200] = {0};

    eq_str(nearest_name("prot", names), "port", "two letters swapped");
    eq_str(nearest_name("por", names), "port", "a letter missing");
    eq_str(nearest_name("sport", names), "port", "a letter too many");
    eq_str(nearest_name("irg", names), "irq", "another letter");
    eq_str(nearest_name("chardevice", names), "chardev", "a third of a long word");
    eq_str(nearest_name("memroy", names), "memory", "letters swapped in the middle");
    ok(!nearest_name("zzzz", names), "nothing is near");
    ok(!nearest_name("", names), "nothing is near to nothing");
    ok(!nearest_name("x", names), "one letter is too little");
    ok(!nearest_name("ab", names), "nothing but a letter in common is too little");
    memset(longest, 'a', sizeof longest - 1);
    ok(!nearest_name(longest, names), "a long word is no name");
}

int
main(void)
{
    strings = g_string_chunk_new(256);
    test_int();
    test_size();
    test_words();
    test_fd();
    test_default();
    test_allowed();
    test_nearest();
    g_string_chunk_free(strings);
    return done_testing();
}
