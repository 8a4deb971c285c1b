/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vCPUs: started by the guest, paused and resumed while they run, what CPUID tells each, threads.
 */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "core/error.h"
#include "tests/kvm/guest.h"
#include "tests/tap.h"

#define COUNTERS 0x7800 /* one 32-bit counter a vCPU */
#define ARRIVED  0x7f00
#define EXPECTED 0x7f04

/* INIT, then a start-up interrupt for 0x8000, to all others; then counts for ever. */
GUEST(bsp, 32,
      "   mov $0xfee00000, %ebx\n"
      "   movl $0x1ff, 0xf0(%ebx)\n"
      "   movl $0xc4500, 0x300(%ebx)\n"
      "   movl $0xc4608, 0x300(%ebx)\n"
      "1: pause\n"
      "   mov 0x7f00, %eax\n"
      "   cmp %eax, 0x7f04\n"
      "   jne 1b\n"
      "   out %al, $0x18\n"
      "2: incl 0x7800\n"
      "   jmp 2b\n");

/* APIC id of leaf 1 and of leaf 0xb to the log, then counts for ever. */
GUEST(ap, 16,
      "   xor %ax, %ax\n"
      "   mov %ax, %ds\n"
      "   mov $0xb, %eax\n"
      "   xor %ecx, %ecx\n"
      "   cpuid\n"
      "   mov %edx, %esi\n"
      "   mov $1, %eax\n"
      "   cpuid\n"
      "   shr $24, %ebx\n"
      "   mov %esi, %eax\n"
      "   shl $16, %eax\n"
      "   or %ebx, %eax\n"
      "   out %eax, $0x10\n"
      "   lock incl 0x7f00\n"
      "1: incl 0x7800(,%ebx,4)\n"
      "   jmp 1b\n");

static uint32_t
counter(struct guest *guest, unsigned cpu)
{
    uint32_t n = 0;

    if (memory_read(guest->mem, COUNTERS + cpu * 4, &n, sizeof n))
        g_error("memory_read");
    return n;
}

static void
start_smp(struct guest *guest, uint32_t aps)
{
    if (memory_write(guest->mem, EXPECTED, &aps, sizeof aps))
        g_error("memory_write");
    guest_load_code(guest, 0x1000, bsp);
    guest_load_code(guest, 0x8000, ap);
    guest_start_at(guest, 32, 0x1000);
}

static void
test_smp(unsigned cpus)
{
    struct guest *guest = guest_new(cpus, 4 << 20);
    uint64_t seen = 1;
    bool same = true;

    start_smp(guest, cpus - 1);
    ok(guest_wait(guest), "%u vCPUs: all are started with INIT and a start-up interrupt", cpus);
    for (unsigned i = 0; i < cpus - 1; i++) {
        uint32_t ids = guest_log_at(guest, i);

        same &= (ids & 0xffff) == ids >> 16;
        seen |= UINT64_C(1) << (ids & 63);
    }
    ok(same, "both APIC ids that CPUID has are the same");
    ok(seen == (cpus == 64 ? UINT64_MAX : (UINT64_C(1) << cpus) - 1), "each id occurs once");
    guest_free(guest);
}

static void
test_pause(void)
{
    struct guest *guest = guest_new(4, 4 << 20);
    unsigned moved = 0, stuck = 0;

    start_smp(guest, 3);
    if (!guest_wait(guest))
        g_error("SMP start");
    for (unsigned i = 0; i < 50; i++) {
        uint32_t before[4], after[4];

        vcpus_pause(guest->vm);
        for (unsigned cpu = 0; cpu < 4; cpu++)
            before[cpu] = counter(guest, cpu);
        if (i == 0)
            vcpus_pause(guest->vm); /* twice is fine */
        g_usleep(1000);
        for (unsigned cpu = 0; cpu < 4; cpu++) {
            after[cpu] = counter(guest, cpu);
            moved += after[cpu] != before[cpu];
        }
        vcpus_resume(guest->vm);
        if (i % 10)
            continue; /* mostly as fast as can be */
        for (unsigned cpu = 0; cpu < 4; cpu++) {
            unsigned tries = 0;

            while (counter(guest, cpu) == after[cpu] && tries++ < 20000)
                g_usleep(1000);
            stuck += counter(guest, cpu) == after[cpu];
        }
    }
    eq_int(moved, 0, "paused: no vCPU goes on");
    eq_int(stuck, 0, "resumed: every one does");
    vcpus_stop(guest->vm);
    ok(1, "stopped while running");
    guest_free(guest);
}

/* Writes 0 to 255 over and over, by string instructions: an exit for many bytes. */
GUEST(stream, 32,
      "   mov $0x20000, %edi\n"
      "   xor %eax, %eax\n"
      "   cld\n"
      "1: stosb\n"
      "   inc %al\n"
      "   jnz 1b\n"
      "   mov $0x200, %dx\n"
      "2: mov $0x20000, %esi\n"
      "   mov $256, %ecx\n"
      "   rep outsb\n"
      "   jmp 2b\n");

struct stream {
    struct guest *guest;
    uint8_t next;
    unsigned wrong;
    _Atomic unsigned bytes;
    bool current, named;
    int policy;
    int cpus;
};

