/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk.h - what the tests of disks share: scratch files, random numbers, a model of a disk.
 */
#ifndef TESTS_DISK_H
#define TESTS_DISK_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/tap.h"

static char scratch_dir[256];

__attribute__((unused)) static void
scratch_remove(void)
{
    char cmd[300];

    snprintf(cmd, sizeof cmd, "rm -rf '%s'", scratch_dir);
    if (system(cmd) != 0)
        fprintf(stderr, "# cannot remove %s\n", scratch_dir);
}

/* A folder below parent (NULL: $TMPDIR or /tmp) that is removed at the end. */
__attribute__((unused)) static int
scratch_new(const char *parent)
{
    if (!parent)
        parent = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    snprintf(scratch_dir, sizeof scratch_dir, "%s/backplane-disk.XXXXXX", parent);
    if (!mkdtemp(scratch_dir))
        return -1;
    atexit(scratch_remove);
    return 0;
}

__attribute__((unused)) static const char *
scratch_path(const char *name)
{
    static char path[4][320];
    static unsigned n;
    char *p = path[n++ % 4];

    snprintf(p, sizeof path[0], "%s/%s", scratch_dir, name);
    return p;
}

/* A file of that size, holes; returns its path. */
__attribute__((unused)) static const char *
scratch_file(const char *name, uint64_t bytes)
{
    const char *path = scratch_path(name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0) {
        perror(path);
        exit(99);
    }
    close(fd);
    return path;
}

/* xorshift64*: the same numbers for the same seed everywhere. */
static uint64_t random_state = 0x9e3779b97f4a7c15u;

__attribute__((unused)) static void
random_seed(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15u + 1;
}

__attribute__((unused)) static uint64_t
random_u64(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1du;
}

__attribute__((unused)) static uint64_t
random_below(uint64_t n)
{
    return random_u64() % n;
}

__attribute__((unused)) static void
random_fill(void *p, size_t n)
{
    uint8_t *b = p;

    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(random_u64() >> 32);
}

/* What a disk must contain: bytes, and whether they are defined (a discard makes them not). */
struct model {
    uint64_t bytes;
    uint8_t *data, *defined; /* defined: one byte a sector */
};

__attribute__((unused)) static void
model_init(struct model *m, uint64_t bytes)
{
    m->bytes = bytes;
    m->data = calloc(1, bytes);
    m->defined = malloc(bytes / 512);
    if (!m->data || !m->defined)
        exit(99);
    memset(m->defined, 1, bytes / 512);
}

__attribute__((unused)) static void
model_fini(struct model *m)
{
    free(m->data);
    free(m->defined);
}

/* data NULL: zeroes. */
__attribute__((unused)) static void
model_write(struct model *m, uint64_t off, const void *data, uint64_t len)
{
    if (data)
        memcpy(m->data + off, data, len);
    else
        memset(m->data + off, 0, len);
    memset(m->defined + off / 512, 1, len / 512);
}

__attribute__((unused)) static void
model_forget(struct model *m, uint64_t off, uint64_t len)
{
    memset(m->defined + off / 512, 0, len / 512);
}

/* 1: buf is what the disk holds at off. */
__attribute__((unused)) static int
model_check(const struct model *m, uint64_t off, const void *buf, uint64_t len)
{
    const uint8_t *b = buf;

    for (uint64_t i = 0; i < len; i += 512)
        if (m->defined[(off + i) / 512] && memcmp(b + i, m->data + off + i, 512)) {
            printf("# differs in the sector at %llu\n", (unsigned long long)(off + i));
            return 0;
        }
    return 1;
}

/* 1: the whole file is as the model says. */
__attribute__((unused)) static int
model_check_file(const struct model *m, const char *path)
{
    uint8_t *buf = malloc(m->bytes);
    int fd = open(path, O_RDONLY | O_CLOEXEC), good;

    good = buf && fd >= 0 && read(fd, buf, m->bytes) == (ssize_t)m->bytes &&
           model_check(m, 0, buf, m->bytes);
    if (fd >= 0)
        close(fd);
    free(buf);
    return good;
}

#endif
