/* SPDX-License-Identifier: BSD-3-Clause */
/* acpi: tables in guest memory, and the power management registers. */
#include <backplane/test.h>

#include "tap.h"

#define AREA     0xe0000u
#define PM       0x600
#define STATUS   (PM + 0)
#define ENABLE   (PM + 2)
#define CONTROL  (PM + 4)
#define TIMER    (PM + 8)
#define RESET    (PM + 12)
#define SCI      9
#define HZ       3579545
#define NS_PER_S 1000000000

static struct bpt_machine *
machine(void)
{
    struct bpt_machine *m = bpt_new(4 << 20, 0);

    bpt_info(m)->cpus = 3;
    if (bpt_load(m, "acpi", "acpi", "") || bpt_realize_all(m))
        ok(0, "realize: %s", bpt_error(m));
    return m;
}

static struct bpt_machine *
running(void)
{
    struct bpt_machine *m = machine();

    if (bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    return m;
}

static uint64_t
get(const uint8_t *p, int bytes)
{
    uint64_t val = 0;

    for (int i = 0; i < bytes; i++)
        val |= (uint64_t)p[i] << i * 8;
    return val;
}

static int
sums_up(const uint8_t *p, uint64_t len)
{
    uint8_t sum = 0;

    while (len--)
        sum = (uint8_t)(sum + *p++);
    return sum == 0;
}

/* A table by its signature, through RSDP and XSDT; NULL when it is not listed. */
static const uint8_t *
table(struct bpt_machine *m, const char *signature)
{
    const uint8_t *rsdp = bpt_ram(m, AREA, 36), *xsdt, *found = NULL;
    uint64_t n;

    if (memcmp(rsdp, "RSD PTR ", 8) != 0)
        return NULL;
    xsdt = bpt_ram(m, get(rsdp + 24, 8), 36);
    n = (get(xsdt + 4, 4) - 36) / 8;
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *t = bpt_ram(m, get(xsdt + 36 + i * 8, 8), 36);

        if (t && memcmp(t, signature, 4) == 0)
            found = t;
    }
    return found;
}

