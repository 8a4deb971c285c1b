/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio-input: what it says of itself, events on their way to the driver, lights, state. */
#include <backplane/test.h>

#include <linux/input-event-codes.h>

#include "tap.h"

static struct bpt_machine *m;
static struct bpt_virtio *dev;
static struct bpt_vq *events, *status;
static const struct bp_input_if *input;
static void *self;

static int
machine(const char *props)
{
    m = bpt_new(4 << 20, 0);
    if (bpt_load(m, "virtio-input", "input", props) || bpt_realize_all(m) || bpt_start(m))
        return -1;
    input = bpt_query(m, "input", BP_IF_INPUT, BP_UPTO(struct bp_input_if, leds));
    self = bpt_self(m, "input");
    dev = bpt_virtio_find(m, 18, 0);
    return input && dev ? 0 : -1;
}

static int
drive(void)
{
    if (bpt_virtio_setup(dev, UINT64_MAX, 2))
        return -1;
    events = bpt_virtio_queue(dev, 0);
    status = bpt_virtio_queue(dev, 1);
    return 0;
}

/* 5.8.4: select, then the size and so many bytes as hex. */
static const char *
config(uint32_t select, uint32_t subsel)
{
    static char text[300];
    uint32_t size;

    bpt_virtio_config_write(dev, 0, 1, select);
    bpt_virtio_config_write(dev, 1, 1, subsel);
    size = (uint32_t)bpt_virtio_config(dev, 2, 1);
    text[0] = 0;
    for (uint32_t i = 0; i < size && i < 128; i++)
        sprintf(text + 2 * (size_t)i, "%02x", (unsigned)bpt_virtio_config(dev, 8 + i, 1));
    return text;
}

static void
offer(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct bpt_sg sg = {bpt_alloc(m, 8, 8), 8, 1};

        bpt_vq_add(events, &sg, 1, 0);
    }
    bpt_vq_kick(events);
    bpt_poll(m, 0);
}

/* The events that have arrived: "type/code=value ...". */
static const char *
arrived(void)
{
    static char text[2000];
    char *p = text;
    uint32_t len;
    int head;

    *p = 0;
    while ((head = bpt_vq_get(events, &len)) >= 0) {
        const uint16_t *e = bpt_ram(m, bpt_vq_desc(events, (uint32_t)head)->addr, 8);

        p += sprintf(p, "%s%u/%u=%d", p == text ? "" : " ", e[0], e[1],
                     (int)(e[2] | (uint32_t)e[3] << 16));
        if (len != 8)
            p += sprintf(p, "!");
    }
    return text;
}

static int
send(uint32_t type, uint32_t code, int32_t value)
{
    const struct bp_input_event event = {type, code, value};
    int err = input->send(self, &event, 1);

    bpt_poll(m, 0);
    return err;
}

static int
point(int32_t x, int32_t y)
{
    const struct bp_input_event event[] = {{EV_ABS, ABS_X, x}, {EV_ABS, ABS_Y, y}};
    int err = input->send(self, event, 2);

    bpt_poll(m, 0);
    return err;
}

