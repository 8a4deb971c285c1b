/* SPDX-License-Identifier: BSD-3-Clause */
/* test-char-socket.c - peers that come, go, stall and vanish, over UNIX sockets and loopback TCP.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "char-client.h"
#include "tap.h"

#define SECOND 1000000000

static char dir[64], path[96], props[160];
static struct char_client c;
static struct bpt_machine *m;

static int
load(const char *with)
{
    m = bpt_new(1 << 20, 0);
    return bpt_load(m, "char-socket", "c0", with);
}

static int
begin(const char *with)
{
    int err = load(with);

    if (!err)
        err = bpt_realize_all(m);
    if (!err)
        err = client_attach(&c, m, "c0");
    if (!err)
        err = bpt_start(m);
    if (err)
        printf("# %d %s\n", err, bpt_error(m));
    return err;
}

static void
end(const char *what)
{
    ok(!bpt_free(m) && !c.faults, "%s: no rule of the SDK was broken", what);
}

static void
settle(void)
{
    while (bpt_poll(m, 5))
        ;
}

static struct sockaddr_un
unix_address(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    return un;
}

static int
unix_peer(void)
{
    struct sockaddr_un un = unix_address();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (connect(fd, (struct sockaddr *)&un, sizeof un) == 0)
        return fd;
    close(fd);
    return -1;
}

static int
unix_server(void)
{
    struct sockaddr_un un = unix_address();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (bind(fd, (struct sockaddr *)&un, sizeof un) < 0 || listen(fd, 4) < 0)
        printf("# server: %s\n", strerror(errno));
    return fd;
}

static int
tcp_peer(unsigned port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&in, sizeof in) == 0)
        return fd;
    close(fd);
    return -1;
}

/* What fd has to read is this text. */
static int
reads(int fd, const char *text)
{
    char buf[256];
    ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);

    return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

static void
test_session(void)
{
    struct stat st;
    int a, b;

    eq_int(begin(props), 0, "a server");
    ok(stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600,
       "has a socket file for its owner");
    client_take(&c, 1 << 20);
    settle();
    eq_int(c.be->connected(c.self), 0, "nobody is there at first");
    eq_int(client_write(&c, "nobody", 6), 6, "output to nobody is taken");
    a = unix_peer();
    settle();
    ok(c.be->connected(c.self) && c.opened == 1, "a client connects");
    client_write(&c, "hello", 5);
    ok(reads(a, "hello"), "output arrives, without what was written before");
    ok(write(a, "abc", 3) == 3, "input");
    settle();
    ok(client_got(&c, "abc"), "arrives");
    b = unix_peer();
    settle();
    ok(b >= 0 && c.opened == 1, "a second client waits");
    client_write(&c, "one", 3);
    ok(reads(a, "one") && !reads(b, "one"), "and hears nothing");
    eq_int(bpt_poll(m, 10), 0, "and nothing is busy");
    close(a);
    settle();
    ok(c.closed == 1 && c.opened == 2, "it has its turn when the first leaves");
    client_write(&c, "two", 3);
    ok(reads(b, "two"), "and gets output");
    ok(write(b, "last", 4) == 4, "it writes");
    close(b);
    settle();
    ok(client_got(&c, "abclast"), "... and leaves: that arrives");
    ok(c.closed == 2 && !c.be->connected(c.self), "and nobody is there again");
    eq_int(client_write(&c, "nobody", 6), 6, "output is dropped");
    eq_int(bpt_poll(m, 10), 0, "and nothing is busy");
    end("session");
    ok(lstat(path, &st) < 0, "the socket file goes with the machine");
}

static void
test_half_close(void)
{
    int a, b;

    begin(props);
    client_take(&c, 1 << 20);
    a = unix_peer();
    ok(write(a, "request", 7) == 7 && shutdown(a, SHUT_WR) == 0, "a client ends its sending");
    settle();
    ok(client_got(&c, "request") && c.be->connected(c.self), "it is still there");
    eq_int(bpt_poll(m, 10), 0, "and keeps nothing busy");
    client_write(&c, "reply", 5);
    ok(reads(a, "reply"), "and gets output");
    close(a);
    settle();
    ok(c.closed == 1, "until it closes");
    a = unix_peer();
    shutdown(a, SHUT_WR);
    settle();
    b = unix_peer();
    settle();
    ok(c.opened == 3 && c.closed == 2, "or until another one comes");
    client_write(&c, "new", 3);
    ok(reads(b, "new"), "which gets the output");
    close(a);
    close(b);
    settle();
    end("half close");
}

