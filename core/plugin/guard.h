/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard.h - tells which plugin was at fault when the process dies inside one.
 *
 * A crash of a plugin in its entry, create() or realize() cannot be survived in one process, but it
 * must not be a silent "Segmentation fault" either. Between plugin_guard_enter() and
 * plugin_guard_leave() a fatal signal of this thread prints one line, `WHERE: plugin FILE crashed
 * in CALL: SIGNAL`, and ends the process with status 2 (CORE_ERROR_CONFIG). Outside of such a pair,
 * and on other threads, fatal signals do what they always did.
 *
 * The calls cost two stores; they nest (the previous guard is given back).
 */
#ifndef CORE_PLUGIN_GUARD_H
#define CORE_PLUGIN_GUARD_H

struct plugin_guard {
    const char *where; /* "vm.conf:7: block-file root"; NULL: as the guard around this one says */
    const char *file;  /* the plugin's */
    const char *call;  /* "create()" */
    const struct plugin_guard *outer;
};

/* Takes over SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT, on a stack of their own. Once, by main().
 */
void plugin_guard_install(void);

/* guard, its strings included, stays the caller's until plugin_guard_leave(). [any] */
void plugin_guard_enter(struct plugin_guard *guard);
void plugin_guard_leave(struct plugin_guard *guard);

#endif
