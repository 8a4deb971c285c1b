/* SPDX-License-Identifier: BSD-3-Clause */
/* fifo.h - bytes that wait inside a device for the controller to take them. */
#ifndef I8042_FIFO_H
#define I8042_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#define FIFO_LEN 64

struct fifo {
    uint8_t first, n;
    uint8_t bytes[FIFO_LEN];
};

static inline uint32_t
fifo_room(const struct fifo *f)
{
    return FIFO_LEN - f->n;
}

static inline void
fifo_put(struct fifo *f, uint8_t byte)
{
    if (f->n < FIFO_LEN)
        f->bytes[(f->first + f->n++) % FIFO_LEN] = byte;
}

/* Only when n is not 0. */
static inline uint8_t
fifo_take(struct fifo *f)
{
    uint8_t byte = f->bytes[f->first];

    f->first = (uint8_t)((f->first + 1) % FIFO_LEN);
    f->n--;
    return byte;
}

static inline void
fifo_clear(struct fifo *f)
{
    f->first = f->n = 0;
}

#endif
