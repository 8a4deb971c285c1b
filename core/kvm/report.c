/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.c - what happened to a vCPU that cannot go on: in words, in registers, and what to do.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/kvm/internal.h"

#define CODE_BEFORE 16u
#define CODE_AFTER  32u

/* linux/kvm.h of Linux 6.8 */
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif
#ifndef KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON
#define KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON 4
#endif
#ifndef KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES
#define KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES (1ULL << 0)
#endif

/* ---- The dump ------------------------------------------------------------------------------- */

static void
dump_segment(GString *out, const char *name, const struct kvm_segment *s)
{
    g_string_append_printf(out, "%-4s %04x base=%016llx limit=%08x type=%x%s dpl=%u%s%s%s\n", name,
                           s->selector, (unsigned long long)s->base, s->limit, s->type,
                           s->present ? "" : " absent", s->dpl, s->l ? " 64-bit" : "",
                           s->db ? " 32-bit" : "", s->unusable ? " unusable" : "");
}

static void
dump_table(GString *out, const char *name, const struct kvm_dtable *t)
{
    g_string_append_printf(out, "%-4s      base=%016llx limit=%04x\n", name,
                           (unsigned long long)t->base, t->limit);
}

/* Copy guest memory by linear address, byte by byte as far as it is mapped. */
static unsigned
read_linear(const struct vcpu *vcpu, uint64_t linear, uint8_t *buf, unsigned len)
{
    struct kvm_translation page = {.valid = 0};
    unsigned got;

    for (got = 0; got < len; got++) {
        uint64_t addr = linear + got;

        if (got == 0 || (addr & 0xfff) == 0) {
            page = (struct kvm_translation){.linear_address = addr & ~UINT64_C(0xfff)};
            if (kvm_ioctl(vcpu->fd, KVM_TRANSLATE, &page) < 0 || !page.valid)
                break;
        }
        if (vcpu->config.read_guest(vcpu->config.read_ctx, page.physical_address + (addr & 0xfff),
                                    &buf[got], 1) < 0)
            break;
    }
    return got;
}

static void
dump_code(GString *out, const struct vcpu *vcpu, uint64_t linear)
{
    uint8_t code[CODE_BEFORE + CODE_AFTER];
    uint64_t start = linear >= CODE_BEFORE ? linear - CODE_BEFORE : 0;
    unsigned before = (unsigned)(linear - start), got = 0;

    if (vcpu->config.read_guest == NULL)
        return;
    got = read_linear(vcpu, start, code, before + CODE_AFTER);
    if (got <= before) {
        /* What is before it is on a page that is not there. */
        before = 0;
        got = read_linear(vcpu, linear, code, CODE_AFTER);
    }
    g_string_append(out, "code");
    if (got == 0)
        g_string_append_printf(out, " at %llx is not in memory", (unsigned long long)linear);
    for (unsigned i = 0; i < got; i++)
        g_string_append_printf(out, i == before ? " <%02x>" : " %02x", code[i]);
    g_string_append_c(out, '\n');
}

static uint64_t
linear_rip(const struct kvm_regs *regs, const struct kvm_sregs *sregs)
{
    return sregs->cs.l ? regs->rip : (sregs->cs.base + regs->rip) & UINT32_MAX;
}

char *
vcpu_dump(struct vcpu *vcpu)
{
    GString *out = g_string_new(NULL);
    struct kvm_sregs s;
    struct kvm_regs r;
    int err;

    if ((err = kvm_ioctl(vcpu->fd, KVM_GET_REGS, &r)) ||
        (err = kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &s))) {
        g_string_append_printf(out, "no registers: %s\n", g_strerror(-err));
        return g_string_free(out, FALSE);
    }
#define R(x) (unsigned long long)r.x
#define S(x) (unsigned long long)s.x
    g_string_append_printf(out, "rip=%016llx rflags=%08llx\n", R(rip), R(rflags));
    g_string_append_printf(out, "rax=%016llx rbx=%016llx rcx=%016llx rdx=%016llx\n", R(rax), R(rbx),
                           R(rcx), R(rdx));
    g_string_append_printf(out, "rsi=%016llx rdi=%016llx rsp=%016llx rbp=%016llx\n", R(rsi), R(rdi),
                           R(rsp), R(rbp));
    g_string_append_printf(out, "r8 =%016llx r9 =%016llx r10=%016llx r11=%016llx\n", R(r8), R(r9),
                           R(r10), R(r11));
    g_string_append_printf(out, "r12=%016llx r13=%016llx r14=%016llx r15=%016llx\n", R(r12), R(r13),
                           R(r14), R(r15));
    g_string_append_printf(out, "cr0=%08llx cr2=%016llx cr3=%016llx cr4=%08llx efer=%llx\n", S(cr0),
                           S(cr2), S(cr3), S(cr4), S(efer));
