/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost.c - queue pairs that the host's kernel works on: it reads the rings and moves packets
 * between guest memory and the tap without us.
 *
 * One vhost device a pair. A pair is handed over when the driver runs and both its queues are
 * ready, and taken back at a reset, a stop of the machine, or when the driver uses fewer pairs.
 * Whatever fails, the pair stays with tx.c and rx.c. The control queue is always ours; as the
 * kernel knows no address filters, the driver then also gets what it did not ask for.
 */
#include <backplane/log.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net.h"

/* What the kernel has to know of what was negotiated; the rest concerns the tap or us. */
#define RING_FEATURES                                                                              \
    (BIT(F_MRG_RXBUF) | BIT(BP_VIRTIO_F_INDIRECT_DESC) | BIT(BP_VIRTIO_F_EVENT_IDX) |              \
     BIT(BP_VIRTIO_F_VERSION_1))

/* Pieces of guest memory, at most; the kernel takes 64 if nobody has changed that. */
#define MAPS_MAX 64

#define PAGE     4096u
#define HOLE_MAX (1u << 20) /* the holes of a range, together */

struct vhost {
    int fd[PAIRS_MAX]; /* -1: none */
    bool owned[PAIRS_MAX];
    bool on[PAIRS_MAX];   /* the kernel has the pair */
    bool once[PAIRS_MAX]; /* a failure was logged */
    bool must;            /* vhost = on */
    const struct bp_mem_if *mem;
    struct bp_map maps[MAPS_MAX];
    uint32_t n_maps;
};

bool
vhost_has(const struct net *net, uint32_t pair)
{
    return net->vhost && net->vhost->on[pair];
}

/* Closed, it moves nothing any more, whatever it thinks of its queues. The pair is ours from here
 * on. */
static void
give_up(struct vhost *v, uint32_t pair)
{
    if (v->fd[pair] >= 0)
        close(v->fd[pair]);
    v->fd[pair] = -1;
}

static void
close_all(struct vhost *v)
{
    for (uint32_t i = 0; i < PAIRS_MAX; i++)
        give_up(v, i);
}

static int
open_all(struct vhost *v, uint32_t pairs)
{
    uint64_t features;

    for (uint32_t i = 0; i < pairs; i++) {
        v->fd[i] = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
        if (v->fd[i] < 0 || ioctl(v->fd[i], VHOST_GET_FEATURES, &features) < 0)
            return -errno;
        if (RING_FEATURES & ~features)
            return BP_E_NOTSUP;
    }
    return 0;
}

int
vhost_open(struct net *net, uint32_t wanted)
{
    struct vhost *v;
    int err;

    if (wanted == BP_NET_VHOST_OFF || !BP_HAS(struct bp_net_if, net->be, take_fd))
        return 0;
    v = calloc(1, sizeof *v);
    if (!v)
        return BP_E_NOMEM;
    memset(v->fd, 0xff, sizeof v->fd);
    v->must = wanted == BP_NET_VHOST_ON;
    v->mem = net->host->query(net->inst, BP_IF_MEM, BP_UPTO(struct bp_mem_if, unmap));
    err = v->mem ? open_all(v, net->max_pairs) : BP_E_NOTSUP;
    if (!err) {
        net->vhost = v;
        return 0;
    }
    close_all(v);
    if (v->must)
        bp_failf(net->host, net->inst, err,
                 "vhost = on, but /dev/vhost-net: %s; load the kernel's vhost_net module (modprobe "
                 "vhost_net), or set vhost = auto",
                 strerror(-err));
    err = v->must ? err : 0;
    free(v);
    return err;
}

void
vhost_close(struct net *net)
{
    if (net->vhost)
        close_all(net->vhost);
    free(net->vhost);
    net->vhost = NULL;
}

/* ---- Guest memory ---- */

static void
unmap_all(struct net *net)
{
    struct vhost *v = net->vhost;

    /* The kernel says of nothing what it wrote. */
    while (v->n_maps > 0) {
        struct bp_map *map = &v->maps[--v->n_maps];

        (void)v->mem->unmap(net->inst, map, 0, map->len);
    }
}

