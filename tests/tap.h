/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.h - the least that a C test needs to print TAP.
 *
 * Each case is one ok() line; done_testing() prints the plan and gives main()'s status. A failing
 * check names its file and line, so that the log alone says where to look.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count_, tap_failed_;

__attribute__((format(printf, 4, 5), unused)) static int
tap_ok_(int good, const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    printf("%sok %d - ", good ? "" : "not ", ++tap_count_);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    if (!good) {
        tap_failed_++;
        printf("# failed at %s:%d\n", file, line);
    }
    fflush(stdout);
    return good;
}

/* ok(condition, "what is expected, %s", ...) prints one line and returns the condition. */
#define ok(cond, ...) tap_ok_(!!(cond), __FILE__, __LINE__, __VA_ARGS__)

/* eq_int(got, want, "what") and eq_str(...) also say what was got. */
#define eq_int(got, want, what)                                                                    \
    do {                                                                                           \
        long long g_ = (long long)(got), w_ = (long long)(want);                                   \
        if (!ok(g_ == w_, "%s", what))                                                             \
            printf("# got %lld (0x%llx), want %lld (0x%llx)\n", g_, g_, w_, w_);                   \
    } while (0)
#define eq_str(got, want, what)                                                                    \
    do {                                                                                           \
        const char *g_ = (got), *w_ = (want);                                                      \
        if (!ok(g_ && w_ && strcmp(g_, w_) == 0, "%s", what))                                      \
            printf("# got \"%s\"\n# want \"%s\"\n", g_ ? g_ : "(null)", w_ ? w_ : "(null)");       \
    } while (0)

#define skip(why, what) printf("ok %d - %s # SKIP %s\n", ++tap_count_, what, why)

__attribute__((unused)) static int
done_testing(void)
{
    printf("1..%d\n", tap_count_);
    return tap_failed_ ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
