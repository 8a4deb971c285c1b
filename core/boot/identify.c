/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * identify.c - what a file is that cannot be booted, so that the error says what to do about it.
 */
#include "core/boot/internal.h"

struct magic {
    uint32_t offset, len;
    const char *bytes;
    const char *what;
};

/* More specific ones first. */
static const struct magic magics[] = {
    {0x38, 4, "ARM\x64", "an arm64 kernel; give an x86-64 one"},
    {0x38, 4, "RSC\x05", "a RISC-V kernel; give an x86-64 one"},
    {0, 2, "\x1f\x8b", "a gzip file; decompress it with gunzip"},
    {0, 6, "\xfd\x37\x7a\x58\x5a\x00", "an xz file; decompress it with unxz"},
    {0, 4, "\x28\xb5\x2f\xfd", "a zstd file; decompress it with unzstd"},
    {0, 4, "\x02\x21\x4c\x18", "an lz4 file; decompress it with unlz4"},
    {0, 4, "\x04\x22\x4d\x18", "an lz4 file; decompress it with unlz4"},
    {0, 3, "BZh", "a bzip2 file; decompress it with bunzip2"},
    {0, 5, "\x89LZO\0", "an lzop file; decompress it with lzop -d"},
    {0, 3, "\x5d\0\0", "an lzma file; decompress it with unlzma"},
    {0, 4, "QFI\xfb", "a qcow2 disk image; give it to a disk, and boot a kernel or firmware"},
    {0, 6, "070701", "a cpio archive; it belongs to `initrd`"},
    {0, 6, "070702", "a cpio archive; it belongs to `initrd`"},
    {0, 4, "\x27\x05\x19\x56", "a U-Boot image; extract the bzImage from it"},
    {0, 8, "ANDROID!", "an Android boot image; extract the bzImage from it"},
    {0, 8, "!<arch>\n", "an archive (a package or library); give the kernel that is in it"},
    {0, 2, "#!", "a script; give a kernel image"},
    {0, 4, "#sys", "a text file; give a kernel image"},
    {510, 2, "\x55\xaa",
     "a disk image or boot sector; give it to a disk, and boot a kernel or firmware"},
};

/* PE/COFF: the offset at 0x3c leads to "PE\0\0" and the machine. */
static char *
identify_pe(const uint8_t *head, size_t len)
{
    uint32_t pe = len >= 0x40 ? get32(head + 0x3c) : UINT32_MAX;

    if (len < 6 || pe > len - 6 || memcmp(head + pe, "PE\0", 4) != 0)
        return g_strdup("a DOS program; give a kernel image");
    if (get16(head + pe + 4) == 0x8664)
        return g_strdup("an x86 EFI program without a bzImage header; give the bzImage (vmlinuz) "
                        "itself, or boot it through firmware");
    if (get16(head + pe + 4) == 0x14c)
        return g_strdup("a 32-bit x86 EFI program without a bzImage header; give the bzImage "
                        "(vmlinuz) itself, or boot it through firmware");
    return g_strdup_printf("an EFI program for machine 0x%x; give an x86-64 kernel",
                           get16(head + pe + 4));
}

static bool
is_text(const uint8_t *head, size_t len)
{
    for (size_t i = 0; i < MIN(len, 512); i++)
        if (head[i] == 0 || head[i] == 0x7f || (head[i] < ' ' && !strchr("\t\n\r\f", head[i])))
            return false;
    return true;
}

char *
boot_identify(const uint8_t *head, size_t len)
{
    if (elf_probe(head, len))
        return g_strdup("an ELF kernel without PVH note or multiboot header; give the bzImage "
                        "(vmlinuz) of this kernel, or build it with CONFIG_PVH=y");
    for (size_t i = 0; i < G_N_ELEMENTS(magics); i++)
        if (len >= magics[i].offset + magics[i].len &&
            memcmp(head + magics[i].offset, magics[i].bytes, magics[i].len) == 0)
            return g_strdup(magics[i].what);
    if (len >= 2 && memcmp(head, "MZ", 2) == 0)
        return identify_pe(head, len);
    if (is_text(head, len))
        return g_strdup("a text file; give a kernel image");
    return g_strdup("no kernel of a known kind; give a Linux bzImage (vmlinuz), a PVH or a "
                    "multiboot kernel");
}
