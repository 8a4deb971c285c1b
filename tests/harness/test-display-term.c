/* SPDX-License-Identifier: BSD-3-Clause */
/* display-term: what it draws on a terminal, and which keys it makes of what is typed there. */
#include "fake-char.h"
#include "fake-screen.h"

#include "tap.h"

#define SECOND INT64_C(1000000000)

static struct bpt_machine *machine;
static struct fake_char terminal;

static int
start(const char *more)
{
    char props[100];
    int err;

    memset(&adapter, 0, sizeof adapter);
    memset(&input, 0, sizeof input);
    memset(&terminal, 0, sizeof terminal);
    terminal.allow = UINT64_MAX;
    terminal.up = 1;
    input.takes = BP_INPUT_TAKES_KEYS;
    adapter.text = (struct bp_display_text){.columns = 8, .rows = 3, .cursor_x = 2, .cursor_y = 1};
    for (uint32_t i = 0; i < 24; i++)
        adapter.cells[i] = (struct bp_display_cell){' ', 0xaaaaaa, 0, 0};
    snprintf(props, sizeof props, "chardev=tty%s", more);
    machine = bpt_new(1 << 20, 0);
    if ((err = bpt_provide(machine, "tty", BP_IF_CHAR, &fake_char_if, &terminal)) ||
        (err = bpt_provide(machine, "keys", BP_IF_INPUT, &input_table, &input)) ||
        (err = bpt_load(machine, "display-term", "term", props)) ||
        (err = bpt_add(machine, &adapter_class, "adapter", "display=term")) ||
        (err = bpt_realize_all(machine)))
        return err;
    return bpt_start(machine);
}

static void
stop(void)
{
    eq_int(bpt_free(machine), 0, "no problems");
    eq_int(terminal.faults, 0, "no rule of bp.char/1 was broken");
}

/* What was written since the last call, with ESC as ^. */
static const char *
drawn(void)
{
    static char text[sizeof terminal.out + 1];

    memcpy(text, terminal.out, terminal.out_n);
    text[terminal.out_n] = 0;
    for (char *p = text; *p; p++)
        if (*p == '\033')
            *p = '^';
    terminal.out_n = 0;
    return text;
}

static void
put(uint32_t at, const char *text, uint32_t fg, uint32_t bg, uint32_t flags)
{
    for (; *text; text++)
        adapter.cells[at++] = (struct bp_display_cell){(uint8_t)*text, fg, bg, flags};
}

static void
test_draw(void)
{
    eq_int(start(""), 0, "start");
    put(0, "SeaBIOS", 0xaaaaaa, 0, 0);
    bpt_advance(machine, SECOND / 4);
    eq_str(drawn(),
           "^[0m^[?25l^[2J^[?25l^[1;1H^[0;37;40mSeaBIOS ^[2;1H        ^[3;1H        ^[0m"
           "^[2;3H^[?25h",
           "the first picture, and the cursor");
    bpt_advance(machine, SECOND);
    eq_str(drawn(), "", "nothing changes, nothing is sent");
    put(9, "\xda\xc4\xbf", 0xffff55, 0x0000aa, 0);
    put(14, "x", 0xff5555, 0xaa0000, BP_DISPLAY_CELL_BLINK | BP_DISPLAY_CELL_UNDERLINE);
    bpt_advance(machine, SECOND / 4);
    eq_str(drawn(), "^[?25l^[2;2H^[0;93;44m┌─┐^[2;7H^[0;91;41;5;4mx^[0m^[2;3H^[?25h",
           "frames, colours, blinking");
    put(9, "   ", 0xaaaaaa, 0, 0);
    adapter.text.cursor_x = adapter.text.cursor_y = BP_DISPLAY_NO_CURSOR;
    bpt_advance(machine, SECOND / 4);
    eq_str(drawn(), "^[?25l^[2;2H^[0;37;40m   ^[0m^[?25l", "no cursor");
    put(23, "\xfe", 0xfefefe, 0x101010, 0);
    bpt_advance(machine, SECOND / 4);
    eq_str(drawn(), "^[?25l^[3;8H^[0;97;40m■^[0m^[?25l", "the nearest colours");
    terminal.client.event(terminal.client.user, BP_CHAR_BREAK);
    bpt_advance(machine, SECOND / 4);
    ok(strstr(drawn(), "^[2J"), "a break draws everything anew");
    adapter.text.columns = 0;
    adapter_size(640, 480);
    bpt_advance(machine, SECOND);
    eq_str(drawn(), "^[0m^[2J^[HThe guest shows graphics, 640 by 480 pixels.\r\n",
           "a mode without characters");
    adapter.text.columns = 4;
    bpt_advance(machine, SECOND);
    ok(strstr(drawn(), "SeaB"), "characters again");
    eq_int(bpt_quiesce(machine), 0, "the machine stops");
    eq_str(drawn(), "^[0m^[?25h^[3;1H\r\n", "the terminal is left plain, with a cursor");
    ok(bpt_timer(machine, "term") == BP_TIMER_OFF, "and no timer runs");
    stop();
}

