/* SPDX-License-Identifier: BSD-3-Clause */
/* host.c - struct bp_host: properties, links, log, files. */
#include "core/machine/host.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/machine/machine-private.h"

static const void *
host_query(bp_inst id, const char *iface, uint32_t min_size)
{
    static const struct {
        const char *iface;
        uint32_t size;
    } served[] = {
        {BP_IF_MEM, sizeof(struct bp_mem_if)},     {BP_IF_RAM, sizeof(struct bp_ram_if)},
        {BP_IF_IO, sizeof(struct bp_io_if)},       {BP_IF_IRQ, sizeof(struct bp_irq_if)},
        {BP_IF_EVENT, sizeof(struct bp_event_if)}, {BP_IF_MACHINE, sizeof(struct bp_machine_if)},
    };
    const void *const tables[] = {host_mem(), host_ram(),   host_io(),
                                  host_irq(), host_event(), host_machine()};

    if (!instance_of(id) || !iface)
        return NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(served); i++)
        if (strcmp(iface, served[i].iface) == 0)
            return min_size <= served[i].size ? tables[i] : NULL;
    return NULL;
}

/* Fills as much of the plugin's struct as it has. */
static void
give_value(struct bp_value *out, const struct bp_value *value)
{
    uint32_t size = out->size;

    memcpy(out, value, MIN(size, sizeof *value));
    out->size = size;
}

static int
host_prop_item(bp_inst id, const char *name, uint64_t index, struct bp_value *ret_value)
{
    struct instance *inst = instance_of(id);
    const struct config_value *value;

    if (!inst || !name || !ret_value)
        return BP_E_INVAL;
    value = config_instance_value(inst->conf, name);
    if (!value)
        return BP_E_NOENT;
    if (index >= value->n_items)
        return BP_E_RANGE;
    give_value(ret_value, &value->items[index]);
    return 0;
}

static int
host_prop(bp_inst id, const char *name, struct bp_value *ret_value)
{
    struct instance *inst = instance_of(id);
    const struct config_value *value;
    struct bp_value v = {.size = sizeof v};

    if (!inst || !name || !ret_value)
        return BP_E_INVAL;
    value = config_instance_value(inst->conf, name);
    if (!value)
        return BP_E_NOENT;
    v.type = plugin_class_prop(inst->cls, name)->type;
    if (value->n_items)
        v = value->items[0];
    v.n = value->n_items;
    give_value(ret_value, &v);
    return 0;
}

/* The peer of a link: its index-th one when the property is a list. */
static struct instance *
link_target(struct instance *inst, const char *prop, uint64_t index)
{
    const struct config_value *value = config_instance_value(inst->conf, prop);

    if (!value || index >= value->n_items)
        return NULL;
    return instance_of_conf(config_instance(inst->machine->config, value->items[index].s));
}

static int
give_link(struct instance *inst, struct instance *peer, const char *iface, uint32_t min_size,
          struct bp_link *ret_link)
{
    uint32_t size = ret_link->size;
    struct bp_link link = {.size = sizeof link};

    if (peer->stage < INSTANCE_REALIZED) {
        instance_fail(inst, "linked to an instance that is not realized: it must be in needs");
        return BP_E_INVAL;
    }
    link.iface = instance_query(peer, iface, min_size);
    if (!link.iface)
        return BP_E_NOTSUP;
    link.peer = peer->id;
    link.self = peer->self;
    link.id = peer->conf->id;
    memcpy(ret_link, &link, MIN(size, sizeof link));
    ret_link->size = size;
    return 0;
}

static int
find_link(bp_inst id, const char *prop, uint64_t index, const char *iface, uint32_t min_size,
          struct bp_link *ret_link)
{
    struct instance *inst = instance_of(id);
    const struct bp_prop *p;
    struct instance *peer;

    if (!inst || !iface || !ret_link)
        return BP_E_INVAL;
    if (prop) {
        p = plugin_class_prop(inst->cls, prop);
        if (!p || p->type != BP_LINK)
            return BP_E_INVAL;
        peer = link_target(inst, prop, index);
    } else {
        peer = instance_provider(inst->machine, iface);
        if (peer && !g_ptr_array_find(inst->providers, peer, NULL)) {
            instance_fail(inst, "asks for an interface that its class does not list in needs");
            return BP_E_INVAL;
        }
    }
    if (!peer)
        return BP_E_NOENT;
    return give_link(inst, peer, iface, min_size, ret_link);
}

static int
host_link_item(bp_inst id, const char *prop, uint64_t index, const char *iface, uint32_t min_size,
               struct bp_link *ret_link)
{
    int err = prop ? find_link(id, prop, index, iface, min_size, ret_link) : BP_E_INVAL;

    return err == BP_E_NOENT ? BP_E_RANGE : err;
}

static int
host_link(bp_inst id, const char *prop, const char *iface, uint32_t min_size,
          struct bp_link *ret_link)
{
    return find_link(id, prop, 0, iface, min_size, ret_link);
}

static void
host_log(bp_inst id, uint32_t level, const char *msg)
{
    struct instance *inst = instance_of(id);

    if (inst && msg)
        instance_log(inst, level, msg);
}

static int
host_fail(bp_inst id, int err, const char *msg)
{
    struct instance *inst = instance_of(id);

    if (inst && msg)
        instance_fail(inst, msg);
    return err;
}

static int
open_flags(uint32_t flags)
{
    int to = O_CLOEXEC | O_NOCTTY;

    if ((flags & BP_OPEN_READ) && (flags & BP_OPEN_WRITE))
        to |= O_RDWR;
    else
        to |= flags & BP_OPEN_WRITE ? O_WRONLY : O_RDONLY;
    if (flags & BP_OPEN_CREATE)
        to |= O_CREAT;
    if (flags & BP_OPEN_TRUNC)
        to |= O_TRUNC;
    if (flags & BP_OPEN_APPEND)
        to |= O_APPEND;
    if (flags & BP_OPEN_DIRECT)
        to |= O_DIRECT;
    if (flags & BP_OPEN_NONBLOCK)
        to |= O_NONBLOCK;
    return to;
}

static int
host_open(bp_inst id, const char *prop, uint32_t flags)
{
    struct instance *inst = instance_of(id);
    const struct config_value *value;
    const struct bp_prop *p;
    int fd, err;

    if (!inst || !prop)
        return BP_E_INVAL;
    p = plugin_class_prop(inst->cls, prop);
    value = config_instance_value(inst->conf, prop);
    if (!p || p->type != BP_PATH)
        return BP_E_INVAL;
    if (!value || value->n_items == 0)
        return BP_E_NOENT;
    fd = open(value->items[0].s, open_flags(flags), 0600);
    if (fd < 0) {
        g_autofree char *text = NULL;

        err = -errno;
        text = g_strdup_printf("cannot open %s: %s", value->items[0].s, g_strerror(-err));
        instance_fail(inst, text);
        return err;
    }
    return fd;
}

const struct bp_host *
host_table(gboolean check)
{
    static const struct bp_host run_table = {
        .size = sizeof run_table,
        .api_level = BP_API_LATEST,
        .query = host_query,
        .prop = host_prop,
        .prop_item = host_prop_item,
        .link = host_link,
        .log = host_log,
        .fail = host_fail,
        .open = host_open,
        .link_item = host_link_item,
    };
    static struct bp_host check_table;

    if (!check)
        return &run_table;
    check_table = run_table;
    check_table.flags = BP_HOST_CHECK;
    return &check_table;
}
