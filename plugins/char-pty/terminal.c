/* SPDX-License-Identifier: BSD-3-Clause */
/* terminal.c - see terminal.h. */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* A terminal that changes no byte, until whoever opens it wants it otherwise. Closing it again also
 * makes the master hang up, which a pty that was never open does not. */
static int
terminal_prepare(const struct terminal *t)
{
    struct termios mode;
    int fd = open(t->name, O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (tcgetattr(fd, &mode) == 0) {
        cfmakeraw(&mode);
        tcsetattr(fd, TCSANOW, &mode);
    }
    close(fd);
    return 0;
}

int
terminal_open(struct terminal *t)
{
    int err = 0;

    t->notify = -1;
    t->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (t->master < 0 || grantpt(t->master) < 0 || unlockpt(t->master) < 0 ||
        ptsname_r(t->master, t->name, sizeof t->name) != 0)
        err = -errno;
    if (!err)
        err = terminal_prepare(t);
    if (err) {
        terminal_close(t);
        return err;
    }
    t->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (t->notify >= 0 && inotify_add_watch(t->notify, t->name, IN_OPEN) < 0) {
        close(t->notify);
        t->notify = -1;
    }
    return 0;
}

void
terminal_close(struct terminal *t)
{
    if (t->notify >= 0)
        close(t->notify);
    if (t->master >= 0)
        close(t->master);
    t->notify = t->master = -1;
}

bool
terminal_in_use(const struct terminal *t)
{
    struct pollfd p = {.fd = t->master, .events = POLLIN};

    return poll(&p, 1, 0) >= 0 && (!(p.revents & POLLHUP) || p.revents & POLLIN);
}

void
terminal_notified(const struct terminal *t)
{
    char events[512];

    while (read(t->notify, events, sizeof events) > 0)
        ;
}

int
terminal_unread(const struct terminal *t)
{
    int fd = open(t->name, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), n = 0;

    if (fd < 0 || ioctl(fd, FIONREAD, &n) < 0)
        n = 0;
    if (fd >= 0)
        close(fd);
    return n;
}

int
terminal_check_link(const char *link, bool *ret_exists)
{
    char target[64], folder[PATH_MAX];
    struct stat st;
    ssize_t n;

    if (lstat(link, &st) == 0) {
        n = S_ISLNK(st.st_mode) ? readlink(link, target, sizeof target - 1) : -1;
        if (n < 0)
            return -EEXIST;
        target[n] = 0;
        if (strncmp(target, "/dev/pts/", 9) != 0)
            return -EEXIST;
        *ret_exists = true;
        return 0;
    }
    if (snprintf(folder, sizeof folder, "%s", link) >= (int)sizeof folder)
        return -ENAMETOOLONG;
    if (access(dirname(folder), W_OK | X_OK) < 0)
        return -errno;
    *ret_exists = false;
    return 0;
}

int
terminal_link(const struct terminal *t, const char *link)
{
    bool exists = false;
    int err = terminal_check_link(link, &exists);

    if (err)
        return err;
    if ((exists && unlink(link) < 0) || symlink(t->name, link) < 0)
        return -errno;
    return 0;
}

void
terminal_unlink(const struct terminal *t, const char *link)
{
    char target[sizeof t->name];
    ssize_t n = readlink(link, target, sizeof target - 1);

    if (n < 0)
        return;
    target[n] = 0;
    if (strcmp(target, t->name) == 0)
        unlink(link);
}
