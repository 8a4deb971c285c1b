/* SPDX-License-Identifier: BSD-3-Clause */
/* test-serial.c - every register of the serial port against the PC16550D data sheet. */
#include "fake-char.h"
#include "tap.h"

#define BASE 0x3f8
enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = 0, FCR = 2, DLL = 0, DLM = 1 };
#define MS 1000000

static struct bpt_machine *m;
static struct fake_char be;

static uint8_t
in(uint32_t reg)
{
    return (uint8_t)bpt_in(m, (uint16_t)(BASE + reg), 1);
}

static void
out(uint32_t reg, uint32_t val)
{
    bpt_out(m, (uint16_t)(BASE + reg), 1, val);
}

static int
irq(void)
{
    return bpt_gsi(m, 4);
}

/* A machine with a port whose back end takes everything, running. */
static void
begin(const char *props)
{
    memset(&be, 0, sizeof be);
    be.allow = UINT64_MAX;
    be.up = 1;
    m = bpt_new(1 << 20, 0);
    bpt_provide(m, "c0", BP_IF_CHAR, &fake_char_if, &be);
    if (bpt_load(m, "serial", "com1", props) || bpt_realize_all(m) || bpt_start(m)) {
        printf("Bail out! %s\n", bpt_error(m));
        exit(1);
    }
}

static void
end(const char *what)
{
    int problems = bpt_free(m);

    ok(!problems && !be.faults, "%s: no rule of the SDK was broken", what);
}

static void
flush(void)
{
    bpt_advance(m, MS);
    bpt_pump(m);
}

static void
test_reset_values(void)
{
    begin("chardev=c0");
    eq_int(in(IER), 0, "after reset IER is 0");
    eq_int(in(IIR), 0x01, "after reset IIR says no interrupt, no FIFOs");
    eq_int(in(LCR), 0, "after reset LCR is 0");
    eq_int(in(MCR), 0, "after reset MCR is 0");
    eq_int(in(LSR), 0x60, "after reset LSR says transmitter empty");
    eq_int(in(MSR), 0xb0, "after reset MSR has the lines of somebody connected and no delta");
    eq_int(in(SCR), 0, "after reset SCR is 0");
    eq_int(irq(), 0, "after reset the interrupt line is low");
    end("reset values");
}

static void
test_plain_registers(void)
{
    begin("chardev=c0");
    out(SCR, 0xa5);
    eq_int(in(SCR), 0xa5, "SCR keeps what is written");
    out(IER, 0xff);
    eq_int(in(IER), 0x0f, "IER has four bits");
    out(MCR, 0xef);
    eq_int(in(MCR), 0x0f, "MCR has five bits");
    out(MCR, 0);
    out(LCR, 0x9b);
    eq_int(in(LCR), 0x9b, "LCR keeps all eight bits");
    out(DLL, 0x34);
    out(DLM, 0x12);
    eq_int(in(DLL) | in(DLM) << 8, 0x1234, "DLAB shows the divisor latch");
    eq_int(in(SCR), 0xa5, "DLAB leaves the other registers where they are");
    out(LCR, 0x03);
    eq_int(in(IER), 0x0f, "without DLAB offset 1 is IER again");
    eq_int(in(LSR), 0x60, "a divisor written under DLAB transmits nothing");
    flush();
    eq_int(be.out_n, 0, "... and nothing came out");
    out(LSR, 0xff);
    eq_int(in(LSR), 0x60, "writes to LSR are ignored");
    out(MSR, 0x0f);
    eq_int(in(MSR), 0xb0, "writes to MSR are ignored");
    end("plain registers");
}

static void
test_wide_accesses(void)
{
    begin("chardev=c0");
    out(LCR, 0x80);
    bpt_out(m, BASE, 2, 0xbeef);
    eq_int(bpt_in(m, BASE, 2), 0xbeef, "a word reaches two registers");
    bpt_out(m, BASE + 4, 4, 0x5a00000b);
    eq_int(in(MCR), 0x0b, "a double word reaches MCR");
    eq_int(in(SCR), 0x5a, "... and SCR");
    out(LCR, 0x03);
    eq_int(bpt_in(m, BASE + 3, 2), 0x0b03, "a word may be misaligned");
    end("wide accesses");
}

