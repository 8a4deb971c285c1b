/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz-plugin.c - what is read of a plugin file before it is opened as code. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/plugin/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    GError *error = NULL;
    struct elf_info info;

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    if (elf_read(fd, "fuzz", &info, &error))
        elf_info_clear(&info);
    else
        g_error_free(error);
    close(fd);
    return 0;
}
