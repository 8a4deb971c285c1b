/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot-bzimage.S - the smallest thing that is a bzImage: one sector with the setup header, one of
 * real-mode code that is never run, and the protected-mode part with its 32-bit entry at 0 and its
 * 64-bit entry at 0x200. With -DNO_64BIT the header does not offer the latter. Either entry writes
 * the number of E820 entries to COM1 as a letter and ends with a status of its own.
 */
	.code16
	.globl	_start
_start:
	.org	0x1f1
	.byte	1		/* setup_sects */
	.word	0		/* root_flags */
	.long	0x40		/* syssize, in 16-byte units */
	.word	0, 0xffff, 0
	.word	0xaa55
	jmp	1f
	.ascii	"HdrS"
	.word	0x020f		/* protocol 2.15 */
	.long	0
	.word	0x1000, 0
	.byte	0, 1		/* loadflags: LOADED_HIGH */
	.word	0
	.long	0x100000, 0, 0, 0
	.word	0xfe00
	.byte	0, 0
	.long	0, 0x7fffffff	/* cmd_line_ptr, initrd_addr_max */
	.long	0x200000
	.byte	0, 21		/* not relocatable, min_alignment */
#ifdef NO_64BIT
	.word	0
#else
	.word	1		/* xloadflags: XLF_KERNEL_64 */
#endif
	.long	255, 0		/* cmdline_size */
	.quad	0
	.long	0, 0
	.quad	0, 0x100000	/* pref_address */
	.long	0x10000		/* init_size */
	.long	0
1:
	.org	0x400
	.code32
	mov	$0x3f8, %edx
	movzbl	0x1e8(%esi), %eax	/* e820_entries */
	add	$'@', %al
	out	%al, %dx
	mov	$10, %al
	out	%al, %dx
	mov	$23, %al
	out	%al, $0xf4
2:	hlt
	jmp	2b
	.org	0x600
	.code64
	mov	$0x3f8, %edx
	movzbl	0x1e8(%rsi), %eax
	add	$'@', %al
	out	%al, %dx
	mov	$10, %al
	out	%al, %dx
	mov	$24, %al
	out	%al, $0xf4
3:	hlt
	jmp	3b
	.org	0x800
	.section .note.GNU-stack, "", @progbits
