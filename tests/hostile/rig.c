/* SPDX-License-Identifier: BSD-3-Clause */
/* rig.c - runs hostile cases; see hostile.h. */
#include "hostile.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include "tap.h"

#define TIME_LIMIT 60 /* seconds, for a case that hangs; sanitizers are slow */
#define BUF        65536u

static const char *const verdicts[] = {"SERVED", "IGNORED", "NEEDS_RESET", "ANY"};

uint32_t
rnd(void)
{
    static uint64_t s = UINT64_C(0x9e3779b97f4a7c15);

    s ^= s << 13, s ^= s >> 7, s ^= s << 17;
    return (uint32_t)(s >> 16);
}

void
expect(struct attack *x, int good, const char *fmt, ...)
{
    va_list ap;

    if (good || *x->why)
        return;
    va_start(ap, fmt);
    vsnprintf(x->why, sizeof x->why, fmt, ap);
    va_end(ap);
}

void
fill_desc(struct attack *x, uint32_t i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
    *bpt_vq_desc(x->q, i) = (struct bpt_desc){addr, len, flags, next};
}

void
kick(struct attack *x)
{
    bpt_vq_notify(x->q);
    for (int i = 0; i < 4; i++)
        bpt_poll(x->m, 0);
}

void
offer(struct attack *x, uint16_t head)
{
    bpt_vq_publish(x->q, head);
    kick(x);
}

uint16_t
good_chain(struct attack *x, uint32_t first)
{
    fill_desc(x, first, x->buf, 16, BPT_DESC_NEXT, (uint16_t)(first + 1));
    fill_desc(x, first + 1, x->buf + 4096, 16, BPT_DESC_WRITE, 0);
    return (uint16_t)first;
}

/* ---- The toy as a target ---- */

static int
toy_works(struct bpt_virtio *v)
{
    struct bpt_vq *q = bpt_virtio_queue(v, 0);
    struct bpt_machine *m = bpt_virtio_machine(v);
    uint64_t buf = bpt_alloc(m, 64, 16);
    struct bpt_sg sg[2] = {{buf, 16, 0}, {buf + 32, 16, 1}};
    uint8_t *p = bpt_ram(m, buf, 64);
    uint32_t len = 0;

    memset(p, 0xa5, 16);
    memset(p + 32, 0, 16);
    return bpt_vq_do(q, sg, 2, &len) == 0 && len == 16 && !memcmp(p, p + 32, 16);
}

const struct target toy_target = {
    .name = "toy",
    .device_id = TOY_ID,
    .n_queues = 1,
    .works = toy_works,
};

/* ---- One run of one case ---- */

static int
rig_start(struct attack *x, int how, uint64_t window, int big)
{
    const struct target *t = x->target;
    char props[200];
    int err = 0;

    snprintf(props, sizeof props, "%s%stransport=%s", t->props ? t->props : "", t->props ? "," : "",
             how == ON_MMIO ? "mmio" : "pci");
    x->m = bpt_new(8 << 20, big ? UINT64_C(9) << 30 : 1 << 20);
    bpt_map_window(x->m, window);
    if (how == ON_PCI)
        err = bpt_load(x->m, "pci", "pci0", NULL);
    if (!err && t->before)
        err = t->before(x->m);
    if (!err)
        err = t->plugin ? bpt_load(x->m, t->plugin, "dev0", props)
                        : bpt_add(x->m, &toy_class, "dev0", props);
    if (!err)
        err = bpt_realize_all(x->m);
    if (!err)
        err = bpt_start(x->m);
    x->v = err ? NULL : bpt_virtio_find(x->m, t->device_id, 0);
    expect(x, x->v != NULL, "no device: %s", bpt_error(x->m));
    if (!x->v)
        return 0;
    x->toy = t->plugin ? NULL : bpt_self(x->m, "dev0");
    x->buf = bpt_alloc(x->m, BUF, 4096);
    return 1;
}

static int
rig_setup(struct attack *x, uint64_t features)
{
    uint32_t n = x->target->n_queues;

    if (bpt_virtio_negotiate(x->v, features | x->target->features))
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        struct bpt_vq *q = bpt_vq_new(x->v, i, 0);

        if (!q)
            return 0;
        bpt_vq_enable(q, 1);
    }
    bpt_virtio_driver_ok(x->v);
    return (bpt_virtio_status(x->v) & 0x44) == 4;
}

