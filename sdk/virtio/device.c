/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.c - a virtio device between its transport and its class: features, status, configuration,
 * reset, and the life cycle of the instance.
 *
 *   reset -> ACKNOWLEDGE -> DRIVER -> FEATURES_OK -> DRIVER_OK      (3.1.1)
 *     ^                                                  |
 *     +---- driver writes 0 ---- NEEDS_RESET <-----------+ bp_virtio_broken()
 */
#include <stdlib.h>
#include <string.h>

#include <backplane/log.h>

#include "internal.h"

void
virtio_guest_log(struct bp_virtio *dev, const char *text)
{
    bp_logf(dev->host, dev->inst, BP_LOG_GUEST, "virtio: the driver %s", text);
}

/* ---- Queues as a whole ---- */

static void
queues_shut(struct bp_virtio *dev)
{
    for (uint32_t i = 0; i < dev->desc.n_queues; i++)
        virtq_shut(&dev->queues[i]);
}

static void
queue_try_open(struct bp_virtq *vq)
{
    const char *why;

    if (vq->enabled && !vq->live && !vq->handed && virtq_open(vq, &why))
        bp_virtio_broken(vq->dev, why);
}

/* Opens what is enabled, and tells the class of queues that have something in them. */
static void
queues_run(struct bp_virtio *dev)
{
    for (uint32_t i = 0; i < dev->desc.n_queues && bp_virtio_live(dev); i++)
        queue_try_open(&dev->queues[i]);
    if (!bp_virtio_live(dev))
        return;
    if (!dev->was_ready) {
        dev->was_ready = 1;
        if (dev->ops.ready)
            dev->ops.ready(dev->self);
    }
    for (uint32_t i = 0; i < dev->desc.n_queues; i++) {
        struct bp_virtq *vq = &dev->queues[i];

        if (virtq_pending(vq) && dev->ops.notify)
            dev->ops.notify(dev->self, vq, i);
    }
}

void
virtio_queue_enable(struct bp_virtq *vq, int on)
{
    if (vq->enabled == on)
        return;
    if (!on) {
        virtq_hand_end(vq);
        virtq_reset(vq);
        return;
    }
    /* Chains of before a stop without a reset are still with the device. */
    if (virtq_popped(vq) && !vq->dev->resetting) {
        virtio_guest_log(vq->dev, "enables a queue whose requests are in flight");
        return;
    }
    vq->enabled = 1;
    if (bp_virtio_live(vq->dev))
        queues_run(vq->dev);
}

void
virtio_ring_bell(struct bp_virtio *dev, uint32_t index)
{
    struct bp_virtq *vq;

    if (index >= dev->desc.n_queues)
        return;
    vq = &dev->queues[index];
    if (vq->handed)
        virtq_relay_kick(vq);
    else if (vq->live && dev->ops.notify)
        dev->ops.notify(dev->self, vq, index);
}

struct bp_virtq *
virtio_selected(struct bp_virtio *dev)
{
    return dev->queue_sel < dev->desc.n_queues ? &dev->queues[dev->queue_sel] : NULL;
}

/* ---- Features (2.2) ---- */

uint32_t
virtio_offered(const struct bp_virtio *dev)
{
    return dev->offered_sel > 1 ? 0 : (uint32_t)(dev->features_offered >> 32 * dev->offered_sel);
}

void
virtio_accept(struct bp_virtio *dev, uint32_t val)
{
    if (dev->status & STATUS_FEATURES_OK) {
        virtio_guest_log(dev, "changes features after FEATURES_OK");
        return;
    }
    if (dev->driver_sel > 1) {
        dev->bad_features |= val != 0;
        return;
    }
    dev->features_driver &= ~(UINT64_C(0xffffffff) << 32 * dev->driver_sel);
    dev->features_driver |= (uint64_t)val << 32 * dev->driver_sel;
}

static int
features_fit(struct bp_virtio *dev)
{
    uint64_t f = dev->features_driver;

    if (dev->bad_features || f & ~dev->features_offered) {
        virtio_guest_log(dev, "accepts features that were not offered");
        return 0;
    }
    if (!(f & F_BIT(BP_VIRTIO_F_VERSION_1))) {
        virtio_guest_log(dev, "does not accept VERSION_1");
        return 0;
    }
    if (dev->ops.features && dev->ops.features(dev->self, f)) {
        virtio_guest_log(dev, "accepts features that do not fit together");
        return 0;
    }
    dev->features = f;
    return 1;
}

