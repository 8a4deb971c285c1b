/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake-vhost.h - /dev/vhost-net, played by a test.
 *
 * open() and ioctl() of the program stand before the C library's, so plugins meet these. What the
 * kernel refuses is refused here, and what a plugin must not do counts as a fault. vhost_serve()
 * moves packets: what is sent is used up, what waits to be received gets vhost_fill.
 */
#ifndef TESTS_FAKE_VHOST_H
#define TESTS_FAKE_VHOST_H

#include <backplane/base.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { VHOST_DEVICES = 8, VHOST_REGIONS = 8 };

struct vhost_ring {
    unsigned num, last_avail;
    struct vhost_vring_addr addr;
    int kick, call, backend; /* -1: none */
};

struct vhost_dev {
    int fd; /* 0: free */
    int owner;
    uint64_t features;
    unsigned n_regions;
    struct vhost_memory_region region[VHOST_REGIONS];
    struct vhost_ring ring[2];
};

static struct vhost_dev vhost_devs[VHOST_DEVICES];
static unsigned vhost_ioctls, vhost_faults;
static unsigned vhost_fail_at; /* that ioctl, counted from 1, gets EIO */
static int vhost_missing;      /* there is no such device */
static uint8_t vhost_fill;

static struct vhost_dev *
vhost_of(int fd)
{
    for (unsigned i = 0; fd > 0 && i < VHOST_DEVICES; i++)
        if (vhost_devs[i].fd == fd)
            return &vhost_devs[i];
    return NULL;
}

static void
vhost_swap(int *fd, int to)
{
    if (*fd >= 0)
        close(*fd);
    *fd = to < 0 ? -1 : fcntl(to, F_DUPFD_CLOEXEC, 0);
}

/* close() is not ours: a device whose number is free, or something else's, has been closed. */
__attribute__((unused)) static void
vhost_bury(void)
{
    for (unsigned i = 0; i < VHOST_DEVICES; i++) {
        struct vhost_dev *d = &vhost_devs[i];

        if (!d->fd || fcntl(d->fd, F_GETFD) >= 0)
            continue;
        for (int r = 0; r < 2; r++) {
            vhost_swap(&d->ring[r].kick, -1);
            vhost_swap(&d->ring[r].call, -1);
        }
        d->fd = 0;
    }
}

static int
vhost_open_dev(void)
{
    if (vhost_missing) {
        errno = ENOENT;
        return -1;
    }
    vhost_bury();
    for (unsigned i = 0; i < VHOST_DEVICES; i++)
        if (!vhost_devs[i].fd) {
            struct vhost_ring none = {.kick = -1, .call = -1, .backend = -1};

            vhost_devs[i] = (struct vhost_dev){.fd = eventfd(0, EFD_CLOEXEC), .ring = {none, none}};
            return vhost_devs[i].fd;
        }
    errno = EMFILE;
    return -1;
}

/* len bytes at a user address lie in memory that was told of. */
static int
vhost_reaches(const struct vhost_dev *d, uint64_t at, uint64_t len)
{
    for (unsigned i = 0; i < d->n_regions; i++) {
        const struct vhost_memory_region *r = &d->region[i];

        if (at >= r->userspace_addr && at - r->userspace_addr < r->memory_size &&
            len <= r->memory_size - (at - r->userspace_addr))
            return 1;
    }
    return 0;
}

static void *
vhost_at(const struct vhost_dev *d, uint64_t gpa)
{
    for (unsigned i = 0; i < d->n_regions; i++)
        if (gpa - d->region[i].guest_phys_addr < d->region[i].memory_size)
            return (void *)(uintptr_t)(d->region[i].userspace_addr +
                                       (gpa - d->region[i].guest_phys_addr));
    return NULL;
}

static int
vhost_ring_ioctl(struct vhost_dev *d, unsigned long cmd, void *arg)
{
    unsigned index = *(unsigned *)arg; /* each of these structs begins with it */
    struct vhost_vring_state *state = arg;
    struct vhost_vring_file *file = arg;
    struct vhost_ring *r;

    if (index > 1)
        return ENOBUFS;
    r = &d->ring[index];
    if (cmd == VHOST_SET_VRING_NUM || cmd == VHOST_SET_VRING_BASE) {
        if (r->backend >= 0)
            return EBUSY;
        if (cmd == VHOST_SET_VRING_NUM)
            r->num = state->num;
        else
            r->last_avail = state->num;
    } else if (cmd == VHOST_SET_VRING_ADDR) {
        r->addr = *(struct vhost_vring_addr *)arg;
        if (!vhost_reaches(d, r->addr.desc_user_addr, 16ull * r->num) ||
            !vhost_reaches(d, r->addr.avail_user_addr, 6 + 2ull * r->num) ||
            !vhost_reaches(d, r->addr.used_user_addr, 6 + 8ull * r->num))
            return EINVAL;
    } else if (cmd == VHOST_SET_VRING_KICK) {
        vhost_swap(&r->kick, file->fd);
    } else if (cmd == VHOST_SET_VRING_CALL) {
        vhost_swap(&r->call, file->fd);
    } else if (cmd == VHOST_NET_SET_BACKEND) {
        r->backend = file->fd;
    } else if (cmd == VHOST_GET_VRING_BASE) {
        vhost_faults += r->backend >= 0; /* it would go on moving */
        state->num = r->last_avail;
    } else {
        return ENOTTY;
    }
    return 0;
}

