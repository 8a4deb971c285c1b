/* SPDX-License-Identifier: BSD-3-Clause */
/* rtc.c - class, life cycle and ports of the real-time clock. What the parts are: see rtc.h. */
#include "rtc.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    RTC_PORT = 0x70,
    RTC_IRQ = 8,
    RTC_PORT_LEN = 2,
    RTC_A_POWER_ON = RTC_A_DV_32K | 0x06, /* periodic rate 1024 Hz, off */
    RTC_BASE_LOCALTIME = 1,               /* index of the property's choice */
};

/* The index register is write-only. */
static uint64_t
rtc_index_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    (void)self, (void)id, (void)off, (void)width;
    return 0xff;
}

static void
rtc_index_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct rtc *rtc = self;

    (void)id, (void)off, (void)width;
    /* Bit 7 masks the NMI, which nothing here raises. */
    rtc->index = val & (RTC_LEN - 1);
}

static uint64_t
rtc_data_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct rtc *rtc = self;

    (void)id, (void)off, (void)width;
    if (rtc_is_time(rtc->index) || (rtc->index >= RTC_A && rtc->index <= RTC_D))
        return rtc_read_register(rtc, rtc->index);
    return rtc->cmos[rtc->index];
}

static void
rtc_data_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct rtc *rtc = self;

    (void)id, (void)off, (void)width;
    rtc_write_register(rtc, rtc->index, (uint8_t)val);
}

/* A region each, so that a word reaches both and the index need not be waited for. */
static int
rtc_ports(struct rtc *rtc, const struct bp_io_if *io)
{
    static const struct {
        uint16_t port;
        const char *name;
        uint32_t flags;
        struct bp_region_ops ops;
    } ports[] = {
        {RTC_PORT,
         "index",
         BP_REGION_POSTED,
         {.size = sizeof ports->ops, .read = rtc_index_read, .write = rtc_index_write}},
        {RTC_PORT + 1,
         "data",
         0,
         {.size = sizeof ports->ops, .read = rtc_data_read, .write = rtc_data_write}},
    };
    int err = 0;

    for (size_t i = 0; i < sizeof ports / sizeof *ports && !err; i++) {
        const struct bp_region_desc desc = {
            .size = sizeof desc,
            .kind = BP_REGION_PIO,
            .flags = ports[i].flags,
            .len = 1,
            .name = ports[i].name,
            .ops = &ports[i].ops,
        };
        bp_region region;

        err = io->region(rtc->inst, &desc, &region);
        if (!err)
            err = io->place(rtc->inst, region, ports[i].port);
    }
    return err;
}

static int
rtc_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct rtc *rtc = calloc(1, sizeof *rtc);

    if (!rtc)
        return BP_E_NOMEM;
    rtc->host = host;
    rtc->inst = inst;
    *ret_self = rtc;
    return 0;
}

static int
rtc_acpi(const struct rtc *rtc)
{
    const struct bp_acpi_res res[] = {
        {.size = sizeof *res, .kind = BP_ACPI_IO, .base = RTC_PORT, .len = RTC_PORT_LEN},
        {.size = sizeof *res, .kind = BP_ACPI_IRQ, .base = RTC_IRQ},
    };
    const struct bp_acpi_device dev = {
        .size = sizeof dev,
        .inst = rtc->inst,
        .name = "RTC0",
        .hid = "PNP0B00",
        .res = res,
        .n_res = sizeof res / sizeof *res,
        .res_size = sizeof *res,
    };
    struct bp_link link = {.size = sizeof link};
    const struct bp_acpi_if *acpi;
    int err =
        rtc->host->link(rtc->inst, NULL, BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, fixed), &link);

    if (err)
        return err == BP_E_NOENT ? 0 : err;
    acpi = link.iface;
    err = acpi->device(link.self, &dev);
    return err ? err : acpi->fixed(link.self, BP_ACPI_HAS_RTC, RTC_CENTURY);
}

