/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtq-guest.c - a split virtqueue, the driver's side (2.7), in guest RAM.
 */
#include <stdatomic.h>
#include <string.h>

#include "virtio-guest.h"

void
vq_free(struct bpt_vq *q)
{
    if (!q)
        return;
    free(q->books->free_heads);
    free(q->books->chain_len);
    free(q->books->next);
    free(q->books->table);
    free(q->books->table_room);
    free(q->books);
    free(q);
}

struct bpt_vq *
bpt_vq_new(struct bpt_virtio *v, uint32_t index, uint32_t num)
{
    uint32_t max = bpt_virtio_queue_max(v, index);
    struct bpt_vq *q, *old = bpt_virtio_queue(v, index);

    if (!max)
        return NULL;
    if (!num)
        num = max;
    q = xcalloc(1, sizeof *q);
    q->dev = v;
    q->index = index;
    q->num = num;
    q->event_idx = (v->features & F_EVENT_IDX) != 0;
    q->books = xcalloc(1, sizeof *q->books);
    q->books->num = num;
    if (old && old->books->num == num) { /* RAM is not given back: use it again */
        q->desc = old->books->desc;
        q->avail = old->books->avail;
        q->used = old->books->used;
    } else {
        q->desc = bpt_alloc(v->m, 16u * num, 16);
        q->avail = bpt_alloc(v->m, 6 + 2u * num, 2);
        q->used = bpt_alloc(v->m, 6 + 8u * num, 4);
    }
    q->books->desc = q->desc;
    q->books->avail = q->avail;
    q->books->used = q->used;
    memset(bpt_ram(v->m, q->desc, 16u * num), 0, 16u * num);
    memset(bpt_ram(v->m, q->avail, 6 + 2u * num), 0, 6 + 2u * num);
    memset(bpt_ram(v->m, q->used, 6 + 8u * num), 0, 6 + 8u * num);
    q->books->free_heads = xcalloc(num, sizeof(uint16_t));
    q->books->chain_len = xcalloc(num, sizeof(uint16_t));
    q->books->next = xcalloc(num, sizeof(uint16_t));
    q->books->table = xcalloc(num, sizeof(uint64_t));
    q->books->table_room = xcalloc(num, sizeof(uint32_t));
    for (uint32_t i = 0; i < num; i++)
        q->books->free_heads[i] = (uint16_t)(num - 1 - i);
    q->books->n_free = num;
    if (index >= v->n_queues) {
        v->queues = realloc(v->queues, (index + 1) * sizeof(struct bpt_vq *));
        if (!v->queues)
            abort();
        while (v->n_queues <= index)
            v->queues[v->n_queues++] = NULL;
    }
    vq_free(old);
    v->queues[index] = q;
    bpt_vq_configure(q);
    return q;
}

struct bpt_vq *
bpt_virtio_queue(struct bpt_virtio *v, uint32_t index)
{
    return index < v->n_queues ? v->queues[index] : NULL;
}

struct bpt_desc *
bpt_vq_desc(struct bpt_vq *q, uint32_t i)
{
    return bpt_ram(q->dev->m, q->desc + 16u * i, 16);
}

uint16_t *
bpt_vq_avail(struct bpt_vq *q)
{
    return bpt_ram(q->dev->m, q->avail, 6 + 2u * q->num);
}

uint16_t *
bpt_vq_used(struct bpt_vq *q)
{
    return bpt_ram(q->dev->m, q->used, 6 + 8u * q->num);
}

static void
desc_fill(struct bpt_desc *d, const struct bpt_sg *sg, int more, uint16_t next)
{
    d->addr = sg->gpa;
    d->len = sg->len;
    d->flags = (uint16_t)((sg->write ? BPT_DESC_WRITE : 0) | (more ? BPT_DESC_NEXT : 0));
    d->next = next;
}

/* The table is kept with its head, for the next chain there. */
static void
fill_table(struct bpt_vq *q, uint16_t head, const struct bpt_sg *sg, unsigned n)
{
    struct bpt_vq_books *b = q->books;
    struct bpt_desc *table, *d = bpt_vq_desc(q, head);

    if (b->table_room[head] < n) {
        b->table[head] = bpt_alloc(q->dev->m, 16u * n, 16);
        b->table_room[head] = n;
    }
    table = bpt_ram(q->dev->m, b->table[head], 16u * n);
    for (unsigned i = 0; i < n; i++)
        desc_fill(&table[i], &sg[i], i + 1 < n, (uint16_t)(i + 1));
    *d = (struct bpt_desc){b->table[head], 16u * n, BPT_DESC_INDIRECT, 0};
}

