/* SPDX-License-Identifier: BSD-3-Clause */
/* test-char-pty.c - a pseudo-terminal that is opened, used, left and opened again. */
#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "char-client.h"
#include "tap.h"

static char dir[64], link_path[96], props[128];
static struct char_client c;
static struct bpt_machine *m;

static int
begin(void)
{
    int err;

    m = bpt_new(1 << 20, 0);
    snprintf(props, sizeof props, "link=%s", link_path);
    err = bpt_load(m, "char-pty", "c0", props);
    if (!err)
        err = bpt_realize_all(m);
    if (!err)
        err = client_attach(&c, m, "c0");
    return err ? err : bpt_start(m);
}

static void
end(const char *what)
{
    ok(!bpt_free(m) && !c.faults, "%s: no rule of the SDK was broken", what);
}

static int
got_all(void *arg)
{
    return c.got_n >= *(uint64_t *)arg;
}

static void
settle(void)
{
    while (bpt_poll(m, 0))
        ;
}

static void
test_session(void)
{
    char buf[64], target[64] = "";
    struct termios t;
    uint64_t n;
    int fd;

    eq_int(begin(), 0, "a pty");
    ok(readlink(link_path, target, sizeof target - 1) > 0 && bpt_logged(m, target),
       "has a link to it, and its name is in the log");
    client_take(&c, 1 << 20);
    settle();
    eq_int(c.be->connected(c.self), 0, "nobody is there at first");
    eq_int(client_write(&c, "nobody", 6), 6, "output to nobody is taken");
    eq_int(bpt_poll(m, 20), 0, "and nothing is busy");

    fd = open(link_path, O_RDWR | O_NOCTTY);
    settle();
    ok(c.be->connected(c.self) && c.opened == 1, "opening the terminal connects");
    ok(tcgetattr(fd, &t) == 0 && !(t.c_lflag & (ECHO | ICANON)) && !(t.c_oflag & OPOST),
       "the terminal is raw");
    ok(write(fd, "typed\r", 6) == 6, "typing");
    n = 6;
    ok(bpt_until(m, got_all, &n) && client_got(&c, "typed\r"), "arrives");
    eq_int(client_write(&c, "answer\n", 7), 7, "output");
    ok(read(fd, buf, sizeof buf) == 7 && memcmp(buf, "answer\n", 7) == 0,
       "arrives, without what was written before");
    eq_int(bpt_poll(m, 20), 0, "an idle session rests");

    close(fd);
    settle();
    ok(!c.be->connected(c.self) && c.closed == 1, "closing it disconnects");
    eq_int(bpt_poll(m, 20), 0, "and nothing is busy");

    fd = open(link_path, O_RDWR | O_NOCTTY);
    ok(write(fd, "quick", 5) == 5, "somebody comes, types");
    close(fd);
    n = 11;
    ok(bpt_until(m, got_all, &n) && client_got(&c, "typed\rquick"), "... and leaves: it arrives");
    settle();
    ok(c.opened == 2 && c.closed == 2, "coming and leaving were told");

    bpt_quiesce(m);
    fd = open(link_path, O_RDWR | O_NOCTTY);
    settle();
    eq_int(c.opened, 2, "nothing is told while stopped");
    bpt_start(m);
    ok(c.opened == 3 && c.be->connected(c.self), "but when started again");
    close(fd);
    end("session");
    ok(access(link_path, F_OK) < 0 && lstat(link_path, &(struct stat){0}) < 0,
       "the link goes with the machine");
}

