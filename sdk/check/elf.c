/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * elf.c - what can be told of a plugin's file without running any of it: that it is complete, what
 * it exports and wants, its note, and that nothing of it runs just because it is opened.
 *
 * Every offset is checked against the file's size: a damaged file is a red test. Names of fields
 * and constants are those of the System V ABI.
 */
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "check.h"

#if defined(__x86_64__)
#define HOST_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define HOST_MACHINE EM_AARCH64
#else
#error "which e_machine do plugins for this host have?"
#endif

struct object {
    const uint8_t *p;
    uint64_t len;
    const Elf64_Ehdr *head;
    const Elf64_Phdr *segments;
    const Elf64_Sym *symbols; /* .dynsym */
    uint64_t n_symbols;
    const char *strings; /* .dynstr, ended by a zero byte */
    uint64_t strings_len;
    const Elf64_Dyn *dynamic;
    uint64_t n_dynamic;
};

static const void *
part(const struct object *o, uint64_t off, uint64_t len, uint64_t align)
{
    return off <= o->len && len <= o->len - off && off % align == 0 ? o->p + off : NULL;
}

static const Elf64_Shdr *
section(const struct object *o, uint32_t type)
{
    const Elf64_Shdr *s = part(o, o->head->e_shoff, (uint64_t)o->head->e_shnum * sizeof *s, 8);

    for (unsigned i = 0; s && i < o->head->e_shnum; i++)
        if (s[i].sh_type == type)
            return &s[i];
    return NULL;
}

static const char *
find_symbols(struct object *o)
{
    const Elf64_Shdr *all, *syms = section(o, SHT_DYNSYM), *strings;

    if (!syms)
        return "it has no dynamic symbols (or no section headers to find them with)";
    all = part(o, o->head->e_shoff, (uint64_t)o->head->e_shnum * sizeof *all, 8);
    o->symbols = part(o, syms->sh_offset, syms->sh_size, 8);
    o->n_symbols = syms->sh_size / sizeof *o->symbols;
    if (!o->symbols || syms->sh_link >= o->head->e_shnum)
        return "its dynamic symbols lie outside of it";
    strings = &all[syms->sh_link];
    o->strings = part(o, strings->sh_offset, strings->sh_size, 1);
    o->strings_len = strings->sh_size;
    if (!o->strings || !o->strings_len || o->strings[o->strings_len - 1])
        return "the names of its symbols lie outside of it";
    return NULL;
}

static const char *
parse(struct object *o)
{
    const Elf64_Ehdr *h = part(o, 0, sizeof *h, 1);
    unsigned loads = 0;

    if (!h || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
        return "it is no ELF file";
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
        h->e_machine != HOST_MACHINE)
        return "it is built for another architecture";
    if (h->e_type != ET_DYN)
        return "it is no shared object; link it with -shared";
    o->head = h;
    o->segments = part(o, h->e_phoff, (uint64_t)h->e_phnum * sizeof *o->segments, 8);
    if (!o->segments || h->e_phentsize != sizeof *o->segments)
        return "its program headers lie outside of it";
    for (unsigned i = 0; i < h->e_phnum; i++) {
        const Elf64_Phdr *s = &o->segments[i];

        if (s->p_type == PT_INTERP)
            return "it is a program; link it with -shared";
        if ((s->p_type == PT_LOAD || s->p_type == PT_DYNAMIC || s->p_type == PT_NOTE) &&
            !part(o, s->p_offset, s->p_filesz, 1))
            return "it is truncated: a segment lies outside of it";
        loads += s->p_type == PT_LOAD;
        if (s->p_type == PT_DYNAMIC) {
            o->dynamic = part(o, s->p_offset, s->p_filesz, 8);
            o->n_dynamic = s->p_filesz / sizeof *o->dynamic;
        }
    }
    if (!loads || !o->dynamic)
        return "there is nothing to load in it";
    if (h->e_shoff && !part(o, h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf64_Shdr), 8))
        return "it is truncated: the section headers are missing";
    return find_symbols(o);
}

/* Maps the file; 0 and a finding when it is no plugin at all. */
static int
load_file(struct check *c, struct object *o)
{
    int fd = open(c->opt->file, O_RDONLY | O_CLOEXEC);
    const char *wrong = NULL;
    struct stat st;
    void *p = MAP_FAILED;

    memset(o, 0, sizeof *o);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (p == MAP_FAILED) {
        bad(c, "it cannot be read, or is empty");
        return 0;
    }
    o->p = p;
    o->len = (uint64_t)st.st_size;
    wrong = parse(o);
    if (wrong)
        bad(c, "%s", wrong);
    return !wrong;
}

static const char *
symbol_name(const struct object *o, const Elf64_Sym *s)
{
    return s->st_name < o->strings_len ? o->strings + s->st_name : "?";
}