/* All memory from gpa to end, which may have a hole, such as a display adapter's below 1 MiB. */
static int
map_range(struct net *net, uint64_t gpa, uint64_t end)
{
    struct vhost *v = net->vhost;
    unsigned missing = 0;

    while (gpa < end) {
        struct bp_map *map = &v->maps[v->n_maps];
        int err;

        if (v->n_maps == MAPS_MAX)
            return BP_E_NOSPC;
        *map = (struct bp_map){.size = sizeof *map};
        err = v->mem->map(net->inst, gpa, end - gpa, BP_MAP_READ | BP_MAP_WRITE, map);
        if (err == BP_E_FAULT && ++missing <= HOLE_MAX / PAGE) {
            gpa = (gpa / PAGE + 1) * PAGE;
            continue;
        }
        if (err)
            return err;
        v->n_maps++;
        gpa += map->len;
    }
    return 0;
}

static int
map_all(struct net *net)
{
    const struct bp_machine_if *machine =
        net->host->query(net->inst, BP_IF_MACHINE, BP_UPTO(struct bp_machine_if, info));
    struct bp_machine_info info = {.size = sizeof info};
    const uint64_t high = UINT64_C(1) << 32;
    int err;

    if (net->vhost->n_maps > 0)
        return 0;
    err = machine ? machine->info(net->inst, &info) : BP_E_NOTSUP;
    if (!err)
        err = map_range(net, 0, info.ram_low);
    if (!err)
        err = map_range(net, high, high + info.ram_high);
    if (err)
        unmap_all(net);
    return err;
}

static int
set_memory(const struct vhost *v, int fd)
{
    struct vhost_memory *table =
        calloc(1, sizeof *table + v->n_maps * sizeof(struct vhost_memory_region));
    int err;

    if (!table)
        return BP_E_NOMEM;
    table->nregions = v->n_maps;
    for (uint32_t i = 0; i < v->n_maps; i++) {
        table->regions[i].guest_phys_addr = v->maps[i].gpa;
        table->regions[i].memory_size = v->maps[i].len;
        table->regions[i].userspace_addr = (uintptr_t)v->maps[i].p;
    }
    err = ioctl(fd, VHOST_SET_MEM_TABLE, table) < 0 ? -errno : 0;
    free(table);
    return err;
}

/* Where len bytes of the guest's lie in our memory; 0: nowhere in one piece. */
static uint64_t
address(const struct vhost *v, uint64_t gpa, uint64_t len)
{
    for (uint32_t i = 0; i < v->n_maps; i++) {
        const struct bp_map *map = &v->maps[i];

        if (gpa >= map->gpa && gpa - map->gpa < map->len && len <= map->len - (gpa - map->gpa))
            return (uintptr_t)map->p + (gpa - map->gpa);
    }
    return 0;
}

/* ---- Queues ---- */

static int
give_ring(const struct vhost *v, int fd, unsigned index, const struct bp_virtq_layout *l)
{
    struct vhost_vring_state num = {index, l->num}, base = {index, l->last_avail};
    struct vhost_vring_file kick = {index, l->kick_fd}, call = {index, l->call_fd};
    struct vhost_vring_addr addr = {.index = index};

    addr.desc_user_addr = address(v, l->desc, UINT64_C(16) * l->num);
    addr.avail_user_addr = address(v, l->avail, UINT64_C(6) + 2 * (uint64_t)l->num);
    addr.used_user_addr = address(v, l->used, UINT64_C(6) + 8 * (uint64_t)l->num);
    if (!addr.desc_user_addr || !addr.avail_user_addr || !addr.used_user_addr)
        return BP_E_FAULT;
    if (ioctl(fd, VHOST_SET_VRING_NUM, &num) < 0 || ioctl(fd, VHOST_SET_VRING_BASE, &base) < 0 ||
        ioctl(fd, VHOST_SET_VRING_ADDR, &addr) < 0 || ioctl(fd, VHOST_SET_VRING_CALL, &call) < 0 ||
        ioctl(fd, VHOST_SET_VRING_KICK, &kick) < 0)
        return -errno;
    return 0;
}

static int
hand_over(struct net *net, uint32_t pair, unsigned index)
{
    struct bp_virtq_layout l = {.size = sizeof l};
    int err = bp_virtq_hand_over(bp_virtio_queue(net->vdev, 2 * pair + index), &l);

    if (err)
        return err;
    err = give_ring(net->vhost, net->vhost->fd[pair], index, &l);
    close(l.kick_fd);
    close(l.call_fd);
    if (err)
        bp_virtq_take_back(bp_virtio_queue(net->vdev, 2 * pair + index), l.last_avail);
    return err;
}

