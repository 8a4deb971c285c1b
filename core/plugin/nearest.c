/* SPDX-License-Identifier: BSD-3-Clause */
/* nearest.c - see nearest.h. Optimal string alignment distance over bytes. */
#include "core/plugin/nearest.h"

#include <glib.h>
#include <string.h>

#define NEAREST_MAX 63 /* longer words are not names; they get no suggestion */

static unsigned
nearest_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][NEAREST_MAX + 2];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *free_row = before;

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned cost = a[i - 1] != b[j - 1];

            row[j] = MIN(MIN(above[j], row[j - 1]) + 1, above[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = MIN(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
        row = free_row;
    }
    return above[b_len];
}

const char *
nearest_name(const char *word, const char *const *candidates)
{
    size_t len = strlen(word);
    const char *best = NULL;
    unsigned best_distance = 0;

    if (len == 0 || len > NEAREST_MAX)
        return NULL;
    for (; *candidates; candidates++) {
        size_t other = strlen(*candidates);
        unsigned distance;

        if (other > NEAREST_MAX)
            continue;
        distance = nearest_distance(word, len, *candidates, other);
        /* A third of the letters may be wrong; one always may, unless that is all of the word. */
        if (distance > MAX(1, MAX(len, other) / 3) || distance >= MIN(len, other))
            continue;
        if (!best || distance < best_distance) {
            best = *candidates;
            best_distance = distance;
        }
    }
    return best;
}
