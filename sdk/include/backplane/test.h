/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/test.h - libbackplane-test: a fake host, to test a plugin with no KVM and no core.
 *
 * A test makes a machine, loads plugins (the real .so files) into it, and then plays the guest, the
 * clock and the operator:
 *
 *     struct bpt_machine *m = bpt_new(16 << 20, 0);
 *     bpt_load(m, "serial", "com1", "port=0x3f8,irq=4,chardev=c0");
 *     ...
 *     bpt_realize_all(m); bpt_start(m);
 *     bpt_out(m, 0x3f8, 1, 'x');
 *     bpt_poll(m, 0);
 *     ...
 *     return bpt_free(m) != 0;
 *
 * Nothing happens by itself: doorbells, soft events, timers and descriptors are delivered by
 * bpt_pump() and bpt_poll() on the caller's thread, and time stands still until bpt_advance().
 *
 * What a plugin does against the rules of the ABI (a [ctx] call from a foreign thread, a mapping
 * kept over quiesce(), an event loop that never rests, ...) is noted as a problem. bpt_free()
 * prints the problems and returns their number: end each test with it.
 *
 * One thread drives a machine. The functions that the ABI tags [any] may be called by plugins from
 * all threads. Functions that can fail return 0 or BP_E_*, and bpt_error() then has the text.
 * Link with -lbackplane-test.
 */
#ifndef BACKPLANE_TEST_H
#define BACKPLANE_TEST_H

#include <backplane/backplane.h>

struct bpt_machine;

BP_BEGIN_DECLS

/* ---- The machine ------------------------------------------------------------------------- */

#define BPT_RAM_LOW_MAX 0xd0000000u /* RAM from address 0, at most; above lie the MMIO windows */
#define BPT_MMIO32_BASE 0xe0000000u /* bp_machine_info.mmio32_base */
#define BPT_MMIO32_LEN  0x1ec00000u

/* ram_low bytes at 0 and ram_high bytes at 4 GiB, zeroed; NULL when there is no memory. As on a PC
 * there is no RAM from 0xa0000 up to 0xc0000. */
BP_EXPORT struct bpt_machine *bpt_new(uint64_t ram_low, uint64_t ram_high);
/* Destroys what is left and frees everything. Returns the number of problems, after printing each
 * as "# problem: ..." on stderr. NULL is fine. */
BP_EXPORT int bpt_free(struct bpt_machine *);
/* What bp.machine/1 answers: change it before plugins are loaded. */
BP_EXPORT struct bp_machine_info *bpt_info(struct bpt_machine *);
/* bp_host.flags, e.g. BP_HOST_CHECK; for plugins loaded from now on. */
BP_EXPORT void bpt_host_flags(struct bpt_machine *, uint64_t flags);

/* ---- Plugins ----------------------------------------------------------------------------- */

/*
 * Opens a plugin and create()s an instance of it. name is a path when it has a slash, otherwise
 * NAME.so is looked for in the folders of $BACKPLANE_PLUGIN_PATH, then in $top_builddir/modules,
 * then where the SDK was installed. props is config text, "port=0x3f8,irq=4"; a value with a comma
 * is put in double quotes; a LIST takes its key several times. They are checked against the class's
 * table just as the core does it. A LINK names an instance that may be loaded later, or is
 * "kind:argument", which loads "<what>-kind" (bp.block/1: block-kind) with its primary property.
 */
BP_EXPORT int bpt_load(struct bpt_machine *, const char *name, const char *id, const char *props);
/* The same with a NULL-ended array of "key=value", where nothing needs quotes. NULL: none. */
BP_EXPORT int bpt_loadv(struct bpt_machine *, const char *name, const char *id,
                        const char *const *props);
/* An instance of a class that is compiled into the test. */
BP_EXPORT int bpt_add(struct bpt_machine *, const struct bp_class *, const char *id,
                      const char *props);
/* An instance that is nothing but a table of functions for others to link to: a fake back end. */
BP_EXPORT int bpt_provide(struct bpt_machine *, const char *id, const char *iface,
                          const void *table, void *self);

