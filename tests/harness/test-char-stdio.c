/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test-char-stdio.c - standard input and output of every kind: terminals in the foreground and in
 * the background, pipes, files, sockets, nothing at all. The test's own output goes elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "char-client.h"
#include "tap.h"

static struct char_client c;
static struct bpt_machine *m;

/* Descriptors 0 and 1 become these; -1: closed. */
static void
standard(int in, int out)
{
    if (in >= 0)
        dup2(in, 0);
    else
        close(0);
    if (out >= 0)
        dup2(out, 1);
    else
        close(1);
}

static int no_reopening; /* start as somebody who may not open standard input and output anew */

static int
begin(const char *props)
{
    int err;

    m = bpt_new(1 << 20, 0);
    err = bpt_load(m, "char-stdio", "c0", props);
    if (!err)
        err = bpt_realize_all(m);
    if (!err)
        err = client_attach(&c, m, "c0");
    if (err)
        return err;
    if (no_reopening && seteuid(65534) < 0)
        return BP_E_PERM;
    err = bpt_start(m);
    if (no_reopening && seteuid(0) < 0)
        return BP_E_PERM;
    return err;
}

static void
end(const char *what)
{
    ok(!bpt_free(m) && !c.faults, "%s: no rule of the SDK was broken", what);
    standard(open("/dev/null", O_RDONLY), open("/dev/null", O_WRONLY));
}

static void
settle(void)
{
    while (bpt_poll(m, 2))
        ;
}

static int
has_nonblock(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

static void
test_pipes(void)
{
    static uint8_t text[300000], back[300000];
    uint64_t done = 0, seen = 0, sent = 0;
    unsigned i, rounds = 0;
    int in[2], out[2], waited = 0;
    ssize_t n;

    if (pipe(in) < 0 || pipe(out) < 0)
        exit(1);
    for (i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 31 + i / 251);
    standard(in[0], out[1]);
    eq_int(begin(""), 0, "pipes");
    ok(c.be->connected(c.self), "somebody is there");
    ok(write(in[1], "a\001xb", 4) == 4, "input");
    settle();
    eq_int(c.got_n, 0, "does not come before ready()");
    client_take(&c, 1 << 20);
    eq_int(c.got_n, 0, "nor within it");
    settle();
    ok(client_got(&c, "a\001xb"), "arrives; a pipe has no escape key");
    eq_int(bpt_requested(m, NULL), 0, "... and asks for nothing");
    c.got_n = 0;
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    while ((seen < sizeof text || c.got_n < sizeof text) && rounds++ < 1000000) {
        if (!c.waits && done < sizeof text) {
            done += client_write(&c, text + done,
                                 sizeof text - done < 20000 ? sizeof text - done : 20000);
            waited += c.waits;
        }
        if (rounds % 3 == 0 && (n = read(out[0], back + seen, 3000)) > 0)
            seen += (uint64_t)n;
        if (sent < sizeof text && (n = write(in[1], text + sent, sizeof text - sent)) > 0)
            sent += (uint64_t)n;
        if (rounds % 2)
            client_take(&c, rounds % 3000);
        bpt_poll(m, 0);
    }
    ok(waited > 0, "a full pipe is waited for");
    ok(seen == sizeof text && !memcmp(text, back, seen), "a slow reader gets every byte once");
    ok(c.got_n == sizeof text && !memcmp(text, c.got, c.got_n), "so does a slow device");
    ok(!has_nonblock(in[0]) && !has_nonblock(out[1]), "O_NONBLOCK is not set on shared pipes");
    close(in[1]);
    settle();
    eq_int(bpt_poll(m, 20), 0, "the end of input keeps nothing busy");
    client_write(&c, "more", 4);
    ok(read(out[0], back, 10) == 4, "and output goes on");
    signal(SIGPIPE, SIG_IGN);
    close(out[0]);
    eq_int(client_write(&c, "lost", 4), 4, "output to a reader that has gone is dropped");
    client_write(&c, "lost", 4);
    eq_int(bpt_logs(m, BP_LOG_WARN), 1, "which is said once");
    end("pipes");
    close(in[0]);
    close(out[1]);

    if (pipe(in) < 0 || pipe(out) < 0)
        exit(1);
    standard(in[0], out[1]);
    begin("");
    while (!c.waits)
        client_write(&c, text, sizeof text);
    close(out[0]);
    settle();
    ok(!c.waits, "a reader that leaves while it is waited for sets the device free");
    eq_int(bpt_poll(m, 10), 0, "and keeps nothing busy");
    end("vanishing reader");
    close(in[0]);
    close(in[1]);
    close(out[1]);
}

static void
test_sockets(void)
{
    char buf[100];
    int a[2], i;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, a) < 0)
        exit(1);
    standard(a[0], a[0]);
    begin("");
    client_take(&c, 100);
    ok(write(a[1], "abc", 3) == 3, "a socket");
    settle();
    ok(client_got(&c, "abc"), "... has input");
    client_write(&c, "hello", 5);
    ok(read(a[1], buf, sizeof buf) == 5, "... and output");
    ok(!has_nonblock(a[0]), "O_NONBLOCK is not set on it");
    for (i = 0; i < 10000 && !c.waits; i++)
        client_write(&c, buf, sizeof buf);
    ok(c.waits, "a peer that does not read is waited for");
    close(a[1]);
    settle();
    ok(!c.waits, "until it goes");
    eq_int(bpt_poll(m, 10), 0, "then nothing is busy");
    end("socket");
    close(a[0]);
}