/* Whole seconds that the host's local time is ahead of UTC now. */
static int64_t
rtc_local_offset(const struct rtc *rtc)
{
    time_t now = (time_t)(rtc->event->now(rtc->inst, BP_CLOCK_REALTIME) / RTC_NS_PER_S);
    struct tm tm;

    return localtime_r(&now, &tm) ? tm.tm_gmtoff : 0;
}

static int
rtc_realize(void *self)
{
    struct rtc *rtc = self;
    const struct bp_host *host = rtc->host;
    const struct bp_io_if *io = host->query(rtc->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
    const struct bp_machine_if *machine =
        host->query(rtc->inst, BP_IF_MACHINE, BP_UPTO(struct bp_machine_if, info));
    struct bp_machine_info info = {.size = sizeof info};
    struct bp_value base = {.size = sizeof base};
    int err;

    rtc->event = host->query(rtc->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, now));
    rtc->irq = host->query(rtc->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, level));
    if (!io || !machine || !rtc->event || !rtc->irq)
        return host->fail(rtc->inst, BP_E_NOTSUP,
                          "needs " BP_IF_IO ", " BP_IF_MACHINE ", " BP_IF_EVENT " and " BP_IF_IRQ);
    if ((err = machine->info(rtc->inst, &info)) || (err = host->prop(rtc->inst, "base", &base)) ||
        (err = rtc->irq->line(rtc->inst, "irq", RTC_IRQ, BP_IRQ_EDGE, &rtc->line)) ||
        (err = rtc->event->timer(rtc->inst, "tick", BP_CLOCK_VIRTUAL, 0, &rtc->tick)) ||
        (err = rtc->event->timer(rtc->inst, "alarm", BP_CLOCK_REALTIME, 0, &rtc->alarm)) ||
        (err = rtc_ports(rtc, io)))
        return err;
    rtc_fill_cmos(rtc->cmos, &info);
    rtc->a = RTC_A_POWER_ON;
    rtc->b = RTC_B_24H;
    rtc->offset_s = base.i == RTC_BASE_LOCALTIME ? rtc_local_offset(rtc) : 0;
    rtc_resync(rtc);
    return rtc_acpi(rtc);
}

static int
rtc_start(void *self)
{
    /* The calendar went on while the machine stood still. */
    rtc_update(self);
    return 0;
}

/* The battery keeps time and memory; the reset pin clears enables and flags (data sheet, RESET). */
static void
rtc_reset(void *self, uint32_t kind)
{
    struct rtc *rtc = self;

    (void)kind;
    rtc->index = 0;
    rtc_write_register(rtc, RTC_B,
                       rtc->b & (uint8_t) ~(RTC_B_PIE | RTC_B_AIE | RTC_B_UIE | RTC_B_SQWE));
    rtc_resync(rtc);
    rtc->c = 0;
    rtc_update(rtc);
}

static void
rtc_event(void *self, uint32_t cookie, uint32_t mask)
{
    (void)cookie, (void)mask;
    rtc_update(self);
}

static const char *const rtc_bases[] = {"utc", "localtime", NULL};

static const struct bp_prop rtc_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_ENUM,
     .name = "base",
     .help = "what the clock shows at first; some systems expect localtime",
     .def = "utc",
     .choices = rtc_bases},
};

static const char *const rtc_needs[] = {BP_IF_IO,      BP_IF_IRQ,      BP_IF_EVENT,
                                        BP_IF_MACHINE, "?" BP_IF_ACPI, NULL};

static const struct bp_class rtc_class = {
    .size = sizeof rtc_class,
    .flags = BP_C_REPLACEABLE,
    .name = "rtc",
    .version = "1.0",
    .summary = "MC146818 real-time clock and CMOS memory",
    .props = rtc_props,
    .n_props = sizeof rtc_props / sizeof *rtc_props,
    .prop_size = sizeof *rtc_props,
    .needs = rtc_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = rtc_create,
    .realize = rtc_realize,
    .start = rtc_start,
    .reset = rtc_reset,
    .event = rtc_event,
    .save = rtc_save,
    .load = rtc_load,
    .destroy = free,
};

BP_PLUGIN("rtc", "1.0", "BSD-3-Clause", "backplane", &rtc_class);