static void
test_slow(void)
{
    eq_int(start(""), 0, "start");
    terminal.allow = 10;
    bpt_advance(machine, SECOND / 4);
    eq_int(terminal.out_n, 10, "a terminal that takes little");
    ok(bpt_timer(machine, "term") == BP_TIMER_OFF, "is waited for, and nothing else done");
    put(0, "late", 0xaaaaaa, 0, 0);
    fake_let(&terminal, UINT64_MAX);
    bpt_advance(machine, SECOND / 4);
    ok(strstr(drawn(), "late"), "then it gets what there is by then");
    terminal.up = 0;
    put(0, "gone", 0xaaaaaa, 0, 0);
    bpt_advance(machine, SECOND);
    eq_str(drawn(), "", "nobody there");
    ok(bpt_timer(machine, "term") == BP_TIMER_OFF, "costs nothing");
    terminal.up = 1;
    terminal.client.event(terminal.client.user, BP_CHAR_OPENED);
    bpt_advance(machine, SECOND / 4);
    ok(strstr(drawn(), "gone"), "somebody comes");
    terminal.allow = 0;
    put(0, "x", 0xaaaaaa, 0, 0);
    bpt_advance(machine, SECOND);
    eq_int(bpt_reset(machine), 0, "a reset while it takes nothing");
    stop();
}

/* Types it in pieces as the display takes them. */
static const char *
typed(const char *keys)
{
    size_t n = strlen(keys), at = 0;

    input.n = 0;
    for (int i = 0; i < 100; i++) {
        at += fake_send(&terminal, keys + at, n - at);
        bpt_advance(machine, SECOND / 50);
    }
    bpt_advance(machine, SECOND / 10);
    return input_text();
}

static void
test_keys(void)
{
    char long_text[101];

    eq_int(start(""), 0, "start");
    eq_str(typed("aB"), "+30 -30 +42 +48 -48 -42", "characters");
    eq_str(typed("\r\t\x7f"), "+28 -28 +15 -15 +14 -14", "Enter, Tab, Backspace");
    eq_str(typed("\3"), "+29 +46 -46 -29", "Ctrl-C");
    eq_str(typed("\033"), "+1 -1", "Escape");
    eq_str(typed("\033\033"), "+1 -1 +1 -1", "twice");
    eq_str(typed("\033x"), "+56 +45 -45 -56", "Alt");
    eq_str(typed("\033[A\033[B\033OC\033OD"), "+103 -103 +108 -108 +106 -106 +105 -105", "arrows");
    eq_str(typed("\033[1;5C\033[3;2~"), "+29 +106 -106 -29 +42 +111 -111 -42", "with modifiers");
    eq_str(typed("\033OP\033[[B\033[15~\033[24~"), "+59 -59 +60 -60 +63 -63 +88 -88",
           "function keys of three terminals");
    eq_str(typed("\033[Z\033[H\033[4~"), "+42 +15 -15 -42 +102 -102 +107 -107",
           "Shift-Tab, Home, End");
    eq_str(typed("\033[99;99;99;99;99;99;99;99xq"), "+16 -16", "nonsense is passed over");
    eq_str(typed("\xff\xc3\x28\xe2\x82y"), "", "so is what is no UTF-8");
    eq_str(typed("z"), "+44 -44", "and the next key is one");
    memset(long_text, 'a', 100);
    long_text[100] = 0;
    typed(long_text);
    eq_int(input.n, 200, "a text that is pasted comes whole");
    terminal.ready = 1;
    ok(fake_send(&terminal, long_text, 100) < 100, "but not at once");
    stop();
    eq_int(start(",layout=de"), 0, "a German keyboard");
    eq_str(typed("zö{"), "+21 -21 +39 -39 +100 +8 -8 -100", "has its own places");
    stop();
}

int
main(void)
{
    test_draw();
    test_slow();
    test_keys();
    return done_testing();
}