static void
test_files(void)
{
    char name[] = "/tmp/bp-char-stdio.XXXXXX", buf[20000];
    int fd = mkstemp(name), in, out;
    unsigned i;

    for (i = 0; i < sizeof buf; i++)
        buf[i] = (char)('!' + i % 89);
    ok(write(fd, buf, sizeof buf) == sizeof buf, "a file of 20,000 bytes");
    close(fd);
    in = open(name, O_RDONLY);
    out = open("/dev/null", O_WRONLY);
    standard(in, out);
    begin("");
    settle();
    client_take(&c, 7);
    settle();
    eq_int(c.got_n, 7, "comes as there is room for it");
    eq_int(bpt_poll(m, 10), 0, "and rests while there is none");
    client_take(&c, 1 << 20);
    settle();
    ok(c.got_n == sizeof buf && !memcmp(c.got, buf, sizeof buf), "to its end");
    eq_int(bpt_poll(m, 20), 0, "which keeps nothing busy");
    eq_int(client_write(&c, "x", 1), 1, "output to /dev/null");
    end("file");
    close(in);
    close(out);

    out = open(name, O_WRONLY | O_TRUNC);
    standard(open("/dev/null", O_RDONLY), out);
    begin("");
    client_take(&c, 10);
    settle();
    eq_int(c.got_n, 0, "input from /dev/null");
    eq_int(bpt_poll(m, 20), 0, "keeps nothing busy");
    for (i = 0; i < 10; i++)
        client_write(&c, buf, 1000);
    eq_int(lseek(out, 0, SEEK_END), 10000, "output to a file");
    end("output file");
    close(out);
    unlink(name);

    if (access("/dev/full", W_OK) == 0) {
        standard(open("/dev/null", O_RDONLY), open("/dev/full", O_WRONLY));
        begin("");
        eq_int(client_write(&c, "lost", 4), 4, "output to a full disk is dropped");
        client_write(&c, "lost", 4);
        eq_int(bpt_logs(m, BP_LOG_WARN), 1, "which is said once");
        end("full disk");
    }
    m = bpt_new(1 << 20, 0);
    ok(!bpt_load(m, "char-stdio", "c0", "") && !bpt_realize_all(m), "closed descriptors");
    standard(-1, -1); /* not before: something else would get the numbers */
    client_attach(&c, m, "c0");
    bpt_start(m);
    client_take(&c, 10);
    settle();
    eq_int(client_write(&c, "lost", 4), 4, "take output");
    eq_int(bpt_poll(m, 10), 0, "and keep nothing busy");
    end("closed");
}

static struct termios
settings(int fd)
{
    struct termios t;

    memset(&t, 0, sizeof t);
    tcgetattr(fd, &t);
    return t;
}

static int
is_raw(int fd)
{
    return !(settings(fd).c_lflag & (ICANON | ECHO));
}

static int
type(int master, const char *keys)
{
    int good = write(master, keys, strlen(keys)) == (ssize_t)strlen(keys);

    settle();
    return good;
}

