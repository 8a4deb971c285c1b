/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CPUID of a vCPU from made-up lists of KVM: an Intel one and an AMD one.
 */
#include "core/kvm/cpuid.h"

#include <errno.h>
#include <glib.h>

#include "tests/tap.h"

#define INDEX KVM_CPUID_FLAG_SIGNIFCANT_INDEX

static struct kvm_cpuid2 *
list_new(const struct kvm_cpuid_entry2 *entries, unsigned n)
{
    struct kvm_cpuid2 *list = g_malloc0(sizeof *list + CPUID_ENTRIES_MAX * sizeof entries[0]);

    list->nent = n;
    memcpy(list->entries, entries, n * sizeof entries[0]);
    return list;
}

static const struct kvm_cpuid_entry2 *
find(const struct kvm_cpuid2 *list, uint32_t function, uint32_t index)
{
    static const struct kvm_cpuid_entry2 none;
    const struct kvm_cpuid_entry2 *found = &none;
    unsigned n = 0;

    for (unsigned i = 0; i < list->nent; i++)
        if (list->entries[i].function == function && list->entries[i].index == index) {
            found = &list->entries[i];
            n++;
        }
    if (n > 1)
        ok(0, "leaf %x occurs %u times", function, n);
    return found;
}

static const struct kvm_cpuid_entry2 intel[] = {
    {.function = 0, .eax = 0x1f, .ebx = 0x756e6547, .edx = 0x49656e69, .ecx = 0x6c65746e},
    {.function = 1, .eax = 0x50654, .ebx = 0x07100800, .ecx = 1u << 5 | 1u << 15 | 1u << 21},
    {.function = 4, .index = 0, .flags = INDEX, .eax = 0xfc00c121}, /* L1 data, shared by 4 */
    {.function = 4, .index = 1, .flags = INDEX, .eax = 0xfc00c163}, /* L3 */
    {.function = 4, .index = 2, .flags = INDEX, .eax = 0},
    {.function = 7, .index = 0, .flags = INDEX, .ebx = 0x1234},
    {.function = 0xa, .eax = 0x07300404, .edx = 0x603},
    {.function = 0xb, .index = 0, .flags = INDEX, .eax = 1, .ebx = 2, .ecx = 0x100, .edx = 77},
    {.function = 0x1f, .index = 0, .flags = INDEX, .eax = 1, .ebx = 2, .ecx = 0x100, .edx = 77},
    {.function = 0x40000000, .eax = 0x40000001, .ebx = 0x4b4d564b},
    {.function = 0x40000001, .eax = 0x01007afb},
    {.function = 0x80000001, .ecx = 1u << 2 | 1},
    {.function = 0x80000008, .eax = 0x302e, .ecx = 0x5555},
};

static const struct kvm_cpuid_entry2 amd[] = {
    {.function = 0, .eax = 0x10, .ebx = 0x68747541, .edx = 0x69746e65, .ecx = 0x444d4163},
    {.function = 1, .ecx = 0, .edx = 1u << 28},
    {.function = 0x80000001, .ecx = 1u << 22},
    {.function = 0x80000008, .eax = 0x3030, .ecx = 0x7},
    {.function = 0x8000000a, .eax = 1, .edx = 0xff},
    {.function = 0x8000001d, .index = 0, .flags = INDEX, .eax = 0xfc121 | 1u << 14},
    {.function = 0x8000001d, .index = 3, .flags = INDEX, .eax = 0x3c163},
    {.function = 0x8000001e, .eax = 9, .ebx = 0x109, .ecx = 0x302},
};

