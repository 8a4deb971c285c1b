# SPDX-License-Identifier: BSD-3-Clause
# Sequence of debhelper: dh $@ --with backplane, or Build-Depends: dh-sequence-backplane.
use warnings;
use strict;
use Debian::Debhelper::Dh_Lib;

insert_before('dh_gencontrol', 'dh_backplane');

1;