#undef R
#undef S
    dump_segment(out, "cs", &s.cs);
    dump_segment(out, "ss", &s.ss);
    dump_segment(out, "ds", &s.ds);
    dump_segment(out, "es", &s.es);
    dump_segment(out, "fs", &s.fs);
    dump_segment(out, "gs", &s.gs);
    dump_segment(out, "tr", &s.tr);
    dump_segment(out, "ldt", &s.ldt);
    dump_table(out, "gdt", &s.gdt);
    dump_table(out, "idt", &s.idt);
    dump_code(out, vcpu, linear_rip(&r, &s));
    return g_string_free(out, FALSE);
}

/* ---- The words ------------------------------------------------------------------------------ */

/* Instructions that instruction emulators are known to lack, by their bytes without prefixes. */
static const char *
instruction_name(const uint8_t *bytes, unsigned len)
{
    bool wide = false, rep = false;
    unsigned i = 0;

    for (; i < len; i++) {
        if (bytes[i] == 0xf3)
            rep = true;
        else if ((bytes[i] & 0xf0) == 0x40)
            wide = bytes[i] & 8;
        else if (bytes[i] != 0x66 && bytes[i] != 0xf2 && bytes[i] != 0xf0)
            break;
    }
    if (i >= len)
        return NULL;
    switch (bytes[i]) {
    case 0xcc:
        return "int3";
    case 0xcd:
        return "int";
    case 0xcf:
        return wide ? "iretq" : "iret";
    case 0xc4:
    case 0xc5:
    case 0x62:
        return "a vector instruction";
    case 0x0f:
        break;
    default:
        return NULL;
    }
    if (i + 2 >= len)
        return NULL;
    switch (bytes[i + 1]) {
    case 0x07:
        return "sysret";
    case 0xc7:
        return (bytes[i + 2] >> 3 & 7) == 1 ? (wide ? "cmpxchg16b" : "cmpxchg8b") : NULL;
    case 0xae:
        switch (bytes[i + 2] >> 3 & 7) {
        case 4:
            return "xsave";
        case 5:
            return "xrstor";
        case 6:
            return "xsaveopt";
        default:
            return NULL;
        }
    case 0xb8:
        return rep ? "popcnt" : NULL;
    case 0x10:
    case 0x11:
    case 0x28:
    case 0x29:
    case 0x6f:
    case 0x7f:
        return "an SSE instruction";
    default:
        return NULL;
    }
}

struct words {
    char what[256], hint[400];
};

/* Is there memory at the instruction? */
static bool
has_code(const struct vcpu *vcpu)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs;
    uint8_t byte;

    return vcpu->config.read_guest == NULL || kvm_ioctl(vcpu->fd, KVM_GET_REGS, &regs) ||
           kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) ||
           read_linear(vcpu, linear_rip(&regs, &sregs), &byte, 1) == 1;
}

static void
words_emulation(struct words *words, const struct vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;

    /* struct kvm_run.emulation_failure of Linux 5.12, over internal.data: flags, then a byte with
     * the size and up to 15 bytes of instruction. */
    const uint64_t *data = (const uint64_t *)run->internal.data;
    uint8_t insn[16] = {0};
    const char *name = NULL;
    char bytes[64] = "";

    if (run->internal.ndata >= 3 && data[0] & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) {
        memcpy(insn, &data[1], sizeof insn);
        if (insn[0] > 15)
            insn[0] = 15;
        for (unsigned i = 0; i < insn[0]; i++)
            snprintf(bytes + strlen(bytes), sizeof bytes - strlen(bytes), " %02x", insn[1 + i]);
        name = instruction_name(&insn[1], insn[0]);
    }
    snprintf(words->what, sizeof words->what,
             "KVM cannot emulate an instruction of the guest (suberror 1)%s%s%s%s%s",
             *bytes ? ":" : "", bytes, name ? " (" : "", name ? name : "", name ? ")" : "");
    if (!has_code(vcpu))
        snprintf(words->hint, sizeof words->hint,
                 "the guest jumped to an address where there is no memory");
    else if (vm_host_has_hardware())
        snprintf(words->hint, sizeof words->hint,
                 "the guest used a device's registers with an instruction that KVM does not "
                 "emulate");
    else
        snprintf(words->hint, sizeof words->hint,
                 "this host's processor shows no VMX or SVM, so its KVM runs the guest's kernel "
                 "code in a software emulator, which lacks this instruction: run this guest on a "
                 "host with VMX or SVM (nested virtualization will do)");
}