static uint64_t
dynamic(const struct object *o, int64_t tag, uint64_t otherwise)
{
    for (uint64_t i = 0; i < o->n_dynamic && o->dynamic[i].d_tag != DT_NULL; i++)
        if (o->dynamic[i].d_tag == tag)
            return o->dynamic[i].d_un.d_val;
    return otherwise;
}

void
test_elf_object(struct check *c)
{
    struct object o;
    struct stat st;

    if (!load_file(c, &o))
        return;
    if (stat(c->opt->file, &st) == 0 && st.st_mode & S_IWOTH)
        bad(c, "it is world-writable, and backplane will not open it; run chmod o-w");
}

void
test_elf_exports(struct check *c)
{
    struct object o;
    int found = 0;

    if (!load_file(c, &o))
        return;
#if CHECK_SANITIZED
    skip(c, "a sanitizer exports symbols of its own");
#endif
    for (uint64_t i = 1; i < o.n_symbols; i++) {
        const Elf64_Sym *s = &o.symbols[i];

        if (s->st_shndx == SHN_UNDEF || ELF64_ST_BIND(s->st_info) == STB_LOCAL ||
            ELF64_ST_TYPE(s->st_info) == STT_SECTION)
            continue;
        if (strcmp(symbol_name(&o, s), BP_ENTRY) == 0)
            found = 1;
        else if (s->st_shndx != SHN_ABS)
            bad(c, "exports %s; link with -Wl,--version-script=backplane-plugin.map",
                symbol_name(&o, s));
    }
    if (!found)
        bad(c, "does not export " BP_ENTRY "; is there a BP_PLUGIN in it?");
}

/* Whether some library that the file names, or one that such a library names, has it. */
static int
defined_by_libraries(const struct object *o, const char *name)
{
    for (uint64_t i = 0; i < o->n_dynamic && o->dynamic[i].d_tag != DT_NULL; i++) {
        uint64_t at = o->dynamic[i].d_un.d_val;
        void *lib, *found;

        if (o->dynamic[i].d_tag != DT_NEEDED || at >= o->strings_len)
            continue;
        lib = dlopen(o->strings + at, RTLD_LAZY | RTLD_NOLOAD);
        found = lib ? dlsym(lib, name) : NULL;
        if (lib)
            dlclose(lib);
        if (found)
            return 1;
    }
    return 0;
}

void
test_elf_undefined(struct check *c)
{
    struct object o;

    if (!load_file(c, &o))
        return;
    step(c, "opening it");
    /* Lazily, so that what is missing can be named one by one. */
    if (!dlopen(c->opt->file, RTLD_LAZY | RTLD_LOCAL)) {
        bad(c, "%s", dlerror());
        return;
    }
#if CHECK_SANITIZED
    skip(c, "a sanitizer's symbols are in the program");
#endif
    for (uint64_t i = 1; i < o.n_symbols; i++) {
        const Elf64_Sym *s = &o.symbols[i];
        const char *name = symbol_name(&o, s);

        if (s->st_shndx != SHN_UNDEF || ELF64_ST_BIND(s->st_info) != STB_GLOBAL)
            continue;
        if (!defined_by_libraries(&o, name))
            bad(c, "%s is in no library that it names; link with -Wl,-z,defs to see why", name);
    }
}

struct found_note {
    unsigned n;
    uint32_t len;
    struct bp_note note;
};

static void
scan_notes(const struct object *o, const Elf64_Phdr *s, struct found_note *f)
{
    uint64_t at = 0, align = s->p_align == 8 ? 8 : 4;
    const uint8_t *p = o->p + s->p_offset;

    while (s->p_filesz - at >= 12) {
        uint64_t name, desc;
        uint32_t head[3];

        memcpy(head, p + at, sizeof head);
        name = at + 12;
        desc = name + ((head[0] + align - 1) & ~(align - 1));
        if (desc > s->p_filesz || head[1] > s->p_filesz - desc)
            return;
        if (head[0] == sizeof BP_NOTE_OWNER && head[2] == BP_NOTE_TYPE &&
            memcmp(p + name, BP_NOTE_OWNER, sizeof BP_NOTE_OWNER) == 0) {
            f->n++;
            f->len = head[1];
            memset(&f->note, 0, sizeof f->note);
            memcpy(&f->note.abi_major, p + desc,
                   head[1] < sizeof f->note - 16 ? head[1] : sizeof f->note - 16);
        }
        at = desc + ((head[1] + align - 1) & ~(align - 1));
        if (at > s->p_filesz)
            return;
    }
}

