/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.c - opens KVM and finds out what it can do; says what is missing and what to do about it.
 */
#include "config.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/kvm/internal.h"

int
kvm_ioctl(int fd, unsigned long request, void *arg)
{
    int r;

    do
        r = ioctl(fd, request, arg);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

int
kvm_ioctl_value(int fd, unsigned long request, unsigned long arg)
{
    int r;

    do
        r = ioctl(fd, request, arg);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

bool
vm_host_has_hardware(void)
{
    unsigned eax, ebx, ecx, edx;

    return (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & 1u << 5) ||
           (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && ecx & 1u << 2);
}

static const struct {
    int cap;
    const char *name, *what;
} needed[] = {
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", "guest RAM"},
    {KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM", "guest ROM"},
    {KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR", "real mode on Intel hosts"},
    {KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_CAP_SET_IDENTITY_MAP_ADDR", "real mode on Intel hosts"},
    {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID", "CPUID of a guest"},
    {KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP", "the APICs and the PIC"},
    {KVM_CAP_PIT2, "KVM_CAP_PIT2", "the PIT"},
    {KVM_CAP_PIT_STATE2, "KVM_CAP_PIT_STATE2", "a reset of the PIT"},
    {KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING", "interrupt lines"},
    {KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI", "message-signalled interrupts"},
    {KVM_CAP_IRQFD, "KVM_CAP_IRQFD", "interrupts from eventfds"},
    {KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD", "doorbells"},
    {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", "pausing vCPUs"},
    {KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE", "a reset of vCPUs"},
    {KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS", "a reset of vCPUs"},
    {KVM_CAP_XSAVE, "KVM_CAP_XSAVE", "a reset of vCPUs"},
};

static void
set_open_error(GError **error, const char *device, int err)
{
    struct stat st;
    struct group *group = NULL;

    switch (err) {
    case ENOENT:
        g_set_error(
            error, CORE_ERROR, CORE_ERROR_HOST,
            "%s does not exist: load the module (`modprobe kvm_intel` or `modprobe "
            "kvm_amd`); if that fails, switch on virtualization in the firmware's set-up, "
            "or nested virtualization where this machine is a guest itself; in a container, "
            "pass the device in",
            device);
        break;
    case EACCES:
    case EPERM:
        if (stat(device, &st) == 0 && st.st_mode & S_IWGRP)
            group = getgrgid(st.st_gid);
        if (group && st.st_gid != 0)
            g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                        "no permission to use %s, which is for group \"%s\": `sudo adduser $USER "
                        "%s`, then log in again",
                        device, group->gr_name, group->gr_name);
        else
            g_set_error(
                error, CORE_ERROR, CORE_ERROR_HOST,
                "no permission to use %s, which no group but root's may: `sudo chgrp kvm %s "
                "&& sudo chmod g+rw %s`, then `sudo adduser $USER kvm` and log in again",
                device, device, device);
        break;
    case ENODEV:
    case ENXIO:
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                    "%s is there but no driver is behind it: `modprobe kvm_intel` or `modprobe "
                    "kvm_amd`",
                    device);
        break;
    default:
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "cannot open %s: %s", device,
                    g_strerror(err));
        break;
    }
}

/* A capability of the VM, or of KVM while there is none. */
static int
vm_cap(const struct vm *vm, int cap)
{
    int n =
        kvm_ioctl_value(vm->fd >= 0 ? vm->fd : vm->kvm_fd, KVM_CHECK_EXTENSION, (unsigned long)cap);

    return n < 0 ? 0 : n;
}

static gboolean
probe_needed(struct vm *vm, const char *device, GError **error)
{
    GString *missing = g_string_new(NULL);
    gboolean good;

    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++)
        if (vm_cap(vm, needed[i].cap) == 0)
            g_string_append_printf(missing, "%s%s (%s)", missing->len ? ", " : "", needed[i].name,
                                   needed[i].what);
    good = missing->len == 0;
    if (!good)
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                    "%s cannot do all that is needed, it lacks %s: use an x86-64 host with Linux "
                    "4.12 or newer and all of KVM's options switched on",
                    device, missing->str);
    g_string_free(missing, TRUE);
    return good;
}

static gboolean
probe_create(struct vm *vm, const char *device, GError **error)
{
    vm->fd = kvm_ioctl_value(vm->kvm_fd, KVM_CREATE_VM, 0);
    if (vm->fd >= 0)
        return TRUE;
    switch (vm->fd) {
    case -EBUSY:
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                    "%s makes no VM (KVM_CREATE_VM: %s): another hypervisor uses the processor's "
                    "virtualization; stop it",
                    device, g_strerror(-vm->fd));
        break;
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE:
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "%s makes no VM (KVM_CREATE_VM: %s)",
                    device, g_strerror(-vm->fd));
        break;
    default:
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                    "%s makes no VM (KVM_CREATE_VM: %s): see what the kernel says of it (`dmesg | "
                    "grep -i kvm`); virtualization may be switched off in the firmware's set-up",
                    device, g_strerror(-vm->fd));
        break;
    }
    return FALSE;
}

gboolean
vm_probe(struct vm *vm, GError **error)
{
    const char *device = vm->device;
    int version, max, size;

    vm->kvm_fd = open(device, O_RDWR | O_CLOEXEC);
    if (vm->kvm_fd < 0) {
        set_open_error(error, device, errno);
        return FALSE;
    }
    version = kvm_ioctl_value(vm->kvm_fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        if (version < 0)
            g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                        "%s is not KVM (KVM_GET_API_VERSION: %s)", device, g_strerror(-version));
        else
            g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                        "%s speaks version %d of KVM's interface, not %d", device, version,
                        KVM_API_VERSION);
        return FALSE;
    }
    if (!probe_needed(vm, device, error) || !probe_create(vm, device, error))
        return FALSE;
    max = vm_cap(vm, KVM_CAP_MAX_VCPUS);
    if (max <= 0)
        max = MAX(4, vm_cap(vm, KVM_CAP_NR_VCPUS)); /* as KVM's documentation has it */
    vm->max_cpus = (unsigned)max;
    size = kvm_ioctl_value(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < (int)sizeof(struct kvm_run)) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "%s: KVM_GET_VCPU_MMAP_SIZE: %s", device,
                    size < 0 ? g_strerror(-size) : "too small");
        return FALSE;
    }
    vm->run_size = (size_t)size;
    size = 0;
#ifdef KVM_CAP_XSAVE2
    size = vm_cap(vm, KVM_CAP_XSAVE2);
#endif
    vm->xsave_size = MAX(sizeof(struct kvm_xsave), (size_t)size);
    /* Ports came later than memory; both or none, since the bus does not ask. */
    if (vm_cap(vm, KVM_CAP_COALESCED_PIO))
        vm->ring_page = (unsigned)vm_cap(vm, KVM_CAP_COALESCED_MMIO);
    if ((vm->ring_page + 1) * MEMORY_PAGE_SIZE > vm->run_size)
        vm->ring_page = 0;
    vm->max_routes = (unsigned)vm_cap(vm, KVM_CAP_IRQ_ROUTING);
    vm->has_resample = vm_cap(vm, KVM_CAP_IRQFD_RESAMPLE);
    vm->has_ioeventfd_any = vm_cap(vm, KVM_CAP_IOEVENTFD_ANY_LENGTH);
    vm->has_xcrs = vm_cap(vm, KVM_CAP_XCRS);
    vm->has_debugregs = vm_cap(vm, KVM_CAP_DEBUGREGS);
    vm->has_tsc_deadline = vm_cap(vm, KVM_CAP_TSC_DEADLINE_TIMER);
    vm->has_clock = vm_cap(vm, KVM_CAP_ADJUST_CLOCK);
    return TRUE;
}
