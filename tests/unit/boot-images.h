/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot-images.h - what the boot tests share: kernels made up byte by byte, and a machine to load
 * them into.
 */
#ifndef TESTS_UNIT_BOOT_IMAGES_H
#define TESTS_UNIT_BOOT_IMAGES_H

#include <elf.h>
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <stdbool.h>
#include <unistd.h>

#include "core/boot/boot.h"
#include "core/error.h"
#include "tests/tap.h"

#define MIB(n) (UINT64_C(1048576) * (n))
#define GIB(n) (UINT64_C(1073741824) * (n))

/* ---- bytes ------------------------------------------------------------------------------- */

static inline void
put(uint8_t *at, uint64_t v, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

static inline uint64_t
get(const uint8_t *at, unsigned width)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < width; i++)
        v |= (uint64_t)at[i] << 8 * i;
    return v;
}

/* Bytes that differ at every place and between seeds, so that a wrong offset shows. */
static inline void
fill(uint8_t *at, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)((i * 7 + i / 251 + seed * 31) | 1);
}

/* ---- files in a folder of their own ---------------------------------------------------------- */

static char *images_dir;

/* Lives as long as the test. */
static inline const char *
image_path(const char *name)
{
    g_autofree char *path = NULL;

    if (!images_dir)
        images_dir = g_dir_make_tmp("backplane-boot.XXXXXX", NULL);
    path = g_build_filename(images_dir, name, NULL);
    return g_intern_string(path);
}

static inline const char *
image_write(const char *name, const void *bytes, size_t len)
{
    const char *path = image_path(name);
    FILE *f;

    g_remove(path); /* some file systems flush a file that is truncated and written again */
    f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
        abort();
    return path;
}

static inline void
images_remove(void)
{
    GDir *dir = images_dir ? g_dir_open(images_dir, 0, NULL) : NULL;
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        g_remove(image_path(name));
    if (dir)
        g_dir_close(dir);
    if (images_dir)
        g_rmdir(images_dir);
    g_clear_pointer(&images_dir, g_free);
}

/* ---- a machine ----------------------------------------------------------------------------------
 */

struct machine {
    struct memory *mem;
    struct e820 *e820;
    struct boot *boot;
    struct boot_entry entry;
    GError *error;
};

static inline struct machine
machine_new(uint64_t ram)
{
    struct memory_config config = {.size_bytes = ram};
    struct machine m = {.mem = memory_new(&config, NULL)};

    if (!m.mem)
        abort();
    m.e820 = e820_new(m.mem);
    return m;
}

/* Open and load; the error, if any, is in m->error. */
static inline bool
machine_load(struct machine *m, const struct boot_config *config, uint64_t rsdp)
{
    g_clear_error(&m->error);
    g_clear_pointer(&m->boot, boot_free);
    m->boot = boot_new(config, m->mem, &m->error);
    return m->boot && boot_load(m->boot, m->e820, rsdp, &m->entry, &m->error);
}

static inline void
machine_free(struct machine *m)
{
    g_clear_error(&m->error);
    boot_free(m->boot);
    e820_free(m->e820);
    memory_free(m->mem);
}

static inline uint64_t
guest(struct machine *m, uint64_t gpa, unsigned width)
{
    uint8_t bytes[8];

    if (memory_read(m->mem, gpa, bytes, width) != 0) {
        printf("# no memory at 0x%" PRIx64 "\n", gpa);
        return UINT64_C(0xdeaddeaddeaddead);
    }
    return get(bytes, width);
}

static inline bool
guest_is(struct machine *m, uint64_t gpa, const void *bytes, size_t len)
{
    g_autofree uint8_t *got = g_malloc(len + 1);

    return memory_read(m->mem, gpa, got, len) == 0 && memcmp(got, bytes, len) == 0;
}

/* True for an error that a user can act on: code, `PATH: what; what to do`. */
static inline bool
good_error(const GError *error, const char *path)
{
    return error && error->domain == CORE_ERROR && error->code == CORE_ERROR_CONFIG &&
           g_str_has_prefix(error->message, path) &&
           strncmp(error->message + strlen(path), ": ", 2) == 0 && !strchr(error->message, '\n');
}

