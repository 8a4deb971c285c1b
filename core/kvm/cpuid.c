/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpuid.c - fills a vCPU's place into KVM's list. See cpuid.h.
 *
 * Leaf numbers and bits: Intel SDM vol. 2A "CPUID", AMD APM vol. 3 appendix E, and for 0x40000000
 * on the kernel's Documentation/virt/kvm/x86/cpuid.rst. What has no case here is passed on as KVM
 * gave it, the paravirtual leaves included.
 */
#include "core/kvm/cpuid.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>

#define BIT(n) (UINT32_C(1) << (n))

/* Cache type in bits 4-0 of leaf 4 and 0x8000001d, level in bits 7-5. */
#define CACHE_TYPE(eax)  ((eax)&31)
#define CACHE_LEVEL(eax) ((eax) >> 5 & 7)

struct topology {
    unsigned apic_id, cpus;
    unsigned bits;  /* of the APIC id that count the cores of the package */
    unsigned slots; /* 1 << bits: core ids that can be told apart */
    bool amd;
};

static void
topology_init(struct topology *topology, const struct kvm_cpuid2 *host,
              const struct cpuid_params *params)
{
    *topology = (struct topology){.apic_id = params->index, .cpus = params->cpus, .slots = 1};
    while (topology->slots < params->cpus) {
        topology->slots *= 2;
        topology->bits++;
    }
    for (unsigned i = 0; i < host->nent; i++)
        if (host->entries[i].function == 0) {
            const struct kvm_cpuid_entry2 *e = &host->entries[i];

            topology->amd = e->ebx == signature_AMD_ebx ||
                            e->ebx == 0x6f677948; /* "HygonGenuine", the same design */
        }
}

/* How many core ids, less one, share a cache: the last level is the package's, others a core's. */
static uint32_t
cache_sharing(const struct topology *topology, uint32_t eax)
{
    uint32_t sharing = CACHE_LEVEL(eax) >= 3 ? topology->slots - 1 : 0;

    return sharing > 0xfff ? 0xfff : sharing;
}

static void
cpuid_fix(struct kvm_cpuid_entry2 *e, const struct topology *topology,
          const struct cpuid_params *params)
{
    switch (e->function) {
    case 1:
        e->ebx = (e->ebx & 0xffff) | topology->apic_id << 24 |
                 (topology->slots > 255 ? 255 : topology->slots) << 16;
        e->ecx |= BIT(31);                       /* runs on a hypervisor */
        e->ecx &= ~(BIT(24) | BIT(15) | BIT(5)); /* TSC deadline; no perf MSRs, no VMX */
        if (params->tsc_deadline)
            e->ecx |= BIT(24);
        e->edx &= ~BIT(28); /* several logical processors in the package */
        if (topology->cpus > 1)
            e->edx |= BIT(28);
        break;
    case 4:
        if (CACHE_TYPE(e->eax) == 0)
            break;
        e->eax &= 0x3fff;
        e->eax |= (topology->slots > 64 ? 63 : topology->slots - 1) << 26 |
                  cache_sharing(topology, e->eax) << 14;
        break;
    case 0xa:        /* the PMU is off: its state would have to survive a reset */
    case 0x8000000a: /* and so is nested virtualization */
    case 0x80000022:
        e->eax = e->ebx = e->ecx = e->edx = 0;
        break;
    case 0x80000001:
        e->ecx &= ~(BIT(2) | BIT(1)); /* no SVM; legacy HTT bit means cores */
        if (topology->amd && topology->cpus > 1)
            e->ecx |= BIT(1);
        break;
    case 0x80000008:
        e->ecx = 0;
        if (topology->amd)
            e->ecx = topology->bits << 12 | (topology->cpus > 256 ? 255 : topology->cpus - 1);
        break;
    case 0x8000001d:
        if (CACHE_TYPE(e->eax) == 0)
            break;
        e->eax = (e->eax & 0x3fff) | cache_sharing(topology, e->eax) << 14;
        break;
    case 0x8000001e:
        e->eax = topology->apic_id;
        e->ebx = topology->apic_id & 0xff; /* core id; one thread a core */
        e->ecx = e->edx = 0;               /* node 0 of one */
        break;
    case 0x80000026:
        e->eax = e->ebx = e->ecx = e->edx = 0; /* leaf 0xb says it */
        break;
    default:
        break;
    }
}

static uint32_t
cpuid_max_leaf(const struct kvm_cpuid2 *host)
{
    for (unsigned i = 0; i < host->nent; i++)
        if (host->entries[i].function == 0)
            return host->entries[i].eax;
    return 0;
}

/* Leaf 0xb or 0x1f: threads of a core, cores of the package, the end. */
static int
cpuid_add_topology(struct kvm_cpuid2 *out, uint32_t leaf, const struct topology *topology)
{
    const struct {
        uint32_t eax, ebx, type;
    } levels[] = {{0, 1, 1}, {topology->bits, topology->cpus, 2}, {0, 0, 0}};

    for (unsigned i = 0; i < 3; i++) {
        if (out->nent == CPUID_ENTRIES_MAX)
            return -E2BIG;
        out->entries[out->nent++] =
            (struct kvm_cpuid_entry2){.function = leaf,
                                      .index = i,
                                      .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
                                      .eax = levels[i].eax,
                                      .ebx = levels[i].ebx,
                                      .ecx = i | levels[i].type << 8,
                                      .edx = topology->apic_id};
    }
    return 0;
}

int
cpuid_build(const struct kvm_cpuid2 *host, const struct cpuid_params *params,
            struct kvm_cpuid2 *out)
{
    struct topology topology;
    uint32_t max = cpuid_max_leaf(host);
    int err = 0;

    topology_init(&topology, host, params);
    out->nent = 0;
    out->padding = 0;
    for (unsigned i = 0; i < host->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &host->entries[i];

        if (e->function == 0xb || e->function == 0x1f)
            continue;
        if (out->nent == CPUID_ENTRIES_MAX)
            return -E2BIG;
        out->entries[out->nent] = *e;
        cpuid_fix(&out->entries[out->nent++], &topology, params);
    }
    if (max >= 0xb)
        err = cpuid_add_topology(out, 0xb, &topology);
    if (!err && max >= 0x1f && !topology.amd)
        err = cpuid_add_topology(out, 0x1f, &topology);
    return err;
}

unsigned
cpuid_phys_bits(const struct kvm_cpuid2 *list)
{
    for (unsigned i = 0; i < list->nent; i++)
        if (list->entries[i].function == 0x80000008)
            return list->entries[i].eax & 0xff;
    return 36; /* what every processor with PAE has */
}

unsigned
cpuid_host_phys_bits(void)
{
    unsigned eax, ebx, ecx, edx;

    return __get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx) ? eax & 0xff : 36;
}
