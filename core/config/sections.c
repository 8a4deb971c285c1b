/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sections.c - the core's own sections: machine, boot and iothread. They have property tables as
 * plugins do, so that the same parser and the same messages serve them.
 */
#include <string.h>
#include <sys/stat.h>

#include "core/config/private.h"
#include "core/error.h"
#include "core/plugin/value.h"

#define SECTIONS_CPUS_MAX 255 /* APIC ids of one byte, less the broadcast */

enum { CPUS, MEMORY, ON_REBOOT, MEMORY_BACKING, CPU_AFFINITY, CPU_SCHED };
enum { KERNEL, INITRD, CMDLINE, FIRMWARE, MODULES };
enum { AFFINITY, POLL_US };

static const char *const sections_on_reboot[] = {"reboot", "exit", NULL};

#define PROP(kind, key, text)                                                                      \
    .size = sizeof(struct bp_prop), .type = (kind), .name = (key), .help = (text)

static const struct bp_prop machine_props[] = {
    [CPUS] = {PROP(BP_INT, "cpus", "virtual CPUs"), .def = "1", .min = 1, .max = SECTIONS_CPUS_MAX},
    [MEMORY] = {PROP(BP_SIZE, "memory", "RAM of the guest"), .def = "256M", .min = MEMORY_SIZE_MIN,
                .max = MEMORY_SIZE_MAX},
    [ON_REBOOT] = {PROP(BP_ENUM, "on_reboot", "what a reboot of the guest does"), .def = "reboot",
                   .choices = sections_on_reboot},
    [MEMORY_BACKING] = {PROP(BP_STR, "memory_backing",
                             "anonymous, memfd, hugetlb, hugetlb:SIZE or hugetlb:FOLDER"),
                        .def = "anonymous"},
    [CPU_AFFINITY] = {PROP(BP_STR, "cpu_affinity",
                           "host CPUs for each virtual CPU in turn, or for all of them"),
                      .flags = BP_P_LIST},
    [CPU_SCHED] = {PROP(BP_STR, "cpu_sched", "other, batch, idle, fifo:PRIORITY or rr:PRIORITY"),
                   .def = "other"},
};

static const struct bp_prop boot_props[] = {
    [KERNEL] = {PROP(BP_PATH, "kernel", "bzImage, PVH or multiboot ELF"), .flags = BP_P_MUST_EXIST},
    [INITRD] = {PROP(BP_PATH, "initrd", "initial RAM disk"), .flags = BP_P_MUST_EXIST},
    [CMDLINE] = {PROP(BP_STR, "cmdline", "the kernel's command line")},
    [FIRMWARE] = {PROP(BP_PATH, "firmware", "image that ends at 4 GiB: a path or a known name")},
    [MODULES] = {PROP(BP_STR, "modules", "files for a PVH or multiboot kernel: \"FILE STRING\""),
                 .flags = BP_P_LIST},
};

static const struct bp_prop iothread_props[] = {
    [AFFINITY] = {PROP(BP_STR, "affinity", "host CPUs that it may run on: 0, 2-3"),
                  .flags = BP_P_LIST},
    [POLL_US] = {PROP(BP_INT, "poll_us", "microseconds to look for work before it sleeps; 0: none"),
                 .def = "0", .max = 1000},
};

const struct bp_prop *
core_section_props(const char *name, uint32_t *ret_n)
{
    if (strcmp(name, "machine") == 0)
        return *ret_n = G_N_ELEMENTS(machine_props), machine_props;
    if (strcmp(name, "boot") == 0)
        return *ret_n = G_N_ELEMENTS(boot_props), boot_props;
    if (strcmp(name, "iothread") == 0)
        return *ret_n = G_N_ELEMENTS(iothread_props), iothread_props;
    return NULL;
}

/* A value that is one word; NULL: not set. */
static const char *
section_string(const struct section *sec, unsigned prop)
{
    return sec->values[prop].n_items ? sec->values[prop].items[0].s : NULL;
}

