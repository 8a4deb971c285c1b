/* SPDX-License-Identifier: BSD-3-Clause */
/* notify.c - see notify.h. */
#include <errno.h>
#include <glib.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/machine/log.h"
#include "core/machine/notify.h"

void
notify_send(const char *state)
{
    const char *path = secure_getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    socklen_t len;
    size_t n;
    int fd;

    if (!path || !*path)
        return;
    n = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || n >= sizeof to.sun_path) {
        log_line(LOG_LEVEL_WARNING, "NOTIFY_SOCKET is no socket: %s", path);
        return;
    }
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* a name that is in no file system */
    len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* A receiver that is slow must not hold a machine. */
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                         (const struct sockaddr *)&to, len) < 0)
        log_line(LOG_LEVEL_WARNING, "cannot notify %s: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
}
