/* SPDX-License-Identifier: BSD-3-Clause */
/* terminal.c - see terminal.h. */
#include "terminal.h"

#include <unistd.h>

/* A terminal that is not our controlling one has no foreground to be out of. */
static bool
terminal_in_foreground(void)
{
    pid_t owner = tcgetpgrp(STDIN_FILENO);

    return owner < 0 || owner == getpgrp();
}

bool
terminal_take(struct terminal *d)
{
    struct termios t;

    if (!terminal_in_foreground()) {
        d->raw = false;
        return false;
    }
    if (tcgetattr(STDIN_FILENO, &t) < 0)
        return true;
    /* A shell that stopped us and let us go on may have changed it meanwhile. */
    if (d->raw && !(t.c_lflag & ICANON))
        return true;
    d->was = t;
    t.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    /* Output processing stays: it does no harm to a guest's CR LF, and our own messages need it. */
    t.c_oflag |= OPOST;
    t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    if (!d->signals)
        t.c_lflag &= ~(tcflag_t)ISIG;
    t.c_cflag = (t.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    d->raw = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
    return true;
}

void
terminal_restore(struct terminal *d)
{
    /* From the background it would stop us, and the shell has set the terminal as it likes. */
    if (d->raw && terminal_in_foreground())
        tcsetattr(STDIN_FILENO, TCSANOW, &d->was);
    d->raw = false;
}
