/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm-probe - says whether this machine's /dev/kvm can run a stock kernel, by trying.
 *
 * Some KVMs run guest kernel code in an instruction emulator and lack what every distribution's
 * kernel uses. Processor flags tell nothing about that, so this runs one virtual processor in
 * 64-bit mode through a handful of such instructions; after each it writes the step's number to a
 * port. Status 0: all of them work; 1: one does not, and its name is printed; 2: there is no KVM.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

enum {
    RAM_BYTES = 0x200000,
    GDT = 0x1000,
    IDT = 0x1800,
    PML4 = 0x2000,
    PDPT = 0x3000,
    PD = 0x4000,
    CODE = 0x8000,
    DATA = 0x10000, /* 64-byte aligned, as XSAVE wants it */
    STACK = 0x20000,
    PORT = 0x10,
    CODE_SELECTOR = 8,
    DATA_SELECTOR = 16,
    BREAKPOINT = 3,
    PROBE_MAX_CPUID = 256,
    PROBE_NO_KVM = 2,
};

static const char *const steps[] = {
    "the first instruction", "cpuid",           "SSE registers", "popcnt", "cmpxchg16b", "fxsave",
    "int3 and iretq",        "rdmsr and wrmsr", "xsave",
};

extern const uint8_t probe_code[], probe_handler[], probe_end[];

__asm__(".pushsection .rodata\n"
        ".global probe_code, probe_handler, probe_end\n"
        ".macro step number\n"
        "    mov $\\number, %al\n"
        "    out %al, $0x10\n"
        ".endm\n"
        "probe_code:\n"
        "    xor %eax, %eax\n"
        "    cpuid\n"
        "    step 1\n"
        "    movq %rax, %xmm0\n"
        "    pxor %xmm0, %xmm0\n"
        "    step 2\n"
        "    popcnt %rcx, %rdx\n"
        "    step 3\n"
        "    lock cmpxchg16b (%rdi)\n"
        "    step 4\n"
        "    fxsave (%rdi)\n"
        "    step 5\n"
        "    int3\n"
        "    step 6\n"
        "    mov $0xc0000102, %ecx\n" /* KERNEL_GS_BASE */
        "    rdmsr\n"
        "    wrmsr\n"
        "    step 7\n"
        "    mov $1, %eax\n"
        "    cpuid\n"
        "    bt $26, %ecx\n"
        "    jnc 1f\n"
        "    mov %cr4, %rax\n"
        "    or $0x40000, %rax\n" /* OSXSAVE */
        "    mov %rax, %cr4\n"
        "    mov $3, %eax\n"
        "    xor %edx, %edx\n"
        "    xsave (%rdi)\n"
        "1:  step 8\n"
        "    hlt\n"
        "probe_handler:\n"
        "    iretq\n"
        "probe_end:\n"
        ".popsection\n");

static int
no_kvm(const char *what)
{
    printf("no usable KVM: %s: %s\n", what, strerror(errno));
    return PROBE_NO_KVM;
}

static void
put64(uint8_t *ram, uint32_t at, uint64_t value)
{
    memcpy(ram + at, &value, sizeof value);
}

static void
load_guest(uint8_t *ram)
{
    uint64_t handler = CODE + (uint64_t)(probe_handler - probe_code);

    memcpy(ram + CODE, probe_code, (size_t)(probe_end - probe_code));
    put64(ram, PML4, PDPT | 3);
    put64(ram, PDPT, PD | 3);
    put64(ram, PD, 0x83); /* one present, writable page of 2 MiB */
    put64(ram, GDT + CODE_SELECTOR, 0x00af9b000000ffff);
    put64(ram, GDT + DATA_SELECTOR, 0x00cf93000000ffff);
    /* A 64-bit interrupt gate; the handler's address is below 64 KiB. */
    put64(ram, IDT + 16 * BREAKPOINT, 0x00008e0000000000 | CODE_SELECTOR << 16 | handler);
}

static int
set_registers(int vcpu)
{
    struct kvm_segment code = {.limit = 0xffffffff,
                               .selector = CODE_SELECTOR,
                               .type = 11,
                               .present = 1,
                               .s = 1,
                               .l = 1,
                               .g = 1};
    struct kvm_segment data = {.limit = 0xffffffff,
                               .selector = DATA_SELECTOR,
                               .type = 3,
                               .present = 1,
                               .s = 1,
                               .db = 1,
                               .g = 1};
    struct kvm_regs regs = {.rip = CODE, .rsp = STACK, .rdi = DATA, .rflags = 2};
    struct kvm_sregs sregs;

    if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
        return -1;
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.gdt.base = GDT;
    sregs.gdt.limit = DATA_SELECTOR + 7;
    sregs.idt.base = IDT;
    sregs.idt.limit = 16 * BREAKPOINT + 15;
    sregs.cr3 = PML4;
    sregs.cr4 = 0x620;      /* PAE, OSFXSR, OSXMMEXCPT */
    sregs.cr0 = 0x80000033; /* PG, NE, ET, MP, PE */
    sregs.efer = 0x500;     /* LMA, LME */
    return ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0 ? -1 : 0;
}

static int
copy_cpuid(int kvm, int vcpu)
{
    struct kvm_cpuid2 *cpuid;
    int err;

    cpuid = calloc(1, sizeof *cpuid + PROBE_MAX_CPUID * sizeof cpuid->entries[0]);
    if (!cpuid)
        return -1;
    cpuid->nent = PROBE_MAX_CPUID;
    err = ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0 || ioctl(vcpu, KVM_SET_CPUID2, cpuid) < 0;
    free(cpuid);
    return err ? -1 : 0;
}

/* Runs until the guest halts or cannot go on; returns the number of steps that were done. */
static unsigned
run_guest(int vcpu, const struct kvm_run *run)
{
    unsigned done = 0;

    while (ioctl(vcpu, KVM_RUN, 0) == 0 || errno == EINTR) {
        if (run->exit_reason != KVM_EXIT_IO || run->io.port != PORT)
            break;
        done = *((const uint8_t *)run + run->io.data_offset);
    }
    return done;
}

int
main(void)
{
    const unsigned last = sizeof steps / sizeof steps[0] - 1;
    struct kvm_userspace_memory_region slot = {.memory_size = RAM_BYTES};
    struct kvm_run *run;
    unsigned done;
    uint8_t *ram;
    int kvm, vm, vcpu, run_bytes;

    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0)
        return no_kvm("/dev/kvm");
    vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0)
        return no_kvm("KVM_CREATE_VM");
    ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ram == MAP_FAILED)
        return no_kvm("memory");
    load_guest(ram);
    slot.userspace_addr = (uintptr_t)ram;
    vcpu = ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
    if (vcpu < 0)
        return no_kvm("KVM_CREATE_VCPU");
    run_bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    run = run_bytes < 0
              ? MAP_FAILED
              : mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED || copy_cpuid(kvm, vcpu) < 0 || set_registers(vcpu) < 0)
        return no_kvm("setting up a processor");

    done = run_guest(vcpu, run);
    if (done < last) {
        printf("this machine's KVM runs no stock kernel: it fails at %s (exit reason %u)\n",
               steps[done + 1], run->exit_reason);
        return EXIT_FAILURE;
    }
    printf("this machine's KVM runs stock kernels\n");
    return EXIT_SUCCESS;
}