/* The kernel lets go of one queue, and says how far it came. */
static void
take_back(struct net *net, uint32_t pair, unsigned index)
{
    int fd = net->vhost->fd[pair];
    struct vhost_vring_file none = {index, -1};
    struct vhost_vring_state base = {index, 0};
    struct bp_virtq *vq = bp_virtio_queue(net->vdev, 2 * pair + index);

    if (ioctl(fd, VHOST_NET_SET_BACKEND, &none) < 0 || ioctl(fd, VHOST_GET_VRING_BASE, &base) < 0) {
        bp_virtio_broken(net->vdev, "the kernel does not give a queue back");
        give_up(net->vhost, pair);
    }
    bp_virtq_take_back(vq, (uint16_t)base.num);
}

static int
set_up(struct net *net, uint32_t pair)
{
    struct vhost *v = net->vhost;
    uint64_t features = bp_virtio_features(net->vdev) & RING_FEATURES;
    int err;

    if (v->fd[pair] < 0)
        return BP_E_NXIO;
    if (!v->owned[pair] && ioctl(v->fd[pair], VHOST_SET_OWNER) < 0)
        return -errno;
    v->owned[pair] = true;
    if (ioctl(v->fd[pair], VHOST_SET_FEATURES, &features) < 0)
        return -errno;
    err = map_all(net);
    return err ? err : set_memory(v, v->fd[pair]);
}

static int
start_pair(struct net *net, uint32_t pair)
{
    struct vhost *v = net->vhost;
    struct vhost_vring_file tap = {0, -1};
    unsigned given = 0;
    int err = set_up(net, pair);

    if (err)
        return err;
    v->on[pair] = true; /* from here on neither rx.c nor tx.c touches it */
    tap.fd = net->be->take_fd(net->be_self, pair, 1);
    err = tap.fd < 0 ? tap.fd : 0;
    for (; given < 2 && !err; given += !err)
        err = hand_over(net, pair, given);
    for (; tap.index < 2 && !err; tap.index++)
        if (ioctl(v->fd[pair], VHOST_NET_SET_BACKEND, &tap) < 0)
            err = -errno;
    if (!err)
        return 0;
    v->on[pair] = false;
    (void)net->be->take_fd(net->be_self, pair, 0);
    while (given > 0)
        take_back(net, pair, --given);
    return err;
}

static void
stop_pair(struct net *net, uint32_t pair)
{
    net->vhost->on[pair] = false;
    (void)net->be->take_fd(net->be_self, pair, 0);
    take_back(net, pair, 0);
    take_back(net, pair, 1);
}

static bool
ready(const struct net *net, uint32_t pair)
{
    return bp_virtq_enabled(bp_virtio_queue(net->vdev, 2 * pair)) &&
           bp_virtq_enabled(bp_virtio_queue(net->vdev, 2 * pair + 1));
}

static void
say(struct net *net, uint32_t pair, int err)
{
    struct vhost *v = net->vhost;

    if (!v->once[pair])
        bp_logf(net->host, net->inst, v->must ? BP_LOG_WARN : BP_LOG_DEBUG,
                "queue pair %u does without vhost: %s", pair, strerror(-err));
    v->once[pair] = true;
}

void
vhost_update(struct net *net)
{
    for (uint32_t i = 0; net->vhost && i < net->max_pairs; i++) {
        bool want = i < net->pairs && bp_virtio_live(net->vdev) && ready(net, i);

        if (net->vhost->on[i] && !want) {
            stop_pair(net, i);
        } else if (!net->vhost->on[i] && want) {
            int err = start_pair(net, i);

            if (err)
                say(net, i, err);
            else
                bp_logf(net->host, net->inst, BP_LOG_DEBUG, "queue pair %u uses vhost", i);
        }
    }
}

void
vhost_stop(struct net *net)
{
    if (!net->vhost)
        return;
    for (uint32_t i = 0; i < net->max_pairs; i++)
        if (net->vhost->on[i])
            stop_pair(net, i);
    unmap_all(net);
}
