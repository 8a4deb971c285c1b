/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - the registers of a vCPU: its power-on state saved and restored, its first instruction.
 *
 * KVM has no "reset" of a vCPU from outside, so everything that a guest can change is read when the
 * vCPU has just been made and written back for a reset.
 */
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/kvm/internal.h"

#define MSR_TSC            UINT32_C(0x10)
#define MSR_APIC_BASE      UINT32_C(0x1b)
#define MSR_SYSENTER_CS    UINT32_C(0x174)
#define MSR_SYSENTER_ESP   UINT32_C(0x175)
#define MSR_SYSENTER_EIP   UINT32_C(0x176)
#define MSR_MISC_ENABLE    UINT32_C(0x1a0)
#define MSR_MTRR_DEF_TYPE  UINT32_C(0x2ff)
#define MSR_TSC_DEADLINE   UINT32_C(0x6e0)
#define MSR_STAR           UINT32_C(0xc0000081)
#define MSR_LSTAR          UINT32_C(0xc0000082)
#define MSR_CSTAR          UINT32_C(0xc0000083)
#define MSR_SYSCALL_MASK   UINT32_C(0xc0000084)
#define MSR_KERNEL_GS_BASE UINT32_C(0xc0000102)
#define MSRS_AT_ONCE       128u /* the kernel takes fewer than 256 */

#define MISC_ENABLE_FAST_STRING UINT64_C(1)
#define MTRR_ENABLED_WRITE_BACK UINT64_C(0x806)

#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LVT_MASK        UINT32_C(0x1e700) /* delivery mode, polarity, trigger, mask */
#define LVT_EXTINT      UINT32_C(0x700)
#define LVT_NMI         UINT32_C(0x400)

static gboolean
state_fail(GError **error, const struct vcpu *vcpu, const char *what, int err)
{
    g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "vCPU %u: %s: %s", vcpu->index, what,
                g_strerror(-err));
    return FALSE;
}

/*
 * Read or write all of entries, skipping those that this KVM refuses; returns how many were done,
 * which are moved to the front, or -errno.
 */
static int
msrs_transfer(const struct vcpu *vcpu, unsigned long request, struct kvm_msr_entry *entries,
              unsigned n)
{
    struct kvm_msrs *list = g_malloc(sizeof *list + MSRS_AT_ONCE * sizeof list->entries[0]);
    unsigned next = 0, kept = 0;
    int done = 0;

    while (next < n && done >= 0) {
        unsigned part = MIN(n - next, MSRS_AT_ONCE);

        list->nmsrs = part;
        list->pad = 0;
        memcpy(list->entries, &entries[next], part * sizeof entries[0]);
        done = kvm_ioctl(vcpu->fd, request, list);
        if (done > 0) {
            memcpy(&entries[kept], list->entries, (unsigned)done * sizeof entries[0]);
            kept += (unsigned)done;
            next += (unsigned)done;
        }
        if (done < (int)part)
            next++; /* the kernel stopped at this one */
    }
    g_free(list);
    return done < 0 ? done : (int)kept;
}

/* MSRs that are not simply put back: written below, or part of another structure. */
static bool
msr_is_special(uint32_t index)
{
    return index == MSR_TSC || index == MSR_APIC_BASE || index == MSR_TSC_DEADLINE;
}

/* MSRs of a guest that are not in KVM's list; those that this KVM has not are skipped later. */
static void
msrs_add_unlisted(struct vm_msrs *msrs)
{
    static const struct {
        uint32_t first, n;
    } ranges[] = {
        {0x200, 16},  {0x250, 1}, {0x258, 2}, {0x268, 8}, {MSR_MTRR_DEF_TYPE, 1}, /* MTRRs */
        {0x400, 128}, /* machine check */
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++)
        for (uint32_t j = 0; j < ranges[i].n; j++)
            msrs->entries[msrs->n++].index = ranges[i].first + j;
}

#define MSRS_UNLISTED_MAX 160

/* Which MSRs there are and what they are at power-on: the same for all vCPUs, so asked once. */
static int
msrs_save(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    struct kvm_msr_list probe = {.nmsrs = 0}, *list;
    int n;

    if (vm->msrs.entries)
        return 0;
    n = kvm_ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, &probe);
    if (n < 0 && n != -E2BIG)
        return n;
    list = g_malloc0(sizeof *list + probe.nmsrs * sizeof list->indices[0]);
    list->nmsrs = probe.nmsrs;
    n = kvm_ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, list);
    if (n == 0) {
        vm->msrs.entries = g_new0(struct kvm_msr_entry, list->nmsrs + MSRS_UNLISTED_MAX);
        for (uint32_t i = 0; i < list->nmsrs; i++)
            if (!msr_is_special(list->indices[i]))
                vm->msrs.entries[vm->msrs.n++].index = list->indices[i];
        msrs_add_unlisted(&vm->msrs);
        n = msrs_transfer(vcpu, KVM_GET_MSRS, vm->msrs.entries, vm->msrs.n);
        vm->msrs.n = n < 0 ? 0 : (unsigned)n;
    }
    g_free(list);
    return n < 0 ? n : 0;
}

