/* SPDX-License-Identifier: BSD-3-Clause */
/* signals.c - SIGTERM, SIGINT and SIGHUP as events of the main loop. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/error.h"
#include "core/machine/log.h"
#include "core/machine/machine-private.h"

static void
handled_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

/* Before any thread exists, so that all of them inherit it. */
void
signals_block(void)
{
    sigset_t set;

    handled_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error of one write */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that may not grow */
}

static void
on_signal(void *user, uint32_t mask)
{
    struct machine *m = user;
    struct signalfd_siginfo info;

    (void)mask;
    if (read(m->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    switch (info.ssi_signo) {
    case SIGHUP:
        lifecycle_refresh(m);
        break;
    case SIGTERM:
        if (!m->button_pressed && lifecycle_power_button(m)) {
            log_line(LOG_LEVEL_INFO, "power button pressed; SIGTERM again stops at once");
            m->button_pressed = TRUE;
            break;
        }
        machine_request(m, BP_REQ_POWEROFF, 0);
        break;
    default:
        machine_request(m, BP_REQ_POWEROFF, 0);
        break;
    }
}

gboolean
signals_watch(struct machine *m, GError **error)
{
    sigset_t set;
    int err;

    handled_signals(&set);
    m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    err = m->signal_fd < 0
              ? -errno
              : loop_add_watch(m->loop, m->signal_fd, BP_EV_READ, NULL, on_signal, m, &m->signals);
    if (err) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_HOST, "cannot watch for signals: %s",
                    g_strerror(-err));
        return FALSE;
    }
    return TRUE;
}

void
signals_unwatch(struct machine *m)
{
    g_clear_pointer(&m->signals, loop_source_remove);
    if (m->signal_fd >= 0)
        close(m->signal_fd);
    m->signal_fd = -1;
}
