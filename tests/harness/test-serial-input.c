/* SPDX-License-Identifier: BSD-3-Clause */
/* test-serial-input.c - input: FIFO, time-outs, interrupts and their order, line conditions. */
#include "test-serial.h"

static void
test_input_without_fifo(void)
{
    begin("chardev=c0");
    eq_int(fake_send(&be, "abc", 3), 1, "RBR takes one byte");
    eq_int(in(LSR), 0x61, "data is ready");
    eq_int(irq(), 0, "no interrupt without IER bit 0");
    out(IER, 0x01);
    eq_int(irq(), 1, "IER bit 0 brings it");
    eq_int(in(IIR), 0x04, "IIR says received data");
    eq_int(irq(), 1, "reading IIR does not clear it");
    eq_int(be.ready, 0, "the back end is not asked for more yet");
    eq_int(in(RBR), 'a', "RBR has the byte");
    eq_int(irq(), 0, "reading RBR clears the interrupt");
    eq_int(be.ready, 1, "... and asks for the next byte");
    eq_int(fake_send(&be, "bc", 2), 1, "which comes");
    eq_int(in(RBR), 'b', "... into RBR");
    eq_int(in(LSR), 0x60, "no data is left");
    eq_int(in(RBR), 0, "an empty RBR reads as 0");
    bpt_advance(m, 1000 * MS);
    eq_int(in(IIR), 0x01, "there is no timeout without FIFOs");
    end("input without FIFO");
}

static void
test_trigger_levels(void)
{
    static const struct {
        uint8_t fcr, level;
    } t[] = {{0x01, 1}, {0x41, 4}, {0x81, 8}, {0xc1, 14}};
    char what[80];
    unsigned i, n;

    for (i = 0; i < 4; i++) {
        begin("chardev=c0");
        out(FCR, t[i].fcr);
        out(IER, 0x01);
        for (n = 0; n < 16 && !irq(); n++)
            fake_send(&be, "x", 1);
        snprintf(what, sizeof what, "FCR 0x%02x interrupts at %u bytes", t[i].fcr, t[i].level);
        eq_int(n, t[i].level, what);
        eq_int(in(IIR), 0xc4, "... as received data");
        in(RBR);
        eq_int(irq(), 0, "... and no more below the level");
        end("trigger level");
    }
}

static void
test_input_fifo(void)
{
    char text[40];
    int i, good = 1;

    begin("chardev=c0");
    out(FCR, 0xc1);
    for (i = 0; i < 40; i++)
        text[i] = (char)('0' + i);
    eq_int(fake_send(&be, text, 40), 16, "the FIFO takes 16 bytes");
    eq_int(be.ready, 0, "and the back end waits");
    for (i = 0; i < 7; i++)
        good &= in(RBR) == text[i];
    eq_int(be.ready, 0, "a few places are not worth a wake-up");
    good &= in(RBR) == text[7];
    eq_int(be.ready, 1, "half the FIFO is");
    eq_int(fake_send(&be, text + 16, 24), 8, "the second burst fills it again");
    for (i = 8; i < 24; i++)
        good &= in(RBR) == text[i];
    ok(good, "the bytes come in order");
    eq_int(in(LSR), 0x60, "an emptied FIFO has no data ready");
    eq_int(be.ready, 1, "and the back end is asked for more");
    i = (int)be.readies;
    fake_send(&be, "abc", 3);
    while (in(LSR)&0x01)
        in(RBR);
    eq_int(be.readies, i, "... once: it was not refused anything since");
    end("input FIFO");
}