/* Providers first; stops at the first failure. Also adds LINK "kind:argument" instances. */
BP_EXPORT int bpt_realize_all(struct bpt_machine *);
BP_EXPORT int bpt_realize(struct bpt_machine *, const char *id);
/* start() of all that are not running. BP_E_AGAIN: one is not ready; deliver events, call again. */
BP_EXPORT int bpt_start(struct bpt_machine *);
/* quiesce() of all, with events delivered for as long as some answer BP_E_AGAIN; BP_E_AGAIN when
 * they still do after five seconds. */
BP_EXPORT int bpt_quiesce(struct bpt_machine *);
/* A machine reset: quiesce if running, reset(BP_RESET_COLD) of all, start if it was running. */
BP_EXPORT int bpt_reset(struct bpt_machine *);
/* Ends one instance (quiesce if running, destroy); nothing may link to it any more. */
BP_EXPORT int bpt_destroy(struct bpt_machine *, const char *id);
/* set() of a RUNTIME property, "key=value". */
BP_EXPORT int bpt_set(struct bpt_machine *, const char *id, const char *prop);

/* The instance's handle; 0 when there is none of that id. */
BP_EXPORT bp_inst bpt_inst(struct bpt_machine *, const char *id);
/* The instance's own pointer (what create() returned). */
BP_EXPORT void *bpt_self(struct bpt_machine *, const char *id);
/* The instance's interface table, or NULL; its functions take bpt_self() as first argument. The
 * test's thread counts as every context while it is in no callback. */
BP_EXPORT const void *bpt_query(struct bpt_machine *, const char *id, const char *iface,
                                uint32_t min_size);
/* The host table that an instance got: to call the host as if from within it. */
BP_EXPORT const struct bp_host *bpt_host(struct bpt_machine *, const char *id);

/* ---- What was said ----------------------------------------------------------------------- */

/* "id: text" of the last operation that failed, "" when it attached none. */
BP_EXPORT const char *bpt_error(struct bpt_machine *);
/* Lines logged at that level; 0 = at any. $BPT_VERBOSE set: also printed on stderr. */
BP_EXPORT unsigned bpt_logs(struct bpt_machine *, uint32_t level);
/* 1: some logged line contains text. */
BP_EXPORT int bpt_logged(struct bpt_machine *, const char *text);
BP_EXPORT void bpt_log_clear(struct bpt_machine *);
/* Violations of the ABI so far, and the text of one. */
BP_EXPORT unsigned bpt_problems(struct bpt_machine *);
BP_EXPORT const char *bpt_problem(struct bpt_machine *, unsigned index);
/* For a test that provokes a problem: forgets them. */
BP_EXPORT void bpt_problems_clear(struct bpt_machine *);
/* Open descriptors of this process, to compare before and after. */
BP_EXPORT unsigned bpt_open_fds(void);

/* ---- A host that fails ------------------------------------------------------------------- */

/* The nth host call from now (1 = the next) that can fail, of the instance of that id, which may
 * not be there yet (NULL: of any), fails with err (query: NULL) without doing anything. 0 switches
 * it off. */
BP_EXPORT void bpt_inject(struct bpt_machine *, const char *id, uint64_t nth, int err);
/* The same for the calls of the writers and readers that save() and load() get. */
BP_EXPORT void bpt_inject_state(struct bpt_machine *, uint64_t nth, int err);
/* 1: the injected failure has happened. So `for (n = 1;; n++)` can try every call in turn. */
BP_EXPORT int bpt_injected(struct bpt_machine *);
/* The host has no such service of the core. */
BP_EXPORT void bpt_hide(struct bpt_machine *, const char *iface);
/* The host's table of that service ends after size bytes, as an older core's would, and so does
 * the memory that it lies in. "bp.host" is struct bp_host itself, for plugins loaded from now on.
 */
BP_EXPORT void bpt_truncate(struct bpt_machine *, const char *iface, uint32_t size);
/* bp.mem/1 map(): 0 = all there is in one piece (the default); 1 = never (BP_E_NOTSUP); a multiple
 * of 4096 = windows that end at each multiple of it. Windows are mappings of their own with a hole
 * behind them, gone after unmap. Takes effect for new mappings. */
BP_EXPORT void bpt_map_window(struct bpt_machine *, uint64_t bytes);
/* Mappings of guest memory that are open. */
BP_EXPORT unsigned bpt_maps(struct bpt_machine *);

