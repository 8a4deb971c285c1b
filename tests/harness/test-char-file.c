/* SPDX-License-Identifier: BSD-3-Clause */
/* test-char-file.c - files as the other end of a byte stream. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "char-client.h"
#include "tap.h"

static char dir[64];
static struct char_client c;
static struct bpt_machine *m;

static const char *
in_dir(const char *name)
{
    static char path[4][128];
    static unsigned next;
    char *p = path[next++ % 4];

    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void
put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    fputs(text, f);
    fclose(f);
}

static const char *
content(const char *path)
{
    static char text[4096];
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

    text[n] = 0;
    if (f)
        fclose(f);
    return f ? text : "(no file)";
}

static int
load(const char *props)
{
    m = bpt_new(1 << 20, 0);
    return bpt_load(m, "char-file", "c0", props);
}

static int
begin(const char *props)
{
    int err = load(props);

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

static void
test_output(void)
{
    char props[256];

    snprintf(props, sizeof props, "path=%s", in_dir("out"));
    put(in_dir("out"), "old and long");
    ok(!load(props) && !bpt_realize_all(m), "a file");
    eq_str(content(in_dir("out")), "old and long", "keeps its content before the start");
    bpt_free(m);
    eq_str(content(in_dir("out")), "old and long", "... also when there never is one");
    eq_int(begin(props), 0, "a start");
    eq_str(content(in_dir("out")), "", "empties it");
    eq_int(client_write(&c, "Hello\n", 6), 6, "output is taken");
    eq_str(content(in_dir("out")), "Hello\n", "and is in the file at once");
    eq_int(c.be->connected(c.self), 1, "a file is always there");
    bpt_quiesce(m);
    bpt_start(m);
    client_write(&c, "again\n", 6);
    eq_str(content(in_dir("out")), "Hello\nagain\n", "a second start does not empty it");
    end("output");

    snprintf(props, sizeof props, "path=%s,append=yes", in_dir("out"));
    begin(props);
    client_write(&c, "more\n", 5);
    eq_str(content(in_dir("out")), "Hello\nagain\nmore\n", "append writes behind what is there");
    end("append");
}

static void
test_new_file(void)
{
    char props[256];
    struct stat st;

    snprintf(props, sizeof props, "path=%s", in_dir("new"));
    ok(!load(props) && !bpt_realize_all(m), "a file that does not exist");
    bpt_free(m);
    ok(access(in_dir("new"), F_OK) < 0, "... is not left behind without a start");
    begin(props);
    ok(stat(in_dir("new"), &st) == 0 && (st.st_mode & 0777) == 0600, "... is made for its owner");
    end("new file");
    ok(access(in_dir("new"), F_OK) == 0, "... and stays");
}

static void
test_check(void)
{
    char props[256];
    unsigned fds = bpt_open_fds();

    m = bpt_new(1 << 20, 0);
    bpt_host_flags(m, BP_HOST_CHECK);
    put(in_dir("kept"), "kept");
    snprintf(props, sizeof props, "path=%s", in_dir("kept"));
    bpt_load(m, "char-file", "a", props);
    snprintf(props, sizeof props, "path=%s", in_dir("absent"));
    bpt_load(m, "char-file", "b", props);
    eq_int(bpt_realize_all(m), 0, "check: good paths are good");
    snprintf(props, sizeof props, "path=%s", in_dir("no/where"));
    bpt_load(m, "char-file", "c", props);
    ok(bpt_realize(m, "c") == BP_E_NOENT && strstr(bpt_error(m), "no/where"),
       "check: a missing folder is named");
    snprintf(props, sizeof props, "path=%s", dir);
    bpt_load(m, "char-file", "d", props);
    ok(bpt_realize(m, "d") < 0, "check: a folder is no file");
    if (geteuid() != 0) {
        chmod(in_dir("kept"), 0400);
        snprintf(props, sizeof props, "path=%s", in_dir("kept"));
        bpt_load(m, "char-file", "e", props);
        eq_int(bpt_realize(m, "e"), BP_E_ACCES, "check: a file that cannot be written");
        chmod(in_dir("kept"), 0600);
    } else {
        skip("root may write everywhere", "check: a file that cannot be written");
    }
    bpt_free(m);
    eq_str(content(in_dir("kept")), "kept", "check does not empty a file");
    ok(access(in_dir("absent"), F_OK) < 0, "... nor make one");
    eq_int(bpt_open_fds(), fds, "... nor keep a descriptor");
}

static void
test_refusals(void)
{
    char props[256];

    ok(load("") != 0, "a path is needed");
    bpt_free(m);
    snprintf(props, sizeof props, "path=%s", dir);
    ok(!load(props) && bpt_realize_all(m) < 0 && strstr(bpt_error(m), dir), "a folder is refused");
    bpt_free(m);
    snprintf(props, sizeof props, "path=%s,input=%s", in_dir("x"), in_dir("absent"));
    ok(load(props) || bpt_realize_all(m) < 0, "a missing input file is refused");
    bpt_free(m);
    ok(access(in_dir("x"), F_OK) < 0, "... and nothing is left behind");
    snprintf(props, sizeof props, "path=%s,input=%s", in_dir("x"), dir);
    ok((load(props) || bpt_realize_all(m) < 0) && strstr(bpt_error(m), "irectory"),
       "a folder as input is refused");
    bpt_free(m);
    snprintf(props, sizeof props, "path=%s", in_dir("x"));
    begin(props);
    ok(client_attach(&(struct char_client){0}, m, "c0") == BP_E_BUSY, "a second device is refused");
    c.be->attach(c.self, NULL);
    eq_int(client_attach(&c, m, "c0"), 0, "another one after the first has left is not");
    end("attach");
}

static void
test_input(void)
{
    char props[256], big[10000];
    unsigned i;

    for (i = 0; i < sizeof big - 1; i++)
        big[i] = (char)('!' + i * 7 % 90);
    big[i] = 0;
    put(in_dir("in"), big);
    snprintf(props, sizeof props, "path=%s,input=%s", in_dir("out"), in_dir("in"));
    begin(props);
    bpt_poll(m, 0);
    eq_int(c.got_n, 0, "no input before ready()");
    client_take(&c, 5);
    eq_int(c.got_n, 0, "none inside ready() either");
    bpt_poll(m, 0);
    eq_int(c.got_n, 5, "then as much as there is room for");
    bpt_poll(m, 0);
    eq_int(c.got_n, 5, "and no more");
    eq_int(bpt_state_roundtrip(m, "c0"), 0, "what was read ahead is state");
    bpt_quiesce(m);
    client_take(&c, 5);
    bpt_poll(m, 0);
    eq_int(c.got_n, 5, "a stopped machine gets no input");
    bpt_start(m);
    bpt_poll(m, 0);
    eq_int(c.got_n, 10, "but when it goes on");
    client_take(&c, 1 << 20);
    while (bpt_poll(m, 0))
        ;
    ok(client_got(&c, big), "all of the file arrives in order");
    eq_int(bpt_poll(m, 10), 0, "its end keeps nothing busy");
    end("input");
}

static void
test_input_fifo(void)
{
    char props[256];
    int i, fd;

    mkfifo(in_dir("pipe"), 0600);
    snprintf(props, sizeof props, "path=%s,input=%s", in_dir("out"), in_dir("pipe"));
    eq_int(begin(props), 0, "a named pipe as input");
    client_take(&c, 1 << 20);
    for (i = 0; i < 2; i++) {
        fd = open(in_dir("pipe"), O_WRONLY | O_NONBLOCK);
        ok(write(fd, "abc", 3) == 3, "a writer comes");
        close(fd);
        bpt_poll(m, 100);
    }
    ok(client_got(&c, "abcabc"), "a pipe outlives its first writer");
    eq_int(bpt_poll(m, 10), 0, "and rests without one");
    end("named pipe");
}

static void
test_limit(void)
{
    struct rlimit was, small;
    char props[256];

    snprintf(props, sizeof props, "path=%s", in_dir("small"));
    begin(props);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &was);
    small = was;
    small.rlim_cur = 10;
    setrlimit(RLIMIT_FSIZE, &small);
    eq_int(client_write(&c, "0123456789abc", 13), 13, "a file that can not get longer");
    client_write(&c, "lost", 4);
    eq_int(bpt_logs(m, BP_LOG_ERR), 1, "... is complained of once");
    setrlimit(RLIMIT_FSIZE, &was);
    client_write(&c, "more", 4);
    client_write(&c, "more", 4);
    eq_str(content(in_dir("small")), "0123456789moremore", "it gets what comes when it can again");
    eq_int(bpt_logs(m, BP_LOG_INFO), 1, "... which is said once");
    setrlimit(RLIMIT_FSIZE, &small);
    client_write(&c, "lost", 4);
    setrlimit(RLIMIT_FSIZE, &was);
    eq_int(bpt_logs(m, BP_LOG_ERR), 2, "and the next time it is complained of again");
    end("limit");
}

static void
test_failing_host(void)
{
    unsigned fds = bpt_open_fds();
    int through = 0;
    char props[256];
    uint64_t n;

    put(in_dir("in"), "abc");
    snprintf(props, sizeof props, "path=%s,input=%s", in_dir("none"), in_dir("in"));
    for (n = 1; n < 100 && !through; n++) {
        m = bpt_new(1 << 20, 0);
        bpt_inject(m, "c0", n, BP_E_NOMEM);
        if (!bpt_load(m, "char-file", "c0", props) && !bpt_realize_all(m))
            through = !bpt_injected(m);
        if (bpt_free(m))
            break;
    }
    ok(through, "every host call may fail once");
    eq_int(bpt_open_fds(), fds, "and no descriptor is left");
    ok(access(in_dir("none"), F_OK) < 0, "nor a file");
}

static void
test_full_disk(void)
{
    if (access("/dev/full", W_OK) < 0) {
        skip("no /dev/full", "full disk");
        return;
    }
    eq_int(begin("path=/dev/full"), 0, "a file without room");
    eq_int(client_write(&c, "lost", 4), 4, "output that does not fit is dropped");
    client_write(&c, "lost", 4);
    eq_int(bpt_logs(m, BP_LOG_ERR), 1, "which is said once");
    end("full disk");
}

int
main(void)
{
    char command[80];

    snprintf(dir, sizeof dir, "/tmp/bp-char-file.XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    test_output();
    test_new_file();
    test_check();
    test_refusals();
    test_input();
    test_input_fifo();
    test_full_disk();
    test_limit();
    test_failing_host();
    snprintf(command, sizeof command, "rm -r %s", dir);
    ok(system(command) == 0, "cleaned up");
    return done_testing();
}
