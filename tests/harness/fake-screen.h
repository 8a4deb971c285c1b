/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake-screen.h - what a display is between, for tests of displays: an adapter with a picture that
 * the test draws, and an input device that keeps what it was sent. One of each.
 */
#ifndef TESTS_FAKE_SCREEN_H
#define TESTS_FAKE_SCREEN_H

#include <backplane/test.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADAPTER_RECTS 64

static struct adapter {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_display_if *display;
    void *display_self;
    uint32_t width, height, stride; /* stride: in pixels */
    uint32_t *pixels;
    struct bp_display_rect rects[ADAPTER_RECTS], given[ADAPTER_RECTS];
    uint32_t n_rects, asked, whole;
    int resized, can_resize;
    uint32_t resize_width, resize_height;
    struct bp_display_text text; /* columns 0: no text mode */
    struct bp_display_cell cells[80 * 50];
} adapter;

static __attribute__((unused)) int
adapter_frame(void *user, uint32_t flags, struct bp_display_frame *ret)
{
    (void)user;
    adapter.asked++;
    if (flags & BP_DISPLAY_WHOLE || adapter.resized) {
        adapter.whole++;
        adapter.n_rects = adapter.width ? 1 : 0;
        adapter.rects[0] = (struct bp_display_rect){0, 0, adapter.width, adapter.height};
    }
    memcpy(adapter.given, adapter.rects, sizeof adapter.given);
    ret->flags = adapter.resized ? BP_DISPLAY_RESIZED : 0;
    ret->width = adapter.width;
    ret->height = adapter.height;
    ret->stride = adapter.stride * 4;
    ret->pixels = adapter.width ? adapter.pixels : NULL;
    ret->n_rects = adapter.n_rects;
    ret->rects = adapter.given;
    adapter.resized = 0;
    adapter.n_rects = 0;
    return (int)ret->n_rects;
}

static __attribute__((unused)) int
adapter_text(void *user, struct bp_display_text *ret)
{
    (void)user;
    if (!adapter.text.columns)
        return BP_E_NOTSUP;
    *ret = adapter.text;
    ret->size = sizeof *ret;
    ret->cells = adapter.cells;
    return 0;
}

static __attribute__((unused)) int
adapter_resize(void *user, uint32_t width, uint32_t height)
{
    (void)user;
    adapter.resize_width = width;
    adapter.resize_height = height;
    return 0;
}

static __attribute__((unused)) void
adapter_size(uint32_t width, uint32_t height)
{
    free(adapter.pixels);
    adapter.width = width;
    adapter.height = height;
    adapter.stride = width + 3;
    adapter.pixels = calloc((size_t)adapter.stride * height + 1, 4);
    adapter.resized = 1;
}

static __attribute__((unused)) uint32_t
adapter_pixel(uint32_t x, uint32_t y)
{
    return adapter.pixels[(size_t)y * adapter.stride + x] & 0xffffff;
}

/* Something in every pixel of a rectangle; the upper byte is noise. */
static __attribute__((unused)) void
adapter_draw(uint32_t x0, uint32_t y0, uint32_t w, uint32_t h, uint32_t seed)
{
    for (uint32_t y = y0; y < y0 + h; y++)
        for (uint32_t x = x0; x < x0 + w; x++)
            adapter.pixels[(size_t)y * adapter.stride + x] =
                ((x / 7 * 2654435761u) ^ (y / 5 * 40503u) ^ seed * 977u) | seed << 24;
    if (adapter.n_rects < ADAPTER_RECTS)
        adapter.rects[adapter.n_rects++] = (struct bp_display_rect){x0, y0, w, h};
}

static int
adapter_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    adapter.host = host;
    adapter.inst = inst;
    *ret_self = &adapter;
    return 0;
}

static int
adapter_realize(void *self)
{
    const struct bp_display_client client = {
        .size = sizeof client,
        .frame = adapter_frame,
        .text = adapter_text,
        .resize = adapter.can_resize ? adapter_resize : NULL,
    };
    struct bp_link link = {.size = sizeof link};
    int err = adapter.host->link(adapter.inst, "display", BP_IF_DISPLAY,
                                 BP_UPTO(struct bp_display_if, attach), &link);

    (void)self;
    if (err)
        return err;
    adapter.display = link.iface;
    adapter.display_self = link.self;
    if ((err = adapter.display->attach(link.self, &client)))
        return err;
    return adapter.display->attach(link.self, &client) == BP_E_BUSY ? 0 : BP_E_EXIST;
}

static void
adapter_destroy(void *self)
{
    (void)self;
    if (adapter.display)
        adapter.display->attach(adapter.display_self, NULL);
    free(adapter.pixels);
    adapter.pixels = NULL;
}

static const struct bp_prop adapter_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_LINK,
     .name = "display",
     .help = "a display",
     .link_iface = BP_IF_DISPLAY},
};

static __attribute__((unused)) const struct bp_class adapter_class = {
    .size = sizeof adapter_class,
    .name = "adapter",
    .version = "1",
    .summary = "an adapter of the test's",
    .props = adapter_props,
    .n_props = 1,
    .prop_size = sizeof *adapter_props,
    .create = adapter_create,
    .realize = adapter_realize,
    .destroy = adapter_destroy,
};

/* ---- Input ---- */

#define INPUT_KEPT 512

static struct input {
    uint32_t takes, lights, n;
    int err; /* that send() gives */
    struct bp_input_event events[INPUT_KEPT];
} input;

static uint32_t
input_takes(void *dev)
{
    return ((struct input *)dev)->takes;
}

static int
input_send(void *dev, const struct bp_input_event *events, uint32_t n)
{
    struct input *in = dev;

    if (in->err)
        return in->err;
    for (uint32_t i = 0; i < n; i++)
        if (in->n < INPUT_KEPT)
            in->events[in->n++] = events[i];
    return 0;
}

static uint32_t
input_leds(void *dev)
{
    return ((struct input *)dev)->lights;
}

static __attribute__((unused)) const struct bp_input_if input_table = {
    .size = sizeof input_table,
    .takes = input_takes,
    .send = input_send,
    .leds = input_leds,
};

/* What was sent, as text: "+30 -30 X100 Y200 dx1 wheel-1"; n = 0 forgets it. */
static __attribute__((unused)) const char *
input_text(void)
{
    static char text[INPUT_KEPT * 16];
    static const char *const rel[] = {"dx", "dy", "?", "?", "?", "?", "hwheel", "?", "wheel"};
    char *p = text;

    *p = 0;
    for (uint32_t i = 0; i < input.n; i++) {
        const struct bp_input_event *e = &input.events[i];

        if (i)
            *p++ = ' ';
        if (e->type == BP_INPUT_KEY)
            p += sprintf(p, "%c%u", e->value ? '+' : '-', e->code);
        else if (e->type == BP_INPUT_ABS)
            p += sprintf(p, "%c%d", e->code ? 'Y' : 'X', e->value);
        else
            p += sprintf(p, "%s%d", e->code < 9 ? rel[e->code] : "?", e->value);
    }
    return text;
}

#endif
