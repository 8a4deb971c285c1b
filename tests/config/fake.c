/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake.c - plugins for the tests of the config file and of plugin files: well-behaved ones with a
 * property of each type, and with a -D each way of being wrong.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backplane/backplane.h>

#define PROP(...)                                                                                  \
    {                                                                                              \
        .size = sizeof(struct bp_prop), __VA_ARGS__                                                \
    }

#ifndef FAKE_ID
#define FAKE_ID "fake"
#endif
#ifndef FAKE_CLASS
#define FAKE_CLASS FAKE_ID
#endif

struct fake {
    const struct bp_host *host;
    bp_inst inst;
};

__attribute__((unused)) static int
fake_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    struct fake *fake;

#ifdef FAKE_CREATE_CRASHES
    *(volatile int *)16 = 1;
#endif
#ifdef FAKE_CREATE_ABORTS
    abort();
#endif
#ifdef FAKE_CREATE_FAILS
    return host->fail(inst, BP_E_INVAL, "this device never works; remove it");
#endif
    fake = malloc(sizeof *fake);
    if (!fake)
        return BP_E_NOMEM;
    fake->host = host;
    fake->inst = inst;
    *ret_self = fake;
    return 0;
}

#ifdef FAKE_PROVIDES
static const void *
fake_query(void *self, const char *iface, uint32_t min_size)
{
    (void)self;
    (void)iface;
    (void)min_size;
    return NULL;
}
#endif

#ifdef FAKE_DEVICE
static const char *const fake_modes[] = {"slow", "fast", "reckless", NULL};
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_INT, .name = "port", .help = "a port", .def = "0x10", .max = 0xffff),
    PROP(.type = BP_INT, .name = "offset", .help = "any integer", .def = "-1"),
    PROP(.type = BP_SIZE, .name = "room", .help = "a size", .def = "4K", .min = 512,
         .max = INT64_MAX),
    PROP(.type = BP_ENUM, .name = "mode", .help = "a choice", .def = "slow", .choices = fake_modes),
    PROP(.type = BP_STR, .name = "label", .help = "any text"),
    PROP(.type = BP_BOOL, .name = "turbo", .help = "yes or no", .def = "off"),
    PROP(.type = BP_PATH, .name = "log", .help = "a file that may exist"),
    PROP(.type = BP_PATH, .name = "rom", .help = "a file that exists", .flags = BP_P_MUST_EXIST),
    PROP(.type = BP_FD, .name = "socket", .help = "a descriptor"),
    PROP(.type = BP_LINK, .name = "drive", .help = "a disk", .link_iface = BP_IF_BLOCK),
    PROP(.type = BP_LINK, .name = "chardev", .help = "a terminal", .link_iface = BP_IF_CHAR),
    PROP(.type = BP_LINK, .name = "mirrors", .help = "more disks", .flags = BP_P_LIST,
         .link_iface = BP_IF_BLOCK),
    PROP(.type = BP_INT, .name = "lines", .help = "numbers", .flags = BP_P_LIST, .def = "1, 2",
         .min = 1, .max = 9),
    PROP(.type = BP_STR, .name = "tags", .help = "texts", .flags = BP_P_LIST),
    PROP(.type = BP_STR, .name = "password", .help = "a secret", .flags = BP_P_SECRET),
    PROP(.type = BP_STR, .name = "colour", .help = "use label", .flags = BP_P_DEPRECATED),
    PROP(.type = BP_LINK, .name = "bus", .help = "what it is on", .link_iface = "test.bus/1"),
    PROP(.type = BP_BOOL, .name = "readonly", .help = "as the disk's", .flags = BP_P_PASS_ON),
};
#elif defined FAKE_BLOCK
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_PATH, .name = "path", .help = "the file",
         .flags = BP_P_PRIMARY | BP_P_REQUIRED),
    PROP(.type = BP_BOOL, .name = "readonly", .help = "refuse writes", .def = "false"),
};
#elif defined FAKE_LOOP /* a back end whose default is another one of its kind, without end */
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_LINK, .name = "next", .help = "the next", .def = "loop",
         .link_iface = BP_IF_CHAR),
};
#elif defined FAKE_BAD_DEFAULT
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_INT, .name = "port", .help = "a port", .def = "1G", .max = 0xffff),
};
#elif defined FAKE_BAD_RANGE
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_INT, .name = "port", .help = "a port", .min = 5, .max = 4),
};
#elif defined FAKE_BAD_TYPE
static const struct bp_prop fake_props[] = {
    PROP(.type = 4711, .name = "port", .help = "a port"),
};
#elif defined FAKE_BAD_FLAG
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_INT, .name = "port", .help = "a port", .flags = 1u << 31),
};
#elif defined FAKE_NEW_FLAG /* not critical: a core that does not know it may ignore it */
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_INT, .name = "port", .help = "a port", .flags = 1u << 15),
};
#elif defined FAKE_NO_PROP_NAME
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_INT, .help = "a port"),
};
#elif defined FAKE_BAD_PROP_NAME
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_INT, .name = "Port Number", .help = "a port"),
};
#elif defined FAKE_RESERVED_PROP
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_STR, .name = "iothread", .help = "mine"),
};
#elif defined FAKE_TWO_PROPS
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_INT, .name = "port", .help = "a port"),
    PROP(.type = BP_STR, .name = "port", .help = "a port"),
};
#elif defined FAKE_TWO_PRIMARIES
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_INT, .name = "port", .help = "a port", .flags = BP_P_PRIMARY),
    PROP(.type = BP_STR, .name = "path", .help = "a path", .flags = BP_P_PRIMARY),
};
#elif defined FAKE_NO_CHOICES
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_ENUM, .name = "mode", .help = "a mode"),
};
#elif defined FAKE_NO_IFACE
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_LINK, .name = "drive", .help = "a disk"),
};
#elif defined FAKE_SMALL_PROP
static const struct bp_prop fake_props[] = {
    {.size = 8, .type = BP_INT, .name = "port", .help = "a port"},
};
#else
static const struct bp_prop fake_props[] = {
    PROP(.type = BP_PATH, .name = "path", .help = "the file", .flags = BP_P_PRIMARY),
};
#endif

