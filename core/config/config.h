/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.h - a config file as a plain description of a machine.
 *
 * Owns the language of the file: sections, keys, values, include(), links and their short forms. It
 * must not know KVM, nor any device: what a section may contain comes from the property table of
 * the plugin that the section names. What it returns is checked as far as text and files go (names,
 * types, ranges, choices, links to what exists and provides the interface); whether the parts fit
 * together is the machine's business.
 *
 * Everything here is constant after config_resolve() and freed by config_free(); strings are UTF-8.
 * Errors are CORE_ERROR_CONFIG with `file:line: section id: what is wrong; what to do`.
 */
#ifndef CORE_CONFIG_CONFIG_H
#define CORE_CONFIG_CONFIG_H

#include <glib.h>
#include <sched.h>
#include <stdint.h>

#include "core/memory/memory.h"
#include "core/plugin/plugin.h"

/* Where something stands in the files. */
struct config_source {
    const char *file; /* as it was named on the command line, or found by include() */
    unsigned line;    /* from 1; 0: nowhere, it is a default */
};

/* One property of an instance. */
struct config_value {
    struct config_source src; /* of the value; src.line is 0 when it is the default */
    uint32_t n_items;         /* 0: neither set nor defaulted; without BP_P_LIST 1 at most */
    struct bp_value *items;   /* each complete by itself: type, i, s, n = 1 */
};

struct config_iothread {
    char *id;
    struct config_source src;
    gboolean has_affinity;
    cpu_set_t affinity;
    unsigned poll_us;
};

/* A section whose name is a plugin, or the back end that a short form ("file:disk.img") made. */
struct config_instance {
    char *id;
    const struct plugin_class *cls;
    struct config_source src;
    char *where;                            /* `file:line: section id`, for messages */
    struct config_value *values;            /* cls->c.n_props of them, in the table's order */
    const struct config_iothread *iothread; /* NULL: the main loop */
    const struct config_instance *owner;    /* not NULL: anonymous, made by a link of this one */
    const char *owner_prop;                 /* that link's property */
    void *user;                             /* for the machine; NULL at first */
};

enum config_on_reboot {
    CONFIG_REBOOT, /* the guest's reboot reboots it */
    CONFIG_EXIT,   /* ... ends the program with status 0 */
};

struct config_machine {
    struct config_source src; /* line 0: there is no such section */
    unsigned cpus;            /* 1 ... 255 */
    uint64_t memory_bytes;    /* a multiple of 4 KiB */
    enum config_on_reboot on_reboot;
    enum memory_backing backing;
    char *hugetlb_path;      /* "hugetlb:/dev/hugepages": absolute; NULL: none */
    uint64_t huge_page_size; /* "hugetlb:1G"; 0: the host's default */
    unsigned n_affinity;     /* 0: anywhere; 1: for all vCPUs; otherwise cpus entries */
    cpu_set_t *affinity;
    int sched_policy; /* SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_FIFO, SCHED_RR */
    int sched_priority;
};

struct config_module {
    char *path;
    char *string; /* what follows the path in the entry, or NULL */
};

struct config_boot {
    struct config_source src; /* line 0: there is no such section */
    /* Absolute paths of files that could be opened when the config was read, or NULL. */
    char *kernel, *initrd, *firmware;
    char *cmdline;
    unsigned n_modules;
    struct config_module *modules;
    struct config_source kernel_src, initrd_src, firmware_src; /* for messages */
};

struct config {
    char *file; /* as given to config_read() */
    struct config_machine machine;
    struct config_boot boot;
    unsigned n_iothreads;
    struct config_iothread **iothreads;
    unsigned n_instances;
    struct config_instance **instances; /* order of the files; anonymous ones after their owners */
    char **warnings;                    /* NULL-ended, whole lines: deprecated properties */
    struct config_private *priv;
};

/*
 * Reads path and what it includes, and finds out what the sections of the core say: machine, boot
 * and iothreads are there then, instances are not. An include is looked for beside the file that
 * includes it, then in the data folder (BACKPLANE_DATA_DIR, then the compiled-in one).
 */
struct config *config_read(const char *path, GError **error) __attribute__((warn_unused_result));
/*
 * Opens the plugins that the file names with the set, which must outlive the config, and finds out
 * what the sections of devices say. Once; after a failure the config can only be freed.
 */
gboolean config_resolve(struct config *config, struct plugin_set *plugins, GError **error)
    __attribute__((warn_unused_result));
/* Both of them. */
struct config *config_load(const char *path, struct plugin_set *plugins, GError **error)
    __attribute__((warn_unused_result));
void config_free(struct config *config); /* NULL is fine */

/* NULL when there is none. */
struct config_instance *config_instance(const struct config *config, const char *id);
/* The value of a property; NULL for a name that is not in the class's table. */
const struct config_value *config_instance_value(const struct config_instance *inst,
                                                 const char *prop);

/*
 * The whole machine as text that config_load() takes: includes resolved, defaults written out, what
 * short forms made as sections of their own, BP_P_SECRET values left out. g_free() it.
 */
char *config_print(const struct config *config);

/*
 * Sets a GError about an instance: `file:line: section id: TEXT`. With prop, the line is the one of
 * that property's value when the file has one. code: enum core_error.
 */
void config_instance_error(GError **error, int code, const struct config_instance *inst,
                           const char *prop, const char *fmt, ...) G_GNUC_PRINTF(5, 6);

#endif
