/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpuid.h - what CPUID tells a guest on one vCPU: KVM's list with the vCPU's place filled in.
 *
 * Pure computation on struct kvm_cpuid2, so that a test needs no KVM. The machine is one package of
 * one-thread cores; APIC ids are 0 to cpus - 1.
 */
#ifndef CORE_KVM_CPUID_H
#define CORE_KVM_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#define CPUID_ENTRIES_MAX 256

struct cpuid_params {
    unsigned index, cpus;
    bool tsc_deadline; /* KVM has the timer mode, though its list never says so */
};

/* host: from KVM_GET_SUPPORTED_CPUID. Room for CPUID_ENTRIES_MAX entries in out. 0, or -E2BIG. */
int cpuid_build(const struct kvm_cpuid2 *host, const struct cpuid_params *params,
                struct kvm_cpuid2 *out) __attribute__((warn_unused_result));

/* Width of a guest's physical addresses in such a list. */
unsigned cpuid_phys_bits(const struct kvm_cpuid2 *list);

/* The same of the CPU that we run on, where there is no KVM to ask. */
unsigned cpuid_host_phys_bits(void);

#endif