static unsigned long
xsave_request(const struct vm *vm)
{
#ifdef KVM_GET_XSAVE2
    if (vm->xsave_size > sizeof(struct kvm_xsave))
        return KVM_GET_XSAVE2;
#else
    (void)vm;
#endif
    return KVM_GET_XSAVE;
}

gboolean
vcpu_state_save(struct vcpu *vcpu, GError **error)
{
    const struct vm *vm = vcpu->vm;
    struct vcpu_state *state = &vcpu->state;
    int err;

    state->xsave = g_malloc0(vm->xsave_size);
    if ((err = kvm_ioctl(vcpu->fd, KVM_GET_REGS, &state->regs)) ||
        (err = kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &state->sregs)) ||
        (vm->has_xcrs && (err = kvm_ioctl(vcpu->fd, KVM_GET_XCRS, &state->xcrs))) ||
        (vm->has_debugregs && (err = kvm_ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &state->debugregs))) ||
        (err = kvm_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &state->events)) ||
        (err = kvm_ioctl(vcpu->fd, KVM_GET_MP_STATE, &state->mp_state)) ||
        (err = kvm_ioctl(vcpu->fd, KVM_GET_LAPIC, &state->lapic)) ||
        (err = kvm_ioctl(vcpu->fd, xsave_request(vm), state->xsave)) || (err = msrs_save(vcpu)))
        return state_fail(error, vcpu, "cannot read its power-on state", err);
    return TRUE;
}

void
vcpu_state_fini(struct vcpu *vcpu)
{
    g_free(vcpu->state.xsave);
}

/* Times go back to 0. KVM keeps the TSCs of vCPUs that are set one after the other in step. */
static int
msrs_reset_time(const struct vcpu *vcpu)
{
    struct kvm_msr_entry times[] = {{.index = MSR_TSC}, {.index = MSR_TSC_DEADLINE}};

    return msrs_transfer(vcpu, KVM_SET_MSRS, times, G_N_ELEMENTS(times));
}

gboolean
vcpu_state_reset(struct vcpu *vcpu, GError **error)
{
    const struct vm *vm = vcpu->vm;
    struct vcpu_state state = vcpu->state;
    struct kvm_msr_entry *msrs = g_memdup2(vm->msrs.entries, vm->msrs.n * sizeof *msrs);
    int err;

    /* The mode of the local APIC is in sregs, so they come before its registers; the deadline of
     * its timer counts only once those are there. Events last: setting others may raise some. */
    state.events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
                         KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM;
    if ((err = kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &state.sregs)) ||
        (err = kvm_ioctl(vcpu->fd, KVM_SET_REGS, &state.regs)) ||
        (vm->has_xcrs && (err = kvm_ioctl(vcpu->fd, KVM_SET_XCRS, &state.xcrs))) ||
        (err = kvm_ioctl(vcpu->fd, KVM_SET_XSAVE, state.xsave)) ||
        (vm->has_debugregs && (err = kvm_ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &state.debugregs))) ||
        (err = msrs_transfer(vcpu, KVM_SET_MSRS, msrs, vm->msrs.n)) < 0 ||
        (err = kvm_ioctl(vcpu->fd, KVM_SET_LAPIC, &state.lapic)) ||
        (err = msrs_reset_time(vcpu)) < 0 ||
        (err = kvm_ioctl(vcpu->fd, KVM_SET_MP_STATE, &state.mp_state)) ||
        (err = kvm_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &state.events))) {
        g_free(msrs);
        return state_fail(error, vcpu, "cannot restore its power-on state", err);
    }
    g_free(msrs);
    return TRUE;
}

/* ---- The first instruction ------------------------------------------------------------------ */

static struct kvm_segment
segment(const struct boot_segment *from)
{
    return (struct kvm_segment){.base = from->base,
                                .limit = from->limit,
                                .selector = from->selector,
                                .type = from->type,
                                .present = from->present,
                                .dpl = from->dpl,
                                .db = from->db,
                                .s = from->s,
                                .l = from->l,
                                .g = from->g,
                                .unusable = !from->present};
}