static int
vhost_ioctl(struct vhost_dev *d, unsigned long cmd, void *arg)
{
    const struct vhost_memory *table = arg;

    if (++vhost_ioctls == vhost_fail_at)
        return EIO;
    if (cmd == VHOST_GET_FEATURES) {
        *(uint64_t *)arg = UINT64_MAX;
        return 0;
    }
    if (cmd == VHOST_SET_OWNER) {
        int had = d->owner;

        d->owner = 1;
        return had ? EBUSY : 0;
    }
    if (!d->owner)
        return EPERM;
    if (cmd == VHOST_SET_FEATURES) {
        if (d->ring[0].backend >= 0 || d->ring[1].backend >= 0)
            return EBUSY;
        d->features = *(uint64_t *)arg;
        return 0;
    }
    if (cmd == VHOST_SET_MEM_TABLE) {
        if (table->nregions > VHOST_REGIONS)
            return E2BIG;
        d->n_regions = table->nregions;
        memcpy(d->region, table->regions, table->nregions * sizeof *d->region);
        return 0;
    }
    return vhost_ring_ioctl(d, cmd, arg);
}

BP_EXPORT int
open(const char *path, int flags, ...)
{
    va_list ap;
    int mode;

    va_start(ap, flags);
    mode = flags & O_CREAT ? va_arg(ap, int) : 0;
    va_end(ap);
    if (strcmp(path, "/dev/vhost-net") == 0)
        return vhost_open_dev();
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

BP_EXPORT int
ioctl(int fd, unsigned long cmd, ...)
{
    struct vhost_dev *d = vhost_of(fd);
    va_list ap;
    void *arg;

    va_start(ap, cmd);
    arg = va_arg(ap, void *);
    va_end(ap);
    if (!d)
        return (int)syscall(SYS_ioctl, fd, cmd, arg);
    errno = vhost_ioctl(d, cmd, arg);
    return errno ? -1 : 0;
}

/* Uses up what is in a ring, for which it was kicked. Returns how many chains. */
static unsigned
vhost_serve_ring(struct vhost_dev *d, struct vhost_ring *r, int in)
{
    static const uint64_t one = 1;
    uint16_t *avail = (void *)(uintptr_t)r->addr.avail_user_addr;
    uint16_t *used = (void *)(uintptr_t)r->addr.used_user_addr;
    uint8_t *desc = (void *)(uintptr_t)r->addr.desc_user_addr;
    unsigned n = 0;

    for (; (uint16_t)r->last_avail != avail[1];
         n++, r->last_avail = (uint16_t)(r->last_avail + 1)) {
        uint32_t entry[2] = {avail[2 + r->last_avail % r->num], 0};
        uint64_t addr;
        uint8_t *to;

        memcpy(&addr, desc + 16ull * entry[0], sizeof addr);
        to = vhost_at(d, addr);
        if (in && to)
            memset(to, vhost_fill, entry[1] = 100);
        memcpy(&used[2 + 4 * (used[1] % r->num)], entry, sizeof entry);
        used[1]++;
    }
    used[2 + 4 * r->num] = (uint16_t)r->last_avail; /* EVENT_IDX: kick for the next */
    if (n && write(r->call, &one, sizeof one) != sizeof one)
        vhost_faults++;
    return n;
}

/* The device's worker looks at the rings that were kicked. */
__attribute__((unused)) static unsigned
vhost_serve(struct vhost_dev *d)
{
    unsigned n = 0;
    uint64_t count;

    for (int i = 0; i < 2; i++) {
        struct vhost_ring *r = &d->ring[i];

        /* Read, though the kernel does not, so that a kick which is missing is missed. */
        if (r->backend >= 0 && r->kick >= 0 && read(r->kick, &count, sizeof count) > 0)
            n += vhost_serve_ring(d, r, i == 0);
    }
    return n;
}

#endif
