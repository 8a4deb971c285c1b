/* SPDX-License-Identifier: BSD-3-Clause */
/* Entry of a multiboot 1 guest: main(magic, info). */
	.section .multiboot, "a"
	.balign 4
	.long	0x1badb002
	.long	0x00000003	/* page-aligned modules, memory map */
	.long	-(0x1badb002 + 0x00000003)
	.text
	.globl	_start
_start:
	mov	$stack, %esp
	push	%ebx
	push	%eax
	call	main
	push	%eax
	call	guest_exit
	.bss
	.balign	16
	.skip	16384
stack:
	.section .note.GNU-stack, "", @progbits
