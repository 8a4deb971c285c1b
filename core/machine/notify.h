/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * notify.h - tells who started the program how far it is, by the protocol of sd_notify(3): a line
 * of text to the socket that NOTIFY_SOCKET names. Without one nothing is told, and nobody waits for
 * it.
 */
#ifndef CORE_MACHINE_NOTIFY_H
#define CORE_MACHINE_NOTIFY_H

/* "READY=1", "STOPPING=1"; several lines with newlines between. */
void notify_send(const char *state);

#endif
