/* SPDX-License-Identifier: BSD-3-Clause */
/* display-vnc with a viewer of the tests': pictures, sizes, passwords, keys, pointers. */
#include "fake-screen.h"
#include "rfb-client.h"

#include <sys/stat.h>

#include "tap.h"

static struct bpt_machine *machine;
static char folder[] = "/tmp/test-display-vnc-XXXXXX", path[64];

static int
start(const char *more)
{
    char props[300];
    int err;

    memset(&adapter, 0, sizeof adapter);
    memset(&input, 0, sizeof input);
    input.takes = BP_INPUT_TAKES_KEYS | BP_INPUT_TAKES_REL;
    adapter.can_resize = 1;
    adapter_size(200, 150);
    adapter_draw(0, 0, 200, 150, 1);
    snprintf(props, sizeof props, "path=%s,frame-rate=120,%s", path, more);
    machine = bpt_new(4 << 20, 0);
    bpt_clock_runs(machine);
    if ((err = bpt_provide(machine, "keys", BP_IF_INPUT, &input_table, &input)) ||
        (err = bpt_load(machine, "display-vnc", "vnc", props)) ||
        (err = bpt_add(machine, &adapter_class, "adapter", "display=vnc")) ||
        (err = bpt_realize_all(machine)))
        return err;
    return bpt_start(machine);
}

static void
stop(void)
{
    eq_int(bpt_free(machine), 0, "no problems");
    machine = NULL;
}

static int
differs(const struct rfb_client *c)
{
    int n = 0;

    for (uint32_t y = 0; y < adapter.height; y++)
        for (uint32_t x = 0; x < adapter.width; x++)
            n += x >= c->width || y >= c->height ||
                 c->pixels[(size_t)y * c->width + x] != adapter_pixel(x, y);
    return n;
}

static int
has_said(void *text)
{
    return strcmp(input_text(), text) == 0;
}

/* Messages are on their way; the device gets these events and no others. */
#define says(text, what)                                                                           \
    do {                                                                                           \
        static char want_[] = text;                                                                \
        if (!ok(bpt_until(machine, has_said, want_), "%s", what))                                  \
            printf("# said %s\n", input_text());                                                   \
        input.n = 0;                                                                               \
    } while (0)

static void
test_picture(void)
{
    struct rfb_client c;
    uint32_t asked;

    eq_int(start("name=Test"), 0, "start");
    bpt_poll(machine, 30);
    eq_int(adapter.asked, 0, "nobody watches: the adapter is not asked");
    ok(bpt_timer(machine, "vnc") == BP_TIMER_OFF, "and no timer runs");
    rfb_connect(&c, machine, path);
    ok(rfb_join(&c), "a viewer joins");
    eq_str(c.name, "Test", "the name");
    ok(c.width == 200 && c.height == 150, "the size");
    ok(rfb_refresh(&c, false), "an update");
    eq_int(differs(&c), 0, "has every pixel");
    adapter_draw(70, 40, 20, 10, 2);
    ok(rfb_refresh(&c, true), "a change");
    eq_int(differs(&c), 0, "is seen");
    ok(c.area <= 4 * 32 * 32, "and little else is sent");
    /* Called changed, but is not. */
    adapter.rects[adapter.n_rects++] = (struct bp_display_rect){0, 0, 200, 150};
    asked = adapter.asked;
    ok(rfb_request(&c, true, 0, 0, 200, 150), "a request");
    while (adapter.asked < asked + 3)
        bpt_poll(machine, 5);
    adapter_draw(199, 149, 1, 1, 3);
    ok(rfb_update(&c) && c.area <= 32 * 32, "the same pixels again are not sent");
    asked = adapter.asked;
    for (int i = 0; i < 40; i++)
        bpt_poll(machine, 1);
    eq_int(adapter.asked, asked, "a viewer that asks for nothing costs nothing");
    rfb_leave(&c);
    stop();
}

