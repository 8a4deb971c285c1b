/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pm.c - the fixed hardware of ACPI 6.4, 4.8: PM1 event and control registers, the power management
 * timer, and the reset register. There is no SMI: the machine is always in ACPI mode, so SCI_EN
 * reads one.
 */
#include "acpi.h"

/* PM1 status and enable bits (4.8.3.1) */
enum {
    PM1_TIMER = 0x0001,
    PM1_GLOBAL = 0x0020,
    PM1_POWER_BUTTON = 0x0100,
    PM1_SLEEP_BUTTON = 0x0200,
    PM1_RTC = 0x0400,
    PM1_ENABLE_BITS = PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_SLEEP_BUTTON | PM1_RTC,
    PM1_STATUS_BITS = PM1_ENABLE_BITS | 0x0010 | 0x8000, /* and bus master, wake */
};

/* PM1 control bits (4.8.3.2) */
enum {
    PM1_SCI_EN = 0x0001,
    PM1_BM_RLD = 0x0002,
    PM1_SLP_TYP_SHIFT = 10,
    PM1_SLP_TYP = 0x1c00,
    PM1_SLP_EN = 0x2000, /* write only */
    PM1_CONTROL_BITS = PM1_BM_RLD | PM1_SLP_TYP,
};

#define PM_TIMER_HZ   3579545
#define PM_TIMER_HALF 31 /* TMR_STS is set whenever this bit of the timer changes */
#define NS_PER_S      UINT64_C(1000000000)
#define PM_COOKIE     1

static uint64_t
pm_clock_ticks(const struct acpi *acpi)
{
    uint64_t now = (uint64_t)acpi->event->now(acpi->inst, BP_CLOCK_VIRTUAL);

    return now / NS_PER_S * PM_TIMER_HZ + now % NS_PER_S * PM_TIMER_HZ / NS_PER_S;
}

static uint64_t
pm_ticks(const struct acpi *acpi)
{
    return pm_clock_ticks(acpi) + acpi->pm.tick_offset;
}

/* Status as it is now, with what the timer did since it was last looked at. */
static uint16_t
pm_status(const struct acpi *acpi)
{
    bool passed = pm_ticks(acpi) >> PM_TIMER_HALF != acpi->pm.half;

    return acpi->pm.status | (passed ? PM1_TIMER : 0);
}

static void
pm_catch_up(struct acpi *acpi)
{
    acpi->pm.status = pm_status(acpi);
    acpi->pm.half = pm_ticks(acpi) >> PM_TIMER_HALF;
}

/* When the timer reaches a count of its own, in the clock's nanoseconds, rounded up. */
static int64_t
pm_deadline(const struct acpi *acpi, uint64_t ticks)
{
    uint64_t clock_ticks = ticks - acpi->pm.tick_offset;

    return (int64_t)(clock_ticks / PM_TIMER_HZ * NS_PER_S +
                     (clock_ticks % PM_TIMER_HZ * NS_PER_S + PM_TIMER_HZ - 1) / PM_TIMER_HZ);
}

/* SCI and the host's timer follow the registers. No timer runs unless its interrupt is wanted. */
static void
pm_update(struct acpi *acpi)
{
    struct acpi_pm *pm = &acpi->pm;
    int64_t deadline = BP_TIMER_OFF;

    pm_catch_up(acpi);
    acpi->irq->level(acpi->inst, pm->sci, (pm->status & pm->enable & PM1_ENABLE_BITS) != 0);
    if ((pm->enable & PM1_TIMER) && !(pm->status & PM1_TIMER))
        deadline = pm_deadline(acpi, (pm->half + 1) << PM_TIMER_HALF);
    acpi->event->arm(acpi->inst, pm->timer, deadline);
}

static uint64_t
pm_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct acpi *acpi = self;
    uint8_t regs[PM_LEN] = {0};
    uint16_t status = pm_status(acpi);
    uint32_t ticks = (uint32_t)pm_ticks(acpi);
    uint64_t val = 0;

    (void)id;
    for (int i = 0; i < 2; i++) {
        regs[PM_STATUS + i] = (uint8_t)(status >> i * 8);
        regs[PM_ENABLE + i] = (uint8_t)(acpi->pm.enable >> i * 8);
        regs[PM_CONTROL + i] = (uint8_t)((acpi->pm.control | PM1_SCI_EN) >> i * 8);
    }
    for (int i = 0; i < 4; i++)
        regs[PM_TIMER + i] = (uint8_t)(ticks >> i * 8);
    for (uint32_t i = 0; i < width && off + i < PM_LEN; i++)
        val |= (uint64_t)regs[off + i] << i * 8;
    return val;
}

static void
pm_control(struct acpi *acpi, uint16_t val)
{
    acpi->pm.control = val & PM1_CONTROL_BITS;
    if ((val & PM1_SLP_EN) && (val & PM1_SLP_TYP) >> PM1_SLP_TYP_SHIFT == ACPI_SLEEP_TYPE_S5)
        acpi->machine->request(acpi->inst, BP_REQ_POWEROFF, 0);
}

