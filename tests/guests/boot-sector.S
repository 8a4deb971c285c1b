/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot-sector.S - what firmware loads from a disk to 0x7c00: looks at the firmware's services, says
 * what it finds through the firmware's console, and ends the machine. The second sector of the disk
 * has a text that it reads and prints.
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
	mov	%dl, 0x7a00
	mov	$0x7c00 + hello - _start, %si
	call	print

	/* The memory map: RAM from address 0. */
	xor	%ebx, %ebx
	mov	$0xe820, %eax
	mov	$0x534d4150, %edx
	mov	$24, %ecx
	mov	$0x7800, %di
	int	$0x15
	jc	bad
	cmp	$0x534d4150, %eax
	jne	bad
	cmpl	$0, 0x7800
	jne	bad
	cmpl	$1, 0x7810
	jne	bad
	mov	$0x7c00 + map - _start, %si
	call	print

	/* The ROM is locked after power-on self-test: a write to it goes nowhere. */
	mov	$0xf000, %ax
	mov	%ax, %es
	mov	%es:0xfff0, %bl
	mov	%bl, %bh
	not	%bh
	mov	%bh, %es:0xfff0
	cmp	%bl, %es:0xfff0
	jne	bad
	xor	%ax, %ax
	mov	%ax, %es
	mov	$0x7c00 + locked - _start, %si
	call	print

	/* An extended read of the second sector. */
	mov	$0x42, %ah
	mov	0x7a00, %dl
	mov	$0x7c00 + packet - _start, %si
	int	$0x13
	jc	bad
	mov	$0x7e00, %si
	call	print
	mov	$25, %al
	jmp	end
bad:
	mov	$0x7c00 + failed - _start, %si
	call	print
	mov	$26, %al
end:
	/* The firmware's timer runs, and brings out what its console still holds back. */
	sti
	mov	0x46c, %ebx
	add	$3, %ebx
3:	hlt
	cmp	%ebx, 0x46c
	jb	3b
	out	%al, $0xf4
1:	hlt
	jmp	1b

print:
	lodsb
	test	%al, %al
	jz	2f
	mov	$0x0e, %ah
	mov	$7, %bx
	int	$0x10
	jmp	print
2:	ret

packet:
	.byte	16, 0
	.word	1, 0x7e00, 0
	.quad	1
hello:	.asciz	"\r\nboot sector runs\r\n"
map:	.asciz	"memory map good\r\n"
locked:	.asciz	"ROM locked\r\n"
failed:	.asciz	"service failed\r\n"
	.org	510
	.word	0xaa55
	.org	512
	.asciz	"second sector read\r\n"
	.org	1048576
	.section .note.GNU-stack, "", @progbits