static void
test_back_pressure(void)
{
    static uint8_t text[200000], back[200000];
    uint64_t done = 0, seen = 0;
    unsigned i, rounds = 0;
    int fd, waited = 0;
    ssize_t n;

    begin();
    for (i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 31 + i / 251);
    fd = open(link_path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    settle();
    while (seen < sizeof text && rounds++ < 100000) {
        if (!c.waits && done < sizeof text) {
            uint64_t want = sizeof text - done < 5000 ? sizeof text - done : 5000;

            done += client_write(&c, text + done, want);
            waited += c.waits;
        } else {
            n = read(fd, back + seen, sizeof back - seen < 3000 ? sizeof back - seen : 3000);
            if (n > 0)
                seen += (uint64_t)n;
            bpt_poll(m, 0);
        }
    }
    ok(waited > 0, "a reader that is slow is waited for");
    ok(seen == sizeof text && memcmp(text, back, seen) == 0, "and gets every byte once");

    done = 0;
    while (done < 20000 && (n = write(fd, text + done, 1000)) > 0)
        done += (uint64_t)n;
    settle();
    eq_int(bpt_poll(m, 20), 0, "input that nobody takes keeps nothing busy");
    close(fd);
    settle();
    eq_int(bpt_poll(m, 20), 0, "... nor when its sender has gone");
    client_take(&c, 1 << 20);
    settle();
    ok(c.got_n > 4096 && memcmp(c.got, text, c.got_n) == 0, "what it left behind arrives (%u)",
       (unsigned)c.got_n);
    ok(c.closed == 1 && !c.be->connected(c.self), "... and then its leaving is told");
    end("back-pressure");
}

static void
test_stop(void)
{
    char buf[100] = "";
    int fd;

    begin();
    bpt_clock_runs(m);
    fd = open(link_path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    settle();
    client_write(&c, "last words", 10);
    ok(!bpt_quiesce(m) && read(fd, buf, sizeof buf) == 10,
       "a reader that does not read does not hold up a stop for ever");
    bpt_start(m);
    settle();
    client_write(&c, "once more", 9);
    read(fd, buf, sizeof buf);
    eq_int(bpt_quiesce(m), 0, "one that does, not at all");
    ok(c.be->connected(c.self) && c.closed == 0, "it is still there");
    close(fd);
    bpt_start(m);
    settle();
    ok(!c.be->connected(c.self), "until it closes");
    client_write(&c, "nobody", 6);
    eq_int(bpt_quiesce(m), 0, "nobody is not waited for");
    end("stop");
}

static void
test_link(void)
{
    FILE *f = fopen(link_path, "w");

    fclose(f);
    eq_int(begin(), BP_E_EXIST, "a file in the place of the link is not replaced");
    bpt_free(m);
    ok(access(link_path, F_OK) == 0, "... nor removed");
    unlink(link_path);
    ok(symlink("/dev/pts/99999", link_path) == 0, "a link that an earlier machine left");
    eq_int(begin(), 0, "... is replaced");
    unlink(link_path);
    ok(symlink("/nowhere", link_path) == 0, "a link that somebody else put there meanwhile");
    end("link");
    ok(lstat(link_path, &(struct stat){0}) == 0, "... stays");
    eq_int(begin(), BP_E_EXIST, "... and is not replaced either");
    bpt_free(m);
    unlink(link_path);

    m = bpt_new(1 << 20, 0);
    bpt_host_flags(m, BP_HOST_CHECK);
    bpt_load(m, "char-pty", "a", props);
    eq_int(bpt_realize_all(m), 0, "check: a good link");
    bpt_load(m, "char-pty", "b", "link=/no/where/link");
    ok(bpt_realize(m, "b") == BP_E_NOENT && strstr(bpt_error(m), "/no/where"),
       "check: a missing folder is named");
    bpt_free(m);
    ok(lstat(link_path, &(struct stat){0}) < 0, "check makes no link");
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
        if (!bpt_load(m, "char-pty", "c0", props) && !bpt_realize_all(m)) {
            through = !bpt_injected(m);
            bpt_start(m);
        }
        if (bpt_free(m))
            break;
    }
    ok(through, "every host call may fail once");
    eq_int(bpt_open_fds(), fds, "and no descriptor is left");
}

int
main(void)
{
    snprintf(dir, sizeof dir, "/tmp/bp-char-pty.XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    snprintf(link_path, sizeof link_path, "%s/link", dir);
    test_session();
    test_back_pressure();
    test_stop();
    test_link();
    test_failing_host();
    ok(rmdir(dir) == 0, "cleaned up");
    return done_testing();
}