/* ---- CPU lists ------------------------------------------------------------------------------ */

static gboolean
sections_cpu_number(const char **text, guint64 *ret)
{
    char *end;

    if (!g_ascii_isdigit(**text))
        return FALSE;
    *ret = g_ascii_strtoull(*text, &end, 10);
    *text = end;
    return *ret < CPU_SETSIZE;
}

/* "0", "2-3", "0,2-3": adds them to set. */
static gboolean
sections_cpu_set(const char *text, cpu_set_t *set)
{
    do {
        guint64 first, last;

        if (*text == ',')
            text++;
        text += strspn(text, " ");
        if (!sections_cpu_number(&text, &first))
            return FALSE;
        last = first;
        if (*text == '-') {
            text++;
            if (!sections_cpu_number(&text, &last) || last < first)
                return FALSE;
        }
        for (; first <= last; first++)
            CPU_SET(first, set);
        text += strspn(text, " ");
    } while (*text == ',');
    return !*text;
}

static gboolean
sections_take_cpus(const struct section *sec, unsigned prop, unsigned item, cpu_set_t *set,
                   GError **error)
{
    const struct config_value *value = &sec->values[prop];
    char *who;

    if (sections_cpu_set(value->items[item].s, set))
        return TRUE;
    who = section_who(sec);
    (void)config_bad(error, &value->src, who,
                     "%s: \"%s\" names no host CPUs; write numbers from 0 to %d and ranges: 0,2-3",
                     sec->props[prop].name, value->items[item].s, CPU_SETSIZE - 1);
    g_free(who);
    return FALSE;
}

/* ---- machine -------------------------------------------------------------------------------- */

static gboolean
machine_take_affinity(struct config_machine *m, const struct section *sec, GError **error)
{
    const struct config_value *value = &sec->values[CPU_AFFINITY];

    if (value->n_items > 1 && value->n_items != m->cpus)
        return config_bad(error, &value->src, "machine",
                          "cpu_affinity: %u entries for %u virtual CPUs; write one for each, or "
                          "one for all",
                          value->n_items, m->cpus);
    m->n_affinity = value->n_items;
    m->affinity = g_new0(cpu_set_t, value->n_items);
    for (uint32_t i = 0; i < value->n_items; i++)
        if (!sections_take_cpus(sec, CPU_AFFINITY, i, &m->affinity[i], error))
            return FALSE;
    return TRUE;
}

static gboolean
machine_take_sched(struct config_machine *m, const struct section *sec, GError **error)
{
    static const struct {
        const char *name;
        int policy;
        gboolean priority;
    } classes[] = {{"other", SCHED_OTHER, FALSE},
                   {"batch", SCHED_BATCH, FALSE},
                   {"idle", SCHED_IDLE, FALSE},
                   {"fifo", SCHED_FIFO, TRUE},
                   {"rr", SCHED_RR, TRUE}};
    const char *text = section_string(sec, CPU_SCHED);
    size_t len = strcspn(text, ":");

    for (unsigned i = 0; i < G_N_ELEMENTS(classes); i++) {
        guint64 priority = 0;

        if (strlen(classes[i].name) != len || memcmp(classes[i].name, text, len) != 0)
            continue;
        if (classes[i].priority
                ? text[len] != ':' ||
                      !g_ascii_string_to_unsigned(text + len + 1, 10, 1, 99, &priority, NULL)
                : text[len] == ':')
            break;
        m->sched_policy = classes[i].policy;
        m->sched_priority = (int)priority;
        return TRUE;
    }
    return config_bad(error, &sec->values[CPU_SCHED].src, "machine",
                      "cpu_sched: \"%s\" is no scheduling class; write other, batch, idle, "
                      "fifo:PRIORITY or rr:PRIORITY, with a priority from 1 to 99",
                      text);
}

