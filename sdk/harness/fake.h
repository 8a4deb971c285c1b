/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake.h - what the files of libbackplane-test share: the machine, its instances and the objects
 * that ids name.
 *
 * One mutex a machine guards what [any] functions touch; it is never held over a call into a
 * plugin. Everything else belongs to the thread that made the machine.
 */
#ifndef HARNESS_FAKE_H
#define HARNESS_FAKE_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <backplane/test.h>

#define HIGH_BASE (UINT64_C(1) << 32)
#define PAGE      4096u

/* What shadow() of bp.machine/1 switches. */
#define SHADOW_BASE  UINT64_C(0xc0000)
#define SHADOW_END   UINT64_C(0x100000)
#define SHADOW_PIECE UINT64_C(0x4000)

struct inst;

/* ---- Objects that a plugin holds ids of ---- */

enum obj_kind {
    OBJ_REGION = 1,
    OBJ_LINE = 2,
    OBJ_MSG = 4,
    OBJ_TIMER = 8,
    OBJ_WATCH = 16,
    OBJ_SOFT = 32,
    OBJ_DOORBELL = 64,
    OBJ_RAM = 128,
    OBJ_POLLER = 256,
};
#define OBJ_EVENTS (OBJ_TIMER | OBJ_WATCH | OBJ_SOFT | OBJ_DOORBELL | OBJ_POLLER)

struct obj {
    enum obj_kind kind;
    struct inst *owner;
    uint64_t id;
    char *name;
    int closed;
    /* events */
    uint32_t cookie;
    uint64_t pending; /* 0, or its place in the order of delivery */
    union {
        struct {
            struct bp_region_desc desc;
            uint64_t base; /* BP_IO_NOWHERE */
        } region;
        struct {
            uint32_t gsi, flags;
            int level, fd_level;
            int trigger, resample; /* our ends of as_fd(), or -1 */
        } line;
        struct {
            uint64_t addr;
            uint32_t data, masked, pending;
            int trigger;
        } msg;
        struct {
            uint32_t clock;
            int64_t deadline;
        } timer;
        struct {
            int fd;
            uint32_t mask;
        } watch;
        struct {
            int (*poll)(void *arg, uint32_t how);
            void *arg;
        } poller;
        struct {
            struct obj *region;
            uint64_t off;
            uint32_t width;
            int64_t match;
            int fd;    /* made when somebody wants it, else -1 */
            int taken; /* rings go there */
        } bell;
        struct {
            uint64_t len, gpa;
            uint32_t flags;
            uint8_t *p, *dirty;
            int alias; /* p is another's */
        } ram;
    };
};

/* ---- Instances ---- */

enum stage {
    ST_CREATED,
    ST_REALIZED,
    ST_RUNNING,
    ST_QUIESCED,
    ST_DESTROYED,
};

/* What the thread is doing inside an instance. */
enum phase {
    PH_RUN, /* [ctx] */
    PH_CREATE,
    PH_REALIZE, /* and load() */
};

struct prop_value {
    char *key;
    struct bp_value *items; /* n of them; strings are ours */
    uint32_t n, type, flags;
    const char *iface; /* LINK */
};

struct inst {
    struct bpt_machine *m;
    bp_inst handle;
    char *id;
    struct bp_class cls; /* a full-size copy */
    void *self;
    enum stage stage;
    int starting;       /* start() said BP_E_AGAIN: events, but nothing else, as if it ran */
    struct inst *group; /* whose context it runs on: itself or the device that owns it */
    struct bp_host host;
    struct prop_value *props;
    uint32_t n_props;
    struct inst **peers; /* whom it has linked */
    uint32_t n_peers;
    int taken;   /* a device has linked it */
    int visited; /* sorting */
    unsigned maps;
    /* bpt_provide() */
    char *iface;
    const void *table;
};

/* ---- The machine ---- */

struct map_window {
    uint64_t cookie, gpa, len;
    struct inst *owner;
    void *base; /* of a mapping of its own, NULL when it points into RAM */
    uint64_t base_len;
};

struct sent_msg {
    uint64_t addr;
    uint32_t data;
};

struct service {
    const char *iface;
    const void *table;
    void *cut, *cut_area; /* a shorter copy, and the pages that it is in */
    uint32_t size, cut_size;
    int hidden;
};

#define N_SERVICES 6

struct bpt_machine {
    uint64_t serial;
    pthread_t thread;
    pthread_mutex_t lock;
    uint64_t host_flags;
    unsigned slot;
    uint32_t host_size; /* of a truncated bp_host, or 0 */
    struct bp_machine_info info;
    struct service services[N_SERVICES];

    /* RAM: a memfd, low then high, mapped between pages that fault */
    int ram_fd;
    uint32_t dirty_wanted;
    uint8_t *ram_area;
    uint64_t ram_area_len;
    uint8_t *ram_low_p, *ram_high_p;
    uint64_t alloc_next;
    uint8_t *dirty; /* one byte a page of the memfd */
    uint64_t window;
    struct map_window *maps;
    uint64_t map_cookie;

    struct inst **insts;
    struct inst **order; /* realized, in that order */
    struct obj **objs;
    unsigned n_maps, n_insts, n_order, n_objs;
    int running;

    /* events */
    uint64_t seq;
    int64_t now, vnow, real_off;
    int64_t host_then;
    int clock_runs, wake_fd;

