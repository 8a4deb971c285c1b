/* SPDX-License-Identifier: BSD-3-Clause */
/* pci: the chip set for firmware: its bridges, PAM registers, and the PM registers that move. */
#include "test-pci.h"

#define HOST 0x00
#define ISA  0x08
#define PM   0x0b

static struct bpt_machine *
machine(uint32_t flags, const char *props, int acpi)
{
    struct bpt_machine *m = bpt_new(4 << 20, 0);

    bpt_info(m)->flags = flags;
    if ((acpi && bpt_load(m, "acpi", "acpi", "")) || bpt_load(m, "pci", "pci", props) ||
        bpt_realize_all(m) || bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    return m;
}

static void
test_choice(void)
{
    static const struct {
        uint32_t flags;
        const char *props;
        uint32_t id;
    } cases[] = {
        {0, "", 0x00081b36},
        {BP_MACHINE_FIRMWARE, "", 0x12378086},
        {0, "chipset=i440fx", 0x12378086},
        {BP_MACHINE_FIRMWARE, "chipset=plain", 0x00081b36},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bpt_machine *m = machine(cases[i].flags, cases[i].props, 1);
        int intel = cases[i].id == 0x12378086;

        ok(cfg_read(m, HOST, 0, 4) == cases[i].id, "the host bridge of case %zu", i);
        eq_int(cfg_read(m, ISA, 0, 4), intel ? 0x70008086 : 0xffffffff, "... the ISA bridge");
        eq_int(cfg_read(m, PM, 0, 4), intel ? 0x71138086 : 0xffffffff, "... power management");
        eq_int(bpt_where(m, "pci", "ecam") == BP_IO_NOWHERE, intel, "... the window");
        eq_int(bpt_shadow(m, 0xf0000), !intel ? BP_E_NOENT : cases[i].flags ? 0 : 3, "... RAM");
        eq_int(bpt_free(m), 0, "no problems");
    }
}

static void
test_pam(void)
{
    struct bpt_machine *m = machine(BP_MACHINE_FIRMWARE, "", 0);

    eq_int(cfg_read(m, PM, 0, 4), 0xffffffff, "no power management without acpi");
    eq_int(cfg_read(m, HOST, 0x59, 1), 0, "everything is ROM at first");
    cfg_write(m, HOST, 0x59, 1, 0xff);
    eq_int(cfg_read(m, HOST, 0x59, 1), 0x30, "the first register has one pair of bits");
    eq_int(bpt_shadow(m, 0xf0000), 3, "the last 64 KiB are RAM");
    eq_int(bpt_shadow(m, 0xfc000), 3, "all of them");
    eq_int(bpt_shadow(m, 0xec000), 0, "and not more");
    cfg_write(m, HOST, 0x5a, 1, 0xff);
    eq_int(cfg_read(m, HOST, 0x5a, 1), 0x33, "the others have two pairs");
    cfg_write(m, HOST, 0x5a, 1, 0x21);
    eq_int(bpt_shadow(m, 0xc0000), 1, "the low one is for the lower piece");
    eq_int(bpt_shadow(m, 0xc4000), 2, "the high one for the upper");
    cfg_write(m, HOST, 0x5c, 4, 0x13233331);
    eq_int(bpt_shadow(m, 0xd0000), 1, "four registers at once");
    eq_int(bpt_shadow(m, 0xd4000), 3, "four registers at once");
    eq_int(bpt_shadow(m, 0xd8000), 3, "four registers at once");
    eq_int(bpt_shadow(m, 0xe0000), 3, "four registers at once");
    eq_int(bpt_shadow(m, 0xe4000), 2, "four registers at once");
    eq_int(bpt_shadow(m, 0xe8000), 3, "four registers at once");
    eq_int(bpt_shadow(m, 0xec000), 1, "four registers at once");
    eq_int(bpt_state_roundtrip(m, "pci"), 0, "save, reset, load, save");
    eq_int(bpt_shadow(m, 0xe8000), 3, "shadow RAM is as it was");
    ok(!bpt_reset(m), "resets");
    eq_int(cfg_read(m, HOST, 0x5c, 4), 0, "the registers are clear");
    eq_int(bpt_shadow(m, 0xe8000), 0, "and the ROM is back");
    eq_int(bpt_shadow(m, 0xf0000), 0, "everywhere");
    cfg_write(m, ISA, 0x60, 4, 0x0b0b0a0a);
    eq_int(cfg_read(m, ISA, 0x60, 4), 0x0b0b0a0a, "interrupt routing is kept");
    cfg_write(m, ISA, 0, 4, 0);
    eq_int(cfg_read(m, ISA, 0, 4), 0x70008086, "ids are not written");
    eq_int(bpt_free(m), 0, "no problems");

    m = machine(0, "chipset=i440fx", 0);
    cfg_write(m, HOST, 0x59, 1, 0);
    ok(bpt_shadow(m, 0xf0000) == 0 && !bpt_reset(m) && bpt_shadow(m, 0xf0000) == 3,
       "with a kernel a reset makes it RAM");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_power(void)
{
    struct bpt_machine *m = machine(BP_MACHINE_FIRMWARE, "", 1);
    uint8_t table[276];
    uint64_t len = 0;
    const struct bp_acpi_if *acpi =
        bpt_query(m, "acpi", BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, firmware));

    eq_int(cfg_read(m, PM, 0x40, 4), 0x601, "the PM base as the tables have it");
    eq_int(cfg_read(m, PM, 0x80, 1), 1, "decoded");
    eq_int(cfg_read(m, PM, 0x58, 4), 0x02000000, "nothing is to be done for SMM");
    eq_int(bpt_in(m, 0x604, 2), 1, "the registers are there");
    cfg_write(m, PM, 0x40, 4, 0xb001);
    ok(bpt_in(m, 0xb004, 2) == 1 && bpt_in(m, 0x604, 2) == 0xffff, "they move");
    cfg_write(m, PM, 0x40, 4, 0xffffffff);
    eq_int(cfg_read(m, PM, 0x40, 4), 0xffc1, "to multiples of 64");
    cfg_write(m, PM, 0x40, 4, 0xb001);
    ok(acpi->firmware(bpt_self(m, "acpi"), BP_ACPI_FW_TABLES, NULL, 0, &len) == 0 && len,
       "the tables that firmware asks for");
    for (uint64_t at = 0; at + sizeof table <= len; at += 64) {
        uint8_t *all = malloc(len);

        (void)!acpi->firmware(bpt_self(m, "acpi"), BP_ACPI_FW_TABLES, all, len, &len);
        if (memcmp(all + at, "FACP", 4) == 0)
            eq_int(all[at + 64] | all[at + 65] << 8, 0xb004, "name the new place");
        free(all);
    }
    cfg_write(m, PM, 0x80, 1, 0);
    eq_int(bpt_in(m, 0xb004, 2), 0xffff, "without decoding they answer nowhere");
    eq_int(bpt_state_roundtrip(m, "acpi"), 0, "save, reset, load, save");
    eq_int(bpt_in(m, 0x604, 2), 0xffff, "nor after that");
    cfg_write(m, PM, 0x80, 1, 1);
    eq_int(bpt_in(m, 0xb004, 2), 1, "until it is on again");
    cfg_write(m, PM, 0x40, 4, 0xcc1);
    eq_int(cfg_read(m, HOST, 0, 4), 0x12378086, "onto the configuration ports they do not go");
    eq_int(bpt_in(m, 0xcc4, 2), 1, "but next to them");
    ok(!bpt_reset(m) && bpt_in(m, 0x604, 2) == 1, "a reset brings them back");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_state(void)
{
    struct bpt_machine *m = machine(BP_MACHINE_FIRMWARE, "", 1);
    struct bpt_state *s = NULL;
    uint8_t regs[0xc0] = {0};

    ok(!bpt_quiesce(m) && !bpt_save(m, "acpi", &s), "saves");
    bpt_state_put_blob(s, "piix", "config", regs, sizeof regs);
    ok(bpt_restore(m, "acpi", s) == BP_E_INVAL, "another chip's registers are refused");
    bpt_state_put_blob(s, "piix", "config", regs, 12);
    ok(bpt_restore(m, "acpi", s) < 0, "so are too few");
    bpt_state_remove(s, "piix", "config");
    bpt_state_put(s, "piix", "port", 0xffff);
    ok(bpt_restore(m, "acpi", s) == BP_E_INVAL, "and a port at the end of them all");
    bpt_state_remove(s, "piix", NULL);
    ok(!bpt_restore(m, "acpi", s) && !bpt_start(m), "none is as after a reset");
    bpt_state_free(s);
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_failures(void)
{
    int all = 1;

    for (uint64_t n = 1; n < 200; n++) {
        struct bpt_machine *m = bpt_new(4 << 20, 0);
        int hit;

        bpt_load(m, "acpi", "acpi", "");
        bpt_load(m, "pci", "pci", "chipset=i440fx");
        bpt_inject(m, "pci", n, BP_E_NOMEM);
        (void)bpt_realize_all(m);
        hit = bpt_injected(m);
        bpt_inject(m, NULL, 0, 0);
        all = all && bpt_free(m) == 0;
        if (!hit)
            break;
    }
    ok(all, "every host call may fail");
}

int
main(void)
{
    test_choice();
    test_pam();
    test_power();
    test_state();
    test_failures();
    return done_testing();
}
