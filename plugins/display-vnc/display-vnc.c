/* SPDX-License-Identifier: BSD-3-Clause */
/* display-vnc.c - plugin `display-vnc`: an adapter's picture for VNC viewers. The parts: vnc.h. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vnc.h"

#define VNC_PORT    5900
#define NS_PER_S    INT64_C(1000000000)
#define DISPLAY_MAX (65535 - VNC_PORT)

/* ---- Properties ---- */

/* "ADDRESS:DISPLAY", or "ADDRESS::PORT"; an IPv6 address may stand in brackets. */
static int
vnc_set_listen(struct vnc *vnc, const char *text)
{
    char host[128], *colon, *rest;
    bool port;
    long n;

    snprintf(host, sizeof host, "%s", text);
    colon = strrchr(host, ':');
    if (!colon || colon == host || strlen(text) >= sizeof host)
        return BP_E_INVAL;
    n = strtol(colon + 1, &rest, 10);
    if (rest == colon + 1 || *rest || n < 0)
        return BP_E_INVAL;
    port = colon[-1] == ':';
    colon[port ? -1 : 0] = 0;
    if (n > (port ? 65535 : DISPLAY_MAX))
        return BP_E_INVAL;
    colon = host;
    if (*host == '[' && host[strlen(host) - 1] == ']') {
        host[strlen(host) - 1] = 0;
        colon++;
    }
    return address_set_tcp(&vnc->address, colon, (uint16_t)(port ? n : VNC_PORT + n));
}

static int
vnc_set_address(struct vnc *vnc)
{
    struct bp_value path = {.size = sizeof path}, listen = {.size = sizeof listen};
    int err;

    if ((err = vnc->host->prop(vnc->inst, "path", &path)) ||
        (err = vnc->host->prop(vnc->inst, "listen", &listen)))
        return err;
    if (path.n) {
        if (address_set_path(&vnc->address, path.s))
            return bp_failf(vnc->host, vnc->inst, BP_E_INVAL,
                            "path %s: a socket's name cannot be that long", path.s);
    } else if (vnc_set_listen(vnc, listen.s)) {
        return bp_failf(
            vnc->host, vnc->inst, BP_E_INVAL,
            "listen \"%s\": give a numeric address and a display, as in 127.0.0.1:0, or "
            "an address, two colons and a port",
            listen.s);
    }
    return 0;
}

static bool
vnc_is_local(const struct address *a)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (a->path)
        return true;
    if (a->sa.ss_family == AF_INET) {
        memcpy(&in, &a->sa, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    memcpy(&in6, &a->sa, sizeof in6);
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

static int
vnc_keep_password(struct vnc *vnc, const char *text, size_t len)
{
    if (len > VNC_PASSWORD_MAX)
        return vnc->host->fail(vnc->inst, BP_E_INVAL,
                               "the password is longer than the 8 characters that VNC looks at");
    memcpy(vnc->password, text, len);
    return 0;
}

/* The first line of the file. */
static int
vnc_read_password(struct vnc *vnc)
{
    char text[64];
    ssize_t n;
    int fd = vnc->host->open(vnc->inst, "password-file", BP_OPEN_READ);

    if (fd < 0)
        return fd;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n < 0)
        return bp_failf(vnc->host, vnc->inst, -errno, "password-file: %s", strerror(errno));
    text[n] = 0;
    n = (ssize_t)strcspn(text, "\r\n");
    if (n == 0)
        return vnc->host->fail(vnc->inst, BP_E_INVAL, "password-file: its first line is empty");
    return vnc_keep_password(vnc, text, (size_t)n);
}

static int
vnc_set_password(struct vnc *vnc)
{
    struct bp_value password = {.size = sizeof password}, file = {.size = sizeof file};
    struct bp_value anyone = {.size = sizeof anyone};
    int err;

    if ((err = vnc->host->prop(vnc->inst, "password", &password)) ||
        (err = vnc->host->prop(vnc->inst, "password-file", &file)) ||
        (err = vnc->host->prop(vnc->inst, "anyone", &anyone)))
        return err;
    if (password.n && file.n)
        return vnc->host->fail(vnc->inst, BP_E_INVAL, "give password or password-file, not both");
    if (password.n)
        err = vnc_keep_password(vnc, password.s, strlen(password.s));
    else if (file.n)
        err = vnc_read_password(vnc);
    if (err)
        return err;
    if (!vnc->password[0] && !anyone.i && !vnc_is_local(&vnc->address))
        return bp_failf(vnc->host, vnc->inst, BP_E_INVAL,
                        "%s can be reached from other machines: set password-file, or anyone = "
                        "true if nobody has to be kept out",
                        vnc->address.text);
    return 0;
}

/* ---- Life ---- */

static int
vnc_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct bp_value viewers = {.size = sizeof viewers}, rate = {.size = sizeof rate};
    struct bp_value name = {.size = sizeof name}, layout = {.size = sizeof layout};
    struct vnc *vnc;
    int err;

    if ((err = host->prop(inst, "viewers", &viewers)) ||
        (err = host->prop(inst, "frame-rate", &rate)) || (err = host->prop(inst, "name", &name)) ||
        (err = host->prop(inst, "layout", &layout)))
        return err;
    vnc = calloc(1, sizeof *vnc);
    if (!vnc)
        return BP_E_NOMEM;
    vnc->host = host;
    vnc->inst = inst;
    vnc->listener = -1;
    vnc->name = name.s;
    vnc->max_viewers = (uint32_t)viewers.i;
    vnc->period_ns = vnc->wait_ns = NS_PER_S / rate.i;
    vnc->layout = layout_get((uint32_t)layout.i);
    if ((err = vnc_set_address(vnc)) || (err = canvas_init(&vnc->canvas))) {
        free(vnc);
        return err;
    }
    pthread_mutex_init(&vnc->lock, NULL);
    *ret_self = vnc;
    return 0;
}