int
bpt_vq_add(struct bpt_vq *q, const struct bpt_sg *sg, unsigned n, int indirect)
{
    struct bpt_vq_books *b = q->books;
    unsigned need = indirect ? 1 : n;
    uint16_t head;

    if (!n || b->n_free < need)
        return BP_E_NOSPC;
    head = b->free_heads[b->n_free - 1];
    b->chain_len[head] = (uint16_t)need;
    if (indirect)
        fill_table(q, head, sg, n);
    for (unsigned i = 0; !indirect && i < n; i++) {
        uint16_t at = b->free_heads[b->n_free - 1 - i];
        uint16_t next = i + 1 < n ? b->free_heads[b->n_free - 2 - i] : 0;

        b->next[at] = next;
        desc_fill(bpt_vq_desc(q, at), &sg[i], i + 1 < n, next);
    }
    b->n_free -= need;
    bpt_vq_publish(q, head);
    return head;
}

void
bpt_vq_publish(struct bpt_vq *q, uint16_t head)
{
    uint16_t *avail = bpt_vq_avail(q);

    avail[2 + q->avail_idx % q->num] = head;
    atomic_thread_fence(memory_order_release);
    __atomic_store_n(&avail[1], ++q->avail_idx, __ATOMIC_RELAXED);
}

int
bpt_vq_kick(struct bpt_vq *q)
{
    uint16_t *used = bpt_vq_used(q), event, old = q->kicked;
    int wanted;

    atomic_thread_fence(memory_order_seq_cst);
    event = __atomic_load_n(&used[2 + 4 * q->num], __ATOMIC_RELAXED);
    wanted = q->event_idx ? (uint16_t)(q->avail_idx - event - 1) < (uint16_t)(q->avail_idx - old)
                          : !(__atomic_load_n(&used[0], __ATOMIC_RELAXED) & 1);
    q->kicked = q->avail_idx;
    if (wanted)
        bpt_vq_notify(q);
    return wanted;
}

int
bpt_vq_get(struct bpt_vq *q, uint32_t *ret_len)
{
    struct bpt_vq_books *b = q->books;
    uint16_t *used = bpt_vq_used(q), at;
    uint32_t id, len;

    if (__atomic_load_n(&used[1], __ATOMIC_RELAXED) == q->last_used)
        return BP_E_AGAIN;
    atomic_thread_fence(memory_order_acquire);
    memcpy(&id, &used[2 + 4 * (q->last_used % q->num)], 4);
    memcpy(&len, &used[4 + 4 * (q->last_used % q->num)], 4);
    q->last_used++;
    if (id >= q->num) {
        problem(q->dev->m, "virtqueue %u: the device used chain %u", q->index, id);
        return BP_E_PROTO;
    }
    if (ret_len)
        *ret_len = len;
    at = (uint16_t)id;
    for (uint16_t n = b->chain_len[id]; n; n--) {
        b->free_heads[b->n_free++] = at;
        at = b->next[at];
    }
    b->chain_len[id] = 0;
    if (q->event_idx && __atomic_load_n(&bpt_vq_avail(q)[2 + q->num], __ATOMIC_RELAXED) ==
                            (uint16_t)(q->last_used - 1))
        bpt_vq_want_irq(q, 1);
    return (int)id;
}

void
bpt_vq_want_irq(struct bpt_vq *q, int on)
{
    uint16_t *avail = bpt_vq_avail(q);

    if (q->event_idx)
        avail[2 + q->num] = on ? q->last_used : (uint16_t)(q->last_used - 1 - q->num);
    else
        avail[0] = on ? 0 : 1;
    atomic_thread_fence(memory_order_seq_cst);
}

static int
something_used(void *arg)
{
    struct bpt_vq *q = arg;

    return __atomic_load_n(&bpt_vq_used(q)[1], __ATOMIC_ACQUIRE) != q->last_used;
}

int
bpt_vq_do(struct bpt_vq *q, const struct bpt_sg *sg, unsigned n, uint32_t *ret_len)
{
    int head = bpt_vq_add(q, sg, n, 0), got;

    if (head < 0)
        return head;
    bpt_vq_kick(q);
    if (!bpt_until(q->dev->m, something_used, q))
        return BP_E_AGAIN;
    got = bpt_vq_get(q, ret_len);
    return got == head ? 0 : BP_E_PROTO;
}
