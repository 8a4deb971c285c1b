/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.c - main() of a fuzz target that is built without libFuzzer: feeds it every file of its
 * committed corpus, and prints TAP.
 *
 *     fuzz-NAME              the files of $top_srcdir/tests/fuzz/corpus/NAME
 *     fuzz-NAME FILE|DIR...  these instead, e.g. what a fuzzer has found
 *
 * A target says that something is wrong by dying, so each file runs in a child.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned files;

static uint8_t *
read_file(const char *path, size_t *ret_size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    struct stat st;

    if (f && fstat(fileno(f), &st) == 0) {
        /* Exactly as large as the input, so that ASan sees every byte too far. */
        data = malloc(st.st_size ? (size_t)st.st_size : 1);
        if (data && fread(data, 1, (size_t)st.st_size, f) != (size_t)st.st_size) {
            free(data);
            data = NULL;
        }
        *ret_size = (size_t)st.st_size;
    }
    if (f)
        fclose(f);
    return data;
}

static void
replay_file(const char *path)
{
    const char *base = strrchr(path, '/');
    size_t size = 0;
    uint8_t *data;
    int status = -1;
    pid_t child;

    files++;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        data = read_file(path, &size);
        if (!data) {
            printf("# %s: %s\n", path, strerror(errno));
            exit(1);
        }
        LLVMFuzzerTestOneInput(data, size);
        free(data);
        exit(0); /* with the leak check of a sanitizer build */
    }
    if (child > 0)
        waitpid(child, &status, 0);
    ok(status == 0, "%s (status %d)", base ? base + 1 : path, status);
}

static void
replay(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    char name[PATH_MAX];

    if (!dir) {
        replay_file(path);
        return;
    }
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' ||
            snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >= (int)sizeof(name))
            continue;
        replay_file(name);
    }
    closedir(dir);
}

int
main(int argc, char **argv)
{
    const char *top = getenv("top_srcdir"), *name = strstr(argv[0], "fuzz-");
    char path[PATH_MAX];

    /* The last "fuzz-": a folder on the way may have it too. */
    while (name && strstr(name + 1, "fuzz-"))
        name = strstr(name + 1, "fuzz-");
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    if (argc == 1 && name &&
        snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top ? top : ".", name + 5) <
            (int)sizeof(path))
        replay(path);
    ok(files > 0, "there is a corpus");
    return done_testing();
}