static gboolean
machine_take_backing(struct config *config, const struct section *sec, GError **error)
{
    static const struct bp_prop size = {
        .type = BP_SIZE, .name = "memory_backing", .min = 4096, .max = MEMORY_SIZE_MAX};
    const struct config_source *src = &sec->values[MEMORY_BACKING].src;
    struct config_machine *m = &config->machine;
    const char *text = section_string(sec, MEMORY_BACKING);
    struct bp_value value;

    m->backing = MEMORY_HUGETLB;
    if (strcmp(text, "anonymous") == 0) {
        m->backing = MEMORY_ANONYMOUS;
    } else if (strcmp(text, "memfd") == 0) {
        m->backing = MEMORY_MEMFD;
    } else if (g_str_has_prefix(text, "hugetlb:/")) {
        m->hugetlb_path = g_strdup(strchr(text, '/'));
    } else if (g_str_has_prefix(text, "hugetlb:")) {
        if (!value_parse(&size, strchr(text, ':') + 1, "/", 0, config->priv->strings, &value,
                         error))
            return config_locate(error, src, "machine");
        m->huge_page_size = (uint64_t)value.i;
        if (m->huge_page_size & (m->huge_page_size - 1))
            return config_bad(error, src, "machine",
                              "memory_backing: pages of %s; their size is a power of two: 2M or 1G",
                              value.s);
    } else if (strcmp(text, "hugetlb") != 0) {
        return config_bad(error, src, "machine",
                          "memory_backing: \"%s\" is unknown; write anonymous, memfd, hugetlb, "
                          "hugetlb:SIZE or hugetlb:/FOLDER",
                          text);
    }
    return TRUE;
}

static gboolean
machine_apply(struct config *config, const struct section *sec, GError **error)
{
    struct config_machine *m = &config->machine;
    const struct config_value *v = sec->values;

    m->src = sec->text->src;
    m->cpus = (unsigned)v[CPUS].items[0].i;
    m->memory_bytes = (uint64_t)v[MEMORY].items[0].i;
    if (m->memory_bytes % MEMORY_PAGE_SIZE)
        return config_bad(error, &v[MEMORY].src, "machine",
                          "memory: %s is no multiple of 4K; round it up", v[MEMORY].items[0].s);
    m->on_reboot = v[ON_REBOOT].items[0].i ? CONFIG_EXIT : CONFIG_REBOOT;
    return machine_take_backing(config, sec, error) && machine_take_affinity(m, sec, error) &&
           machine_take_sched(m, sec, error);
}

/* A file without a machine section gets the defaults of one. */
static gboolean
machine_default(struct config *config, GError **error)
{
    static const struct reader_section text = {.name = "machine", .id = "machine"};
    struct config_value values[G_N_ELEMENTS(machine_props)] = {0};
    struct section sec = {.text = &text,
                          .props = machine_props,
                          .n_props = G_N_ELEMENTS(machine_props),
                          .values = values};
    gboolean good = TRUE;

    for (uint32_t i = 0; good && i < sec.n_props; i++)
        good = value_default(config, &machine_props[i], &values[i], error);
    good = good && machine_apply(config, &sec, error);
    config->machine.src.file = config->file;
    for (uint32_t i = 0; i < sec.n_props; i++)
        g_free(values[i].items);
    return good;
}

/* ---- boot ----------------------------------------------------------------------------------- */