static void
test_vanishing_peer(void)
{
    static char big[1 << 20];
    int a, i;

    begin(props);
    a = unix_peer();
    settle();
    for (i = 0; i < 100 && !c.waits; i++)
        client_write(&c, big, sizeof big);
    ok(c.waits, "a client that does not read is waited for");
    close(a);
    settle();
    ok(c.writables > 0 && !c.waits, "when it vanishes the device goes on");
    eq_int(client_write(&c, big, sizeof big), sizeof big, "to nobody");
    ok(c.closed == 1, "which was told");
    a = unix_peer();
    settle();
    close(a);
    eq_int(client_write(&c, "x", 1), 1, "a peer that is found gone by writing");
    settle();
    ok(c.opened == 2 && c.closed == 2, "... counts as gone");
    a = unix_peer();
    settle();
    ok(c.opened == 3, "and the next one is welcome");
    ok(write(a, big, 100000) == 100000, "a client sends more than there is room for");
    settle();
    close(a);
    settle();
    eq_int(bpt_poll(m, 10), 0, "and leaves: nothing is busy");
    client_take(&c, 1 << 20);
    settle();
    eq_int(c.got_n, 100000, "all of it arrives");
    eq_int(c.closed, 3, "and then its leaving is told");
    end("vanishing peer");
}

static void
test_back_pressure(void)
{
    static uint8_t text[500000], back[500000];
    uint64_t done = 0, seen = 0, sent = 0;
    unsigned i, rounds = 0;
    ssize_t n;
    int a;

    begin(props);
    for (i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 31 + i / 251);
    a = unix_peer();
    settle();
    while ((seen < sizeof text || c.got_n < sizeof text) && rounds++ < 1000000) {
        if (!c.waits && done < sizeof text)
            done += client_write(&c, text + done,
                                 sizeof text - done < 60000 ? sizeof text - done : 60000);
        if (rounds % 3 == 0 && (n = read(a, back + seen, 7000)) > 0)
            seen += (uint64_t)n;
        if (sent < sizeof text &&
            (n = write(a, text + sent, sizeof text - sent < 9000 ? sizeof text - sent : 9000)) > 0)
            sent += (uint64_t)n;
        if (rounds % 2)
            client_take(&c, rounds % 5000);
        bpt_poll(m, 0);
    }
    ok(seen == sizeof text && !memcmp(text, back, seen), "a slow reader gets every byte once");
    ok(c.got_n == sizeof text && !memcmp(text, c.got, c.got_n), "so does a slow device");
    close(a);
    end("back-pressure");
}

static void
test_stale_file(void)
{
    int fd;

    fd = unix_server();
    close(fd);
    ok(access(path, F_OK) == 0, "a socket file that a dead program left");
    eq_int(begin(props), 0, "is replaced");
    eq_int(bpt_load(m, "char-socket", "c1", props), 0, "a second server on the same file");
    ok(bpt_realize(m, "c1") < 0 && strstr(bpt_error(m), path), "is refused");
    fd = unix_peer();
    settle();
    ok(c.opened == 1, "and the first one still serves");
    close(fd);
    settle();
    eq_int(c.opened, 1, "and did not notice the second");
    unlink(path);
    fd = unix_server();
    end("stale file");
    ok(access(path, F_OK) == 0, "a file that is somebody else's by now stays");
    close(fd);
    unlink(path);

    fclose(fopen(path, "w"));
    ok(!load(props) && bpt_realize_all(m) < 0 && strstr(bpt_error(m), "not a socket"),
       "a plain file is refused");
    bpt_free(m);
    ok(access(path, F_OK) == 0, "... and stays");
    unlink(path);
}

