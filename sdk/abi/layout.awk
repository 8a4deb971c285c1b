# SPDX-License-Identifier: BSD-3-Clause
# layout.awk - of what list.awk wrote, a C program. Compiled with the headers of one day and run, it
# prints another C file, which compiles without a warning only with headers that have kept the
# layout: each member at its offset, with its type; each size; each number; each string.
# The numbers that say which version this is are meant to change.
function quote(s) { gsub(/["\\]/, "\\\\&", s); gsub(/%/, "%%", s); return s }
BEGIN {
    print "#include <stdio.h>\n#include <backplane/backplane.h>\nint main(void)\n{"
    print "    puts(\"#include <backplane/backplane.h>\\nextern const int layout;\");"
}
$1 == "struct" { structs[++n] = $2 }
$1 == "member" {
    rest = $0
    sub(/^member [^ ]+ [^ ]+ /, "", rest)
    at = index(rest, "@")
    type = substr(rest, 1, at - 1) "(*p_)" substr(rest, at + 1)
    printf "    printf(\"_Static_assert(offsetof(struct %s, %s) == %%zu, \\\"%s.%s has moved\\\");\\n\", offsetof(struct %s, %s));\n", $2, $3, $2, $3, $2, $3
    printf "    puts(\"__attribute__((unused)) static void type_of_%s_%s(struct %s *s)\\n{\\n    %s = &s->%s;\\n    (void)p_;\\n}\");\n", $2, $3, $2, quote(type), $3
    if ($3 == "size" && !($2 in first)) sized[$2] = 1
    first[$2] = 1
}
$1 == "const" && $2 !~ /^BP_(API_|DRAFT_)/ {
    printf "    printf(\"_Static_assert((%s) == %%lldLL, \\\"%s has another value\\\");\\n\", (long long)(%s));\n", $2, $2, $2
}
# A macro may be defined again, if only as what it is already.
$1 == "string" { printf "    puts(\"#define %s \\\"\" %s \"\\\"\");\n", $2, $2 }
END {
    for (i = 1; i <= n; i++) {
        s = structs[i]
        # What says its own size may grow at its end, nothing else may.
        printf "    printf(\"_Static_assert(sizeof(struct %s) %s %%zu, \\\"struct %s has another size\\\");\\n\", sizeof(struct %s));\n", s, (s in sized) ? ">=" : "==", s, s
    }
    print "    return 0;\n}"
}