struct bp_virtq *
bp_virtio_queue(struct bp_virtio *dev, uint32_t index)
{
    return index < dev->desc.n_queues ? &dev->queues[index] : NULL;
}

uint64_t
bp_virtio_features(const struct bp_virtio *dev)
{
    return dev->features;
}

/* ---- Status (2.1) ---- */

uint32_t
virtio_read_status(const struct bp_virtio *dev)
{
    return dev->status | (dev->resetting ? STATUS_RESETTING : 0);
}

int
bp_virtio_live(const struct bp_virtio *dev)
{
    return (dev->status & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET | STATUS_FAILED)) ==
               STATUS_DRIVER_OK &&
           dev->running && !dev->resetting;
}

static void
reset_finish(struct bp_virtio *dev)
{
    dev->resetting = 0;
    for (uint32_t i = 0; i < dev->desc.n_queues; i++)
        virtq_forget(&dev->queues[i]);
    if (bp_virtio_live(dev))
        queues_run(dev);
}

/* Everything that the driver can see, as it is after a reset. */
void
virtio_reset_registers(struct bp_virtio *dev)
{
    dev->status = 0;
    dev->features = dev->features_driver = 0;
    dev->offered_sel = dev->driver_sel = dev->queue_sel = 0;
    dev->bad_features = 0;
    dev->isr = 0;
    dev->config_vector = NO_VECTOR;
    dev->was_ready = 0;
    for (uint32_t i = 0; i < dev->desc.n_queues; i++)
        virtq_reset(&dev->queues[i]);
    dev->transport->reset(dev);
}

/* The driver's side is new at once; the class may need time for what is in flight. */
static void
virtio_reset(struct bp_virtio *dev)
{
    virtio_reset_registers(dev);
    if (dev->resetting)
        return;
    dev->resetting = 1;
    if (!dev->ops.reset || dev->ops.reset(dev->self) != BP_E_AGAIN)
        bp_virtio_reset_done(dev);
    for (uint32_t i = 0; i < dev->desc.n_queues; i++)
        virtq_hand_end(&dev->queues[i]);
}

void
bp_virtio_reset_done(struct bp_virtio *dev)
{
    if (dev->resetting)
        reset_finish(dev);
}

void
virtio_write_status(struct bp_virtio *dev, uint32_t val)
{
    uint32_t add = val & STATUS_DRIVERS & ~dev->status;

    if (!val) {
        virtio_reset(dev);
        return;
    }
    if (dev->status & STATUS_DRIVERS & ~val)
        virtio_guest_log(dev, "clears status bits without a reset");
    if (add & STATUS_FEATURES_OK && !features_fit(dev))
        add &= ~(uint32_t)STATUS_FEATURES_OK;
    if (add & STATUS_DRIVER_OK && !((dev->status | add) & STATUS_FEATURES_OK)) {
        virtio_guest_log(dev, "sets DRIVER_OK without FEATURES_OK");
        add &= ~(uint32_t)STATUS_DRIVER_OK;
    }
    dev->status |= add;
    if (add & STATUS_FAILED)
        queues_shut(dev);
    else if (add & STATUS_DRIVER_OK && bp_virtio_live(dev))
        queues_run(dev);
}

void
bp_virtio_broken(struct bp_virtio *dev, const char *why)
{
    if (dev->status & STATUS_NEEDS_RESET || dev->resetting)
        return;
    bp_logf(dev->host, dev->inst, BP_LOG_GUEST, "virtio: %s: the device needs a reset", why);
    dev->status |= STATUS_NEEDS_RESET;
    queues_shut(dev);
    if (dev->status & STATUS_DRIVER_OK) /* 2.1.2 */
        dev->transport->config_irq(dev);
}

/* ---- Configuration space (2.5) ---- */

void
virtio_config_read(struct bp_virtio *dev, uint64_t off, void *buf, uint32_t len)
{
    memset(buf, 0, len);
    if (off >= dev->desc.config_len || !dev->ops.config_read)
        return;
    if (len > dev->desc.config_len - off)
        len = dev->desc.config_len - (uint32_t)off;
    dev->ops.config_read(dev->self, (uint32_t)off, buf, len);
}

