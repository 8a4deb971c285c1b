/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - backplane-check: does a plugin keep the rules of the SDK? Options, the list of tests,
 * and TAP.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

#define CLASSES_MAX 16u
#ifndef CHECK_VERSION
#define CHECK_VERSION "of no release"
#endif

struct test {
    const char *name, *what;
    void (*run)(struct check *);
    int of_class; /* once for each class of the file */
};

static const struct test tests[] = {
    {"elf-object", "it is a whole shared object for this machine", test_elf_object, 0},
    {"elf-exports", "it exports its entry and nothing else", test_elf_exports, 0},
    {"elf-undefined", "it wants nothing but what its libraries have", test_elf_undefined, 0},
    {"elf-linking", "it is bound when it is opened, and its memory is protected", test_elf_linking,
     0},
    {"elf-constructors", "nothing of it runs because it is opened", test_elf_constructors, 0},
    {"elf-forbidden", "it calls nothing that changes the process", test_elf_forbidden, 0},
    {"elf-note", "its note says what its descriptor says", test_elf_note, 0},
    {"entry-levels", "it takes the cores that it says it can run on, and no others",
     test_entry_levels, 0},
    {"entry-unload", "it can be opened, looked at and closed", test_entry_unload, 0},
    {"descriptor", "it says what it is and whose", test_descriptor, 0},
    {"class", "the class is complete", test_class, 1},
    {"props", "the table of properties is complete, each with its help", test_props, 1},
    {"props-defaults", "its defaults are values that it takes", test_props_defaults, 1},
    {"life-once", "it is created, realized, started, used, quiesced and destroyed", test_life_once,
     1},
    {"props-set", "it changes the properties that it says can be changed", test_props_refused, 1},
    {"life-check", "`backplane check` leaves nothing behind", test_life_check_mode, 1},
    {"life-many", "many lives leave no memory, descriptor or thread behind", test_life_many, 1},
    {"life-two", "two of it in one machine", test_life_two, 1},
    {"life-reset", "resets of the machine", test_life_reset, 1},
    {"life-quiesce", "quiesce while it works: no thread, mapping or I/O is left", test_life_quiesce,
     1},
    {"provides", "the tables of what it provides", test_provides, 1},
    {"provides-block", "bp.block/1, used as a device does", test_block, 1},
    {"provides-char", "bp.char/1, used as a device does", test_char, 1},
    {"provides-net", "bp.net/1, used as a device does", test_net, 1},
    {"host-old", "every level of the core that it says it runs on", test_host_old, 1},
    {"host-short", "tables of services cut short at each member", test_host_short, 1},
    {"host-missing", "services that are not there", test_host_missing, 1},
    {"host-optional", "nothing of what it needs only optionally", test_host_optional, 1},
    {"host-failing", "each call of the host fails in turn", test_host_failing, 1},
    {"host-no-map", "guest memory that is never mapped", test_host_no_map, 1},
    {"host-windows", "guest memory that is mapped in pieces", test_host_windows, 1},
    {"no-memory", "each allocation fails in turn", test_no_memory, 1},
    {"state-same", "save() does not change it", test_state_same, 1},
    {"state-roundtrip", "another one loads what it saved, and saves the same", test_state_roundtrip,
     1},
    {"state-failing", "each call of the writer and the reader fails in turn", test_state_failing,
     1},
    {"state-missing", "a key that is absent keeps its reset value", test_state_missing, 1},
    {"state-hostile", "each saved value damaged in turn", test_state_hostile, 1},
    {"state-fuzz", "states damaged at random", test_state_fuzz, 1},
    {"fuzz-widths", "every register read in every width", test_fuzz_widths, 1},
    {"fuzz-guest", "a guest that does anything at all", test_fuzz_registers, 1},
    {"fuzz-bare", "the same, without what it needs only optionally", test_fuzz_bare, 1},
};
#define N_TESTS (sizeof tests / sizeof *tests)

