/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/virtio.h - libbackplane-virtio: virtqueues and the PCI and MMIO transports.
 *
 * The one place that parses descriptors. A virtio plugin describes its device (struct
 * bp_virtio_desc), gives the library its event() and life-cycle calls, and gets descriptor chains
 * as checked host iovecs. Specification: Virtual I/O Device (VIRTIO) Version 1.2.
 *
 * Whatever the driver writes into its rings, popping gives a chain that lies in guest memory, or
 * nothing: a violation marks the device DEVICE_NEEDS_RESET, tells the driver, and stops all queues
 * until the driver resets the device. Every popped chain is pushed exactly once by the device (or
 * dropped by the library when the device is reset: a chain of an older generation pushes to
 * nowhere).
 *
 * All functions are [ctx] unless tagged otherwise. Link with -lbackplane-virtio.
 */
#ifndef BACKPLANE_VIRTIO_H
#define BACKPLANE_VIRTIO_H

#include <backplane/backplane.h>

#define BP_VIRTIO_QUEUE_MAX 1024 /* descriptors of one queue, at most */
#define BP_VIRTIO_QUEUES    256  /* queues of one device, at most */

/* Feature bits that the library offers and handles by itself. */
#define BP_VIRTIO_F_INDIRECT_DESC 28
#define BP_VIRTIO_F_EVENT_IDX     29
#define BP_VIRTIO_F_VERSION_1     32

/* Cookies from here on belong to the library: hand such events to bp_virtio_event(). */
#define BP_VIRTIO_COOKIE 0xf0000000u

struct bp_virtio; /* a device's virtio side */
struct bp_virtq;  /* one virtqueue */

/*
 * A descriptor chain: first the buffers that the device reads, then those that it writes. The
 * iovecs point into guest memory and stay valid until the chain is pushed or the device is quiesced
 * or reset. Allocated by the device (with room for max_iov of bp_virtio_desc), filled by pop; leave
 * the iovec as it is until the push, which looks at it again. On hosts that map guest memory in
 * pieces one descriptor may take several entries.
 */
struct bp_virtq_chain {
    uint32_t size;
    uint32_t n_in, n_out;     /* out: device-readable; in: device-writable */
    uint32_t cap_iov;         /* room at iov, set by the device */
    struct bp_iovec *iov;     /* n_out entries, then n_in */
    uint64_t out_len, in_len; /* sums, each below 4 GiB */
    uint32_t generation;      /* the library's */
    uint16_t head, pad;
};

struct bp_virtio_ops {
    uint32_t size, flags;
    /* The driver accepted these features (a subset of the offered); BP_E_* refuses FEATURES_OK.
     * Requests of before a reset that is not over may still be in flight. Also called by
     * bp_virtio_load(). */
    int (*features)(void *self, uint64_t features);
    /* Device configuration: copy out, at most len bytes from off; what is not there reads zero. */
    void (*config_read)(void *self, uint32_t off, void *buf, uint32_t len);
    void (*config_write)(void *self, uint32_t off, const void *buf, uint32_t len);
    /* DRIVER_OK: queues may be popped from here on. After a load it comes from bp_virtio_start().
     * notify() follows for each queue that has something in it. */
    void (*ready)(void *self);
    /* The driver rang queue q, or the library found that there may be something in it. */
    void (*notify)(void *self, struct bp_virtq *q, uint32_t index);
    /*
     * The driver resets the device. Return 0 when no request is in flight any more, BP_E_AGAIN when
     * some are: then call bp_virtio_reset_done() later. Chains popped before are void: pushing them
     * is allowed and does nothing, their memory stays mapped until the reset is done.
     */
    int (*reset)(void *self);
};

struct bp_virtio_desc {
    uint32_t size;
    uint32_t device_id; /* 1 net, 2 block, 3 console, 4 entropy, ... */
    uint32_t pci_class; /* 24-bit class code for the PCI transport */
    uint32_t n_queues;
    const uint16_t *queue_size; /* n_queues entries, powers of two */
    uint64_t features;          /* the device's own; the library adds its three */
    uint32_t config_len;
    uint32_t max_iov; /* longest chain that the device can take, 0 = queue size; the device tells
                       * the driver in its configuration, pop goes by cap_iov */
    const struct bp_virtio_ops *ops;
    const char *acpi_name; /* two letters for the ACPI device name of the MMIO transport */
};

/* The two properties that every virtio class has: add BP_VIRTIO_PROPS to its table. */
#define BP_VIRTIO_PROPS                                                                            \
    {.size = sizeof(struct bp_prop),                                                               \
     .type = BP_ENUM,                                                                              \
     .name = "transport",                                                                          \
     .help = "how the driver finds it; auto takes PCI when the machine has a bus",                 \
     .def = "auto",                                                                                \
     .choices = bp_virtio_transports},                                                             \
    {                                                                                              \
        .size = sizeof(struct bp_prop), .type = BP_INT, .name = "slot",                            \
        .help = "PCI device number, -1 for the first free one", .def = "-1", .min = -1, .max = 31  \
    }
static const char *const bp_virtio_transports[]
    __attribute__((unused)) = {"auto", "pci", "mmio", NULL};
/* And the needs of every virtio class, to be put in its list. */
#define BP_VIRTIO_NEEDS                                                                            \
    BP_IF_IO, BP_IF_IRQ, BP_IF_MEM, BP_IF_EVENT, "?" BP_IF_PCI_BUS, "?" BP_IF_ACPI

BP_BEGIN_DECLS

