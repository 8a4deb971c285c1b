/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig.c - a fake machine with the device under test: what it is given, its way through life, what
 * it may leave behind, and a guest that does anything at all with its registers.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>

#include "check.h"

#define RAM_BYTES     (64u << 20)
#define FILE_BYTES    (1u << 20)
#define START_TRIES   200u
#define DRIVER_SETUPS 40u
#define MMIO_MAGIC    0x74726976u /* virtio's: "virt" */

/* ---- What is left behind ---- */

/* The kernel's own workers for io_uring are not the plugin's. */
static int
is_thread(const char *id)
{
    char path[320], name[16] = "";
    FILE *f;

    snprintf(path, sizeof path, "/proc/self/task/%s/comm", id);
    f = *id == '.' ? NULL : fopen(path, "re");
    if (!f)
        return 0;
    if (!fgets(name, sizeof name, f))
        name[0] = '\0';
    fclose(f);
    return strncmp(name, "iou-", 4) != 0;
}

#if CHECK_SANITIZED
static void *
do_nothing(void *arg)
{
    return arg;
}

/* With the first thread, the thread sanitizer makes one of its own, which stays. */
static void
count_begin(void)
{
    static int begun;
    pthread_t thread;

    if (!begun && pthread_create(&thread, NULL, do_nothing, NULL) == 0)
        pthread_join(thread, NULL);
    begun = 1;
}
#else
static void
count_begin(void)
{
}
#endif

unsigned
count_threads(void)
{
    unsigned n = 0;
    DIR *d;

    count_begin();
    d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        n += (unsigned)is_thread(e->d_name);
    if (d)
        closedir(d);
    return n;
}

void
usage_take(struct usage *u)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f || fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    u->mapped = pages;
    u->fds = bpt_open_fds();
    u->threads = count_threads();
    u->blocks = count_live();
}

int
usage_grown(struct check *c, const struct usage *before, unsigned times, const char *when)
{
    struct timespec while_it_goes = {0, 5000000};
    struct usage now;
    int grown = 0;

    usage_take(&now);
    /* A thread that was joined may still be seen for a moment. */
    for (unsigned i = 0; i < 400 && now.threads > before->threads; i++) {
        nanosleep(&while_it_goes, NULL);
        now.threads = count_threads();
    }
    if (now.fds >= before->fds + times) {
        bad(c, "%s %u more descriptors are open", when, now.fds - before->fds);
        grown = 1;
    }
    if (now.threads > before->threads) {
        bad(c, "%s %u more threads are there", when, now.threads - before->threads);
        grown = 1;
    }
    if (count_works() && now.blocks >= before->blocks + (long)times) {
        bad(c, "%s %ld more blocks of memory are allocated", when, now.blocks - before->blocks);
        grown = 1;
    }
    if (!CHECK_SANITIZED && times >= 50 && now.mapped >= before->mapped + times) {
        bad(c, "%s %llu more pages are mapped", when,
            (unsigned long long)(now.mapped - before->mapped));
        grown = 1;
    }
    return grown;
}

/* ---- What the device is given ---- */

struct text {
    char *p;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void
append(struct text *t, const char *fmt, ...)
{
    char *more;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&more, fmt, ap);
    va_end(ap);
    if (n < 0 || !(t->p = realloc(t->p, t->len + (size_t)n + 1)))
        abort();
    memcpy(t->p + t->len, more, (size_t)n + 1);
    t->len += (size_t)n;
    free(more);
}