void
virtio_config_write(struct bp_virtio *dev, uint64_t off, const void *buf, uint32_t len)
{
    if (off >= dev->desc.config_len || !dev->ops.config_write)
        return;
    if (len > dev->desc.config_len - off)
        len = dev->desc.config_len - (uint32_t)off;
    dev->ops.config_write(dev->self, (uint32_t)off, buf, len);
}

void
bp_virtio_config_changed(struct bp_virtio *dev)
{
    dev->config_gen++;
    if (dev->status & STATUS_DRIVER_OK)
        dev->transport->config_irq(dev);
}

/* ---- Life of the instance ---- */

static int
check_desc(const struct bp_host *host, bp_inst inst, const struct bp_virtio_desc *d)
{
    if (!d->n_queues || d->n_queues > BP_VIRTIO_QUEUES || !d->queue_size || !d->ops)
        return bp_failf(host, inst, BP_E_INVAL, "a virtio device has 1 to %u queues",
                        BP_VIRTIO_QUEUES);
    for (uint32_t i = 0; i < d->n_queues; i++)
        if (!d->queue_size[i] || d->queue_size[i] > BP_VIRTIO_QUEUE_MAX ||
            d->queue_size[i] & (d->queue_size[i] - 1))
            return bp_failf(host, inst, BP_E_INVAL, "a virtqueue's size is a power of two up to %u",
                            BP_VIRTIO_QUEUE_MAX);
    return 0;
}

static int
ask_host(struct bp_virtio *dev)
{
    static const uint32_t never = 0, always = 1;
    const struct bp_host *h = dev->host;

    dev->mem = h->query(dev->inst, BP_IF_MEM, BP_UPTO(struct bp_mem_if, unmap));
    dev->io = h->query(dev->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, doorbell));
    dev->irq = h->query(dev->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, raise));
    dev->ev = h->query(dev->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    if (!dev->mem || !dev->io || !dev->irq || !dev->ev)
        return h->fail(dev->inst, BP_E_NOTSUP,
                       "virtio needs bp.mem/1, bp.io/1, bp.irq/1 and bp.event/1 of the core");
    dev->dirty_wanted = &never;
    if (BP_HAS(struct bp_mem_if, dev->mem, dirty)) {
        dev->dirty = dev->mem->dirty;
        if (BP_HAS(struct bp_mem_if, dev->mem, dirty_wanted))
            dev->dirty_wanted = dev->mem->dirty_wanted(dev->inst);
        if (!dev->dirty_wanted || dev->dirty_wanted == &never)
            dev->dirty_wanted = &always;
    }
    return 0;
}

/* PCI when the machine has a bus and the config does not say otherwise. */
static int
join_machine(struct bp_virtio *dev)
{
    struct bp_value how = {.size = sizeof how}, slot = {.size = sizeof slot, .i = -1};
    struct bp_link bus = {.size = sizeof bus};
    const char *want = "auto";
    int err = dev->host->prop(dev->inst, "transport", &how);

    if (!err && how.n)
        want = how.s;
    if (!err || err == BP_E_NOENT)
        err = dev->host->prop(dev->inst, "slot", &slot);
    if (err && err != BP_E_NOENT)
        return err;
    if (strcmp(want, "mmio") == 0)
        return virtio_mmio_new(dev);
    err = dev->host->link(dev->inst, NULL, BP_IF_PCI_BUS, BP_UPTO(struct bp_pci_bus_if, status),
                          &bus);
    if (!err)
        return virtio_pci_new(dev, &bus, slot.n ? slot.i : -1);
    if (err != BP_E_NOENT)
        return err;
    if (strcmp(want, "pci") == 0)
        return dev->host->fail(dev->inst, err,
                               "transport = \"pci\" needs a pci section in the machine");
    return virtio_mmio_new(dev);
}

