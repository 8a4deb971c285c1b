/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts into a guest: lines through the PIC with real handlers, lines and messages through the
 * APICs by their request register, eventfds with and without resample, the timer's pin.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/kvm/guest.h"
#include "tests/tap.h"

#define ACK_PORT 0x300
#define MSI_ADDR 0xfee00000

/*
 * Real mode, so that any KVM can run a handler. PIC vectors from 0x20; IRQ 11 level-triggered. Each
 * handler logs its number, IRQ 11's reads the acknowledge port of the device first and logs that.
 */
GUEST(pic, 16,
      "   xor %ax, %ax\n"
      "   mov %ax, %ds\n"
      "   movl $guest_pic_4 - guest_pic + 0x1000, 0x24*4\n"
      "   movl $guest_pic_11 - guest_pic + 0x1000, 0x2b*4\n"
      "   movl $guest_pic_15 - guest_pic + 0x1000, 0x2f*4\n"
      "   mov $0x11, %al\n"
      "   out %al, $0x20\n"
      "   out %al, $0xa0\n"
      "   mov $0x20, %al\n"
      "   out %al, $0x21\n"
      "   mov $0x28, %al\n"
      "   out %al, $0xa1\n"
      "   mov $4, %al\n"
      "   out %al, $0x21\n"
      "   mov $2, %al\n"
      "   out %al, $0xa1\n"
      "   mov $1, %al\n"
      "   out %al, $0x21\n"
      "   out %al, $0xa1\n"
      "   mov $0xeb, %al\n" /* IRQ 4 and the cascade */
      "   out %al, $0x21\n"
      "   mov $0xf7, %al\n" /* IRQ 11 */
      "   out %al, $0xa1\n"
      "   mov $0x4d1, %dx\n"
      "   mov $8, %al\n"
      "   out %al, %dx\n"
      "   out %al, $0x18\n"
      "1: sti\n"
      "   hlt\n"
      "   jmp 1b\n"
      "guest_pic_4:\n"
      "   mov $4, %al\n"
      "   out %al, $0x10\n"
      "   mov $0x20, %al\n"
      "   out %al, $0x20\n"
      "   iret\n"
      "guest_pic_15:\n" /* spurious: IRQ 11 went down before it was acknowledged */
      "   mov $0x20, %al\n"
      "   out %al, $0x20\n"
      "   iret\n"
      "guest_pic_11:\n"
      "   mov $0x300, %dx\n"
      "   in %dx, %al\n"
      "   out %al, $0x10\n"
      "   mov $0x20, %al\n"
      "   out %al, $0xa0\n"
      "   out %al, $0x20\n"
      "   iret\n");

struct card {
    struct irq *lines[2];
    _Atomic int asserted[2];
};

/* Lowers the first line that is asserted and says which. */
static uint64_t
card_ack(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    struct card *card = self;

    (void)id, (void)off, (void)width;
    for (unsigned i = 0; i < 2; i++)
        if (atomic_exchange(&card->asserted[i], 0)) {
            irq_level(card->lines[i], false);
            return 0xb0 + i;
        }
    return 0xbf;
}

static void
card_assert(struct card *card, unsigned i)
{
    card->asserted[i] = 1;
    irq_level(card->lines[i], true);
}

static void
ring(int fd)
{
    const uint64_t one = 1;

    if (write(fd, &one, sizeof one) != sizeof one)
        g_error("write");
}

static bool
readable(int fd, int timeout_ms)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};

    return poll(&waiting, 1, timeout_ms) == 1;
}

