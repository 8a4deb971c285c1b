# SPDX-License-Identifier: BSD-3-Clause
# profile.awk - what a callgrind profile (--compress-strings=no --compress-pos=no) says of plugins.
#
#   instructions MODULE N      in the plugin or library itself, without what it calls
#   libc MODULE FUNCTION N     calls of the C library
#   host MODULE FUNCTION N     calls of the host's and the other side's functions
#   function MODULE NAME N     instructions by function, for whoever looks into it
#
# The fake host and the driver's side are in the test's own program and library.
function module(path,    n, parts) {
  n = split(path, parts, "/")
  sub(/\.so.*/, "", parts[n])
  return parts[n]
}
function is_plugin(path) {
  return path ~ /\.so/ && path !~ /libbackplane-test|\/libc\.so|\/ld-linux|\/libpthread|vgpreload/
}
/^ob=/ { object = substr($0, 4); cobject = object; next }
/^fn=/ { fn = substr($0, 4); cobject = object; next }
/^cob=/ { cobject = substr($0, 5); next }
/^cfn=/ { cfn = substr($0, 5); next }
/^calls=/ {
  calls = substr($1, 7)
  if (is_plugin(object) && !is_plugin(cobject)) {
    sub(/@.*/, "", cfn)
    sub(/'.*/, "", cfn)
    if (cobject ~ /\/libc\.so|\/ld-linux|\/libpthread/) libc[module(object) " " cfn] += calls
    else host[module(object) " " cfn] += calls
  }
  getline # the callee's cost
  cobject = object
  next
}
/^(0x)?[0-9]/ && is_plugin(object) {
  self[module(object)] += $2
  functions[module(object) " " fn] += $2
}
END {
  for (i in self) print "instructions", i, self[i]
  for (i in libc) print "libc", i, libc[i]
  for (i in host) print "host", i, host[i]
  for (i in functions) print "function", i, functions[i]
}
