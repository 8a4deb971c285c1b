/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * i8042.c - the keyboard controller in the machine: ports 0x60, 0x64 and 0x92, IRQs 1 and 12, the
 * ACPI nodes, and the wires between controller, keyboard and mouse. The parts: i8042.h.
 */
#include "i8042.h"

#include <stdlib.h>
#include <string.h>

enum {
    I8042_DATA = 0x60,
    I8042_COMMAND = 0x64,
    I8042_CONTROL = 0x92,
    I8042_IRQ = 1,
    I8042_AUX_IRQ = 12,
    I8042_EV_INPUT = 1,
    I8042_EV_TYPEMATIC = 2,
};

static void
i8042_lines(struct i8042 *dev)
{
    dev->irq->level(dev->inst, dev->line, kbc_irq(&dev->kbc));
    dev->irq->level(dev->inst, dev->aux_line, kbc_aux_irq(&dev->kbc));
}

/* A byte that the guest wrote, to the device that it is for. */
static void
i8042_deliver(struct i8042 *dev)
{
    bool aux = dev->kbc.to == KBC_TO_AUX;
    uint8_t byte = dev->kbc.to_byte;

    if (dev->kbc.to == KBC_TO_NOBODY)
        return;
    dev->kbc.to = KBC_TO_NOBODY;
    if (!(aux ? dev->has_mouse : dev->has_keyboard))
        kbc_silence(&dev->kbc, aux);
    else if (aux)
        mouse_write(&dev->mouse, byte);
    else
        keyboard_write(&dev->keyboard, byte);
}

/* The keyboard goes first. A byte that translation keeps back makes room for the next. */
static void
i8042_collect(struct i8042 *dev)
{
    uint8_t byte;

    kbc_next(&dev->kbc);
    while (kbc_listens(&dev->kbc, false) && keyboard_read(&dev->keyboard, &byte))
        kbc_receive(&dev->kbc, byte, false);
    if (kbc_listens(&dev->kbc, true) && mouse_read(&dev->mouse, &byte))
        kbc_receive(&dev->kbc, byte, true);
}

/* The timer follows the key that repeats; from the last press on. */
static void
i8042_typematic(struct i8042 *dev)
{
    uint8_t key = dev->keyboard.repeating;
    int64_t deadline = BP_TIMER_OFF;

    if (key == dev->typematic_key)
        return;
    dev->typematic_key = key;
    if (key)
        deadline = dev->event->now(dev->inst, BP_CLOCK_VIRTUAL) + keyboard_delay_ns(&dev->keyboard);
    dev->event->arm(dev->inst, dev->typematic, deadline);
}

void
i8042_settle(struct i8042 *dev)
{
    i8042_deliver(dev);
    input_drain(dev);
    i8042_collect(dev);
    i8042_typematic(dev);
    i8042_lines(dev);
    input_publish(dev);
    if (dev->kbc.reset) {
        dev->kbc.reset = false;
        dev->machine->request(dev->inst, BP_REQ_RESET, 0);
    }
}

static uint64_t
i8042_port_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct i8042 *dev = self;
    uint8_t val;

    (void)off, (void)width;
    if (id == I8042_COMMAND)
        return kbc_read_status(&dev->kbc);
    if (id == I8042_CONTROL)
        return kbc_read_control(&dev->kbc);
    val = kbc_read_data(&dev->kbc);
    /* The line falls, so that the next byte makes an edge. */
    i8042_lines(dev);
    i8042_settle(dev);
    return val;
}

static void
i8042_port_write(void *self, uint32_t id, uint64_t off, uint64_t val, uint32_t width)
{
    struct i8042 *dev = self;

    (void)off, (void)width;
    if (id == I8042_COMMAND)
        kbc_write_command(&dev->kbc, (uint8_t)val);
    else if (id == I8042_CONTROL)
        kbc_write_control(&dev->kbc, (uint8_t)val);
    else
        kbc_write_data(&dev->kbc, (uint8_t)val);
    i8042_settle(dev);
}

static const struct bp_region_ops i8042_ops = {
    .size = sizeof i8042_ops,
    .read = i8042_port_read,
    .write = i8042_port_write,
};

static int
i8042_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct i8042 *dev = calloc(1, sizeof *dev);

    if (!dev)
        return BP_E_NOMEM;
    dev->host = host;
    dev->inst = inst;
    kbc_reset(&dev->kbc);
    keyboard_reset(&dev->keyboard);
    mouse_reset(&dev->mouse);
    input_init(&dev->input);
    *ret_self = dev;
    return 0;
}

static int
i8042_add_port(struct i8042 *dev, const struct bp_io_if *io, uint32_t port, const char *name)
{
    const struct bp_region_desc desc = {
        .size = sizeof desc,
        .id = port,
        .kind = BP_REGION_PIO,
        .len = 1,
        .name = name,
        .ops = &i8042_ops,
    };
    bp_region region;
    int err = io->region(dev->inst, &desc, &region);

    return err ? err : io->place(dev->inst, region, port);
}

