/* SPDX-License-Identifier: BSD-3-Clause */
/* i8042: the keyboard and the mouse behind the controller, and bp.input/1 in front of them. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <backplane/test.h>

#include "tap.h"

#define DATA    0x60
#define COMMAND 0x64
#define MS      INT64_C(1000000)

/* evdev's numbers */
enum {
    K_A = 30,
    K_F7 = 65,
    K_LCTRL = 29,
    K_LALT = 56,
    K_LSHIFT = 42,
    K_RCTRL = 97,
    K_PRINT = 99,
    K_UP = 103,
    K_PAUSE = 119,
    K_COMPOSE = 127,
    B_LEFT = 0x110,
    B_RIGHT = 0x111,
    B_MIDDLE = 0x112,
    B_SIDE = 0x113,
    B_EXTRA = 0x114,
    R_X = 0,
    R_Y = 1,
    R_WHEEL = 8,
};

static const struct bp_input_if *input;
static void *input_self;

static struct bpt_machine *
machine(uint8_t mode)
{
    struct bpt_machine *m = bpt_new(1 << 20, 0);

    if (bpt_load(m, "i8042", "kbc", "") || bpt_realize_all(m) || bpt_start(m))
        ok(0, "start: %s", bpt_error(m));
    input = bpt_query(m, "kbc", BP_IF_INPUT, BP_UPTO(struct bp_input_if, leds));
    input_self = bpt_self(m, "kbc");
    bpt_out(m, COMMAND, 1, 0x60);
    bpt_out(m, DATA, 1, mode);
    return m;
}

static int
send(uint32_t type, uint32_t code, int32_t value)
{
    const struct bp_input_event event = {type, code, value};

    return input->send(input_self, &event, 1);
}

static void
key(struct bpt_machine *m, uint32_t code, int down)
{
    if (send(BP_INPUT_KEY, code, down))
        ok(0, "a key is not taken");
    bpt_pump(m);
}

static void
move(struct bpt_machine *m, int32_t x, int32_t y, int32_t wheel)
{
    const struct bp_input_event events[] = {
        {BP_INPUT_REL, R_X, x}, {BP_INPUT_REL, R_Y, y}, {BP_INPUT_REL, R_WHEEL, wheel}};

    if (input->send(input_self, events, 3))
        ok(0, "a movement is not taken");
    bpt_pump(m);
}

/* All that waits, as hexadecimal text; bytes of the second port have a prime. */
static const char *
rest(struct bpt_machine *m)
{
    static char text[1024];
    size_t n = 0;
    uint32_t status;

    text[0] = '\0';
    while ((status = bpt_in(m, COMMAND, 1)) & 1 && n < sizeof text - 8)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%02x%s", n ? " " : "",
                              bpt_in(m, DATA, 1), status & 0x20 ? "'" : "");
    return text;
}

static const char *
to_keyboard(struct bpt_machine *m, uint8_t byte)
{
    bpt_out(m, DATA, 1, byte);
    return rest(m);
}

static const char *
to_mouse(struct bpt_machine *m, uint8_t byte)
{
    bpt_out(m, COMMAND, 1, 0xd4);
    bpt_out(m, DATA, 1, byte);
    return rest(m);
}

