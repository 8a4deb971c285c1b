/* SPDX-License-Identifier: BSD-3-Clause */
/* The AML encoder, byte by byte against ACPI 6.4, chapters 20 and 6.4. */
#include "plugins/acpi/aml.h"
#include "tap.h"

static int
is(struct aml *b, const char *what, const void *want, size_t len)
{
    int good = ok(!aml_failed(b) && b->len == len && memcmp(b->data, want, len) == 0, "%s", what);

    if (!good) {
        printf("# got");
        for (size_t i = 0; i < b->len && i < 64; i++)
            printf(" %02x", b->data[i]);
        printf(" (%zu bytes)\n", b->len);
    }
    aml_fini(b);
    return good;
}

/* The bytes of a string literal, without its NUL. */
#define IS(b, what, lit) is(b, what, lit, sizeof(lit) - 1)

static void
test_names(void)
{
    struct aml b;

    aml_init(&b);
    aml_name_path(&b, "_HID");
    IS(&b, "a name segment", "_HID");
    aml_name_path(&b, "\\_SB");
    IS(&b, "a root path, padded", "\\_SB_");
    aml_name_path(&b, "\\_SB.PCI0");
    IS(&b, "two segments", "\\\x2e_SB_PCI0");
    aml_name_path(&b, "^^A.BC.DEF");
    IS(&b, "three segments from a parent",
       "^^\x2f\x03"
       "A___BC__DEF_");
    aml_name_path(&b, "\\");
    IS(&b, "the root alone", "\\\0");
    aml_name(&b, "_UID");
    IS(&b, "a Name", "\x08_UID");
}

static void
test_integers(void)
{
    struct aml b;

    aml_init(&b);
    aml_integer(&b, 0);
    IS(&b, "zero", "\x00");
    aml_integer(&b, 1);
    IS(&b, "one", "\x01");
    aml_integer(&b, 2);
    IS(&b, "two", "\x0a\x02");
    aml_integer(&b, 0xff);
    IS(&b, "the largest byte", "\x0a\xff");
    aml_integer(&b, 0x100);
    IS(&b, "the smallest word", "\x0b\x00\x01");
    aml_integer(&b, 0xffff);
    IS(&b, "the largest word", "\x0b\xff\xff");
    aml_integer(&b, 0x10000);
    IS(&b, "the smallest double word", "\x0c\x00\x00\x01\x00");
    aml_integer(&b, 0xffffffff);
    IS(&b, "the largest double word", "\x0c\xff\xff\xff\xff");
    aml_integer(&b, 0x100000000);
    IS(&b, "the smallest quad word", "\x0e\0\0\0\0\x01\0\0\0");
    aml_integer(&b, UINT64_MAX);
    IS(&b, "the largest quad word", "\x0e\xff\xff\xff\xff\xff\xff\xff\xff");
    aml_string(&b, "AB");
    IS(&b, "a string",
       "\x0d"
       "AB\0");
}

static void
test_ids(void)
{
    uint32_t val = 0;
    struct aml b;

    aml_init(&b);
    ok(aml_eisa_id("PNP0A03", &val) && val == 0x030ad041, "PNP0A03 as the specification has it");
    ok(aml_eisa_id("PNP0501", &val) && val == 0x0105d041, "PNP0501");
    val = 7;
    ok(!aml_eisa_id("LNRO0005", &val) && !aml_eisa_id("ACPI0007", &val) &&
           !aml_eisa_id("pnp0501", &val) && !aml_eisa_id("PNP05G1", &val) &&
           !aml_eisa_id("PNP050", &val) && !aml_eisa_id("", &val) && val == 7,
       "what has another shape is no EISA id");
    aml_id(&b, "PNP0501");
    IS(&b, "an EISA id is compressed", "\x0c\x41\xd0\x05\x01");
    aml_id(&b, "LNRO0005");
    IS(&b, "another stays a string", "\x0dLNRO0005\0");
}

/* A scope with `len` bytes of content behind its name: the length counts itself and the name. */
static void
test_length(size_t len, const char *head, size_t head_len)
{
    struct aml b;
    size_t mark;
    int good;

    aml_init(&b);
    aml_u8(&b, 0xaa);
    mark = aml_scope_begin(&b, "ABCD");
    for (size_t i = 0; i < len; i++)
        aml_u8(&b, (uint8_t)i);
    aml_end(&b, mark);
    aml_u8(&b, 0xbb);
    good = !aml_failed(&b) && b.len == 1 + 1 + head_len + 4 + len + 1 && b.data[1] == 0x10 &&
           memcmp(b.data + 2, head, head_len) == 0 &&
           memcmp(b.data + 2 + head_len, "ABCD", 4) == 0 && b.data[b.len - 1] == 0xbb;
    for (size_t i = 0; good && i < len; i++)
        good = b.data[2 + head_len + 4 + i] == (uint8_t)i;
    ok(good, "a scope of %zu bytes has a length of %zu bytes", len, head_len);
    aml_fini(&b);
}

