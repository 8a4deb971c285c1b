/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * picture-compare A.png B.ppm BITS - status 0 when both have the same pixels in the upper BITS of
 * each colour; 1 when not, with the first difference; 2 when one of them is no whole picture (yet).
 */
#include <png.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct picture {
    unsigned width, height;
    uint8_t *rgb;
};

static int
read_png(const char *path, struct picture *p)
{
    png_image image = {.version = PNG_IMAGE_VERSION};

    if (!png_image_begin_read_from_file(&image, path))
        return 0;
    image.format = PNG_FORMAT_RGB;
    p->width = image.width;
    p->height = image.height;
    p->rgb = malloc(PNG_IMAGE_SIZE(image));
    return p->rgb && png_image_finish_read(&image, NULL, p->rgb, 0, NULL);
}

static int
read_ppm(const char *path, struct picture *p)
{
    FILE *f = fopen(path, "rb");
    unsigned max = 0;
    size_t n;
    int good;

    if (!f)
        return 0;
    good = fscanf(f, "P6 %5u %5u %5u", &p->width, &p->height, &max) == 3 && max == 255 &&
           fgetc(f) != EOF && p->width <= 16384 && p->height <= 16384;
    if (good) {
        n = (size_t)p->width * p->height * 3;
        p->rgb = malloc(n + 1);
        good = p->rgb && fread(p->rgb, 1, n, f) == n;
    }
    fclose(f);
    return good;
}

int
main(int argc, char **argv)
{
    struct picture a = {0}, b = {0};
    unsigned long differ = 0;
    unsigned shift = argc == 4 ? 8u - (unsigned)atoi(argv[3]) % 9 : 0;
    int status = 0;

    if (argc != 4 || !read_png(argv[1], &a) || !read_ppm(argv[2], &b)) {
        status = 2;
    } else if (a.width != b.width || a.height != b.height) {
        printf("%ux%u and %ux%u\n", a.width, a.height, b.width, b.height);
        status = 1;
    } else {
        for (size_t i = 0; i < (size_t)a.width * a.height; i++) {
            const uint8_t *p = a.rgb + 3 * i, *q = b.rgb + 3 * i;

            if (p[0] >> shift == q[0] >> shift && p[1] >> shift == q[1] >> shift &&
                p[2] >> shift == q[2] >> shift)
                continue;
            if (!differ++)
                printf("at %zu,%zu %02x%02x%02x and %02x%02x%02x\n", i % a.width, i / a.width, p[0],
                       p[1], p[2], q[0], q[1], q[2]);
        }
        status = differ != 0;
        if (differ)
            printf("%lu of %ux%u pixels differ\n", differ, a.width, a.height);
    }
    free(a.rgb);
    free(b.rgb);
    return status;
}
