/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.h - guest-physical memory: RAM, ROM and the RAM of devices.
 *
 * Owns every byte of the guest-physical map that is host memory, the slots that KVM sees of it, and
 * checked access by guest address from any thread. It makes no ioctl itself: a VM is attached as a
 * small table of functions, and without one everything else works (so do `check` and the tests).
 * It must not know what any region is used for.
 *
 * The map:
 *
 *      0x00000000  RAM
 *      0x000a0000  never RAM: the bus answers here, as on a PC
 *      0x000c0000  RAM up to the end of low RAM, at most 0xc0000000
 *                  the hole: interrupt controllers, windows of devices, ROM ending at 4 GiB
 *     0x100000000  the rest of RAM
 *
 * Threads. Regions are made and freed by one thread while nothing else uses them. They may be
 * placed and moved at any time, by any thread; that takes a lock which access never takes. Access
 * reads one of two copies of the sorted table and looks at a sequence number afterwards, so it
 * neither waits for a mover nor leaves anything to be freed however often a guest moves its
 * windows. The host pages of a region exist until it is freed, so a pointer from memory_map() stays
 * good after a move: it then reaches the same bytes at their new address.
 */
#ifndef CORE_MEMORY_MEMORY_H
#define CORE_MEMORY_MEMORY_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_PAGE_SIZE   UINT64_C(4096)
#define MEMORY_LEGACY_HOLE UINT64_C(0xa0000) /* no RAM from here ... */
#define MEMORY_LEGACY_END  UINT64_C(0xc0000) /* ... up to here */
#define MEMORY_LOW_MAX     UINT64_C(0xc0000000)
#define MEMORY_HIGH_BASE   UINT64_C(0x100000000)
#define MEMORY_SIZE_MIN    UINT64_C(0x200000)
#define MEMORY_SIZE_MAX    (UINT64_C(1) << 44) /* 16 TiB; the host's address space ends soon after */

/* What KVM needs on some hosts for itself: the identity map's page, then three pages of TSS. They
 * lie below the largest ROM, 16 MiB ending at 4 GiB; the e820 map reserves all of it. */
#define MEMORY_IDENTITY_MAP_ADDR UINT64_C(0xfeffc000)
#define MEMORY_TSS_ADDR          UINT64_C(0xfeffd000)
#define MEMORY_ROM_SPACE         UINT64_C(0xff000000)

#define MEMORY_REGIONS_MAX 256 /* RAM included; one KVM slot each */

struct memory;
struct memory_region;

enum memory_backing {
    MEMORY_ANONYMOUS, /* private pages: the fastest, and enough unless another process shares them
                       */
    MEMORY_MEMFD,     /* shareable by fd; sealed, so that no peer can shrink it under us */
    MEMORY_HUGETLB,   /* shareable huge pages from the host's pool, reserved at start */
};

struct memory_config {
    uint64_t size_bytes; /* multiple of 4 KiB, or of the huge page's size */
    enum memory_backing backing;
    const char *hugetlb_path; /* MEMORY_HUGETLB: a hugetlbfs folder; NULL: by memfd */
    uint64_t huge_page_size;  /* MEMORY_HUGETLB without a path: 0 is the host's default size */
};

/*
 * RAM of the given size, none of it touched: the host spends pages as the guest uses them. [main]
 * NULL with CORE_ERROR_CONFIG (a size or a path that can never do) or CORE_ERROR_HOST.
 */
struct memory *memory_new(const struct memory_config *config, GError **error)
    __attribute__((warn_unused_result));

/* Frees everything, also regions still there. Detach first; no thread may be inside. [main] */
void memory_free(struct memory *mem);

uint64_t memory_size(const struct memory *mem);
uint64_t memory_low_end(const struct memory *mem);  /* first address above low RAM */
uint64_t memory_high_end(const struct memory *mem); /* above high RAM; MEMORY_HIGH_BASE if none */

/* Every byte of RAM reads as zero again and its pages go back to the host, as for a guest that
 * reboots. vCPUs and I/O stand still. ROMs and device RAM are their owners' business. 0 or -errno.
 * [main] */
int memory_reset(struct memory *mem) __attribute__((warn_unused_result));

/* ---- The VM's side: how regions become KVM memory slots ---------------------------------- */

#define MEMORY_SLOT_LOG_DIRTY UINT32_C(1) /* the values of KVM_MEM_LOG_DIRTY_PAGES ... */
#define MEMORY_SLOT_READONLY  UINT32_C(2) /* ... and KVM_MEM_READONLY */

