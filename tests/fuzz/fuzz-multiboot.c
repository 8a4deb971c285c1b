/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz-multiboot.c - loads the input as a kernel; the corpus is about multiboot kernels. */
#include "config.h"

#include "tests/fuzz/boot-target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    boot_target_run(data, size, FALSE, 3);
    return 0;
}
