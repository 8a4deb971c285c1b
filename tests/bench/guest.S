/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest.S - what the benchmark runs under every hypervisor: 'A' on COM1 with the first
 * instructions, then BENCH_EXITS accesses to its scratch register, then 'B', then nothing more.
 * A PVH entry, since Backplane and both of QEMU's machine types take one: 32 bits, no paging.
 */
	.section .note.Xen, "a", @note
	.balign	4
	.long	4, 4, 18	/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start
	.text
	.globl	_start
_start:
	mov	$0x3f8, %edx
	mov	$'A', %al
	out	%al, %dx
	mov	$BENCH_EXITS, %ecx
	mov	$0x3ff, %edx
1:	out	%al, %dx
	dec	%ecx
	jnz	1b
	mov	$0x3f8, %edx
	mov	$'B', %al
	out	%al, %dx
2:	cli
	hlt
	jmp	2b
	.section .note.GNU-stack, "", @progbits
