/* SPDX-License-Identifier: BSD-3-Clause */
/* encode.c - see encode.h. libpng reports errors by longjmp(), which does not leave this file. */
#include "encode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <unistd.h>

#include <png.h>

/* Screens are mostly areas of one colour: more effort makes them hardly smaller. */
#define LEVEL 3

struct output {
    int fd, err;
};

static void
encode_write(png_structp png, png_bytep p, png_size_t n)
{
    struct output *out = png_get_io_ptr(png);

    while (n) {
        ssize_t done = write(out->fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            out->err = done < 0 ? -errno : -EIO;
            png_error(png, "write");
        }
        p += done;
        n -= (png_size_t)done;
    }
}

static void
encode_flush(png_structp png)
{
    (void)png;
}

static void
encode_warning(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

static void
encode_error(png_structp png, png_const_charp text)
{
    (void)text;
    longjmp(png_jmpbuf(png), 1);
}

static void
encode_rows(png_structp png, const struct picture *picture, uint8_t *row)
{
    for (uint32_t y = 0; y < picture->height; y++) {
        const uint32_t *from = picture->pixels + (size_t)y * picture->width;
        uint8_t *to = row;

        for (uint32_t x = 0; x < picture->width; x++, to += 3) {
            to[0] = (uint8_t)(from[x] >> 16);
            to[1] = (uint8_t)(from[x] >> 8);
            to[2] = (uint8_t)from[x];
        }
        png_write_row(png, row);
    }
}

/* What longjmp() must not lose is the caller's. */
static void
encode(png_structp png, png_infop info, const struct picture *picture, uint8_t *row,
       struct output *out)
{
    if (setjmp(png_jmpbuf(png))) {
        if (!out->err)
            out->err = -ENOMEM; /* nothing else goes wrong with a picture of our own */
        return;
    }
    png_set_write_fn(png, out, encode_write, encode_flush);
    png_set_compression_level(png, LEVEL);
    png_set_IHDR(png, info, picture->width, picture->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    encode_rows(png, picture, row);
    png_write_end(png, info);
}

int
encode_png(int fd, const struct picture *picture)
{
    struct output out = {.fd = fd};
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, encode_error, encode_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    uint8_t *row = malloc((size_t)picture->width * 3);

    if (info && row)
        encode(png, info, picture, row, &out);
    else
        out.err = -ENOMEM;
    png_destroy_write_struct(&png, &info);
    free(row);
    return out.err;
}
