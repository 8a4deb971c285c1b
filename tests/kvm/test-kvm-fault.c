/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guests that cannot go on: what is reported, and that a reset brings the machine back, whatever
 * the guest had done to it.
 */
#include "tests/kvm/guest.h"

#include "core/kvm/internal.h"
#include "tests/tap.h"

GUEST(triple, 32,
      "   mov $0x12345678, %esi\n"
      "   lidt 1f - guest_triple + 0x1000\n"
      "   ud2\n"
      "1: .word 0\n"
      "   .long 0\n");

GUEST(nowhere, 64,
      "   mov $0xd0000000, %eax\n"
      "   mov $0xabcdef, %r14d\n"
      "   jmp *%rax\n");

GUEST(popcnt, 64,
      "   mov $0x101, %ebx\n"
      "   popcnt %ebx, %eax\n"
      "   out %eax, $0x10\n"
      "   out %al, $0x18\n"
      "1: hlt\n"
      "   jmp 1b\n");

static void
test_reports(void)
{
    struct guest *guest = guest_new(1, 4 << 20);
    GError *error = NULL;

    guest_load_code(guest, 0x1000, triple);
    guest_start_at(guest, 32, 0x1000);
    ok(guest_wait_stopped(guest), "a triple fault stops the vCPU");
    eq_int(guest->why, VCPU_TRIPLE_FAULT, "and is called that");
    if (strstr(guest->hint, "SVM keeps no registers")) {
        ok(strstr(guest->dump, "rip=000000000000fff0") != NULL, "on SVM its registers are lost");
    } else {
        ok(strstr(guest->dump, "rsi=0000000012345678") &&
               strstr(guest->dump, "rip=000000000000100c") && strstr(guest->dump, "<0f> 0b"),
           "with its registers and its code");
    }
    ok(vm_reset(guest->vm, &error), "reset");

    guest_load_code(guest, 0x8000, nowhere);
    guest_start_at(guest, 64, 0x8000);
    ok(guest_wait_stopped(guest), "a jump to where nothing is");
    eq_int(guest->why, VCPU_FAULT, "is a fault");
    ok(strstr(guest->what, "suberror") && strstr(guest->hint, "no memory"), "%s; %s", guest->what,
       guest->hint);
    ok(strstr(guest->dump, "rip=00000000d0000000") && strstr(guest->dump, "r14=0000000000abcdef") &&
           strstr(guest->dump, "not in memory"),
       "with registers, and says that there is no code");
    /* Resumed without a reset, it stays parked: nothing to wait for, so nothing but a stop shows.
     */
    vcpus_resume(guest->vm);
    vcpus_pause(guest->vm);
    ok(vm_reset(guest->vm, &error), "reset");

    guest_load_code(guest, 0x8000, popcnt);
    guest_start_at(guest, 64, 0x8000);
    if (vm_host_has_hardware()) {
        ok(guest_wait(guest) && guest_log_at(guest, 0) == 2, "popcnt runs");
    } else {
        /* This KVM may have it all the same; if it has not, the words must help. */
        g_mutex_lock(&guest->lock);
        while (!guest->done && !guest->stopped)
            g_cond_wait(&guest->cond, &guest->lock);
        g_mutex_unlock(&guest->lock);
        ok(guest->done || (strstr(guest->what, "f3 0f b8 c3") && strstr(guest->what, "popcnt") &&
                           strstr(guest->hint, "VMX")),
           "an instruction that this KVM lacks: %s; %s", guest->what, guest->hint);
    }
    guest_free(guest);
}

/*
 * Logs what a guest can see of the machine's state, then spoils it all: control and debug
 * registers, MSRs, local APIC, PIC, PIT, I/O APIC, FPU. 32-bit, with the AP started and left
 * running.
 */
#define SHOW_MSR(n)                                                                                \
    "   mov $" #n ", %ecx\n   rdmsr\n   out %eax, $0x10\n   mov %edx, %eax\n   out %eax, $0x10\n"
#define SHOW_MEM(a) "   mov " #a ", %eax\n   out %eax, $0x10\n"
#define SHOW_IO(p)  "   xor %eax, %eax\n   in $" #p ", %al\n   out %eax, $0x10\n"

