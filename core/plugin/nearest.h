/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nearest.h - the name that somebody meant when they mistyped one.
 */
#ifndef CORE_PLUGIN_NEAREST_H
#define CORE_PLUGIN_NEAREST_H

/*
 * The candidate (NULL-ended list) that is fewest insertions, deletions, substitutions and swaps of
 * neighbours away from word; NULL when none is near enough to be worth a suggestion. The first of
 * equals wins. The result points into the list.
 */
const char *nearest_name(const char *word, const char *const *candidates);

#endif
