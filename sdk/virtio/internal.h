/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * internal.h - what the files of libbackplane-virtio share.
 *
 *   pci.c, mmio.c   a transport: registers and interrupts
 *     device.c      status, features, reset, life cycle: what both transports mean
 *       virtq.c     rings; the only file with memory barriers
 *         chain.c   descriptors to iovecs
 *           window.c  guest addresses to ours
 *     state.c       save and load
 *     vhost.c       a queue in somebody else's hands
 *
 * Section numbers are those of VIRTIO 1.2.
 */
#ifndef VIRTIO_INTERNAL_H
#define VIRTIO_INTERNAL_H

#include <endian.h>
#include <stdint.h>

#include <backplane/virtio.h>

#define must_use    __attribute__((warn_unused_result))
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* 2.1 Device Status Field */
enum {
    STATUS_ACKNOWLEDGE = 1,
    STATUS_DRIVER = 2,
    STATUS_DRIVER_OK = 4,
    STATUS_FEATURES_OK = 8,
    STATUS_NEEDS_RESET = 64,
    STATUS_FAILED = 128,
    /*
     * Shown while a reset waits for requests in flight. The field has to read non-zero until then
     * (2.4.1), and this bit has no other meaning: a driver that waits for zero waits, one that does
     * not wait and writes back what it read does no harm.
     */
    STATUS_RESETTING = 32,
};
#define STATUS_DRIVERS                                                                             \
    (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK | STATUS_FAILED)

/* ISR and InterruptStatus bits */
enum {
    ISR_QUEUE = 1,
    ISR_CONFIG = 2,
};

#define NO_VECTOR 0xffffu

#define F_BIT(n) (UINT64_C(1) << (n))
#define F_OURS                                                                                     \
    (F_BIT(BP_VIRTIO_F_INDIRECT_DESC) | F_BIT(BP_VIRTIO_F_EVENT_IDX) | F_BIT(BP_VIRTIO_F_VERSION_1))

/* Cookies, counted from BP_VIRTIO_COOKIE. */
enum {
    COOKIE_BELL = 0,      /* + queue index: its doorbell */
    COOKIE_CALL = 0x1000, /* + queue index: what took the queue over wants the driver interrupted */
};

/* Windows into guest memory that are kept open. A host that maps RAM whole needs one for each piece
 * of it: two, or three with a hole below 1 MiB. */
#define N_WINDOWS 16
#define PAGE      4096u
/* Bytes of copies in flight, at most, on a host that does not map what a chain lies in. */
#define BOUNCE_MAX (UINT64_C(64) << 20)

struct window {
    uint64_t gpa, len; /* len 0: unused */
    uint8_t *p;
    struct bp_map map;
};

/* A buffer that stands for guest memory which cannot be reached by pointer. */
struct bounce {
    struct bounce *next;
    uint64_t gpa, len;
    int in; /* device-writable: goes back to the guest */
    uint8_t data[];
};

/* One of the three parts of a queue. p is NULL while it can only be reached by read and write. */
struct ring {
    uint8_t *p;
    uint64_t gpa;
    uint32_t len;
    struct bp_map map;
};

struct bp_virtq {
    /* What pop and push touch */
    uint32_t live; /* may be popped: ready, running, not broken */
    uint32_t fast; /* live, the rings are mapped, and no chain ever needed a copy */
    uint16_t mask;
    uint16_t last_avail; /* next entry of the available ring to look at */
    uint16_t avail_seen; /* its index as last read */
    uint16_t used_next;  /* next entry of the used ring to fill */
    uint16_t used_shown; /* its index as the driver sees it */
    uint16_t num;
    uint8_t event_idx, indirect;
    uint8_t quiet;      /* the driver was asked not to notify (without EVENT_IDX) */
    uint8_t force;      /* interrupt at the next flush whatever the driver asked for */
    uint8_t polled;     /* somebody looks at it: the driver need not notify */
    uint8_t pollable;   /* the device takes all there is whenever it is notified */
    uint16_t poll_seen; /* the available index that the device was last notified of by polling */
    uint32_t generation;
    uint8_t *desc_p, *avail_p, *used_p; /* the rings' p */
    uint32_t *popped;                   /* by head: generation of the chain in flight, or 0 */
    struct bp_virtio *dev;

    uint32_t index;
    struct bounce **bounces; /* by head; made when first needed */
    struct ring desc, avail, used;

    /* What the driver set up; num_wanted 0: not a size that is allowed */
    uint16_t num_max, num_wanted, vector;
    uint8_t enabled, handed;
    uint64_t desc_gpa, avail_gpa, used_gpa;
    bp_event bell;
    int has_bell;

    /* vhost.c */
    int kick_fd, call_fd;
    int bell_taken; /* kick_fd is the doorbell's own */
    bp_event call_watch;
};

struct transport {
    /* Tells the driver; both may come on any callback of the device's. */
    void (*queue_irq)(struct bp_virtio *, struct bp_virtq *);
    void (*config_irq)(struct bp_virtio *);
    /* Its own registers to the state after reset. */
    void (*reset)(struct bp_virtio *);
    /* The interrupt of a queue as a descriptor; BP_E_NOTSUP when it has to go through queue_irq. */
    int (*queue_fd)(struct bp_virtio *, struct bp_virtq *, int *ret_fd) must_use;
    /* After a load: interrupt lines as they were. */
    void (*loaded)(struct bp_virtio *, int pin);
    void (*free)(struct bp_virtio *);
};

struct pci_side {
    struct bp_link bus;
    const struct bp_pci_bus_if *bus_if;
    uint32_t fn;
    bp_region regs, window;
    bp_irq *vectors;
    uint32_t n_vectors;                 /* 0: no MSI-X */
    uint32_t cfg_bar, cfg_off, cfg_len; /* the PCI_CFG capability */
    int intx;
};