static void
test_terminal(void)
{
    struct termios before, now;
    int master, slave;
    uint32_t arg = 99;
    char buf[1000];
    ssize_t n;

    if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
        exit(1);
    fcntl(master, F_SETFL, O_NONBLOCK);
    before = settings(slave);
    standard(slave, slave);

    m = bpt_new(1 << 20, 0);
    bpt_host_flags(m, BP_HOST_CHECK);
    bpt_load(m, "char-stdio", "c0", "");
    ok(!bpt_realize_all(m) && !is_raw(slave), "a check leaves the terminal alone");
    bpt_free(m);
    ok(!is_raw(slave), "... to the end");

    begin("");
    now = settings(slave);
    ok(is_raw(slave), "a start makes it raw");
    ok(!(now.c_lflag & ISIG) && !(now.c_iflag & (ICRNL | IXON)), "every key is the guest's");
    ok(now.c_oflag & OPOST, "messages still end their lines");
    client_take(&c, 1 << 20);
    type(master, "ls\r\003\032\021");
    ok(client_got(&c, "ls\r\003\032\021"), "keys arrive as they are");
    c.got_n = 0;
    client_write(&c, "output", 6);
    n = read(master, buf, sizeof buf);
    ok(n == 6 && !memcmp(buf, "output", 6), "output arrives");

    type(master, "a\001ab\001\001c");
    ok(client_got(&c, "a\001b\001c"), "Ctrl-a a and Ctrl-a Ctrl-a send Ctrl-a");
    type(master, "\001");
    type(master, "b");
    ok(c.breaks == 1 && c.got_n == 5, "Ctrl-a b sends a break, in two pieces too");
    type(master, "\001zy");
    ok(client_got(&c, "a\001b\001cy"), "an unknown command is nothing");
    type(master, "\001h");
    n = read(master, buf, sizeof buf - 1);
    buf[n > 0 ? n : 0] = 0;
    ok(strstr(buf, "Ctrl-a x"), "Ctrl-a h lists the keys");
    eq_int(bpt_requested(m, NULL), 0, "nothing has ended yet");
    type(master, "\001x");
    eq_int(bpt_requested(m, &arg), BP_REQ_EXIT, "Ctrl-a x ends the program");
    eq_int(arg, 0, "... with status 0");

    bpt_quiesce(m);
    now = settings(slave);
    ok(!memcmp(&before, &now, sizeof now), "a stop restores the terminal");
    bpt_start(m);
    ok(is_raw(slave), "a start takes it again");
    tcsetattr(slave, TCSANOW, &before);
    type(master, "line\r");
    ok(is_raw(slave), "a terminal that somebody else changed is raw again after a line");
    c.wants = 0;
    c.got_n = c.room = 0;
    c.wants = 1;
    type(master, "unread");
    type(master, "\001x");
    eq_int(bpt_requested(m, &arg), BP_REQ_EXIT, "the escape key works while the guest hangs");
    ok(!has_nonblock(0) && !has_nonblock(1), "O_NONBLOCK is not set on a shared terminal");
    end("terminal");
    now = settings(slave);
    ok(!memcmp(&before, &now, sizeof now), "the end restores the terminal");

    standard(slave, slave);
    begin("escape=b,signals=yes");
    client_take(&c, 100);
    ok(settings(slave).c_lflag & ISIG, "signals: Ctrl-C is the program's");
    type(master, "\001x\002bB\002\002");
    ok(c.breaks == 1 && client_got(&c, "\001xB\002"), "another escape key");
    end("escape key");
    standard(slave, slave);
    begin("escape=none");
    client_take(&c, 100);
    type(master, "\001x\001");
    ok(client_got(&c, "\001x\001"), "no escape key");
    end("no escape key");
    close(slave);

    standard(open("/dev/null", O_RDONLY), open("/dev/null", O_WRONLY));
    close(master);
}

static void
test_hangup(void)
{
    int master, slave;

    if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
        exit(1);
    standard(slave, slave);
    close(slave);
    begin("");
    client_take(&c, 100);
    close(master);
    settle();
    eq_int(bpt_poll(m, 20), 0, "a terminal that was closed keeps nothing busy");
    eq_int(client_write(&c, "lost", 4), 4, "and output to it is dropped");
    end("hang-up");
}

