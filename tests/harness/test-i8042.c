/* SPDX-License-Identifier: BSD-3-Clause */
/* i8042: the controller itself, also with nothing plugged in. Keyboard and mouse: test-ps2.c. */
#include <backplane/test.h>

#include "tap.h"

#define DATA    0x60
#define COMMAND 0x64

static struct bpt_machine *
machine_with(const char *props)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);

    if (bpt_load(m, "i8042", "kbc", props) || bpt_realize_all(m) || bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    return m;
}

static struct bpt_machine *
machine(void)
{
    return machine_with("");
}

static void
command(struct bpt_machine *m, uint8_t val)
{
    bpt_out(m, COMMAND, 1, val);
}

static void
command_data(struct bpt_machine *m, uint8_t val, uint8_t data)
{
    command(m, val);
    bpt_out(m, DATA, 1, data);
}

/* What a command answers; -1 when it gives no byte. */
static int
answer(struct bpt_machine *m, uint8_t val)
{
    command(m, val);
    return bpt_in(m, COMMAND, 1) & 1 ? (int)bpt_in(m, DATA, 1) : -1;
}

static void
test_reset_line(void)
{
    struct bpt_machine *m = machine();

    command(m, 0xfe);
    eq_int(bpt_requested(m, NULL), BP_REQ_RESET, "0xfe resets");
    command(m, 0xff);
    eq_int(bpt_requested(m, NULL), 0, "0xff pulses nothing");
    command(m, 0xfd);
    eq_int(bpt_requested(m, NULL), 0, "0xfd pulses another line");
    command(m, 0xf0);
    eq_int(bpt_requested(m, NULL), BP_REQ_RESET, "0xf0 pulses all");
    command_data(m, 0xd1, 0xfe);
    eq_int(bpt_requested(m, NULL), BP_REQ_RESET, "the output port's bit 0, low, resets");
    command_data(m, 0xd1, 0x03);
    eq_int(bpt_requested(m, NULL), 0, "and high does not");
    bpt_out(m, DATA, 1, 0xfe);
    eq_int(bpt_requested(m, NULL), 0, "0xfe for the keyboard is no command");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_commands(void)
{
    struct bpt_machine *m = machine();

    eq_int(bpt_in(m, COMMAND, 1) & 1, 0, "nothing waits at first");
    eq_int(answer(m, 0xaa), 0x55, "the self-test passes");
    ok(bpt_in(m, COMMAND, 1) & 4, "the system flag is set");
    eq_int(bpt_in(m, COMMAND, 1) & 1, 0, "reading takes the byte");
    eq_int(answer(m, 0xab), 0, "the first port passes its test");
    eq_int(answer(m, 0xa9), 0, "so does the second");
    eq_int(answer(m, 0xc0), 0x80, "the lock is open");
    command_data(m, 0x60, 0x34);
    eq_int(answer(m, 0x20), 0x34, "the command byte is kept");
    command(m, 0xae);
    eq_int(answer(m, 0x20), 0x24, "0xae enables the first port");
    command(m, 0xa8);
    eq_int(answer(m, 0x20), 0x04, "0xa8 the second");
    command(m, 0xad);
    command(m, 0xa7);
    eq_int(answer(m, 0x20), 0x34, "0xad and 0xa7 disable them");
    command_data(m, 0x60, 0x30);
    eq_int(bpt_in(m, COMMAND, 1) & 4, 0, "the system flag follows the command byte");
    command_data(m, 0x7f, 0x5a);
    eq_int(answer(m, 0x3f), 0x5a, "the last byte of its memory too");
    command(m, 0xdd);
    eq_int(answer(m, 0xd0) & 3, 1, "A20 off");
    command(m, 0xdf);
    eq_int(answer(m, 0xd0) & 3, 3, "A20 on");
    command_data(m, 0xd1, 0x01);
    eq_int(answer(m, 0xd0) & 3, 1, "A20 by the output port");
    eq_int(answer(m, 0x00), -1, "an unknown command answers nothing");
    bpt_out(m, 0x92, 1, 0x02);
    eq_int(answer(m, 0xd0) & 3, 3, "A20 by port 0x92");
    eq_int(bpt_in(m, 0x92, 1), 2, "which reads it too");
    bpt_out(m, 0x92, 1, 0x00);
    eq_int(answer(m, 0xd0) & 3, 1, "and off again");
    eq_int(bpt_requested(m, NULL), 0, "without a reset");
    bpt_out(m, 0x92, 1, 0x01);
    eq_int(bpt_requested(m, NULL), BP_REQ_RESET, "which its bit 0 asks for");
    eq_int(bpt_in(m, 0x61, 1), 0xff, "port 0x61 is not its own");
    command(m, 0xaa);
    command(m, 0xab);
    eq_int(bpt_in(m, DATA, 1), 0x55, "two answers");
    eq_int(bpt_in(m, DATA, 1), 0x00, "come in their order");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_devices_absent(void)
{
    struct bpt_machine *m = machine_with("keyboard=no,mouse=no");

    command_data(m, 0x60, 0x03);
    bpt_out(m, DATA, 1, 0xff);
    eq_int(bpt_in(m, COMMAND, 1) & 0x61, 0x41, "a keyboard reset times out");
    eq_int(bpt_gsi(m, 1), 1, "with an interrupt");
    eq_int(bpt_in(m, DATA, 1), 0xfe, "and 0xfe");
    eq_int(bpt_gsi(m, 1), 0, "reading ends it");
    command_data(m, 0xd4, 0xff);
    eq_int(bpt_in(m, COMMAND, 1) & 0x61, 0x61, "so does a mouse reset");
    eq_int(bpt_gsi(m, 12), 1, "on the other line");
    eq_int(bpt_gsi(m, 1), 0, "and only there");
    eq_int(bpt_in(m, DATA, 1), 0xfe, "with the same byte");
    eq_int(answer(m, 0x20), 0x03, "a byte for a device leaves its port enabled");
    command_data(m, 0x60, 0x33);
    command_data(m, 0xd4, 0xff);
    (void)bpt_in(m, DATA, 1);
    bpt_out(m, DATA, 1, 0xff);
    (void)bpt_in(m, DATA, 1);
    eq_int(answer(m, 0x20), 0x03, "or enables it");
    command_data(m, 0xd3, 0xa5);
    eq_int(bpt_in(m, COMMAND, 1) & 0x61, 0x21, "the loop of the second port works");
    eq_int(bpt_in(m, DATA, 1), 0xa5, "and gives the byte back");
    command_data(m, 0xd2, 0x1c);
    eq_int(bpt_gsi(m, 1), 1, "so does that of the first");
    eq_int(bpt_in(m, DATA, 1), 0x1c, "with its byte");
    command_data(m, 0x60, 0x00);
    command_data(m, 0xd2, 0x1c);
    eq_int(bpt_gsi(m, 1), 0, "no interrupt unless enabled");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_state(void)
{
    struct bpt_machine *m = machine();
    struct bpt_state *s = NULL;

    command_data(m, 0x60, 0x03);
    command_data(m, 0x65, 0x99);
    command_data(m, 0xd3, 0x42);
    command(m, 0xd1);
    eq_int(bpt_state_roundtrip(m, "kbc"), 0, "save, reset, load, save");
    eq_int(bpt_gsi(m, 12), 1, "the interrupt is back");
    bpt_out(m, DATA, 1, 0x00);
    eq_int(bpt_requested(m, NULL), BP_REQ_RESET, "the half-given command is finished");
    eq_int(bpt_in(m, DATA, 1), 0x42, "the byte still waits");
    eq_int(answer(m, 0x25), 0x99, "memory is back");

    ok(!bpt_quiesce(m) && !bpt_save(m, "kbc", &s), "saves");
    bpt_state_put(s, "i8042", "status", 0x100);
    ok(bpt_restore(m, "kbc", s) == BP_E_INVAL, "nine bits are refused");
    bpt_state_put(s, "i8042", "status", 0x1c);
    bpt_state_put_blob(s, "i8042", "ram", "abc", 3);
    ok(bpt_restore(m, "kbc", s) == BP_E_INVAL, "short memory is refused");
    bpt_state_remove(s, "i8042", "ram");
    ok(!bpt_restore(m, "kbc", s) && !bpt_start(m), "missing memory is as after a reset");
    eq_int(answer(m, 0x20), 0x74, "with this command byte");
    bpt_state_put(s, "i8042", NULL, 2);
    ok(!bpt_quiesce(m) && bpt_restore(m, "kbc", s) < 0, "a newer version is refused");
    bpt_state_free(s);
    ok(!bpt_reset(m), "resets");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_random(void)
{
    struct bpt_machine *m = machine();
    uint64_t seed = 8042;

    for (int i = 0; i < 200000; i++) {
        uint32_t r;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        r = (uint32_t)(seed >> 33);
        if (r & 1)
            bpt_out(m, r & 2 ? DATA : COMMAND, 1, r >> 8);
        else
            (void)bpt_in(m, r & 2 ? DATA : COMMAND, 1);
    }
    eq_int(bpt_state_roundtrip(m, "kbc"), 0, "random accesses leave a state that can be saved");
    eq_int(bpt_free(m), 0, "no problems");
}

int
main(void)
{
    test_reset_line();
    test_commands();
    test_devices_absent();
    test_state();
    test_random();
    return done_testing();
}
