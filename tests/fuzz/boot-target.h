/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot-target.h - what the three kernel loaders' fuzz targets share: the input is the file of a
 * kernel; it must load to a state that makes sense or fail with an error, whatever it is.
 */
#ifndef TESTS_FUZZ_BOOT_TARGET_H
#define TESTS_FUZZ_BOOT_TARGET_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/boot/boot.h"
#include "core/error.h"

#define BOOT_TARGET_RAM (UINT64_C(64) << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void
boot_target_check(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "boot target: %s\n", what);
    abort();
}

/* The file again as its own initrd and as modules: loads have more to place then. */
static inline void
boot_target_run(const uint8_t *data, size_t size, gboolean initrd, unsigned n_modules)
{
    static struct memory *mem;
    static struct e820 *e820;
    static int fd;
    static char path[64];
    struct memory_config memory_config = {.size_bytes = BOOT_TARGET_RAM};
    struct boot_module modules[3] = {{path, "one"}, {path, NULL}, {path, ""}};
    struct boot_config config = {.kernel = path,
                                 .initrd = initrd ? path : NULL,
                                 .cmdline = "console=none",
                                 .modules = modules,
                                 .n_modules = n_modules};
    struct boot_entry entry = {0};
    g_autoptr(GError) error = NULL;
    struct boot *boot;
    uint8_t byte;

    if (!mem) {
        mem = memory_new(&memory_config, NULL);
        boot_target_check(mem != NULL, "no memory");
        e820 = e820_new(mem);
        fd = memfd_create("kernel", MFD_CLOEXEC);
        boot_target_check(fd >= 0, "no memfd");
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    boot_target_check(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size,
                      "cannot write the file");
    boot = boot_new(&config, mem, &error);
    if (boot && boot_load(boot, e820, 0xe0000, &entry, &error)) {
        boot_target_check(!error, "loaded, and an error");
        boot_target_check(memory_read(mem, entry.rip, &byte, 1) == 0, "entry is not in RAM");
        boot_target_check(entry.mode == BOOT_LONG || entry.mode == BOOT_PROTECTED, "mode");
        boot_target_check(
            memory_read(mem, entry.mode == BOOT_LONG ? entry.rsi : entry.rbx, &byte, 1) == 0,
            "structures are not in RAM");
    } else {
        boot_target_check(error && error->code == CORE_ERROR_CONFIG &&
                              g_str_has_prefix(error->message, path),
                          "an error without the file's name");
    }
    boot_free(boot);
    boot_target_check(memory_reset(mem) == 0, "reset");
}

#endif
