# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# lib.sh - what the test scripts in a guest share. The host reads lines that start with "@@ " from
# the serial console and turns them into its own results:
#   @@ ok WHAT / @@ not ok WHAT     a check in the guest
#   @@ set KEY VALUE                something that the host compares
#   @@ end N                        the script came to its end and made N checks
checks=0

ok() { # WHAT COMMAND...: passes when COMMAND succeeds; its output is shown when not
  ok_what=$1
  shift
  checks=$((checks + 1))
  if "$@" >/tmp/ok 2>&1; then
    echo "@@ ok $ok_what"
  else
    echo "@@ not ok $ok_what"
    echo "$* failed:"
    tail -n 30 /tmp/ok
    return 1
  fi
}
is() { # WHAT GOT WANT
  checks=$((checks + 1))
  if [ "$2" = "$3" ]; then echo "@@ ok $1"; else echo "@@ not ok $1: '$2', not '$3'"; fi
}
between() { # WHAT VALUE LOW HIGH
  checks=$((checks + 1))
  if [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]; then echo "@@ ok $1"; else
    echo "@@ not ok $1: $2 is not from $3 to $4"
  fi
}
value() { echo "@@ set $1 $2"; }
finish() { # poweroff | reboot
  echo "@@ end $checks"
  sync
  "$1" -f
  sleep 60
  echo "@@ not ok $1: still here after a minute"
}

# The kernel complains about hardware in many ways. Advice about the processor is not one of them;
# nor, on an emulated host, is a WARNING about the size of XSAVE's area: QEMU's SVM does not
# intercept XSETBV, so KVM there never learns what the guest has enabled.
kernel_content() {
  dmesg | awk -v emulated="$emulated" '
    /------------\[ cut here \]/ { block = ""; inside = 1 }
    inside { block = block $0 "\n" }
    !inside
    /---\[ end trace/ {
      if (!emulated || block !~ /XSAVE consistency problem/) printf "%s", block
      inside = 0
    }' | grep -v 'Speculative Return Stack Overflow' | grep -E \
    'WARNING|BUG|Oops|Call Trace|ACPI.*[Ee]rror|ACPI BIOS|nobody cared|[Ff]irmware [Bb]ug|unchecked MSR|lockup|I/O error|DMAR|timed out' &&
    return 1
  return 0
}

# udhcpc waits for ever on an interface that is down, and a network may well have no server.
dhcp() { # INTERFACE
  ip link set "$1" up && timeout 60 udhcpc -q -n -t 5 -T 2 -i "$1" -s /lib/backplane/dhcp
}
