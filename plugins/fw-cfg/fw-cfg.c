/* SPDX-License-Identifier: BSD-3-Clause */
/* fw-cfg.c - class and life cycle of the fw-cfg plugin. What the parts are: see fw-cfg.h. */
#include "fw-cfg.h"

#include <stdlib.h>

static int
fw_cfg_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct fw_cfg *fw = calloc(1, sizeof *fw);

    if (!fw)
        return BP_E_NOMEM;
    fw->host = host;
    fw->inst = inst;
    *ret_self = fw;
    return 0;
}

static int
fw_cfg_acpi(struct fw_cfg *fw)
{
    struct bp_link link = {.size = sizeof link};
    int err =
        fw->host->link(fw->inst, NULL, BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, firmware), &link);

    if (err)
        return err == BP_E_NOENT ? 0 : err;
    fw->acpi = link.iface;
    fw->acpi_self = link.self;
    return 0;
}

static int
fw_cfg_realize(void *self)
{
    struct fw_cfg *fw = self;
    struct bp_value dma = {.size = sizeof dma};
    int err;

    fw->mem = fw->host->query(fw->inst, BP_IF_MEM, BP_UPTO(struct bp_mem_if, write));
    fw->machine = fw->host->query(fw->inst, BP_IF_MACHINE, BP_UPTO(struct bp_machine_if, map));
    if (!fw->mem || !fw->machine)
        return fw->host->fail(fw->inst, BP_E_NOTSUP, "needs " BP_IF_MEM " and " BP_IF_MACHINE);
    if ((err = fw->host->prop(fw->inst, "dma", &dma)))
        return err;
    fw->dma = dma.i != 0;
    if ((err = fw_cfg_acpi(fw)) || (err = fw_machine_realize(fw)) || (err = fw_given_realize(fw)) ||
        (err = fw_ports_realize(fw)))
        return err;
    fw->n_given = fw->n_items;
    return 0;
}

static int
fw_cfg_start(void *self)
{
    return fw_machine_start(self);
}

static void
fw_cfg_reset(void *self, uint32_t kind)
{
    (void)kind;
    fw_ports_reset(self);
}

static void
fw_cfg_destroy(void *self)
{
    struct fw_cfg *fw = self;

    fw_truncate(fw, 0);
    free(fw->items);
    free(fw);
}

#define PROP(kind, key, text)                                                                      \
    .size = sizeof(struct bp_prop), .type = (kind), .name = (key), .help = (text)

static const struct bp_prop fw_cfg_props[] = {
    {PROP(BP_STR, "files", "files for firmware and guest: \"NAME=PATH\""), .flags = BP_P_LIST},
    {PROP(BP_STR, "strings", "files with this text in them: \"NAME=TEXT\""), .flags = BP_P_LIST},
    {PROP(BP_STR, "numbers", "files with a little-endian number in them: \"NAME=NUMBER\""),
     .flags = BP_P_LIST},
    {PROP(BP_PATH, "folder", "where relative paths in files begin"), .def = "."},
    {PROP(BP_STR, "bootorder", "what to boot from, as device paths, the first first"),
     .flags = BP_P_LIST},
    {PROP(BP_BOOL, "boot-menu", "firmware offers a menu of boot devices"), .def = "false"},
    {PROP(BP_BOOL, "text-only", "firmware uses the first serial port as its screen too"),
     .def = "false"},
    {PROP(BP_BOOL, "dma", "also offer transfers straight into guest memory"), .def = "true"},
};

static const char *const fw_cfg_needs[] = {BP_IF_IO, BP_IF_MEM, BP_IF_MACHINE, "?" BP_IF_ACPI,
                                           NULL};

static const struct bp_class fw_cfg_class = {
    .size = sizeof fw_cfg_class,
    .flags = BP_C_REPLACEABLE,
    .name = "fw-cfg",
    .version = "1.0",
    .summary = "what firmware asks of its machine (QEMU fw_cfg)",
    .props = fw_cfg_props,
    .n_props = sizeof fw_cfg_props / sizeof *fw_cfg_props,
    .prop_size = sizeof *fw_cfg_props,
    .needs = fw_cfg_needs,
    .state_ver = 1,
    .state_min = 1,
    .create = fw_cfg_create,
    .realize = fw_cfg_realize,
    .start = fw_cfg_start,
    .reset = fw_cfg_reset,
    .save = fw_save,
    .load = fw_load,
    .destroy = fw_cfg_destroy,
};

BP_PLUGIN("fw-cfg", "1.0", "BSD-3-Clause", "backplane", &fw_cfg_class);