/* A file of a size that a disk could have; one for the life of the process. */
static const char *
some_file(void)
{
    static char path[64];

    if (!path[0]) {
        int fd = memfd_create("check", MFD_CLOEXEC);

        if (fd < 0 || ftruncate(fd, FILE_BYTES) < 0)
            abort();
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    return path;
}

static int
given(const struct check *c, const char *name)
{
    for (unsigned i = 0; i < c->opt->n_set; i++)
        if (strncmp(c->opt->set[i], name, strlen(name)) == 0 && c->opt->set[i][strlen(name)] == '=')
            return 1;
    return 0;
}

/* A value for a property that has to have one, or that leads to more of the device's code. */
static void
choose(struct rig *r, struct text *t, const struct bp_prop *p)
{
    int must = p->flags & BP_P_REQUIRED;
    const char *id;

    switch (p->type) {
    case BP_LINK:
        id = r->flags & RIG_ALONE && !must ? NULL : peers_id(r->peers, p->link_iface);
        /* A back end belongs to one device, and to one property of it. */
        if (id && (!t->p || !strstr(t->p, id)))
            append(t, "%s=%s,", p->name, id);
        break;
    case BP_PATH:
        if (must)
            append(t, "%s=\"%s\",", p->name, some_file());
        break;
    case BP_ENUM:
        if (must)
            append(t, "%s=\"%s\",", p->name, p->choices[0]);
        break;
    case BP_BOOL:
        if (must)
            append(t, "%s=true,", p->name);
        break;
    case BP_INT:
    case BP_SIZE:
        if (must)
            append(t, "%s=%lld,", p->name, (long long)(p->min || p->max ? p->min : 1));
        break;
    default:
        if (must)
            append(t, "%s=check,", p->name);
        break;
    }
}

static char *
choose_all(struct rig *r)
{
    const struct bp_class *cls = &r->c->cls;
    struct text t = {NULL, 0};

    append(&t, "%s", "");
    for (uint32_t i = 0; i < cls->n_props; i++) {
        const char *at = (const char *)cls->props + (size_t)i * cls->prop_size;
        struct bp_prop p = {.size = 0};
        uint32_t size;

        memcpy(&size, at, sizeof size);
        memcpy(&p, at, size < sizeof p ? size : sizeof p);
        if (!given(r->c, p.name))
            choose(r, &t, &p);
    }
    for (unsigned i = 0; i < r->c->opt->n_set; i++) {
        const char *eq = strchr(r->c->opt->set[i], '=');

        append(&t, "%.*s=\"%s\",", (int)(eq - r->c->opt->set[i]), r->c->opt->set[i], eq + 1);
    }
    if (t.len)
        t.p[t.len - 1] = '\0';
    return t.p;
}

/* ---- Its life ---- */

static void
load_others(struct rig *r)
{
    for (unsigned i = 0; i < r->c->opt->n_with; i++) {
        char *file = strdup(r->c->opt->with[i]), id[32], *colon;

        if (!file)
            abort();
        colon = strchr(file, ':');
        if (colon)
            *colon++ = '\0';
        snprintf(id, sizeof id, "with%u", i);
        step(r->c, "making %s, which is there for the test", file);
        if (bpt_load(r->m, file, id, colon) || bpt_realize(r->m, id))
            skip(r->c, "--with %s: %s", file, bpt_error(r->m));
        free(file);
    }
}

/* The host that --cut asks for. */
static void
cut_tables(struct rig *r)
{
    const struct options *o = r->c->opt;

    for (unsigned i = 0; i < o->n_cut; i++) {
        char iface[64];

        snprintf(iface, sizeof iface, "%.*s", (int)strcspn(o->cut[i], "="), o->cut[i]);
        bpt_truncate(r->m, iface, (uint32_t)strtoul(strchr(o->cut[i], '=') + 1, NULL, 0));
    }
}

void
rig_open(struct rig *r, struct check *c, unsigned flags)
{
    memset(r, 0, sizeof *r);
    r->c = c;
    r->flags = flags;
    r->random = c->opt->seed * 2 + 1;
    r->m = bpt_new(RAM_BYTES, 0);
    if (!r->m)
        abort();
    bpt_info(r->m)->ram_low = RAM_BYTES;
    bpt_host_flags(r->m, flags & RIG_CHECK ? BP_HOST_CHECK : 0);
    bpt_map_window(r->m, flags & RIG_NO_MAP ? 1 : flags & RIG_WINDOWS ? 4096 : 0);
    cut_tables(r);
    r->peers = peers_new(r);
    if (!(flags & RIG_NOTHING))
        load_others(r);
}

int
rig_create_as(struct rig *r, const char *id)
{
    char *props = choose_all(r);
    int err;

    step(r->c, "in create() with %s", *props ? props : "no properties");
    err = bpt_add(r->m, r->c->theirs, id, props);
    free(props);
    return err;
}

int
rig_create(struct rig *r)
{
    return rig_create_as(r, DUT);
}

int
rig_realize(struct rig *r)
{
    step(r->c, "in realize()");
    return bpt_realize(r->m, DUT);
}

int
rig_start(struct rig *r)
{
    int err = BP_E_AGAIN;

    peers_program(r->peers);
    step(r->c, "in start()");
    for (unsigned i = 0; i < START_TRIES && err == BP_E_AGAIN; i++) {
        err = bpt_start(r->m);
        if (err == BP_E_AGAIN)
            bpt_poll(r->m, 10);
    }
    return err;
}

const char *
rig_error(struct rig *r)
{
    const char *text = bpt_error(r->m);

    return *text ? text : "no reason given";
}

void
rig_up(struct rig *r)
{
    const char *in = "create()";
    int err = rig_create(r);

    if (!err) {
        in = "realize()";
        err = rig_realize(r);
    }
    if (!err) {
        in = "start()";
        err = rig_start(r);
    }
    if (err)
        bad(r->c, "%s returned %d: %s", in, err, rig_error(r));
}

void
rig_need_up(struct check *c, unsigned flags)
{
    struct rig r;
    int err;

    if (!c->plugin)
        plugin_open(c);
    if (!c->plugin)
        skip(c, "it cannot be opened; see entry-levels");
    rig_open(&r, c, flags);
    err = rig_create(&r);
    if (!err)
        err = rig_realize(&r);
    if (!err)
        err = rig_start(&r);
    if (err)
        skip(c, "it cannot be made here (see life-once): %s", rig_error(&r));
    clients_detach(&r);
    (void)bpt_quiesce(r.m);
    bpt_problems_clear(r.m);
    bpt_free(r.m);
    peers_free(r.peers);
}

void
rig_down(struct rig *r)
{
    step(r->c, "in quiesce()");
    clients_commit(r);
    if (bpt_quiesce(r->m))
        bad(r->c, "%s", bpt_error(r->m));
    clients_detach(r);
    step(r->c, "in destroy()");
    if (bpt_inst(r->m, DUT).v && bpt_destroy(r->m, DUT))
        bad(r->c, "%s", bpt_error(r->m));
    for (unsigned i = 0; i < bpt_problems(r->m); i++)
        bad(r->c, "against the rules: %s", bpt_problem(r->m, i));
    bpt_problems_clear(r->m);
    bpt_free(r->m);
    peers_free(r->peers);
    r->m = NULL;
    step(r->c, "%s", "");
}

/* ---- A guest ---- */

uint64_t
rig_random(struct rig *r)
{
    uint64_t x = r->random; /* xorshift64* */

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    r->random = x;
    return x * UINT64_C(0x2545f4914f6cdd1d) >> 8;
}

static uint64_t
random_value(struct rig *r)
{
    static const uint64_t values[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 0x80000000, UINT64_MAX};
    uint64_t v = rig_random(r);

    switch (v % 4) {
    case 0:
        return values[v / 4 % (sizeof values / sizeof *values)];
    case 1:
        return UINT64_C(1) << (v / 4 % 64);
    case 2:
        return v / 4 & 0xff;
    default:
        return rig_random(r) << 16 ^ v;
    }
}

static void
access_one(struct rig *r, unsigned n_regions)
{
    struct bpt_region_info info = {0};
    unsigned index = (unsigned)(rig_random(r) % n_regions);
    uint32_t width = 1u << rig_random(r) % 4;
    uint64_t off, val = random_value(r), within;
    int write = rig_random(r) % 3 != 0;

    if (!bpt_region(r->m, DUT, index, &info))
        return;
    if (info.kind == BP_REGION_PIO && width == 8)
        width = 4;
    while (width > info.len)
        width /= 2;
    within = rig_random(r) % 2 && info.len > 256 ? 256 : info.len;
    off = rig_random(r) % (within - width + 1);
    if (rig_random(r) % 8)
        off -= off % width; /* aligned, as most are */
    step(r->c, "%s of %u bytes at 0x%llx of region %s, value 0x%llx", write ? "write" : "read",
         width, (unsigned long long)off, info.name, (unsigned long long)val);
    if (r->c->opt->trace)
        printf("%s %s+0x%llx %u 0x%llx\n", write ? "write" : "read", info.name,
               (unsigned long long)off, width, (unsigned long long)val);
    (void)!bpt_access(r->m, DUT, index, off, width, write, &val);
}

/* A driver for the MMIO transport of virtio, when there is one to drive. */
static void
find_driver(struct rig *r)
{
    struct bpt_region_info info = {0};

    for (unsigned i = 0; bpt_region(r->m, DUT, i, &info); i++) {
        uint64_t magic = 0, id = 0;

        if (info.kind == BP_REGION_MMIO && info.base != BP_IO_NOWHERE && info.len >= 0x100 &&
            bpt_access(r->m, DUT, i, 0, 4, 0, &magic) == 0 && magic == MMIO_MAGIC &&
            bpt_access(r->m, DUT, i, 8, 4, 0, &id) == 0)
            r->driver = bpt_virtio_find(r->m, (uint32_t)id, 0);
    }
}

static void
drive_queue(struct rig *r)
{
    struct bpt_sg sg[4];
    struct bpt_vq *q;
    unsigned n = 1 + (unsigned)(rig_random(r) % 4);
    uint32_t len, queues = 0;

    if (!r->driver || (rig_random(r) % 16 == 0 && r->n_setups < DRIVER_SETUPS)) {
        if (!r->driver)
            find_driver(r);
        if (!r->driver || r->n_setups >= DRIVER_SETUPS)
            return;
        r->n_setups++;
        step(r->c, "a driver sets its queues up");
        while (queues < 4 && bpt_virtio_queue_max(r->driver, queues))
            queues++;
        r->n_queues = bpt_virtio_setup(r->driver, UINT64_MAX, queues) ? 0 : queues;
    }
    if (!r->n_queues)
        return;
    q = bpt_virtio_queue(r->driver, (uint32_t)(rig_random(r) % r->n_queues));
    for (unsigned i = 0; i < n; i++) {
        sg[i].gpa = rig_random(r) % 32 ? 0x8000 + (rig_random(r) & 0x7fff) : rig_random(r);
        sg[i].len = (uint32_t)(rig_random(r) % 8 ? rig_random(r) % 2048 : rig_random(r));
        sg[i].write = i && (sg[i - 1].write || rig_random(r) % 2);
    }
    step(r->c, "a chain of %u buffers in queue %u", n, q->index);
    if (bpt_vq_add(q, sg, n, rig_random(r) % 4 == 0) >= 0)
        bpt_vq_notify(q);
    bpt_pump(r->m);
    while (bpt_vq_get(q, &len) >= 0)
        ;
}

void
rig_drive(struct rig *r, unsigned steps)
{
    struct bpt_region_info info;
    unsigned n_regions = 0;

    while (bpt_region(r->m, DUT, n_regions, &info))
        n_regions++;
    for (unsigned i = 0; i < steps; i++) {
        switch (rig_random(r) % 16) {
        case 0:
            step(r->c, "time passes");
            bpt_advance(r->m, (int64_t)(rig_random(r) % 100000000));
            break;
        case 1:
            step(r->c, "its events are delivered");
            bpt_poll(r->m, 0);
            break;
        case 2:
            step(r->c, "what it links to calls it");
            peers_poke(r->peers);
            break;
        case 3:
        case 4:
            step(r->c, "a device uses it");
            clients_drive(r);
            break;
        case 5:
            drive_queue(r);
            break;
        default:
            if (n_regions)
                access_one(r, n_regions);
            break;
        }
    }
    bpt_poll(r->m, 0);
}

int
plausible(int err)
{
    return err <= 0 && err > -4096;
}
