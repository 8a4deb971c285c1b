#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Debian's generic kernel. Half of the shapes: every pair of platform, processors and memory.
# shellcheck disable=SC2034 # read by boot.bash
kernel=generic shapes="pc:1:256M pc:2:5G pc:4:256M microvm:1:5G microvm:2:256M microvm:4:5G"
# shellcheck source-path=SCRIPTDIR source=boot.bash
. "${top_srcdir:-$(dirname "$0")/../..}/tests/nested/boot.bash"
