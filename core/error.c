/* SPDX-License-Identifier: BSD-3-Clause */
/* error.c - see error.h. */
#include "core/error.h"

G_DEFINE_QUARK(core - error - quark, core_error)