static void
compare(struct check *c, const char *what, uint32_t in_note, uint32_t in_descriptor)
{
    if (in_note != in_descriptor)
        bad(c, "%s is %u in the note and %u in the descriptor", what, in_note, in_descriptor);
}

void
test_elf_note(struct check *c)
{
    struct found_note f = {0};
    struct object o;

    if (!load_file(c, &o))
        return;
    for (unsigned i = 0; i < o.head->e_phnum; i++)
        if (o.segments[i].p_type == PT_NOTE)
            scan_notes(&o, &o.segments[i], &f);
    if (f.n != 1 || f.len != sizeof f.note - 16 || !memchr(f.note.id, 0, sizeof f.note.id)) {
        if (CHECK_SANITIZED && !f.n)
            skip(c, "a sanitizer's red zones are around the note");
        bad(c, "it has %u notes of backplane; a BP_PLUGIN makes one", f.n);
        return;
    }
    plugin_open(c);
    if (!c->plugin)
        return;
    compare(c, "the ABI's major number", f.note.abi_major, c->plugin->abi_major);
    compare(c, "the API level", f.note.api_level, c->plugin->api_level);
    compare(c, "the level that it needs", f.note.api_need, c->plugin->api_need);
    if (strcmp(f.note.id, c->plugin->name) != 0)
        bad(c, "its id is %s in the note and %s in the descriptor", f.note.id, c->plugin->name);
}

void
test_elf_constructors(struct check *c)
{
    struct object o;

    if (!load_file(c, &o))
        return;
#if CHECK_SANITIZED
    skip(c, "a sanitizer has constructors of its own");
#endif
    /* The compiler's own start and end files put one entry into each of the two. */
    if (dynamic(&o, DT_INIT_ARRAYSZ, 0) > sizeof(void *) || dynamic(&o, DT_PREINIT_ARRAYSZ, 0) > 0)
        bad(c, "it has constructors: code of it would run when it is looked at. Use no "
               "__attribute__((constructor)) and no C++ object that is initialised at run time");
    if (dynamic(&o, DT_FINI_ARRAYSZ, 0) > sizeof(void *))
        bad(c, "it has destructors, which would run when the process ends");
}

void
test_elf_linking(struct check *c)
{
    struct object o;

    if (!load_file(c, &o))
        return;
    if (!(dynamic(&o, DT_FLAGS, 0) & DF_BIND_NOW) && !(dynamic(&o, DT_FLAGS_1, 0) & DF_1_NOW))
        bad(c, "it is bound lazily; link with -Wl,-z,now, so that what is missing shows at once");
    if (dynamic(&o, DT_TEXTREL, 1) != 1 || dynamic(&o, DT_FLAGS, 0) & DF_TEXTREL)
        bad(c, "its code has relocations; compile with -fPIC");
    for (unsigned i = 0; i < o.head->e_phnum; i++) {
        const Elf64_Phdr *s = &o.segments[i];

        if (s->p_type == PT_GNU_STACK && s->p_flags & PF_X)
            bad(c, "it wants an executable stack; assembly needs a .note.GNU-stack section");
        if (s->p_type == PT_LOAD && s->p_flags & PF_W && s->p_flags & PF_X)
            bad(c, "a segment of it is writable and executable");
    }
}

void
test_elf_forbidden(struct check *c)
{
    static const struct {
        const char *name, *why;
    } calls[] = {
        {"fork", "a child has none of the other threads"},
        {"vfork", "a child has none of the other threads"},
        {"system", "it forks"},
        {"popen", "it forks"},
        {"chdir", "the working folder belongs to the program"},
        {"fchdir", "the working folder belongs to the program"},
        {"umask", "the mask belongs to the program"},
        {"setlocale", "the locale belongs to the program"},
        {"exit", "only the core ends the process; see bp.machine/1 request()"},
        {"_exit", "only the core ends the process; see bp.machine/1 request()"},
        {"quick_exit", "only the core ends the process; see bp.machine/1 request()"},
        {"atexit", "handlers outlive the instance"},
        {"__cxa_atexit", "handlers outlive the instance (a C++ object with a destructor?)"},
        {"on_exit", "handlers outlive the instance"},
        {"signal", "signals belong to the program"},
        {"sigaction", "signals belong to the program"},
        {"sigprocmask", "use pthread_sigmask in threads of your own"},
    };
    struct object o;

    if (!load_file(c, &o))
        return;
    for (uint64_t i = 1; i < o.n_symbols; i++) {
        const Elf64_Sym *s = &o.symbols[i];

        for (unsigned k = 0; s->st_shndx == SHN_UNDEF && k < sizeof calls / sizeof *calls; k++)
            if (strcmp(symbol_name(&o, s), calls[k].name) == 0)
                bad(c, "it calls %s(): %s", calls[k].name, calls[k].why);
    }
}
