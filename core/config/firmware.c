/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * firmware.c - `firmware = NAME`: a path, or the name of a list of paths, one a line, in the folder
 * `firmware` of the data folders. So a distribution says where its images are, and the core knows
 * none by name.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/config/private.h"
#include "core/config/reader.h"
#include "core/error.h"

#define FIRMWARE_LIST_MAX 65536 /* bytes of a list */

/* The first path of a list that can be read, or NULL with all of them in tried. */
static char *
firmware_from_list(const char *list, GString *tried)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    gsize len = 0;

    if (!g_file_get_contents(list, &text, &len, NULL) || len > FIRMWARE_LIST_MAX)
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; lines[i]; i++) {
        const char *path = g_strstrip(lines[i]);

        if (*path == '/' && access(path, R_OK) == 0)
            return g_strdup(path);
        if (*path == '/')
            g_string_append_printf(tried, "%s%s", tried->len ? ", " : "", path);
    }
    return NULL;
}

char *
config_find_firmware(const char *path, const struct config_source *src, GError **error)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *own = config_folder_of(src->file);
    g_autofree char *in_data = NULL, *list = NULL;
    g_autoptr(GString) lists = g_string_new(NULL), tried = g_string_new(NULL);
    char *found;
    int err;

    if (access(path, R_OK) == 0)
        return g_strdup(path);
    err = errno;
    /* Only what was written without a folder is a name. */
    if (err == ENOENT && strcmp(folder, own) == 0) {
        in_data = g_build_filename("firmware", name, NULL);
        list = reader_find_data(in_data, src->file, lists);
    }
    found = list ? firmware_from_list(list, tried) : NULL;
    if (!found && list)
        (void)config_bad(error, src, "boot",
                         "firmware: none of the images in %s can be read: %s; install one, or "
                         "give the path of yours",
                         list, tried->len ? tried->str : "it names none");
    else if (!found)
        (void)config_bad(error, src, "boot", "firmware: cannot read %s: %s%s%s", path,
                         g_strerror(err), lists->len ? "; as a name it was looked for at " : "",
                         lists->str);
    return found;
}