static void
test_commands(void)
{
    struct bpt_machine *m = machine(0x03);

    eq_str(to_keyboard(m, 0xff), "fa aa", "reset and self-test");
    eq_str(to_keyboard(m, 0xf2), "fa ab 83", "its id");
    eq_str(to_keyboard(m, 0xee), "ee", "echo");
    eq_str(to_keyboard(m, 0xfe), "ee", "once more");
    eq_str(to_keyboard(m, 0xed), "fa", "lights");
    eq_str(to_keyboard(m, 0x06), "fa", "which");
    eq_int((int)input->leds(input_self), BP_INPUT_LED_NUM | BP_INPUT_LED_CAPS, "are told");
    eq_str(to_keyboard(m, 0xf0), "fa", "scan code set");
    eq_str(to_keyboard(m, 0x00), "fa 02", "which is two");
    to_keyboard(m, 0xf0);
    eq_str(to_keyboard(m, 0x03), "fe", "there is no third");
    to_keyboard(m, 0xf0);
    eq_str(to_keyboard(m, 0x01), "fa", "but a first");
    to_keyboard(m, 0xf0);
    eq_str(to_keyboard(m, 0x00), "fa 01", "which is kept");
    eq_str(to_keyboard(m, 0xf6), "fa", "defaults");
    to_keyboard(m, 0xf0);
    eq_str(to_keyboard(m, 0x00), "fa 02", "have the second");
    eq_str(to_keyboard(m, 0x42), "fe", "what is no command");
    eq_str(to_keyboard(m, 0xfa), "fa", "what set 3 knows");
    to_keyboard(m, 0xf3);
    eq_str(to_keyboard(m, 0xf4), "fa", "a command in place of a byte");
    eq_str(to_keyboard(m, 0xee), "ee", "ends the one that waited");
    eq_int((int)input->takes(input_self), BP_INPUT_TAKES_KEYS, "the guest listens to keys");
    to_keyboard(m, 0xf5);
    eq_int((int)input->takes(input_self), 0, "not when it says so");
    to_keyboard(m, 0xf4);
    bpt_out(m, COMMAND, 1, 0xad);
    eq_int((int)input->takes(input_self), 0, "nor with the port off");
    bpt_out(m, COMMAND, 1, 0x60);
    bpt_out(m, DATA, 1, 0x43);
    eq_str(to_keyboard(m, 0xf2), "fa ab 41", "translation also takes answers");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_keys(void)
{
    struct bpt_machine *m = machine(0x03);
    uint64_t edges = bpt_gsi_count(m, 1);

    key(m, K_A, 1);
    eq_int(bpt_gsi(m, 1), 1, "a key interrupts");
    eq_str(rest(m), "1c", "set 2");
    key(m, K_A, 0);
    eq_str(rest(m), "f0 1c", "and up");
    eq_int((int)(bpt_gsi_count(m, 1) - edges), 3, "an interrupt for each byte");
    key(m, K_A, 0);
    eq_str(rest(m), "", "up is up");
    key(m, K_UP, 1);
    key(m, K_UP, 0);
    eq_str(rest(m), "e0 75 e0 f0 75", "a grey key");
    key(m, K_F7, 1);
    key(m, K_F7, 0);
    eq_str(rest(m), "83 f0 83", "F7");
    key(m, K_PRINT, 1);
    key(m, K_PRINT, 0);
    eq_str(rest(m), "e0 12 e0 7c e0 f0 7c e0 f0 12", "print screen");
    key(m, K_LALT, 1);
    key(m, K_PRINT, 1);
    key(m, K_PRINT, 0);
    key(m, K_LALT, 0);
    eq_str(rest(m), "11 84 f0 84 f0 11", "with Alt");
    key(m, K_LSHIFT, 1);
    key(m, K_PRINT, 1);
    key(m, K_PRINT, 0);
    key(m, K_LSHIFT, 0);
    eq_str(rest(m), "12 e0 7c e0 f0 7c f0 12", "with Shift");
    key(m, K_PAUSE, 1);
    key(m, K_PAUSE, 0);
    eq_str(rest(m), "e1 14 77 e1 f0 14 f0 77", "pause");
    key(m, K_RCTRL, 1);
    key(m, K_PAUSE, 1);
    key(m, K_PAUSE, 0);
    key(m, K_RCTRL, 0);
    eq_str(rest(m), "e0 14 e0 7e e0 f0 7e e0 f0 14", "break");
    key(m, 255, 1);
    key(m, 84, 1);
    key(m, 0, 1);
    eq_str(rest(m), "", "keys that no keyboard has");
    bpt_out(m, COMMAND, 1, 0x60);
    bpt_out(m, DATA, 1, 0x43);
    key(m, K_A, 1);
    key(m, K_A, 0);
    key(m, K_UP, 1);
    key(m, K_UP, 0);
    key(m, K_F7, 1);
    key(m, K_F7, 0);
    eq_str(rest(m), "1e 9e e0 48 e0 c8 41 c1", "translated");
    key(m, K_PAUSE, 1);
    key(m, K_PAUSE, 0);
    eq_str(rest(m), "e1 1d 45 e1 9d c5", "pause, translated");
    bpt_out(m, COMMAND, 1, 0x60);
    bpt_out(m, DATA, 1, 0x03);
    to_keyboard(m, 0xf0);
    to_keyboard(m, 1);
    key(m, K_A, 1);
    key(m, K_A, 0);
    key(m, K_COMPOSE, 1);
    key(m, K_COMPOSE, 0);
    eq_str(rest(m), "1e 9e e0 5d e0 dd", "set 1 as it is");
    to_keyboard(m, 0xf5);
    key(m, K_A, 1);
    eq_str(rest(m), "", "nothing while it is off");
    to_keyboard(m, 0xf4);
    key(m, K_A, 0);
    eq_str(rest(m), "f0 1c", "but the release is not lost");
    bpt_out(m, COMMAND, 1, 0xad);
    key(m, K_A, 1);
    eq_str(rest(m), "", "nor while the port is off");
    bpt_out(m, COMMAND, 1, 0xae);
    eq_str(rest(m), "1c", "it comes when it is on");
    eq_int(bpt_free(m), 0, "no problems");
}

/* All keys, in both ways to set 1: the same bytes. */
static void
test_sets(void)
{
    struct bpt_machine *a = machine(0x43), *b;
    char translated[256][64];
    int same = 1, known = 0;

    for (uint32_t k = 0; k < 256; k++) {
        key(a, k, 1);
        key(a, k, 0);
        snprintf(translated[k], sizeof translated[k], "%s", rest(a));
        known += *translated[k] != '\0';
    }
    eq_int(bpt_free(a), 0, "no problems");
    b = machine(0x03);
    to_keyboard(b, 0xf0);
    to_keyboard(b, 1);
    for (uint32_t k = 0; k < 256; k++) {
        key(b, k, 1);
        key(b, k, 0);
        if (strcmp(rest(b), translated[k]) != 0) {
            printf("# key %u\n", k);
            same = 0;
        }
    }
    ok(same, "%d keys give in set 1 what translation makes of set 2", known);
    ok(known > 120, "and that is a whole keyboard");
    eq_int(bpt_free(b), 0, "no problems");
}

static void
test_typematic(void)
{
    struct bpt_machine *m = machine(0x43);

    key(m, K_A, 1);
    eq_str(rest(m), "1e", "a key goes down");
    bpt_advance(m, 499 * MS);
    eq_str(rest(m), "", "for half a second");
    bpt_advance(m, 2 * MS);
    eq_str(rest(m), "1e", "it repeats");
    bpt_advance(m, 93 * MS);
    eq_str(rest(m), "1e", "and again");
    bpt_advance(m, 2000 * MS);
    eq_str(rest(m), "1e 1e", "what is not read does not pile up");
    key(m, K_UP, 1);
    eq_str(rest(m), "e0 48", "another key");
    bpt_advance(m, 510 * MS);
    eq_str(rest(m), "e0 48", "takes over");
    key(m, K_A, 0);
    eq_str(rest(m), "9e", "the first one goes up");
    bpt_advance(m, 100 * MS);
    eq_str(rest(m), "e0 48", "which the second does not mind");
    key(m, K_UP, 0);
    rest(m);
    bpt_advance(m, 5000 * MS);
    eq_str(rest(m), "", "up, it ends");
    ok(bpt_timer(m, "kbc") == BP_TIMER_OFF, "and no timer runs");
    to_keyboard(m, 0xf3);
    to_keyboard(m, 0x00);
    key(m, K_A, 1);
    rest(m);
    bpt_advance(m, 251 * MS);
    eq_str(rest(m), "1e", "sooner, when the guest wants it");
    bpt_advance(m, 34 * MS);
    eq_str(rest(m), "1e", "and faster");
    key(m, K_PAUSE, 1);
    rest(m);
    bpt_advance(m, 5000 * MS);
    eq_str(rest(m), "", "pause does not repeat");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_mouse(void)
{
    struct bpt_machine *m = machine(0x03);

    eq_str(to_mouse(m, 0xff), "fa' aa' 00'", "reset and self-test");
    eq_str(to_mouse(m, 0xf2), "fa' 00'", "its id");
    eq_str(to_mouse(m, 0xe9), "fa' 00' 02' 64'", "its status");
    move(m, 1, 1, 0);
    eq_str(rest(m), "", "it is silent at first");
    eq_int((int)input->takes(input_self), BP_INPUT_TAKES_KEYS, "as the display is told");
    eq_str(to_mouse(m, 0xf4), "fa'", "on");
    eq_int((int)input->takes(input_self), BP_INPUT_TAKES_KEYS | BP_INPUT_TAKES_REL, "told too");
    move(m, 5, 3, 0);
    eq_int(bpt_gsi(m, 12), 1, "a movement interrupts");
    eq_str(rest(m), "28' 05' fd'", "right and down");
    move(m, -5, -3, 7);
    eq_str(rest(m), "18' fb' 03'", "left and up, no wheel");
    move(m, 300, 0, 0);
    eq_str(rest(m), "08' ff' 00' 08' 2d' 00'", "far takes two reports");
    key(m, B_LEFT, 1);
    key(m, B_LEFT, 0);
    key(m, B_RIGHT, 1);
    key(m, B_MIDDLE, 1);
    eq_str(rest(m), "09' 00' 00' 08' 00' 00' 0a' 00' 00' 0e' 00' 00'", "each change of a button");
    key(m, B_RIGHT, 0);
    key(m, B_MIDDLE, 0);
    rest(m);
    move(m, 1, 0, 0);
    move(m, 2, 0, 0);
    move(m, 3, 0, 0);
    key(m, B_LEFT, 1);
    eq_str(rest(m), "08' 01' 00' 08' 05' 00' 09' 00' 00'", "movement adds up, before the button");
    key(m, B_LEFT, 0);
    rest(m);
    eq_str(to_mouse(m, 0xe7), "fa'", "twice as fast");
    move(m, 10, -3, 0);
    eq_str(rest(m), "08' 14' 03'", "it is");
    to_mouse(m, 0xe6);
    eq_str(to_mouse(m, 0xf0), "fa'", "remote mode");
    move(m, 4, 0, 0);
    eq_str(rest(m), "", "it waits");
    eq_str(to_mouse(m, 0xeb), "fa' 08' 04' 00'", "until it is asked");
    eq_str(to_mouse(m, 0xea), "fa'", "stream mode");
    eq_str(to_mouse(m, 0xee), "fa'", "wrap mode");
    eq_str(to_mouse(m, 0x5a), "5a'", "is an echo");
    eq_str(to_mouse(m, 0xec), "fa'", "until it ends");
    eq_str(to_mouse(m, 0xe8), "fa'", "resolution");
    eq_str(to_mouse(m, 0x09), "fe'", "not this one");
    eq_str(to_mouse(m, 0x03), "fa'", "but that");
    eq_str(to_mouse(m, 0xe9), "fa' 20' 03' 64'", "is in the status");
    eq_str(to_mouse(m, 0x01), "fe'", "what is no command");
    eq_str(to_mouse(m, 0xfe), "fe'", "once more");
    bpt_out(m, COMMAND, 1, 0xa7);
    eq_int((int)input->takes(input_self), BP_INPUT_TAKES_KEYS, "the port off");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
rates(struct bpt_machine *m, uint8_t a, uint8_t b, uint8_t c)
{
    const uint8_t all[] = {a, b, c};

    for (int i = 0; i < 3; i++) {
        to_mouse(m, 0xf3);
        to_mouse(m, all[i]);
    }
}

static void
test_wheel(void)
{
    struct bpt_machine *m = machine(0x03);

    rates(m, 200, 200, 80);
    eq_str(to_mouse(m, 0xf2), "fa' 00'", "five buttons come after the wheel");
    rates(m, 200, 100, 80);
    eq_str(to_mouse(m, 0xf2), "fa' 03'", "a wheel");
    to_mouse(m, 0xf4);
    move(m, 0, 0, 1);
    eq_str(rest(m), "08' 00' 00' ff'", "up");
    move(m, 1, 0, -20);
    eq_str(rest(m), "08' 01' 00' 07' 08' 00' 00' 07' 08' 00' 00' 06'", "far down");
    key(m, B_SIDE, 1);
    eq_str(rest(m), "08' 00' 00' 00'", "a fourth button has no bit here");
    key(m, B_SIDE, 0);
    rest(m);
    rates(m, 200, 200, 80);
    eq_str(to_mouse(m, 0xf2), "fa' 04'", "five buttons");
    key(m, B_SIDE, 1);
    key(m, B_EXTRA, 1);
    eq_str(rest(m), "08' 00' 00' 10' 08' 00' 00' 30'", "both of them");
    move(m, 0, 0, 1);
    eq_str(rest(m), "08' 00' 00' 3f'", "and the wheel");
    to_mouse(m, 0xff);
    eq_str(to_mouse(m, 0xf2), "fa' 00'", "a reset makes it plain again");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_queue(void)
{
    struct bpt_machine *m = machine(0x43);
    struct bp_input_event many[300];
    unsigned taken = 0, got = 0, last = 0;
    int order = 1;

    for (int i = 0; i < 300; i++)
        many[i] = (struct bp_input_event){BP_INPUT_KEY, K_A, !(i & 1)};
    ok(input->send(input_self, many, 300) == BP_E_AGAIN, "more than the queue has is not taken");
    ok(input->send(input_self, many, 0) == 0, "nothing is");
    bpt_pump(m);
    eq_str(rest(m), "", "not in part either");
    while (send(BP_INPUT_KEY, K_A, !(taken & 1)) == 0) {
        taken++;
        bpt_pump(m);
    }
    ok(taken >= 256, "a guest that does not read: %u events wait", taken);
    while (bpt_in(m, COMMAND, 1) & 1) {
        uint32_t byte = bpt_in(m, DATA, 1);

        order = order && byte == (last == 0x1e ? 0x9e : 0x1e);
        last = byte;
        got++;
    }
    ok(order && got == taken, "and all of them come, in order");
    eq_int(send(BP_INPUT_ABS, 0, 100), 0, "what it has no use for is taken and dropped");
    eq_int(send(99, 0, 100), 0, "that too");
    to_mouse(m, 0xf4);
    bpt_out(m, COMMAND, 1, 0xad);
    for (int i = 0; i < 200; i++)
        (void)send(BP_INPUT_KEY, K_A, !(i & 1));
    move(m, 1, 0, 0);
    eq_str(rest(m), "08' 01' 00'", "a keyboard that nobody reads does not stop the mouse");
    move(m, INT32_MAX, INT32_MIN, INT32_MAX);
    move(m, INT32_MIN, INT32_MAX, INT32_MIN);
    rest(m);
    ok(!bpt_reset(m), "resets");
    eq_str(rest(m), "", "with nothing left");
    eq_int(bpt_free(m), 0, "no problems");
}

static void *
sender(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        (void)send(BP_INPUT_KEY, K_A + (uint32_t)(i % 8), i & 1);
        (void)send(BP_INPUT_REL, (uint32_t)(i & 1), i % 7 - 3);
        (void)input->takes(input_self);
        (void)input->leds(input_self);
    }
    return arg;
}

static void
test_threads(void)
{
    struct bpt_machine *m = machine(0x43);
    pthread_t threads[2];

    to_mouse(m, 0xf4);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, sender, NULL);
    for (int i = 0; i < 5000; i++) {
        bpt_pump(m);
        rest(m);
        if (i % 50 == 0)
            to_keyboard(m, 0xed);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    bpt_pump(m);
    rest(m);
    ok(1, "displays on other threads");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_state(void)
{
    static const struct {
        const char *section, *key;
        uint64_t val;
    } bad[] = {
        {"i8042", "release", 2},       {"keyboard", "set", 0},
        {"keyboard", "set", 3},        {"keyboard", "command", 0xff},
        {"keyboard", "leds", 8},       {"keyboard", "rate", 0x80},
        {"keyboard", "repeating", 84}, {"mouse", "id", 2},
        {"mouse", "resolution", 4},    {"mouse", "buttons", 8},
        {"mouse", "x", 8193},          {"mouse", "command", 1},
        {"mouse", "enabled", 2},       {"mouse", "rate", UINT32_MAX},
        {"keyboard", NULL, 2},         {"mouse", NULL, 2},
    };
    static const uint8_t long_blob[65];
    struct bpt_machine *m = machine(0x43);
    struct bpt_state *s = NULL;

    rates(m, 200, 100, 80);
    to_mouse(m, 0xf4);
    bpt_out(m, DATA, 1, 0xed);
    rest(m);
    key(m, K_UP, 1);
    key(m, B_LEFT, 1);
    move(m, 3, 0, 1);
    bpt_out(m, COMMAND, 1, 0xaa);
    eq_int(bpt_state_roundtrip(m, "kbc"), 0, "save, reset, load, save");
    eq_str(to_keyboard(m, 0x07), "09' 55 fa e0 48 00' 00' 00' 09' 03' 00' ff'",
           "everything goes on where it was");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ok(!bpt_quiesce(m) && !bpt_save(m, "kbc", &s), "saves");
        bpt_state_put(s, bad[i].section, bad[i].key, bad[i].val);
        ok(bpt_restore(m, "kbc", s) < 0, "%s %s is refused", bad[i].section,
           bad[i].key ? bad[i].key : "of a newer version");
        bpt_state_free(s);
    }
    ok(!bpt_save(m, "kbc", &s), "saves");
    bpt_state_put_blob(s, "mouse", "reports", long_blob, sizeof long_blob);
    ok(bpt_restore(m, "kbc", s) < 0, "more bytes than the mouse has room for");
    bpt_state_put_blob(s, "mouse", "reports", long_blob, 64);
    bpt_state_put_blob(s, "i8042", "replies", long_blob, 3);
    ok(bpt_restore(m, "kbc", s) < 0, "half an answer");
    bpt_state_remove(s, "i8042", "replies");
    bpt_state_remove(s, "keyboard", NULL);
    bpt_state_remove(s, "mouse", NULL);
    ok(!bpt_restore(m, "kbc", s) && !bpt_start(m), "a state from before there were devices");
    bpt_state_free(s);
    eq_str(to_keyboard(m, 0xf2), "fa ab 41", "they are as after a reset");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_acpi(void)
{
    static const char *const props[] = {"", "mouse=no", "keyboard=no,mouse=no"};

    for (int i = 0; i < 3; i++) {
        struct bpt_machine *m = bpt_new(4 << 20, 0);
        const uint8_t *p;
        int there[2] = {0};

        if (bpt_load(m, "acpi", "acpi", "") || bpt_load(m, "i8042", "kbc", props[i]) ||
            bpt_realize_all(m) || bpt_start(m))
            ok(0, "start: %s", bpt_error(m));
        p = bpt_ram(m, 0xe0000, 0x4000);
        for (int at = 0; at < 0x4000 - 4; at++) {
            there[0] |= memcmp(p + at, "KBD0", 4) == 0;
            there[1] |= memcmp(p + at, "MOU0", 4) == 0;
        }
        ok(there[0] == (i < 2) && there[1] == (i < 1), "what is plugged in is described, case %d",
           i);
        eq_int(bpt_free(m), 0, "no problems");
    }
}

static void
test_failures(void)
{
    int all = 1;

    for (uint64_t n = 1; n < 100; n++) {
        struct bpt_machine *m = bpt_new(4 << 20, 0);
        int hit;

        bpt_load(m, "acpi", "acpi", "");
        bpt_load(m, "i8042", "kbc", "");
        bpt_inject(m, "kbc", n, BP_E_NOMEM);
        (void)bpt_realize_all(m);
        hit = bpt_injected(m);
        bpt_inject(m, NULL, 0, 0);
        all = all && bpt_free(m) == 0;
        if (!hit)
            break;
    }
    ok(all, "every host call may fail");
}

static void
test_random(void)
{
    struct bpt_machine *m = machine(0x43);
    uint64_t seed = 42;

    for (int i = 0; i < 200000; i++) {
        uint32_t r;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        r = (uint32_t)(seed >> 33);
        switch (r % 8) {
        case 0:
            bpt_out(m, COMMAND, 1, r >> 8 & 1 ? 0xd4 : r >> 9);
            break;
        case 1:
        case 2:
            bpt_out(m, DATA, 1, r >> 8);
            break;
        case 3:
            (void)send(r >> 8 & 3, r >> 10 & 0x11f, (int32_t)(r >> 20 & 0xff) - 128);
            break;
        case 4:
            bpt_pump(m);
            break;
        case 5:
            bpt_advance(m, r >> 8 & 0xfffff);
            break;
        default:
            (void)bpt_in(m, r >> 8 & 1 ? DATA : COMMAND, 1);
            break;
        }
        if (i % 20000 == 0 && bpt_state_roundtrip(m, "kbc") != 0)
            ok(0, "a state that cannot be saved and loaded after %d steps", i);
    }
    ok(1, "random accesses and events");
    eq_int(bpt_free(m), 0, "no problems");
}

int
main(void)
{
    test_commands();
    test_keys();
    test_sets();
    test_typematic();
    test_mouse();
    test_wheel();
    test_queue();
    test_threads();
    test_state();
    test_acpi();
    test_failures();
    test_random();
    return done_testing();
}