/* In a session of its own, with another job in the foreground. Exits with what it saw. */
static void
background(int slave)
{
    int hold[2], seen = 0;
    struct termios before;
    pid_t other;
    char ch;

    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    standard(slave, slave);
    alarm(20);
    if (pipe(hold) < 0)
        _exit(0);
    other = fork();
    if (other == 0) {
        setpgid(0, 0);
        close(hold[1]);
        _exit(read(hold[0], &ch, 1) == 0);
    }
    setpgid(other, other);
    tcsetpgrp(0, other);
    before = settings(0);
    begin("");
    client_take(&c, 100);
    seen |= !memcmp(&before, &(struct termios[]){settings(0)}[0], sizeof before) ? 1 : 0;
    bpt_advance(m, 1000000000);
    settle();
    seen |= !is_raw(0) && c.got_n == 0 ? 2 : 0;
    bpt_quiesce(m);
    bpt_start(m);
    seen |= !is_raw(0) ? 4 : 0;
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(0, getpgrp());
    signal(SIGTTOU, SIG_DFL);
    bpt_advance(m, 1000000000);
    settle();
    seen |= is_raw(0) ? 8 : 0;
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(0, other);
    signal(SIGTTOU, SIG_DFL);
    seen |= bpt_free(m) == 0 ? 16 : 0;
    _exit(seen);
}

static void
test_background(void)
{
    int master, slave, status = 0, seen;
    pid_t pid;

    if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
        exit(1);
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        background(slave);
    waitpid(pid, &status, 0);
    seen = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    ok(WIFEXITED(status), "a program in the background is not stopped");
    ok(seen & 1, "it leaves the terminal as it is");
    ok(seen & 2, "and does not read it");
    ok(seen & 4, "not after a stop and a start either");
    ok(seen & 8, "in the foreground it takes it");
    ok(seen & 16, "back in the background it ends in peace");
    close(master);
    close(slave);
}

static void
test_refusals(void)
{
    static const char *const bad[] = {"escape=aa", "escape=A", "escape=1", "escape=\"\""};
    unsigned i;

    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        m = bpt_new(1 << 20, 0);
        ok(bpt_load(m, "char-stdio", "c0", bad[i]) != 0, "refused: %s", bad[i]);
        bpt_free(m);
    }
    m = bpt_new(1 << 20, 0);
    bpt_load(m, "char-stdio", "c0", "");
    bpt_load(m, "char-stdio", "c1", "");
    ok(bpt_realize_all(m) == BP_E_BUSY && strstr(bpt_error(m), "only be one"),
       "a second one in the process is refused");
    bpt_free(m);
    eq_int(begin(""), 0, "the next machine may have one again");
    ok(client_attach(&(struct char_client){0}, m, "c0") == BP_E_BUSY, "a second device is refused");
    end("attach");
}

static void
test_state(void)
{
    int in[2];

    if (pipe(in) < 0)
        exit(1);
    standard(in[0], open("/dev/null", O_WRONLY));
    begin("");
    ok(write(in[1], "read ahead", 10) == 10, "input that nobody took yet");
    settle();
    eq_int(bpt_state_roundtrip(m, "c0"), 0, "is state");
    client_take(&c, 100);
    settle();
    ok(client_got(&c, "read ahead"), "and arrives afterwards");
    end("state");
    close(in[0]);
    close(in[1]);
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
        if (!bpt_load(m, "char-stdio", "c0", "") && !bpt_realize_all(m)) {
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
    /* TAP goes to a copy of standard output: the test needs the number. */
    int tap = fcntl(1, F_DUPFD_CLOEXEC, 50);

    stdout = fdopen(tap, "w");
    standard(open("/dev/null", O_RDONLY), open("/dev/null", O_WRONLY));
    test_pipes();
    if (geteuid() == 0) {
        no_reopening = 1;
        test_pipes();
        no_reopening = 0;
    } else {
        skip("needs root", "pipes that cannot be opened anew");
    }
    test_sockets();
    test_files();
    test_terminal();
    test_hangup();
    test_background();
    test_refusals();
    test_state();
    test_failing_host();
    return done_testing();
}