/* In realize(): makes registers, doorbells and interrupts, and joins the bus. 0 or BP_E_* with a
 * text attached. The description is copied. [realize] */
BP_EXPORT int bp_virtio_new(const struct bp_host *host, bp_inst inst,
                            const struct bp_virtio_desc *desc, void *self,
                            struct bp_virtio **ret_vdev);
/* NULL is fine. */
BP_EXPORT void bp_virtio_free(struct bp_virtio *);

/* Handlers for the class to call from its own: */
/* from event() when cookie >= BP_VIRTIO_COOKIE */
BP_EXPORT void bp_virtio_event(struct bp_virtio *, uint32_t cookie, uint32_t mask);
/* from start(): queues are looked at again, so that nothing is lost over a stop; ready() and
 * notify() are called from here */
BP_EXPORT int bp_virtio_start(struct bp_virtio *);
/* from quiesce(): unmaps guest memory. BP_E_AGAIN while a popped chain is neither pushed nor
 * un-popped, or a reset is not done: return it from quiesce(). A queue that was handed over must be
 * taken back before. */
BP_EXPORT int bp_virtio_quiesce(struct bp_virtio *);
/* from reset(): power-on state, as if the driver had reset it */
BP_EXPORT void bp_virtio_cold_reset(struct bp_virtio *);
/* from save() and load(): section "virtio" and one "virtq.N" a queue. Load what features() needs
 * before. An error leaves a device that wants a reset. */
BP_EXPORT int bp_virtio_save(struct bp_virtio *, const struct bp_writer *);
BP_EXPORT int bp_virtio_load(struct bp_virtio *, const struct bp_reader *);

/* A reset that ops->reset answered with BP_E_AGAIN is finished. */
BP_EXPORT void bp_virtio_reset_done(struct bp_virtio *);
/* Configuration changed: new generation and a configuration interrupt. */
BP_EXPORT void bp_virtio_config_changed(struct bp_virtio *);
/* The device met something that it cannot go on from: NEEDS_RESET, told to the driver. */
BP_EXPORT void bp_virtio_broken(struct bp_virtio *, const char *why);
/* 1: DRIVER_OK is set and the device is neither broken nor being reset. */
BP_EXPORT int bp_virtio_live(const struct bp_virtio *);
/* What was negotiated; 0 before FEATURES_OK. */
BP_EXPORT uint64_t bp_virtio_features(const struct bp_virtio *);
BP_EXPORT struct bp_virtq *bp_virtio_queue(struct bp_virtio *, uint32_t index);

/*
 * The next available chain. 1: *chain is filled; 0: none (notifications are enabled again, so that
 * notify() follows when there is one); BP_E_*: the device is broken or not live. A chain that does
 * not fit in cap_iov breaks the device.
 */
BP_EXPORT int bp_virtq_pop(struct bp_virtq *, struct bp_virtq_chain *chain);
/* Un-pops the last popped chain (nothing of it was used), e.g. when its frame did not fit; several
 * in the reverse order of their pops. */
BP_EXPORT void bp_virtq_unpop(struct bp_virtq *, const struct bp_virtq_chain *chain);
/* Completes a chain: `written` bytes of its in part were filled. Nothing is seen by the driver
 * before bp_virtq_flush(). */
BP_EXPORT void bp_virtq_push(struct bp_virtq *, const struct bp_virtq_chain *chain,
                             uint32_t written);
/* Publishes what was pushed and interrupts the driver if it wants to be. */
BP_EXPORT void bp_virtq_flush(struct bp_virtq *);
/* While busy, keep the driver from notifying (a hint), or ask for it again; enabling returns 1 when
 * something is there already. */
BP_EXPORT int bp_virtq_want_notify(struct bp_virtq *, uint32_t on);
/*
 * The device pops this queue until it is empty, or the device full, whenever it is notified: the
 * context may look into the queue instead of waiting for the driver's doorbell
 * (bp_event_if.poller). 0 also where that cannot be had. [realize]
 */
BP_EXPORT int bp_virtq_pollable(struct bp_virtq *);
/* 1: the driver made it ready. */
BP_EXPORT int bp_virtq_enabled(const struct bp_virtq *);
BP_EXPORT uint32_t bp_virtq_index(const struct bp_virtq *);
/* Descriptors that the driver gave it. */
BP_EXPORT uint32_t bp_virtq_size(const struct bp_virtq *);

/* Guest addresses, size and interrupt of a ready queue, for a vhost back end to take it over. */
struct bp_virtq_layout {
    uint32_t size, num;
    uint64_t desc, avail, used; /* guest physical */
    uint16_t last_avail, pad;
    int kick_fd, call_fd; /* the caller's to close */
};
BP_EXPORT int bp_virtq_hand_over(struct bp_virtq *, struct bp_virtq_layout *ret_layout);
/* Takes it back; last_avail is what vhost reports. After a reset by the driver it only closes our
 * side: stop the back end in ops->reset. */
BP_EXPORT void bp_virtq_take_back(struct bp_virtq *, uint16_t last_avail);

/* Copies between a flat buffer and part of a chain's out or in side; returns the bytes copied. */
BP_EXPORT uint64_t bp_virtq_copy_out(const struct bp_virtq_chain *, uint64_t off, void *buf,
                                     uint64_t len);
BP_EXPORT uint64_t bp_virtq_copy_in(const struct bp_virtq_chain *, uint64_t off, const void *buf,
                                    uint64_t len);

BP_END_DECLS

#endif