static gboolean
boot_check_file(const struct section *sec, unsigned prop, GError **error)
{
    const char *path = section_string(sec, prop);
    struct stat st;

    if (!path || stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return TRUE;
    return config_bad(error, &sec->values[prop].src, "boot", "%s: %s is a folder; name a file",
                      sec->props[prop].name, path);
}

static gboolean
boot_take_modules(struct config *config, const struct section *sec, GError **error)
{
    static const struct bp_prop path = {
        .type = BP_PATH, .name = "modules", .flags = BP_P_MUST_EXIST};
    const struct config_value *value = &sec->values[MODULES];
    struct config_boot *b = &config->boot;
    char *folder;

    if (value->n_items == 0)
        return TRUE;
    folder = config_folder_of(value->src.file);
    b->modules = g_new0(struct config_module, value->n_items);
    for (uint32_t i = 0; i < value->n_items; i++) {
        const char *text = value->items[i].s;
        size_t len = strcspn(text, " ");
        char *name = g_strndup(text, len);
        struct bp_value file;
        gboolean good = value_parse(&path, name, folder, 0, config->priv->strings, &file, error);

        g_free(name);
        if (!good) {
            g_free(folder);
            return config_locate(error, &value->src, "boot");
        }
        b->modules[i].path = g_strdup(file.s);
        b->modules[i].string = text[len] ? g_strdup(text + len + 1) : NULL;
        b->n_modules++;
    }
    g_free(folder);
    return TRUE;
}

static gboolean
boot_apply(struct config *config, const struct section *sec, GError **error)
{
    struct config_boot *b = &config->boot;
    const struct config_value *v = sec->values;

    b->src = sec->text->src;
    if (!v[KERNEL].n_items && !v[FIRMWARE].n_items)
        return config_bad(error, &b->src, "boot",
                          "there is neither a kernel nor a firmware; add kernel = \"FILE\"");
    if (v[KERNEL].n_items && v[FIRMWARE].n_items)
        return config_bad(error, &v[FIRMWARE].src, "boot",
                          "there are a kernel and a firmware; remove one of the two");
    for (unsigned i = 0; i < G_N_ELEMENTS(boot_props); i++)
        if (v[FIRMWARE].n_items && i != FIRMWARE && v[i].n_items)
            return config_bad(error, &v[i].src, "boot",
                              "%s goes with a kernel, not with a "
                              "firmware; remove it",
                              boot_props[i].name);
    if (!boot_check_file(sec, KERNEL, error) || !boot_check_file(sec, INITRD, error) ||
        !boot_check_file(sec, FIRMWARE, error) || !boot_take_modules(config, sec, error))
        return FALSE;
    b->kernel = g_strdup(section_string(sec, KERNEL));
    b->initrd = g_strdup(section_string(sec, INITRD));
    if (v[FIRMWARE].n_items && !(b->firmware = config_find_firmware(section_string(sec, FIRMWARE),
                                                                    &v[FIRMWARE].src, error)))
        return FALSE;
    b->cmdline = g_strdup(section_string(sec, CMDLINE));
    b->kernel_src = v[KERNEL].src;
    b->initrd_src = v[INITRD].src;
    b->firmware_src = v[FIRMWARE].src;
    return TRUE;
}

/* ---- iothread ------------------------------------------------------------------------------- */

static gboolean
iothread_apply(struct config *config, const struct section *sec, GError **error)
{
    struct config_iothread *io = g_new0(struct config_iothread, 1);

    io->id = g_strdup(sec->text->id);
    io->src = sec->text->src;
    g_ptr_array_add(config->priv->iothreads, io);
    if (!sec->text->titled)
        return config_bad(error, &io->src, "iothread", "it has no name; write iothread NAME { }");
    for (uint32_t i = 0; i < sec->values[AFFINITY].n_items; i++) {
        io->has_affinity = TRUE;
        if (!sections_take_cpus(sec, AFFINITY, i, &io->affinity, error))
            return FALSE;
    }
    io->poll_us = (unsigned)sec->values[POLL_US].items[0].i;
    return TRUE;
}

gboolean
core_section_apply(struct config *config, const struct section *sec, GError **error)
{
    gboolean machine = sec->props == machine_props;

    if (sec->props == iothread_props)
        return iothread_apply(config, sec, error);
    if (sec->text->titled)
        return config_bad(error, &sec->text->src, sec->text->name,
                          "this section has no name of its own; write %s { ... }", sec->text->name);
    return machine ? machine_apply(config, sec, error) : boot_apply(config, sec, error);
}

gboolean
core_sections_finish(struct config *config, GError **error)
{
    if (!config->machine.src.line && !machine_default(config, error))
        return FALSE;
    if (config->boot.src.line)
        return TRUE;
    g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                "%s: there is no boot section; add boot { kernel = \"FILE\" }", config->file);
    return FALSE;
}
