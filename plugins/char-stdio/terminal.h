/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * terminal.h - the terminal on standard input: raw while it is ours, and only then.
 *
 * In the background the terminal is somebody else's and is neither read nor changed. What happens
 * to it when the program is killed is the program's business.
 */
#ifndef CHAR_STDIO_TERMINAL_H
#define CHAR_STDIO_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct terminal {
    bool signals; /* leave Ctrl-C and the like to the kernel */
    bool raw;     /* it is as we want it; was is how it was */
    struct termios was;
};

/* Makes it raw, again if somebody else has changed it; false: not from the background. */
bool terminal_take(struct terminal *);
/* As it was. Again is fine. */
void terminal_restore(struct terminal *);

#endif
