/* SPDX-License-Identifier: BSD-3-Clause */
/* display-vnc and viewers that mean harm, or that stall: the others and the machine go on. */
#include "fake-screen.h"
#include "rfb-client.h"

#include <sys/ioctl.h>
#include <sys/stat.h>

#include "tap.h"

#define CROWD 100

static struct bpt_machine *machine;
static struct rfb_client good; /* a viewer that behaves, through all of it */
static char folder[] = "/tmp/test-vnc-hostile-XXXXXX", path[64];

static int
start(void)
{
    char props[200];
    int err;

    input.takes = BP_INPUT_TAKES_KEYS | BP_INPUT_TAKES_ABS;
    adapter.can_resize = 1;
    adapter_size(640, 400);
    adapter_draw(0, 0, 640, 400, 1);
    snprintf(props, sizeof props, "path=%s,frame-rate=120,viewers=4", path);
    machine = bpt_new(4 << 20, 0);
    bpt_clock_runs(machine);
    if ((err = bpt_provide(machine, "keys", BP_IF_INPUT, &input_table, &input)) ||
        (err = bpt_load(machine, "display-vnc", "vnc", props)) ||
        (err = bpt_add(machine, &adapter_class, "adapter", "display=vnc")) ||
        (err = bpt_realize_all(machine)))
        return err;
    return bpt_start(machine);
}

/* The good viewer still sees what the guest draws. */
static bool
all_is_well(void)
{
    static uint32_t seed = 10;
    int n = 0;

    adapter_draw(8, 8, 50, 9, ++seed);
    while (rfb_refresh(&good, true)) {
        n = 0;
        for (uint32_t y = 8; y < 17; y++)
            for (uint32_t x = 8; x < 58; x++)
                n += good.pixels[y * 640 + x] != adapter_pixel(x, y);
        if (n == 0)
            return true;
    }
    return false;
}

struct bytes {
    const char *what;
    bool joined; /* after a handshake, or instead of one */
    uint32_t n;
    uint8_t bytes[40];
};

#define BYTES(...)                                                                                 \
    sizeof((const uint8_t[]){__VA_ARGS__}),                                                        \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* Each of these ends the connection. */