static void
test_output(void)
{
    const char text[] = "Hello, world\r\n";
    unsigned i;

    begin("chardev=c0");
    for (i = 0; text[i]; i++) {
        if (in(LSR) != 0x60)
            break;
        out(THR, (uint8_t)text[i]);
    }
    eq_int(text[i], 0, "polled output finds the transmitter empty for each byte");
    eq_int(be.out_n, 1, "the first byte comes out at once");
    flush();
    ok(be.out_n == i && memcmp(be.out, text, i) == 0, "all of it comes out in order");
    eq_int(be.writes, 2, "the rest of a burst is one write");
    out(THR, 'x');
    eq_int(be.out_n, i, "a byte right after a burst is part of it");
    flush();
    flush();
    out(THR, 'y');
    eq_int(be.out_n, i + 2, "after a pause one comes out at once");
    end("output");
}

static void
test_output_without_fifo(void)
{
    begin("chardev=c0");
    fake_let(&be, 0);
    out(THR, 'a');
    flush();
    out(THR, 'b');
    eq_int(in(LSR), 0x00, "THR is full while the back end takes nothing");
    out(THR, 'c');
    fake_let(&be, UINT64_MAX);
    eq_int(in(LSR), 0x60, "it is empty when the back end takes bytes again");
    ok(be.out_n == 2 && memcmp(be.out, "ac", 2) == 0, "a THR written while full is overwritten");
    end("output without FIFO");
}

static void
test_back_pressure(void)
{
    char want[17];
    int i;

    begin("chardev=c0");
    out(FCR, 0x01);
    out(IER, 0x02);
    eq_int(in(IIR), 0xc2, "THRE interrupts when switched on");
    fake_let(&be, 0);
    out(THR, '0');
    flush();
    eq_int(in(IIR), 0xc2, "the byte has left for the line");
    for (i = 0; i < 16; i++)
        out(THR, (uint32_t)('a' + i));
    eq_int(in(LSR)&0x60, 0, "the FIFO is not empty while the back end takes nothing");
    eq_int(irq(), 0, "... and nothing interrupts");
    out(THR, '!');
    bpt_advance(m, 1000 * MS);
    eq_int(in(LSR)&0x60, 0, "... however long it takes");
    fake_let(&be, 4);
    eq_int(in(LSR)&0x60, 0x60, "a line that takes some bytes empties the FIFO");
    eq_int(irq(), 1, "... and that interrupts");
    fake_let(&be, UINT64_MAX);
    want[0] = '0';
    for (i = 0; i < 16; i++)
        want[i + 1] = (char)('a' + i);
    ok(be.out_n == 17 && memcmp(be.out, want, 17) == 0,
       "a full FIFO ignores a write; the rest comes out once and in order");
    end("back-pressure");
}

static void
test_wire_limit(void)
{
    unsigned i;

    begin("chardev=c0");
    for (i = 0; i < 20000; i++)
        out(THR, i & 0xff);
    ok(be.out_n >= 16000, "a long burst is written before the timer comes");
    ok(be.writes < 10, "... in large pieces");
    flush();
    eq_int(be.out_n, 20000, "and the rest with the timer");
    for (i = 0; i < be.out_n && be.out[i] == (i & 0xff); i++)
        ;
    eq_int(i, 20000, "no byte is lost or out of place");
    end("long burst");
}

static void
test_flush_time(void)
{
    int i;

    begin("chardev=c0");
    for (i = 0; i < 10; i++) {
        out(THR, 'x');
        bpt_advance(m, MS / 5);
    }
    ok(be.out_n >= 5, "bytes that keep coming do not put off the first");
    ok(be.writes < 10, "... and are still collected");
    flush();
    eq_int(be.out_n, 10, "all of them come out");
    end("flush time");
}

static void
test_stuck_line(void)
{
    int i;

    begin("chardev=c0");
    out(FCR, 0x01);
    for (i = 0; i < 100; i++)
        out(THR, (uint32_t)i);
    fake_let(&be, 10);
    flush();
    for (; i < 110; i++)
        out(THR, (uint32_t)i);
    eq_int(in(LSR)&0x20, 0, "a line that is stuck leaves bytes in the FIFO");
    fake_let(&be, 5);
    eq_int(be.out_n, 16, "it may take a few more");
    eq_int(in(LSR)&0x20, 0, "... and still be stuck");
    fake_let(&be, 85);
    eq_int(in(LSR)&0x20, 0x20, "when it has taken what was sent before, the FIFO is next");
    fake_let(&be, UINT64_MAX);
    for (; i < 5000; i++)
        out(THR, (uint32_t)i);
    flush();
    for (i = 0; i < (int)be.out_n && be.out[i] == (i & 0xff); i++)
        ;
    eq_int(i, 5000, "no byte is lost or out of place");
    end("stuck line");
}

