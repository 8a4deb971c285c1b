/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostile.h - drivers that break the rules, one case for each MUST (VIRTIO 1.2, sections as given).
 *
 * Every case runs on every transport and on hosts that map guest memory whole, in windows and not
 * at all, in a process of its own with a time limit. It has one of three ends, and after each the
 * driver resets the device and proves that it serves again:
 *   SERVED       the device did what was asked, for the rule binds only the driver
 *   IGNORED      nothing happened
 *   NEEDS_RESET  the device said so, with a configuration interrupt if DRIVER_OK was set
 */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include <backplane/test.h>
#include <backplane/virtio.h>

#include "virtio-toy.h"

#define F_INDIRECT (UINT64_C(1) << BP_VIRTIO_F_INDIRECT_DESC)
#define F_EVENT    (UINT64_C(1) << BP_VIRTIO_F_EVENT_IDX)
#define F_VERSION  (UINT64_C(1) << BP_VIRTIO_F_VERSION_1)

enum verdict {
    SERVED,
    IGNORED,
    NEEDS_RESET,
    ANY_END, /* any of the three, for garbage */
};

enum {
    ON_MMIO = 1,
    ON_PCI = 2,
    NO_SETUP = 4,  /* the case does its own negotiation */
    NO_ENABLE = 8, /* negotiated up to FEATURES_OK, x->q made but not enabled */
    BIG_RAM = 16,  /* 9 GiB of RAM above 4 GiB */
};

/* The device under attack. */
struct target {
    const char *name;
    uint32_t device_id;
    uint32_t queue;                      /* that takes chains */
    const char *plugin;                  /* NULL: the toy */
    const char *props;                   /* without the transport */
    uint64_t features;                   /* to be accepted besides the case's own */
    uint32_t n_queues;                   /* to be set up */
    int (*before)(struct bpt_machine *); /* makes back ends; 0 or BP_E_* */
    int (*works)(struct bpt_virtio *);   /* 1: one request is served as it should be */
};

struct attack {
    const struct target *target;
    struct bpt_machine *m;
    struct bpt_virtio *v;
    struct bpt_vq *q;
    struct toy *toy; /* NULL for another target */
    uint64_t buf;    /* 64 KiB of RAM to play with */
    uint16_t used0;  /* used index before the attack */
    char why[200];   /* what went wrong beside the verdict */
};

struct hostile_case {
    const char *name; /* what the driver does, and the section that forbids it */
    enum verdict want;
    void (*run)(struct attack *);
    uint64_t features;
    int flags;
};

#define CASE(NAME, WANT, RUN, ...)                                                                 \
    {                                                                                              \
        .name = NAME, .want = WANT, .run = RUN, ##__VA_ARGS__                                      \
    }
#define IND .features = F_INDIRECT

extern const struct target toy_target;

/* One TAP line a case. */
void hostile_run(const struct target *, const struct hostile_case *, unsigned n);
/* Prints the plan; main()'s status. */
int hostile_end(void);

/* Notes a failure of the case that its verdict would not show. */
__attribute__((format(printf, 3, 4))) void expect(struct attack *, int good, const char *fmt, ...);

/* Raw tools. fill_desc() writes a descriptor; offer() publishes a head and kicks, whatever the
 * device asked for, and lets it work. */
void fill_desc(struct attack *, uint32_t i, uint64_t addr, uint32_t len, uint16_t flags,
               uint16_t next);
void offer(struct attack *, uint16_t head);
void kick(struct attack *);
/* A good chain: 16 bytes out, 16 in. Its head. */
uint16_t good_chain(struct attack *, uint32_t first);

/* Random numbers with a fixed seed. */
uint32_t rnd(void);

extern const struct hostile_case ring_cases[], chain_cases[];         /* for any device */
extern const struct hostile_case toy_ring_cases[], toy_chain_cases[]; /* for the toy */
extern const unsigned n_ring_cases, n_chain_cases, n_toy_ring_cases, n_toy_chain_cases;
extern const struct hostile_case register_cases[], flight_cases[];
extern const unsigned n_register_cases, n_flight_cases;

#endif