static enum verdict
judge(struct attack *x)
{
    uint32_t status = bpt_virtio_status(x->v);
    uint32_t irq = bpt_virtio_irq(x->v);

    if (status & 64) {
        expect(x, !(status & 4) || irq & 2, "no configuration interrupt told the driver");
        return NEEDS_RESET;
    }
    return x->q && bpt_ram(x->m, x->q->used, 4) && bpt_vq_used(x->q)[1] != x->used0 ? SERVED
                                                                                    : IGNORED;
}

static void
recover(struct attack *x)
{
    if (x->toy) {
        x->toy->hold = x->toy->slow_reset = x->toy->fill = 0;
        x->toy->cap = 0;
        toy_finish(x->toy);
    }
    if (bpt_virtio_is_pci(x->v))
        bpt_pci_enable(x->m, bpt_virtio_devfn(x->v), 1);
    expect(x, bpt_virtio_reset(x->v) == 0, "the reset does not end");
    expect(x, rig_setup(x, F_INDIRECT | F_EVENT), "it cannot be set up again");
    expect(x, x->target->works(x->v), "it does not work after the reset");
}

static void
run_once(struct attack *x, const struct hostile_case *c, int how, uint64_t window, int warm)
{
    enum verdict got;

    if (!rig_start(x, how, window, c->flags & BIG_RAM))
        return;
    if (warm) /* a good request opens windows, and further ones take the short way */
        expect(x, rig_setup(x, F_INDIRECT) && x->target->works(x->v) && !bpt_virtio_reset(x->v),
               "it does not work at first");
    if (x->toy)
        x->toy->n_pop = x->toy->n_done = x->toy->n_ready = x->toy->n_reset = 0;
    if (!(c->flags & (NO_SETUP | NO_ENABLE)))
        expect(x, rig_setup(x, c->features), "it cannot be set up");
    else if (c->flags & NO_ENABLE)
        expect(x, !bpt_virtio_negotiate(x->v, c->features | x->target->features),
               "it cannot be negotiated with");
    if (c->flags & NO_ENABLE)
        x->q = bpt_vq_new(x->v, x->target->queue, 0);
    else if (!(c->flags & NO_SETUP))
        x->q = bpt_virtio_queue(x->v, x->target->queue);
    x->used0 = x->q ? bpt_vq_used(x->q)[1] : 0;
    bpt_virtio_irq(x->v);
    if (!*x->why)
        c->run(x);
    bpt_poll(x->m, 0);
    got = judge(x);
    expect(x, c->want == ANY_END || got == c->want, "%s, not %s", verdicts[got], verdicts[c->want]);
    recover(x);
    if (x->toy)
        expect(x, x->toy->n_pop == x->toy->n_done + x->toy->n_dropped,
               "%u chains were popped, %u completed, %u dropped by resets", x->toy->n_pop,
               x->toy->n_done, x->toy->n_dropped);
    expect(x, bpt_quiesce(x->m) == 0, "it does not quiesce");
    expect(x, bpt_maps(x->m) == 0, "%u mappings are left", bpt_maps(x->m));
    expect(x, bpt_problems(x->m) == 0, "problem: %s", bpt_problem(x->m, 0));
    bpt_free(x->m);
}

/* In a child, so that a crash is one failed case, and its time runs out alone. */
static void
run_case(const struct target *t, const struct hostile_case *c, char *why)
{
    static const uint64_t windows[] = {0, 4096, 1};
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(TIME_LIMIT);
        for (int how = ON_MMIO; how <= ON_PCI; how++) {
            for (unsigned w = 0; w < 3; w++) {
                for (int warm = 0; warm < 2; warm++) {
                    struct attack x = {.target = t};

                    if (c->flags & (ON_MMIO | ON_PCI) && !(c->flags & how))
                        continue;
                    run_once(&x, c, how, windows[w], warm);
                    if (*x.why) {
                        snprintf(why, 300, "%s, mapping %u, %s: %s",
                                 how == ON_MMIO ? "mmio" : "pci", w, warm ? "warm" : "cold", x.why);
                        exit(1);
                    }
                }
            }
        }
        exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        snprintf(why, 300, "no process");
    else if (WIFSIGNALED(status))
        snprintf(why, 300, "ended by signal %d", WTERMSIG(status));
    else if (status && !*why)
        snprintf(why, 300, "ended with status %d", WEXITSTATUS(status));
}

void
hostile_run(const struct target *t, const struct hostile_case *cases, unsigned n)
{
    char *why = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    for (unsigned i = 0; i < n; i++) {
        *why = '\0';
        run_case(t, &cases[i], why);
        if (!ok(!*why, "%s: %s: %s", t->name, cases[i].name, verdicts[cases[i].want]))
            printf("# %s\n", why);
    }
    munmap(why, 4096);
}

int
hostile_end(void)
{
    return done_testing();
}
