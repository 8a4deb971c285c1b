/* SPDX-License-Identifier: BSD-3-Clause */
/* Entry of a PVH guest: main(0, start_info). */
	.section .note.Xen, "a", @note
	.balign	4
	.long	4, 4, 18	/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start
	.text
	.globl	_start
_start:
	mov	$stack, %esp
	push	%ebx
	push	$0
	call	main
	push	%eax
	call	guest_exit
	.bss
	.balign	16
	.skip	16384
stack:
	.section .note.GNU-stack, "", @progbits