static void
test_blocks(void)
{
    struct aml b;
    size_t outer, inner;

    test_length(0, "\x05", 1);
    test_length(63 - 5, "\x3f", 1);
    test_length(64 - 5, "\x41\x04", 2);       /* 65 = 0x041 */
    test_length(4095 - 6, "\x4f\xff", 2);     /* 4095 = 0xfff */
    test_length(4096 - 6, "\x81\x00\x01", 3); /* 4097 = 0x01001 */
    test_length(0xfffff - 7, "\x8f\xff\xff", 3);
    test_length(0x100000 - 7, "\xc1\x00\x00\x01", 4); /* 0x0100001 */

    aml_init(&b);
    outer = aml_device_begin(&b, "DEV0");
    inner = aml_device_begin(&b, "DEV1");
    aml_name_integer(&b, "_UID", 1);
    aml_end(&b, inner);
    aml_end(&b, outer);
    IS(&b, "a device in a device",
       "\x5b\x82\x12"
       "DEV0"
       "\x5b\x82\x0b"
       "DEV1\x08_UID\x01");

    outer = aml_package_begin(&b, 2);
    aml_integer(&b, 5);
    inner = aml_package_begin(&b, 0);
    aml_end(&b, inner);
    aml_end(&b, outer);
    IS(&b, "a package in a package", "\x12\x07\x02\x0a\x05\x12\x02\x00");

    outer = aml_buffer_begin(&b);
    aml_raw(&b, "xyz", 3);
    aml_buffer_end(&b, outer);
    IS(&b, "a buffer and its size", "\x11\x09\x0c\x03\x00\x00\x00xyz");
}

static void
test_resources(void)
{
    struct aml b;

    aml_init(&b);
    aml_res_io(&b, 0x3f8, 8);
    IS(&b, "ports", "\x47\x01\xf8\x03\xf8\x03\x01\x08");
    aml_res_irq(&b, 4);
    IS(&b, "an ISA interrupt", "\x22\x10\x00");
    aml_res_gsi(&b, 17, true, true);
    IS(&b, "a shared level interrupt", "\x89\x06\x00\x09\x01\x11\x00\x00\x00");
    aml_res_gsi(&b, 20, false, false);
    IS(&b, "an edge interrupt", "\x89\x06\x00\x03\x01\x14\x00\x00\x00");
    aml_res_memory32(&b, 0xe0001000, 0x200);
    IS(&b, "32-bit memory", "\x86\x09\x00\x01\x00\x10\x00\xe0\x00\x02\x00\x00");
    aml_res_address(&b, AML_SPACE_BUS, true, 0, 1);
    IS(&b, "bus numbers",
       "\x88\x0d\x00\x02\x0c\x00"
       "\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00");
    aml_res_address(&b, AML_SPACE_IO, true, 0xd00, 0xf300);
    IS(&b, "a window of ports",
       "\x88\x0d\x00\x01\x0c\x03"
       "\x00\x00\x00\x0d\xff\xff\x00\x00\x00\xf3");
    aml_res_address(&b, AML_SPACE_MEMORY, true, 0xa0000, 0x20000);
    IS(&b, "a window of memory",
       "\x87\x17\x00\x00\x0c\x01"
       "\0\0\0\0\x00\x00\x0a\x00\xff\xff\x0b\x00\0\0\0\0\x00\x00\x02\x00");
    aml_res_address(&b, AML_SPACE_MEMORY, false, 0x100000000, 0x1000);
    IS(&b, "memory above 4 GiB",
       "\x8a\x2b\x00\x00\x0d\x01"
       "\0\0\0\0\0\0\0\0"
       "\x00\x00\x00\x00\x01\x00\x00\x00"
       "\xff\x0f\x00\x00\x01\x00\x00\x00"
       "\0\0\0\0\0\0\0\0"
       "\x00\x10\x00\x00\x00\x00\x00\x00");
    aml_res_end(&b);
    IS(&b, "the end tag", "\x79\x00");
}

static void
test_failed(void)
{
    struct aml b;
    size_t mark;

    aml_init(&b);
    mark = aml_package_begin(&b, 1);
    b.failed = true;
    aml_integer(&b, 77);
    aml_end(&b, mark);
    ok(aml_failed(&b) && b.len == 6, "a failed buffer takes nothing more");
    aml_fini(&b);
    ok(!aml_failed(&b) && b.len == 0, "and is as new afterwards");
}

int
main(void)
{
    test_names();
    test_integers();
    test_ids();
    test_blocks();
    test_resources();
    test_failed();
    return done_testing();
}