static void
stream_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct stream *stream = self;
    char name[16] = "";
    cpu_set_t set;

    (void)id, (void)off, (void)width;
    if (val != stream->next++)
        stream->wrong++;
    if (stream->bytes++ == 0) {
        stream->current = vcpu_is_current(stream->guest->vcpus[0]);
        pthread_getname_np(pthread_self(), name, sizeof name);
        stream->named = strcmp(name, "vcpu 0") == 0;
        stream->policy = sched_getscheduler(0);
        sched_getaffinity(0, sizeof set, &set);
        stream->cpus = CPU_COUNT(&set);
    }
}

static void
test_stream(void)
{
    struct stream stream = {.next = 0};
    struct bus_region_config config = {
        .space = BUS_PIO, .len = 1, .name = "stream", .write = stream_write, .self = &stream};
    struct thread_attrs attrs = THREAD_ATTRS_DEFAULT;
    struct bus_region *region;
    struct guest *guest;
    GError *error = NULL;
    cpu_set_t set;

    attrs.cpus[15] = UINT64_C(1) << 63;
    guest = guest_new_attrs(1, 4 << 20, &attrs, &error);
    ok(guest == NULL && error->code == CORE_ERROR_HOST, "a CPU that this host has not: %s",
       error ? error->message : "accepted");
    g_clear_error(&error);

    attrs = THREAD_ATTRS_DEFAULT;
    sched_getaffinity(0, sizeof set, &set);
    for (unsigned i = 0; i < 64; i++)
        if (CPU_ISSET(i, &set))
            attrs.cpus[0] = UINT64_C(1) << i;
    attrs.policy = SCHED_BATCH;
    guest = stream.guest = guest_new_attrs(1, 4 << 20, &attrs, &error);
    if (guest == NULL)
        g_error("%s", error->message);
    if (bus_region_new(guest->bus, &config, &region) || bus_region_place(region, 0x200))
        g_error("stream");
    guest_load_code(guest, 0x1000, stream);
    guest_start_at(guest, 32, 0x1000);
    for (unsigned i = 0; i < 300; i++) {
        unsigned before = stream.bytes;

        vcpus_pause(guest->vm);
        vcpus_resume(guest->vm);
        while (i % 50 == 0 && stream.bytes < before + 300)
            g_usleep(100);
    }
    vcpus_pause(guest->vm);
    ok(stream.wrong == 0 && stream.bytes > 0,
       "paused 300 times in string output: no byte lost or written twice (%u)", stream.bytes);
    ok(stream.current && stream.named, "handlers run on the thread \"vcpu 0\"");
    ok(stream.policy == SCHED_BATCH && stream.cpus == 1, "which has its class and its CPU");
    guest_free(guest);
}

GUEST(topology, 64,
      "   mov $1, %eax\n"
      "   cpuid\n"
      "   mov %ecx, %eax\n"
      "   out %eax, $0x10\n"
      "   mov %ebx, %eax\n"
      "   out %eax, $0x10\n"
      "   mov %edx, %eax\n"
      "   out %eax, $0x10\n"
      "   mov $0x40000000, %eax\n"
      "   cpuid\n"
      "   mov %ebx, %eax\n"
      "   out %eax, $0x10\n"
      "   mov $0xb, %eax\n"
      "   mov $1, %ecx\n"
      "   cpuid\n"
      "   mov %ebx, %eax\n"
      "   out %eax, $0x10\n"
      "   out %al, $0x18\n"
      "1: hlt\n"
      "   jmp 1b\n");

static void
test_cpuid(void)
{
    struct guest *guest = guest_new(3, 4 << 20);

    guest_load_code(guest, 0x8000, topology);
    guest_start_at(guest, 64, 0x8000);
    ok(guest_wait(guest), "CPUID");
    ok(guest_log_at(guest, 0) >> 31, "a hypervisor is there");
    ok(guest_log_at(guest, 0) >> 21 & 1, "x2APIC");
    ok(guest_log_at(guest, 0) >> 24 & 1, "TSC deadline timer");
    eq_int(guest_log_at(guest, 1) >> 16, 4, "APIC id 0, four ids for three vCPUs");
    ok(guest_log_at(guest, 2) >> 28 & 1, "several in the package");
    eq_int(guest_log_at(guest, 3), 0x4b4d564b, "\"KVMK\"");
    eq_int(guest_log_at(guest, 4), 3, "three cores");
    guest_free(guest);
}

static void
test_limits(void)
{
    GError *error = NULL;
    struct vm *vm = vm_new(NULL);

    vm_begin_cpus(vm, 100000);
    ok(!vm_ready(vm, &error) && error->code == CORE_ERROR_HOST, "more vCPUs than KVM has: %s",
       error ? error->message : "accepted");
    g_clear_error(&error);
    vm_free(vm);
    vm_free(vm_new(NULL));
    ok(true, "a VM that nobody waits for");
}

int
main(void)
{
    need_kvm();
    test_smp(4);
    test_smp(64);
    test_pause();
    test_stream();
    test_cpuid();
    test_limits();
    return done_testing();
}