static void
test_check(void)
{
    unsigned fds = bpt_open_fds();
    int fd;

    m = bpt_new(1 << 20, 0);
    bpt_host_flags(m, BP_HOST_CHECK);
    bpt_load(m, "char-socket", "a", props);
    eq_int(bpt_realize_all(m), 0, "check: a good path");
    ok(access(path, F_OK) < 0, "... leaves no file");
    bpt_load(m, "char-socket", "b", "path=/no/where/socket");
    ok(bpt_realize(m, "b") < 0 && strstr(bpt_error(m), "/no/where"),
       "check: a missing folder is named");
    fd = unix_server();
    bpt_load(m, "char-socket", "c", props);
    ok(bpt_realize(m, "c") < 0, "check: a path that is in use is refused");
    ok(accept(fd, NULL, NULL) < 0, "... and its owner does not notice");
    close(fd);
    bpt_load(m, "char-socket", "d", props);
    eq_int(bpt_realize(m, "d"), 0, "check: a stale file is fine");
    ok(access(path, F_OK) == 0, "... and stays");
    unlink(path);
    bpt_load(m, "char-socket", "e", "path=/no/where/socket,connect=yes");
    eq_int(bpt_realize(m, "e"), 0, "check: a server that is not there yet is fine");
    bpt_load(m, "char-socket", "f", "port=0");
    eq_int(bpt_realize(m, "f"), 0, "check: a TCP port");
    bpt_free(m);
    eq_int(bpt_open_fds(), fds, "check: no descriptor is left");
}

static void
test_refusals(void)
{
    static const char *const bad[] = {"", "path=/tmp/x,port=1", "port=70000", "port=0,connect=yes",
                                      "port=1,host=localhost"};
    char name[300];
    unsigned i;

    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        ok(load(bad[i]) != 0, "refused: \"%s\"", bad[i]);
        bpt_free(m);
    }
    snprintf(name, sizeof name, "path=/tmp/%0200d", 0);
    ok(load(name) != 0 && strstr(bpt_error(m), "long"), "refused: a name too long for a socket");
    bpt_free(m);
}

static void
test_connect(void)
{
    char with[200];
    int server, a, b;

    snprintf(with, sizeof with, "%s,connect=yes", props);
    eq_int(begin(with), 0, "a client without a server");
    ok(!c.be->connected(c.self) && bpt_logged(m, path), "says that it waits");
    eq_int(client_write(&c, "nobody", 6), 6, "and drops output");
    bpt_advance(m, 5 * (int64_t)SECOND);
    eq_int(bpt_logs(m, BP_LOG_INFO), 1, "... once");
    server = unix_server();
    bpt_advance(m, 2 * (int64_t)SECOND);
    settle();
    a = accept(server, NULL, NULL);
    ok(a >= 0 && c.opened == 1, "it connects when there is one");
    client_write(&c, "hello", 5);
    ok(reads(a, "hello"), "and works");
    close(a);
    settle();
    eq_int(c.closed, 1, "a server that closes");
    ok(accept(server, NULL, NULL) < 0, "is not called again at once");
    bpt_advance(m, 2 * (int64_t)SECOND);
    settle();
    b = accept(server, NULL, NULL);
    ok(b >= 0 && c.opened == 2, "but after a while");
    bpt_quiesce(m);
    bpt_start(m);
    client_write(&c, "again", 5);
    ok(reads(b, "again"), "a stop and a start change nothing");
    close(b);
    close(server);
    unlink(path);
    end("client");
}

static void
test_wait(void)
{
    char with[200];
    int a, server;

    snprintf(with, sizeof with, "%s,wait=yes", props);
    eq_int(begin(with), BP_E_AGAIN, "a server that waits is not ready to start");
    settle();
    eq_int(bpt_start(m), BP_E_AGAIN, "nor when it is asked again");
    a = unix_peer();
    ok(write(a, "early", 5) == 5, "a client comes, and writes");
    settle();
    eq_int(c.got_n, 0, "which does not arrive yet");
    eq_int(bpt_poll(m, 10), 0, "and keeps nothing busy");
    eq_int(bpt_start(m), 0, "now it starts");
    client_take(&c, 100);
    settle();
    ok(client_got(&c, "early"), "and that arrives");
    client_write(&c, "first", 5);
    ok(reads(a, "first"), "as does the first output");
    close(a);
    settle();
    bpt_quiesce(m);
    eq_int(bpt_start(m), 0, "a second start waits for nobody");
    end("wait");

    begin(with);
    a = unix_peer();
    settle();
    close(a);
    settle();
    eq_int(bpt_start(m), 0, "somebody who has left again has been there");
    end("wait for somebody who leaves");
    begin(with);
    end("wait in vain");

    snprintf(with, sizeof with, "%s,wait=yes,connect=yes", props);
    eq_int(begin(with), BP_E_AGAIN, "a client waits for its server");
    server = unix_server();
    bpt_advance(m, 2 * (int64_t)SECOND);
    settle();
    eq_int(bpt_start(m), 0, "and starts when it has it");
    close(server);
    unlink(path);
    end("client that waits");
}

