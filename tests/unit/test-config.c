/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-config.c - what config_load() returns, as the machine sees it. The texts and messages are
 * tested in tests/config.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <stdint.h>

#include <backplane/if/block.h>

#include "core/config/config.h"
#include "core/error.h"
#include "tests/tap.h"

static int
test_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    (void)host;
    (void)inst;
    (void)ret_self;
    return BP_E_NOTSUP;
}

static const void *
test_query(void *self, const char *iface, uint32_t min_size)
{
    (void)self;
    (void)iface;
    (void)min_size;
    return NULL;
}

static const char *const block[] = {BP_IF_BLOCK, NULL};
static const struct bp_prop dev_props[] = {
    {.size = sizeof *dev_props, .type = BP_INT, .name = "port", .def = "0x10", .max = 255},
    {.size = sizeof *dev_props, .type = BP_INT, .name = "nums", .def = "1,2", .flags = BP_P_LIST},
    {.size = sizeof *dev_props, .type = BP_LINK, .name = "drive", .link_iface = BP_IF_BLOCK},
    {.size = sizeof *dev_props, .type = BP_STR, .name = "unset"},
};
static const struct bp_prop file_props[] = {
    {.size = sizeof *file_props, .type = BP_PATH, .name = "path", .flags = BP_P_PRIMARY},
};
static const struct bp_class dev = {.size = sizeof dev,
                                    .name = "dev",
                                    .version = "1",
                                    .summary = "a device",
                                    .props = dev_props,
                                    .n_props = 4,
                                    .prop_size = sizeof *dev_props,
                                    .create = test_create};
static const struct bp_class file = {.size = sizeof file,
                                     .name = "block-file",
                                     .version = "1",
                                     .summary = "a file",
                                     .props = file_props,
                                     .n_props = 1,
                                     .prop_size = sizeof *file_props,
                                     .provides = block,
                                     .query = test_query,
                                     .create = test_create};
static const struct bp_class *const classes[] = {&dev, &file};
static const struct bp_plugin plugin = {.size = sizeof plugin,
                                        .abi_major = BP_ABI_MAJOR,
                                        .api_level = BP_API_LEVEL,
                                        .api_need = BP_API_NEED,
                                        .name = "test",
                                        .version = "1",
                                        .license = "BSD-3-Clause",
                                        .classes = classes,
                                        .n_classes = 2};

static char *folder;
static struct plugin_set *set;

static struct config *
load(const char *text, GError **error)
{
    char *path = g_build_filename(folder, "vm.conf", NULL);
    struct config *config;

    if (!g_file_set_contents(path, text, -1, NULL))
        abort();
    config = config_load(path, set, error);
    g_free(path);
    return config;
}

static void
test_core(void)
{
    struct config *c = load("machine { cpus = 3 memory = 1G on_reboot = exit\n"
                            "  memory_backing = \"hugetlb:1G\" cpu_affinity = { 1, \"0,2-3\", 5 }\n"
                            "  cpu_sched = \"fifo:7\" }\n"
                            "boot { kernel = vm.conf cmdline = \"a b\"\n"
                            "  modules = { \"vm.conf x y\", vm.conf } }\n",
                            NULL);

    if (!ok(c != NULL, "the sections of the core"))
        return;
    eq_int(c->machine.src.line, 1, "where it stands");
    eq_int(c->machine.cpus, 3, "cpus");
    eq_int(c->machine.memory_bytes, 1 << 30, "memory");
    eq_int(c->machine.on_reboot, CONFIG_EXIT, "on_reboot");
    eq_int(c->machine.backing, MEMORY_HUGETLB, "memory_backing");
    eq_int(c->machine.huge_page_size, 1 << 30, "... and its page size");
    ok(!c->machine.hugetlb_path, "... and no folder");
    eq_int(c->machine.n_affinity, 3, "cpu_affinity has an entry for each CPU");
    ok(CPU_COUNT(&c->machine.affinity[1]) == 3 && CPU_ISSET(0, &c->machine.affinity[1]) &&
           CPU_ISSET(3, &c->machine.affinity[1]),
       "... with a range");
    eq_int(c->machine.sched_policy, SCHED_FIFO, "cpu_sched");
    eq_int(c->machine.sched_priority, 7, "... and its priority");
    ok(g_str_has_prefix(c->boot.kernel, folder), "kernel starts at the file's folder");
    eq_str(c->boot.cmdline, "a b", "cmdline");
    ok(!c->boot.initrd && !c->boot.firmware, "what is not there is NULL");
    eq_int(c->boot.n_modules, 2, "modules");
    eq_str(c->boot.modules[0].string, "x y", "... with a string");
    ok(!c->boot.modules[1].string, "... and without");
    eq_int(c->boot.kernel_src.line, 4, "where the kernel is named");
    config_free(c);

    c = load("boot { kernel = vm.conf } machine { memory_backing = \"hugetlb:/mnt/huge\" }", NULL);
    eq_str(c->machine.hugetlb_path, "/mnt/huge", "a folder of huge pages");
    config_free(c);
    c = load("boot { kernel = vm.conf }", NULL);
    eq_int(c->machine.src.line, 0, "no machine section");
    ok(c->machine.cpus == 1 && c->machine.memory_bytes == 256 << 20 &&
           c->machine.backing == MEMORY_ANONYMOUS && c->machine.n_affinity == 0 &&
           c->machine.sched_policy == SCHED_OTHER,
       "... gives its defaults");
    eq_int(c->n_instances, 0, "and no device");
    config_free(c);
}

