/* SPDX-License-Identifier: BSD-3-Clause */
/* given.c - what the config file gives to firmware: files, strings, numbers and the boot order. */
#include "fw-cfg.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <backplane/log.h>

/* NAME=VALUE: the name into name, the value as result; NULL: it is not. */
static const char *
given_split(struct fw_cfg *fw, const char *text, char *name)
{
    const char *equals = strchr(text, '=');

    if (!equals || equals == text || equals - text >= FW_NAME_LEN) {
        bp_failf(fw->host, fw->inst, BP_E_INVAL,
                 "\"%s\" is not NAME=VALUE with a name of 1 to 55 bytes", text);
        return NULL;
    }
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    return equals + 1;
}

static int
given_read(int fd, uint8_t *data, uint64_t len)
{
    uint64_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, data + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : BP_E_IO;
        done += (uint64_t)n;
    }
    return 0;
}

/* The bytes of a regular file. */
static int
given_contents(int fd, uint8_t **ret_data, uint64_t *ret_len)
{
    struct stat st;
    uint8_t *data;
    int err;

    if (fstat(fd, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return BP_E_INVAL;
    if ((uint64_t)st.st_size > FW_ITEM_MAX)
        return BP_E_RANGE;
    data = malloc(st.st_size ? (size_t)st.st_size : 1);
    if (!data)
        return BP_E_NOMEM;
    if ((err = given_read(fd, data, (uint64_t)st.st_size))) {
        free(data);
        return err;
    }
    *ret_data = data;
    *ret_len = (uint64_t)st.st_size;
    return 0;
}

static const char *
given_reason(int err)
{
    return err == BP_E_INVAL   ? "it is not a regular file"
           : err == BP_E_RANGE ? "it is too large; 256 MiB is the most"
                               : strerror(-err);
}

static int
given_file(struct fw_cfg *fw, const char *text)
{
    struct bp_value folder = {.size = sizeof folder};
    char name[FW_NAME_LEN], path[4096];
    const char *given = given_split(fw, text, name);
    uint8_t *data = NULL;
    uint64_t len = 0;
    int fd, err;

    if (!given)
        return BP_E_INVAL;
    if ((err = fw->host->prop(fw->inst, "folder", &folder)))
        return err;
    if (snprintf(path, sizeof path, "%s%s%s", *given == '/' ? "" : folder.s,
                 *given == '/' ? "" : "/", given) >= (int)sizeof path)
        return bp_failf(fw->host, fw->inst, BP_E_INVAL, "file \"%s\": the path is too long", name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return bp_failf(fw->host, fw->inst, -errno, "file \"%s\": cannot open %s: %s", name, path,
                        strerror(errno));
    err = given_contents(fd, &data, &len);
    close(fd);
    if (err)
        return bp_failf(fw->host, fw->inst, err, "file \"%s\": cannot read %s: %s", name, path,
                        given_reason(err));
    return fw_add_file_owned(fw, name, data, len);
}

static int
given_string(struct fw_cfg *fw, const char *text)
{
    char name[FW_NAME_LEN];
    const char *val = given_split(fw, text, name);

    return val ? fw_add_file(fw, name, val, strlen(val)) : BP_E_INVAL;
}

static int
given_number(struct fw_cfg *fw, const char *text)
{
    char name[FW_NAME_LEN], *end;
    const char *val = given_split(fw, text, name);
    uint8_t data[8];
    uintmax_t number;
    size_t len;

    if (!val)
        return BP_E_INVAL;
    errno = 0;
    number = strtoumax(val, &end, 0);
    if (*val < '0' || *val > '9' || *end || errno || number > UINT64_MAX)
        return bp_failf(fw->host, fw->inst, BP_E_INVAL, "\"%s\": the value is not a number", text);
    len = number > UINT32_MAX ? 8 : 4;
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(number >> i * 8);
    return fw_add_file(fw, name, data, len);
}

static int
given_list(struct fw_cfg *fw, const char *prop, int (*add)(struct fw_cfg *, const char *))
{
    struct bp_value item = {.size = sizeof item};
    int err;

    for (uint64_t i = 0; (err = fw->host->prop_item(fw->inst, prop, i, &item)) == 0; i++)
        if ((err = add(fw, item.s)))
            return err;
    return err == BP_E_RANGE ? 0 : err;
}

/* One path a line, the end marked with a NUL. */
static int
given_boot_order(struct fw_cfg *fw)
{
    struct bp_value item = {.size = sizeof item};
    char *text = NULL;
    size_t len = 0;
    int err;

    for (uint64_t i = 0; (err = fw->host->prop_item(fw->inst, "bootorder", i, &item)) == 0; i++) {
        size_t n = strlen(item.s);
        char *grown = realloc(text, len + n + 1);

        if (!grown) {
            free(text);
            return BP_E_NOMEM;
        }
        text = grown;
        memcpy(text + len, item.s, n);
        text[len + n] = '\n';
        len += n + 1;
    }
    if (!text)
        return err == BP_E_RANGE ? 0 : err;
    text[len - 1] = '\0';
    return fw_add_file_owned(fw, "bootorder", (uint8_t *)text, len);
}

int
fw_given_realize(struct fw_cfg *fw)
{
    struct bp_value menu = {.size = sizeof menu}, text = {.size = sizeof text};
    int err;

    if ((err = fw->host->prop(fw->inst, "boot-menu", &menu)) ||
        (err = fw->host->prop(fw->inst, "text-only", &text)) ||
        (err = fw_add_number(fw, FW_BOOT_MENU, menu.i != 0, 2)) ||
        (err = fw_add_number(fw, FW_NOGRAPHIC, text.i != 0, 2)) ||
        (err = given_list(fw, "files", given_file)) ||
        (err = given_list(fw, "strings", given_string)) ||
        (err = given_list(fw, "numbers", given_number)))
        return err;
    return given_boot_order(fw);
}
