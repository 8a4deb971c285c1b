/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - the program `backplane`. */
#include <stdio.h>

#include "core/error.h"

int
main(void)
{
    fprintf(stderr, "backplane: no subcommand yet\n");
    return CORE_ERROR_CONFIG;
}
