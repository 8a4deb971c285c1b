/* SPDX-License-Identifier: BSD-3-Clause */
/* test-registers.c - bad uses of registers, and of the device while it works. */
#include "hostile.h"

int
main(void)
{
    hostile_run(&toy_target, register_cases, n_register_cases);
    hostile_run(&toy_target, flight_cases, n_flight_cases);
    return hostile_end();
}
