/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot-keys.S - what firmware loads from a disk to 0x7c00: shows on the firmware's screen what is
 * typed, and tells it to the debug console; Enter ends the machine.
 */
	.code16
	.globl	_start
_start:
	.org	0
	ljmp	$0, $0x7c00 + begin - _start
begin:
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7c00, %sp
	sti
	mov	$0x7c00 + hello - _start, %si
1:	lodsb
	test	%al, %al
	jz	2f
	call	show
	jmp	1b
2:	xor	%ah, %ah
	int	$0x16
	call	show
	cmp	$13, %al
	jne	2b
	mov	$25, %al
	out	%al, $0xf4
3:	hlt
	jmp	3b

show:
	push	%ax
	mov	$0x402, %dx
	out	%al, %dx
	mov	$0x0e, %ah
	mov	$7, %bx
	int	$0x10
	pop	%ax
	ret

hello:	.asciz	"\r\nkeys: "
	.org	510
	.word	0xaa55
	.org	1048576
	.section .note.GNU-stack, "", @progbits
