/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - states of the boot CPU: after reset, flat 32-bit, 64-bit.
 *
 * Segment types are those of the Intel SDM, volume 3, 3.4.5.1 (code and data) and 3.5 (system).
 */
#include "core/boot/internal.h"

enum {
    TYPE_LDT = 2,
    TYPE_DATA = 3,  /* read, write, accessed */
    TYPE_CODE = 11, /* execute, read, accessed */
    TYPE_TSS = 11,  /* 32- or 64-bit TSS, busy: what VM entry wants in TR */
};

#define CR0_PE   UINT64_C(0x1)
#define CR0_ET   UINT64_C(0x10)
#define CR0_NW   UINT64_C(0x20000000)
#define CR0_CD   UINT64_C(0x40000000)
#define CR0_PG   UINT64_C(0x80000000)
#define CR4_PAE  UINT64_C(0x20)
#define EFER_LME UINT64_C(0x100)
#define EFER_LMA UINT64_C(0x400)
#define FLAGS_1  UINT64_C(0x2) /* always set */

/* TR and LDTR, which no protocol uses but the CPU must have. */
static void
set_system(struct boot_entry *entry, uint32_t tss_limit)
{
    entry->tr = (struct boot_segment){.limit = tss_limit, .type = TYPE_TSS, .present = 1};
    entry->ldt = (struct boot_segment){.limit = 0xffff, .type = TYPE_LDT, .present = 1};
}

void
boot_state_reset(struct boot_entry *entry)
{
    *entry = (struct boot_entry){
        .mode = BOOT_RESET,
        .rip = 0xfff0,
        .rflags = FLAGS_1,
        .rdx = 0x600, /* family 6, as the vCPU has it */
        .cs = {.base = 0xffff0000,
               .limit = 0xffff,
               .selector = 0xf000,
               .type = TYPE_CODE,
               .present = 1,
               .s = 1},
        .data = {.limit = 0xffff, .type = TYPE_DATA, .present = 1, .s = 1},
        .gdt_limit = 0xffff,
        .idt_limit = 0xffff,
        .cr0 = CR0_CD | CR0_NW | CR0_ET,
    };
    set_system(entry, 0xffff);
}

void
boot_state_protected(struct boot_entry *entry, uint16_t cs, uint16_t ds)
{
    *entry = (struct boot_entry){
        .mode = BOOT_PROTECTED,
        .rflags = FLAGS_1,
        .cs = {.limit = UINT32_MAX,
               .selector = cs,
               .type = TYPE_CODE,
               .present = 1,
               .db = 1,
               .s = 1,
               .g = 1},
        .data = {.limit = UINT32_MAX,
                 .selector = ds,
                 .type = TYPE_DATA,
                 .present = 1,
                 .db = 1,
                 .s = 1,
                 .g = 1},
        .cr0 = CR0_PE | CR0_ET,
    };
    set_system(entry, 0x67);
}

void
boot_state_long(struct boot_entry *entry, uint16_t cs, uint16_t ds, uint64_t cr3)
{
    boot_state_protected(entry, cs, ds);
    entry->mode = BOOT_LONG;
    entry->cs.l = 1;
    entry->cs.db = 0;
    entry->cr0 = CR0_PG | CR0_PE | CR0_ET;
    entry->cr3 = cr3;
    entry->cr4 = CR4_PAE;
    entry->efer = EFER_LME | EFER_LMA;
}

uint64_t
boot_descriptor(const struct boot_segment *segment)
{
    uint64_t limit = segment->g ? segment->limit >> 12 : segment->limit;
    uint64_t access = segment->type | (uint64_t)segment->s << 4 | (uint64_t)segment->dpl << 5 |
                      (uint64_t)segment->present << 7;
    uint64_t flags =
        (uint64_t)segment->l << 1 | (uint64_t)segment->db << 2 | (uint64_t)segment->g << 3;

    return (limit & 0xffff) | (segment->base & 0xffffff) << 16 | access << 40 |
           (limit >> 16 & 0xf) << 48 | flags << 52 | (segment->base >> 24 & 0xff) << 56;
}