static void
test_thre_interrupt(void)
{
    begin("chardev=c0");
    out(IER, 0x02);
    eq_int(irq(), 1, "IER bit 1 set over an empty transmitter interrupts");
    eq_int(in(IIR), 0x02, "IIR names it");
    eq_int(irq(), 0, "reading IIR clears it");
    eq_int(in(IIR), 0x01, "... and it stays cleared");
    out(IER, 0x02);
    eq_int(irq(), 0, "writing IER bit 1 again is no new edge");
    out(IER, 0x00);
    out(IER, 0x02);
    eq_int(irq(), 1, "IER bit 1 going from 0 to 1 raises it again");
    out(IER, 0x00);
    eq_int(irq(), 0, "IER bit 1 off takes the line down");
    eq_int(in(IIR), 0x01, "... and IIR does not name it");
    out(IER, 0x02);
    in(IIR);
    fake_let(&be, 0);
    out(THR, 'a');
    flush();
    in(IIR);
    out(THR, 'b');
    eq_int(irq(), 0, "no interrupt while THR is full");
    fake_let(&be, UINT64_MAX);
    eq_int(irq(), 1, "THRE interrupts when the line has taken the byte");
    fake_let(&be, 0);
    out(THR, 'c');
    flush();
    out(THR, 'd');
    eq_int(irq(), 0, "writing THR clears the interrupt");
    in(LSR);
    in(MSR);
    in(RBR);
    fake_let(&be, UINT64_MAX);
    in(LSR);
    eq_int(irq(), 1, "reading LSR does not clear THRE");
    end("THRE interrupt");
}

static void
test_linux_probe(void)
{
    uint8_t iir1, iir2;

    begin("chardev=c0");
    out(IER, 0);
    ok((in(IER)&0x0f) == 0, "probe: IER reads back 0");
    out(IER, 0x0f);
    ok((in(IER)&0x0f) == 0x0f, "probe: IER reads back 0x0f");
    out(IER, 0);
    out(MCR, 0x1a);
    eq_int(in(MSR)&0xf0, 0x90, "probe: loopback of RTS and OUT2 gives CTS and DCD");
    out(MCR, 0);
    out(LCR, 0xbf);
    out(FCR, 0);
    out(LCR, 0);
    out(FCR, 0x01);
    eq_int(in(IIR) >> 6, 3, "probe: a 16550A has FIFOs");
    out(LCR, 0x80);
    ok(in(2) != 0, "probe: no EFR under DLAB");
    out(LCR, 0xbf);
    ok(in(2) != 0, "probe: no EFR under 0xbf");
    out(LCR, 0);
    out(FCR, 0x21);
    eq_int(in(IIR) >> 5, 6, "probe: no 64-byte FIFO");
    out(IER, 0x40);
    eq_int(in(IER), 0, "probe: no XScale UART");
    in(LSR);
    out(IER, 0x02);
    iir1 = in(IIR);
    out(IER, 0);
    out(IER, 0x02);
    iir2 = in(IIR);
    out(IER, 0);
    ok(!(iir1 & 1) && !(iir2 & 1), "probe: THRE interrupts each time it is enabled");
    end("Linux probe");
}

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

static void
test_modem_lines(void)
{
    begin("chardev=c0");
    out(IER, 0x08);
    be.up = 0;
    be.client.event(be.client.user, BP_CHAR_CLOSED);
    eq_int(irq(), 1, "a peer that leaves interrupts");
    eq_int(in(MSR), 0x0b, "DCD, DSR and CTS fall");
    eq_int(in(MSR), 0x00, "reading MSR clears the deltas");
    eq_int(irq(), 0, "... and the interrupt");
    be.client.event(be.client.user, BP_CHAR_CLOSED);
    eq_int(irq(), 0, "no change is no interrupt");
    be.up = 1;
    be.client.event(be.client.user, BP_CHAR_OPENED);
    eq_int(in(MSR), 0xbb, "a peer that comes raises them");
    end("modem lines");
}

