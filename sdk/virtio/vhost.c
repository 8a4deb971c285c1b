/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost.c - a queue that a kernel back end works on. It gets two descriptors, one that says that
 * the driver rang and one to interrupt the driver with: the doorbell's own, which KVM signals, and
 * the message's own, which KVM sends, so that neither comes by here. Where the host has no such
 * form of the one or the other, we stand in between: the doorbell's event writes to a descriptor of
 * ours, and a watch reads one.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "internal.h"

static void
close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void
virtq_relay_kick(struct bp_virtq *vq)
{
    static const uint64_t one = 1;

    /* Non-blocking: when the counter is full the other side has enough reason to look. */
    if (vq->kick_fd >= 0 && write(vq->kick_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        bp_virtio_broken(vq->dev, "a queue that was handed over cannot be kicked");
}

void
virtq_relay_call(struct bp_virtq *vq)
{
    uint64_t n;

    if (vq->call_fd >= 0 && read(vq->call_fd, &n, sizeof n) == (ssize_t)sizeof n &&
        bp_virtio_live(vq->dev))
        vq->dev->transport->queue_irq(vq->dev, vq);
}

/* Closes our ends; the watch goes first. */
void
virtq_hand_end(struct bp_virtq *vq)
{
    if (vq->bell_taken)
        (void)vq->dev->io->doorbell_fd(vq->dev->inst, vq->bell, 0, NULL);
    vq->bell_taken = 0;
    if (vq->call_fd >= 0)
        vq->dev->ev->close(vq->dev->inst, vq->call_watch);
    close_fd(&vq->call_fd);
    close_fd(&vq->kick_fd);
    vq->handed = 0;
}

static int
make_call(struct bp_virtq *vq, int *ret_fd)
{
    struct bp_virtio *dev = vq->dev;
    int err = dev->transport->queue_fd(dev, vq, ret_fd);

    if (!err)
        return 0;
    vq->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (vq->call_fd < 0)
        return -errno;
    err = dev->ev->watch(dev->inst, vq->call_fd, BP_EV_READ,
                         BP_VIRTIO_COOKIE + COOKIE_CALL + vq->index, &vq->call_watch);
    if (err) {
        close_fd(&vq->call_fd);
        return err;
    }
    *ret_fd = fcntl(vq->call_fd, F_DUPFD_CLOEXEC, 0);
    return *ret_fd < 0 ? -errno : 0;
}

static int
make_kick(struct bp_virtq *vq, int *ret_fd)
{
    struct bp_virtio *dev = vq->dev;
    int err = BP_E_NOTSUP;

    if (vq->has_bell && BP_HAS(struct bp_io_if, dev->io, doorbell_fd))
        err = dev->io->doorbell_fd(dev->inst, vq->bell, 1, &vq->kick_fd);
    vq->bell_taken = !err;
    if (err == BP_E_NOTSUP) {
        vq->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        err = vq->kick_fd < 0 ? -errno : 0;
    }
    if (err)
        return err;
    *ret_fd = fcntl(vq->kick_fd, F_DUPFD_CLOEXEC, 0);
    return *ret_fd < 0 ? -errno : 0;
}

int
bp_virtq_hand_over(struct bp_virtq *vq, struct bp_virtq_layout *ret_layout)
{
    int call = -1, kick = -1, err;

    if (!vq->live || virtq_popped(vq))
        return vq->live ? BP_E_BUSY : BP_E_NXIO;
    bp_virtq_flush(vq);
    err = make_call(vq, &call);
    if (!err)
        err = make_kick(vq, &kick);
    if (err) {
        close_fd(&call);
        virtq_hand_end(vq);
        return err;
    }
    ret_layout->num = vq->num;
    ret_layout->desc = vq->desc_gpa;
    ret_layout->avail = vq->avail_gpa;
    ret_layout->used = vq->used_gpa;
    ret_layout->last_avail = vq->last_avail;
    ret_layout->kick_fd = kick;
    ret_layout->call_fd = call;
    virtq_shut(vq);
    vq->handed = 1;
    virtq_relay_kick(vq); /* look at once */
    return 0;
}

void
bp_virtq_take_back(struct bp_virtq *vq, uint16_t last_avail)
{
    struct bp_virtio *dev = vq->dev;
    const char *why;

    if (!vq->handed)
        return;
    virtq_hand_end(vq);
    if (!vq->enabled) /* the driver has reset it: it begins anew, at 0 */
        return;
    vq->last_avail = last_avail;
    if (!bp_virtio_live(dev))
        return;
    if (virtq_open(vq, &why)) {
        bp_virtio_broken(dev, why);
        return;
    }
    virtq_read_used_index(vq);
    if (virtq_pending(vq) && dev->ops.notify)
        dev->ops.notify(dev->self, vq, vq->index);
}
