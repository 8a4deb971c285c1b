/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * machine.h - builds a machine from a config, runs it, or only checks that it could be run.
 */
#ifndef CORE_MACHINE_MACHINE_H
#define CORE_MACHINE_MACHINE_H

#include <glib.h>

#include "core/config/config.h"
#include "core/kvm/vm.h"

struct machine;

/*
 * KVM takes its time, so what it does is begun as soon as it can be, and goes on while the caller
 * does the rest:
 *
 *     machine = machine_new();                     nothing is known: the VM
 *     machine_begin(machine, config)               after config_read(): memory, and its slots
 *     machine_run(machine)                         after config_resolve(): everything else
 *
 * The config outlives the machine, which can be freed at any of these points. [main]
 */
struct machine *machine_new(void) __attribute__((warn_unused_result));
gboolean machine_begin(struct machine *m, struct config *config, GError **error)
    __attribute__((warn_unused_result));
/*
 * Runs on the calling thread until the machine powers off, is told to stop, or fails. Returns
 * the exit status (0 power-off; what the guest chose through a request to exit), or -1 with an
 * error whose code is the exit status. SIGTERM presses the power button, SIGINT and a second
 * SIGTERM stop the machine, SIGHUP has the back ends look at their files again.
 */
int machine_run(struct machine *m, GError **error) __attribute__((warn_unused_result));
void machine_free(struct machine *m);

/*
 * Everything that a run does before the first guest instruction, but without KVM and
 * without leaving a trace: files, clashes of ports, addresses and interrupts, the kernel's headers.
 * [main]
 */
gboolean machine_check(struct config *config, GError **error) __attribute__((warn_unused_result));

#endif