/* One byte of a 16-bit register replaced. */
static uint16_t
pm_merge(uint16_t old, uint64_t at, uint8_t val)
{
    return at & 1 ? (uint16_t)((old & 0x00ff) | val << 8) : (uint16_t)((old & 0xff00) | val);
}

static void
pm_write_byte(struct acpi *acpi, uint64_t at, uint8_t val)
{
    struct acpi_pm *pm = &acpi->pm;

    switch (at) {
    case PM_STATUS:
    case PM_STATUS + 1:
        pm->status &= (uint16_t)~pm_merge(0, at, val);
        break;
    case PM_ENABLE:
    case PM_ENABLE + 1:
        pm->enable = pm_merge(pm->enable, at, val) & PM1_ENABLE_BITS;
        break;
    case PM_CONTROL:
    case PM_CONTROL + 1:
        pm_control(acpi, pm_merge(pm->control, at, val));
        break;
    case PM_RESET:
        if (val == PM_RESET_VALUE)
            acpi->machine->request(acpi->inst, BP_REQ_RESET, 0);
        break;
    default:
        break;
    }
}

static void
pm_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct acpi *acpi = self;

    (void)id;
    pm_catch_up(acpi);
    for (uint32_t i = 0; i < width && off + i < PM_LEN; i++)
        pm_write_byte(acpi, off + i, (uint8_t)(val >> i * 8));
    pm_update(acpi);
}

static const struct bp_region_ops pm_ops = {
    .size = sizeof pm_ops,
    .read = pm_read,
    .write = pm_write,
};

int
acpi_pm_realize(struct acpi *acpi)
{
    const struct bp_region_desc desc = {
        .size = sizeof desc,
        .kind = BP_REGION_PIO,
        .len = PM_LEN,
        .name = "pm",
        .ops = &pm_ops,
    };
    int err;

    if ((err = acpi->irq->line(acpi->inst, "sci", ACPI_SCI, BP_IRQ_LEVEL, &acpi->pm.sci)) ||
        (err = acpi->event->timer(acpi->inst, "pm-timer", BP_CLOCK_VIRTUAL, PM_COOKIE,
                                  &acpi->pm.timer)) ||
        (err = acpi->io->region(acpi->inst, &desc, &acpi->pm.region)))
        return err;
    return acpi->io->place(acpi->inst, acpi->pm.region, acpi->port);
}

/* Where something else is already they answer nowhere, as registers that nobody decodes. */
void
acpi_pm_move(struct acpi *acpi, uint16_t port)
{
    acpi->port = port;
    (void)acpi->io->place(acpi->inst, acpi->pm.region, BP_IO_NOWHERE);
    if (port)
        (void)acpi->io->place(acpi->inst, acpi->pm.region, port);
}

void
acpi_pm_reset(struct acpi *acpi)
{
    struct acpi_pm *pm = &acpi->pm;

    pm->status = pm->enable = pm->control = 0;
    pm->tick_offset = 0 - pm_clock_ticks(acpi);
    pm->half = 0;
    pm_update(acpi);
}

void
acpi_pm_event(struct acpi *acpi)
{
    pm_update(acpi);
}

void
acpi_pm_button(struct acpi *acpi)
{
    acpi->pm.status |= PM1_POWER_BUTTON;
    pm_update(acpi);
}

int
acpi_pm_save(struct acpi *acpi, const struct bp_writer *w)
{
    int err;

    if ((err = w->section(w, "pm", 1, 1)) || (err = w->u64(w, "status", pm_status(acpi))) ||
        (err = w->u64(w, "enable", acpi->pm.enable)) ||
        (err = w->u64(w, "control", acpi->pm.control)))
        return err;
    return w->u64(w, "timer", (uint32_t)pm_ticks(acpi));
}

static int
pm_load_field(const struct bp_reader *r, const char *key, uint64_t mask, uint64_t *ret_val)
{
    uint64_t val = 0;
    int err = r->u64(r, key, &val);

    if (err && err != BP_E_NOENT)
        return err;
    if (val & ~mask)
        return BP_E_INVAL;
    *ret_val = val;
    return 0;
}

int
acpi_pm_load(struct acpi *acpi, const struct bp_reader *r)
{
    uint64_t status = 0, enable = 0, control = 0, timer = 0;
    uint32_t ver;
    int err = r->section(r, "pm", &ver);

    if (err)
        return err;
    if (ver != 1)
        return BP_E_NOTSUP;
    if ((err = pm_load_field(r, "status", PM1_STATUS_BITS, &status)) ||
        (err = pm_load_field(r, "enable", PM1_ENABLE_BITS, &enable)) ||
        (err = pm_load_field(r, "control", PM1_CONTROL_BITS, &control)) ||
        (err = pm_load_field(r, "timer", UINT32_MAX, &timer)))
        return err;
    acpi->pm.status = (uint16_t)status;
    acpi->pm.enable = (uint16_t)enable;
    acpi->pm.control = (uint16_t)control;
    acpi->pm.tick_offset = timer - pm_clock_ticks(acpi);
    acpi->pm.half = timer >> PM_TIMER_HALF;
    pm_update(acpi);
    return 0;
}
