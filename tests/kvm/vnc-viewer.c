/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vnc-viewer PORT [COMMAND ARGUMENT]... - a VNC viewer that does what it is told:
 *     look FILE.ppm   writes the whole picture
 *     lit N           waits until at least N pixels are not black
 *     type TEXT       characters; a newline is Enter
 *     point X,Y,MASK  moves the pointer, with these buttons
 * Status 1 when the server is not as it should be.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "rfb-client.h"

static struct rfb_client viewer;

static bool
open_port(uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    static const int32_t list[] = {16, -224, -223};

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    viewer.bytes = 4;
    viewer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(viewer.fd, (struct sockaddr *)&in, sizeof in) == 0 && rfb_join(&viewer) &&
           rfb_encodings(&viewer, list, 3);
}

static bool
look(const char *path)
{
    FILE *f;

    if (!rfb_refresh(&viewer, false) || !(f = fopen(path, "wb")))
        return false;
    fprintf(f, "P6 %u %u 255\n", viewer.width, viewer.height);
    for (uint32_t i = 0; i < viewer.width * viewer.height; i++) {
        const uint8_t rgb[] = {(uint8_t)(viewer.pixels[i] >> 16), (uint8_t)(viewer.pixels[i] >> 8),
                               (uint8_t)viewer.pixels[i]};

        fwrite(rgb, 3, 1, f);
    }
    return fclose(f) == 0;
}

static bool
lit(uint32_t want)
{
    bool incremental = false;

    while (rfb_refresh(&viewer, incremental)) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < viewer.width * viewer.height; i++)
            n += viewer.pixels[i] != 0;
        if (n >= want)
            return true;
        incremental = true;
    }
    return false;
}

static bool
type(const char *text)
{
    bool good = true;

    for (; *text && good; text++) {
        uint32_t keysym = *text == '\n' ? 0xff0d : (uint8_t)*text;

        good = rfb_key(&viewer, true, keysym) && rfb_key(&viewer, false, keysym);
    }
    return good;
}

static bool
point(const char *text)
{
    unsigned x, y, mask;

    return sscanf(text, "%u,%u,%u", &x, &y, &mask) == 3 && rfb_pointer(&viewer, mask, x, y);
}

static bool
obey(const char *command, const char *argument)
{
    if (strcmp(command, "look") == 0)
        return look(argument);
    if (strcmp(command, "lit") == 0)
        return lit((uint32_t)atoi(argument));
    if (strcmp(command, "type") == 0)
        return type(argument);
    return strcmp(command, "point") == 0 && point(argument);
}

int
main(int argc, char **argv)
{
    if (argc < 2 || !open_port((uint16_t)atoi(argv[1]))) {
        fprintf(stderr, "vnc-viewer: cannot join\n");
        return 1;
    }
    for (int i = 2; i + 1 < argc; i += 2)
        if (!obey(argv[i], argv[i + 1])) {
            fprintf(stderr, "vnc-viewer: %s %s: failed\n", argv[i], argv[i + 1]);
            return 1;
        }
    rfb_leave(&viewer);
    return 0;
}