/* What is not plugged in is not described, and a system that reads the tables does not look. */
static int
i8042_describe(struct i8042 *dev)
{
    const struct bp_acpi_res keyboard_res[] = {
        {.size = sizeof *keyboard_res, .kind = BP_ACPI_IO, .base = I8042_DATA, .len = 1},
        {.size = sizeof *keyboard_res, .kind = BP_ACPI_IO, .base = I8042_COMMAND, .len = 1},
        {.size = sizeof *keyboard_res, .kind = BP_ACPI_IRQ, .base = I8042_IRQ},
    };
    const struct bp_acpi_res mouse_res = {
        .size = sizeof mouse_res, .kind = BP_ACPI_IRQ, .base = I8042_AUX_IRQ};
    const struct bp_acpi_device keyboard = {
        .size = sizeof keyboard,
        .inst = dev->inst,
        .name = "KBD0",
        .hid = "PNP0303",
        .res = keyboard_res,
        .n_res = sizeof keyboard_res / sizeof *keyboard_res,
        .res_size = sizeof *keyboard_res,
    };
    const struct bp_acpi_device mouse = {
        .size = sizeof mouse,
        .inst = dev->inst,
        .name = "MOU0",
        .hid = "PNP0F13",
        .res = &mouse_res,
        .n_res = 1,
        .res_size = sizeof mouse_res,
    };
    struct bp_link link = {.size = sizeof link};
    const struct bp_acpi_if *acpi;
    int err =
        dev->host->link(dev->inst, NULL, BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, fixed), &link);

    if (err)
        return err == BP_E_NOENT ? 0 : err;
    acpi = link.iface;
    if ((dev->has_keyboard && (err = acpi->device(link.self, &keyboard))) ||
        (dev->has_mouse && (err = acpi->device(link.self, &mouse))))
        return err;
    return dev->has_keyboard || dev->has_mouse ? acpi->fixed(link.self, BP_ACPI_HAS_8042, 0) : 0;
}

static int
i8042_realize(void *self)
{
    struct i8042 *dev = self;
    const struct bp_host *host = dev->host;
    const struct bp_io_if *io = host->query(dev->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
    struct bp_value keyboard = {.size = sizeof keyboard}, mouse = {.size = sizeof mouse};
    int err;

    dev->irq = host->query(dev->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, level));
    dev->event = host->query(dev->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, kick));
    dev->machine = host->query(dev->inst, BP_IF_MACHINE, BP_UPTO(struct bp_machine_if, request));
    if (!io || !dev->irq || !dev->event || !dev->machine)
        return host->fail(dev->inst, BP_E_NOTSUP,
                          "needs " BP_IF_IO ", " BP_IF_IRQ ", " BP_IF_EVENT " and " BP_IF_MACHINE);
    if ((err = host->prop(dev->inst, "keyboard", &keyboard)) ||
        (err = host->prop(dev->inst, "mouse", &mouse)))
        return err;
    dev->has_keyboard = keyboard.i != 0;
    dev->has_mouse = mouse.i != 0;
    if ((err = dev->irq->line(dev->inst, "irq", I8042_IRQ, BP_IRQ_EDGE, &dev->line)) ||
        (err = dev->irq->line(dev->inst, "aux-irq", I8042_AUX_IRQ, BP_IRQ_EDGE, &dev->aux_line)) ||
        (err = dev->event->soft(dev->inst, "input", I8042_EV_INPUT, &dev->kicked)) ||
        (err = dev->event->timer(dev->inst, "typematic", BP_CLOCK_VIRTUAL, I8042_EV_TYPEMATIC,
                                 &dev->typematic)) ||
        (err = i8042_add_port(dev, io, I8042_DATA, "data")) ||
        (err = i8042_add_port(dev, io, I8042_COMMAND, "command")) ||
        (err = i8042_add_port(dev, io, I8042_CONTROL, "control")))
        return err;
    input_publish(dev);
    return i8042_describe(dev);
}

static void
i8042_reset(void *self, uint32_t kind)
{
    struct i8042 *dev = self;

    (void)kind;
    kbc_reset(&dev->kbc);
    keyboard_reset(&dev->keyboard);
    mouse_reset(&dev->mouse);
    input_clear(&dev->input);
    i8042_settle(dev);
}

static void
i8042_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct i8042 *dev = self;

    (void)mask;
    if (cookie == I8042_EV_TYPEMATIC && dev->typematic_key) {
        keyboard_repeat(&dev->keyboard);
        dev->event->arm(dev->inst, dev->typematic,
                        dev->event->now(dev->inst, BP_CLOCK_VIRTUAL) +
                            keyboard_period_ns(&dev->keyboard));
    }
    i8042_settle(dev);
}

static const void *
i8042_query(void *self, const char *iface, uint32_t min_size)
{
    (void)self;
    return strcmp(iface, BP_IF_INPUT) == 0 && min_size <= input_if.size ? &input_if : NULL;
}

static void
i8042_destroy(void *self)
{
    struct i8042 *dev = self;

    input_fini(&dev->input);
    free(dev);
}

static const struct bp_prop i8042_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_BOOL,
     .name = "keyboard",
     .help = "a keyboard is plugged in",
     .def = "true"},
    {.size = sizeof(struct bp_prop),
     .type = BP_BOOL,
     .name = "mouse",
     .help = "a mouse is plugged in",
     .def = "true"},
};

static const char *const i8042_provides[] = {BP_IF_INPUT, NULL};
static const char *const i8042_needs[] = {BP_IF_IO,      BP_IF_IRQ,      BP_IF_EVENT,
                                          BP_IF_MACHINE, "?" BP_IF_ACPI, NULL};

static const struct bp_class i8042_class = {
    .size = sizeof i8042_class,
    .flags = BP_C_REPLACEABLE | BP_C_SHARED,
    .name = "i8042",
    .version = "2.0",
    .summary = "keyboard controller with PS/2 keyboard and mouse",
    .props = i8042_props,
    .n_props = sizeof i8042_props / sizeof *i8042_props,
    .prop_size = sizeof *i8042_props,
    .provides = i8042_provides,
    .needs = i8042_needs,
    .state_ver = 2,
    .state_min = 1,
    .create = i8042_create,
    .realize = i8042_realize,
    .reset = i8042_reset,
    .event = i8042_event,
    .save = i8042_save,
    .load = i8042_load,
    .query = i8042_query,
    .destroy = i8042_destroy,
};

BP_PLUGIN("i8042", "2.0", "BSD-3-Clause", "backplane", &i8042_class);
