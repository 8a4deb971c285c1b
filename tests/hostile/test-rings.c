/* SPDX-License-Identifier: BSD-3-Clause */
/* test-rings.c - bad rings and bad chains against libbackplane-virtio. */
#include "hostile.h"

int
main(void)
{
    hostile_run(&toy_target, ring_cases, n_ring_cases);
    hostile_run(&toy_target, toy_ring_cases, n_toy_ring_cases);
    hostile_run(&toy_target, chain_cases, n_chain_cases);
    hostile_run(&toy_target, toy_chain_cases, n_toy_chain_cases);
    return hostile_end();
}