static void
words_internal(struct words *words, const struct vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;

    switch (run->internal.suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
        words_emulation(words, vcpu);
        break;
    case KVM_INTERNAL_ERROR_SIMUL_EX:
        snprintf(words->what, sizeof words->what,
                 "KVM internal error: simultaneous exceptions (suberror 2)");
        break;
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
        snprintf(words->what, sizeof words->what,
                 "KVM internal error: exit while an interrupt or exception was delivered "
                 "(suberror 3)");
        snprintf(words->hint, sizeof words->hint,
                 "the guest's interrupt table or stack is where there is no memory");
        break;
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
        snprintf(words->what, sizeof words->what,
                 "KVM internal error: unexpected hardware exit (suberror 4), reason 0x%llx",
                 run->internal.ndata ? (unsigned long long)run->internal.data[0] : 0ull);
        break;
    default:
        snprintf(words->what, sizeof words->what, "KVM internal error (suberror %u)",
                 run->internal.suberror);
        break;
    }
    if (words->hint[0] == '\0')
        snprintf(words->hint, sizeof words->hint,
                 "see what the host's kernel says of it (`dmesg | grep -i kvm`)");
}

static void
words_fault(struct words *words, const struct vcpu *vcpu, int run_errno)
{
    const struct kvm_run *run = vcpu->run;

    if (run_errno && run->exit_reason != KVM_EXIT_MEMORY_FAULT) {
        snprintf(words->what, sizeof words->what, "KVM_RUN failed: %s", g_strerror(run_errno));
        if (run_errno == EFAULT)
            snprintf(words->hint, sizeof words->hint,
                     "guest memory is gone: a file behind it may have shrunk, or the host ran out "
                     "of huge pages");
        return;
    }
    switch (run->exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR:
        words_internal(words, vcpu);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        snprintf(words->what, sizeof words->what,
                 "the processor refused to enter the guest, hardware reason 0x%llx",
                 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
        snprintf(words->hint, sizeof words->hint,
                 run->fail_entry.hardware_entry_failure_reason == 0x80000021
                     ? "the guest's registers are in a state that VMX does not take; on an old "
                       "Intel processor try the kvm_intel parameter emulate_invalid_guest_state=1"
                     : "see what the host's kernel says of it (`dmesg | grep -i kvm`)");
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        snprintf(words->what, sizeof words->what, "the guest reported a crash (system event %u)",
                 run->system_event.type);
        break;
    case KVM_EXIT_MEMORY_FAULT:
        snprintf(words->what, sizeof words->what, "guest memory could not be reached: %s",
                 g_strerror(run_errno));
        break;
    case KVM_EXIT_HLT:
        snprintf(words->what, sizeof words->what, "the guest halted with nothing to wake it");
        break;
    default:
        snprintf(words->what, sizeof words->what, "KVM gave an exit that is not known, reason %u",
                 run->exit_reason);
        break;
    }
}

static bool
at_reset_vector(const struct vcpu *vcpu)
{
    struct kvm_regs regs;

    return kvm_ioctl(vcpu->fd, KVM_GET_REGS, &regs) == 0 && regs.rip == vcpu->state.regs.rip;
}

void
vcpu_report(struct vcpu *vcpu, enum vcpu_stop why, int run_errno)
{
    struct words words = {.what = "", .hint = ""};
    struct vcpu_event event = {.why = why, .cpu = vcpu->index};
    struct vm *vm = vcpu->vm;
    char *dump;

    switch (why) {
    case VCPU_TRIPLE_FAULT:
        snprintf(words.what, sizeof words.what, "triple fault");
        if (at_reset_vector(vcpu))
            snprintf(words.hint, sizeof words.hint,
                     "SVM keeps no registers of a triple fault; these are those of a reset");
        break;
    case VCPU_SYSTEM_RESET:
        snprintf(words.what, sizeof words.what, "the guest asked for a reset");
        break;
    case VCPU_SYSTEM_SHUTDOWN:
        snprintf(words.what, sizeof words.what, "the guest asked for power-off");
        break;
    case VCPU_FAULT:
        words_fault(&words, vcpu, run_errno);
        break;
    }
    g_mutex_lock(&vm->lock);
    event.run_time_ns = vm_now_ns() - vm->started_ns;
    for (unsigned i = 0; i < vm->vcpus->len; i++)
        event.exits += vcpu_exits(vm->vcpus->pdata[i]);
    event.exits -= vm->exits_start;
    g_mutex_unlock(&vm->lock);
    dump = vcpu_dump(vcpu);
    event.what = words.what;
    event.hint = words.hint[0] ? words.hint : NULL;
    event.dump = dump;
    vcpu->config.ops->stopped(vcpu->config.user, &event);
    g_free(dump);
}
