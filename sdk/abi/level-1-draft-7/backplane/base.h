/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/base.h - what every other header of the SDK stands on.
 *
 * The rules of the boundary between the core and a plugin:
 *  - Every struct that crosses it begins with its own size. The receiver copies the smaller of the
 *    two sizes and takes the missing tail for zero, so members are only ever appended.
 *  - Only fixed-width integers, pointers to these structs, (pointer, length) pairs and NUL-ended
 *    UTF-8 cross. No FILE, errno, va_list, bit-field, enum-typed member or C library memory.
 *  - Objects of the core are named by ids, never by pointers. An id belongs to the instance it was
 *    given to; another instance's id is refused with BP_E_INVAL.
 *  - Functions return 0 or a count, or a negative BP_E_* value, and leave out-parameters alone when
 *    they fail.
 *
 * Threads. Every function carries a tag that says where it may be called or is called from:
 *  [realize]  from the instance's create(), realize() or load(): no vCPU runs, one thread;
 *  [ctx]      inside any callback that the core makes into the instance; the core serialises those
 *             callbacks (one at a time for a device together with its back ends), whatever thread
 *             they come from;
 *  [any]      from every thread, the plugin's own ones included.
 */
#ifndef BACKPLANE_BASE_H
#define BACKPLANE_BASE_H

#include <stddef.h>
#include <stdint.h>

#include <backplane/version.h>

#ifdef __cplusplus
#define BP_BEGIN_DECLS extern "C" {
#define BP_END_DECLS   }
#else
#define BP_BEGIN_DECLS
#define BP_END_DECLS
#endif

#define BP_EXPORT __attribute__((visibility("default")))

/* True when *p, a struct whose first member is its size, reaches as far as member m and m is set.
 */
#define BP_HAS(T, p, m) ((p) && (p)->size >= offsetof(T, m) + sizeof((p)->m) && (p)->m)
/* The size of T up to and including member m: the min_size to ask for when m is the last used. */
#define BP_UPTO(T, m) ((uint32_t)(offsetof(T, m) + sizeof(((T *)0)->m)))

/* Negative results; fixed by number, equal to -errno on Linux. */
enum {
    BP_E_PERM = -1,
    BP_E_NOENT = -2,
    BP_E_INTR = -4,
    BP_E_IO = -5,
    BP_E_NXIO = -6,
    BP_E_AGAIN = -11,
    BP_E_NOMEM = -12,
    BP_E_ACCES = -13,
    BP_E_FAULT = -14, /* a guest address is not RAM */
    BP_E_BUSY = -16,
    BP_E_EXIST = -17,
    BP_E_NODEV = -19,
    BP_E_INVAL = -22,
    BP_E_NOSPC = -28,
    BP_E_PIPE = -32,
    BP_E_RANGE = -34,
    BP_E_PROTO = -71,
    BP_E_NOTSUP = -95,
    BP_E_CANCELED = -125,
};

typedef struct bp_inst {
    uint64_t v;
} bp_inst; /* an instance: one section of the config file */

typedef struct bp_region {
    uint64_t v;
} bp_region; /* a port or MMIO region, see backplane/if/io.h */

typedef struct bp_irq {
    uint64_t v;
} bp_irq; /* an interrupt line or message, see backplane/if/irq.h */

typedef struct bp_event {
    uint64_t v;
} bp_event; /* a timer, fd watch, doorbell or soft event, see backplane/if/event.h */

typedef struct bp_ram {
    uint64_t v;
} bp_ram; /* memory of a device's own that the guest sees as RAM or ROM, see backplane/if/ram.h */

/* Bytes in our address space. */
struct bp_iovec {
    void *base;
    uint64_t len;
};

#endif