static void
test_timeout(void)
{
    /* 115200 baud, 8N1: four characters are 347 us. */
    begin("chardev=c0");
    out(LCR, 0x83);
    out(DLL, 1);
    out(DLM, 0);
    out(LCR, 0x03);
    out(FCR, 0x81);
    out(IER, 0x01);
    fake_send(&be, "ab", 2);
    eq_int(irq(), 0, "two bytes are below the trigger level of 8");
    bpt_advance(m, 340000);
    eq_int(irq(), 0, "no timeout before four character times");
    bpt_advance(m, 10000);
    eq_int(irq(), 1, "a timeout after four character times");
    eq_int(in(IIR), 0xcc, "IIR says character timeout");
    eq_int(irq(), 1, "reading IIR does not clear it");
    eq_int(in(RBR), 'a', "reading RBR");
    eq_int(irq(), 0, "... clears it");
    bpt_advance(m, 340000);
    eq_int(irq(), 0, "and starts the time anew");
    bpt_advance(m, 10000);
    eq_int(irq(), 1, "so that the next byte times out too");
    in(RBR);
    bpt_advance(m, 1000 * MS);
    eq_int(irq(), 0, "an empty FIFO does not time out");

    fake_send(&be, "c", 1);
    bpt_advance(m, 300000);
    fake_send(&be, "d", 1);
    bpt_advance(m, 300000);
    eq_int(irq(), 0, "a new byte starts the time anew");
    bpt_advance(m, 50000);
    eq_int(in(IIR), 0xcc, "and then it comes");
    fake_send(&be, "efghij", 6);
    eq_int(in(IIR), 0xc4, "a FIFO that reaches its level is received data");
    in(RBR);
    eq_int(in(IIR), 0xc1, "the byte that was read took the timeout along");
    out(FCR, 0x83);
    bpt_advance(m, 1000 * MS);
    eq_int(irq(), 0, "a cleared FIFO does not time out");
    fake_send(&be, "x", 1);
    bpt_advance(m, 10 * MS);
    eq_int(irq(), 1, "a timeout");
    out(FCR, 0x83);
    eq_int(irq(), 0, "... goes with the FIFO's content");

    out(IER, 0);
    fake_send(&be, "k", 1);
    bpt_advance(m, 10 * MS);
    eq_int(irq(), 0, "no timeout interrupt without IER bit 0");
    out(IER, 0x01);
    bpt_pump(m);
    eq_int(in(IIR), 0xcc, "a timeout that has passed comes with IER bit 0");
    end("timeout");
}

static void
test_timeout_scale(void)
{
    static const struct {
        uint8_t lcr, dll, dlm;
        int64_t before_ns, after_ns;
        const char *what;
    } t[] = {
        {0x03, 12, 0, 4160000, 4170000, "9600 8N1: 4.17 ms"},
        {0x07, 1, 0, 381000, 383000, "115200 8N2: 11 bits"},
        {0x1f, 1, 0, 416000, 418000, "115200 8E2: 12 bits"},
        {0x00, 1, 0, 242000, 244000, "115200 5N1: 7 bits"},
        {0x03, 0, 1, 88800000, 89000000, "450 baud"},
        {0x03, 0, 0, 347000, 348000, "a divisor of 0 counts as 1"},
    };
    unsigned i;

    for (i = 0; i < sizeof t / sizeof *t; i++) {
        begin("chardev=c0");
        out(LCR, 0x80);
        out(DLL, t[i].dll);
        out(DLM, t[i].dlm);
        out(LCR, t[i].lcr);
        out(FCR, 0x81);
        out(IER, 0x01);
        fake_send(&be, "a", 1);
        bpt_advance(m, t[i].before_ns);
        ok(!irq(), "timeout at %s: not too early", t[i].what);
        bpt_advance(m, t[i].after_ns - t[i].before_ns);
        ok(irq(), "timeout at %s: not too late", t[i].what);
        end("timeout scale");
    }
}

static void
test_priorities(void)
{
    begin("chardev=c0");
    out(FCR, 0x81);
    be.client.event(be.client.user, BP_CHAR_BREAK);
    fake_send(&be, "1234567", 7);
    be.up = 0;
    be.client.event(be.client.user, BP_CHAR_CLOSED);
    out(IER, 0x0f);
    eq_int(in(IIR), 0xc6, "all at once: line status comes first");
    eq_int(in(IIR), 0xc6, "... until LSR is read");
    eq_int(in(LSR)&0x1f, 0x19, "LSR has the break");
    eq_int(in(IIR), 0xc4, "then received data");
    in(RBR);
    eq_int(in(IIR), 0xc2, "then THRE");
    eq_int(in(IIR), 0xc0, "then modem status");
    eq_int(irq(), 1, "which stays");
    eq_int(in(MSR), 0x0b, "until MSR is read");
    eq_int(in(IIR), 0xc1, "then nothing");
    eq_int(irq(), 0, "and the line is low");
    out(IER, 0);
    out(IER, 0x0f);
    bpt_advance(m, MS);
    eq_int(in(IIR), 0xcc, "a timeout comes before THRE");
    in(RBR);
    eq_int(in(IIR), 0xc2, "... which waits meanwhile");
    end("priorities");
}