static void
test_encodings(void)
{
    static const struct {
        int32_t list[3];
        const char *what;
    } cases[] = {{{16, -224, -223}, "ZRLE"}, {{7, -224, -223}, "Tight"}, {{0, -224, -223}, "raw"}};
    static const uint8_t rgb565[] = {0, 0,  0, 0,  16, 16, 0, 1, 0, 31,
                                     0, 63, 0, 31, 11, 5,  0, 0, 0, 0};
    static const uint8_t map[] = {0, 0, 0, 0, 8, 8, 0, 0, 0, 7, 0, 7, 0, 3, 0, 3, 6, 0, 0, 0};
    struct rfb_client c;
    int wrong = 0;

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        eq_int(start(""), 0, "start");
        rfb_connect(&c, machine, path);
        ok(rfb_join(&c) && rfb_encodings(&c, cases[i].list, 3), "%s", cases[i].what);
        ok(rfb_refresh(&c, false), "an update");
        eq_int(differs(&c), 0, "has every pixel");
        for (uint32_t k = 0; k < 5; k++) {
            /* noise, plain, two colours */
            for (uint32_t p = 0; p < adapter.stride * adapter.height; p++)
                adapter.pixels[p] = k == 0   ? (uint32_t)rand()
                                    : k == 1 ? 0x123456
                                             : (p % (3 * k) ? 0xffffff : 0x000080);
            adapter.rects[adapter.n_rects++] = (struct bp_display_rect){0, 0, 200, 150};
            wrong += !rfb_refresh(&c, true) || differs(&c);
        }
        eq_int(wrong, 0, "other pictures too");
        rfb_leave(&c);
        stop();
    }
    eq_int(start(""), 0, "start");
    rfb_connect(&c, machine, path);
    ok(rfb_join(&c) && rfb_write(&c, rgb565, sizeof rgb565), "16 bits a pixel");
    c.bytes = 2;
    ok(rfb_refresh(&c, false), "an update");
    for (uint32_t i = 0; i < 200 * 150; i++) {
        uint32_t p = adapter_pixel(i % 200, i / 200);
        uint32_t r = c.pixels[i] >> 11, b = c.pixels[i] & 31;

        wrong += abs((int)(r * 255 / 31) - (int)(p >> 16)) > 8 ||
                 abs((int)(b * 255 / 31) - (int)(p & 255)) > 8;
    }
    eq_int(wrong, 0, "has the colours");
    ok(rfb_write(&c, map, sizeof map), "a colour map");
    c.bytes = 1;
    ok(rfb_refresh(&c, false), "and an update");
    rfb_leave(&c);
    stop();
}

static void
test_sizes(void)
{
    static const int32_t follows[] = {0, -223}, asks[] = {0, -308, -223};
    static const uint8_t want[] = {251, 0, 3, 32, 2, 88, 1, 0,  0, 0, 0, 0,
                                   0,   0, 0, 0,  3, 32, 2, 88, 0, 0, 0, 0};
    struct rfb_client c, fixed, d;

    eq_int(start(""), 0, "start");
    rfb_connect(&c, machine, path);
    rfb_connect(&fixed, machine, path);
    ok(rfb_join(&c) && rfb_encodings(&c, follows, 2) && rfb_join(&fixed), "two viewers");
    ok(rfb_refresh(&c, false) && rfb_refresh(&fixed, false), "see something");
    adapter_size(320, 97);
    adapter_draw(0, 0, 320, 97, 5);
    ok(rfb_refresh(&c, true) && c.width == 320 && c.height == 97, "one follows a new mode");
    ok(rfb_refresh(&c, false), "asks for it");
    eq_int(differs(&c), 0, "with all of it");
    ok(rfb_refresh(&fixed, true) && fixed.width == 200, "the other stays as it is");
    ok(fixed.pixels[10 * 200 + 199] == adapter_pixel(199, 10) && fixed.pixels[120 * 200] == 0,
       "with what fits");
    adapter_draw(300, 90, 20, 7, 6);
    adapter_draw(1, 1, 1, 1, 7);
    ok(rfb_refresh(&fixed, true) && fixed.pixels[201] == adapter_pixel(1, 1), "and goes on");
    rfb_connect(&d, machine, path);
    ok(rfb_join(&d) && rfb_encodings(&d, asks, 3), "a viewer that asks for sizes");
    ok(rfb_request(&d, false, 0, 0, 320, 97) && rfb_update(&d) && d.resized, "is told it may");
    ok(rfb_write(&d, want, sizeof want), "it asks");
    do
        ok(rfb_request(&d, true, 0, 0, 320, 97) && rfb_update(&d), "an update");
    while (!d.resized);
    if (!ok(d.size_x == 1 && d.size_y == 4, "it is up to the guest"))
        printf("# %u %u, %ux%u\n", d.size_x, d.size_y, d.width, d.height);
    ok(adapter.resize_width == 800 && adapter.resize_height == 600, "which is told");
    adapter_size(0, 0);
    while (c.width != 640 && rfb_refresh(&c, true))
        ;
    ok(c.width == 640 && c.pixels[0] == 0, "no picture is a black one");
    rfb_leave(&c);
    rfb_leave(&d);
    rfb_leave(&fixed);
    stop();
}

