/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot.c - opens what the config names, finds the protocol that takes the kernel, and the helpers
 * that put our own structures into guest memory.
 */
#include <inttypes.h>

#include "core/boot/internal.h"
#include "core/error.h"

static gboolean
check_config(const struct boot_config *config, GError **error)
{
    const char *problem = NULL;

    if (!config->kernel && !config->firmware)
        problem = "nothing to boot; give `kernel` or `firmware`";
    else if (config->kernel && config->firmware)
        problem = "both `kernel` and `firmware`; give one of them";
    else if (!config->kernel && config->initrd)
        problem = "`initrd` goes with a kernel and there is only firmware; remove it";
    else if (!config->kernel && config->n_modules)
        problem = "`modules` go with a kernel and there is only firmware; remove them";
    else if (!config->kernel && config->cmdline && *config->cmdline)
        problem = "`cmdline` goes with a kernel and there is only firmware; remove it";
    if (!problem)
        return TRUE;
    g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG, "boot: %s", problem);
    return FALSE;
}

static gboolean
open_all(struct boot *boot, const struct boot_config *config, GError **error)
{
    if (config->kernel && !boot_file_open(&boot->kernel, config->kernel, "kernel", error))
        return FALSE;
    if (config->initrd && !boot_file_open(&boot->initrd, config->initrd, "initrd", error))
        return FALSE;
    if (config->firmware && !boot_file_open(&boot->firmware, config->firmware, "firmware", error))
        return FALSE;
    boot->modules = g_new0(struct boot_blob, config->n_modules);
    for (unsigned i = 0; i < config->n_modules; i++) {
        struct boot_blob *module = &boot->modules[i];

        boot->n_modules++;
        module->string = g_strdup(config->modules[i].string);
        if (!boot_file_open(&module->file, config->modules[i].path, "module", error))
            return FALSE;
    }
    return TRUE;
}

/* A file that is too short or cannot be read is found out when it is loaded. */
static bool
looks_like_linux(const struct boot_file *kernel)
{
    uint8_t head[1024];

    return kernel->size >= sizeof head && boot_file_read(kernel, 0, head, sizeof head, NULL) &&
           bzimage_probe(head, sizeof head);
}

struct boot *
boot_new(const struct boot_config *config, struct memory *mem, GError **error)
{
    struct boot *boot;

    if (!check_config(config, error))
        return NULL;
    boot = g_new0(struct boot, 1);
    boot->mem = mem;
    boot->cmdline = g_strdup(config->cmdline ? config->cmdline : "");
    boot->kernel.fd = boot->initrd.fd = boot->firmware.fd = -1;
    if (!open_all(boot, config, error)) {
        boot_free(boot);
        return NULL;
    }
    boot->is_linux = config->kernel && looks_like_linux(&boot->kernel);
    return boot;
}

bool
boot_is_linux(const struct boot *boot)
{
    return boot->is_linux;
}

void
boot_free(struct boot *boot)
{
    if (!boot)
        return;
    (void)!memory_shadow_rom(boot->mem, NULL);
    memory_region_free(boot->rom);
    boot_file_close(&boot->kernel);
    boot_file_close(&boot->initrd);
    boot_file_close(&boot->firmware);
    for (unsigned i = 0; i < boot->n_modules; i++) {
        boot_file_close(&boot->modules[i].file);
        g_free(boot->modules[i].string);
    }
    g_free(boot->modules);
    g_free(boot->cmdline);
    g_free(boot);
}

static gboolean
no_room(const struct boot_file *file, GError **error, uint64_t len, const char *what)
{
    return boot_file_error(
        file, error, "no RAM is left for %s (%" PRIu64 " bytes); give the machine more memory",
        what, len);
}

gboolean
boot_put(struct boot_loader *loader, const void *bytes, uint64_t len, uint64_t align,
         const char *what, uint64_t *ret_gpa, GError **error)
{
    if (!layout_lowest(loader->layout, BOOT_LOW_MIN, BOOT_4GIB, len, align, what, ret_gpa) ||
        (bytes ? memory_write(loader->mem, *ret_gpa, bytes, len)
               : memory_zero(loader->mem, *ret_gpa, len)) != 0)
        return no_room(&loader->boot->kernel, error, len, what);
    return TRUE;
}