static void
test_not_connected(void)
{
    int i;

    begin("");
    eq_int(in(MSR), 0, "without a back end no line is up");
    for (i = 0; i < 10000; i++)
        out(THR, 'x');
    eq_int(in(LSR), 0x60, "output to nowhere never waits");
    out(IER, 0x02);
    eq_int(in(IIR), 0x02, "... and interrupts as usual");
    eq_int(bpt_quiesce(m), 0, "such a port stops at once");
    eq_int(bpt_start(m), 0, "and starts again");
    end("no back end");
}

static void
test_two_ports(void)
{
    m = bpt_new(1 << 20, 0);
    memset(&be, 0, sizeof be);
    be.allow = UINT64_MAX;
    bpt_provide(m, "c0", BP_IF_CHAR, &fake_char_if, &be);
    bpt_load(m, "serial", "com1", "port=0x3f8,irq=4");
    bpt_load(m, "serial", "com3", "port=0x3e8,irq=4,chardev=c0");
    ok(!bpt_realize_all(m) && !bpt_start(m), "two ports may share an interrupt");
    bpt_out(m, 0x3f9, 1, 0x02);
    bpt_out(m, 0x3e9, 1, 0x02);
    bpt_in(m, 0x3fa, 1);
    eq_int(bpt_gsi(m, 4), 1, "the line is up while one of them wants it");
    bpt_in(m, 0x3ea, 1);
    eq_int(bpt_gsi(m, 4), 0, "and down when none does");
    ok(!bpt_free(m), "two ports: no rule of the SDK was broken");
}

static void
test_refusals(void)
{
    m = bpt_new(1 << 20, 0);
    ok(bpt_load(m, "serial", "a", "port=0xfff9") != 0, "ports beyond 0xffff are refused");
    ok(strstr(bpt_error(m), "0xfff9") != NULL, "... with a text that says so");
    ok(!bpt_load(m, "serial", "b", "port=0xfff8"), "the last eight ports are not");
    ok(bpt_load(m, "serial", "c", "port=0x10000") != 0, "nor is a port that does not exist");
    ok(!bpt_load(m, "serial", "d", "port=0xfff0,irq=5") && bpt_realize_all(m) == 0,
       "neighbours get along");
    ok(!bpt_load(m, "serial", "e", "port=0xfff4,irq=6") && bpt_realize(m, "e") == BP_E_BUSY,
       "overlapping ports are refused");
    bpt_free(m);

    m = bpt_new(1 << 20, 0);
    memset(&be, 0, sizeof be);
    bpt_provide(m, "c0", BP_IF_CHAR, &fake_char_if, &be);
    bpt_load(m, "serial", "com1", "chardev=c0");
    bpt_load(m, "serial", "com2", "port=0x2f8,irq=3,chardev=c0");
    eq_int(bpt_realize_all(m), BP_E_BUSY, "one back end serves one device");
    ok(strstr(bpt_error(m), "'c0' already") != NULL, "... and the text names it");
    bpt_free(m);
    ok(!be.client.receive, "a device that goes detaches");
}

static void
test_hidden_services(void)
{
    static const char *const iface[] = {BP_IF_IO, BP_IF_IRQ, BP_IF_EVENT};
    unsigned i;

    for (i = 0; i < 3; i++) {
        m = bpt_new(1 << 20, 0);
        bpt_hide(m, iface[i]);
        ok(!bpt_load(m, "serial", "com1", "") && bpt_realize_all(m) == BP_E_NOTSUP,
           "a host without %s is refused", iface[i]);
        bpt_free(m);
    }
}

static struct {
    char name[5], hid[8];
    uint64_t uid, port, gsi;
    unsigned n;
} node;

static int
acpi_device(void *self, const struct bp_acpi_device *dev)
{
    uint32_t i;

    (void)self;
    node.n++;
    node.uid = dev->uid;
    snprintf(node.name, sizeof node.name, "%s", dev->name);
    snprintf(node.hid, sizeof node.hid, "%s", dev->hid);
    for (i = 0; i < dev->n_res; i++) {
        if (dev->res[i].kind == BP_ACPI_IO && dev->res[i].len == 8)
            node.port = dev->res[i].base;
        if (dev->res[i].kind == BP_ACPI_IRQ)
            node.gsi = dev->res[i].base;
    }
    return 0;
}