static void
test_keys(void)
{
    static const uint8_t ext[] = {255, 0, 0, 1, 0, 0, 0, 'x', 0, 0, 0, 0x9c};
    static const int32_t list[] = {0, -258, -257};
    struct rfb_client c;

    eq_int(start("layout=de"), 0, "start");
    rfb_connect(&c, machine, path);
    ok(rfb_join(&c), "a viewer");
    rfb_key(&c, true, 'z');
    rfb_key(&c, false, 'z');
    says("+21 -21", "z is where Germans have it");
    rfb_key(&c, true, 'A');
    rfb_key(&c, false, 'A');
    says("+42 +30 -42 -30", "a capital gets its Shift");
    rfb_key(&c, true, 0xffe1);
    rfb_key(&c, true, 'A');
    rfb_key(&c, false, 0xffe1);
    rfb_key(&c, false, 'a');
    says("+42 +30 -42 -30", "unless it is held; the release finds its key");
    rfb_key(&c, true, '@');
    rfb_key(&c, false, '@');
    says("+100 +16 -100 -16", "AltGr");
    rfb_key(&c, true, 0xffe2);
    rfb_key(&c, true, '7');
    rfb_key(&c, false, '7');
    rfb_key(&c, false, 0xffe2);
    says("+54 -54 +8 +54 -8 -54", "a Shift too many is lifted");
    input.lights = BP_INPUT_LED_CAPS;
    rfb_key(&c, true, 'Q');
    rfb_key(&c, false, 'Q');
    says("+16 -16", "with Caps Lock on, a capital needs none");
    input.lights = 0;
    rfb_key(&c, true, 0xffe3);
    rfb_key(&c, true, 0xffe9);
    rfb_key(&c, true, 0xffff);
    says("+29 +56 +111", "Ctrl-Alt-Del");
    rfb_key(&c, false, 0xffff);
    rfb_key(&c, false, 0xffe9);
    rfb_key(&c, false, 0xffe3);
    says("-111 -56 -29", "and up again");
    ok(rfb_encodings(&c, list, 3), "a viewer that knows keys and movements");
    while (!c.ext_key || !c.pointer_mode)
        if (!rfb_update(&c))
            break;
    ok(c.ext_key && c.pointer_mode && !c.absolute, "learns that they are understood");
    rfb_write(&c, ext, sizeof ext);
    says("+96", "a key by its code");
    rfb_pointer(&c, 1, 0x7fff + 5, 0x7fff - 3);
    says("dx5 dy-3 +272", "a movement");
    input.takes |= BP_INPUT_TAKES_ABS;
    rfb_pointer(&c, 0, 0x7fff, 0x7fff);
    says("-272", "the button is up");
    c.pointer_mode = false;
    while (!c.pointer_mode && rfb_update(&c))
        ;
    ok(c.absolute, "the guest has a tablet now: positions, please");
    rfb_pointer(&c, 8, 199, 0);
    says("X32767 Y0 wheel1", "a position and the wheel");
    rfb_pointer(&c, 4, 0, 149);
    says("X0 Y32767 +273", "the other corner and a button");
    rfb_leave(&c);
    says("-96 -273", "who leaves lets go");
    stop();
    eq_int(start(""), 0, "start");
    rfb_connect(&c, machine, path);
    ok(rfb_join(&c), "a viewer that knows positions only");
    rfb_pointer(&c, 0, 10, 10);
    rfb_pointer(&c, 2, 13, 8);
    says("dx3 dy-2 +274", "for a mouse they become movements");
    input.err = BP_E_AGAIN;
    rfb_pointer(&c, 0, 13, 8);
    for (int i = 0; i < 30; i++)
        bpt_poll(machine, 1);
    input.err = 0;
    says("-274", "a release that found no room comes later");
    rfb_leave(&c);
    stop();
}