struct mmio_side {
    bp_region regs;
    bp_irq line;
};

struct bp_virtio {
    /* What a request touches */
    uint64_t hot_gpa, hot_len; /* the window that was hit last */
    uint8_t *hot_p;
    const uint32_t *dirty_wanted; /* not 0 there: somebody keeps a dirty log */
    void (*dirty)(bp_inst, uint64_t gpa, uint64_t len);
    bp_inst inst;
    uint32_t n_popped; /* chains in flight, all queues */
    int windows_full;  /* another window was wanted and there was no room */
    const struct transport *transport;
    const struct bp_mem_if *mem;

    struct window windows[N_WINDOWS];

    const struct bp_host *host;
    const struct bp_io_if *io;
    const struct bp_irq_if *irq;
    const struct bp_event_if *ev;
    struct bp_virtio_ops ops;
    struct bp_virtio_desc desc;
    char acpi_name[3];
    void *self;
    struct bp_virtq *queues;
    uint64_t bounced; /* bytes in bounce buffers */

    /* Registers that both transports have */
    uint32_t status;
    uint64_t features_offered, features_driver, features;
    uint32_t offered_sel, driver_sel;
    int bad_features; /* a bit beyond 63 was accepted */
    uint32_t queue_sel;
    uint32_t config_gen;
    uint32_t isr;
    uint16_t config_vector;

    int running;     /* between start() and quiesce() */
    int resetting;   /* ops->reset said that requests are in flight */
    int was_ready;   /* ops->ready was called since the last reset */
    int no_maps;     /* the host answered that it never maps */
    bp_event poller; /* 0: none */

    struct pci_side pci;
    struct mmio_side mmio;
};

/* ---- device.c ---- */
void virtio_reset_registers(struct bp_virtio *);
void virtio_write_status(struct bp_virtio *, uint32_t val);
uint32_t virtio_read_status(const struct bp_virtio *);
uint32_t virtio_offered(const struct bp_virtio *);
void virtio_accept(struct bp_virtio *, uint32_t val);
void virtio_config_read(struct bp_virtio *, uint64_t off, void *buf, uint32_t len);
void virtio_config_write(struct bp_virtio *, uint64_t off, const void *buf, uint32_t len);
/* The queue that queue_sel names, or NULL. */
struct bp_virtq *virtio_selected(struct bp_virtio *);
void virtio_ring_bell(struct bp_virtio *, uint32_t index);
/* Rule of 2.4.1 and 4.x: a queue may be enabled once; what it was given is tried when it has to
 * run. */
void virtio_queue_enable(struct bp_virtq *, int on);
void virtio_guest_log(struct bp_virtio *, const char *text);

/* ---- virtq.c ---- */
void virtq_init(struct bp_virtq *);
/* Size as the driver wrote it. */
void virtq_set_num(struct bp_virtq *, uint32_t num);
/* Opens the rings as set up. On failure the queue stays shut and *ret_why says what is wrong. */
int virtq_open(struct bp_virtq *, const char **ret_why) must_use;
void virtq_shut(struct bp_virtq *);
/* To the state after reset; chains in flight become void. */
void virtq_reset(struct bp_virtq *);
/* Chains in flight are forgotten: the device has none of them any more. */
void virtq_forget(struct bp_virtq *);
/* 1: something is available. Asks for no notification. */
int virtq_pending(struct bp_virtq *);
/* For a poller, with BP_POLL_*. 1: something is there that the device has not seen. */
int virtq_poll(struct bp_virtq *, uint32_t how);
void virtq_read_used_index(struct bp_virtq *);

/* Chains of that queue that are in flight. */
uint32_t virtq_popped(const struct bp_virtq *);

/* ---- chain.c; chain.h has the short way ---- */
/* 0, or BP_E_* with *ret_why saying what the driver did wrong. */
int chain_walk(struct bp_virtq *, uint16_t head, struct bp_virtq_chain *,
               const char **ret_why) must_use;

/* ---- window.c ---- */
/* The window that gpa is in, opened if need be; NULL when it cannot be reached by pointer.
 * *ret_err: BP_E_FAULT when it is no RAM. */
struct window *window_at(struct bp_virtio *, uint64_t gpa, int *ret_err);
void windows_close(struct bp_virtio *);
/* A copy of guest memory, kept until the chain of that head is pushed. */
void *bounce_new(struct bp_virtq *, uint16_t head, uint64_t gpa, uint64_t len, int in,
                 int *ret_err);
/* write: what the device may have written goes to the guest first. */
void bounces_end(struct bp_virtq *, uint16_t head, int write);
/* Says to the host that the chain's device-writable part was written. */
void chain_dirty(struct bp_virtio *, const struct bp_virtq_chain *);

/* ---- vhost.c ---- */
void virtq_relay_kick(struct bp_virtq *);
void virtq_relay_call(struct bp_virtq *);
void virtq_hand_end(struct bp_virtq *);

/* ---- pci.c, mmio.c ---- */
int virtio_pci_new(struct bp_virtio *, const struct bp_link *bus, int64_t slot) must_use;
int virtio_mmio_new(struct bp_virtio *) must_use;
/* The doorbell of each queue at off + index * step; without the host's help the register works. */
int virtio_make_bells(struct bp_virtio *, bp_region, uint64_t off, uint32_t step, uint32_t width,
                      int matched) must_use;

/* Little-endian bytes of a register or configuration field. */
static inline uint64_t
bytes_get(const uint8_t *p, uint32_t width)
{
    uint64_t v = 0;

    for (uint32_t i = 0; i < width; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static inline void
bytes_put(uint8_t *p, uint64_t val, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++)
        p[i] = (uint8_t)(val >> 8 * i);
}

#endif