static void
test_intel(void)
{
    struct kvm_cpuid2 *host = list_new(intel, G_N_ELEMENTS(intel)), *out = list_new(intel, 0);
    struct cpuid_params params = {.index = 5, .cpus = 6, .tsc_deadline = true};
    const struct kvm_cpuid_entry2 *e;

    eq_int(cpuid_build(host, &params, out), 0, "built");
    e = find(out, 1, 0);
    eq_int(e->ebx >> 24, 5, "leaf 1: APIC id");
    eq_int(e->ebx >> 16 & 0xff, 8, "ids in the package, a power of two");
    eq_int(e->ebx & 0xffff, 0x0800, "the rest stays");
    eq_int(e->ecx, 1u << 31 | 1u << 24 | 1u << 21, "hypervisor, TSC deadline; no VMX, no PDCM");
    eq_int(e->edx >> 28 & 1, 1, "HTT");
    e = find(out, 4, 0);
    eq_int(e->eax >> 14 & 0xfff, 0, "leaf 4: L1 is a core's own");
    eq_int(e->eax >> 26, 7, "core ids in the package");
    eq_int(e->eax & 0x3fff, 0x121, "the rest stays");
    eq_int(find(out, 4, 1)->eax >> 14 & 0xfff, 7, "L3 is the package's");
    eq_int(find(out, 4, 2)->eax, 0, "the end stays the end");
    eq_int(find(out, 0xa, 0)->eax, 0, "no PMU");
    for (unsigned leaf = 0xb; leaf <= 0x1f; leaf += 0x14) {
        e = find(out, leaf, 0);
        ok(e->eax == 0 && e->ebx == 1 && e->ecx == 0x100 && e->edx == 5 && e->flags == INDEX,
           "leaf %x: one thread a core", leaf);
        e = find(out, leaf, 1);
        ok(e->eax == 3 && e->ebx == 6 && e->ecx == 0x201 && e->edx == 5, "six cores, three bits");
        e = find(out, leaf, 2);
        ok(e->eax == 0 && e->ebx == 0 && e->ecx == 2 && e->edx == 5, "the end");
    }
    eq_int(find(out, 7, 0)->ebx, 0x1234, "other leaves stay");
    eq_int(find(out, 0x40000001, 0)->eax, 0x01007afb, "the paravirtual ones too");
    eq_int(find(out, 0x80000001, 0)->ecx, 1, "no SVM, no legacy bit");
    eq_int(find(out, 0x80000008, 0)->ecx, 0, "leaf 80000008 is AMD's");
    eq_int(cpuid_phys_bits(out), 46, "physical address bits");

    params = (struct cpuid_params){.index = 0, .cpus = 1};
    eq_int(cpuid_build(host, &params, out), 0, "one vCPU");
    e = find(out, 1, 0);
    ok(e->ebx >> 16 == 1 && !(e->edx >> 28 & 1), "one id, no HTT");
    eq_int(e->ecx >> 24 & 1, 0, "no TSC deadline where KVM has none");
    e = find(out, 0xb, 1);
    ok(e->eax == 0 && e->ebx == 1, "one core, no bits");

    params = (struct cpuid_params){.index = 199, .cpus = 200};
    eq_int(cpuid_build(host, &params, out), 0, "200 vCPUs");
    e = find(out, 1, 0);
    ok(e->ebx >> 24 == 199 && (e->ebx >> 16 & 0xff) == 255, "ids of leaf 1 at their limit");
    eq_int(find(out, 4, 0)->eax >> 26, 63, "and those of leaf 4");
    ok(find(out, 0xb, 1)->eax == 8 && find(out, 0xb, 1)->ebx == 200, "leaf b has them all");
    g_free(host);
    g_free(out);
}

static void
test_amd(void)
{
    struct kvm_cpuid2 *host = list_new(amd, G_N_ELEMENTS(amd)), *out = list_new(amd, 0);
    struct cpuid_params params = {.index = 2, .cpus = 4};
    const struct kvm_cpuid_entry2 *e;

    eq_int(cpuid_build(host, &params, out), 0, "AMD: built");
    eq_int(find(out, 0x80000001, 0)->ecx, 1u << 22 | 2, "cores, not threads");
    eq_int(find(out, 0x80000008, 0)->ecx, 2u << 12 | 3, "four cores, two bits");
    eq_int(find(out, 0x8000000a, 0)->edx, 0, "no SVM");
    eq_int(find(out, 0x8000001d, 0)->eax, 0x121, "L1 is a core's own");
    eq_int(find(out, 0x8000001d, 3)->eax, 0x163 | 3u << 14, "L3 is the package's");
    e = find(out, 0x8000001e, 0);
    ok(e->eax == 2 && e->ebx == 2 && e->ecx == 0, "APIC id, core id, one node");
    eq_int(find(out, 0xb, 1)->edx, 2, "leaf b, as the highest leaf allows");
    eq_int(find(out, 0x1f, 0)->ecx, 0, "no leaf 1f");
    params = (struct cpuid_params){.index = 0, .cpus = 1};
    eq_int(cpuid_build(host, &params, out), 0, "one vCPU");
    eq_int(find(out, 0x80000001, 0)->ecx, 1u << 22, "no cores to tell apart");
    eq_int(find(out, 1, 0)->edx, 0, "the host's HTT bit goes");
    g_free(host);
    g_free(out);
}

static void
test_limits(void)
{
    struct kvm_cpuid2 *host = list_new(intel, G_N_ELEMENTS(intel)), *out = list_new(intel, 0);
    struct cpuid_params params = {.index = 0, .cpus = 1};

    host->nent = CPUID_ENTRIES_MAX;
    for (unsigned i = G_N_ELEMENTS(intel); i < CPUID_ENTRIES_MAX; i++)
        host->entries[i] = (struct kvm_cpuid_entry2){.function = 0x1000 + i};
    eq_int(cpuid_build(host, &params, out), -E2BIG, "a list that is full");
    host->nent = 0;
    eq_int(cpuid_build(host, &params, out), 0, "an empty one");
    eq_int(out->nent, 0, "stays empty");
    eq_int(cpuid_phys_bits(host), 36, "with the least address bits");
    ok(cpuid_host_phys_bits() >= 32, "this processor has %u", cpuid_host_phys_bits());
    g_free(host);
    g_free(out);
}

int
main(void)
{
    test_intel();
    test_amd();
    test_limits();
    return done_testing();
}
