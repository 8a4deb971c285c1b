/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.c - what a machine consists of, put together and taken apart. */
#include <string.h>

#include "core/error.h"
#include "core/kvm/cpuid.h"
#include "core/machine/machine-private.h"

gboolean
machine_request(struct machine *m, uint32_t what, uint32_t arg)
{
    unsigned none = 0;

    if (!atomic_compare_exchange_strong(&m->request, &none, what | (arg & 0xff) << 16))
        return FALSE;
    loop_quit(m->loop);
    return TRUE;
}

void
machine_fault(struct machine *m, char *text)
{
    g_mutex_lock(&m->fault_lock);
    if (m->fault)
        g_free(text);
    else
        m->fault = text;
    g_mutex_unlock(&m->fault_lock);
    machine_request(m, BP_REQ_FAULT, 0);
}

static const char *
ram_overlap(void *ctx, uint64_t gpa, uint64_t len)
{
    return memory_overlap(ctx, gpa, len);
}

/* RAM above what the guest's page tables can address would only be found missing by the guest. */
static gboolean
memory_fits(const struct machine *m, unsigned bits, GError **error)
{
    if (bits >= 64 || memory_high_end(m->memory) <= UINT64_C(1) << bits)
        return TRUE;
    g_set_error(error, CORE_ERROR, CORE_ERROR_HOST,
                "%s: this host's processor addresses %u bits, too few for so much memory; use less",
                m->config->file, bits);
    return FALSE;
}

/* [the thread that makes the VM] */
static gboolean
attach_memory(void *user, struct vm *vm, GError **error)
{
    struct machine *m = user;

    return memory_fits(m, vm_phys_bits(vm), error) &&
           memory_attach(m->memory, &vm_slot_ops, vm, error);
}

gboolean
machine_begin(struct machine *m, struct config *config, GError **error)
{
    const struct config_machine *c = &config->machine;
    struct memory_config memory = {
        .size_bytes = c->memory_bytes,
        .backing = c->backing,
        .hugetlb_path = c->hugetlb_path,
        .huge_page_size = c->huge_page_size,
    };

    m->config = config;
    m->memory = memory_new(&memory, error);
    if (!m->memory)
        return FALSE;
    m->e820 = e820_new(m->memory);
    if (m->vm)
        vm_begin_memory(m->vm, attach_memory, m);
    return m->vm || memory_fits(m, cpuid_host_phys_bits(), error);
}

static gboolean
init_bus(struct machine *m, GError **error)
{
    const struct vm_reserved *taken;
    unsigned n;

    m->bus = bus_new(ram_overlap, m->memory);
    taken = vm_reserved(&n);
    for (unsigned i = 0; i < n; i++) {
        if (bus_reserve(m->bus, taken[i].pio ? BUS_PIO : BUS_MMIO, taken[i].base, taken[i].len,
                        taken[i].name) == 0)
            continue;
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "guest RAM reaches into the addresses of %s; use less memory", taken[i].name);
        return FALSE;
    }
    return TRUE;
}

static gboolean
init_vm(struct machine *m, GError **error)
{
    if (m->vm && !vm_opened(m->vm, error))
        return FALSE;
    m->irqs = irq_router_new(m->vm);
    return TRUE;
}

static gboolean
init_loops(struct machine *m, GError **error)
{
    m->clock = loop_clock_new();
    m->loop = loop_new("main", m->clock, error);
    if (!m->loop)
        return FALSE;
    m->iothreads = g_new0(struct loop *, m->config->n_iothreads);
    for (unsigned i = 0; i < m->config->n_iothreads; i++) {
        m->iothreads[i] = loop_new(m->config->iothreads[i]->id, m->clock, error);
        if (!m->iothreads[i])
            return FALSE;
        loop_set_poll(m->iothreads[i], (int64_t)m->config->iothreads[i]->poll_us * 1000);
    }
    return TRUE;
}

