/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is said when KVM is not there, or cannot do what is needed. Needs no KVM: ioctl() is the
 * test's own and plays one on /dev/null.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/kvm/vm.h"
#include "tests/tap.h"

static struct {
    int version;    /* 0: /dev/null is /dev/null */
    int lacks[2];   /* capabilities that are not there */
    int create;     /* errno of KVM_CREATE_VM */
    int cpuid;      /* and of KVM_GET_SUPPORTED_CPUID */
    int interrupts; /* how often it fails with EINTR first */
    int max_vcpus;
} fake;

int
ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    long arg;

    (void)fd;
    va_start(ap, request);
    arg = va_arg(ap, long);
    va_end(ap);
    errno = ENOTTY;
    if (fake.version == 0)
        return -1;
    switch (request) {
    case KVM_GET_API_VERSION:
        return fake.version;
    case KVM_CHECK_EXTENSION:
        if (arg == fake.lacks[0] || arg == fake.lacks[1])
            return 0;
        return arg == KVM_CAP_MAX_VCPUS ? fake.max_vcpus : 1;
    case KVM_CREATE_VM:
        if (fake.interrupts-- > 0) {
            errno = EINTR;
            return -1;
        }
        errno = fake.create;
        return fake.create ? -1 : dup(fd);
    case KVM_GET_VCPU_MMAP_SIZE:
        return 12288;
    case KVM_GET_SUPPORTED_CPUID:
        errno = fake.cpuid;
        return fake.cpuid ? -1 : 0;
    default:
        return -1;
    }
}

/* Opens it and wants an error with every one of the words, which are separated by '|'. */
static void
refused(const char *device, unsigned cpus, const char *what, const char *words)
{
    gchar **list = g_strsplit(words, "|", -1);
    GError *error = NULL;
    struct vm *vm = vm_new(device);
    bool good;

    vm_begin_cpus(vm, cpus);
    good = !vm_ready(vm, &error) && error && error->code == CORE_ERROR_HOST;

    for (unsigned i = 0; good && list[i]; i++)
        good = strstr(error->message, list[i]) != NULL;
    ok(good, "%s: %s", what, error ? error->message : "accepted");
    g_clear_error(&error);
    g_strfreev(list);
    vm_free(vm);
}

static void
test_open(void)
{
    char path[] = "/tmp/backplane-probe-XXXXXX";
    int fd = mkstemp(path);

    refused("/nonexistent/kvm", 1, "no such file",
            "/nonexistent/kvm|does not exist|modprobe|firmware|container");
    refused("/dev/null", 1, "another device", "/dev/null|not KVM");
    if (fd < 0 || fchmod(fd, 0))
        g_error("mkstemp");
    if (geteuid() == 0)
        skip("root may open everything", "no permission");
    else
        refused(path, 1, "no permission", "no permission|adduser|kvm");
    unlink(path);
    close(fd);
}

static void
test_lacking(void)
{
    fake.version = 11;
    refused("/dev/null", 1, "another version", "version 11|not 12");
    fake.version = 12;
    fake.max_vcpus = 288;
    fake.lacks[0] = KVM_CAP_IRQCHIP;
    fake.lacks[1] = KVM_CAP_SIGNAL_MSI;
    refused("/dev/null", 1, "two capabilities missing",
            "KVM_CAP_IRQCHIP (the APICs|KVM_CAP_SIGNAL_MSI (message|Linux 4.12");
    fake.lacks[0] = fake.lacks[1] = -1;
    refused("/dev/null", 289, "too many vCPUs", "289 vCPUs|288");
    fake.create = EBUSY;
    refused("/dev/null", 1, "busy", "KVM_CREATE_VM|another hypervisor");
    fake.create = ENOMEM;
    refused("/dev/null", 1, "no memory", "KVM_CREATE_VM|memory");
    fake.create = EIO;
    refused("/dev/null", 1, "no virtualization", "KVM_CREATE_VM|dmesg|firmware");
    fake.create = 0;
    fake.interrupts = 3;
    fake.cpuid = EINVAL;
    refused("/dev/null", 1, "interrupted, goes on to the next step", "KVM_GET_SUPPORTED_CPUID");
}

int
main(void)
{
    unsigned n = 0;

    test_open();
    test_lacking();
    ok(vm_reserved(&n) != NULL, "the kernel's ranges are known without it");
    ok(n >= 5, "%u of them", n);
    return done_testing();
}