static void
test_acpi(void)
{
    static const struct bp_acpi_if acpi = {.size = sizeof acpi, .device = acpi_device};
    static const struct {
        const char *props, *name;
        uint64_t uid, port, gsi;
    } t[] = {
        {"port=0x3f8,irq=4", "COM1", 1, 0x3f8, 4},      {"port=0x2f8,irq=3", "COM2", 2, 0x2f8, 3},
        {"port=0x3e8,irq=4", "COM3", 3, 0x3e8, 4},      {"port=0x2e8,irq=3", "COM4", 4, 0x2e8, 3},
        {"port=0x1000,irq=9", "UR", 0x1000, 0x1000, 9},
    };
    unsigned i;

    for (i = 0; i < sizeof t / sizeof *t; i++) {
        memset(&node, 0, sizeof node);
        m = bpt_new(1 << 20, 0);
        bpt_provide(m, "acpi", BP_IF_ACPI, &acpi, NULL);
        bpt_load(m, "serial", "com", t[i].props);
        bpt_realize_all(m);
        ok(node.n == 1 && !strcmp(node.hid, "PNP0501") && !strcmp(node.name, t[i].name) &&
               node.uid == t[i].uid && node.port == t[i].port && node.gsi == t[i].gsi,
           "ACPI: %s is PNP0501 %s with its port and interrupt", t[i].props, t[i].name);
        bpt_free(m);
    }
}

static void
test_quiesce(void)
{
    int i;

    begin("chardev=c0");
    for (i = 0; i < 100; i++)
        out(THR, 'x');
    eq_int(bpt_quiesce(m), 0, "stopping");
    eq_int(be.out_n, 100, "... hands on what was written");
    be.ready = 1;
    eq_int(fake_send(&be, "a", 1), 0, "a stopped port takes no input");
    eq_int(bpt_start(m), 0, "starting again");
    eq_int(be.ready, 1, "asks for input");
    eq_int(fake_send(&be, "a", 1), 1, "... and takes it");
    eq_int(in(RBR), 'a', "and gives it to the guest");
    be.up = 0;
    bpt_quiesce(m);
    be.client.event(be.client.user, BP_CHAR_CLOSED);
    bpt_start(m);
    eq_int(in(MSR), 0x0b, "what happened to the lines meanwhile is noticed");
    out(THR, 'y');
    end("quiesce");
    ok(be.out_n == 101 && be.out[100] == 'y', "the end of the machine hands on the last byte");
}

static void
test_stuck_at_stop(void)
{
    int i;

    begin("chardev=c0");
    bpt_clock_runs(m);
    fake_let(&be, 10);
    for (i = 0; i < 100; i++)
        out(THR, (uint32_t)i);
    eq_int(bpt_quiesce(m), 0, "a back end that takes nothing does not hold up a stop for ever");
    eq_int(bpt_start(m), 0, "... the machine goes on");
    fake_let(&be, UINT64_MAX);
    for (i = 0; i < (int)be.out_n && be.out[i] == i; i++)
        ;
    eq_int(i, 100, "... and nothing was lost");
    end("stuck at stop");
}

static void
test_machine_reset(void)
{
    int i;

    begin("chardev=c0");
    out(LCR, 0x80);
    out(DLL, 12);
    out(LCR, 0x1b);
    out(FCR, 0xc1);
    out(MCR, 0x0b);
    out(SCR, 0x77);
    out(IER, 0x0f);
    fake_send(&be, "abc", 3);
    bpt_advance(m, 100 * MS);
    for (i = 0; i < 5; i++)
        out(THR, 'x');
    fake_send(&be, "defghijklmnop", 13);
    be.client.event(be.client.user, BP_CHAR_BREAK);
    be.up = 0;
    eq_int(irq(), 1, "a busy port");
    eq_int(bpt_reset(m), 0, "is reset");
    eq_int(irq(), 0, "its line is low");
    eq_int(in(IER) | in(MCR) | in(SCR) | in(LCR), 0, "its registers are 0");
    eq_int(in(LSR), 0x60, "its FIFOs are empty");
    eq_int(in(IIR), 0x01, "and off");
    eq_int(in(MSR), 0, "there are no deltas");
    out(LCR, 0x80);
    eq_int(in(DLL) | in(DLM) << 8, 1, "the divisor is 1");
    out(LCR, 0x00);
    out(IER, 0x01);
    eq_int(irq(), 0, "the timeout is gone");
    out(IER, 0x00);
    eq_int(be.out_n, 5, "what was written before came out");
    out(THR, 'y');
    flush();
    eq_int(be.out_n, 6, "and it works");
    eq_int(be.ready, 1, "both ways");
    end("machine reset");
}