struct memory_slot_ops {
    /* Make or change slot (flags only, when it exists); len 0 deletes it. 0 or -errno. */
    int (*set_slot)(void *ctx, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t len,
                    void *hva);
    /* Fetch and clear KVM's dirty log: one bit a page, whole 64-bit words. 0 or -errno. */
    int (*get_dirty)(void *ctx, uint32_t slot, uint64_t *bitmap);
};

/* Push every placed region and from now on every change. ops lives until memory_detach(). [main] */
gboolean memory_attach(struct memory *mem, const struct memory_slot_ops *ops, void *ctx,
                       GError **error) __attribute__((warn_unused_result));

/* Forget the VM (about to be closed); deletes no slot. [main] */
void memory_detach(struct memory *mem);

/* ---- Regions -------------------------------------------------------------------------------- */

enum memory_kind {
    MEMORY_RAM,    /* made by memory_new() only; never moves */
    MEMORY_ROM,    /* the guest's writes leave as accesses to the bus; memory_write() is refused */
    MEMORY_DEVICE, /* RAM on a card: placed where the guest wants it */
};

/*
 * A region of zeroes that is nowhere in the map yet. len is a multiple of 4 KiB. The name is for
 * messages and is copied. A device region is an anonymous mapping, or a memfd when RAM is one, so
 * that whoever shares RAM can share it too. [main]
 */
struct memory_region *memory_region_new(struct memory *mem, enum memory_kind kind, const char *name,
                                        uint64_t len, GError **error)
    __attribute__((warn_unused_result));

/*
 * A region that shows [off, off + len) of another one's bytes, multiples of 4 KiB within it: placed
 * and logged by itself. It must be freed before the other. [main]
 */
struct memory_region *memory_region_new_alias(struct memory_region *of, uint64_t off, uint64_t len,
                                              const char *name, GError **error)
    __attribute__((warn_unused_result));

/* Unplaces and unmaps it. No thread may still hold a pointer into it. NULL is fine. [main] */
void memory_region_free(struct memory_region *region);

/* Host address of its first byte, for the owner to write to, also when it is a ROM. */
void *memory_region_host(const struct memory_region *region);
uint64_t memory_region_len(const struct memory_region *region);
const char *memory_region_name(const struct memory_region *region);

/* Nobody writes this ROM any more: its pages become read-only in the host too, so that it needs no
 * restoring whatever happens. [any] */
int memory_region_seal(struct memory_region *region) __attribute__((warn_unused_result));

/*
 * Put the region at gpa (page aligned), taking it away from where it was. [any]
 *  0        the guest sees it there
 *  -EINVAL  gpa is not aligned, or the end overflows
 *  -EBUSY   another region covers part of that place
 *  other    KVM refused the slot
 * On failure the region stays where it was, or is nowhere if KVM does not take it back there.
 */
int memory_region_place(struct memory_region *region, uint64_t gpa)
    __attribute__((warn_unused_result));

/* Take it out of the map. [any] */
void memory_region_unplace(struct memory_region *region);

/* True and the address when the guest sees the region. [any] */
bool memory_region_placed(const struct memory_region *region, uint64_t *ret_gpa);

/* One part of the map as it stands. fd is -1 for private pages, else valid as long as mem. */
struct memory_range {
    uint64_t gpa, len;
    void *hva;
    enum memory_kind kind;
    int fd;
    uint64_t fd_offset;
    const char *name;
};

/* Copies up to max ranges, ascending; returns how many there are (perhaps more than max). [any] */
unsigned memory_ranges(struct memory *mem, struct memory_range *ranges, unsigned max);

/* The name of a region that overlaps [gpa, gpa + len), or NULL. [any] */
const char *memory_overlap(struct memory *mem, uint64_t gpa, uint64_t len);

/* ---- Shadow: RAM below 1 MiB that firmware lies over ------------------------------------------
 *
 * From 0xc0000 to 1 MiB a PC can show two things at an address: RAM, or what lies there on the bus,
 * which in the last 128 KiB is the end of the firmware's ROM. Reads and writes are switched apart,
 * in pieces of 16 KiB. Where the guest's writes do not go to what it reads, and in the moment that
 * a switch takes, its accesses leave as accesses to the bus; memory_shadow_access() is what answers
 * them. memory_read() and its kin see what the guest's reads see, and write where reads and writes
 * both go to RAM.
 */
