/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/host.h - the one table that a plugin gets from the core.
 *
 * Everything else is asked for by name: services of the core (bp.io/1, bp.irq/1, bp.mem/1,
 * bp.ram/1, bp.event/1, bp.machine/1) with query(), services of other plugins (bp.pci-bus/1,
 * bp.acpi/1, bp.block/1, bp.net/1, bp.char/1, bp.display/1, bp.input/1) with link().
 */
#ifndef BACKPLANE_HOST_H
#define BACKPLANE_HOST_H

#include <backplane/base.h>
#include <backplane/props.h>

enum {
    BP_LOG_ERR = 1000,
    BP_LOG_WARN = 2000,
    BP_LOG_INFO = 3000,
    BP_LOG_DEBUG = 4000,
    BP_LOG_GUEST = 5000, /* caused by the guest: rate-limited per instance */
};

/* bp_host.flags */
enum {
    BP_HOST_CHECK = 1, /* `backplane check`: realize and destroy only; leave no trace on the host */
};

/* open() */
enum {
    BP_OPEN_READ = 1,
    BP_OPEN_WRITE = 2,
    BP_OPEN_CREATE = 4, /* mode 0600 */
    BP_OPEN_TRUNC = 8,
    BP_OPEN_APPEND = 16,
    BP_OPEN_DIRECT = 32, /* O_DIRECT */
    BP_OPEN_NONBLOCK = 64,
};

/* What link() finds: another instance's interface table and the pointer to give its functions. */
struct bp_link {
    uint32_t size, flags;
    bp_inst peer;
    const void *iface; /* at least min_size bytes */
    void *self;        /* first argument of every function in iface */
    const char *id;    /* the peer's instance id, for messages */
};

struct bp_host {
    uint32_t size;
    uint32_t api_level; /* the core's */

    /*
     * A service of the core, e.g. query(inst, BP_IF_IO, BP_UPTO(struct bp_io_if, doorbell)); NULL
     * when the core has none of that name or one shorter than min_size. The table is constant for
     * the life of the process. [ctx]
     */
    const void *(*query)(bp_inst, const char *iface, uint32_t min_size);

    /* A property of this instance; BP_E_NOENT for a name that is not in the class's table. [ctx] */
    int (*prop)(bp_inst, const char *name, struct bp_value *ret_value);
    /* The index-th item of a LIST property; BP_E_RANGE past its end. [ctx] */
    int (*prop_item)(bp_inst, const char *name, uint64_t index, struct bp_value *ret_value);

    /*
     * Another plugin's service. With prop, the instance that this LINK property names: BP_E_NOENT
     * when the property is unset. Without (NULL), the machine's provider of iface, which the class
     * must list in needs: BP_E_NOENT when there is none (an optional need). BP_E_NOTSUP when the
     * peer's table is shorter than min_size. [realize], not from create()
     */
    int (*link)(bp_inst, const char *prop, const char *iface, uint32_t min_size,
                struct bp_link *ret_link);

    /* One line, without a newline. [any] */
    void (*log)(bp_inst, uint32_t level, const char *msg);

    /*
     * Attaches text to the error that the plugin is about to return; the core prints
     * `file:line: section: text`. Say what is wrong and what to do. Returns err. [ctx]
     */
    int (*fail)(bp_inst, int err, const char *msg);

    /*
     * Opens the file that a PATH property names; the descriptor is close-on-exec and the plugin's.
     * The core does this, so that a device keeps working where it has no file system of its own.
     * BP_E_NOENT, BP_E_ACCES, ... with a text attached as by fail(). Descriptors go beyond 1023, so
     * select() is of no use with them. [ctx]
     */
    int (*open)(bp_inst, const char *prop, uint32_t flags);

    uint64_t flags; /* BP_HOST_* */

    /* As link(), for the index-th item of a property that is a LIST of LINK; BP_E_RANGE past its
     * end. [realize], not from create() */
    int (*link_item)(bp_inst, const char *prop, uint64_t index, const char *iface,
                     uint32_t min_size, struct bp_link *ret_link);
};

#endif