/* clang-format off */
GUEST(spoil, 32,
      "   mov %cr0, %eax\n"
      "   out %eax, $0x10\n"
      "   mov %cr4, %eax\n"
      "   out %eax, $0x10\n"
      "   mov %dr7, %eax\n"
      "   out %eax, $0x10\n"
      "   mov %dr0, %eax\n"
      "   out %eax, $0x10\n"
      SHOW_MSR(0x1b)       /* APIC base */
      SHOW_MSR(0x174)      /* SYSENTER_CS */
      SHOW_MSR(0x175)      /* SYSENTER_ESP */
      SHOW_MSR(0x277)      /* PAT */
      SHOW_MSR(0x250)      /* MTRR */
      SHOW_MSR(0xc0000081) /* STAR */
      SHOW_MSR(0xc0000080) /* EFER */
      SHOW_MEM(0xfee00020) /* APIC id */
      SHOW_MEM(0xfee00080) /* TPR */
      SHOW_MEM(0xfee000f0) /* SVR */
      SHOW_MEM(0xfee00320) /* LVT timer */
      SHOW_MEM(0xfee00350) /* LINT0 */
      SHOW_MEM(0xfee00360) /* LINT1 */
      SHOW_MEM(0xfee00380) /* timer's initial count */
      SHOW_MEM(0xfee00270) /* requests */
      SHOW_IO(0x21)        /* PIC masks */
      SHOW_IO(0xa1)
      "   xor %eax, %eax\n"
      "   in $0x61, %al\n"
      "   and $3, %al\n"   /* what was written; other bits move */
      "   out %eax, $0x10\n"
      "   movl $0x14, 0xfec00000\n"
      SHOW_MEM(0xfec00010) /* I/O APIC, pin 2 */
      "   rdtsc\n"
      "   mov %edx, %eax\n" /* the last but one: its high half */
      "   out %eax, $0x10\n"
      "   fnstcw 0x7100\n"
      "   movzwl 0x7100, %eax\n"
      "   out %eax, $0x10\n"

      /* Spoil. */
      "   movl $0x1ff, 0xfee000f0\n"
      "   movl $0x30, 0xfee00080\n"
      "   movl $0x200ef, 0xfee00320\n" /* periodic timer */
      "   movl $0x100000, 0xfee00380\n"
      "   movl $0x10000, 0xfee00350\n"
      "   movl $0x440ee, 0xfee00300\n" /* a vector to itself */
      "   movl $0x55, 0xfec00010\n"
      "   mov $0x11, %al\n"
      "   out %al, $0x20\n"
      "   mov $0x40, %al\n"
      "   out %al, $0x21\n"
      "   mov $4, %al\n"
      "   out %al, $0x21\n"
      "   mov $1, %al\n"
      "   out %al, $0x21\n"
      "   mov $0xab, %al\n"
      "   out %al, $0x21\n"
      "   out %al, $0xa1\n"
      "   mov $3, %al\n"
      "   out %al, $0x61\n"
      "   mov $0x34, %al\n"
      "   out %al, $0x43\n"
      "   mov $0x10, %al\n"
      "   out %al, $0x40\n"
      "   out %al, $0x40\n"
      "   mov $0x174, %ecx\n"
      "   mov $0x1234, %eax\n"
      "   xor %edx, %edx\n"
      "   wrmsr\n"
      "   mov $0x175, %ecx\n"
      "   wrmsr\n"
      "   mov $0xc0000081, %ecx\n"
      "   mov $0x5678, %edx\n"
      "   wrmsr\n"
      "   mov $0x277, %ecx\n"
      "   mov $0x06060606, %eax\n"
      "   mov $0x06060606, %edx\n"
      "   wrmsr\n"
      "   mov $0x250, %ecx\n"
      "   wrmsr\n"
      "   mov %cr4, %eax\n"
      "   or $0x290, %eax\n" /* PSE, PGE, OSFXSR */
      "   mov %eax, %cr4\n"
      "   mov $0x400, %eax\n"
      "   mov %eax, %dr7\n"
      "   mov $0x1234, %eax\n"
      "   mov %eax, %dr0\n"
      "   movw $0x27f, 0x7200\n"
      "   fxrstor 0x7200\n"
      "   movl $0xc4500, 0xfee00300\n" /* start the AP */
      "   movl $0xc4608, 0xfee00300\n"
      "1: cmpl $1, 0x7f00\n"
      "   jne 1b\n"
      /* Disable the local APIC, then to x2APIC mode. */
      "   mov $0x1b, %ecx\n"
      "   rdmsr\n"
      "   or $0x400, %eax\n"
      "   wrmsr\n"
      "   out %al, $0x18\n"
      "2: hlt\n"
      "   jmp 2b\n");
