/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * display-term.c - plugin `display-term`: an adapter's text mode on a terminal, whose keys are the
 * guest's.
 *
 * The terminal is a back end of bp.char/1, so that who may use standard input, job control, the
 * escape key and what becomes of the terminal are char-stdio's affair. What it does not take at
 * once waits, and until it is gone the picture is not looked at again: memory is bounded, and a
 * terminal that is stopped holds up nobody.
 */
#include <stdlib.h>
#include <string.h>

#include <backplane/backplane.h>
#include <backplane/log.h>

#include "draw.h"
#include "keys.h"

#define MS INT64_C(1000000)

#define LOOK_MIN_NS  (50 * MS) /* between two looks at the picture */
#define LOOK_MAX_NS  (200 * MS)
#define ESCAPE_NS    (50 * MS) /* Escape alone, or the begin of a key's sequence? */
#define PACE_NS      (20 * MS)
#define KEYS_AT_ONCE 16u /* bytes in PACE_NS: what is pasted does not outrun the guest */

enum { EV_LOOK = 1, EV_ESCAPE, EV_PACE };

struct term {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    bp_event look, escape, pace;
    struct bp_display_client client;
    bool attached, running, paced;
    const struct bp_char_if *chardev;
    void *chardev_self;
    struct bp_char_client char_client;      /* the back end keeps the pointer */
    bool stuck;                             /* it took too few; writable() comes */
    uint32_t message_width, message_height; /* a graphics mode that was told about */
    int64_t wait_ns;
    uint64_t sent; /* of draw.out */
    struct draw draw;
    struct input_devices input;
    struct typist typist;
    const struct layout *layout;
    struct keys keys;
};

static void
term_arm(struct term *t, bp_event timer, int64_t after)
{
    t->event->arm(t->inst, timer, t->event->now(t->inst, BP_CLOCK_MONOTONIC) + after);
}

/* ---- To the terminal ---- */

/* True: everything is on its way. */
static bool
term_flush(struct term *t)
{
    if (t->sent < t->draw.len && !t->stuck)
        t->sent += t->chardev->write(t->chardev_self, t->draw.out + t->sent, t->draw.len - t->sent);
    t->stuck = t->sent < t->draw.len;
    if (t->stuck)
        return false;
    t->sent = t->draw.len = 0;
    return true;
}

/* A picture without characters: its size is all that can be said. */
static void
term_graphics(struct term *t)
{
    struct bp_display_frame frame = {.size = sizeof frame};
    char text[80];

    if (t->client.frame(t->client.user, 0, &frame) < 0 ||
        (frame.width == t->message_width && frame.height == t->message_height))
        return;
    t->message_width = frame.width;
    t->message_height = frame.height;
    snprintf(text, sizeof text, "The guest shows graphics, %u by %u pixels.", frame.width,
             frame.height);
    draw_message(&t->draw, text);
}

static void
term_look(struct term *t)
{
    struct bp_display_text text = {.size = sizeof text};

    if (!t->running || !t->attached || !t->chardev->connected(t->chardev_self) || !term_flush(t))
        return; /* writable() or event() comes */
    if (t->client.text && t->client.text(t->client.user, &text) == 0) {
        t->message_width = t->message_height = 0;
        draw_text(&t->draw, &text);
    } else {
        term_graphics(t);
    }
    if (t->draw.failed) {
        /* Half of a frame is none. */
        t->draw.failed = false;
        t->draw.len = t->sent = 0;
        draw_forget(&t->draw);
    }
    t->wait_ns = t->draw.len ? LOOK_MIN_NS : t->wait_ns * 2;
    t->wait_ns = t->wait_ns < LOOK_MAX_NS ? t->wait_ns : LOOK_MAX_NS;
    if (term_flush(t))
        term_arm(t, t->look, t->wait_ns);
}

static void
term_anew(struct term *t)
{
    draw_forget(&t->draw);
    t->message_width = t->message_height = 0;
    t->wait_ns = LOOK_MIN_NS;
    if (t->running)
        term_arm(t, t->look, 0);
}

/* ---- From the terminal ---- */

static uint64_t
term_receive(void *user, const void *buf, uint64_t n)
{
    struct term *t = user;
    const uint8_t *p = buf;
    uint64_t take = t->paced ? 0 : n < KEYS_AT_ONCE ? n : KEYS_AT_ONCE;

    for (uint64_t i = 0; i < take; i++)
        keys_byte(&t->keys, p[i]);
    if (take && keys_unsure(&t->keys))
        term_arm(t, t->escape, ESCAPE_NS);
    if (take) {
        t->paced = true;
        term_arm(t, t->pace, PACE_NS);
        if (t->wait_ns > LOOK_MIN_NS && t->sent == t->draw.len) {
            t->wait_ns = LOOK_MIN_NS;
            term_arm(t, t->look, t->wait_ns);
        }
    }
    return take;
}

static void
term_writable(void *user)
{
    struct term *t = user;

    t->stuck = false;
    if (term_flush(t) && t->running)
        term_arm(t, t->look, LOOK_MIN_NS);
}

static void
term_char_event(void *user, uint32_t what)
{
    /* A break: somebody else has written on it. */
    if (what == BP_CHAR_OPENED || what == BP_CHAR_BREAK)
        term_anew(user);
}

