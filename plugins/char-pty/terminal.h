/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * terminal.h - a pseudo-terminal and the symbolic link to it. Knows nothing of byte streams and
 * events. Functions that can fail return 0 or -errno.
 */
#ifndef CHAR_PTY_TERMINAL_H
#define CHAR_PTY_TERMINAL_H

#include <stdbool.h>

struct terminal {
    int master; /* -1: none */
    int notify; /* becomes readable when the terminal is opened; -1 where there is no inotify */
    char name[64];
};

int terminal_open(struct terminal *);
void terminal_close(struct terminal *);
/* Whether somebody has it open, or left something behind. */
bool terminal_in_use(const struct terminal *);
/* Takes note of all that notify had to tell. */
void terminal_notified(const struct terminal *);
/* How much its reader has not read yet, as far as the line discipline has it. */
int terminal_unread(const struct terminal *);

/* Whether terminal_link() would do, without a trace. -EEXIST: the place is taken by something that
 * is not the link to a terminal. */
int terminal_check_link(const char *link, bool *ret_exists);
int terminal_link(const struct terminal *, const char *link);
/* Unless it is somebody else's by now. */
void terminal_unlink(const struct terminal *, const char *link);

#endif