/* ---- Guest memory ------------------------------------------------------------------------ */

/* Where guest RAM is in our memory; NULL unless all of it is RAM. */
BP_EXPORT void *bpt_ram(struct bpt_machine *, uint64_t gpa, uint64_t len);
/* Takes RAM that nothing else uses, from 1 MiB up; align is a power of two. Ends the program when
 * there is none left. */
BP_EXPORT uint64_t bpt_alloc(struct bpt_machine *, uint64_t len, uint64_t align);
/* 1: the page of gpa was said to be written (write(), dirty(), unmap()) since the last clear. */
BP_EXPORT int bpt_dirty(struct bpt_machine *, uint64_t gpa);
BP_EXPORT void bpt_dirty_clear(struct bpt_machine *);
/* What dirty_wanted() tells plugins; on at first. */
BP_EXPORT void bpt_dirty_log(struct bpt_machine *, int on);
/* The memory of bp.ram/1 named `name`, and where it is placed (BP_RAM_NOWHERE); NULL: none. */
BP_EXPORT void *bpt_device_ram(struct bpt_machine *, const char *id, const char *name,
                               uint64_t *ret_gpa);

/* ---- Guest accesses ---------------------------------------------------------------------- */

/* width is 1, 2 or 4 for ports; 1, 2, 4 or 8 for memory, which reaches RAM too. Unclaimed: all
 * ones. Doorbells become pending, see bpt_pump(). */
BP_EXPORT uint32_t bpt_in(struct bpt_machine *, uint16_t port, uint32_t width);
BP_EXPORT void bpt_out(struct bpt_machine *, uint16_t port, uint32_t width, uint32_t val);
BP_EXPORT uint64_t bpt_mmio_read(struct bpt_machine *, uint64_t gpa, uint32_t width);
BP_EXPORT void bpt_mmio_write(struct bpt_machine *, uint64_t gpa, uint32_t width, uint64_t val);
/* 1: a region is placed over that port or address; *ret_id is the instance (may be NULL). */
BP_EXPORT int bpt_claimed(struct bpt_machine *, uint32_t kind, uint64_t base, const char **ret_id);
/* The index-th region that an instance made; 0 past the last one. */
struct bpt_region_info {
    uint32_t kind;
    uint64_t len, base; /* base: BP_IO_NOWHERE when it is not placed */
    const char *name;
};
BP_EXPORT int bpt_region(struct bpt_machine *, const char *id, unsigned index,
                         struct bpt_region_info *ret_info);
/* An access into that region, placed or not, as a bus in front of it would make it. BP_E_NOENT:
 * there is none; BP_E_RANGE: not within it. */
BP_EXPORT int bpt_access(struct bpt_machine *, const char *id, unsigned index, uint64_t off,
                         uint32_t width, int write, uint64_t *val);
/* Where the region `name` of an instance is; BP_IO_NOWHERE. */
BP_EXPORT uint64_t bpt_where(struct bpt_machine *, const char *id, const char *name);

/* ---- Interrupts -------------------------------------------------------------------------- */

/* A GSI's level: the OR of its lines. */
BP_EXPORT int bpt_gsi(struct bpt_machine *, uint32_t gsi);
/* How often it went from 0 to 1 (an edge line's pulse counts). */
BP_EXPORT uint64_t bpt_gsi_count(struct bpt_machine *, uint32_t gsi);
/* The GSI of the line `name` of an instance, or BP_E_NOENT. */
BP_EXPORT int bpt_gsi_of(struct bpt_machine *, const char *id, const char *name);
/* The guest's end of interrupt: a line that a descriptor raised falls, and its resample descriptor
 * becomes readable. */
BP_EXPORT void bpt_eoi(struct bpt_machine *, uint32_t gsi);
/* Messages sent so far. */
BP_EXPORT uint64_t bpt_msi_count(struct bpt_machine *);
/* Takes the oldest sent message that was not taken; 0 when there is none. */
BP_EXPORT int bpt_msi_take(struct bpt_machine *, uint64_t *ret_addr, uint32_t *ret_data);

/* ---- Time and events --------------------------------------------------------------------- */

/* Delivers what is pending: soft events, doorbells, timers that are due; and what that makes
 * pending, until it is quiet. Returns how many events were delivered. */