static void
test_tables(void)
{
    struct bpt_machine *m = running();
    const uint8_t *rsdp = bpt_ram(m, AREA, 36), *xsdt, *fadt, *madt, *dsdt, *facs;
    uint64_t addr = 0;

    ok(!bpt_published(m, "acpi.rsdp", &addr) && addr == AREA, "the RSDP is published");
    ok(memcmp(rsdp, "RSD PTR ", 8) == 0 && sums_up(rsdp, 20) && sums_up(rsdp, 36) &&
           rsdp[15] == 2 && get(rsdp + 20, 4) == 36,
       "and is there, with both checksums");
    xsdt = bpt_ram(m, get(rsdp + 24, 8), 36);
    ok(xsdt && memcmp(xsdt, "XSDT", 4) == 0 && sums_up(xsdt, get(xsdt + 4, 4)), "so is the XSDT");
    fadt = table(m, "FACP");
    madt = table(m, "APIC");
    ok(fadt && get(fadt + 4, 4) == 276 && sums_up(fadt, 276), "the FADT");
    ok(madt && sums_up(madt, get(madt + 4, 4)), "the MADT");
    ok(!table(m, "MCFG"), "no MCFG without a bus");
    if (!fadt || !madt)
        return;
    dsdt = bpt_ram(m, get(fadt + 140, 8), 36);
    ok(get(fadt + 40, 4) == get(fadt + 140, 8) && memcmp(dsdt, "DSDT", 4) == 0 &&
           sums_up(dsdt, get(dsdt + 4, 4)),
       "the DSDT by both pointers");
    facs = bpt_ram(m, get(fadt + 36, 4), 64);
    ok(get(fadt + 36, 4) % 64 == 0 && memcmp(facs, "FACS", 4) == 0 && get(facs + 4, 4) == 64,
       "the FACS, aligned to 64 bytes");
    eq_int(get(fadt + 46, 2), SCI, "SCI is GSI 9");
    eq_int(get(fadt + 48, 4), 0, "there is no SMI command port");
    ok(get(fadt + 56, 4) == STATUS && get(fadt + 64, 4) == CONTROL && get(fadt + 76, 4) == TIMER,
       "the register blocks");
    ok(get(fadt + 148 + 4, 8) == STATUS && get(fadt + 172 + 4, 8) == CONTROL &&
           get(fadt + 208 + 4, 8) == TIMER && get(fadt + 116 + 4, 8) == RESET,
       "and their extended addresses");
    eq_int(get(fadt + 109, 2), 0x25, "nobody said that there is an 8042, RTC or VGA");
    ok((get(fadt + 112, 4) & 0x100500) == 0x500, "32-bit timer, reset register, full hardware");

    eq_int(get(madt + 4, 4), 44 + 3 * 8 + 12 + 2 * 10 + 6, "the MADT has its entries");
    ok(madt[44] == 0 && madt[46] == 0 && madt[47] == 0 && madt[48] == 1 && madt[62] == 2 &&
           madt[63] == 2,
       "APIC ids 0 to 2, enabled");
    ok(madt[68] == 1 && get(madt + 72, 4) == bpt_info(m)->ioapic_base && get(madt + 76, 4) == 0,
       "the I/O APIC");
    ok(madt[80] == 2 && madt[83] == 0 && get(madt + 84, 4) == 2, "IRQ 0 arrives at pin 2");
    ok(madt[90] == 2 && madt[93] == SCI && get(madt + 94, 4) == SCI && get(madt + 98, 2) == 0xd,
       "the SCI is level-triggered, active high");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_reset_writes_again(void)
{
    struct bpt_machine *m = running();
    uint8_t *rsdp = bpt_ram(m, AREA, 36);

    rsdp[0] = 'x';
    ok(!bpt_quiesce(m) && !bpt_start(m) && rsdp[0] == 'x', "a pause leaves guest memory alone");
    memset(bpt_ram(m, AREA, 0x18000), 0, 0x18000);
    ok(!bpt_reset(m) && memcmp(rsdp, "RSD PTR ", 8) == 0 && table(m, "APIC"),
       "a reset writes the tables again");
    eq_int(bpt_free(m), 0, "no problems");

    m = bpt_new(4 << 20, 0);
    bpt_info(m)->flags = BP_MACHINE_FIRMWARE;
    ok(!bpt_load(m, "acpi", "acpi", "port=0x1200") && !bpt_realize_all(m) && !bpt_start(m),
       "a machine with firmware");
    ok(*(uint8_t *)bpt_ram(m, AREA, 1) == 0, "gets no tables in its ROM's place");
    eq_int(bpt_in(m, 0x1204, 2), 1, "and has the registers where it was told");
    eq_int(bpt_free(m), 0, "no problems");
}

static const struct bp_acpi_if *
interface(struct bpt_machine *m, void **ret_self)
{
    *ret_self = bpt_self(m, "acpi");
    return bpt_query(m, "acpi", BP_IF_ACPI, BP_UPTO(struct bp_acpi_if, fixed));
}

static int
add_device(struct bpt_machine *m, const char *name, uint32_t kind, uint64_t base, uint64_t len)
{
    struct bp_acpi_res res = {.size = sizeof res, .kind = kind, .base = base, .len = len};
    struct bp_acpi_device dev = {.size = sizeof dev,
                                 .name = name,
                                 .hid = "PNP0501",
                                 .res = &res,
                                 .n_res = kind ? 1 : 0,
                                 .res_size = sizeof res};
    void *self;
    const struct bp_acpi_if *acpi = interface(m, &self);

    return acpi->device(self, &dev);
}

static void
test_devices(void)
{
    struct bpt_machine *m = machine();
    const uint8_t *fadt;
    uint8_t custom[40] = "ABCD";
    void *self;
    const struct bp_acpi_if *acpi = interface(m, &self);

    ok(!add_device(m, "COM1", BP_ACPI_IO, 0x3f8, 8), "a device");
    ok(add_device(m, "COM1", BP_ACPI_IO, 0x2f8, 8) == BP_E_EXIST && strstr(bpt_error(m), "COM1"),
       "not twice");
    ok(!add_device(m, "VM", 0, 0, 0) && !add_device(m, "VM", 0, 0, 0), "numbered ones");
    eq_int(add_device(m, "VM01", 0, 0, 0), BP_E_EXIST, "take names VM00, VM01");
    eq_int(add_device(m, "VM02", 0, 0, 0), 0, "VM02 is free");
    ok(add_device(m, "com2", 0, 0, 0) == BP_E_INVAL &&
           add_device(m, "1COM", 0, 0, 0) == BP_E_INVAL &&
           add_device(m, "COM", 0, 0, 0) == BP_E_INVAL &&
           add_device(m, NULL, 0, 0, 0) == BP_E_INVAL,
       "bad names are refused");
    ok(add_device(m, "BAD0", BP_ACPI_IO, 0xfff9, 8) == BP_E_INVAL &&
           add_device(m, "BAD1", BP_ACPI_MMIO, UINT64_MAX, 2) == BP_E_INVAL &&
           add_device(m, "BAD2", BP_ACPI_IO, 0, 0) == BP_E_INVAL &&
           add_device(m, "BAD3", BP_ACPI_BUSES, 1, 256) == BP_E_INVAL &&
           add_device(m, "BAD4", 77, 0, 1) == BP_E_INVAL,
       "impossible resources are refused");
    eq_int(add_device(m, "BAD0", BP_ACPI_IO, 0xfff8, 8), 0, "and leave the name free");
    ok(!acpi->fixed(self, BP_ACPI_HAS_RTC, 0x32) && !acpi->fixed(self, BP_ACPI_HAS_8042, 0),
       "hardware that the FADT tells of");
    ok(acpi->table(self, custom, 35) == BP_E_INVAL && !acpi->table(self, custom, 40),
       "a table of somebody else's");
    bpt_start(m);
    fadt = table(m, "FACP");
    ok(fadt && fadt[108] == 0x32 && get(fadt + 109, 2) == 0x7, "the FADT has it");
    ok(table(m, "ABCD") && sums_up(table(m, "ABCD"), 40), "the table has its checksum");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_too_many(void)
{
    struct bpt_machine *m = machine();
    uint8_t big[0x4000] = "BIGT";
    void *self;
    const struct bp_acpi_if *acpi = interface(m, &self);
    char name[5];
    int n = 0, err = 0;

    for (; n < 200; n++)
        if (add_device(m, "VM", BP_ACPI_IO, 0x3f8, 8))
            break;
    eq_int(n, 200, "200 devices fit");
    for (n = 0; !(err = acpi->table(self, big, sizeof big)); n++)
        ;
    ok(err == BP_E_NOSPC && n >= 3, "tables until there is no room (%d of 16 KiB)", n);
    for (n = 0; !err || n == 0; n++) {
        snprintf(name, sizeof name, "%c%03X", 'A' + (n >> 12), n & 0xfff);
        err = add_device(m, name, BP_ACPI_IO, 0x3f8, 8);
    }
    ok(err == BP_E_NOSPC && n < 1000, "then devices until there is none left (%d)", n);
    ok(!bpt_start(m), "what was taken fits");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_power(void)
{
    struct bpt_machine *m = running();
    const struct bp_power_if *power = bpt_query(m, "acpi", BP_IF_POWER, sizeof *power);

    eq_int(bpt_in(m, CONTROL, 2), 1, "ACPI mode is on");
    bpt_out(m, CONTROL, 2, 0);
    eq_int(bpt_in(m, CONTROL, 2), 1, "and stays on");
    ok(power && !power->button(bpt_self(m, "acpi")), "the power button");
    eq_int(bpt_in(m, STATUS, 2), 0x100, "sets its status bit");
    eq_int(bpt_gsi(m, SCI), 0, "without an interrupt");
    bpt_out(m, ENABLE, 2, 0x100);
    eq_int(bpt_gsi(m, SCI), 1, "unless it is enabled");
    bpt_out(m, STATUS, 2, 0xfeff);
    eq_int(bpt_gsi(m, SCI), 1, "zeroes clear nothing");
    bpt_out(m, STATUS + 1, 1, 0x01);
    eq_int(bpt_gsi(m, SCI), 0, "a one does");
    eq_int(bpt_in(m, STATUS, 4), 0x01000000, "one dword reads both");
    bpt_out(m, ENABLE, 2, 0xffff);
    eq_int(bpt_in(m, ENABLE, 2), 0x721, "only enables that exist");
    bpt_out(m, CONTROL, 2, 5 << 10);
    eq_int(bpt_requested(m, NULL), 0, "a sleep type alone does nothing");
    eq_int(bpt_in(m, CONTROL, 2), 5 << 10 | 1, "and is kept");
    bpt_out(m, CONTROL, 2, 3 << 10 | 1 << 13);
    eq_int(bpt_requested(m, NULL), 0, "a sleep state that is not offered does nothing");
    bpt_out(m, CONTROL, 2, 5 << 10 | 1 << 13);
    eq_int(bpt_requested(m, NULL), BP_REQ_POWEROFF, "S5 powers off");
    eq_int(bpt_in(m, CONTROL, 2) & 1 << 13, 0, "SLP_EN reads as zero");
    bpt_out(m, RESET, 1, 0);
    eq_int(bpt_requested(m, NULL), 0, "another value resets nothing");
    bpt_out(m, RESET, 1, 1);
    eq_int(bpt_requested(m, NULL), BP_REQ_RESET, "the reset register resets");
    ok(!bpt_reset(m) && bpt_in(m, ENABLE, 2) == 0 && bpt_in(m, CONTROL, 2) == 1,
       "a reset clears the registers");
    eq_int(bpt_free(m), 0, "no problems");
}

/* Nanoseconds until the timer has counted to n, rounded up. */
static int64_t
ns_of(uint64_t n)
{
    return (int64_t)((n * NS_PER_S + HZ - 1) / HZ);
}

static void
test_timer(void)
{
    struct bpt_machine *m = running();
    int64_t half = (int64_t)((__int128)(UINT64_C(1) << 31) * NS_PER_S / HZ) + 1;

    eq_int(bpt_in(m, TIMER, 4), 0, "the timer starts at zero");
    bpt_advance(m, NS_PER_S);
    eq_int(bpt_in(m, TIMER, 4), HZ, "and counts 3579545 a second");
    bpt_advance(m, ns_of(HZ + 1000) - NS_PER_S);
    eq_int(bpt_in(m, TIMER, 4), HZ + 1000, "exactly");
    eq_int(bpt_timer(m, "acpi"), BP_TIMER_OFF, "no host timer runs");
    bpt_advance(m, half - bpt_now(m, BP_CLOCK_VIRTUAL) - 2);
    eq_int(bpt_in(m, STATUS, 2), 0, "before the top bit changes");
    bpt_advance(m, 4);
    eq_int(bpt_in(m, STATUS, 2), 1, "it changes");
    bpt_out(m, STATUS, 2, 1);
    eq_int(bpt_in(m, STATUS, 2), 0, "and is acknowledged");
    bpt_out(m, ENABLE, 2, 1);
    ok(bpt_timer(m, "acpi") != BP_TIMER_OFF, "an enabled interrupt needs a host timer");
    bpt_advance(m, half - 8);
    eq_int(bpt_gsi(m, SCI), 0, "not yet");
    bpt_advance(m, 16);
    eq_int(bpt_gsi(m, SCI), 1, "the overflow interrupts");
    ok(bpt_in(m, TIMER, 4) < 100, "at zero");
    eq_int(bpt_timer(m, "acpi"), BP_TIMER_OFF, "and waits for the guest");
    bpt_out(m, STATUS, 2, 1);
    eq_int(bpt_gsi(m, SCI), 0, "which acknowledges");
    bpt_advance(m, half);
    eq_int(bpt_gsi(m, SCI), 1, "the next one comes");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_state(void)
{
    struct bpt_machine *m = running();
    const struct bp_power_if *power = bpt_query(m, "acpi", BP_IF_POWER, sizeof *power);
    struct bpt_state *s = NULL;
    uint32_t before;

    bpt_advance(m, 700LL * NS_PER_S);
    bpt_out(m, ENABLE, 2, 0x101);
    bpt_out(m, CONTROL, 2, 1 << 10);
    power->button(bpt_self(m, "acpi"));
    before = bpt_in(m, TIMER, 4);
    *(uint8_t *)bpt_ram(m, AREA + 9, 1) = 'x';
    eq_int(bpt_state_roundtrip(m, "acpi"), 0, "save, reset, load, save");
    ok(bpt_in(m, TIMER, 4) == before && bpt_in(m, STATUS, 4) == 0x01010101 &&
           bpt_in(m, CONTROL, 2) == 0x401 && bpt_gsi(m, SCI) == 1,
       "all registers are back");
    ok(*(uint8_t *)bpt_ram(m, AREA + 9, 1) == 'x', "the tables are those in memory");
    bpt_advance(m, 600LL * NS_PER_S);
    ok(bpt_in(m, STATUS, 2) & 1, "the timer goes on");
    ok(!bpt_quiesce(m) && !bpt_save(m, "acpi", &s), "saves");
    bpt_state_put(s, "pm", "enable", 0x8000);
    eq_int(bpt_restore(m, "acpi", s), BP_E_INVAL, "bits that do not exist are refused");
    bpt_state_put(s, "pm", "enable", 0);
    bpt_state_put(s, "pm", "timer", UINT64_C(1) << 32);
    eq_int(bpt_restore(m, "acpi", s), BP_E_INVAL, "so is a timer of 33 bits");
    bpt_state_remove(s, "pm", "timer");
    eq_int(bpt_restore(m, "acpi", s), 0, "a missing one is zero");
    ok(!bpt_start(m) && bpt_in(m, TIMER, 4) == 0, "as it reads then");
    bpt_state_free(s);
    eq_int(bpt_free(m), 0, "no problems");

    m = machine();
    eq_int(bpt_state_roundtrip(m, "acpi"), 0, "before the first start too");
    ok(!bpt_start(m) && table(m, "APIC"), "and the tables are still to be written");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_random(void)
{
    struct bpt_machine *m = running();
    uint64_t seed = 600;

    for (int i = 0; i < 200000; i++) {
        uint32_t r, width;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        r = (uint32_t)(seed >> 32);
        width = 1u << r % 3;
        if (r & 4)
            bpt_out(m, (uint16_t)(PM + (r >> 3) % 16), width, r >> 8);
        else
            (void)bpt_in(m, (uint16_t)(PM + (r >> 3) % 16), width);
        if ((r & 0xff0) == 0)
            bpt_advance(m, (int64_t)(r >> 4) * 1000);
    }
    eq_int(bpt_state_roundtrip(m, "acpi"), 0, "random accesses leave a state that can be saved");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_failing_host(void)
{
    int failed = 1;

    for (uint64_t n = 1; failed && n < 200; n++) {
        struct bpt_machine *m = bpt_new(4 << 20, 0);

        bpt_inject(m, NULL, n, BP_E_NOMEM);
        failed = bpt_load(m, "acpi", "acpi", "") || bpt_realize_all(m) || bpt_start(m) ||
                 bpt_injected(m);
        if (bpt_free(m))
            ok(0, "a problem after the failure of host call %u", (unsigned)n);
    }
    ok(!failed, "any host call may fail");
}

int
main(void)
{
    test_tables();
    test_reset_writes_again();
    test_devices();
    test_too_many();
    test_power();
    test_timer();
    test_state();
    test_random();
    test_failing_host();
    return done_testing();
}
