/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.h - what the files of backplane-check share.
 *
 * A test is a function that is run in a child process with a time limit, so that a plugin that
 * crashes, hangs or ends the process is one red test and nothing else. What it finds it says with
 * bad(); what it is about to do it notes with step(), which is shown when the child does not come
 * back. The parent never opens the plugin.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/test.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHECK_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CHECK_SANITIZED 1
#endif
#endif
#ifndef CHECK_SANITIZED
#define CHECK_SANITIZED 0
#endif

#define DUT "dut" /* the instance id of the device under test */

/* The options of the command line. */
struct options {
    char *file;       /* absolute */
    const char *name; /* as it was given, without folders */
    const char *class_name, *only, *skip;
    const char **set, **with, **cut; /* key=value; FILE[:key=value,...]; interface=bytes */
    unsigned n_set, n_with, n_cut;
    uint64_t seed;
    unsigned cycles, steps, timeout;
    int trace; /* --reproduce: print each access */
};

struct verdict;

struct check {
    const struct options *opt;
    struct verdict *verdict;
    /* for tests that opened the plugin */
    void *so;
    const struct bp_plugin *plugin;
    struct bp_class cls; /* a full-size copy of the class that this test is about */
    const struct bp_class *theirs;
};

/* ---- child.c ---- */
__attribute__((format(printf, 2, 3))) void bad(struct check *, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void note(struct check *, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void step(struct check *, const char *fmt, ...);
/* The rest of the test cannot be run here: why. Does not return. */
__attribute__((format(printf, 2, 3), noreturn)) void skip(struct check *, const char *fmt, ...);
int is_bad(const struct check *);
/* For code that is run outside of a test: a place for findings that nobody reads. */
struct verdict *check_verdict_new(void);

/* Runs test in a child; prints one TAP line with its diagnostics. Returns 1 when it was not ok. */
int run_test(struct check *, unsigned number, const char *name, const char *what,
             void (*test)(struct check *));

/* ---- elf.c: the file itself, none of it executed ---- */
void test_elf_object(struct check *);
void test_elf_exports(struct check *);
void test_elf_undefined(struct check *);
void test_elf_note(struct check *);
void test_elf_constructors(struct check *);
void test_elf_linking(struct check *);
void test_elf_forbidden(struct check *);

/* ---- table.c: the descriptor, its classes and their properties ---- */
/* Opens the plugin; the class is that of options.class_name, or the one of the file's name, or the
 * only one. Ends the test with bad() when that cannot be done. */
void plugin_open(struct check *);
void test_entry_levels(struct check *);
void test_entry_unload(struct check *);
void test_descriptor(struct check *);
void test_class(struct check *);
void test_props(struct check *);
void test_props_defaults(struct check *);
void test_props_refused(struct check *);
/* Names of the file's classes, for the parent: up to n of them. */
unsigned class_names(struct check *, char names[][BP_NOTE_ID_SIZE], unsigned n);

/* ---- rig.c: a fake machine with the device under test and what it needs ---- */
enum {
    RIG_BARE = 1,     /* nothing that the class needs only optionally */
    RIG_ALONE = 32,   /* none of its optional links */
    RIG_CHECK = 2,    /* BP_HOST_CHECK */
    RIG_NO_MAP = 4,   /* map() is always refused */
    RIG_WINDOWS = 8,  /* map() gives windows of a page */
    RIG_NOTHING = 16, /* not even what it needs */
};

struct rig {
    struct check *c;
    struct bpt_machine *m;
    struct peers *peers;
    unsigned flags;
    uint64_t random;
    struct bpt_virtio *driver;
    unsigned n_setups, n_queues;
    struct clients *clients;
};

/* What a process has open, to compare before and after. */
struct usage {
    long blocks;
    unsigned fds, threads;
    uint64_t mapped;
};

unsigned count_threads(void);
void usage_take(struct usage *);
/* Says what is left over; times: how often whatever leaks was done. */
int usage_grown(struct check *, const struct usage *before, unsigned times, const char *when);

void rig_open(struct rig *, struct check *, unsigned flags);
/* create(); 0 or BP_E_*. */
int rig_create(struct rig *);
int rig_create_as(struct rig *, const char *id);
int rig_realize(struct rig *);
int rig_start(struct rig *);
/* All three; ends the test with bad() when one fails. */
void rig_up(struct rig *);
/* Quiesce, destroy, problems, everything freed. */
void rig_down(struct rig *);
/* A guest that does at random what guests do, and what they should not. */
void rig_drive(struct rig *, unsigned steps);
const char *rig_error(struct rig *);
/* 0 or a negative number that a BP_E_ has. */
int plausible(int err);
uint64_t rig_random(struct rig *);
/* 1: the class can be run here; otherwise the test is skipped with the reason. */
void rig_need_up(struct check *, unsigned flags);

/* ---- peers.c: a bus, ACPI and back ends that do what they should ---- */
struct peers *peers_new(struct rig *);
void peers_free(struct peers *);
/* The id to link to for that interface, or NULL. */
const char *peers_id(struct peers *, const char *iface);
int peers_provide(struct peers *, const char *iface);
/* After realize: addresses for the messages. */
void peers_program(struct peers *);
/* The peers' own part in rig_drive(). */
void peers_poke(struct peers *);

/* ---- client.c: the device's side of what a back end provides ---- */
/* One random thing that a device does with the interfaces that the class provides. */
void clients_drive(struct rig *);
/* Nothing waits for the end of a batch any more. */
void clients_commit(struct rig *);
/* Requests that are not done. */
unsigned clients_busy(struct rig *);
void clients_detach(struct rig *);
void test_provides(struct check *);
void test_block(struct check *);
void test_char(struct check *);
void test_net(struct check *);

/* ---- count.c: the allocator, counted and made to fail ---- */
long count_live(void);
int count_works(void);
/* Allocations by the plugin and the libraries that are its own; 0 switches it off. */
void count_fail_at(unsigned nth);
int count_failed(void);
void count_watch(struct check *);

/* ---- life.c ---- */
void test_life_check_mode(struct check *);
void test_life_once(struct check *);
void test_life_many(struct check *);
void test_life_two(struct check *);
void test_life_reset(struct check *);
void test_life_quiesce(struct check *);

/* ---- host.c ---- */
void test_host_old(struct check *);
void test_host_short(struct check *);
void test_host_missing(struct check *);
void test_host_optional(struct check *);
void test_host_failing(struct check *);
void test_host_no_map(struct check *);
void test_host_windows(struct check *);
void test_no_memory(struct check *);

/* ---- state.c ---- */
void test_state_same(struct check *);
void test_state_roundtrip(struct check *);
void test_state_failing(struct check *);
void test_state_hostile(struct check *);
void test_state_missing(struct check *);
void test_state_fuzz(struct check *);

/* ---- fuzz.c ---- */
void test_fuzz_registers(struct check *);
void test_fuzz_bare(struct check *);
void test_fuzz_widths(struct check *);

#endif