BP_EXPORT unsigned bpt_pump(struct bpt_machine *);
/* The same and descriptors too; waits up to timeout_ms (-1: no limit) when nothing is there. */
BP_EXPORT unsigned bpt_poll(struct bpt_machine *, int timeout_ms);
/* Asks every poller once, with BP_POLL_*, which nothing else does. Returns how many had work. */
BP_EXPORT unsigned bpt_look(struct bpt_machine *, uint32_t how);
/* Polls until done(arg) is not 0, for ten seconds at most; returns its last value. */
BP_EXPORT int bpt_until(struct bpt_machine *, int (*done)(void *), void *arg);
/* Moves all clocks and fires the timers that come due, in order. */
BP_EXPORT void bpt_advance(struct bpt_machine *, int64_t ns);
BP_EXPORT int64_t bpt_now(struct bpt_machine *, uint32_t clock);
/* Sets BP_CLOCK_REALTIME (nanoseconds since 1970); it begins at 2026-01-02 03:04:05 UTC. */
BP_EXPORT void bpt_set_realtime(struct bpt_machine *, int64_t ns);
/* The clocks follow the host's from now on, and bpt_poll() wakes for timers. */
BP_EXPORT void bpt_clock_runs(struct bpt_machine *);
/* When the earliest timer of an instance is due, on its clock; BP_TIMER_OFF. */
BP_EXPORT int64_t bpt_timer(struct bpt_machine *, const char *id);

/* ---- bp.machine/1 ------------------------------------------------------------------------ */

/* The first request since the last call: BP_REQ_* and its argument; 0 when there was none. */
BP_EXPORT uint32_t bpt_requested(struct bpt_machine *, uint32_t *ret_arg);
BP_EXPORT int bpt_published(struct bpt_machine *, const char *key, uint64_t *ret_value);
/* What shadow() was last told of an address: BP_SHADOW_*; BP_E_NOENT when nobody called it. */
BP_EXPORT int bpt_shadow(struct bpt_machine *, uint64_t gpa);
/* The index-th range that was reserved; 0 past the last one. */
BP_EXPORT int bpt_reserved(struct bpt_machine *, unsigned index, uint64_t *ret_base,
                           uint64_t *ret_len, uint32_t *ret_type);

/* ---- State ------------------------------------------------------------------------------- */

struct bpt_state; /* what one save() wrote, in order */

/* The machine must be quiesced or not yet started. */
BP_EXPORT int bpt_save(struct bpt_machine *, const char *id, struct bpt_state **ret_state);
BP_EXPORT int bpt_restore(struct bpt_machine *, const char *id, const struct bpt_state *);
BP_EXPORT void bpt_state_free(struct bpt_state *);
/* 1: the same sections, versions, keys and values in the same order. */
BP_EXPORT int bpt_state_equal(const struct bpt_state *, const struct bpt_state *);
/* Save, reset, restore, save of one instance: 0 when both saves are equal, with the instance (and
 * the machine, if it was running) as before. */
BP_EXPORT int bpt_state_roundtrip(struct bpt_machine *, const char *id);
/* To make hostile state: reads, changes or adds a value; a NULL key is the section's version.
 * BP_E_NOENT when there is none. */
BP_EXPORT int bpt_state_get(const struct bpt_state *, const char *section, const char *key,
                            uint64_t *ret_value);
BP_EXPORT int bpt_state_put(struct bpt_state *, const char *section, const char *key, uint64_t val);
BP_EXPORT int bpt_state_put_blob(struct bpt_state *, const char *section, const char *key,
                                 const void *p, uint64_t n);
/* Removes a key, or the whole section when key is NULL. */
BP_EXPORT int bpt_state_remove(struct bpt_state *, const char *section, const char *key);
/* A fresh, empty one; and the number of values in one, to visit them by index. */
BP_EXPORT struct bpt_state *bpt_state_new(void);
BP_EXPORT unsigned bpt_state_count(const struct bpt_state *);
BP_EXPORT int bpt_state_item(const struct bpt_state *, unsigned index, const char **ret_section,
                             const char **ret_key);

/* ---- PCI, as a guest sees it: bus 0 through ports 0xcf8 and 0xcfc ------------------------ */

#define BPT_PCI_NONE UINT32_MAX