static void
test_config(const char *transport)
{
    char props[60], keys[100];

    snprintf(props, sizeof props, "transport=%s", transport);
    eq_int(machine(props), 0, "a tablet");
    eq_str(config(1, 0), "4261636b706c616e65207461626c6574", "its name");
    eq_str(config(3, 0), "0600270603000100", "its ids");
    eq_str(config(0x10, 0), "", "no properties");
    memset(keys, '0', sizeof keys);
    strcpy(keys + 2 * (0x110 / 8), "1f");
    eq_str(config(0x11, EV_KEY), keys, "five buttons");
    eq_str(config(0x11, EV_REL), "4001", "two wheels");
    eq_str(config(0x11, EV_ABS), "03", "two axes");
    eq_str(config(0x11, EV_LED), "", "no lights");
    eq_str(config(0x12, ABS_Y), "00000000ff7f0000000000000000000000000000", "an axis");
    eq_str(config(0x12, 2), "", "and no third");
    eq_str(config(0x7f, 0xff), "", "nonsense is empty");
    eq_int(bpt_virtio_config(dev, 0, 1), 0x7f, "what was selected reads back");
    eq_int(bpt_free(m), 0, "no problems");
    snprintf(props, sizeof props, "transport=%s,kind=mouse", transport);
    eq_int(machine(props), 0, "a mouse");
    eq_str(config(0x11, EV_REL), "4301", "moves");
    eq_str(config(0x11, EV_ABS), "", "and has no position");
    eq_int(bpt_free(m), 0, "no problems");
    snprintf(props, sizeof props, "transport=%s,kind=keyboard", transport);
    eq_int(machine(props), 0, "a keyboard");
    eq_int(strlen(config(0x11, EV_KEY)), 64, "keys");
    eq_str(config(0x11, EV_LED), "07", "lights");
    eq_str(config(0x11, EV_REP), "03", "repeats, which is the driver's doing");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_tablet(void)
{
    eq_int(machine("transport=mmio"), 0, "a tablet");
    eq_int(input->takes(self), 0, "without a driver it takes nothing");
    eq_int(drive(), 0, "a driver");
    eq_int(input->takes(self), BP_INPUT_TAKES_ABS, "it takes positions");
    offer(20);
    eq_int(point(100, 0x7fff), 0, "a position");
    eq_str(arrived(), "3/0=100 3/1=32767 0/0=0", "arrives");
    ok(bpt_virtio_irq(dev) & 1, "with an interrupt");
    send(EV_KEY, BTN_RIGHT, 1);
    send(EV_REL, REL_WHEEL, -1);
    eq_str(arrived(), "1/273=1 0/0=0 2/8=-1 0/0=0", "a button and the wheel");
    send(EV_KEY, KEY_A, 1);
    send(EV_REL, REL_X, 5);
    send(99, 99, 99);
    eq_str(arrived(), "", "keys and movements do not");
    offer(0);
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_full(void)
{
    int err = 0, n = 0;

    eq_int(machine("transport=mmio") || drive(), 0, "a driver that gives no buffers");
    for (int i = 0; i < 1000; i++)
        err |= point(i, i);
    eq_int(err, 0, "positions give way to newer ones");
    send(EV_KEY, BTN_LEFT, 1);
    point(1, 2);
    point(3, 4);
    offer(8);
    eq_str(arrived(), "3/0=999 3/1=999 0/0=0 1/272=1 0/0=0 3/0=3 3/1=4 0/0=0",
           "the last one before a press stays");
    while (n < 1000 && send(EV_KEY, BTN_LEFT, n & 1) == 0)
        n++;
    eq_int(n, 256, "what may not be lost fills the queue");
    eq_int(send(EV_KEY, BTN_LEFT, 0), BP_E_AGAIN, "then it is to be tried again");
    offer(2);
    eq_int(send(EV_KEY, BTN_LEFT, 0), 0, "when there is room");
    eq_str(arrived(), "1/272=0 0/0=0", "nothing was lost");
    bpt_virtio_reset(dev);
    eq_int(input->takes(self), 0, "the driver leaves");
    eq_int(drive(), 0, "another comes");
    offer(4);
    eq_str(arrived(), "", "and gets nothing of before");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
set_light(uint32_t code, uint32_t value)
{
    const struct bpt_sg sg = {bpt_alloc(m, 8, 8), 8, 0};
    uint16_t *e = bpt_ram(m, sg.gpa, 8);
    uint32_t len;

    e[0] = EV_LED;
    e[1] = (uint16_t)code;
    e[2] = (uint16_t)value;
    e[3] = 0;
    bpt_vq_do(status, &sg, 1, &len);
}

static void
test_keyboard(void)
{
    const struct bp_input_event chord[] = {{EV_KEY, KEY_LEFTCTRL, 1}, {EV_KEY, KEY_C, 1}};
    struct bpt_state *state;

    eq_int(machine("transport=mmio,kind=keyboard") || drive(), 0, "a keyboard");
    eq_int(input->takes(self), BP_INPUT_TAKES_KEYS, "it takes keys");
    offer(3);
    eq_int(input->send(self, chord, 2), 0, "two at once");
    bpt_poll(m, 0);
    eq_str(arrived(), "1/29=1 1/46=1 0/0=0", "are one report");
    set_light(LED_CAPSL, 1);
    set_light(LED_NUML, 1);
    set_light(LED_NUML, 0);
    set_light(7, 1);
    eq_int(input->leds(self), BP_INPUT_LED_CAPS, "lights");
    send(EV_KEY, KEY_C, 0);
    eq_int(bpt_state_roundtrip(m, "input"), 0, "its state, with an event that waits");
    eq_int(input->leds(self), BP_INPUT_LED_CAPS, "the lights are as before");
    offer(2);
    eq_str(arrived(), "1/46=0 0/0=0", "and the event arrives");
    bpt_quiesce(m);
    eq_int(bpt_save(m, "input", &state), 0, "saved");
    bpt_state_put(state, "input", "leds", 8);
    ok(bpt_restore(m, "input", state) < 0, "lights that there are not are refused");
    bpt_state_put(state, "input", "leds", 0);
    bpt_state_put_blob(state, "input", "events", "1234567", 7);
    ok(bpt_restore(m, "input", state) < 0, "so is a part of an event");
    bpt_state_put_blob(state, "input", "events", "\3\0\0\0\0\0\0\0", 8);
    ok(bpt_restore(m, "input", state) < 0, "and a position of a keyboard");
    bpt_state_free(state);
    eq_int(bpt_free(m), 0, "no problems");
}

int
main(void)
{
    test_config("mmio");
    test_tablet();
    test_full();
    test_keyboard();
    return done_testing();
}
