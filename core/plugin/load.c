/* SPDX-License-Identifier: BSD-3-Clause */
/* load.c - see load.h. */
#include "config.h"

#include "core/plugin/load.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/plugin/describe.h"
#include "core/plugin/guard.h"

__attribute__((format(printf, 3, 4))) static gboolean
load_bad(GError **error, const char *file, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG, "%s: %s", file, text);
    g_free(text);
    return FALSE;
}

/* Whoever can write here can make us run what they like, sticky bit or not. */
static gboolean
load_check_folder(const char *file, const char *in_folder_of, GError **error)
{
    char *folder = g_path_get_dirname(in_folder_of);
    gboolean good = TRUE;
    struct stat st;

    if (stat(folder, &st) < 0)
        good = load_bad(error, file, "%s: %s", folder, g_strerror(errno));
    else if (st.st_mode & S_IWOTH)
        good = load_bad(error, file, "its folder %s is world-writable; run chmod o-w %s", folder,
                        folder);
    g_free(folder);
    return good;
}

/* On success the file's descriptor; the name behind all symbolic links goes to *ret_real. */
static int
load_open(const char *file, char **ret_real, GError **error)
{
    char *real = realpath(file, NULL);
    struct stat st;
    int fd;

    /* Not blocking, since a FIFO without a writer would. */
    fd = real ? open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
    if (fd < 0 || fstat(fd, &st) < 0) {
        (void)load_bad(error, file, "cannot open: %s; install it again", g_strerror(errno));
        goto fail;
    }
    if (!S_ISREG(st.st_mode)) {
        (void)load_bad(error, file, "%s, not a file; remove it from the plugin folder",
                       S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
        goto fail;
    }
    if (st.st_mode & S_IWOTH) {
        (void)load_bad(error, file, "the file is world-writable; run chmod o-w %s", real);
        goto fail;
    }
    if (!load_check_folder(file, file, error) || !load_check_folder(file, real, error))
        goto fail;
    *ret_real = real;
    return fd;
fail:
    if (fd >= 0)
        close(fd);
    free(real);
    return -1;
}

static gboolean
load_check_levels(const char *file, const struct elf_info *info, GError **error)
{
    if (info->abi_major != BP_ABI_MAJOR)
        return load_bad(error, file,
                        "built for plugin ABI %u, but this backplane (" PACKAGE_VERSION
                        ") has ABI %u; install backplane-plugin-%s for ABI %u",
                        info->abi_major, BP_ABI_MAJOR, info->id, BP_ABI_MAJOR);
    if (info->api_need > info->api_level)
        return load_bad(error, file,
                        "its note needs API level %u but was built at %u; build it again",
                        info->api_need, info->api_level);
    if (info->api_need > BP_API_LATEST)
        return load_bad(error, file,
                        "needs plugin API level %u, but this backplane (" PACKAGE_VERSION
                        ") has level %u; upgrade backplane",
                        info->api_need, BP_API_LATEST);
    if (info->api_level < BP_API_MIN)
        return load_bad(error, file,
                        "built for plugin API level %u, but this backplane (" PACKAGE_VERSION
                        ") takes level %u and newer; upgrade backplane-plugin-%s",
                        info->api_level, BP_API_MIN, info->id);
    return TRUE;
}

/* The file may be reached through a symbolic link of any name, but its own name is its id. */
static gboolean
load_check_id(const char *file, const char *real, const struct elf_info *info, GError **error)
{
    char *base = g_path_get_basename(real), *want = g_strdup_printf("%s.so", info->id);
    gboolean good = strcmp(base, want) == 0;

    if (!good)
        (void)load_bad(error, file, "it calls itself %s, but the file is named %s; rename it to %s",
                       info->id, base, want);
    g_free(base);
    g_free(want);
    return good;
}

gboolean
load_check(const char *file, struct elf_info *ret_info, GError **error)
{
    struct elf_info info;
    char *real = NULL;
    gboolean good;
    int fd = load_open(file, &real, error);

    if (fd < 0)
        return FALSE;
    good = elf_read(fd, file, &info, error);
    if (good) {
        good = load_check_levels(file, &info, error) && load_check_id(file, real, &info, error);
        if (good)
            *ret_info = info;
        else
            elf_info_clear(&info);
    }
    close(fd);
    free(real);
    return good;
}

/* The descriptor and the note are two witnesses of one build. */
static gboolean
load_check_witness(const char *file, const struct elf_info *info, const struct plugin_class *cls,
                   GError **error)
{
    if (strcmp(info->id, cls->plugin) != 0)
        return load_bad(error, file,
                        "its note says %s but its descriptor says %s; the plugin is faulty, ask "
                        "its author",
                        info->id, cls->plugin);
    if (info->abi_major != cls->abi_major || info->api_level != cls->api_level ||
        info->api_need != cls->api_need)
        return load_bad(error, file,
                        "its note has levels %u, %u, %u but its descriptor %u, %u, %u; the plugin "
                        "is faulty, ask its author",
                        info->abi_major, info->api_level, info->api_need, cls->abi_major,
                        cls->api_level, cls->api_need);
    return TRUE;
}

static GPtrArray *
load_run(const char *file, const struct elf_info *info, GError **error)
{
    static const struct bp_hello hello = {
        .size = sizeof hello,
        .api_min = BP_API_MIN,
        .api_level = BP_API_LATEST,
        .core_version = PACKAGE_VERSION,
    };
    struct plugin_guard guard = {.file = file, .call = "dlopen()"};
    const struct bp_plugin *(*entry)(const struct bp_hello *);
    const struct bp_plugin *theirs;
    GPtrArray *classes = NULL;
    void *handle, *symbol;

    plugin_guard_enter(&guard);
    /* A name without a slash would be looked for in the library path. */
    handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        (void)load_bad(error, file,
                       "cannot be opened: %s; install the library that it wants, or "
                       "build it again",
                       dlerror());
        goto out;
    }
    symbol = dlsym(handle, BP_ENTRY);
    if (!symbol) {
        (void)load_bad(error, file,
                       "no entry " BP_ENTRY "() in it; link it with "
                       "backplane-plugin.map");
        goto out;
    }
    memcpy(&entry, &symbol, sizeof entry); /* an object pointer is no function pointer in C */
    guard.call = BP_ENTRY "()";
    theirs = entry(&hello);
    if (!theirs) {
        (void)load_bad(error, file,
                       "refuses this backplane (" PACKAGE_VERSION ", plugin API "
                       "level %u); install versions that fit together",
                       BP_API_LATEST);
        goto out;
    }
    guard.call = "its descriptor";
    classes = describe_plugin(theirs, file, error);
    if (classes && !load_check_witness(file, info, g_ptr_array_index(classes, 0), error)) {
        g_ptr_array_free(classes, TRUE);
        classes = NULL;
    }
out:
    plugin_guard_leave(&guard);
    return classes;
}

GPtrArray *
load_classes(const char *file, GError **error)
{
    struct elf_info info;
    GPtrArray *classes;

    if (!load_check(file, &info, error))
        return NULL;
    classes = load_run(file, &info, error);
    elf_info_clear(&info);
    return classes;
}
