/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest.S - the benchmark's tiny guest: "@A" on COM1 with its first instructions, then the phases
 * that its parameters ask for, "@" and a small letter before each, then "@Z", and nothing more.
 *
 * A PVH entry, since Backplane, QEMU and others take one: 32 bits, no paging. With BENCH_FLAT it is
 * an image for 1000:0000 instead, entered in real mode, which goes to 32 bits by itself.
 */
#define COM1	   0x3f8
#define MAX_PHASES 8

#ifdef BENCH_FLAT
	.text
	.code16
	.globl	_start
_start:
	cli
	lgdtl	%cs:(gdtr - _start)
	mov	%cr0, %eax
	or	$1, %eax
	mov	%eax, %cr0
	ljmpl	$8, $main
	.balign	8
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:
	.word	. - gdt - 1
	.long	gdt
#else
	.section .note.Xen, "a", @note
	.balign	4
	.long	4, 4, 18	/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start
	.text
	.globl	_start
_start:
	jmp	main
#endif

	.code32
main:
#ifdef BENCH_FLAT
	mov	$16, %eax
	mov	%eax, %ds
#endif
	mov	$'A', %bl
	jmp	2f

	/* %esi: the phase, %bl: its letter */
phases:
	mov	$phase, %esi
	mov	$'a', %bl
1:	mov	(%esi), %edi	/* 0: none, 1: port write, 2: port read, 3: MMIO write, 4: MMIO read */
	test	%edi, %edi
	jnz	2f
	mov	$'Z', %bl
2:	mov	$COM1, %edx
	mov	$'@', %al
	out	%al, %dx
	mov	%bl, %al
	out	%al, %dx
	cmp	$'A', %bl
	je	phases
	cmp	$'Z', %bl
	je	9f
	mov	4(%esi), %edx
	mov	8(%esi), %ecx
	add	$12, %esi
	inc	%bl
	cmp	$2, %edi
	je	4f
	ja	5f
3:	out	%al, %dx
	dec	%ecx
	jnz	3b
	jmp	1b
4:	in	%dx, %al
	dec	%ecx
	jnz	4b
	jmp	1b
5:	cmp	$3, %edi
	jne	7f
6:	mov	%eax, (%edx)
	dec	%ecx
	jnz	6b
	jmp	1b
7:	mov	(%edx), %eax
	dec	%ecx
	jnz	7b
	jmp	1b
9:	cli
	hlt
	jmp	9b

	/* Who runs it writes the phases here: kind, address, how often. */
	.balign	8
	.ascii	"BENCHPAR"
phase:
	.fill	3 * (MAX_PHASES + 1), 4, 0
	.section .note.GNU-stack, "", @progbits