int
bp_virtio_new(const struct bp_host *host, bp_inst inst, const struct bp_virtio_desc *desc,
              void *self, struct bp_virtio **ret_vdev)
{
    struct bp_virtio *dev = calloc(1, sizeof *dev);
    int err;

    if (!dev)
        return BP_E_NOMEM;
    dev->host = host;
    dev->inst = inst;
    dev->self = self;
    memcpy(&dev->desc, desc, desc->size < sizeof dev->desc ? desc->size : sizeof dev->desc);
    err = check_desc(host, inst, &dev->desc);
    if (err) {
        free(dev);
        return err;
    }
    memcpy(&dev->ops, dev->desc.ops,
           dev->desc.ops->size < sizeof dev->ops ? dev->desc.ops->size : sizeof dev->ops);
    memcpy(dev->acpi_name,
           dev->desc.acpi_name && strlen(dev->desc.acpi_name) == 2 ? dev->desc.acpi_name : "VI", 3);
    dev->features_offered = dev->desc.features | F_OURS;
    dev->config_vector = NO_VECTOR;
    dev->queues = calloc(dev->desc.n_queues, sizeof *dev->queues);
    err = dev->queues ? 0 : BP_E_NOMEM;
    for (uint32_t i = 0; !err && i < dev->desc.n_queues; i++) {
        dev->queues[i].dev = dev;
        dev->queues[i].index = i;
        dev->queues[i].num_max = desc->queue_size[i];
        virtq_init(&dev->queues[i]);
    }
    if (!err)
        err = ask_host(dev);
    if (!err)
        err = join_machine(dev);
    if (err) {
        bp_virtio_free(dev);
        return err;
    }
    *ret_vdev = dev;
    return 0;
}

void
bp_virtio_free(struct bp_virtio *dev)
{
    if (!dev)
        return;
    for (uint32_t i = 0; dev->queues && i < dev->desc.n_queues; i++) {
        virtq_hand_end(&dev->queues[i]);
        virtq_forget(&dev->queues[i]);
        free(dev->queues[i].bounces);
        free(dev->queues[i].popped);
    }
    if (dev->poller.v)
        (void)dev->ev->close(dev->inst, dev->poller);
    free(dev->queues);
    if (dev->transport)
        dev->transport->free(dev);
    free(dev);
}

int
virtio_make_bells(struct bp_virtio *dev, bp_region region, uint64_t off, uint32_t step,
                  uint32_t width, int matched)
{
    for (uint32_t i = 0; i < dev->desc.n_queues; i++) {
        struct bp_virtq *vq = &dev->queues[i];
        int err = dev->io->doorbell(dev->inst, region, off + (uint64_t)i * step, width,
                                    matched ? (int64_t)i : -1, BP_VIRTIO_COOKIE + COOKIE_BELL + i,
                                    &vq->bell);

        if (err == BP_E_NOTSUP) /* then the writes come to the register */
            return 0;
        if (err)
            return err;
        vq->has_bell = 1;
    }
    return 0;
}

static int
poll_queues(void *arg, uint32_t how)
{
    struct bp_virtio *dev = arg;
    int found = 0;

    for (uint32_t i = 0; i < dev->desc.n_queues; i++) {
        struct bp_virtq *vq = &dev->queues[i];

        if (vq->pollable && virtq_poll(vq, how)) {
            virtio_ring_bell(dev, i);
            found = 1;
        }
    }
    return found;
}

int
bp_virtq_pollable(struct bp_virtq *vq)
{
    struct bp_virtio *dev = vq->dev;
    int err = 0;

    /* Without doorbells the driver's notifications are not what the context waits for. */
    if (!vq->has_bell || !BP_HAS(struct bp_event_if, dev->ev, poller))
        return 0;
    if (!dev->poller.v)
        err = dev->ev->poller(dev->inst, poll_queues, dev, &dev->poller);
    vq->pollable = !err;
    return err;
}

void
bp_virtio_event(struct bp_virtio *dev, uint32_t cookie, uint32_t mask)
{
    uint32_t n = cookie - BP_VIRTIO_COOKIE;

    (void)mask;
    if (n < COOKIE_CALL)
        virtio_ring_bell(dev, n - COOKIE_BELL);
    else if (n - COOKIE_CALL < dev->desc.n_queues)
        virtq_relay_call(&dev->queues[n - COOKIE_CALL]);
}

int
bp_virtio_start(struct bp_virtio *dev)
{
    dev->running = 1;
    dev->no_maps = 0;
    if (bp_virtio_live(dev))
        queues_run(dev);
    return 0;
}

int
bp_virtio_quiesce(struct bp_virtio *dev)
{
    if (dev->n_popped || dev->resetting)
        return BP_E_AGAIN;
    for (uint32_t i = 0; i < dev->desc.n_queues; i++) {
        bp_virtq_flush(&dev->queues[i]);
        virtq_shut(&dev->queues[i]);
    }
    windows_close(dev);
    dev->running = 0;
    return 0;
}

void
bp_virtio_cold_reset(struct bp_virtio *dev)
{
    virtio_reset(dev);
    bp_virtio_reset_done(dev);
    dev->config_gen = 0;
}
