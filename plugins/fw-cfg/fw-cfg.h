/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fw-cfg.h - the fw-cfg plugin's own: QEMU's firmware configuration device, by which firmware
 * learns what machine it is in. Items are read-only bytes under a 16-bit key; those from
 * FW_FILE_FIRST on are files, which a directory names.
 *
 *   fw-cfg.c   class and life cycle
 *   items.c    the items and their directory
 *   machine.c  what the machine says of itself: processors, memory map, ACPI tables
 *   given.c    what the config file says: files, strings, numbers, boot order
 *   ports.c    selector, data port, DMA; save and load
 *
 * The core calls in with the instance's lock held, one call at a time.
 */
#ifndef FW_CFG_H
#define FW_CFG_H

#include <stdbool.h>
#include <stdint.h>

#include <backplane/backplane.h>

enum {
    FW_NAME_LEN = 56, /* with its NUL */
    FW_FILE_FIRST = 0x20,
    FW_FILE_MAX = 1024,
};

/* Keys that are not files. */
enum {
    FW_SIGNATURE = 0x00,
    FW_ID = 0x01,
    FW_RAM_SIZE = 0x03,
    FW_NOGRAPHIC = 0x04,
    FW_CPUS = 0x05,
    FW_BOOT_MENU = 0x0e,
    FW_MAX_CPUS = 0x0f,
    FW_DIRECTORY = 0x19,
    FW_WRITE_CHANNEL = 0x4000, /* a bit of the selector */
    FW_IRQ0_OVERRIDE = 0x8002,
};

/* FW_ID */
enum {
    FW_ID_TRADITIONAL = 1,
    FW_ID_DMA = 2,
};

/* Bytes of the largest item. */
#define FW_ITEM_MAX (UINT32_C(256) << 20)

struct fw_item {
    uint16_t key;
    char name[FW_NAME_LEN]; /* "" unless it is a file */
    uint8_t *data;
    uint32_t len;
    uint32_t acpi_piece; /* BP_ACPI_FW_*: taken anew each time that it is selected; 0: fixed */
};

struct fw_cfg {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_mem_if *mem;
    const struct bp_machine_if *machine;
    const struct bp_acpi_if *acpi; /* or NULL */
    void *acpi_self;
    bool dma;
    struct fw_item *items;
    uint32_t n_items, n_files, n_given; /* n_given: what realize() made, the first ones */
    uint16_t key;                       /* selected */
    uint32_t offset;                    /* of the next byte */
    uint32_t dma_high; /* the upper half of the DMA address, until the lower comes */
};

/* items.c */
/* Copies data. A file's name has to be new. */
int fw_add(struct fw_cfg *fw, uint16_t key, const void *data, uint64_t len)
    __attribute__((warn_unused_result));
int fw_add_number(struct fw_cfg *fw, uint16_t key, uint64_t val, uint32_t bytes)
    __attribute__((warn_unused_result));
int fw_add_file(struct fw_cfg *fw, const char *name, const void *data, uint64_t len)
    __attribute__((warn_unused_result));
/* The last one's ownership of a buffer instead of a copy. */
int fw_add_file_owned(struct fw_cfg *fw, const char *name, uint8_t *data, uint64_t len)
    __attribute__((warn_unused_result));
int fw_add_directory(struct fw_cfg *fw) __attribute__((warn_unused_result));
struct fw_item *fw_find(struct fw_cfg *fw, uint16_t key);
struct fw_item *fw_find_file(struct fw_cfg *fw, const char *name);
/* Drops all but the first n. */
void fw_truncate(struct fw_cfg *fw, uint32_t n);

/* machine.c */
int fw_machine_realize(struct fw_cfg *fw) __attribute__((warn_unused_result));
int fw_machine_start(struct fw_cfg *fw) __attribute__((warn_unused_result));
void fw_machine_refresh(struct fw_cfg *fw, struct fw_item *item);

/* given.c */
int fw_given_realize(struct fw_cfg *fw) __attribute__((warn_unused_result));

/* ports.c */
int fw_ports_realize(struct fw_cfg *fw) __attribute__((warn_unused_result));
void fw_ports_reset(struct fw_cfg *fw);
int fw_save(void *self, const struct bp_writer *w);
int fw_load(void *self, const struct bp_reader *r);

#endif
