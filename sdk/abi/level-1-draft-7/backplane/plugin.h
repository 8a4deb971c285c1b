/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/plugin.h - what a plugin gives to the core: classes, and the macro that exports them.
 *
 * Life of an instance; every arrow is a call of the core into the plugin:
 *
 *   create -> realize -> start <-> quiesce -> destroy
 *                          ^          |
 *                          |  reset / save / load (only while quiesced)
 *
 * Providers are realized and started before those that need them, and stopped in reverse order.
 * A failure of create() or realize() is followed by destroy() of what was created (create() that
 * fails must free what it made itself). `backplane check` goes as far as realize().
 *
 * Threads of a plugin's own may exist from start() until quiesce() returned 0, and call [any]
 * functions only. Callbacks must not block: a vCPU may be waiting. Nothing may fork, or change
 * signal masks, the working folder, locale or umask. A plugin is never unloaded once create() was
 * called, and has no constructors, destructors or atexit handlers.
 */
#ifndef BACKPLANE_PLUGIN_H
#define BACKPLANE_PLUGIN_H

#include <backplane/base.h>
#include <backplane/host.h>
#include <backplane/props.h>
#include <backplane/state.h>

/* bp_class.flags. Of flags to come, those in bits 16 to 31 are critical: a core that does not know
 * one refuses the class. Others that it does not know it ignores. */
enum {
    BP_C_PARALLEL = 1,    /* region ops and event() may run at once on several threads */
    BP_C_INPROC_ONLY = 2, /* cannot live in a process of its own */
    BP_C_REPLACEABLE = 4, /* save, create anew, load works under a running guest */
    BP_C_SHARED = 8,      /* several instances may link to one of these (a bus, not a back end) */
};

/* reset() kinds */
enum {
    BP_RESET_COLD = 1000, /* power-on state; guest RAM is lost too */
};

struct bp_class {
    uint32_t size, flags;
    const char *name; /* the config section; [a-z0-9-], at most 51 bytes */
    const char *version;
    const char *summary; /* one line */
    const struct bp_prop *props;
    uint32_t n_props;
    uint32_t prop_size;          /* sizeof(struct bp_prop) as the plugin was compiled: the stride */
    const char *const *provides; /* NULL-ended: "bp.block/1" */
    const char *const *needs;    /* NULL-ended: "bp.pci-bus/1", or "?bp.acpi/1" when optional */
    uint32_t state_ver, state_min; /* the state version it saves, the oldest it loads; 0 = none */

    /* Mandatory. Allocates; reads properties; touches nothing else. */
    int (*create)(const struct bp_host *, bp_inst, void **ret_self);
    /* Makes regions, interrupts, events, all by name; opens files; links. Optional. */
    int (*realize)(void *self);
    /*
     * The machine is about to run (again): own threads and guest mappings from here. BP_E_AGAIN:
     * not yet, e.g. a peer is waited for; the core delivers events and calls again, and the
     * instance counts as not started until it returns 0. Optional.
     */
    int (*start)(void *self);
    /*
     * Stop: no thread, no mapping of guest memory and no I/O is left when it returns 0.
     * BP_E_AGAIN: not yet; the core keeps delivering events and calls again. Optional.
     */
    int (*quiesce)(void *self);
    /* To the power-on state; while quiesced. Optional. */
    void (*reset)(void *self, uint32_t kind);
    /* A timer, watch, doorbell or soft event of the instance's fired. mask: BP_EV_*. */
    void (*event)(void *self, uint32_t cookie, uint32_t mask);
    int (*save)(void *self, const struct bp_writer *);
    int (*load)(void *self, const struct bp_reader *);
    /* The table behind one of provides, at least min_size long, or NULL. */
    const void *(*query)(void *self, const char *iface, uint32_t min_size);
    /* Changes a RUNTIME property. */
    int (*set)(void *self, const char *prop, const struct bp_value *);
    /* Frees everything; regions, interrupts and events of the instance are gone already. */
    void (*destroy)(void *self);
};

struct bp_plugin {
    uint32_t size, abi_major, api_level, api_need;
    const char *name, *version, *license, *origin;
    const struct bp_class *const *classes;
    uint64_t n_classes;
};

/* What the core says of itself when it asks for the plugin's descriptor. */
struct bp_hello {
    uint32_t size, api_min, api_level, flags;
    const char *core_version;
};

/* The ELF note: section .note.bp, owner "BP", type 1. Read before the file is opened as code. */
#define BP_NOTE_OWNER   "BP"
#define BP_NOTE_TYPE    1
#define BP_NOTE_ID_SIZE 52
struct bp_note {
    uint32_t namesz, descsz, type;
    char owner[4];
    uint32_t abi_major, api_level, api_need;
    char id[BP_NOTE_ID_SIZE];
};
#define BP_ENTRY "bp_plugin_v1"

BP_BEGIN_DECLS
/* The plugin's one exported symbol. NULL when the levels do not fit. [any] */
BP_EXPORT const struct bp_plugin *bp_plugin_v1(const struct bp_hello *);
BP_END_DECLS

/*
 * BP_PLUGIN("isa-scratch", "1.0", "BSD-3-Clause", "https://example.org", &class, ...) defines the
 * note and the entry. ID is the file's name without .so.
 */
#define BP_PLUGIN(ID, VER, LIC, URL, ...)                                                          \
    __attribute__((section(".note.bp"), used,                                                      \
                   aligned(4))) static const struct bp_note bp_note_ = {3,                         \
                                                                        sizeof(struct bp_note) -   \
                                                                            16,                    \
                                                                        BP_NOTE_TYPE,              \
                                                                        BP_NOTE_OWNER,             \
                                                                        BP_ABI_MAJOR,              \
                                                                        BP_API_LEVEL,              \
                                                                        BP_API_NEED,               \
                                                                        ID};                       \
    static const struct bp_class *const bp_classes_[] = {__VA_ARGS__};                             \
    static const struct bp_plugin bp_plugin_ = {sizeof bp_plugin_,                                 \
                                                BP_ABI_MAJOR,                                      \
                                                BP_API_LEVEL,                                      \
                                                BP_API_NEED,                                       \
                                                ID,                                                \
                                                VER,                                               \
                                                LIC,                                               \
                                                URL,                                               \
                                                bp_classes_,                                       \
                                                sizeof bp_classes_ / sizeof *bp_classes_};         \
    const struct bp_plugin *bp_plugin_v1(const struct bp_hello *h)                                 \
    {                                                                                              \
        return h->api_min <= BP_API_LEVEL && BP_API_NEED <= h->api_level ? &bp_plugin_ : NULL;     \
    }                                                                                              \
    extern int bp_plugin_needs_a_semicolon_

#endif
