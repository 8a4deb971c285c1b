/* SPDX-License-Identifier: BSD-3-Clause */
/* backplane/backplane.h - all of the SDK but the stdio helpers of backplane/log.h. */
#ifndef BACKPLANE_BACKPLANE_H
#define BACKPLANE_BACKPLANE_H

#include <backplane/base.h>
#include <backplane/host.h>
#include <backplane/plugin.h>
#include <backplane/props.h>
#include <backplane/state.h>
#include <backplane/version.h>

#include <backplane/if/acpi.h>
#include <backplane/if/block.h>
#include <backplane/if/char.h>
#include <backplane/if/display.h>
#include <backplane/if/event.h>
#include <backplane/if/input.h>
#include <backplane/if/io.h>
#include <backplane/if/irq.h>
#include <backplane/if/machine.h>
#include <backplane/if/mem.h>
#include <backplane/if/net.h>
#include <backplane/if/pci.h>
#include <backplane/if/ram.h>

#endif
