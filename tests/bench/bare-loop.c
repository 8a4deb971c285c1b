/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bare-loop - the least that can run a guest: the measure for what a hypervisor adds.
 *
 * It opens KVM, gives it memory and one processor, loads a 32-bit ELF file at its PVH entry, and
 * runs KVM_RUN in a loop; a byte written to COM1 goes to standard output, every other access to a
 * port or to memory that is not there is dropped. No interrupt controller, no thread, no device. It
 * never ends by itself.
 */
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kvm.h>

enum {
    RAM_BYTES = 64 << 20,
    COM1 = 0x3f8,
    NOTE_PHYS32_ENTRY = 18,
    BARE_MAX_CPUID = 256,
};

/* The benchmark's own guest, so that nothing here is checked against a hostile file. */
static uint32_t
load(const char *path, uint8_t *ram)
{
    const Elf32_Ehdr *ehdr;
    const Elf32_Phdr *phdr;
    const uint8_t *file;
    uint32_t entry = 0;
    struct stat st;
    int fd;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        err(1, "%s", path);
    file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED)
        err(1, "%s", path);
    ehdr = (const void *)file;
    phdr = (const void *)(file + ehdr->e_phoff);
    for (unsigned i = 0; i < ehdr->e_phnum; i++) {
        const Elf32_Nhdr *note = (const void *)(file + phdr[i].p_offset);

        if (phdr[i].p_type == PT_LOAD)
            memcpy(ram + phdr[i].p_paddr, file + phdr[i].p_offset, phdr[i].p_filesz);
        else if (phdr[i].p_type == PT_NOTE && note->n_type == NOTE_PHYS32_ENTRY)
            memcpy(&entry, (const uint8_t *)(note + 1) + 4, sizeof entry);
    }
    close(fd);
    if (!entry)
        errx(1, "%s has no PVH entry", path);
    return entry;
}

static void
set_registers(int vcpu, uint32_t entry)
{
    struct kvm_segment code = {
        .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .db = 1, .g = 1};
    struct kvm_segment data = {
        .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    struct kvm_regs regs = {.rip = entry, .rflags = 2};
    struct kvm_sregs sregs;

    if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
        err(1, "KVM_GET_SREGS");
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.cr0 |= 1;
    if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
        err(1, "KVM_SET_REGS");
}

static void
set_cpuid(int kvm, int vcpu)
{
    static struct kvm_cpuid_entry2 room[BARE_MAX_CPUID + 1]; /* the head is shorter than an entry */
    struct kvm_cpuid2 *cpuid = (void *)room;

    cpuid->nent = BARE_MAX_CPUID;
    if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0 || ioctl(vcpu, KVM_SET_CPUID2, cpuid) < 0)
        err(1, "KVM_SET_CPUID2");
}

int
main(int argc, char **argv)
{
    struct kvm_userspace_memory_region slot = {.memory_size = RAM_BYTES};
    struct kvm_run *run;
    int kvm, vm, vcpu;
    uint32_t entry;
    uint8_t *ram;

    if (argc != 2)
        errx(1, "usage: bare-loop ELF-FILE");
    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0)
        err(1, "KVM");
    ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
               -1, 0);
    if (ram == MAP_FAILED)
        err(1, "guest memory");
    slot.userspace_addr = (uintptr_t)ram;
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
        err(1, "KVM_SET_USER_MEMORY_REGION");
    entry = load(argv[1], ram);
    vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    if (vcpu < 0)
        err(1, "KVM_CREATE_VCPU");
    run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
               MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED)
        err(1, "KVM_GET_VCPU_MMAP_SIZE");
    set_cpuid(kvm, vcpu);
    set_registers(vcpu, entry);

    for (;;) {
        if (ioctl(vcpu, KVM_RUN, 0) < 0)
            err(1, "KVM_RUN");
        if (run->exit_reason == KVM_EXIT_HLT)
            pause();
        if (run->exit_reason == KVM_EXIT_MMIO)
            continue;
        if (run->exit_reason != KVM_EXIT_IO)
            errx(1, "exit reason %u", run->exit_reason);
        if (run->io.port == COM1 && write(1, (uint8_t *)run + run->io.data_offset, 1) != 1)
            err(1, "standard output");
    }
}
