/* SPDX-License-Identifier: BSD-3-Clause */
/* items.c - the items by key, and the directory that firmware finds files with. */
#include "fw-cfg.h"

#include <stdlib.h>
#include <string.h>

#include <backplane/log.h>

enum {
    DIRECTORY_HEAD = 4,
    DIRECTORY_ENTRY = 4 + 2 + 2 + FW_NAME_LEN, /* size, key, reserved, name */
};

/* The directory is big-endian, unlike the items. */
static void
put_be(uint8_t *p, uint64_t val, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(val >> (bytes - 1 - i) * 8);
}

struct fw_item *
fw_find(struct fw_cfg *fw, uint16_t key)
{
    for (uint32_t i = 0; i < fw->n_items; i++)
        if (fw->items[i].key == key)
            return &fw->items[i];
    return NULL;
}

struct fw_item *
fw_find_file(struct fw_cfg *fw, const char *name)
{
    for (uint32_t i = 0; i < fw->n_items; i++)
        if (*name && strcmp(fw->items[i].name, name) == 0)
            return &fw->items[i];
    return NULL;
}

/* Takes data over, also when it fails. */
static int
items_append(struct fw_cfg *fw, uint16_t key, const char *name, uint8_t *data, uint64_t len)
{
    struct fw_item *items = NULL, *item;

    if (len <= FW_ITEM_MAX)
        items = realloc(fw->items, (fw->n_items + 1) * sizeof *items);
    if (!items) {
        free(data);
        return len > FW_ITEM_MAX ? BP_E_RANGE : BP_E_NOMEM;
    }
    fw->items = items;
    item = &items[fw->n_items++];
    *item = (struct fw_item){.key = key, .data = data, .len = (uint32_t)len};
    memcpy(item->name, name, strlen(name));
    return 0;
}

static uint8_t *
items_copy(const void *data, uint64_t len)
{
    uint8_t *copy = len <= FW_ITEM_MAX ? malloc(len ? len : 1) : NULL;

    if (copy && len)
        memcpy(copy, data, len);
    return copy;
}

int
fw_add(struct fw_cfg *fw, uint16_t key, const void *data, uint64_t len)
{
    uint8_t *copy = items_copy(data, len);

    return copy ? items_append(fw, key, "", copy, len) : BP_E_NOMEM;
}

int
fw_add_number(struct fw_cfg *fw, uint16_t key, uint64_t val, uint32_t bytes)
{
    uint8_t data[8];

    for (uint32_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(val >> i * 8);
    return fw_add(fw, key, data, bytes);
}

int
fw_add_file_owned(struct fw_cfg *fw, const char *name, uint8_t *data, uint64_t len)
{
    size_t name_len = strlen(name);
    const char *wrong = NULL;
    int err;

    if (name_len == 0 || name_len >= FW_NAME_LEN)
        wrong = "a name has 1 to 55 bytes";
    else if (fw_find_file(fw, name))
        wrong = "there is such a file already";
    else if (fw->n_files == FW_FILE_MAX)
        wrong = "there are too many files";
    else if (len > FW_ITEM_MAX)
        wrong = "it is too large; 256 MiB is the most";
    if (wrong) {
        free(data);
        return bp_failf(fw->host, fw->inst, BP_E_INVAL, "file \"%s\": %s", name, wrong);
    }
    err = items_append(fw, (uint16_t)(FW_FILE_FIRST + fw->n_files), name, data, len);
    if (!err)
        fw->n_files++;
    return err;
}

int
fw_add_file(struct fw_cfg *fw, const char *name, const void *data, uint64_t len)
{
    uint8_t *copy = items_copy(data, len);

    return copy ? fw_add_file_owned(fw, name, copy, len) : BP_E_NOMEM;
}

static int
items_by_name(const void *a, const void *b)
{
    const struct fw_item *x = *(const struct fw_item *const *)a;
    const struct fw_item *y = *(const struct fw_item *const *)b;

    return strcmp(x->name, y->name);
}

/* Firmware that looks for a folder's files in turn wants an order that does not depend on us. */
int
fw_add_directory(struct fw_cfg *fw)
{
    const struct fw_item **files = calloc(fw->n_files + 1, sizeof *files);
    uint64_t len = DIRECTORY_HEAD + (uint64_t)fw->n_files * DIRECTORY_ENTRY;
    uint8_t *data = calloc(1, len), *p = data;
    uint32_t n = 0;

    if (!files || !data) {
        free(files);
        free(data);
        return BP_E_NOMEM;
    }
    for (uint32_t i = 0; i < fw->n_items; i++)
        if (*fw->items[i].name)
            files[n++] = &fw->items[i];
    qsort(files, n, sizeof *files, items_by_name);
    put_be(p, n, 4);
    p += DIRECTORY_HEAD;
    for (uint32_t i = 0; i < n; i++, p += DIRECTORY_ENTRY) {
        put_be(p, files[i]->len, 4);
        put_be(p + 4, files[i]->key, 2);
        memcpy(p + 8, files[i]->name, FW_NAME_LEN);
    }
    free(files);
    return items_append(fw, FW_DIRECTORY, "", data, len);
}

void
fw_truncate(struct fw_cfg *fw, uint32_t n)
{
    while (fw->n_items > n) {
        const struct fw_item *item = &fw->items[--fw->n_items];

        if (*item->name)
            fw->n_files--;
        free(item->data);
    }
}