static int
vnc_realize(void *self)
{
    struct vnc *vnc = self;
    int err;

    vnc->event = vnc->host->query(vnc->inst, BP_IF_EVENT, BP_UPTO(struct bp_event_if, close));
    if (!vnc->event)
        return vnc->host->fail(vnc->inst, BP_E_NOTSUP, "needs " BP_IF_EVENT);
    if ((err = vnc_set_password(vnc)) ||
        (err = input_devices_link(&vnc->input, vnc->host, vnc->inst, "input")) ||
        (err = vnc->event->timer(vnc->inst, "frame", BP_CLOCK_MONOTONIC, VNC_EV_FRAME,
                                 &vnc->frame_timer)) ||
        (err = vnc->event->timer(vnc->inst, "keep", BP_CLOCK_MONOTONIC, VNC_EV_KEEP,
                                 &vnc->keep_timer)) ||
        (err = vnc->event->soft(vnc->inst, "encoder", VNC_EV_KICK, &vnc->kick)))
        return err;
    return server_open(vnc);
}

static int
vnc_start(void *self)
{
    return server_start(self);
}

static int
vnc_quiesce(void *self)
{
    return server_quiesce(self);
}

static void
vnc_event(void *self, uint32_t cookie, uint32_t mask)
{
    server_event(self, cookie, mask);
}

static int
vnc_attach(void *self, const struct bp_display_client *client)
{
    struct vnc *vnc = self;

    if (!client) {
        vnc->attached = false;
        return 0;
    }
    if (vnc->attached)
        return vnc->host->fail(vnc->inst, BP_E_BUSY, "another adapter has this display");
    if (!BP_HAS(struct bp_display_client, client, frame))
        return BP_E_INVAL;
    memset(&vnc->client, 0, sizeof vnc->client);
    memcpy(&vnc->client, client,
           client->size < sizeof vnc->client ? client->size : sizeof vnc->client);
    vnc->attached = vnc->whole_wanted = true;
    return 0;
}

static const void *
vnc_query(void *self, const char *iface, uint32_t min_size)
{
    static const struct bp_display_if display = {
        .size = sizeof display,
        .attach = vnc_attach,
    };

    (void)self;
    return strcmp(iface, BP_IF_DISPLAY) == 0 && min_size <= sizeof display ? &display : NULL;
}

static void
vnc_destroy(void *self)
{
    struct vnc *vnc = self;

    server_close(vnc);
    canvas_fini(&vnc->canvas);
    tiles_fini(&vnc->changed);
    pthread_mutex_destroy(&vnc->lock);
    explicit_bzero(vnc->password, sizeof vnc->password);
    free(vnc);
}

static const struct bp_prop vnc_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_STR,
     .flags = BP_P_PRIMARY,
     .name = "listen",
     .help = "numeric address and display, or address, two colons and a TCP port",
     .def = "127.0.0.1:0"},
    {.size = sizeof(struct bp_prop),
     .type = BP_PATH,
     .name = "path",
     .help = "UNIX socket to listen on instead"},
    {.size = sizeof(struct bp_prop),
     .type = BP_STR,
     .flags = BP_P_SECRET,
     .name = "password",
     .help = "what a viewer has to know, up to 8 characters"},
    {.size = sizeof(struct bp_prop),
     .type = BP_PATH,
     .name = "password-file",
     .help = "file whose first line is the password"},
    {.size = sizeof(struct bp_prop),
     .type = BP_BOOL,
     .name = "anyone",
     .help = "whether viewers from other machines need no password",
     .def = "false"},
    {.size = sizeof(struct bp_prop),
     .type = BP_LINK,
     .flags = BP_P_LIST,
     .name = "input",
     .help = "devices for keys and pointer; the machine's first one when not given",
     .link_iface = BP_IF_INPUT},
    {.size = sizeof(struct bp_prop),
     .type = BP_ENUM,
     .name = "layout",
     .help = "the guest's keyboard, for viewers that send characters and not keys",
     .def = "us",
     .choices = layout_names},
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "viewers",
     .help = "how many may watch at once",
     .def = "8",
     .min = 1,
     .max = VNC_VIEWERS_MAX},
    {.size = sizeof(struct bp_prop),
     .type = BP_INT,
     .name = "frame-rate",
     .help = "frames a second, at most",
     .def = "30",
     .min = 1,
     .max = 120},
    {.size = sizeof(struct bp_prop),
     .type = BP_STR,
     .name = "name",
     .help = "what viewers show as the title",
     .def = "Backplane"},
};

static const char *const vnc_provides[] = {BP_IF_DISPLAY, NULL};
static const char *const vnc_needs[] = {BP_IF_EVENT, "?" BP_IF_INPUT, NULL};

static const struct bp_class vnc_class = {
    .size = sizeof vnc_class,
    .name = "display-vnc",
    .version = "1.0",
    .summary = "the picture for VNC viewers",
    .props = vnc_props,
    .n_props = sizeof vnc_props / sizeof *vnc_props,
    .prop_size = sizeof *vnc_props,
    .provides = vnc_provides,
    .needs = vnc_needs,
    .create = vnc_create,
    .realize = vnc_realize,
    .start = vnc_start,
    .quiesce = vnc_quiesce,
    .event = vnc_event,
    .query = vnc_query,
    .destroy = vnc_destroy,
};

BP_PLUGIN("display-vnc", "1.0", "BSD-3-Clause", "backplane", &vnc_class);