/* One case that must be refused with text in its message; prints the message. */
static inline void
refused(const char *what, const struct boot_config *config, uint64_t ram, const char *path,
        const char *text)
{
    struct machine m = machine_new(ram);
    bool loaded = machine_load(&m, config, 0);

    ok(!loaded && good_error(m.error, path) && strstr(m.error->message, text), "refused: %s (%s)",
       what, text);
    printf("# %s\n", m.error ? m.error->message : loaded ? "loaded" : "no message");
    machine_free(&m);
}

/* Any bytes either load to a sane state or fail with a good error. */
static inline bool
sane(const char *path, uint64_t ram)
{
    struct boot_config config = {.kernel = path, .cmdline = "a b c"};
    struct machine m = machine_new(ram);
    bool good;

    if (machine_load(&m, &config, 0xe0000))
        good = m.entry.mode != BOOT_RESET && memory_region_at(m.mem, m.entry.rip) &&
               m.entry.rip < GIB(4) && m.entry.protocol[0];
    else
        good = good_error(m.error, path);
    if (!good)
        printf("# rip 0x%" PRIx64 ", %s\n", m.entry.rip, m.error ? m.error->message : "no error");
    machine_free(&m);
    return good;
}

/* Cuts a file at every length, and changes bytes and fields of it at random. */
static inline void
mangle(const char *name, const uint8_t *bytes, size_t len, size_t header_len, uint64_t ram)
{
    static const uint64_t odd[] = {
        0,        1,          0x7f,       0x80,       0xff,       0x100,  0x7fff,    0xffff,
        0x100000, 0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff, GIB(4), INT64_MAX, UINT64_MAX};
    g_autoptr(GRand) random = g_rand_new_with_seed(42);
    g_autofree uint8_t *copy = g_malloc(len);
    unsigned bad = 0, n = 0;

    for (size_t cut = 1; cut < len; cut += cut < header_len ? 3 : 61, n++)
        bad += !sane(image_write("cut", bytes, cut), ram);
    ok(bad == 0, "%s, cut at %u places: an error or a sane state each time", name, n);
    bad = 0;
    for (n = 0; n < 1000; n++) {
        memcpy(copy, bytes, len);
        for (int i = g_rand_int_range(random, 1, 4); i; i--) {
            static const unsigned widths[] = {1, 2, 4, 8};
            unsigned width = widths[g_rand_int_range(random, 0, 4)];
            size_t at = (size_t)g_rand_int_range(random, 0, (gint32)(header_len - 8));
            uint64_t v = odd[g_rand_int_range(random, 0, G_N_ELEMENTS(odd))];

            put(copy + at, g_rand_boolean(random) ? v : g_rand_int(random), width);
        }
        bad += !sane(image_write("mangled", copy, len), ram);
    }
    ok(bad == 0, "%s, mangled %u times: an error or a sane state each time", name, n);
}

/* What every protocol but firmware promises of segments and control registers. */
static inline void
check_flat(const struct machine *m, bool is_long)
{
    const struct boot_entry *e = &m->entry;

    ok(e->mode == (is_long ? BOOT_LONG : BOOT_PROTECTED), "mode");
    ok(e->cs.base == 0 && e->cs.limit == UINT32_MAX && e->cs.type == 11 && e->cs.s == 1 &&
           e->cs.present == 1 && e->cs.g == 1 && e->cs.dpl == 0 && e->cs.l == is_long &&
           e->cs.db == !is_long,
       "flat code segment");
    ok(e->data.base == 0 && e->data.limit == UINT32_MAX && e->data.type == 3 && e->data.s == 1 &&
           e->data.present == 1 && e->data.g == 1 && e->data.dpl == 0,
       "flat data segments");
    ok(e->tr.present == 1 && e->tr.s == 0 && e->tr.type == 11, "a busy TSS");
    ok(e->rflags == 2, "interrupts off");
    ok((e->cr0 & 1) && ((e->cr0 >> 31) & 1) == is_long, "protection on, paging as the mode wants");
    ok(e->cr4 == (is_long ? 0x20 : 0) && e->efer == (is_long ? 0x500 : 0), "cr4 and efer");
}

#endif