#ifndef FAKE_NEEDS
#define FAKE_NEEDS
#endif
static const char *const fake_needs[] = {FAKE_NEEDS NULL};
#ifdef FAKE_PROVIDES
static const char *const fake_provides[] = {FAKE_PROVIDES, NULL};
#endif

__attribute__((unused)) static const struct bp_class fake_class = {
#ifdef FAKE_SMALL_CLASS
    .size = 24,
#elif defined FAKE_HUGE_CLASS
    .size = 0x7fffffff,
#else
    .size = sizeof fake_class,
#endif
#ifdef FAKE_NO_CLASS_NAME
    .name = NULL,
#else
    .name = FAKE_CLASS,
#endif
    .version = "1.0",
    .summary = "a plugin for tests",
    .props = fake_props,
#ifdef FAKE_MANY_PROPS
    .n_props = 0xffffffff,
#else
    .n_props = sizeof fake_props / sizeof fake_props[0],
#endif
#ifdef FAKE_SMALL_STRIDE
    .prop_size = 8,
#else
    .prop_size = sizeof fake_props[0],
#endif
    .needs = fake_needs,
#ifdef FAKE_PROVIDES
    .provides = fake_provides,
    .query = fake_query,
#endif
#ifdef FAKE_SHARED
    .flags = BP_C_SHARED,
#endif
#ifdef FAKE_CRITICAL_FLAG
    .flags = 1u << 16,
#endif
#ifdef FAKE_STATE
    .state_ver = 1,
#endif
#ifndef FAKE_NO_CREATE
    .create = fake_create,
#endif
    .destroy = free,
};

#ifdef FAKE_MULTI
static const struct bp_class fake_second = {
    .size = sizeof fake_second,
    .name = "fake-second",
    .version = "1.0",
    .summary = "another class of the same file",
    .create = fake_create,
    .destroy = free,
};
BP_PLUGIN(FAKE_ID, "1.0", "BSD-3-Clause", "https://example.org", &fake_class, &fake_second);
#elif !defined FAKE_ENTRY
BP_PLUGIN(FAKE_ID, "1.0", "BSD-3-Clause", "https://example.org", &fake_class);
#else

#ifndef FAKE_ABI
#define FAKE_ABI BP_ABI_MAJOR
#endif
#ifndef FAKE_LEVEL
#define FAKE_LEVEL BP_API_LEVEL
#endif
#ifndef FAKE_NEED
#define FAKE_NEED FAKE_LEVEL
#endif
#ifndef FAKE_NO_NOTE
__attribute__((section(".note.bp"), used, aligned(4))) static const struct bp_note fake_note = {
    3,
    sizeof(struct bp_note) - 16,
    BP_NOTE_TYPE,
    BP_NOTE_OWNER,
    FAKE_ABI,
    FAKE_LEVEL,
    FAKE_NEED,
    FAKE_ID};
#endif

static const struct bp_class *const fake_classes[] = {&fake_class};
static const struct bp_plugin fake_plugin = {
#ifdef FAKE_SMALL_PLUGIN
    .size = 12,
#else
    .size = sizeof fake_plugin,
#endif
    .abi_major = FAKE_ABI,
    .api_level = FAKE_LEVEL,
    .api_need = FAKE_NEED,
#ifdef FAKE_OTHER_NAME
    .name = "somebody-else",
#else
    .name = FAKE_ID,
#endif
    .version = "1.0",
    .license = "BSD-3-Clause",
    .classes = fake_classes,
#ifdef FAKE_MANY_CLASSES
    .n_classes = UINT64_MAX,
#else
    .n_classes = 1,
#endif
};

#ifndef FAKE_NO_ENTRY
const struct bp_plugin *
bp_plugin_v1(const struct bp_hello *hello)
{
    (void)hello;
#ifdef FAKE_ENTRY_CRASHES
    *(volatile int *)16 = 1;
#elif defined FAKE_ENTRY_HANGS
    for (;;)
        pause();
#elif defined FAKE_ENTRY_EXITS
    _exit(0);
#elif defined FAKE_ENTRY_REFUSES
    return NULL;
#elif defined FAKE_ENTRY_LIES
    return (const struct bp_plugin *)(uintptr_t)0x10000;
#endif
    return &fake_plugin;
}
#endif
#endif