static int
entry_set_sregs(const struct vcpu *vcpu, const struct boot_entry *entry)
{
    struct kvm_sregs sregs;
    int err = kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs);

    if (err)
        return err;
    sregs.cs = segment(&entry->cs);
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment(&entry->data);
    sregs.tr = segment(&entry->tr);
    sregs.ldt = segment(&entry->ldt);
    sregs.gdt.base = entry->gdt_base;
    sregs.gdt.limit = entry->gdt_limit;
    sregs.idt.base = entry->idt_base;
    sregs.idt.limit = entry->idt_limit;
    sregs.cr0 = entry->cr0;
    sregs.cr3 = entry->cr3;
    sregs.cr4 = entry->cr4;
    sregs.efer = entry->efer;
    return kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
}

static int
entry_set_regs(const struct vcpu *vcpu, const struct boot_entry *entry)
{
    struct kvm_regs regs = {.rip = entry->rip,
                            .rflags = entry->rflags | 2, /* bit 1 is always set */
                            .rsp = entry->rsp,
                            .rbp = entry->rbp,
                            .rax = entry->rax,
                            .rbx = entry->rbx,
                            .rcx = entry->rcx,
                            .rdx = entry->rdx,
                            .rsi = entry->rsi,
                            .rdi = entry->rdi};

    return kvm_ioctl(vcpu->fd, KVM_SET_REGS, &regs);
}

/* What firmware would have set on the boot CPU before it started a kernel. */
static int
entry_set_msrs(const struct vcpu *vcpu)
{
    struct kvm_msr_entry msrs[] = {
        {.index = MSR_SYSENTER_CS},  {.index = MSR_SYSENTER_ESP},   {.index = MSR_SYSENTER_EIP},
        {.index = MSR_STAR},         {.index = MSR_LSTAR},          {.index = MSR_CSTAR},
        {.index = MSR_SYSCALL_MASK}, {.index = MSR_KERNEL_GS_BASE}, {.index = MSR_TSC},
    };
    int n = msrs_transfer(vcpu, KVM_SET_MSRS, msrs, G_N_ELEMENTS(msrs));

    return n < 0 ? n : 0;
}

/* And on every CPU: an operating system expects them to agree on these. */
static int
entry_set_msrs_all(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpus->len; i++) {
        const struct vcpu *vcpu = vm->vcpus->pdata[i];
        struct kvm_msr_entry misc = {.index = MSR_MISC_ENABLE};
        struct kvm_msr_entry msrs[] = {
            {.index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLED_WRITE_BACK},
            {.index = MSR_MISC_ENABLE},
        };
        int n = msrs_transfer(vcpu, KVM_GET_MSRS, &misc, 1);

        if (n >= 0) {
            msrs[1].data = misc.data | MISC_ENABLE_FAST_STRING;
            n = msrs_transfer(vcpu, KVM_SET_MSRS, msrs, G_N_ELEMENTS(msrs));
        }
        if (n < 0)
            return n;
    }
    return 0;
}

static int
entry_set_lapic(const struct vcpu *vcpu)
{
    static const struct {
        unsigned reg;
        uint32_t mode;
    } lines[] = {{LAPIC_LVT_LINT0, LVT_EXTINT}, {LAPIC_LVT_LINT1, LVT_NMI}};
    struct kvm_lapic_state lapic;
    int err = kvm_ioctl(vcpu->fd, KVM_GET_LAPIC, &lapic);

    if (err)
        return err;
    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        uint32_t lvt;

        memcpy(&lvt, &lapic.regs[lines[i].reg], sizeof lvt);
        lvt = (lvt & ~LVT_MASK) | lines[i].mode;
        memcpy(&lapic.regs[lines[i].reg], &lvt, sizeof lvt);
    }
    return kvm_ioctl(vcpu->fd, KVM_SET_LAPIC, &lapic);
}

gboolean
vcpu_set_entry(struct vcpu *vcpu, const struct boot_entry *entry, GError **error)
{
    struct kvm_mp_state running = {.mp_state = KVM_MP_STATE_RUNNABLE};
    int err;

    if (entry->mode == BOOT_RESET)
        return TRUE; /* that is how it is made, and what vm_reset() brings back */
    if ((err = entry_set_sregs(vcpu, entry)) || (err = entry_set_regs(vcpu, entry)) ||
        (err = entry_set_msrs(vcpu)) || (err = entry_set_msrs_all(vcpu->vm)) ||
        (err = entry_set_lapic(vcpu)) || (err = kvm_ioctl(vcpu->fd, KVM_SET_MP_STATE, &running)))
        return state_fail(error, vcpu, "KVM does not take the state that the kernel starts in",
                          err);
    return TRUE;
}