    struct sent_msg *sent;
    uint64_t n_sent, sent_taken;
    uint64_t *gsi_counts;
    uint32_t n_gsis;

    /* bp.machine/1 */
    uint32_t request, request_arg;
    struct inst *shadow_owner;
    uint8_t shadow[(SHADOW_END - SHADOW_BASE) / SHADOW_PIECE];
    struct {
        char *key;
        uint64_t value;
    } * published;
    unsigned n_published;
    struct {
        uint64_t base, len;
        uint32_t type;
    } * reserved;
    unsigned n_reserved;
    uint64_t claim_next; /* claim() hands out from the top of the window down */
    uint64_t auto_next;  /* BP_IO_AUTO for MMIO, upwards from BPT_RAM_LOW_MAX */

    /* what was said */
    char *error;
    struct {
        uint32_t level;
        char *text;
    } * logs;
    unsigned n_logs;
    char **problems;
    unsigned n_problems;

    /* injection */
    char *inject_id; /* NULL: any instance */
    uint64_t inject_left;
    uint64_t inject_state_left;
    int inject_err, injected;

    struct bpt_virtio *drivers;
};

extern const struct bp_mem_if fake_mem;
extern const struct bp_io_if fake_io;
extern const struct bp_irq_if fake_irq;
extern const struct bp_event_if fake_event;
extern const struct bp_ram_if fake_ram;
extern const struct bp_machine_if fake_machine;
extern const struct bp_host fake_host;

/* ---- util.c: memory that is always there, and text ---- */
void *xcalloc(size_t n, size_t size);
void *xgrow(void *p, size_t n, size_t size);
char *xstrdup(const char *);
__attribute__((format(printf, 1, 2))) char *xprintf(const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void problem(struct bpt_machine *, const char *fmt, ...);
/* Sets bpt_error(); id may be NULL. Returns err. */
__attribute__((format(printf, 4, 5))) int error_set(struct bpt_machine *, const char *id, int err,
                                                    const char *fmt, ...);
void error_clear(struct bpt_machine *);
void fake_log(bp_inst, uint32_t level, const char *msg);

/* ---- context.c: handles, contexts, injected failures ---- */
unsigned machine_register(struct bpt_machine *);
void machine_forget(struct bpt_machine *);
/* NULL for a handle that is not (any more) an instance's. */
struct inst *inst_of(bp_inst);
struct inst *inst_by_id(struct bpt_machine *, const char *id);
struct obj *obj_new(struct inst *, enum obj_kind, const char *name);
/* NULL unless it is the instance's own, of one of the kinds and not closed. Locked or [ctx]. */
struct obj *obj_of(struct inst *, uint64_t id, unsigned kinds);
struct obj *obj_named(struct inst *, unsigned kinds, const char *name);
void obj_close(struct obj *);
void obj_free(struct obj *);

struct ctx {
    struct ctx *up;
    struct inst *inst;
    enum phase phase;
};
void ctx_enter(struct ctx *, struct inst *, enum phase);
void ctx_leave(struct ctx *);
int ctx_in_realize(struct bpt_machine *);
int ctx_in_create(struct inst *);

/*
 * The head of each host call: finds the instance, checks the thread and context against the call's
 * tag, and fails on demand. 0, or the error to return.
 */
enum tag {
    TAG_ANY,
    TAG_CTX,
    TAG_REALIZE,
};
int host_call(bp_inst, enum tag, const char *what, struct inst **ret_inst);
/* The error that bpt_inject_state() wants this call to fail with, or 0. */
int inject_state(struct bpt_machine *);

/* ---- props.c ---- */
int props_parse(struct inst *, const char *text, const char *const *list);
void props_free(struct inst *);
int prop_parse_one(struct inst *, const struct bp_prop *, const char *text, struct bp_value *);
int class_prop(const struct bp_class *, const char *name, struct bp_prop *ret_prop);
struct prop_value *prop_find(struct inst *, const char *name);

/* ---- the rest ---- */
int load_class(struct bpt_machine *, const char *name, struct bp_class *ret_class);
int links_expand(struct bpt_machine *);
struct inst *link_target(struct inst *, const char *id_text);
int inst_provides(struct inst *, const char *iface);
const void *inst_table(struct inst *, const char *iface, uint32_t min_size);
void maps_drop(struct inst *, const char *when);
void ram_init(struct bpt_machine *, uint64_t low, uint64_t high);
void ram_fini(struct bpt_machine *);
int ram_overlaps(struct bpt_machine *, uint64_t base, uint64_t len);
void irq_drain(struct bpt_machine *);
void clock_sync(struct bpt_machine *);
void event_pend(struct obj *);
void wake(struct bpt_machine *);
/* A guest's or a bus's access; returns 0 when nothing claims it. */
struct obj *region_at(struct bpt_machine *, uint32_t kind, uint64_t base, uint64_t len,
                      const struct obj *but);
int space_access(struct bpt_machine *, uint32_t kind, uint64_t addr, uint32_t width, int write,
                 uint64_t *val);
struct obj *ram_at(struct bpt_machine *, uint64_t gpa, uint64_t len);
void drivers_free(struct bpt_machine *);

static inline void
lock(struct bpt_machine *m)
{
    pthread_mutex_lock(&m->lock);
}

static inline void
unlock(struct bpt_machine *m)
{
    pthread_mutex_unlock(&m->lock);
}

static inline uint64_t
width_mask(uint32_t width)
{
    return width >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * width)) - 1;
}

#endif
