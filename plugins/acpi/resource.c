/* SPDX-License-Identifier: BSD-3-Clause */
/* resource.c - resource descriptors (ACPI 6.4, 6.4.2 and 6.4.3), as _CRS gives them. */
#include "aml.h"

enum {
    RES_IRQ_NO_FLAGS = 0x22, /* small items: type and length in one byte */
    RES_IO = 0x47,
    RES_END = 0x79,
    RES_MEMORY32_FIXED = 0x86, /* large items: a 16-bit length follows */
    RES_DWORD_ADDRESS = 0x87,
    RES_WORD_ADDRESS = 0x88,
    RES_EXTENDED_IRQ = 0x89,
    RES_QWORD_ADDRESS = 0x8a,
};

enum {
    RES_IO_DECODE16 = 1,
    RES_IRQ_CONSUMER = 0x01,
    RES_IRQ_EDGE = 0x02,
    RES_IRQ_SHARED = 0x08,
    RES_ADDRESS_CONSUMER = 0x01,
    RES_ADDRESS_MIN_FIXED = 0x04,
    RES_ADDRESS_MAX_FIXED = 0x08,
    RES_MEMORY_WRITABLE = 0x01,
    RES_IO_WHOLE_RANGE = 0x03,
};

void
aml_res_io(struct aml *b, uint16_t base, uint8_t len)
{
    aml_u8(b, RES_IO);
    aml_u8(b, RES_IO_DECODE16);
    aml_u16(b, base); /* lowest and highest base */
    aml_u16(b, base);
    aml_u8(b, 1); /* alignment */
    aml_u8(b, len);
}

void
aml_res_irq(struct aml *b, uint8_t irq)
{
    aml_u8(b, RES_IRQ_NO_FLAGS);
    aml_u16(b, (uint16_t)(1u << irq));
}

/* Lines of ours are active high, level-triggered ones too. */
void
aml_res_gsi(struct aml *b, uint32_t gsi, bool level, bool shared)
{
    aml_u8(b, RES_EXTENDED_IRQ);
    aml_u16(b, 6);
    aml_u8(b, (uint8_t)(RES_IRQ_CONSUMER | (level ? 0 : RES_IRQ_EDGE) |
                        (shared ? RES_IRQ_SHARED : 0)));
    aml_u8(b, 1); /* how many */
    aml_u32(b, gsi);
}

void
aml_res_memory32(struct aml *b, uint32_t base, uint32_t len)
{
    aml_u8(b, RES_MEMORY32_FIXED);
    aml_u16(b, 9);
    aml_u8(b, RES_MEMORY_WRITABLE);
    aml_u32(b, base);
    aml_u32(b, len);
}

void
aml_res_address(struct aml *b, enum aml_space space, bool producer, uint64_t base, uint64_t len)
{
    static const uint8_t specific[] = {
        [AML_SPACE_MEMORY] = RES_MEMORY_WRITABLE, /* and not cacheable */
        [AML_SPACE_IO] = RES_IO_WHOLE_RANGE,
        [AML_SPACE_BUS] = 0,
    };
    uint64_t last = base + len - 1;
    /* There is no word-sized descriptor for memory. */
    unsigned width = last <= UINT16_MAX && space != AML_SPACE_MEMORY ? 2
                     : last <= UINT32_MAX                            ? 4
                                                                     : 8;
    uint64_t fields[] = {0, base, last, 0, len}; /* granularity, min, max, translation, length */

    aml_u8(b, width == 2 ? RES_WORD_ADDRESS : width == 4 ? RES_DWORD_ADDRESS : RES_QWORD_ADDRESS);
    aml_u16(b, (uint16_t)(3 + 5 * width));
    aml_u8(b, (uint8_t)space);
    aml_u8(b, (uint8_t)((producer ? 0 : RES_ADDRESS_CONSUMER) | RES_ADDRESS_MIN_FIXED |
                        RES_ADDRESS_MAX_FIXED));
    aml_u8(b, specific[space]);
    for (unsigned i = 0; i < 5; i++) {
        if (width == 2)
            aml_u16(b, (uint16_t)fields[i]);
        else if (width == 4)
            aml_u32(b, (uint32_t)fields[i]);
        else
            aml_u64(b, fields[i]);
    }
}

void
aml_res_end(struct aml *b)
{
    aml_u8(b, RES_END);
    aml_u8(b, 0); /* checksum: zero counts as right */
}
