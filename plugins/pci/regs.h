/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * regs.h - configuration space as PCI Local Bus Specification 3.0, chapter 6, lays it out. Numbers
 * only.
 */
#ifndef PCI_REGS_H
#define PCI_REGS_H

#define PCI_SLOTS       32
#define PCI_FUNCTIONS   8
#define PCI_CONFIG_SIZE 256  /* of a conventional function */
#define PCI_ECAM_SIZE   4096 /* what a function takes in the memory-mapped window */

/* Type 0 header */
enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_CLASS = 0x09, /* three bytes */
    PCI_CACHE_LINE = 0x0c,
    PCI_LATENCY = 0x0d,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_ROM_BAR = 0x30,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_HEADER_END = 0x40,
};

/* PCI_COMMAND */
enum {
    PCI_COMMAND_IO = 0x0001,
    PCI_COMMAND_MEMORY = 0x0002,
    PCI_COMMAND_MASTER = 0x0004,
    PCI_COMMAND_PARITY = 0x0040,
    PCI_COMMAND_SERR = 0x0100,
    PCI_COMMAND_INTX_DISABLE = 0x0400,
};

/* PCI_STATUS */
enum {
    PCI_STATUS_INTERRUPT = 0x0008,
    PCI_STATUS_CAPABILITIES = 0x0010,
};

enum {
    PCI_HEADER_MULTIFUNCTION = 0x80,
    PCI_BAR_SPACE_IO = 0x1,
    PCI_BAR_TYPE_64 = 0x4,
    PCI_BAR_PREFETCHABLE = 0x8,
    PCI_BAR_IO_FLAGS = 0x3,
    PCI_BAR_MEM_FLAGS = 0xf,
    PCI_ROM_ENABLE = 0x1,
    PCI_ROM_LEN_MIN = 2048,
};

/* MSI-X (6.8.2) */
enum {
    PCI_CAP_MSIX = 0x11,
    PCI_MSIX_CAP_LEN = 12,
    PCI_MSIX_CONTROL = 2, /* offsets in the capability */
    PCI_MSIX_TABLE = 4,
    PCI_MSIX_PBA = 8,
    PCI_MSIX_ENABLE = 0x8000,
    PCI_MSIX_MASK_ALL = 0x4000,
    PCI_MSIX_VECTORS_MAX = 2048,
    PCI_MSIX_ENTRY = 16, /* a table entry: address, data, vector control */
    PCI_MSIX_ENTRY_DATA = 8,
    PCI_MSIX_ENTRY_CONTROL = 12,
    PCI_MSIX_VECTOR_MASKED = 1,
};

/* Configuration mechanism 1 (3.2.2.3.2) and the reset control register beside it. */
enum {
    PCI_PORT_BASE = 0xcf8,
    PCI_PORT_LEN = 8,
    PCI_PORT_RESET = 1, /* 0xcf9 */
    PCI_PORT_DATA = 4,  /* 0xcfc */
    PCI_RESET_SYSTEM = 0x02,
    PCI_RESET_CPU = 0x04, /* the 0 -> 1 edge resets */
    PCI_RESET_FULL = 0x08,
};
#define PCI_ADDRESS_ENABLE UINT32_C(0x80000000)
#define PCI_ADDRESS_BITS   UINT32_C(0x80fffffc)

#endif