static void
test_state(void)
{
    static const struct {
        const char *key;
        uint64_t good, bad;
    } value[] = {
        {"ier", 0x0d, 0x10},     {"fcr", 0xc9, 0xcb},       {"fcr", 0xc1, 0xc0},
        {"lcr", 0x5b, 0x100},    {"mcr", 0x0b, 0x20},       {"scr", 0xa5, 0x1a5},
        {"errors", 0x1a, 0x01},  {"divisor", 384, 0x10000}, {"msr", 0x9b, 0x100},
        {"pins", 0x90, 0x9f},    {"thre-pending", 1, 2},    {"timeout", 1, 2},
        {"pins", 0xb0, 0x100b0},
    };
    struct bpt_state *a = NULL, *b = NULL;
    uint64_t v;
    int i;

    begin("chardev=c0");
    out(LCR, 0x83);
    out(DLL, 0x0c);
    out(LCR, 0x03);
    out(FCR, 0x81);
    out(MCR, 0x0b);
    out(SCR, 0x42);
    out(IER, 0x0f);
    fake_send(&be, "abc", 3);
    be.client.event(be.client.user, BP_CHAR_BREAK);
    bpt_advance(m, 100 * MS);
    eq_int(in(IIR), 0xcc, "a port with something in most corners");
    eq_int(bpt_state_roundtrip(m, "com1"), 0, "save, reset, load, save gives the same");
    eq_int(in(IIR), 0xcc, "the timeout is still pending");
    eq_int(in(SCR), 0x42, "registers are as before");
    eq_int(in(LSR), 0xe1, "so is LSR");
    ok(in(RBR) == 'a' && in(RBR) == 'b' && in(RBR) == 'c', "so is the receiver");
    eq_int(in(LSR)&0x18, 0x18, "with the break in it");

    bpt_quiesce(m);
    ok(!bpt_save(m, "com1", &a), "a state");
    bpt_state_put_blob(a, "line", "sent", "0123", 4);
    bpt_state_put_blob(a, "uart", "tx", "456789", 6);
    ok(!bpt_restore(m, "com1", a) && !bpt_save(m, "com1", &b) && bpt_state_equal(a, b),
       "with output that waits is taken over");
    bpt_start(m);
    flush();
    ok(be.out_n == 10 && !memcmp(be.out, "0123456789", 10), "and all of it comes out");
    bpt_state_put_blob(a, "uart", "tx", "", 0);
    bpt_quiesce(m);
    bpt_restore(m, "com1", a);
    bpt_start(m);
    eq_int(be.out_n, 14, "also when only the line has some");
    bpt_quiesce(m);
    bpt_restore(m, "com1", a);
    be.out_n = 0;
    bpt_state_free(a);
    bpt_state_free(b);
    end("state");
    eq_int(be.out_n, 4, "and when the machine does not run again");

    begin("chardev=c0");
    bpt_quiesce(m);
    bpt_save(m, "com1", &a);
    for (i = 0; i < (int)(sizeof value / sizeof *value); i++)
        bpt_state_put(a, "uart", value[i].key, value[i].good);
    bpt_state_put_blob(a, "uart", "rx", "0123456789abcdef", 16);
    bpt_state_put_blob(a, "uart", "rx-errors", "\0\4\x18\0\0\0\0\0\0\0\0\0\0\0\0\10", 16);
    bpt_state_put(a, "line", "break-in", 1);
    bpt_state_put(a, "line", "break-out", 1);
    ok(!bpt_restore(m, "com1", a) && !bpt_save(m, "com1", &b) && bpt_state_equal(a, b),
       "every value is taken over");
    bpt_state_free(b);
    for (i = 0; i < (int)(sizeof value / sizeof *value); i++) {
        bpt_state_put(a, "uart", value[i].key, value[i].bad);
        ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "%s = 0x%llx is refused", value[i].key,
           (unsigned long long)value[i].bad);
        bpt_state_put(a, "uart", value[i].key, value[i].good);
    }
    bpt_state_put_blob(a, "uart", "rx", "abc", 3);
    bpt_state_put_blob(a, "uart", "rx-errors", "\0\4", 2);
    ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "error flags of another number are refused");
    bpt_state_put_blob(a, "uart", "rx-errors", "\0\4\1", 3);
    ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "error flags that are none are refused");
    bpt_state_put_blob(a, "uart", "rx-errors", "", 0);
    bpt_state_put_blob(a, "uart", "rx", "", 0);
    ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "a timeout of nothing is refused");
    bpt_state_put(a, "uart", "timeout", 0);
    bpt_state_put(a, "uart", "fcr", 0);
    ok(bpt_restore(m, "com1", a) == 0, "a port without FIFOs");
    bpt_state_put_blob(a, "uart", "tx", "ab", 2);
    ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "... has room for one byte to send");
    bpt_state_put_blob(a, "uart", "tx", "a", 1);
    bpt_state_put_blob(a, "uart", "rx", "ab", 2);
    bpt_state_put_blob(a, "uart", "rx-errors", "\0\0", 2);
    ok(bpt_restore(m, "com1", a) == BP_E_INVAL, "... and for one received");
    bpt_state_free(a);
    a = b = NULL;
    be.allow = UINT64_MAX;
    bpt_start(m);
    flush();

    bpt_quiesce(m);
    ok(!bpt_save(m, "com1", &a) && !bpt_save(m, "com1", &b) && bpt_state_equal(a, b),
       "saving twice gives the same");
    for (i = 0; i < 300; i++) {
        static const char *const key[] = {"ier",    "fcr",  "lcr",          "mcr",    "scr",
                                          "errors", "pins", "thre-pending", "timeout"};

        bpt_state_put(b, "uart", key[i % 9], (uint64_t)i << (i % 40));
        if (bpt_restore(m, "com1", b) == 0)
            in(LSR);
    }
    bpt_state_put_blob(b, "uart", "rx", "0123456789abcdefX", 17);
    ok(bpt_restore(m, "com1", b) != 0, "a FIFO of 17 bytes is refused");
    eq_int(bpt_restore(m, "com1", a), 0, "a good state is still taken");
    bpt_state_put(a, "uart", NULL, 2);
    ok(bpt_restore(m, "com1", a) != 0, "a newer version is refused");
    bpt_state_put(a, "uart", NULL, 1);
    bpt_state_remove(a, "uart", "scr");
    ok(!bpt_restore(m, "com1", a) && in(SCR) == 0, "a missing key is the reset value");
    bpt_state_put(a, "uart", "msr", 0x100);
    eq_int(bpt_restore(m, "com1", a), BP_E_INVAL, "a value out of range is refused");
    ok(bpt_state_get(a, "uart", "msr", &v) == 0 && v == 0x100, "(it was in the state)");
    bpt_state_free(a);
    bpt_state_free(b);
    end("state");
}

