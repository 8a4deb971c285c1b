/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rr - requests and responses, one byte each, one at a time over a TCP connection.
 *
 *   rr -s [ADDRESS]        answers whoever connects, for ever
 *   rr ADDRESS SECONDS     prints, as JSON, how many round trips were made and how long they took
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RR_PORT = 5202, RR_SAMPLES = 1 << 20, RR_WARM_UP = 20 };

static int64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static struct sockaddr_in
address_of(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(RR_PORT)};

    if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
        errx(2, "%s is no address", text);
    return address;
}

static void
without_delay(int fd)
{
    int one = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
        err(1, "TCP_NODELAY");
}

static void
serve(const char *text)
{
    struct sockaddr_in address = address_of(text);
    int one = 1, listener, fd;
    char byte;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0)
        err(1, "%s", text);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        without_delay(fd);
        while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
            ;
        close(fd);
    }
    err(1, "accept");
}

static int64_t
round_trip(int fd)
{
    int64_t begun_ns = now_ns();
    char byte = 'x';

    if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
        err(1, "connection");
    return now_ns() - begun_ns;
}

static int
compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double
us(int64_t ns)
{
    return (double)ns / 1000;
}

int
main(int argc, char **argv)
{
    static int64_t took_ns[RR_SAMPLES];
    struct sockaddr_in address;
    int64_t begun_ns, end_ns;
    size_t n = 0;
    int fd;

    if (argc >= 2 && strcmp(argv[1], "-s") == 0)
        serve(argc > 2 ? argv[2] : "0.0.0.0");
    if (argc != 3)
        errx(2, "usage: rr -s [ADDRESS] | rr ADDRESS SECONDS");
    address = address_of(argv[1]);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        err(1, "%s", argv[1]);
    without_delay(fd);
    for (int i = 0; i < RR_WARM_UP; i++)
        (void)round_trip(fd);
    begun_ns = now_ns();
    end_ns = begun_ns + atoll(argv[2]) * 1000000000;
    while (now_ns() < end_ns && n < RR_SAMPLES)
        took_ns[n++] = round_trip(fd);
    end_ns = now_ns();
    qsort(took_ns, n, sizeof *took_ns, compare);
    if (n == 0)
        errx(1, "no round trip");
    printf("{\"trips\": %zu, \"seconds\": %.6f, \"min_us\": %.1f, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"max_us\": %.1f}\n",
           n, us(end_ns - begun_ns) / 1e6, us(took_ns[0]), us(took_ns[n / 2]),
           us(took_ns[n * 99 / 100]), us(took_ns[n - 1]));
    return 0;
}