gboolean
boot_put_cmdline(struct boot_loader *loader, uint64_t max, uint64_t *ret_gpa, GError **error)
{
    const char *cmdline = loader->boot->cmdline;
    size_t len = strlen(cmdline);

    max = MIN(max, BOOT_CMDLINE_MAX);
    if (len > max)
        return boot_file_error(&loader->boot->kernel, error,
                               "the command line has %zu bytes and this kernel takes at most "
                               "%" PRIu64 "; shorten `cmdline`",
                               len, max);
    return boot_put(loader, cmdline, len + 1, 16, "the command line", ret_gpa, error);
}

unsigned
boot_n_modules(const struct boot *boot)
{
    return boot->n_modules + (boot->initrd.fd >= 0);
}

gboolean
boot_put_modules(struct boot_loader *loader, uint64_t min, struct boot_placed *placed,
                 GError **error)
{
    const struct boot *boot = loader->boot;
    unsigned n = 0;

    for (unsigned i = boot->initrd.fd >= 0 ? 0 : 1; i <= boot->n_modules; i++, n++) {
        const struct boot_file *file = i == 0 ? &boot->initrd : &boot->modules[i - 1].file;
        const char *string = i == 0 ? NULL : boot->modules[i - 1].string;
        struct boot_placed *to = &placed[n];

        to->len = file->size;
        if (!layout_lowest(loader->layout, MAX(min, BOOT_1MIB), BOOT_4GIB, file->size, BOOT_PAGE,
                           "a module", &to->gpa))
            return no_room(file, error, file->size, i == 0 ? "the initrd" : "the module");
        if (!boot_file_load(file, 0, file->size, loader->mem, to->gpa, error))
            return FALSE;
        to->string = 0;
        if (string && !boot_put(loader, string, strlen(string) + 1, 8, "a module's command line",
                                &to->string, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
unknown_kernel(const struct boot_loader *loader, GError **error)
{
    g_autofree char *what = boot_identify(loader->head, loader->head_len);

    return boot_file_error(&loader->boot->kernel, error, "%s", what);
}

/* PVH before multiboot: a kernel with both is a 64-bit ELF, which multiboot does not take. */
static gboolean
load_elf_or_multiboot(struct boot_loader *loader, struct boot_entry *entry, GError **error)
{
    struct multiboot_header header;
    bool multiboot = multiboot_probe(loader->head, loader->head_len, &header);
    struct elf_image image = {0};
    bool elf = false, pvh = false;
    uint64_t pvh_entry = 0;
    gboolean good;

    if (elf_probe(loader->head, loader->head_len)) {
        g_autoptr(GError) elf_error = NULL;

        elf = elf_parse(loader, &image, &elf_error);
        if (!elf && !(multiboot && (header.flags & MULTIBOOT_HAS_ADDRESSES))) {
            g_propagate_error(error, g_steal_pointer(&elf_error));
            return FALSE;
        }
    }
    if (elf && !pvh_probe(loader, &image, &pvh, &pvh_entry, error))
        good = FALSE;
    else if (pvh)
        good = pvh_load(loader, &image, pvh_entry, entry, error);
    else if (multiboot)
        good = multiboot_load(loader, &header, elf ? &image : NULL, entry, error);
    else
        good = unknown_kernel(loader, error);
    elf_clear(&image);
    return good;
}

static gboolean
load_kernel(struct boot_loader *loader, struct boot_entry *entry, GError **error)
{
    g_autofree uint8_t *head = NULL;
    const struct boot_file *file = &loader->boot->kernel;

    loader->head_len = (size_t)MIN(file->size, BOOT_HEAD);
    head = g_malloc(loader->head_len);
    if (!boot_file_read(file, 0, head, loader->head_len, error))
        return FALSE;
    loader->head = head;
    return bzimage_probe(head, loader->head_len) ? bzimage_load(loader, entry, error)
                                                 : load_elf_or_multiboot(loader, entry, error);
}

gboolean
boot_load(struct boot *boot, struct e820 *e820, uint64_t rsdp, struct boot_entry *ret_entry,
          GError **error)
{
    struct boot_loader loader = {.boot = boot, .mem = boot->mem, .e820 = e820, .rsdp = rsdp};
    struct boot_entry entry = {0};
    gboolean good;

    if (boot->firmware.fd >= 0) {
        good = firmware_load(boot, &entry, error);
    } else {
        loader.layout = layout_new(e820);
        good = load_kernel(&loader, &entry, error);
        layout_free(loader.layout);
    }
    if (good)
        *ret_entry = entry;
    return good;
}
