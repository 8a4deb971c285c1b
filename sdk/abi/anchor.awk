# SPDX-License-Identifier: BSD-3-Clause
# anchor.awk - of what list.awk wrote, the source of a library with a function for each struct. What
# a plugin gets through query() is a `const void *`, so a tool that follows the types of functions
# sees none of the tables; by these it sees all.
BEGIN { print "#include <backplane/backplane.h>" }
$1 == "struct" {
    printf "BP_EXPORT void anchor_%s(struct %s *);\nvoid anchor_%s(struct %s *p)\n{\n    (void)p;\n}\n", $2, $2, $2, $2
}
