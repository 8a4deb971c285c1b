/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz-elf.c - loads the input as a kernel; the corpus is about ELF files and the PVH protocol. */
#include "config.h"

#include "tests/fuzz/boot-target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    boot_target_run(data, size, TRUE, 2);
    return 0;
}