static void
test_pic(void)
{
    struct guest *guest = guest_new(1, 4 << 20);
    struct card card = {.asserted = {0, 0}};
    struct bus_region_config config = {
        .space = BUS_PIO, .len = 1, .name = "card", .read = card_ack, .self = &card};
    struct bus_region *region;
    struct irq *edge;
    int trigger = -1, resample = -1, edge_fd = -1, none = 7;
    uint64_t n;

    if (bus_region_new(guest->bus, &config, &region) || bus_region_place(region, ACK_PORT) ||
        irq_line_new(guest->irqs, "edge", 4, BP_IRQ_EDGE, &edge) ||
        irq_line_new(guest->irqs, "a", 11, BP_IRQ_LEVEL, &card.lines[0]) ||
        irq_line_new(guest->irqs, "b", 11, BP_IRQ_LEVEL, &card.lines[1]))
        g_error("set-up");
    guest_load_code(guest, 0x1000, pic);
    guest_start_at(guest, 16, 0x1000);
    if (!guest_wait(guest))
        g_error("guest");

    irq_raise(edge);
    ok(guest_wait_logged(guest, 1) && guest_log_at(guest, 0) == 4, "an edge line is handled");
    irq_raise(edge);
    ok(guest_wait_logged(guest, 2), "and again");
    irq_level(edge, true);
    ok(guest_wait_logged(guest, 3), "0 to 1 is an edge");
    irq_level(edge, true);
    irq_level(edge, false);
    irq_level(edge, true);
    ok(guest_wait_logged(guest, 4), "once more after it was low");
    irq_level(edge, false);

    /* Both asserted before the handler runs: it must run once for each. */
    vcpus_pause(guest->vm);
    guest_clear_log(guest);
    card_assert(&card, 0);
    card_assert(&card, 1);
    vcpus_resume(guest->vm);
    ok(guest_wait_logged(guest, 2), "two level lines share a GSI: it stays up until both are down");
    ok(guest_log_at(guest, 0) == 0xb0 && guest_log_at(guest, 1) == 0xb1, "both are served");
    irq_raise(edge);
    guest_wait_logged(guest, 3);
    eq_int(guest_log_at(guest, 2), 4, "and then no third time");
    eq_int(irq_raise(card.lines[0]), -EINVAL, "a level line cannot be pulsed");

    /* An eventfd for the level line: a kernel back end would do this. */
    guest_clear_log(guest);
    if (irq_as_fd(card.lines[0], &trigger, &resample))
        g_error("irq_as_fd");
    ok(!readable(resample, 0), "no resample yet");
    ring(trigger);
    ok(guest_wait_logged(guest, 1) && guest_log_at(guest, 0) == 0xbf, "the eventfd asserts");
    ok(readable(resample, 60000), "the guest's end of interrupt makes the other readable");
    if (read(resample, &n, sizeof n) < 0)
        g_error("read");
    irq_raise(edge);
    ok(guest_wait_logged(guest, 2) && guest_log_at(guest, 1) == 4, "and the line is low again");
    ok(irq_as_fd(edge, &edge_fd, &none) == 0 && none == -1, "an edge line has no resample");
    ring(edge_fd);
    ok(guest_wait_logged(guest, 3) && guest_log_at(guest, 2) == 4, "its eventfd pulses it");
    close(trigger);
    close(resample);
    close(edge_fd);

    /* A line that is freed while it is up must not keep the pin up. */
    guest_clear_log(guest);
    vcpus_pause(guest->vm);
    irq_level(card.lines[0], true);
    irq_free(card.lines[0]);
    irq_raise(edge);
    vcpus_resume(guest->vm);
    ok(guest_wait_logged(guest, 1) && guest_log_at(guest, 0) == 4,
       "freed while up: the pin is low");
    irq_free(card.lines[1]);
    irq_free(edge);
    guest_free(guest);
}

/*
 * Protected mode. Enables the local APIC, routes I/O APIC pins 0, 2 and 20 to vectors 0x51, 0x50
 * and 0x52, then logs the request register's word for vectors 0x40 to 0x5f whenever it changes.
 */
GUEST(apic, 32,
      "   mov $0xfee00000, %ebx\n"
      "   movl $0x1ff, 0xf0(%ebx)\n"
      "   mov $0xfec00000, %edi\n"
      "   movl $0x10, (%edi)\n"
      "   movl $0x51, 0x10(%edi)\n"
      "   movl $0x14, (%edi)\n"
      "   movl $0x50, 0x10(%edi)\n"
      "   movl $0x38, (%edi)\n"
      "   movl $0x52, 0x10(%edi)\n"
      "   xor %ecx, %ecx\n"
      "   out %al, $0x18\n"
      "1: mov 0x220(%ebx), %eax\n"
      "   cmp %eax, %ecx\n"
      "   je 2f\n"
      "   mov %eax, %ecx\n"
      "   out %eax, $0x10\n"
      "2: in $0x14, %al\n" /* 1: start the timer */
      "   cmp $1, %al\n"
      "   jne 1b\n"
      "   mov $0x34, %al\n"
      "   out %al, $0x43\n"
      "   mov $0, %al\n"
      "   out %al, $0x40\n"
      "   mov $4, %al\n"
      "   out %al, $0x40\n"
      "   jmp 1b\n");

static atomic_int command;

static uint64_t
command_read(void *self, uint32_t id, uint64_t off, uint32_t width)
{
    (void)self, (void)id, (void)off, (void)width;
    return (uint64_t)atomic_exchange(&command, 0);
}