/* Configuration space of slot << 3 | function. */
BP_EXPORT uint32_t bpt_pci_read(struct bpt_machine *, uint32_t devfn, uint32_t off, uint32_t width);
BP_EXPORT void bpt_pci_write(struct bpt_machine *, uint32_t devfn, uint32_t off, uint32_t width,
                             uint32_t val);
/* The nth (from 0) function with these ids; BPT_PCI_NONE. */
BP_EXPORT uint32_t bpt_pci_find(struct bpt_machine *, uint32_t vendor, uint32_t device,
                                unsigned nth);
/* The next capability of that id behind the one at `after` (0: from the first on); 0: none. */
BP_EXPORT uint32_t bpt_pci_cap(struct bpt_machine *, uint32_t devfn, uint32_t id, uint32_t after);
/* The address in a BAR; BP_IO_NOWHERE when it has none or decoding is off. */
BP_EXPORT uint64_t bpt_pci_bar(struct bpt_machine *, uint32_t devfn, uint32_t index);
/* Memory and port decoding and bus mastering. */
BP_EXPORT void bpt_pci_enable(struct bpt_machine *, uint32_t devfn, int on);
/* Gives every MSI-X vector the address BPT_MSIX_ADDR(devfn) and data BPT_MSIX_DATA(vector), unmasks
 * and enables them; returns how many there are. */
#define BPT_MSIX_ADDR(devfn)  (0xfee00000u + ((devfn) << 4))
#define BPT_MSIX_DATA(vector) (0x4000u + (vector))
BP_EXPORT unsigned bpt_pci_msix(struct bpt_machine *, uint32_t devfn);
/* One vector by hand, and the enable (0x8000) and mask (0x4000) bits of the capability. */
BP_EXPORT void bpt_pci_msix_vector(struct bpt_machine *, uint32_t devfn, unsigned vector,
                                   uint64_t addr, uint32_t data, int masked);
BP_EXPORT void bpt_pci_msix_control(struct bpt_machine *, uint32_t devfn, uint32_t bits);

/* ---- virtio, the driver's side: PCI (modern) and MMIO (version 2) ------------------------ */

struct bpt_virtio;

#define BPT_VIRTIO_CONFIG UINT32_MAX /* in place of a queue: the configuration interrupt */

/* The nth (from 0) virtio device of that type, on PCI or, without any there, on MMIO; the machine
 * runs. NULL: there is none. Ends with the machine. */
BP_EXPORT struct bpt_virtio *bpt_virtio_find(struct bpt_machine *, uint32_t device_id,
                                             unsigned nth);
BP_EXPORT struct bpt_machine *bpt_virtio_machine(const struct bpt_virtio *);
BP_EXPORT int bpt_virtio_is_pci(const struct bpt_virtio *);
BP_EXPORT uint32_t bpt_virtio_devfn(const struct bpt_virtio *);
/* From the next negotiation on the PCI transport uses INTA# and the ISR register, not MSI-X. */
BP_EXPORT void bpt_virtio_use_intx(struct bpt_virtio *);

/* Registers, one by one, in either transport's way. */
BP_EXPORT uint32_t bpt_virtio_status(struct bpt_virtio *);
BP_EXPORT void bpt_virtio_set_status(struct bpt_virtio *, uint32_t bits);
BP_EXPORT uint64_t bpt_virtio_offered(struct bpt_virtio *);
BP_EXPORT void bpt_virtio_accept(struct bpt_virtio *, uint64_t features);
BP_EXPORT uint32_t bpt_virtio_generation(struct bpt_virtio *);
BP_EXPORT uint64_t bpt_virtio_config(struct bpt_virtio *, uint32_t off, uint32_t width);
BP_EXPORT void bpt_virtio_config_write(struct bpt_virtio *, uint32_t off, uint32_t width,
                                       uint64_t val);
BP_EXPORT uint32_t bpt_virtio_queue_max(struct bpt_virtio *, uint32_t index); /* 0: no such queue */

/* Writes 0 and polls until the status reads 0. */
BP_EXPORT int bpt_virtio_reset(struct bpt_virtio *);
/* Reset, ACKNOWLEDGE, DRIVER, those of want that are offered and VERSION_1, FEATURES_OK.
 * BP_E_PROTO: the device refuses. */