static void
term_event(void *self, uint32_t cookie, uint32_t mask)
{
    struct term *t = self;

    (void)mask;
    switch (cookie) {
    case EV_LOOK:
        term_look(t);
        break;
    case EV_ESCAPE:
        if (keys_unsure(&t->keys))
            keys_timeout(&t->keys);
        break;
    default: /* EV_PACE */
        t->paced = input_devices_retry(&t->input);
        if (t->paced)
            term_arm(t, t->pace, PACE_NS);
        else
            t->chardev->ready(t->chardev_self);
        break;
    }
}

/* ---- Life ---- */

static int
term_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct bp_value layout = {.size = sizeof layout};
    int err = host->prop(inst, "layout", &layout);
    struct term *t;

    if (err)
        return err;
    t = calloc(1, sizeof *t);
    if (!t)
        return BP_E_NOMEM;
    t->host = host;
    t->inst = inst;
    t->layout = layout_get((uint32_t)layout.i);
    draw_init(&t->draw);
    *ret_self = t;
    return 0;
}

static int
term_link(struct term *t)
{
    struct bp_link link = {.size = sizeof link};
    int err =
        t->host->link(t->inst, "chardev", BP_IF_CHAR, BP_UPTO(struct bp_char_if, connected), &link);

    if (err)
        return err;
    t->chardev_self = link.self;
    t->char_client = (struct bp_char_client){
        .size = sizeof t->char_client,
        .user = t,
        .receive = term_receive,
        .writable = term_writable,
        .event = term_char_event,
    };
    err = ((const struct bp_char_if *)link.iface)->attach(link.self, &t->char_client);
    if (!err)
        t->chardev = link.iface;
    return err;
}

static int
term_realize(void *self)
{
    struct term *t = self;
    int err;

    t->event = t->host->query(t->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, now));
    if (!t->event)
        return t->host->fail(t->inst, BP_E_NOTSUP, "needs " BP_IF_EVENT);
    if ((err = input_devices_link(&t->input, t->host, t->inst, "input")) ||
        (err = t->event->timer(t->inst, "look", BP_CLOCK_MONOTONIC, EV_LOOK, &t->look)) ||
        (err = t->event->timer(t->inst, "escape", BP_CLOCK_MONOTONIC, EV_ESCAPE, &t->escape)) ||
        (err = t->event->timer(t->inst, "pace", BP_CLOCK_MONOTONIC, EV_PACE, &t->pace)))
        return err;
    typist_init(&t->typist, &t->input, t->layout);
    keys_init(&t->keys, &t->typist);
    return term_link(t);
}

static int
term_start(void *self)
{
    struct term *t = self;

    t->running = true;
    t->paced = false;
    term_anew(t);
    t->chardev->ready(t->chardev_self);
    return 0;
}

static int
term_quiesce(void *self)
{
    struct term *t = self;

    t->event->arm(t->inst, t->look, BP_TIMER_OFF);
    t->event->arm(t->inst, t->escape, BP_TIMER_OFF);
    t->event->arm(t->inst, t->pace, BP_TIMER_OFF);
    if (t->running) {
        t->running = false;
        input_devices_release(&t->input);
        draw_leave(&t->draw);
        (void)term_flush(t);
    }
    return 0;
}

static int
term_attach(void *self, const struct bp_display_client *client)
{
    struct term *t = self;

    if (!client) {
        t->attached = false;
        return 0;
    }
    if (t->attached)
        return t->host->fail(t->inst, BP_E_BUSY, "another adapter has this display");
    if (!BP_HAS(struct bp_display_client, client, frame))
        return BP_E_INVAL;
    memset(&t->client, 0, sizeof t->client);
    memcpy(&t->client, client, client->size < sizeof t->client ? client->size : sizeof t->client);
    t->attached = true;
    return 0;
}

static const void *
term_query(void *self, const char *iface, uint32_t min_size)
{
    static const struct bp_display_if display = {
        .size = sizeof display,
        .attach = term_attach,
    };

    (void)self;
    return strcmp(iface, BP_IF_DISPLAY) == 0 && min_size <= sizeof display ? &display : NULL;
}

static void
term_destroy(void *self)
{
    struct term *t = self;

    if (t->chardev)
        t->chardev->attach(t->chardev_self, NULL);
    draw_fini(&t->draw);
    free(t);
}

static const struct bp_prop term_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_LINK,
     .flags = BP_P_REQUIRED | BP_P_PRIMARY,
     .name = "chardev",
     .help = "the terminal, e.g. stdio",
     .link_iface = BP_IF_CHAR},
    {.size = sizeof(struct bp_prop),
     .type = BP_LINK,
     .flags = BP_P_LIST,
     .name = "input",
     .help = "devices for keys; the machine's first one when not given",
     .link_iface = BP_IF_INPUT},
    {.size = sizeof(struct bp_prop),
     .type = BP_ENUM,
     .name = "layout",
     .help = "the guest's keyboard, since a terminal sends characters and not keys",
     .def = "us",
     .choices = layout_names},
};

static const char *const term_provides[] = {BP_IF_DISPLAY, NULL};
static const char *const term_needs[] = {BP_IF_EVENT, "?" BP_IF_INPUT, NULL};

static const struct bp_class term_class = {
    .size = sizeof term_class,
    .name = "display-term",
    .version = "1.0",
    .summary = "text modes on a terminal",
    .props = term_props,
    .n_props = sizeof term_props / sizeof *term_props,
    .prop_size = sizeof *term_props,
    .provides = term_provides,
    .needs = term_needs,
    .create = term_create,
    .realize = term_realize,
    .start = term_start,
    .quiesce = term_quiesce,
    .event = term_event,
    .query = term_query,
    .destroy = term_destroy,
};

BP_PLUGIN("display-term", "1.0", "BSD-3-Clause", "backplane", &term_class);