static const char usage[] =
    "Usage: backplane-check [OPTION]... FILE.so\n"
    "Checks a plugin of the Backplane hypervisor and prints TAP.\n\n"
    "  -s, --set KEY=VALUE      a property of the device, as in the config file\n"
    "  -w, --with FILE[:PROPS]  another plugin for it to link to; PROPS is key=value,...\n"
    "      --cut IFACE=BYTES    a host whose table of that interface is no longer\n"
    "  -c, --class NAME         only this class of the file\n"
    "  -o, --only NAMES         only these tests, separated by commas; NAME- stands for all\n"
    "                           that begin so\n"
    "  -x, --skip NAMES         not these tests\n"
    "      --seed N             what is random begins here; printed\n"
    "      --reproduce N        only the tests that use the seed, showing each access\n"
    "      --steps N            length of the random tests (10000)\n"
    "      --cycles N           lives in life-many (100)\n"
    "  -t, --timeout SECONDS    limit of each test (60)\n"
    "  -l, --list               print the names of the tests\n"
    "  -h, --help\n"
    "      --version\n";

__attribute__((format(printf, 1, 2), noreturn)) static void
fail(const char *fmt, ...)
{
    va_list ap;

    fputs("backplane-check: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs("; see backplane-check --help\n", stderr);
    exit(2);
}

static uint64_t
number(const char *text, uint64_t least, uint64_t most)
{
    unsigned long long v;
    char *end;

    errno = 0;
    v = strtoull(text, &end, 0);
    if (errno || end == text || *end || *text == '-' || v < least || v > most)
        fail("'%s' is not a number that can be here", text);
    return v;
}

/* Whether name is in a list like "life-once,elf-". */
static int
in_list(const char *list, const char *name)
{
    while (list && *list) {
        size_t n = strcspn(list, ",");

        if (n && strncmp(list, name, n) == 0 && (list[n - 1] == '-' || !name[n]))
            return 1;
        list += n + (list[n] == ',');
    }
    return 0;
}

/* Every entry of a list names a test. */
static void
check_list(const char *list)
{
    while (list && *list) {
        size_t n = strcspn(list, ",");
        int found = 0;

        for (unsigned i = 0; i < N_TESTS; i++)
            found |= strncmp(list, tests[i].name, n) == 0 &&
                     (n == strlen(tests[i].name) || (n && list[n - 1] == '-'));
        if (!found)
            fail("there is no test '%s'", list);
        list += n + (list[n] == ',');
    }
}

static void
options_parse(struct options *o, int argc, char **argv)
{
    enum {
        O_SEED = 256,
        O_REPRODUCE,
        O_STEPS,
        O_CYCLES,
        O_CUT,
        O_VERSION,
    };
    static const struct option longs[] = {
        {"set", 1, NULL, 's'},       {"with", 1, NULL, 'w'},
        {"cut", 1, NULL, O_CUT},     {"class", 1, NULL, 'c'},
        {"only", 1, NULL, 'o'},      {"skip", 1, NULL, 'x'},
        {"seed", 1, NULL, O_SEED},   {"reproduce", 1, NULL, O_REPRODUCE},
        {"steps", 1, NULL, O_STEPS}, {"cycles", 1, NULL, O_CYCLES},
        {"timeout", 1, NULL, 't'},   {"list", 0, NULL, 'l'},
        {"help", 0, NULL, 'h'},      {"version", 0, NULL, O_VERSION},
        {NULL, 0, NULL, 0}};
    int opt;

    while ((opt = getopt_long(argc, argv, "s:w:c:o:x:t:lh", longs, NULL)) != -1) {
        switch (opt) {
        case 's':
            if (!strchr(optarg, '='))
                fail("'%s' is not KEY=VALUE", optarg);
            o->set[o->n_set++] = optarg;
            break;
        case 'w':
            o->with[o->n_with++] = optarg;
            break;
        case O_CUT:
            if (!strchr(optarg, '='))
                fail("'%s' is not IFACE=BYTES", optarg);
            (void)number(strchr(optarg, '=') + 1, 8, 65536);
            o->cut[o->n_cut++] = optarg;
            break;
        case 'c':
            o->class_name = optarg;
            break;
        case 'o':
            o->only = optarg;
            break;
        case 'x':
            o->skip = optarg;
            break;
        case O_REPRODUCE:
            o->trace = 1;
            o->only = "fuzz-guest,fuzz-bare,state-fuzz";
            o->seed = number(optarg, 0, UINT64_MAX);
            break;
        case O_SEED:
            o->seed = number(optarg, 0, UINT64_MAX);
            break;
        case O_STEPS:
            o->steps = (unsigned)number(optarg, 1, 1000000000);
            break;
        case O_CYCLES:
            o->cycles = (unsigned)number(optarg, 1, 1000000);
            break;
        case 't':
            o->timeout = (unsigned)number(optarg, 1, 86400);
            break;
        case 'l':
            for (unsigned i = 0; i < N_TESTS; i++)
                printf("%-17s %s\n", tests[i].name, tests[i].what);
            exit(0);
        case 'h':
            fputs(usage, stdout);
            exit(0);
        case O_VERSION:
            printf("backplane-check " CHECK_VERSION " (plugin ABI %d, API level %d)\n",
                   BP_ABI_MAJOR, BP_API_LATEST);
            exit(0);
        default:
            fputs("backplane-check: see backplane-check --help\n", stderr);
            exit(2);
        }
    }
    if (argc - optind != 1)
        fail("give it one file");
    check_list(o->only);
    check_list(o->skip);
    o->file = realpath(argv[optind], NULL);
    if (!o->file)
        fail("there is no file '%s'", argv[optind]);
    /* A link's name picks the class, as the core does it. */
    o->name = strrchr(argv[optind], '/');
    o->name = o->name ? o->name + 1 : argv[optind];
}

/* The classes of the file, found in a child like everything that opens it. */
static unsigned
find_classes(struct check *c, char (*names)[BP_NOTE_ID_SIZE])
{
    unsigned n = 0;
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        struct check mine = *c;

        alarm(c->opt->timeout);
        mine.verdict = check_verdict_new();
        if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout) ||
            !freopen("/dev/null", "w", stderr))
            _exit(1);
        class_names(&mine, names, CLASSES_MAX);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    while (n < CLASSES_MAX && names[n][0])
        n++;
    return n;
}