static bool
log_in(struct rfb_client *c, const char *version, const char *password, uint32_t *ret_result)
{
    extern void rfbEncryptBytes(unsigned char *, char *);
    char key[9] = "";
    uint8_t b[16];
    bool old = strcmp(version, "RFB 003.003\n") == 0;

    memcpy(key, password, strlen(password));
    if (!rfb_read(c, b, 12) || !rfb_write(c, version, 12) || !rfb_read(c, b, old ? 4 : 2) ||
        b[old ? 3 : 1] != 2 || (!old && !rfb_write(c, "\2", 1)) || !rfb_read(c, b, 16))
        return false;
    rfbEncryptBytes(b, key);
    if (!rfb_write(c, b, 16) || !rfb_read(c, b, 4))
        return false;
    *ret_result = rfb_get32(b);
    return true;
}

static void
test_password(void)
{
    static const char *const versions[] = {"RFB 003.003\n", "RFB 003.007\n", "RFB 003.008\n"};
    struct rfb_client c;
    uint32_t result = 9;
    char file[80], props[120];
    FILE *f;
    uint8_t b[12];

    snprintf(file, sizeof file, "%s/password", folder);
    f = fopen(file, "w");
    fputs("sesame\nnot this\n", f);
    fclose(f);
    snprintf(props, sizeof props, "password-file=%s", file);
    eq_int(start(props), 0, "start");
    for (int i = 0; i < 3; i++) {
        rfb_connect(&c, machine, path);
        ok(log_in(&c, versions[i], "sesame", &result) && result == 0, "%.11s: the password",
           versions[i]);
        ok(rfb_server_init(&c) && rfb_refresh(&c, false) && !differs(&c), "and a picture");
        rfb_leave(&c);
        rfb_connect(&c, machine, path);
        ok(log_in(&c, versions[i], "sesam", &result) && result == 1, "another password");
        ok(rfb_closed(&c), "ends it");
        rfb_leave(&c);
    }
    rfb_connect(&c, machine, path);
    ok(rfb_read(&c, b, 12) && rfb_write(&c, b, 12) && rfb_read(&c, b, 2) &&
           rfb_write(&c, "\1", 1) && rfb_closed(&c),
       "no password is no way in");
    rfb_leave(&c);
    stop();
    bpt_free(machine);
    ok(start("password=longer-than-8") < 0 && strstr(bpt_error(machine), "longer"),
       "a password that VNC would cut off is refused");
    bpt_free(machine);
    unlink(file);
}

static void
test_listen(void)
{
    static const struct {
        const char *props, *says;
    } bad[] = {{"listen=0.0.0.0:77", "other machines"},
               {"listen=localhost:0", "numeric"},
               {"listen=127.0.0.1", "numeric"},
               {"listen=127.0.0.1:99999", "numeric"}};
    struct bpt_machine *m;

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        int err;

        m = bpt_new(1 << 20, 0);
        err = bpt_load(m, "display-vnc", "vnc", bad[i].props);
        if (!err)
            err = bpt_realize_all(m);
        ok(err < 0 && strstr(bpt_error(m), bad[i].says), "%s is refused: %s", bad[i].props,
           bpt_error(m));
        eq_int(bpt_free(m), 0, "no problems");
    }
    m = bpt_new(1 << 20, 0);
    eq_int(bpt_load(m, "display-vnc", "vnc", "listen=127.0.0.1::0"), 0, "any port");
    eq_int(bpt_realize_all(m), 0, "is found");
    ok(bpt_logged(m, "127.0.0.1 port "), "and told");
    eq_int(bpt_free(m), 0, "no problems");
}

static void
test_reset(void)
{
    struct rfb_client c;

    eq_int(start(""), 0, "start");
    rfb_connect(&c, machine, path);
    ok(rfb_join(&c) && rfb_refresh(&c, false), "a viewer");
    ok(rfb_request(&c, true, 0, 0, 200, 150), "waits for a change");
    eq_int(bpt_reset(machine), 0, "the machine is reset");
    adapter_draw(3, 3, 3, 3, 9);
    ok(rfb_update(&c), "the viewer is still there");
    eq_int(differs(&c), 0, "and sees it");
    eq_int(bpt_quiesce(machine), 0, "the machine stops");
    rfb_leave(&c);
    stop();
}

int
main(void)
{
    unsigned fds = bpt_open_fds();

    if (!mkdtemp(folder))
        return 99;
    snprintf(path, sizeof path, "%s/vnc", folder);
    test_picture();
    test_encodings();
    test_sizes();
    test_keys();
    test_password();
    test_listen();
    test_reset();
    eq_int(bpt_open_fds(), fds, "no descriptor is left");
    eq_int(access(path, F_OK), -1, "nor the socket");
    rmdir(folder);
    return done_testing();
}
