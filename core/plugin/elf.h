/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * elf.h - what a shared object says of itself, read without executing any of it.
 *
 * Owns the ELF format as far as a plugin needs it: that the file is a loadable shared object for
 * this machine whose parts lie inside the file, its backplane note, and the libraries it wants. The
 * file is hostile: every offset, count and string is checked against the file's size before use.
 */
#ifndef CORE_PLUGIN_ELF_H
#define CORE_PLUGIN_ELF_H

#include <glib.h>
#include <stdint.h>

#include <backplane/plugin.h>

struct elf_info {
    uint32_t abi_major, api_level, api_need; /* the note */
    char id[BP_NOTE_ID_SIZE];
    char **needed; /* DT_NEEDED, NULL-ended */
};

/* name is for messages. FALSE: *ret_info is untouched. */
gboolean elf_read(int fd, const char *name, struct elf_info *ret_info, GError **error)
    __attribute__((warn_unused_result));
void elf_info_clear(struct elf_info *info);

#endif
