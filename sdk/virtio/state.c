/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - save and load: section "virtio" for the device, "virtq.N" for each queue. Registers as
 * the specification names them, so that another implementation could read them.
 */
#include <stdio.h>

#include "internal.h"

#define STATE_VER 1

struct field {
    const char *key;
    uint64_t val, max;
};

static int
put_fields(const struct bp_writer *w, const struct field *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int err = w->u64(w, f[i].key, f[i].val);

        if (err)
            return err;
    }
    return 0;
}

/* Absent keys keep val; a value above max is refused. */
static int
get_fields(const struct bp_reader *r, struct field *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int err = r->u64(r, f[i].key, &f[i].val);

        if (err && err != BP_E_NOENT)
            return err;
        if (f[i].val > f[i].max)
            return BP_E_INVAL;
    }
    return 0;
}

enum {
    D_STATUS,
    D_FEATURES,
    D_OFFERED_SEL,
    D_DRIVER_SEL,
    D_QUEUE_SEL,
    D_CONFIG_GEN,
    D_ISR,
    D_CONFIG_VECTOR,
    D_CFG_BAR,
    D_CFG_OFF,
    D_CFG_LEN,
    D_PIN,
    D_N,
};

static void
device_fields(const struct bp_virtio *dev, struct field *f)
{
    f[D_STATUS] = (struct field){"status", dev->status, 0xff};
    f[D_FEATURES] = (struct field){"driver-features", dev->features_driver, UINT64_MAX};
    f[D_OFFERED_SEL] = (struct field){"device-feature-select", dev->offered_sel, UINT32_MAX};
    f[D_DRIVER_SEL] = (struct field){"driver-feature-select", dev->driver_sel, UINT32_MAX};
    f[D_QUEUE_SEL] = (struct field){"queue-select", dev->queue_sel, UINT32_MAX};
    f[D_CONFIG_GEN] = (struct field){"config-generation", dev->config_gen, UINT32_MAX};
    f[D_ISR] = (struct field){"isr", dev->isr, ISR_QUEUE | ISR_CONFIG};
    f[D_CONFIG_VECTOR] = (struct field){"config-vector", dev->config_vector, NO_VECTOR};
    f[D_CFG_BAR] = (struct field){"window-bar", dev->pci.cfg_bar, 0xff};
    f[D_CFG_OFF] = (struct field){"window-offset", dev->pci.cfg_off, UINT32_MAX};
    f[D_CFG_LEN] = (struct field){"window-length", dev->pci.cfg_len, UINT32_MAX};
    f[D_PIN] = (struct field){"pin", (uint64_t)dev->pci.intx, 1};
}

enum {
    Q_SIZE,
    Q_VECTOR,
    Q_ENABLED,
    Q_DESC,
    Q_DRIVER,
    Q_DEVICE,
    Q_LAST_AVAIL,
    Q_USED,
    Q_N,
};

static void
queue_fields(const struct bp_virtq *vq, struct field *f)
{
    f[Q_SIZE] = (struct field){"size", vq->num_wanted, vq->num_max};
    f[Q_VECTOR] = (struct field){"vector", vq->vector, NO_VECTOR};
    f[Q_ENABLED] = (struct field){"enabled", vq->enabled, 1};
    f[Q_DESC] = (struct field){"desc", vq->desc_gpa, UINT64_MAX};
    f[Q_DRIVER] = (struct field){"driver", vq->avail_gpa, UINT64_MAX};
    f[Q_DEVICE] = (struct field){"device", vq->used_gpa, UINT64_MAX};
    f[Q_LAST_AVAIL] = (struct field){"last-avail", vq->last_avail, UINT16_MAX};
    f[Q_USED] = (struct field){"used", vq->used_shown, UINT16_MAX};
}

int
bp_virtio_save(struct bp_virtio *dev, const struct bp_writer *w)
{
    struct field f[D_N], q[Q_N];
    char name[24];
    int err = w->section(w, "virtio", STATE_VER, 1);

    device_fields(dev, f);
    if (!err)
        err = put_fields(w, f, D_N);
    for (uint32_t i = 0; !err && i < dev->desc.n_queues; i++) {
        snprintf(name, sizeof name, "virtq.%u", i);
        queue_fields(&dev->queues[i], q);
        err = w->section(w, name, STATE_VER, 1);
        if (!err)
            err = put_fields(w, q, Q_N);
    }
    return err;
}

