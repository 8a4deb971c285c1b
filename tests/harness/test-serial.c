/* SPDX-License-Identifier: BSD-3-Clause */
/* test-serial.c - the registers of the serial port against the PC16550D data sheet, and output. */
#include "test-serial.h"

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

int
main(void)
{
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
    return done_testing();
}