static int
connected(void *arg)
{
    (void)arg;
    return c.be->connected(c.self);
}

static int
got_three(void *arg)
{
    (void)arg;
    return c.got_n >= 3;
}

static int
seen_closed(void *arg)
{
    (void)arg;
    return c.closed > 0;
}

static unsigned
logged_port(void)
{
    char text[64];
    unsigned p;

    for (p = 65535; p > 0; p--) { /* the longest number that fits */
        snprintf(text, sizeof text, "listens on 127.0.0.1 port %u", p);
        if (bpt_logged(m, text))
            return p;
    }
    return 0;
}

static void
test_tcp(void)
{
    static struct bpt_machine *server_machine;
    char with[80];
    unsigned port;
    int a, b, i;

    eq_int(begin("port=0"), 0, "a TCP server");
    port = logged_port();
    ok(port > 0, "says on which port");
    client_take(&c, 100);
    a = tcp_peer(port);
    ok(a >= 0 && bpt_until(m, connected, NULL), "a client connects");
    ok(write(a, "abc", 3) == 3 && bpt_until(m, got_three, NULL), "input arrives");
    client_write(&c, "hello", 5);
    ok(recv(a, with, 5, MSG_WAITALL) == 5 && memcmp(with, "hello", 5) == 0, "output arrives");
    close(a);
    settle();
    b = tcp_peer(port);
    ok(b >= 0 && bpt_until(m, seen_closed, NULL) && bpt_until(m, connected, NULL),
       "one that left gives its place to the next");
    client_write(&c, "new", 3);
    ok(recv(b, with, 3, MSG_WAITALL) == 3 && memcmp(with, "new", 3) == 0, "which gets the output");
    close(b);
    for (i = 0; i < 100 && c.closed < 2; i++) {
        client_write(&c, "x", 1);
        bpt_poll(m, 10);
    }
    eq_int(c.closed, 2, "one that is gone is noticed by writing");
    server_machine = m;

    snprintf(with, sizeof with, "port=%u,connect=yes", port);
    m = bpt_new(1 << 20, 0);
    ok(!bpt_load(m, "char-socket", "c9", with) && !bpt_realize_all(m) && !bpt_start(m),
       "a TCP client");
    for (i = 0; i < 100 && c.opened < 3; i++) {
        bpt_poll(m, 5);
        bpt_poll(server_machine, 5);
    }
    eq_int(c.opened, 3, "connects to a TCP server");
    ok(!bpt_free(m), "TCP client: no rule of the SDK was broken");
    m = server_machine;
    end("TCP");
}

static void
test_failing_host(void)
{
    unsigned fds = bpt_open_fds();
    int through = 0;
    uint64_t n;

    for (n = 1; n < 100 && !through; n++) {
        m = bpt_new(1 << 20, 0);
        bpt_inject(m, "c0", n, BP_E_NOMEM);
        if (!bpt_load(m, "char-socket", "c0", props) && !bpt_realize_all(m)) {
            through = !bpt_injected(m);
            bpt_start(m);
        }
        if (bpt_free(m))
            break;
    }
    ok(through, "every host call may fail once");
    eq_int(bpt_open_fds(), fds, "and no descriptor is left");
    ok(access(path, F_OK) < 0, "nor a file");
}

int
main(void)
{
    snprintf(dir, sizeof dir, "/tmp/bp-char-socket.XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/socket", dir);
    snprintf(props, sizeof props, "path=%s", path);
    test_session();
    test_half_close();
    test_vanishing_peer();
    test_back_pressure();
    test_stale_file();
    test_check();
    test_refusals();
    test_connect();
    test_wait();
    test_tcp();
    test_failing_host();
    ok(rmdir(dir) == 0, "cleaned up");
    return done_testing();
}
