#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Debian's generic kernel on every shape of machine: see boot.bash.
kernel=generic
# shellcheck source-path=SCRIPTDIR source=boot.bash
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/boot.bash"