static void
test_failing_host(void)
{
    uint64_t n;
    int started = 0;

    for (n = 1; n < 100 && !started; n++) {
        memset(&be, 0, sizeof be);
        be.allow = UINT64_MAX;
        m = bpt_new(1 << 20, 0);
        bpt_provide(m, "c0", BP_IF_CHAR, &fake_char_if, &be);
        bpt_inject(m, "com1", n, BP_E_NOMEM);
        if (!bpt_load(m, "serial", "com1", "chardev=c0") && !bpt_realize_all(m)) {
            started = !bpt_injected(m);
            bpt_start(m);
        }
        if (bpt_free(m))
            break;
    }
    ok(started, "every host call may fail once (%d calls)", (int)n - 2);
}

/* A back end may keep the pointer that it was given. */
static void
test_client_stays(void)
{
    begin("port=0x3f8,irq=4,chardev=c0");
    out(3, 3);
    out(0, 'x');
    flush();
    ok(be.given && memcmp(be.given, &be.client, sizeof be.client) == 0,
       "what it attached is still where it was");
    end("the client");
}

int
main(void)
{
    test_client_stays();
    test_reset_values();
    test_plain_registers();
    test_wide_accesses();
    test_output();
    test_output_without_fifo();
    test_back_pressure();
    test_wire_limit();
    test_flush_time();
    test_stuck_line();
    test_thre_interrupt();
    test_linux_probe();
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
    test_modem_lines();
    test_not_connected();
    test_two_ports();
    test_refusals();
    test_hidden_services();
    test_acpi();
    test_quiesce();
    test_stuck_at_stop();
    test_machine_reset();
    test_state();
    test_failing_host();
    return done_testing();
}