#define MEMORY_SHADOW_BASE  MEMORY_LEGACY_END
#define MEMORY_SHADOW_END   UINT64_C(0x100000)
#define MEMORY_SHADOW_ROM   UINT64_C(0xe0000) /* the ROM's end is visible from here */
#define MEMORY_SHADOW_PIECE UINT64_C(0x4000)

enum {
    MEMORY_SHADOW_READ = 1,  /* reads come from RAM */
    MEMORY_SHADOW_WRITE = 2, /* writes go to RAM; otherwise nowhere */
};

/* Makes the area switchable; all of it then shows what is on the bus. Before vCPUs run, and while
 * nobody logs writes to RAM. [main] */
gboolean memory_shadow_new(struct memory *mem, GError **error) __attribute__((warn_unused_result));
bool memory_shadowed(const struct memory *mem);

/* The firmware's ROM, which stays until this is called with NULL; no vCPU runs. Does nothing
 * without memory_shadow_new(). [main] */
int memory_shadow_rom(struct memory *mem, struct memory_region *rom)
    __attribute__((warn_unused_result));

/* Switches whole pieces to access, MEMORY_SHADOW_*. -EINVAL, or why KVM refuses. One caller at a
 * time. [any] */
int memory_shadow_set(struct memory *mem, uint64_t gpa, uint64_t len, unsigned access)
    __attribute__((warn_unused_result));

/* An access of the guest's that came out to the bus; inside the area. [any] */
void memory_shadow_access(struct memory *mem, uint64_t gpa, void *data, uint64_t len, bool write);

/* ---- Access by guest address [any], no lock ------------------------------------------------- */

/*
 * Copy len bytes; the range may span regions that touch. 0, or -EFAULT when any byte is outside the
 * regions (or, for a write, in a ROM): then nothing was copied, unless a region moved away this
 * moment. len 0 is always 0. An aligned access of 2, 4 or 8 bytes is one access of the CPU's.
 */
int memory_read(struct memory *mem, uint64_t gpa, void *buf, uint64_t len)
    __attribute__((warn_unused_result));
int memory_write(struct memory *mem, uint64_t gpa, const void *buf, uint64_t len)
    __attribute__((warn_unused_result));

/* Make len bytes zero; whole pages go back to the host and are not touched. Errors as above, or
 * the host's -errno. */
int memory_zero(struct memory *mem, uint64_t gpa, uint64_t len) __attribute__((warn_unused_result));

/*
 * Host pointer for gpa and how many of the len bytes (at least 1) are contiguous from there. A
 * writable pointer into a region with a dirty log obliges the caller to memory_mark_dirty() what it
 * wrote. -EFAULT: gpa is in no region, or in a ROM and writable was asked; -EINVAL: len is 0.
 */
int memory_map(struct memory *mem, uint64_t gpa, uint64_t len, bool writable, void **ret_ptr,
               uint64_t *ret_got) __attribute__((warn_unused_result));

/* ---- Dirty log: one bit for each 4 KiB page of a region -------------------------------------- */

/* Start or stop the log; it starts with every page clean. Calls nest: as many stops as starts. 0 or
 * -errno. [any] */
int memory_region_log(struct memory_region *region, bool on) __attribute__((warn_unused_result));

/*
 * Fetch and clear the pages of [off, off + len) that were written since the last fetch: by the
 * guest (KVM knows), memory_write(), memory_zero() and memory_mark_dirty(). off is a multiple of 4
 * KiB. The pages' bits go to bits, least significant first, (pages + 7) / 8 bytes. Moving a region
 * marks all of it. Returns the number of dirty pages; -EINVAL: no log, or outside the region. [any]
 */
int64_t memory_region_fetch_dirty(struct memory_region *region, uint64_t off, uint64_t len,
                                  uint8_t *bits) __attribute__((warn_unused_result));

/* Where the number of logs is: while it is 0, memory_mark_dirty() does nothing. [any] */
const uint32_t *memory_logs(const struct memory *mem);

/* Note a write that went through a pointer; cheap where no log is on, ignores what is no region. */
void memory_mark_dirty(struct memory *mem, uint64_t gpa, uint64_t len);

/* The region that covers gpa, or NULL: how a log on RAM is asked for. [any] */
struct memory_region *memory_region_at(struct memory *mem, uint64_t gpa);

#endif