static void
test_enables(void)
{
    begin("chardev=c0");
    be.client.event(be.client.user, BP_CHAR_BREAK);
    out(IER, 0x0b);
    in(IIR);
    in(IIR);
    ok((in(IIR)&0x0f) != 0x06, "no line status interrupt without IER bit 2");
    out(IER, 0x04);
    eq_int(in(IIR), 0x06, "with it there is");
    in(LSR);
    eq_int(irq(), 0, "LSR clears it");
    be.up = 0;
    be.client.event(be.client.user, BP_CHAR_CLOSED);
    eq_int(irq(), 0, "no modem interrupt without IER bit 3");
    out(IER, 0x08);
    eq_int(irq(), 1, "with it there is");
    out(IER, 0x00);
    eq_int(irq(), 0, "IER 0 takes the line down");
    out(IER, 0x08);
    eq_int(irq(), 1, "a delta that was not read is still there");
    end("interrupt enables");
}

static void
test_break_in(void)
{
    begin("chardev=c0");
    out(FCR, 0xc1);
    fake_send(&be, "ab", 2);
    be.client.event(be.client.user, BP_CHAR_BREAK);
    fake_send(&be, "c", 1);
    eq_int(in(LSR), 0xe1, "a break inside the FIFO shows in LSR bit 7 only");
    eq_int(in(RBR), 'a', "the bytes before it come first");
    eq_int(in(RBR), 'b', "... all of them");
    eq_int(in(LSR), 0xf9, "then LSR has break and framing error");
    eq_int(in(LSR), 0x61, "which are cleared by reading it");
    eq_int(in(RBR), 0, "the break is a character of 0");
    eq_int(in(RBR), 'c', "the bytes after it follow");
    fake_send(&be, "0123456789abcdef", 16);
    be.client.event(be.client.user, BP_CHAR_BREAK);
    eq_int(in(LSR), 0x61, "a break that finds the FIFO full");
    in(RBR);
    eq_int(in(LSR), 0xe1, "... comes when there is room");
    out(FCR, 0xc3);
    eq_int(in(LSR), 0x60, "clearing the FIFO clears it too");
    be.client.event(be.client.user, BP_CHAR_BREAK);
    in(RBR);
    eq_int(in(LSR)&0x18, 0x18, "an error whose character was read stays until LSR is read");
    end("break from outside");
}

static void
test_break_out(void)
{
    begin("chardev=c0");
    out(THR, 'a');
    out(LCR, 0x43);
    ok(be.break_on && be.breaks == 1, "LCR bit 6 sends a break");
    eq_int(be.out_n, 1, "after what was written before");
    out(LCR, 0x03);
    ok(!be.break_on && be.breaks == 2, "and ends it");
    fake_let(&be, 0);
    out(THR, 'b');
    flush();
    out(LCR, 0x43);
    eq_int(be.break_on, 0, "a break waits behind bytes that cannot go");
    fake_let(&be, UINT64_MAX);
    eq_int(be.break_on, 1, "... and follows them");
    out(MCR, 0x10);
    eq_int(be.break_on, 0, "loopback keeps the break off the line");
    end("break to outside");
}

static void
test_overrun(void)
{
    int i;

    begin("chardev=c0");
    out(MCR, 0x10);
    out(LCR, 0x03);
    out(THR, 'a');
    out(THR, 'b');
    eq_int(in(LSR), 0x63, "a second byte on a full RBR is an overrun");
    eq_int(in(LSR), 0x61, "LSR bit 1 is cleared by reading");
    eq_int(in(RBR), 'b', "RBR was overwritten");
    out(FCR, 0x01);
    for (i = 0; i < 17; i++)
        out(THR, (uint32_t)('a' + i));
    out(IER, 0x04);
    eq_int(in(IIR), 0xc6, "an overrun of the FIFO interrupts");
    eq_int(in(LSR), 0x63, "LSR bit 1 is set at once, bit 7 is not");
    for (i = 0; i < 16 && in(RBR) == 'a' + i; i++)
        ;
    eq_int(i, 16, "the FIFO keeps what it had");
    eq_int(in(LSR), 0x60, "and the byte too many is gone");
    out(MCR, 0);
    be.client.event(be.client.user, BP_CHAR_BREAK);
    out(MCR, 0x10);
    for (i = 0; i < 16; i++)
        out(THR, 'x');
    eq_int(in(LSR), 0xfb, "an overrun does not hide a break");
    end("overrun");
}