static uint16_t
known_vector(const struct bp_virtio *dev, uint64_t v)
{
    return v < dev->pci.n_vectors ? (uint16_t)v : (uint16_t)NO_VECTOR;
}

static int
load_queue(struct bp_virtq *vq, const struct bp_reader *r)
{
    struct field f[Q_N];
    char name[24];
    uint32_t ver;
    int err;

    snprintf(name, sizeof name, "virtq.%u", vq->index);
    err = r->section(r, name, &ver);
    if (err == BP_E_NOENT)
        return 0;
    queue_fields(vq, f);
    if (!err)
        err = ver == STATE_VER ? get_fields(r, f, Q_N) : BP_E_NOTSUP;
    if (err)
        return err;
    virtq_set_num(vq, (uint32_t)f[Q_SIZE].val);
    vq->vector = known_vector(vq->dev, f[Q_VECTOR].val);
    vq->desc_gpa = f[Q_DESC].val;
    vq->avail_gpa = f[Q_DRIVER].val;
    vq->used_gpa = f[Q_DEVICE].val;
    vq->last_avail = vq->avail_seen = (uint16_t)f[Q_LAST_AVAIL].val;
    vq->used_next = vq->used_shown = (uint16_t)f[Q_USED].val;
    vq->enabled = (uint8_t)f[Q_ENABLED].val;
    /* Whether the driver asked not to be interrupted for what came last is not known. */
    vq->force = 0;
    return 0;
}

/*
 * The rings themselves are guest memory and looked at when the machine starts. Until then nothing
 * here can do harm: what is out of range is refused, what is false shows when a queue is opened.
 */
int
bp_virtio_load(struct bp_virtio *dev, const struct bp_reader *r)
{
    struct field f[D_N];
    uint32_t ver, status;
    int err = r->section(r, "virtio", &ver);

    if (err)
        return err;
    virtio_reset_registers(dev);
    device_fields(dev, f);
    err = ver == STATE_VER ? get_fields(r, f, D_N) : BP_E_NOTSUP;
    if (err)
        return err;
    status = (uint32_t)f[D_STATUS].val & (STATUS_DRIVERS | STATUS_NEEDS_RESET);
    /* Before FEATURES_OK a driver may have written any bits; they are judged when it sets that. */
    if ((status & STATUS_FEATURES_OK && f[D_FEATURES].val & ~dev->features_offered) ||
        (status & STATUS_DRIVER_OK && !(status & STATUS_FEATURES_OK)))
        return BP_E_INVAL;
    dev->features_driver = f[D_FEATURES].val;
    dev->offered_sel = (uint32_t)f[D_OFFERED_SEL].val;
    dev->driver_sel = (uint32_t)f[D_DRIVER_SEL].val;
    dev->queue_sel = (uint32_t)f[D_QUEUE_SEL].val;
    dev->config_gen = (uint32_t)f[D_CONFIG_GEN].val;
    dev->isr = (uint32_t)f[D_ISR].val;
    dev->config_vector = known_vector(dev, f[D_CONFIG_VECTOR].val);
    dev->pci.cfg_bar = (uint32_t)f[D_CFG_BAR].val;
    dev->pci.cfg_off = (uint32_t)f[D_CFG_OFF].val;
    dev->pci.cfg_len = (uint32_t)f[D_CFG_LEN].val;
    for (uint32_t i = 0; i < dev->desc.n_queues; i++) {
        err = load_queue(&dev->queues[i], r);
        if (err)
            return err;
    }
    if (status & STATUS_FEATURES_OK) {
        if (!(dev->features_driver & F_BIT(BP_VIRTIO_F_VERSION_1)) ||
            (dev->ops.features && dev->ops.features(dev->self, dev->features_driver)))
            return BP_E_INVAL;
        dev->features = dev->features_driver;
    }
    dev->status = status;
    dev->transport->loaded(dev, (int)f[D_PIN].val);
    return 0;
}