static gboolean
init_boot(struct machine *m, GError **error)
{
    const struct config_boot *c = &m->config->boot;
    g_autofree struct boot_module *modules = g_new0(struct boot_module, c->n_modules);
    struct boot_config config = {
        .kernel = c->kernel,
        .initrd = c->initrd,
        .cmdline = c->cmdline,
        .modules = modules,
        .n_modules = c->n_modules,
        .firmware = c->firmware,
    };

    if (!c->kernel && !c->firmware) {
        g_set_error(error, CORE_ERROR, CORE_ERROR_CONFIG,
                    "%s: nothing to boot: add boot { kernel = \"...\" } or { firmware = \"...\" }",
                    m->config->file);
        return FALSE;
    }
    for (unsigned i = 0; i < c->n_modules; i++) {
        modules[i].path = c->modules[i].path;
        modules[i].string = c->modules[i].string;
    }
    m->boot = boot_new(&config, m->memory, error);
    return m->boot != NULL;
}

/* Will a device add memory of its own? */
static gboolean
more_slots_come(const struct machine *m)
{
    for (unsigned i = 0; i < m->config->n_instances; i++) {
        const char *const *needs = m->config->instances[i]->cls->c.needs;

        for (; needs && *needs; needs++)
            if (strcmp(*needs, BP_IF_RAM) == 0)
                return TRUE;
    }
    return m->config->boot.firmware != NULL;
}

/* A memory slot that comes soon after the chips makes the kernel wait for milliseconds, so the
 * chips and what follows them are begun when no more slots will come. */
static gboolean
build_instances(struct machine *m, GError **error)
{
    gboolean more_slots = more_slots_come(m);

    if (m->vm && !more_slots)
        vm_begin_cpus(m->vm, m->config->machine.cpus);
    if (!init_boot(m, error) || !lifecycle_build(m, error))
        return FALSE;
    if (m->vm && more_slots)
        vm_begin_cpus(m->vm, m->config->machine.cpus);
    return TRUE;
}

gboolean
machine_build(struct machine *m, GError **error)
{
    static const struct bus_kernel_ops kernel = {.ioeventfd = vm_ioeventfd, .post = vm_post};

    if (!init_loops(m, error) || !init_bus(m, error) || !init_vm(m, error) ||
        !build_instances(m, error))
        return FALSE;
    if (m->vm)
        bus_attach(m->bus, &kernel, m->vm);
    return TRUE;
}

struct machine *
machine_alloc(void)
{
    struct machine *m = g_new0(struct machine, 1);

    m->signal_fd = -1;
    m->mmio32_end = MACHINE_MMIO32_END;
    g_mutex_init(&m->published_lock);
    g_mutex_init(&m->fault_lock);
    m->published = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return m;
}

struct machine *
machine_new(void)
{
    struct machine *m = machine_alloc();

    m->vm = vm_new(NULL);
    return m;
}

void
machine_free(struct machine *m)
{
    if (m->stuck)
        return;
    if (m->vm && m->n_vcpus)
        vcpus_stop(m->vm);
    for (unsigned i = 0; m->iothreads && i < m->config->n_iothreads; i++)
        if (m->iothreads[i])
            loop_stop(m->iothreads[i]);
    signals_unwatch(m);
    lifecycle_destroy(m);
    boot_free(m->boot);
    if (m->vm)
        cpus_free(m);
    if (m->irqs)
        irq_router_free(m->irqs);
    if (m->bus && m->vm) /* which does nothing if it was never attached */
        bus_detach(m->bus);
    if (m->memory && m->vm)
        memory_detach(m->memory);
    vm_free(m->vm);
    if (m->bus)
        bus_free(m->bus);
    if (m->e820)
        e820_free(m->e820);
    if (m->memory)
        memory_free(m->memory);
    for (unsigned i = 0; m->iothreads && i < m->config->n_iothreads; i++)
        if (m->iothreads[i])
            loop_free(m->iothreads[i]);
    g_free(m->iothreads);
    if (m->loop)
        loop_free(m->loop);
    if (m->clock)
        loop_clock_free(m->clock);
    g_hash_table_destroy(m->published);
    g_mutex_clear(&m->published_lock);
    g_mutex_clear(&m->fault_lock);
    g_free(m->fault);
    g_free(m);
}
