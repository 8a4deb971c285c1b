/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.h - the one GError domain of the core.
 *
 * A code is the exit status that the program ends with when the error reaches main(), so every
 * place that reports an error decides, by choosing a code, what the caller's shell sees. Messages
 * read `file:line: section: what is wrong; what to do`, as far as file, line and section are known.
 */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H

#include <glib.h>

enum core_error {
    CORE_ERROR_CONFIG = 2, /* the config file, or a file that it names, is at fault */
    CORE_ERROR_HOST = 3,   /* this host cannot do what was asked (KVM, memory, permissions) */
    CORE_ERROR_GUEST = 4,  /* the guest did something that no machine can carry on from */
};

#define CORE_ERROR core_error_quark()
GQuark core_error_quark(void);

#endif