static void
test_loopback(void)
{
    static const uint8_t map[][2] = {{0x01, 0x20}, {0x02, 0x10}, {0x04, 0x40}, {0x08, 0x80}};
    static const uint8_t mask[] = {0x1f, 0x3f, 0x7f, 0xff};
    char what[80];
    unsigned i;

    begin("chardev=c0");
    out(MCR, 0x10);
    eq_int(in(MSR), 0x0b, "loopback takes the lines down, and MSR notes the changes");
    for (i = 0; i < 4; i++) {
        out(MCR, 0x10 | map[i][0]);
        snprintf(what, sizeof what, "loopback: MCR 0x%02x gives MSR 0x%02x", map[i][0], map[i][1]);
        eq_int(in(MSR)&0xf0, map[i][1], what);
    }
    out(MCR, 0x1f);
    eq_int(in(MSR)&0xf0, 0xf0, "loopback: all four at once");
    out(MCR, 0x14);
    in(MSR);
    out(MCR, 0x10);
    eq_int(in(MSR), 0x04, "the end of a ring sets TERI");
    out(MCR, 0x14);
    eq_int(in(MSR), 0x40, "its begin does not");
    out(IER, 0x08);
    out(MCR, 0x16);
    eq_int(in(IIR), 0x00, "loopback: modem changes interrupt");
    in(MSR);
    eq_int(irq(), 0, "... until MSR is read");

    for (i = 0; i < 4; i++) {
        out(LCR, i);
        out(THR, 0xff);
        snprintf(what, sizeof what, "loopback: %u data bits", 5 + i);
        eq_int(in(RBR), mask[i], what);
    }
    out(IER, 0x01);
    out(THR, 'x');
    eq_int(in(IIR), 0x04, "loopback: received data interrupts");
    eq_int(fake_send(&be, "z", 1), 0, "loopback: nothing comes from outside");
    in(RBR);
    eq_int(be.ready, 0, "... nor is it asked for");
    flush();
    eq_int(be.out_n, 0, "loopback: nothing goes outside");
    out(MCR, 0);
    in(RBR);
    fake_let(&be, 0);
    out(THR, 'p');
    flush();
    out(THR, 'q');
    out(MCR, 0x10);
    eq_int(in(LSR), 0x61, "loopback: what was still in the transmitter comes back");
    eq_int(in(RBR), 'q', "... and not what had left");
    fake_let(&be, UINT64_MAX);
    out(MCR, 0);
    eq_int(be.ready, 1, "after loopback input is asked for again");
    eq_int(in(MSR)&0xf0, 0xb0, "after loopback the lines are those outside");
    end("loopback");
}

static void
test_fifo_control(void)
{
    begin("chardev=c0");
    out(FCR, 0x01);
    eq_int(in(IIR), 0xc1, "FCR bit 0 shows in IIR");
    fake_send(&be, "abc", 3);
    out(FCR, 0x41);
    eq_int(in(LSR), 0x61, "a new trigger level alone empties nothing");
    out(FCR, 0x03);
    eq_int(in(LSR), 0x60, "FCR bit 1 empties the receiver");
    fake_let(&be, 0);
    out(THR, 'a');
    flush();
    out(THR, 'b');
    out(IER, 0x02);
    eq_int(irq(), 0, "a transmitter that is not empty");
    out(FCR, 0x41);
    eq_int(in(LSR), 0x00, "... is not emptied by a new trigger level");
    out(FCR, 0x05);
    eq_int(in(LSR), 0x60, "FCR bit 2 empties the transmitter");
    eq_int(irq(), 1, "... which interrupts");
    fake_let(&be, UINT64_MAX);
    ok(be.out_n == 1 && be.out[0] == 'a', "what had left it still goes out, the rest does not");
    fake_send(&be, "abc", 3);
    out(FCR, 0x00);
    eq_int(in(LSR), 0x60, "FIFOs switched off are emptied");
    eq_int(in(IIR)&0xc0, 0, "and IIR says they are off");
    fake_send(&be, "a", 1);
    out(FCR, 0x01);
    eq_int(in(LSR), 0x60, "FIFOs switched on are emptied too");
    out(FCR, 0xc1);
    out(FCR, 0xc0);
    out(FCR, 0x01);
    out(IER, 0x01);
    fake_send(&be, "a", 1);
    eq_int(in(IIR), 0xc4, "the trigger level is only programmed together with bit 0");
    fake_send(&be, "bcd", 3);
    out(FCR, 0x02);
    out(FCR, 0x01);
    eq_int(in(LSR), 0x60, "bit 0 off clears whatever the other bits say");
    end("FIFO control");
}

int
main(void)
{
    test_input_without_fifo();
    test_trigger_levels();
    test_input_fifo();
    test_timeout();
    test_timeout_scale();
    test_priorities();
    test_enables();
    test_break_in();
    test_break_out();
    test_overrun();
    test_loopback();
    test_fifo_control();
    return done_testing();
}
