/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-boot-files.c - what can be wrong before any protocol: the config's combinations, files that
 * cannot be read, and files of other kinds, each named for what it is.
 */
#include "config.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/boot-images.h"

static void
test_config(void)
{
    const char *path = image_write("file", "x", 1);
    struct boot_module module = {path, NULL};
    static const char *const texts[] = {
        "nothing to boot",   "both `kernel` and `firmware`", "`initrd` goes with a kernel",
        "`modules` go with", "`cmdline` goes with",          "nothing to boot"};
    const struct boot_config cases[] = {
        {0},
        {.kernel = path, .firmware = path},
        {.firmware = path, .initrd = path},
        {.firmware = path, .modules = &module, .n_modules = 1},
        {.firmware = path, .cmdline = "quiet"},
        {.initrd = path, .cmdline = "quiet"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        refused("a combination", &cases[i], MIB(4), "boot", texts[i]);
}

/* The same faults for each kind of file. */
static void
test_unreadable(void)
{
    static const char *const kinds[] = {"kernel", "initrd", "firmware", "module"};
    const char *good = image_write("good", "x", 1), *dir = image_path("dir");
    const char *empty = image_write("empty", "", 0), *fifo = image_path("fifo");

    if (g_mkdir(dir, 0700) != 0 || mkfifo(fifo, 0600) != 0)
        abort();
    for (unsigned kind = 0; kind < G_N_ELEMENTS(kinds); kind++) {
        const struct {
            const char *path, *text;
        } cases[] = {
            {image_path("missing"), "No such file or directory; check the path"},
            {"", "No such file"},
            {dir, "is a directory; give the file of the"},
            {empty, "is empty; give the file of the"},
            {fifo, "is not a regular file"},
            {"/dev/null", "is not a regular file"},
            {image_path("good/below"), "Not a directory"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
            struct boot_module module = {cases[i].path, NULL};
            struct boot_config config = {.kernel = good};
            char what[64];

            if (kind == 0)
                config.kernel = cases[i].path;
            else if (kind == 1)
                config.initrd = cases[i].path;
            else if (kind == 2)
                config = (struct boot_config){.firmware = cases[i].path};
            else
                config = (struct boot_config){.kernel = good, .modules = &module, .n_modules = 1};
            g_snprintf(what, sizeof(what), "%s, case %zu", kinds[kind], i);
            refused(what, &config, MIB(4), cases[i].path, cases[i].text);
        }
    }
    g_rmdir(dir);
}

/* Without permission; root has it always, so another user tries. */
static void
test_permission(void)
{
    const char *path = image_write("secret", "x", 1);
    int status = 0;
    pid_t child;

    if (g_chmod(path, 0) != 0 || g_chmod(images_dir, 0755) != 0)
        abort();
    fflush(stdout);
    child = fork();
    if (child == 0) {
        struct boot_config config = {.kernel = path};
        struct memory_config memory = {.size_bytes = MIB(4)};
        GError *error = NULL;

        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        _exit(!boot_new(&config, memory_new(&memory, NULL), &error) && good_error(error, path) &&
                      strstr(error->message, "make it readable for this user")
                  ? 0
                  : 1);
    }
    ok(waitpid(child, &status, 0) == child && status == 0, "refused: a file without permission");
}

static void
kind(const char *what, const void *bytes, size_t len, const char *text)
{
    struct boot_config config = {0};
    uint8_t file[1024] = {0};

    memcpy(file, bytes, len);
    config.kernel = image_write("kind", file, sizeof(file));
    refused(what, &config, MIB(4), config.kernel, text);
}
#define KIND(what, bytes, text) kind(what, bytes, sizeof(bytes) - 1, text)

static void
test_kinds(void)
{
    uint8_t pe[512] = "MZ", arm[64] = {0};
    struct boot_config config = {0};

    KIND("gzip", "\x1f\x8b\x08", "a gzip file; decompress it with gunzip");
    KIND("xz", "\xfd\x37\x7a\x58\x5a\0", "an xz file");
    KIND("zstd", "\x28\xb5\x2f\xfd", "a zstd file");
    KIND("lz4, legacy", "\x02\x21\x4c\x18", "an lz4 file");
    KIND("lz4", "\x04\x22\x4d\x18", "an lz4 file");
    KIND("bzip2", "BZh9", "a bzip2 file");
    KIND("lzma", "\x5d\0\0\x80", "an lzma file");
    KIND("lzop", "\x89LZO\0", "an lzop file");
    KIND("qcow2", "QFI\xfb", "a qcow2 disk image");
    KIND("cpio", "070701000", "a cpio archive; it belongs to `initrd`");
    KIND("U-Boot", "\x27\x05\x19\x56", "a U-Boot image");
    KIND("Android", "ANDROID!", "an Android boot image");
    KIND("deb", "!<arch>\ndebian-binary", "an archive");
    KIND("script", "#!/bin/sh\n", "a script");
    KIND("zeroes", "", "no kernel of a known kind");
    KIND("DOS", "MZ\x90\0\3", "a DOS program");
    memcpy(arm + 0x38, "ARM\x64", 4);
    kind("arm64", arm, sizeof(arm), "an arm64 kernel");
    put(pe + 0x3c, 0x80, 4);
    memcpy(pe + 0x80, "PE\0\0", 4);
    put(pe + 0x84, 0x8664, 2);
    kind("EFI", pe, sizeof(pe), "an x86 EFI program without a bzImage header");
    put(pe + 0x84, 0xaa64, 2);
    kind("arm64 EFI", pe, sizeof(pe), "an EFI program for machine 0xaa64");
    put(pe + 0x84, 0x14c, 2);
    kind("32-bit EFI", pe, sizeof(pe), "a 32-bit x86 EFI program");
    put(pe + 0x3c, UINT32_MAX, 4);
    kind("EFI header out of the file", pe, sizeof(pe), "a DOS program");
    put(pe, 0, 2);
    put(pe + 510, 0xaa55, 2);
    kind("boot sector", pe, sizeof(pe), "a disk image or boot sector");
    config.kernel = image_write("text", "console=ttyS0\n", 14);
    refused("text", &config, MIB(4), config.kernel, "a text file");
    config.kernel = image_write("one", "\1", 1);
    refused("one byte", &config, MIB(4), config.kernel, "no kernel of a known kind");
    config.kernel = image_write("mz", "MZ", 2);
    refused("two bytes", &config, MIB(4), config.kernel, "a DOS program");
    config.kernel = image_write("elf", "\177ELF", 4);
    refused("an ELF magic alone", &config, MIB(4), config.kernel, "inside its header");
}

/* A multiboot kernel that shrinks or grows between opening and loading. */
static void
test_shrinking(void)
{
    g_autofree uint8_t *image = g_malloc0(100000);
    struct boot_config config = {0};
    struct machine m = machine_new(MIB(4));

    fill(image + 64, 100000 - 64, 1);
    put(image, 0x1badb002, 4);
    put(image + 4, 0x10000, 4);
    put(image + 8, -(uint32_t)0x1baeb002, 4);
    put(image + 12, MIB(1), 4);
    put(image + 16, MIB(1), 4);
    put(image + 28, MIB(1), 4);
    config.kernel = image_write("kernel", image, 100000);
    m.boot = boot_new(&config, m.mem, &m.error);
    if (!ok(m.boot && boot_load(m.boot, m.e820, 0, &m.entry, &m.error), "loads when whole"))
        printf("# %s\n", m.error->message);
    if (truncate(config.kernel, 50000) != 0)
        abort();
    ok(!boot_load(m.boot, m.e820, 0, &m.entry, &m.error) && good_error(m.error, config.kernel) &&
           strstr(m.error->message, "ends at byte 50000"),
       "shrinks: %s", m.error ? m.error->message : "loaded");
    g_clear_error(&m.error);
    if (truncate(config.kernel, 0) != 0)
        abort();
    ok(!boot_load(m.boot, m.e820, 0, &m.entry, &m.error) && good_error(m.error, config.kernel),
       "to nothing: %s", m.error ? m.error->message : "loaded");
    machine_free(&m);
}

int
main(void)
{
    test_config();
    test_unreadable();
    test_permission();
    test_kinds();
    test_shrinking();
    boot_free(NULL);
    images_remove();
    return done_testing();
}
