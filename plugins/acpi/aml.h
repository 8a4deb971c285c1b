/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aml.h - writes ACPI Machine Language (ACPI 6.4, chapter 20) and resource descriptors (6.4) into a
 * buffer that grows. It must not know what the tables say.
 *
 * A block whose length stands before its content is opened with a *_begin() that returns a mark and
 * closed with the matching end, innermost first:
 *
 *     dev = aml_device_begin(&b, "COM1");
 *     aml_name_string(&b, "_HID", ...);
 *     aml_end(&b, dev);
 *
 * Out of memory makes the buffer failed: it keeps its length, further calls do nothing, and
 * aml_failed() says so; so only the end result is checked.
 */
#ifndef ACPI_AML_H
#define ACPI_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AML_NAME_LEN 4

struct aml {
    uint8_t *data;
    size_t len, cap;
    bool failed;
};

void aml_init(struct aml *b);
void aml_fini(struct aml *b);
bool aml_failed(const struct aml *b);

/* Plain bytes and little-endian numbers, without an opcode. */
void aml_raw(struct aml *b, const void *p, size_t len);
void aml_u8(struct aml *b, uint8_t val);
void aml_u16(struct aml *b, uint16_t val);
void aml_u32(struct aml *b, uint32_t val);
void aml_u64(struct aml *b, uint64_t val);

/* Data objects. A name is a NameString: segments of up to four characters, padded with '_', parted
 * by dots, with a leading '\' or '^'s. */
void aml_name_path(struct aml *b, const char *path);
void aml_integer(struct aml *b, uint64_t val);
void aml_string(struct aml *b, const char *text);
/* The compressed form of an id like "PNP0501"; false for what has another shape. */
bool aml_eisa_id(const char *id, uint32_t *ret_val);
/* An id, compressed when it is an EISA one. */
void aml_id(struct aml *b, const char *id);

/* Name(name, value) */
void aml_name(struct aml *b, const char *name);
void aml_name_integer(struct aml *b, const char *name, uint64_t val);

size_t aml_scope_begin(struct aml *b, const char *path);
size_t aml_device_begin(struct aml *b, const char *name);
/* A package of n objects, which follow. */
size_t aml_package_begin(struct aml *b, uint8_t n);
/* The content of a buffer; its size is the content's. */
size_t aml_buffer_begin(struct aml *b);
void aml_end(struct aml *b, size_t mark);
void aml_buffer_end(struct aml *b, size_t mark);

/* Resource descriptors (resource.c); they stand in a buffer and finish with the end tag. */
void aml_res_io(struct aml *b, uint16_t base, uint8_t len);
/* One ISA interrupt, edge-triggered, active high, not shared. */
void aml_res_irq(struct aml *b, uint8_t irq);
void aml_res_gsi(struct aml *b, uint32_t gsi, bool level, bool shared);
void aml_res_memory32(struct aml *b, uint32_t base, uint32_t len);

enum aml_space {
    AML_SPACE_MEMORY,
    AML_SPACE_IO,
    AML_SPACE_BUS,
};

/* Word, double-word or quad-word address space descriptor, the smallest that fits. */
void aml_res_address(struct aml *b, enum aml_space space, bool producer, uint64_t base,
                     uint64_t len);
void aml_res_end(struct aml *b);

#endif
