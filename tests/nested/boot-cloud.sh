#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Debian's cloud kernel, on machines of all shapes.
# shellcheck disable=SC2034 # read by boot.bash
kernel=cloud shapes=$(echo {pc,microvm}:{1,2,4}:{256M,5G})
# shellcheck source-path=SCRIPTDIR source=boot.bash
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/boot.bash"
