/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * machine.h - builds a machine from a config, runs it, or only checks that it could be run.
 */
#ifndef CORE_MACHINE_MACHINE_H
#define CORE_MACHINE_MACHINE_H

#include <glib.h>

#include "core/config/config.h"
#include "core/kvm/vm.h"

/*
 * Runs the machine on the calling thread until it powers off, is told to stop, or fails. vm comes
 * from vm_new() and is taken; making it before the config is read saves time. Returns
 * the exit status (0 power-off; what the guest chose through a request to exit), or -1 with an
 * error whose code is the exit status. SIGTERM presses the power button, SIGINT and a second
 * SIGTERM stop the machine, SIGHUP has the back ends look at their files again. [main]
 */
int machine_run(struct vm *vm, struct config *config, GError **error)
    __attribute__((warn_unused_result));

/*
 * Everything that machine_run() does before the first guest instruction, but without KVM and
 * without leaving a trace: files, clashes of ports, addresses and interrupts, the kernel's headers.
 * [main]
 */
gboolean machine_check(struct config *config, GError **error) __attribute__((warn_unused_result));

#endif
