/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest.h - what the small guests of the tests share: ports, a console, a way out.
 *
 * Freestanding 32-bit C with no SSE and no interrupts, so that even a KVM that emulates supervisor
 * code in software runs it. Output goes to COM1; guest_exit(v) ends the program with status
 * (v << 1) | 1 through the debug-exit port.
 */
#ifndef TESTS_GUESTS_GUEST_H
#define TESTS_GUESTS_GUEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

static inline void
outb(u16 port, u8 v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void
outw(u16 port, u16 v)
{
    __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline void
outl(u16 port, u32 v)
{
    __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline u8
inb(u16 port)
{
    u8 v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline u16
inw(u16 port)
{
    u16 v;

    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline u32
inl(u16 port)
{
    u32 v;

    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline u32
read32(u32 addr)
{
    return *(volatile u32 *)addr;
}

static inline void
write32(u32 addr, u32 v)
{
    *(volatile u32 *)addr = v;
}

static inline u8
read8(u32 addr)
{
    return *(volatile u8 *)addr;
}

void guest_putc(char c);
void guest_puts(const char *s);
void guest_hex(u32 v);
/* "NAME=hex\n" */
void guest_show(const char *name, u32 v);
int guest_streq(const char *a, const char *b);
__attribute__((noreturn)) void guest_exit(u8 v);
/* 0xf4 is the debug-exit plugin's default port. */
#define GUEST_EXIT_PORT 0xf4

#endif
