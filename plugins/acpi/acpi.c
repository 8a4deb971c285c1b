/* SPDX-License-Identifier: BSD-3-Clause */
/* acpi.c - class, life cycle and interfaces of the acpi plugin. What the parts are: see acpi.h. */
#include "acpi.h"

#include <stdlib.h>
#include <string.h>

static int
acpi_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct acpi *acpi = calloc(1, sizeof *acpi);

    if (!acpi)
        return BP_E_NOMEM;
    acpi->host = host;
    acpi->inst = inst;
    acpi->write_tables = true;
    *ret_self = acpi;
    return 0;
}

static int
acpi_services(struct acpi *acpi)
{
    const struct bp_host *host = acpi->host;

    acpi->io = host->query(acpi->inst, BP_IF_IO, BP_UPTO(struct bp_io_if, place));
    acpi->irq = host->query(acpi->inst, BP_IF_IRQ, BP_UPTO(struct bp_irq_if, level));
    acpi->mem = host->query(acpi->inst, BP_IF_MEM, BP_UPTO(struct bp_mem_if, write));
    acpi->event = host->query(acpi->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, now));
    acpi->machine = host->query(acpi->inst, BP_IF_MACHINE, BP_UPTO(struct bp_machine_if, publish));
    if (!acpi->io || !acpi->irq || !acpi->mem || !acpi->event || !acpi->machine)
        return host->fail(acpi->inst, BP_E_NOTSUP,
                          "needs " BP_IF_IO ", " BP_IF_IRQ ", " BP_IF_MEM ", " BP_IF_EVENT
                          " and " BP_IF_MACHINE);
    return 0;
}

static int
acpi_realize(void *self)
{
    struct acpi *acpi = self;
    struct bp_value port = {.size = sizeof port};
    int err;

    if ((err = acpi_services(acpi)))
        return err;
    acpi->info.size = sizeof acpi->info;
    if ((err = acpi->machine->info(acpi->inst, &acpi->info)) ||
        (err = acpi->host->prop(acpi->inst, "port", &port)))
        return err;
    acpi->power_on_port = (uint16_t)port.i;
    acpi->port = acpi->power_on_port;
    if ((err = acpi_pm_realize(acpi)))
        return err;
    acpi_pm_reset(acpi);
    if (acpi->info.flags & BP_MACHINE_FIRMWARE)
        return 0;
    return acpi->machine->publish(acpi->inst, "acpi.rsdp", ACPI_AREA);
}

static int
acpi_start(void *self)
{
    struct acpi *acpi = self;
    struct aml image;
    int err;

    /* Firmware places the tables itself, see loader.c; the area is then its ROM's. */
    if (!acpi->write_tables || (acpi->info.flags & BP_MACHINE_FIRMWARE))
        return 0;
    aml_init(&image);
    err = acpi_layout(acpi, ACPI_AREA, &image, NULL);
    if (!err)
        err = acpi->mem->write(acpi->inst, ACPI_AREA, image.data, image.len);
    aml_fini(&image);
    if (err)
        return acpi->host->fail(acpi->inst, err,
                                err == BP_E_NOSPC
                                    ? "the ACPI tables have become too large; use fewer devices"
                                    : "the ACPI tables can not be written to guest memory");
    acpi->write_tables = false;
    return 0;
}

static void
acpi_reset(void *self, uint32_t kind)
{
    struct acpi *acpi = self;

    (void)kind;
    acpi->write_tables = true;
    acpi_pm_reset(acpi);
    acpi_piix_reset(acpi);
}

static void
acpi_event(void *self, uint32_t cookie, uint32_t mask)
{
    (void)cookie, (void)mask;
    acpi_pm_event(self);
}

static int
acpi_save(void *self, const struct bp_writer *w)
{
    struct acpi *acpi = self;
    int err = acpi_pm_save(acpi, w);

    if (!err)
        err = w->section(w, "tables", 1, 0);
    if (!err)
        err = w->u64(w, "written", !acpi->write_tables);
    return err ? err : acpi_piix_save(acpi, w);
}

static int
acpi_load(void *self, const struct bp_reader *r)
{
    struct acpi *acpi = self;
    uint64_t written = 1;
    uint32_t ver;
    int err = r->section(r, "tables", &ver);

    if (!err)
        err = r->u64(r, "written", &written);
    if ((err && err != BP_E_NOENT) || written > 1)
        return err ? err : BP_E_INVAL;
    if ((err = acpi_pm_load(acpi, r)) || (err = acpi_piix_load(acpi, r)))
        return err;
    /* Tables that are in guest memory may have been changed there (the FACS): they stay. */
    acpi->write_tables = !written;
    return 0;
}

