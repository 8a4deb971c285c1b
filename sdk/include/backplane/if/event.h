/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/if/event.h - bp.event/1: timers, fd watches and soft events.
 *
 * A service of the core. Everything arrives as the class's event(self, cookie, mask), on the
 * instance's context: the main loop, or the I/O thread that the section's `iothread` names (a back
 * end runs on the context of the device that links to it). Cookies are the plugin's own numbers.
 */
#ifndef BACKPLANE_IF_EVENT_H
#define BACKPLANE_IF_EVENT_H

#include <backplane/base.h>

#define BP_IF_EVENT "bp.event/1"

/* event()'s mask; the first four are also what watch() is asked for */
enum {
    BP_EV_READ = 1,
    BP_EV_WRITE = 2,
    BP_EV_HANGUP = 4, /* always reported */
    BP_EV_ERROR = 8,  /* always reported */
    BP_EV_TIMER = 16,
    BP_EV_KICK = 32,
    BP_EV_DOORBELL = 64,
};

enum {
    BP_CLOCK_MONOTONIC = 1000,
    BP_CLOCK_REALTIME = 2000, /* nanoseconds since 1970, UTC; timers follow a clock that is set */
    BP_CLOCK_VIRTUAL = 3000,  /* stands still while the machine is stopped */
};

#define BP_TIMER_OFF INT64_MAX

/* What a poller is asked. */
enum {
    BP_POLL_LOOK = 1,  /* is there work? Do it. */
    BP_POLL_BEGIN = 2, /* you will be asked often: nobody need notify us any more */
    BP_POLL_END = 3,   /* you will not: ask to be notified again, then look once more */
};

struct bp_event_if {
    uint32_t size, flags;
    /* A one-shot timer, disarmed. [realize] */
    int (*timer)(bp_inst, const char *name, uint32_t clock, uint32_t cookie, bp_event *ret_event);
    /* Arms it for an absolute time of its clock; BP_TIMER_OFF disarms. [any] */
    int (*arm)(bp_inst, bp_event, int64_t deadline_ns);
    /* A clock's time in nanoseconds. [any] */
    int64_t (*now)(bp_inst, uint32_t clock);
    /* An event that only kick() fires. [realize] */
    int (*soft)(bp_inst, const char *name, uint32_t cookie, bp_event *ret_event);
    /* Fires it (once, however often it was kicked before it ran). [any] */
    int (*kick)(bp_inst, bp_event);
    /*
     * Watches a descriptor, level-triggered, for mask (0 = only hang-up and error). The descriptor
     * stays the plugin's and must be open until close(). [ctx]
     */
    int (*watch)(bp_inst, int fd, uint32_t mask, uint32_t cookie, bp_event *ret_event);
    /* Changes what a watch waits for. [ctx] */
    int (*modify)(bp_inst, bp_event, uint32_t mask);
    /* Removes a timer, watch, soft event, doorbell or poller: it is not called any more. [ctx] */
    int (*close)(bp_inst, bp_event);
    /*
     * A context that has been busy may look for work in memory for some microseconds before it
     * waits for descriptors (see `iothread` in backplane.conf(5)). poll() is then asked, with
     * BP_POLL_*: it looks into memory (the index of a ring, say), with no system call, does what
     * event() would do if there is something, and returns 1 if there was. Between BEGIN and END it
     * may be asked any number of times, or never, and before BEGIN too; contexts that never wait so
     * hardly ever ask, so a poller stands beside a watch or doorbell, not in its place. [realize];
     * poll() is [ctx]
     */
    int (*poller)(bp_inst, int (*poll)(void *arg, uint32_t how), void *arg, bp_event *ret_event);
};

#endif
