/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * print.c - the whole machine as a config file: nothing is left to a default, an include or a
 * short form, so that it shows all there is and means the same wherever it is put.
 */
#include <inttypes.h>
#include <string.h>

#include "core/config/private.h"
#include "core/plugin/value.h"

/* A string that libconfuse reads back as it is. */
static void
print_string(GString *out, const char *text)
{
    g_string_append_c(out, '"');
    for (; *text; text++) {
        if (strchr("\"\\", *text) || (text[0] == '$' && text[1] == '{'))
            g_string_append_c(out, '\\');
        g_string_append_c(out, *text);
    }
    g_string_append_c(out, '"');
}

static void
print_key(GString *out, const char *key, const char *text)
{
    g_string_append_printf(out, "    %s = ", key);
    print_string(out, text);
    g_string_append_c(out, '\n');
}

static void
print_number(GString *out, const char *key, uint64_t number)
{
    g_string_append_printf(out, "    %s = \"%" PRIu64 "\"\n", key, number);
}

/* "0,2-3" */
static char *
print_cpus(const cpu_set_t *set)
{
    GString *text = g_string_new(NULL);

    for (unsigned first = 0; first < CPU_SETSIZE; first++) {
        unsigned last = first;

        if (!CPU_ISSET(first, set))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
            last++;
        g_string_append_printf(text, "%s%u", text->len ? "," : "", first);
        if (last > first)
            g_string_append_printf(text, "-%u", last);
        first = last;
    }
    return g_string_free(text, FALSE);
}

static void
print_cpu_list(GString *out, const char *key, const cpu_set_t *sets, unsigned n)
{
    if (n == 0)
        return;
    g_string_append_printf(out, "    %s = {", key);
    for (unsigned i = 0; i < n; i++) {
        char *text = print_cpus(&sets[i]);

        g_string_append_printf(out, "%s \"%s\"", i ? "," : "", text);
        g_free(text);
    }
    g_string_append(out, " }\n");
}

static void
print_machine(GString *out, const struct config_machine *m)
{
    static const struct {
        int policy;
        const char *name;
    } classes[] = {{SCHED_OTHER, "other"},
                   {SCHED_BATCH, "batch"},
                   {SCHED_IDLE, "idle"},
                   {SCHED_FIFO, "fifo"},
                   {SCHED_RR, "rr"}};
    char *pages = value_size_text((int64_t)m->huge_page_size), *memory, *backing;

    g_string_append(out, "machine {\n");
    print_number(out, "cpus", m->cpus);
    memory = value_size_text((int64_t)m->memory_bytes);
    print_key(out, "memory", memory);
    g_free(memory);
    print_key(out, "on_reboot", m->on_reboot == CONFIG_EXIT ? "exit" : "reboot");
    if (m->backing == MEMORY_HUGETLB && m->hugetlb_path)
        backing = g_strconcat("hugetlb:", m->hugetlb_path, NULL);
    else if (m->backing == MEMORY_HUGETLB && m->huge_page_size)
        backing = g_strconcat("hugetlb:", pages, NULL);
    else
        backing = g_strdup(m->backing == MEMORY_HUGETLB ? "hugetlb"
                           : m->backing == MEMORY_MEMFD ? "memfd"
                                                        : "anonymous");
    print_key(out, "memory_backing", backing);
    g_free(backing);
    g_free(pages);
    print_cpu_list(out, "cpu_affinity", m->affinity, m->n_affinity);
    for (unsigned i = 0; i < G_N_ELEMENTS(classes); i++)
        if (classes[i].policy == m->sched_policy && m->sched_priority)
            g_string_append_printf(out, "    cpu_sched = \"%s:%d\"\n", classes[i].name,
                                   m->sched_priority);
        else if (classes[i].policy == m->sched_policy)
            print_key(out, "cpu_sched", classes[i].name);
    g_string_append(out, "}\n\n");
}

static void
print_boot(GString *out, const struct config_boot *b)
{
    g_string_append(out, "boot {\n");
    if (b->kernel)
        print_key(out, "kernel", b->kernel);
    if (b->initrd)
        print_key(out, "initrd", b->initrd);
    if (b->cmdline)
        print_key(out, "cmdline", b->cmdline);
    if (b->firmware)
        print_key(out, "firmware", b->firmware);
    for (unsigned i = 0; i < b->n_modules; i++) {
        const struct config_module *m = &b->modules[i];
        char *text = g_strconcat(m->path, m->string ? " " : NULL, m->string, NULL);

        g_string_append(out, i ? ", " : "    modules = { ");
        print_string(out, text);
        g_string_append(out, i + 1 == b->n_modules ? " }\n" : "");
        g_free(text);
    }
    g_string_append(out, "}\n");
}

static void
print_value(GString *out, const struct bp_prop *prop, const struct config_value *value)
{
    gboolean list = prop->flags & BP_P_LIST;

    if (!value->n_items && !(list && value->src.line)) {
        g_string_append_printf(out, "    # %s is not set\n", prop->name);
        return;
    }
    if (prop->flags & BP_P_SECRET) {
        g_string_append_printf(out, "    # %s is secret\n", prop->name);
        return;
    }
    g_string_append_printf(out, "    %s = %s", prop->name, list ? "{ " : "");
    for (uint32_t i = 0; i < value->n_items; i++) {
        g_string_append(out, i ? ", " : "");
        print_string(out, value->items[i].s);
    }
    g_string_append_printf(out, "%s%s\n", list ? " }" : "", value->src.line ? "" : " # default");
}

static void
print_instance(GString *out, const struct config_instance *inst)
{
    const struct bp_class *c = &inst->cls->c;
    char *head = config_who(c->name, inst->id);

    g_string_append_printf(out, "\n# %s: %s\n%s {\n", c->name, c->summary, head);
    g_free(head);
    if (inst->iothread)
        print_key(out, "iothread", inst->iothread->id);
    for (uint32_t i = 0; i < c->n_props; i++)
        print_value(out, &c->props[i], &inst->values[i]);
    g_string_append(out, "}\n");
}

char *
config_print(const struct config *config)
{
    GString *out = g_string_new(NULL);

    print_machine(out, &config->machine);
    print_boot(out, &config->boot);
    for (unsigned i = 0; i < config->n_iothreads; i++) {
        const struct config_iothread *io = config->iothreads[i];

        g_string_append_printf(out, "\niothread %s {\n", io->id);
        print_cpu_list(out, "affinity", &io->affinity, io->has_affinity);
        if (io->poll_us)
            g_string_append_printf(out, "    poll_us = \"%u\"\n", io->poll_us);
        g_string_append(out, "}\n");
    }
    for (unsigned i = 0; i < config->n_instances; i++)
        print_instance(out, config->instances[i]);
    return g_string_free(out, FALSE);
}