/* clang-format on */

GUEST(arrive, 16,
      "   xor %ax, %ax\n"
      "   mov %ax, %ds\n"
      "   movl $1, 0x7f00\n"
      "1: incl 0x7800\n"
      "   jmp 1b\n");

static uint32_t
word_at(struct guest *guest, uint64_t gpa)
{
    uint32_t val = 0;

    if (memory_read(guest->mem, gpa, &val, sizeof val))
        g_error("memory_read");
    return val;
}

static void
test_reset(void)
{
    struct guest *guest = guest_new(2, 4 << 20);
    uint32_t first[64];
    unsigned n = 0, wrong = 0;
    GError *error = NULL;

    for (unsigned round = 0; round < 4; round++) {
        if (memory_reset(guest->mem))
            g_error("memory_reset");
        guest_load_code(guest, 0x1000, spoil);
        guest_load_code(guest, 0x8000, arrive);
        guest_clear_log(guest);
        guest_start_at(guest, 32, 0x1000);
        if (!guest_wait(guest)) {
            ok(0, "round %u runs", round);
            break;
        }
        vcpus_pause(guest->vm);
        if (round == 0)
            n = guest_logged(guest);
        wrong += guest_logged(guest) != n;
        for (unsigned i = 0; i < n && i < G_N_ELEMENTS(first); i++) {
            if (round == 0)
                first[i] = guest_log_at(guest, i);
            else if (i == n - 2) /* a few seconds' worth, if this KVM sets a guest's TSC at all */
                wrong += first[i] == 0 && guest_log_at(guest, i) != 0;
            else if (guest_log_at(guest, i) != first[i])
                wrong++, printf("# value %u: %x, was %x\n", i, guest_log_at(guest, i), first[i]);
        }
        irq_router_reset(guest->irqs);
        ok(vm_reset(guest->vm, &error), "round %u: reset %s", round, error ? error->message : "");
    }
    eq_int(n, 32, "all values were seen");
    eq_int(wrong, 0, "after a reset a guest finds what it found at first");

    /* The AP waits again. */
    if (memory_reset(guest->mem))
        g_error("memory_reset");
    vcpus_resume(guest->vm);
    g_usleep(20000);
    vcpus_pause(guest->vm);
    ok(word_at(guest, 0x7800) == 0, "an AP that ran waits to be started again");
    guest_free(guest);
}

/* The reset vector: BOOT_RESET leaves a vCPU as it was made. */
GUEST(vector, 16,
      "   mov $0x55aa, %eax\n"
      "   out %eax, $0x10\n"
      "   mov %cs, %ax\n"
      "   out %eax, $0x10\n"
      "   out %al, $0x18\n"
      "1: hlt\n"
      "   jmp 1b\n");

static void
test_reset_vector(void)
{
    struct guest *guest = guest_new(1, 4 << 20);
    struct boot_entry entry = {.mode = BOOT_RESET};
    struct memory_region *rom;
    GError *error = NULL;

    rom = memory_region_new(guest->mem, MEMORY_ROM, "rom", 0x1000, &error);
    if (rom == NULL || memory_region_place(rom, 0xfffff000))
        g_error("rom");
    memcpy((char *)memory_region_host(rom) + 0xfc0, guest_vector,
           (size_t)(guest_vector_end - guest_vector));
    memcpy((char *)memory_region_host(rom) + 0xff0, "\xeb\xce", 2); /* jmp to 0xffc0 */
    for (unsigned round = 0; round < 2; round++) {
        if (!vcpu_set_entry(guest->vcpus[0], &entry, &error))
            g_error("%s", error->message);
        guest_clear_log(guest);
        vcpus_resume(guest->vm);
        ok(guest_wait(guest) && guest_log_at(guest, 0) == 0x55aa &&
               (guest_log_at(guest, 1) & 0xffff) == 0xf000,
           "starts at the reset vector");
        vcpus_pause(guest->vm);
        ok(vm_reset(guest->vm, &error), "reset");
    }
    guest_free(guest);
}

int
main(void)
{
    need_kvm();
    test_reports();
    test_reset();
    test_reset_vector();
    return done_testing();
}
