/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keys.h - what a terminal sends when keys are pressed (ECMA-48 and xterm's ways), as keys for the
 * guest. Bytes come in any pieces.
 */
#ifndef DISPLAY_TERM_KEYS_H
#define DISPLAY_TERM_KEYS_H

#include "input/typist.h"

struct keys {
    struct typist *typist;
    uint8_t seq[16]; /* an escape sequence or a character that is not complete */
    uint32_t n;
};

void keys_init(struct keys *, struct typist *);
void keys_byte(struct keys *, uint8_t);
/* True: what is there may be all there is (Escape itself); tell keys_timeout() if nothing comes. */
bool keys_unsure(const struct keys *);
void keys_timeout(struct keys *);

#endif
