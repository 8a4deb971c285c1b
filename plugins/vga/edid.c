/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edid.c - the monitor that the guest sees: VESA E-EDID 1.4, one block, a preferred mode.
 */
#include <string.h>

#include "vga.h"

enum {
    AT_MANUFACTURER = 8,
    AT_PRODUCT = 10,
    AT_WEEK = 16,
    AT_YEAR = 17,
    AT_VERSION = 18,
    AT_INPUT = 20,
    AT_WIDTH_CM = 21,
    AT_HEIGHT_CM = 22,
    AT_GAMMA = 23,
    AT_FEATURES = 24,
    AT_CHROMATICITY = 25,
    AT_ESTABLISHED = 35,
    AT_STANDARD = 38,
    AT_DETAILED = 54,
    AT_RANGE = 72,
    AT_NAME = 90,
    AT_DUMMY = 108,
    AT_CHECKSUM = 127,
};

#define DPI 96u

static void
put16(uint8_t *p, uint32_t val)
{
    p[0] = (uint8_t)val;
    p[1] = (uint8_t)(val >> 8);
}

/* 3.10.2, with the blanking of VESA's CVT for flat panels: 160 pixels, at least 460 us. */
static void
detailed(uint8_t *d, uint32_t w, uint32_t h)
{
    const uint32_t h_blank = 160, h_front = 48, h_sync = 32, v_front = 3, v_sync = 6;
    uint32_t v_blank = h * 460 / (16667 - 460) + 1;
    uint32_t clock, mm_w = w * 254 / (DPI * 10), mm_h = h * 254 / (DPI * 10);

    v_blank = v_blank < v_front + v_sync + 6 ? v_front + v_sync + 6 : v_blank;
    clock = (w + h_blank) * (h + v_blank) / 1000 * 60 / 10; /* in 10 kHz */
    put16(d, clock);
    d[2] = (uint8_t)w;
    d[3] = (uint8_t)h_blank;
    d[4] = (uint8_t)(w >> 8 << 4 | h_blank >> 8);
    d[5] = (uint8_t)h;
    d[6] = (uint8_t)v_blank;
    d[7] = (uint8_t)(h >> 8 << 4 | v_blank >> 8);
    d[8] = h_front;
    d[9] = h_sync;
    d[10] = v_front << 4 | v_sync;
    d[12] = (uint8_t)mm_w;
    d[13] = (uint8_t)mm_h;
    d[14] = (uint8_t)(mm_w >> 8 << 4 | mm_h >> 8);
    d[17] = 0x1e; /* digital separate sync, both positive */
}

/* 3.9: a width and an aspect ratio, at 60 Hz. */
static void
standard(uint8_t *s, uint32_t w, uint32_t ratio)
{
    s[0] = (uint8_t)(w / 8 - 31);
    s[1] = (uint8_t)(ratio << 6);
}

static void
descriptor(uint8_t *d, uint8_t tag, const void *data, uint32_t len)
{
    d[3] = tag;
    memset(d + 5, ' ', 13);
    memcpy(d + 5, data, len);
}

void
vga_edid(uint8_t e[128], uint32_t w, uint32_t h)
{
    static const uint8_t header[] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    /* sRGB's primaries and white, 10 bits each as 3.7 packs them */
    static const uint8_t srgb[] = {0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54};
    /* 50-125 Hz, 30-160 kHz, up to 600 MHz, nothing more */
    static const uint8_t range[] = {50, 125, 30, 160, 60, 1, 0x0a, ' ', ' ', ' ', ' ', ' ', ' '};
    enum { R16_10, R4_3, R5_4, R16_9 };
    uint8_t sum = 0;

    memset(e, 0, 128);
    memcpy(e, header, sizeof header);
    e[AT_MANUFACTURER] = ('B' - '@') << 2 | ('K' - '@') >> 3; /* "BKP", big endian */
    e[AT_MANUFACTURER + 1] = (uint8_t)(('K' - '@') << 5 | ('P' - '@'));
    put16(e + AT_PRODUCT, 1);
    e[AT_WEEK] = 1;
    e[AT_YEAR] = 2026 - 1990;
    e[AT_VERSION] = 1;
    e[AT_VERSION + 1] = 4;
    e[AT_INPUT] = 0xa0; /* digital, 8 bits a colour */
    e[AT_WIDTH_CM] = (uint8_t)(w * 254 / (DPI * 100));
    e[AT_HEIGHT_CM] = (uint8_t)(h * 254 / (DPI * 100));
    e[AT_GAMMA] = 120;
    e[AT_FEATURES] = 0x06; /* sRGB; the first detailed timing is the native mode */
    memcpy(e + AT_CHROMATICITY, srgb, sizeof srgb);
    e[AT_ESTABLISHED] = 0x21;     /* 640x480, 800x600 at 60 Hz */
    e[AT_ESTABLISHED + 1] = 0x08; /* 1024x768 at 60 Hz */
    standard(e + AT_STANDARD, 1920, R16_9);
    standard(e + AT_STANDARD + 2, 1280, R16_9);
    standard(e + AT_STANDARD + 4, 1680, R16_10);
    standard(e + AT_STANDARD + 6, 1440, R16_10);
    standard(e + AT_STANDARD + 8, 1280, R16_10);
    standard(e + AT_STANDARD + 10, 1600, R4_3);
    standard(e + AT_STANDARD + 12, 1280, R5_4);
    standard(e + AT_STANDARD + 14, 1152, R4_3);
    detailed(e + AT_DETAILED, w, h);
    descriptor(e + AT_RANGE, 0xfd, range, sizeof range);
    descriptor(e + AT_NAME, 0xfc, "Backplane\n", 10);
    e[AT_DUMMY + 3] = 0x10;
    for (unsigned i = 0; i < AT_CHECKSUM; i++)
        sum = (uint8_t)(sum + e[i]);
    e[AT_CHECKSUM] = (uint8_t)-sum;
}