BP_EXPORT int bpt_virtio_negotiate(struct bpt_virtio *, uint64_t want);
BP_EXPORT void bpt_virtio_driver_ok(struct bpt_virtio *);
/* All of it: negotiates, sets up the first n queues at their largest, DRIVER_OK. */
BP_EXPORT int bpt_virtio_setup(struct bpt_virtio *, uint64_t want, uint32_t n);
/* What was interrupted for since the last call, acknowledged: 1 some queue, 2 configuration. */
BP_EXPORT uint32_t bpt_virtio_irq(struct bpt_virtio *);
/* With MSI-X: messages of a queue's vector (or BPT_VIRTIO_CONFIG) since the last negotiation. */
BP_EXPORT uint64_t bpt_virtio_messages(struct bpt_virtio *, uint32_t index);

/*
 * A queue. The rings lie in guest RAM at the three addresses; tests of bad drivers write there as
 * they like. bpt_vq_add() and bpt_vq_get() keep their own books (avail_idx, last_used, free heads).
 */
struct bpt_vq {
    struct bpt_virtio *dev;
    uint32_t index, num;
    uint64_t desc, avail, used; /* guest physical */
    uint16_t avail_idx;         /* published index */
    uint16_t last_used;         /* used entries that were taken */
    uint16_t kicked;            /* avail_idx at the last bpt_vq_kick() */
    int event_idx;
    struct bpt_vq_books *books;
};

struct bpt_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};
enum {
    BPT_DESC_NEXT = 1,
    BPT_DESC_WRITE = 2,
    BPT_DESC_INDIRECT = 4,
};

/* One buffer of a chain. */
struct bpt_sg {
    uint64_t gpa;
    uint32_t len;
    uint32_t write; /* 1: device-writable */
};

/* Makes queue `index` with num descriptors (0: as many as it takes) and tells the device where it
 * is, without enabling it; NULL: there is no such queue. */
BP_EXPORT struct bpt_vq *bpt_vq_new(struct bpt_virtio *, uint32_t index, uint32_t num);
/* Sends the addresses and size as they stand in the struct now; and enables the queue. */
BP_EXPORT void bpt_vq_configure(struct bpt_vq *);
BP_EXPORT void bpt_vq_enable(struct bpt_vq *, uint32_t on);
BP_EXPORT int bpt_vq_enabled(struct bpt_vq *);
/* The queue that bpt_virtio_setup() or bpt_vq_new() made last for that index. */
BP_EXPORT struct bpt_vq *bpt_virtio_queue(struct bpt_virtio *, uint32_t index);

/* Pointers to the rings: descriptors; flags, idx, heads...; flags, idx as 16-bit words. */
BP_EXPORT struct bpt_desc *bpt_vq_desc(struct bpt_vq *, uint32_t i);
BP_EXPORT uint16_t *bpt_vq_avail(struct bpt_vq *);
BP_EXPORT uint16_t *bpt_vq_used(struct bpt_vq *);

/* Makes a chain available and publishes it; its head, or BP_E_NOSPC. indirect: through a table. */
BP_EXPORT int bpt_vq_add(struct bpt_vq *, const struct bpt_sg *, unsigned n, int indirect);
/* Publishes a head that the test made by hand. */
BP_EXPORT void bpt_vq_publish(struct bpt_vq *, uint16_t head);
/* Notifies, unless the device asked not to; 1 when it did. Follow with bpt_poll(). */
BP_EXPORT int bpt_vq_kick(struct bpt_vq *);
BP_EXPORT void bpt_vq_notify(struct bpt_vq *); /* whatever the device asked for */
/* Takes the next used entry: its head, or BP_E_AGAIN. */
BP_EXPORT int bpt_vq_get(struct bpt_vq *, uint32_t *ret_len);
/* Whether the device should interrupt (a driver that polls says no; EVENT_IDX: the next one). */
BP_EXPORT void bpt_vq_want_irq(struct bpt_vq *, int on);
/* Add, kick, poll until it is used. 0, or BP_E_AGAIN when ten seconds did not suffice. */
BP_EXPORT int bpt_vq_do(struct bpt_vq *, const struct bpt_sg *, unsigned n, uint32_t *ret_len);

BP_END_DECLS

#endif
