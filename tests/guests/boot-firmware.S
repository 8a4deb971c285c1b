/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot-firmware.S - a 64 KiB firmware image: starts at the reset vector in real mode, jumps to its
 * copy below 1 MiB as a BIOS does, says so, and ends.
 */
	.code16
	.globl	_start
_start:
	.org	0x100
low:
	mov	%cs, %ax
	mov	%ax, %ds
	mov	$text, %si
	mov	$0x3f8, %dx
1:	lodsb
	test	%al, %al
	jz	2f
	out	%al, %dx
	jmp	1b
2:	mov	$25, %al
	out	%al, $0xf4
3:	hlt
	jmp	3b
text:
	.asciz	"firmware runs below 1 MiB\n"
	.org	0xfff0
	ljmp	$0xf000, $0x100
	.org	0x10000
	.section .note.GNU-stack, "", @progbits
