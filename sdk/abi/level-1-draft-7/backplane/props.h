/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backplane/props.h - typed, self-describing properties.
 *
 * A class's table of struct bp_prop is the schema of its section in the config file: the core
 * checks names, types and ranges with it and reports what is wrong at file and line before the
 * plugin's create() runs. `backplane inspect` prints the same table.
 */
#ifndef BACKPLANE_PROPS_H
#define BACKPLANE_PROPS_H

#include <backplane/base.h>

enum bp_type {
    BP_BOOL = 1000, /* true/false, yes/no, on/off; value in i */
    BP_INT = 2000,  /* decimal or 0x hex; value in i */
    BP_SIZE = 3000, /* bytes, with the suffixes K M G T (powers of 1024); value in i */
    BP_STR = 4000,  /* value in s */
    BP_ENUM = 5000, /* one of choices; value in s, its index in i */
    BP_PATH = 6000, /* a file name, made absolute against the config file's folder; value in s */
    BP_FD = 7000,   /* a descriptor number inherited by the process, or its name; value in i */
    BP_LINK = 8000, /* another instance's id, or "kind:argument"; value in s is the instance id */
};

/* bp_prop.flags. Of flags to come, those in bits 16 to 31 are critical: a core that does not know
 * one refuses the class. Others that it does not know it ignores. */
enum {
    BP_P_REQUIRED = 1,    /* the section is refused without it */
    BP_P_RUNTIME = 2,     /* may be changed with set() while the machine runs */
    BP_P_SECRET = 4,      /* never printed */
    BP_P_DEPRECATED = 8,  /* still works; its use is warned about */
    BP_P_LIST = 16,       /* { a, b, c }; read item by item with prop_item() */
    BP_P_PRIMARY = 32,    /* what ARGUMENT sets in the short form "kind:argument" of a link */
    BP_P_MUST_EXIST = 64, /* PATH: `check` refuses a file that is missing or unreadable */
    BP_P_PASS_ON = 128,   /* when set, also set in a back end that a short form of this section
                           * makes, if that has a property of the same name and type */
};

struct bp_prop {
    uint32_t size;
    uint32_t type;  /* enum bp_type */
    uint32_t flags; /* BP_P_* */
    uint32_t since; /* API level of the plugin's release that added it; 0 = always there */
    const char *name;
    const char *help; /* one line, no full stop */
    const char *def;  /* default as config text, or NULL: unset; LIST: items between commas */
    int64_t min, max; /* INT and SIZE; both 0 = no limit */
    const char *const *choices; /* ENUM: NULL-ended */
    const char *link_iface;     /* LINK: the interface that the named instance must provide */
};

/* One property's value. Strings belong to the core and live as long as the instance. */
struct bp_value {
    uint32_t size;
    uint32_t type;
    int64_t i;
    const char *s;
    uint64_t n; /* LIST: how many items; otherwise 1 when set, 0 when neither set nor defaulted */
};

#endif