int
main(int argc, char **argv)
{
    struct options opt = {.steps = 10000, .cycles = 100, .timeout = 60};
    struct check c = {.opt = &opt};
    char(*names)[BP_NOTE_ID_SIZE];
    unsigned number_of = 0, failed = 0, n_classes = 1;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    opt.seed = (uint64_t)now.tv_sec ^ (uint64_t)now.tv_nsec << 10 ^ (uint64_t)getpid() << 24;
    opt.seed &= 0xffffffff;
    opt.set = calloc((size_t)argc, sizeof *opt.set);
    opt.with = calloc((size_t)argc, sizeof *opt.with);
    opt.cut = calloc((size_t)argc, sizeof *opt.cut);
    names = mmap(NULL, CLASSES_MAX * sizeof *names, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!opt.set || !opt.with || !opt.cut || names == MAP_FAILED) {
        perror("backplane-check");
        exit(2);
    }
    options_parse(&opt, argc, argv);
    printf("# %s, seed %llu\n", opt.file, (unsigned long long)opt.seed);
    if (!opt.class_name)
        n_classes = find_classes(&c, names);
    for (unsigned i = 0; i < N_TESTS; i++) {
        if ((opt.only && !in_list(opt.only, tests[i].name)) || in_list(opt.skip, tests[i].name))
            continue;
        for (unsigned k = 0; k < (tests[i].of_class && n_classes > 1 ? n_classes : 1); k++) {
            struct options mine = opt;
            char name[BP_NOTE_ID_SIZE + 32];

            c.opt = &mine;
            snprintf(name, sizeof name, "%s", tests[i].name);
            if (tests[i].of_class && n_classes > 1) {
                mine.class_name = names[k];
                snprintf(name, sizeof name, "%s %s", names[k], tests[i].name);
            }
            failed += (unsigned)run_test(&c, ++number_of, name, tests[i].what, tests[i].run);
        }
    }
    printf("1..%u\n", number_of);
    free(opt.file);
    free(opt.set);
    free(opt.with);
    free(opt.cut);
    return failed != 0;
}