static int
acpi_if_device(void *self, const struct bp_acpi_device *dev)
{
    return acpi_dsdt_device(self, dev);
}

static int
acpi_if_table(void *self, const void *bytes, uint64_t len)
{
    struct acpi *acpi = self;
    uint8_t *data;

    if (len < ACPI_HEADER_LEN || len > ACPI_AREA_LEN)
        return BP_E_INVAL;
    if (acpi->n_tables == ACPI_TABLES_MAX || !acpi_dsdt_fits(acpi, len))
        return acpi->host->fail(acpi->inst, BP_E_NOSPC,
                                "there are too many or too large ACPI tables");
    data = malloc(len);
    if (!data)
        return BP_E_NOMEM;
    memcpy(data, bytes, len);
    acpi->tables[acpi->n_tables++] = (struct acpi_table){.data = data, .len = len};
    return 0;
}

static int
acpi_if_fixed(void *self, uint32_t has, uint32_t century)
{
    struct acpi *acpi = self;

    if (century > UINT8_MAX)
        return BP_E_INVAL;
    acpi->has |= has;
    if (has & BP_ACPI_HAS_RTC)
        acpi->century = century;
    return 0;
}

static int
acpi_if_firmware(void *self, uint32_t piece, void *buf, uint64_t cap, uint64_t *ret_len)
{
    const struct acpi *acpi = self;

    if (!(acpi->info.flags & BP_MACHINE_FIRMWARE))
        return BP_E_NOTSUP;
    return acpi_loader(acpi, piece, buf, cap, ret_len);
}

static int
acpi_if_pm_config(void *self, bp_inst *ret_inst, bp_region *ret_region)
{
    struct acpi *acpi = self;
    int err = acpi_piix_realize(acpi);

    if (!err) {
        *ret_inst = acpi->inst;
        *ret_region = acpi->piix.region;
    }
    return err;
}

static int
acpi_if_button(void *self)
{
    acpi_pm_button(self);
    return 0;
}

static const struct bp_acpi_if acpi_if = {
    .size = sizeof acpi_if,
    .device = acpi_if_device,
    .table = acpi_if_table,
    .fixed = acpi_if_fixed,
    .firmware = acpi_if_firmware,
    .pm_config = acpi_if_pm_config,
};

static const struct bp_power_if acpi_power_if = {
    .size = sizeof acpi_power_if,
    .button = acpi_if_button,
};

static const void *
acpi_query(void *self, const char *iface, uint32_t min_size)
{
    (void)self;
    if (strcmp(iface, BP_IF_ACPI) == 0 && min_size <= acpi_if.size)
        return &acpi_if;
    if (strcmp(iface, BP_IF_POWER) == 0 && min_size <= acpi_power_if.size)
        return &acpi_power_if;
    return NULL;
}

static void
acpi_destroy(void *self)
{
    struct acpi *acpi = self;

    for (uint32_t i = 0; i < acpi->n_tables; i++)
        free(acpi->tables[i].data);
    free(acpi->names);
    aml_fini(&acpi->devices);
    free(acpi);
}

static const struct bp_prop acpi_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "port",
     .help = "first of the 16 I/O ports of the power management registers",
     .def = "0x600",
     .min = 0x100,
     .max = 0xfff0},
};

static const char *const acpi_provides[] = {BP_IF_ACPI, BP_IF_POWER, NULL};
static const char *const acpi_needs[] = {BP_IF_IO,    BP_IF_IRQ,     BP_IF_MEM,
                                         BP_IF_EVENT, BP_IF_MACHINE, NULL};

static const struct bp_class acpi_class = {
    .size = sizeof acpi_class,
    .flags = BP_C_SHARED,
    .name = "acpi",
    .version = "1.0",
    .summary = "ACPI tables, power-off, power button, reset",
    .props = acpi_props,
    .n_props = sizeof acpi_props / sizeof *acpi_props,
    .prop_size = sizeof *acpi_props,
    .provides = acpi_provides,
    .needs = acpi_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = acpi_create,
    .realize = acpi_realize,
    .start = acpi_start,
    .reset = acpi_reset,
    .event = acpi_event,
    .save = acpi_save,
    .load = acpi_load,
    .query = acpi_query,
    .destroy = acpi_destroy,
};

BP_PLUGIN("acpi", "1.0", "BSD-3-Clause", "backplane", &acpi_class);