static void
test_apic(void)
{
    struct guest *guest = guest_new(1, 4 << 20);
    struct bus_region_config config = {
        .space = BUS_PIO, .len = 1, .name = "command", .read = command_read};
    struct bus_region *region;
    struct irq *pin, *msi, *with_fd;
    uint32_t requested = 0;
    int fd = -1, other = -1;
    unsigned n = 0;

    if (bus_region_new(guest->bus, &config, &region) || bus_region_place(region, 0x14) ||
        irq_line_new(guest->irqs, "pin", 20, BP_IRQ_EDGE, &pin) ||
        irq_msi_new(guest->irqs, "msi", 0, &msi) || irq_msi_new(guest->irqs, "fd", 1, &with_fd))
        g_error("set-up");
    guest_load_code(guest, 0x1000, apic);
    guest_start_at(guest, 32, 0x1000);
    if (!guest_wait(guest))
        g_error("guest");

#define arrives(vector, ...)                                                                       \
    do {                                                                                           \
        requested |= 1u << ((vector)-0x40);                                                        \
        if (!ok(guest_wait_logged(guest, ++n) && guest_log_at(guest, n - 1) == requested,          \
                __VA_ARGS__))                                                                      \
            printf("# got %x, want %x\n", guest_log_at(guest, n - 1), requested);                  \
    } while (0)

    irq_raise(pin);
    arrives(0x52, "a pin of the I/O APIC that the PICs do not have");

    irq_msi_set(msi, MSI_ADDR, 0x41, true);
    irq_raise(msi);
    eq_int(irq_msi_pending(msi), 1, "a masked message is pending");
    irq_msi_set(with_fd, MSI_ADDR, 0x4f, false);
    irq_raise(with_fd);
    arrives(0x4f, "while another one goes through");
    irq_msi_set(msi, MSI_ADDR, 0x41, false);
    arrives(0x41, "and is sent when it is unmasked");
    eq_int(irq_msi_pending(msi), 0, "not pending any more");
    irq_msi_set(msi, MSI_ADDR, 0x42, false);
    irq_raise(msi);
    arrives(0x42, "with the data that it has now");
    eq_int(irq_msi_set(msi, 0x1000, 0x43, false), 0, "an address that is no APIC's");
    eq_int(irq_raise(msi), 0, "goes nowhere");

    irq_msi_set(with_fd, MSI_ADDR, 0x44, true);
    if (irq_as_fd(with_fd, &fd, NULL))
        g_error("irq_as_fd");
    ring(fd);
    eq_int(irq_msi_pending(with_fd), 1, "an eventfd of a masked message makes it pending");
    irq_msi_set(msi, MSI_ADDR, 0x45, false);
    irq_raise(msi);
    arrives(0x45, "while another one goes through");
    irq_msi_set(with_fd, MSI_ADDR, 0x44, false);
    arrives(0x44, "and it is sent when that is unmasked");
    irq_msi_set(with_fd, MSI_ADDR, 0x46, false);
    ring(fd);
    arrives(0x46, "the route follows the message");
    irq_raise(with_fd);
    irq_msi_set(with_fd, MSI_ADDR, 0x47, false);
    irq_raise(with_fd);
    arrives(0x47, "and it can still be raised without");
    if (irq_as_fd(with_fd, &other, NULL))
        g_error("irq_as_fd");
    irq_msi_set(with_fd, MSI_ADDR, 0x48, false);
    ring(other);
    arrives(0x48, "another eventfd of it is the same");
    close(fd);
    irq_msi_set(with_fd, MSI_ADDR, 0x49, false);
    ring(other);
    arrives(0x49, "also after the first was closed");

    atomic_store(&command, 1);
    arrives(0x50, "GSI 0, the timer, is pin 2 of the I/O APIC and not pin 0");
    irq_free(with_fd);
    close(other);
    irq_free(msi);
    irq_free(pin);
    guest_free(guest);
}

/* Raised from several threads while it is masked and unmasked: the last one is never lost. */
struct storm {
    struct irq *msi;
    _Atomic unsigned raised;
};

static gpointer
storm_raise(gpointer data)
{
    struct storm *storm = data;

    for (unsigned i = 0; i < 2000; i++) {
        storm->raised++;
        irq_raise(storm->msi);
    }
    return NULL;
}

static void
test_storm(void)
{
    struct guest *guest = guest_new(1, 4 << 20);
    struct bus_region_config config = {
        .space = BUS_PIO, .len = 1, .name = "command", .read = command_read};
    struct storm storm = {.raised = 0};
    struct bus_region *region;
    GThread *threads[3];

    if (bus_region_new(guest->bus, &config, &region) || bus_region_place(region, 0x14) ||
        irq_msi_new(guest->irqs, "msi", 0, &storm.msi))
        g_error("set-up");
    guest_load_code(guest, 0x1000, apic);
    guest_start_at(guest, 32, 0x1000);
    if (!guest_wait(guest))
        g_error("guest");
    for (unsigned i = 0; i < 3; i++)
        threads[i] = g_thread_new("raiser", storm_raise, &storm);
    for (unsigned i = 0; i < 2000; i++)
        irq_msi_set(storm.msi, MSI_ADDR, 0x41, i & 1);
    for (unsigned i = 0; i < 3; i++)
        g_thread_join(threads[i]);
    irq_msi_set(storm.msi, MSI_ADDR, 0x41, true);
    irq_msi_set(storm.msi, MSI_ADDR, 0x41, false);
    ok(guest_wait_logged(guest, 1) && guest_log_at(guest, 0) == 2, "raised and masked at once");
    eq_int(irq_msi_pending(storm.msi), 0, "nothing stays behind");
    irq_free(storm.msi);
    guest_free(guest);
}

int
main(void)
{
    need_kvm();
    test_pic();
    test_apic();
    test_storm();
    return done_testing();
}
