/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * encode.h - a picture as a PNG file. The only place that knows libpng.
 */
#ifndef PLUGINS_DISPLAY_PNG_ENCODE_H
#define PLUGINS_DISPLAY_PNG_ENCODE_H

#include <stdint.h>

struct picture {
    uint32_t width, height;
    uint32_t *pixels; /* width * height of 0xRRGGBB */
};

/* Writes it to fd. 0 or -errno. */
int encode_png(int fd, const struct picture *picture) __attribute__((warn_unused_result));

#endif