static void
test_instances(void)
{
    struct config *c = load("boot { kernel = vm.conf }\n"
                            "dev a {\n"
                            "  drive = \"file:disk\"\n"
                            "  iothread = io\n"
                            "  nums += 3 }\n"
                            "dev { drive = b nums = { } port = 9 }\n"
                            "block-file b { path = /b }\n"
                            "iothread io { affinity = { 1, \"3-4\" } }\n",
                            NULL);
    const struct config_instance *a;
    const struct config_value *value;

    if (!ok(c != NULL, "devices and links"))
        return;
    eq_int(c->n_instances, 4, "one instance a section, and one of a short form");
    a = c->instances[0];
    eq_str(a->id, "a", "in the order of the file");
    eq_str(c->instances[1]->id, "a.drive", "the short form's comes after its owner");
    eq_str(c->instances[2]->id, "dev", "a section without a title is named after its class");
    eq_int(a->src.line, 2, "where it stands");
    ok(config_instance(c, "a") == a && !config_instance(c, "c"), "look-up by id");
    ok(c->n_iothreads == 1 && a->iothread == c->iothreads[0], "the I/O thread");
    ok(c->iothreads[0]->has_affinity && CPU_COUNT(&c->iothreads[0]->affinity) == 3,
       "... and its CPUs");
    ok(c->instances[1]->iothread == a->iothread, "... is the back end's too");
    ok(!c->instances[2]->iothread, "the main loop");
    ok(c->instances[1]->owner == a, "the owner of an anonymous one");
    eq_str(c->instances[1]->owner_prop, "drive", "... and its link");
    eq_int(c->instances[1]->src.line, 3, "... and where it stands");

    value = config_instance_value(a, "drive");
    ok(value->n_items == 1 && value->src.line == 3, "a link");
    eq_str(value->items[0].s, "a.drive", "... is the id of what was made");
    eq_str(config_instance_value(config_instance(c, "dev"), "drive")->items[0].s, "b",
           "... or the one that was named");
    value = config_instance_value(c->instances[1], "path");
    ok(value->n_items == 1 && g_path_is_absolute(value->items[0].s) &&
           g_str_has_suffix(value->items[0].s, "/disk"),
       "the argument is the primary property");
    value = config_instance_value(a, "port");
    ok(value->n_items == 1 && value->items[0].i == 16 && value->items[0].n == 1 &&
           value->src.line == 0 && value->src.file,
       "a default");
    value = config_instance_value(a, "nums");
    ok(value->n_items == 3 && value->items[2].i == 3 && value->src.line == 5, "an appended list");
    value = config_instance_value(config_instance(c, "dev"), "nums");
    ok(value->n_items == 0 && value->src.line == 6, "an empty list");
    value = config_instance_value(a, "unset");
    ok(value->n_items == 0 && value->src.line == 0, "neither set nor defaulted");
    ok(!config_instance_value(a, "nothing"), "no such property");
    config_free(c);
}

static void
test_errors(void)
{
    struct config *c = load("boot { kernel = vm.conf }\n\ndev a {\n port = 5 }\n", NULL);
    GError *error = NULL;

    config_instance_error(&error, CORE_ERROR_HOST, config_instance(c, "a"), "port", "no %s",
                          "room");
    ok(error->domain == CORE_ERROR && error->code == CORE_ERROR_HOST, "an error has its code");
    ok(g_str_has_suffix(error->message, "vm.conf:4: dev a: no room"), "... and the value's line");
    g_clear_error(&error);
    config_instance_error(&error, CORE_ERROR_CONFIG, config_instance(c, "a"), "nums", "bad");
    ok(g_str_has_suffix(error->message, "vm.conf:3: dev a: bad"), "... or the section's");
    g_clear_error(&error);
    config_free(c);
    ok(!load("dev a {", &error) && error->code == CORE_ERROR_CONFIG, "a bad file");
    g_clear_error(&error);
    /* libconfuse's lexer is global: an error must leave nothing behind. */
    ok(!load("boot { kernel = vm.conf } dev a { port = { \"1", &error), "an open string");
    g_clear_error(&error);
    c = load("boot { kernel = vm.conf } dev a { port = 7 }", NULL);
    ok(c && config_instance_value(c->instances[0], "port")->items[0].i == 7,
       "... spoils nothing for the next file");
    config_free(c);
    config_free(NULL);
}

int
main(void)
{
    GError *error = NULL;
    char *path;

    g_unsetenv("BACKPLANE_PLUGIN_PATH");
    folder = g_dir_make_tmp("backplane-test.XXXXXX", NULL);
    set = plugin_set_new(NULL);
    if (!folder || !plugin_set_add(set, &plugin, "test", &error))
        abort();
    test_core();
    test_instances();
    test_errors();
    plugin_set_free(set);
    path = g_build_filename(folder, "vm.conf", NULL);
    g_unlink(path);
    g_rmdir(folder);
    g_free(path);
    g_free(folder);
    return done_testing();
}