static const struct bytes refused[] = {
    {"another protocol", false, BYTES('G', 'E', 'T', ' ', '/', ' ', 'H', 'T', 'T', 'P', '/', '1')},
    {"TLS", false, BYTES(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0)},
    {"RFB 4", false, BYTES('R', 'F', 'B', ' ', '0', '0', '4', '.', '0', '0', '0', '\n')},
    {"a version of letters", false,
     BYTES('R', 'F', 'B', ' ', '0', '0', '3', '.', 'x', 'x', 'x', 10)},
    {"a type that was not offered", false,
     BYTES('R', 'F', 'B', ' ', '0', '0', '3', '.', '0', '0', '8', '\n', 2)},
    {"an unknown message", true, BYTES(77)},
    {"file transfer", true, BYTES(7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
    {"a chat", true, BYTES(11, 0, 0, 0, 0, 0, 0, 4, 'h', 'i', 'h', 'o')},
    {"audio", true, BYTES(255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
    {"a scale", true, BYTES(8, 0, 0, 0)},
    {"24 bits a pixel", true,
     BYTES(0, 0, 0, 0, 24, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0)},
    {"a shift out of the pixel", true,
     BYTES(0, 0, 0, 0, 16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 200, 5, 0, 0, 0, 0)},
    {"colours of no levels", true,
     BYTES(0, 0, 0, 0, 32, 24, 0, 1, 0, 0, 0, 0, 0, 0, 16, 8, 0, 0, 0, 0)},
    {"levels that are no power of two", true,
     BYTES(0, 0, 0, 0, 32, 24, 0, 1, 0, 254, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0)},
    {"a colour map of 32 bits", true,
     BYTES(0, 0, 0, 0, 32, 32, 0, 0, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0)},
    {"a clipboard of 2 GiB", true, BYTES(6, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 'x')},
    {"an extended clipboard of 2 GiB", true, BYTES(6, 0, 0, 0, 0x80, 0, 0, 0, 'x')},
};

/* These are nonsense that a server can live with. */
static const struct bytes borne[] = {
    {"a request outside", true, BYTES(3, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)},
    {"a request that overlaps the edge", true, BYTES(3, 0, 2, 0, 1, 0, 0xff, 0xff, 0xff, 0xff)},
    {"a request for nothing", true, BYTES(3, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
    {"no encodings", true, BYTES(2, 0, 0, 0)},
    {"unknown encodings", true, BYTES(2, 0, 0, 3, 1, 2, 3, 4, 0xff, 0xff, 0, 0, 0x80, 0, 0, 0)},
    {"those of UltraVNC", true,
     BYTES(2, 0, 0, 5, 0, 0, 0, 9, 0xff, 0xff, 0x80, 0, 0xff, 0xfe, 0, 1, 0xff, 0xff, 0, 9, 0xc0,
           0xa1, 0xe5, 0xce)},
    {"keys that there are not", true,
     BYTES(4, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 4, 1, 0, 0, 0, 0, 0, 0)},
    {"codes that there are not", true,
     BYTES(255, 0, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)},
    {"a pointer outside", true, BYTES(5, 0xff, 0xff, 0xff, 0xff, 0xff)},
    {"a screen of no size", true, BYTES(251, 0, 0, 0, 0, 0, 0, 0)},
    {"an empty clipboard", true, BYTES(6, 0, 0, 0, 0, 0, 0, 0)},
    {"a fence", true, BYTES(248, 0, 0, 0, 0x80, 0, 0, 0, 2, 'a', 'b')},
};

static void
test_bytes(void)
{
    struct rfb_client c;
    uint32_t left;
    bool gone, said;

    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct bytes *b = &refused[i];

        rfb_connect(&c, machine, path);
        said = !b->joined || rfb_join(&c);
        gone = rfb_write(&c, b->bytes, b->n) && rfb_closed(&c);
        ok(said && gone, "%s ends it", b->what);
        rfb_leave(&c);
    }
    for (unsigned i = 0; i < sizeof borne / sizeof *borne; i++) {
        rfb_connect(&c, machine, path);
        ok(rfb_join(&c) && rfb_write(&c, borne[i].bytes, borne[i].n) && rfb_refresh(&c, false),
           "%s is borne", borne[i].what);
        rfb_leave(&c);
    }
    ok(all_is_well(), "the other viewer goes on");
    /* Cut off after each byte of a handshake and of messages. */
    for (left = 0; left < 60; left++) {
        static const uint8_t all[] =
            "RFB 003.008\n\1\1\0\0\0\0\40\30\0\1\0\377\0\377\0\377\20\10\0\0\0\0\2\0\0\2\0\0\0\20"
            "\0\0\0\0\3\0\0\0\0\0\2\0\1\0";

        rfb_connect(&c, machine, path);
        rfb_write(&c, all, left < sizeof all ? left : sizeof all);
        rfb_leave(&c);
    }
    ok(all_is_well(), "viewers that leave in the middle of a message are no matter");
}

static void
test_bulk(void)
{
    struct rfb_client c;
    static uint8_t text[1 << 20];
    uint8_t head[8] = {6};
    uint32_t many = 0;

    rfb_connect(&c, machine, path);
    ok(rfb_join(&c), "a viewer");
    rfb_put32(head + 4, sizeof text);
    ok(rfb_write(&c, head, 8) && rfb_write(&c, text, sizeof text) && rfb_refresh(&c, false),
       "a megabyte of clipboard is skipped");
    memset(text, 0, sizeof text);
    text[0] = 2;
    rfb_put16(text + 2, 0xffff);
    ok(rfb_write(&c, text, 4 + 4 * 0xffff) && rfb_refresh(&c, false), "65535 encodings");
    for (uint32_t i = 0; i < 20000 && rfb_request(&c, false, i % 640, 0, 5, 400); i++)
        many++;
    eq_int(many, 20000, "20000 requests at once");
    ok(all_is_well(), "the other viewer goes on");
    rfb_leave(&c);
}

/* A part of an update has come, and the rest finds no room. */
static int
is_stalled(void *arg)
{
    const struct rfb_client *c = arg;
    int n = 0;

    return ioctl(c->fd, FIONREAD, &n) == 0 && n > 65536;
}

static void
test_stalled(void)
{
    static const int32_t raw[] = {0};
    struct rfb_client c[3];

    for (int i = 0; i < 3; i++) {
        rfb_connect(&c[i], machine, path);
        ok(rfb_join(&c[i]) && rfb_encodings(&c[i], raw, 1), "a viewer");
        /* A megabyte, more than fits into a socket, and again and again. */
        for (int n = 0; n < 50; n++)
            rfb_request(&c[i], false, 0, 0, 640, 400);
        ok(bpt_until(machine, is_stalled, &c[i]), "that reads nothing");
    }
    for (int i = 0; i < 20; i++)
        if (!all_is_well())
            break;
    ok(all_is_well(), "three that read nothing hold nobody up");
    rfb_leave(&c[0]);
    for (int i = 0; i < 1000; i++) {
        rfb_connect(&c[0], machine, path);
        if (rfb_join(&c[0]))
            break;
        rfb_leave(&c[0]); /* it has not noticed yet */
    }
    ok(rfb_refresh(&c[0], false), "when one leaves, another can come");
    rfb_leave(&c[0]);
    ok(all_is_well(), "and all is well");
    eq_int(bpt_reset(machine), 0, "a reset does not wait for them");
    ok(rfb_closed(&c[1]) && rfb_closed(&c[2]), "it ends them");
    ok(all_is_well(), "and not who keeps up");
    rfb_leave(&c[1]);
    rfb_leave(&c[2]);
}

static void
test_crowd(void)
{
    static struct rfb_client crowd[CROWD];
    struct rfb_client c[4];
    uint8_t b[64];

    for (int i = 0; i < CROWD; i++)
        rfb_connect(&crowd[i], machine, path);
    ok(bpt_open_fds() < 3 * CROWD, "100 that say nothing");
    rfb_connect(&c[0], machine, path);
    ok(rfb_join(&c[0]) && rfb_refresh(&c[0], false), "one more who does gets in");
    for (int i = 1; i < 3; i++) {
        rfb_connect(&c[i], machine, path);
        ok(rfb_join(&c[i]), "so do others");
    }
    rfb_connect(&c[3], machine, path);
    ok(rfb_read(&c[3], b, 12) && rfb_write(&c[3], b, 12) && rfb_read(&c[3], b, 5) && b[0] == 0 &&
           rfb_closed(&c[3]),
       "up to the limit; who comes then is told");
    for (int i = 0; i < 4; i++)
        rfb_leave(&c[i]);
    for (int i = 0; i < CROWD; i++)
        rfb_leave(&crowd[i]);
    ok(all_is_well(), "they leave at once, and all is well");
    for (int i = 0; i < CROWD; i++) {
        rfb_connect(&crowd[i], machine, path);
        rfb_write(&crowd[i], "RFB 003.008\n\1\1", 14);
        if (i % 3 == 0)
            rfb_request(&crowd[i], false, 0, 0, 640, 400);
        rfb_leave(&crowd[i]);
    }
    ok(all_is_well(), "100 that come and go");
}

/* Time stands still but for us: who does not finish the handshake has to leave. */
static void
test_deadline(void)
{
    struct rfb_client c;

    eq_int(bpt_free(machine), 0, "no problems");
    memset(&adapter, 0, sizeof adapter);
    adapter_size(64, 64);
    machine = bpt_new(4 << 20, 0);
    {
        char props[200];

        snprintf(props, sizeof props, "path=%s", path);
        eq_int(bpt_load(machine, "display-vnc", "vnc", props) ||
                   bpt_add(machine, &adapter_class, "adapter", "display=vnc") ||
                   bpt_realize_all(machine) || bpt_start(machine),
               0, "another machine");
    }
    rfb_connect(&c, machine, path);
    rfb_write(&c, "RFB ", 4);
    bpt_poll(machine, 10);
    ok(bpt_timer(machine, "vnc") != BP_TIMER_OFF, "a handshake that goes no further");
    bpt_advance(machine, INT64_C(21000000000));
    ok(rfb_closed(&c), "ends after a while");
    ok(bpt_timer(machine, "vnc") == BP_TIMER_OFF, "and leaves nothing");
    rfb_leave(&c);
}

int
main(void)
{
    unsigned fds = bpt_open_fds();

    if (!mkdtemp(folder))
        return 99;
    snprintf(path, sizeof path, "%s/vnc", folder);
    eq_int(start(), 0, "start");
    rfb_connect(&good, machine, path);
    ok(rfb_join(&good) && rfb_refresh(&good, false), "a viewer that behaves");
    test_bytes();
    test_bulk();
    test_stalled();
    test_crowd();
    rfb_leave(&good);
    test_deadline();
    eq_int(bpt_free(machine), 0, "no problems");
    eq_int(bpt_open_fds(), fds, "no descriptor is left");
    rmdir(folder);
    return done_testing();
}
