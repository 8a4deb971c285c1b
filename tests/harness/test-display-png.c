/* SPDX-License-Identifier: BSD-3-Clause */
/* display-png: a file with the picture, when asked to, at intervals, at the end. */
#include <backplane/test.h>

#include <dirent.h>
#include <fcntl.h>
#include <png.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

#define WIDTH  21u
#define HEIGHT 13u
#define PAD    5u

/* An adapter of the test's: a picture whose pixels are made of a number. */
static struct {
    uint32_t pixels[HEIGHT * 2][WIDTH + PAD], number, width, height;
    int changed, asked;
    const struct bp_display_if *display;
    void *display_self;
} adapter;

static int
adapter_frame(void *user, uint32_t flags, struct bp_display_frame *ret)
{
    static const struct bp_display_rect all = {0, 0, 1, 1};
    int changed = adapter.changed || (flags & BP_DISPLAY_WHOLE);

    (void)user;
    adapter.asked++;
    adapter.changed = 0;
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH + PAD; x++)
            adapter.pixels[y][x] = 0xff000000u | (adapter.number * 0x010203u + x * 9 + (y << 12));
    ret->flags = 0;
    ret->width = adapter.width;
    ret->height = adapter.height;
    ret->stride = sizeof adapter.pixels[0];
    ret->pixels = adapter.width ? adapter.pixels : NULL;
    ret->n_rects = (uint32_t)changed;
    ret->rects = &all;
    return changed;
}

static struct bpt_machine *machine;
static char folder[] = "/tmp/test-display-png-XXXXXX", path[64];

/* An instance that needs a display, as an adapter does. */
static int
adapter_create(const struct bp_host *host, bp_inst inst, void **ret_self)
{
    static struct {
        const struct bp_host *host;
        bp_inst inst;
    } self;

    self.host = host;
    self.inst = inst;
    *ret_self = &self;
    return 0;
}

static int
adapter_realize(void *self_)
{
    const struct {
        const struct bp_host *host;
        bp_inst inst;
    } *self = self_;
    const struct bp_display_client client = {.size = sizeof client, .frame = adapter_frame};
    struct bp_link link = {.size = sizeof link};
    int err = self->host->link(self->inst, "display", BP_IF_DISPLAY,
                               BP_UPTO(struct bp_display_if, attach), &link);

    if (err)
        return err;
    adapter.display = link.iface;
    adapter.display_self = link.self;
    if ((err = adapter.display->attach(link.self, &client)))
        return err;
    if (adapter.display->attach(link.self, &client) != BP_E_BUSY)
        return BP_E_EXIST;
    return 0;
}

static void
adapter_destroy(void *self)
{
    (void)self;
    if (adapter.display)
        adapter.display->attach(adapter.display_self, NULL);
}

static const struct bp_prop adapter_props[] = {
    {.size = sizeof(struct bp_prop),
     .type = BP_LINK,
     .name = "display",
     .help = "a display",
     .link_iface = BP_IF_DISPLAY},
};

static const struct bp_class adapter_class = {
    .size = sizeof adapter_class,
    .name = "adapter",
    .version = "1",
    .summary = "an adapter of the test's",
    .props = adapter_props,
    .n_props = 1,
    .prop_size = sizeof *adapter_props,
    .create = adapter_create,
    .realize = adapter_realize,
    .destroy = adapter_destroy,
};

static int
start(const char *props)
{
    int err;

    memset(&adapter, 0, sizeof adapter);
    adapter.width = WIDTH;
    adapter.height = HEIGHT;
    adapter.changed = 1;
    machine = bpt_new(4 << 20, 0);
    if ((err = bpt_load(machine, "display-png", "png", props)) ||
        (err = bpt_add(machine, &adapter_class, "adapter", "display=png")) ||
        (err = bpt_realize_all(machine)))
        return err;
    return bpt_start(machine);
}

/* The file has the picture of that number: its pixels that differ; -1: no picture of this size. */
static int
file_differs(uint32_t number)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    uint8_t rgb[HEIGHT][WIDTH][3];
    int n = 0;

    if (!png_image_begin_read_from_file(&image, path))
        return -1;
    image.format = PNG_FORMAT_RGB;
    if (image.width != WIDTH || image.height != HEIGHT ||
        !png_image_finish_read(&image, NULL, rgb, 0, NULL)) {
        png_image_free(&image);
        return -1;
    }
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++) {
            const uint8_t *p = rgb[y][x];
            uint32_t want = number * 0x010203u + x * 9 + (y << 12);

            n += ((uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]) != (want & 0xffffff);
        }
    return n;
}

static int
file_exists(void *unused)
{
    (void)unused;
    return access(path, F_OK) == 0;
}

static unsigned
files_in_folder(void)
{
    DIR *dir = opendir(folder);
    unsigned n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n - 2;
}

static void
test_refresh(void)
{
    const struct bp_refresh_if *refresh;
    char props[100];

    snprintf(props, sizeof props, "path=%s", path);
    eq_int(start(props), 0, "start");
    refresh = bpt_query(machine, "png", BP_IF_REFRESH, BP_UPTO(struct bp_refresh_if, refresh));
    bpt_advance(machine, INT64_C(100000000000));
    eq_int(adapter.asked, 0, "it does not look unless asked to");
    ok(!file_exists(NULL), "and makes no file");
    adapter.number = 7;
    eq_int(refresh->refresh(bpt_self(machine, "png")), 0, "refresh");
    ok(bpt_until(machine, file_exists, NULL), "makes one");
    eq_int(file_differs(7), 0, "with the picture");
    eq_int(files_in_folder(), 1, "and nothing else");
    adapter.number = 8;
    adapter.changed = 1;
    eq_int(bpt_quiesce(machine), 0, "stop");
    eq_int(file_differs(8), 0, "has the last picture");
    adapter.number = 9;
    eq_int(bpt_start(machine) || bpt_quiesce(machine), 0, "started and stopped again");
    eq_int(file_differs(8), 0, "without a change it is not written again");
    adapter.width = 0;
    adapter.changed = 1;
    eq_int(refresh->refresh(bpt_self(machine, "png")), 0, "no picture");
    eq_int(file_differs(8), 0, "is none");
    eq_int(bpt_free(machine), 0, "no problems");
    unlink(path);
}

static void
test_interval(void)
{
    char props[100];
    struct stat before, after;

    snprintf(props, sizeof props, "path=%s,interval=10,at-stop=false", path);
    eq_int(start(props), 0, "start");
    bpt_advance(machine, INT64_C(9900000000));
    eq_int(adapter.asked, 0, "not before ten seconds");
    bpt_advance(machine, INT64_C(200000000));
    eq_int(adapter.asked, 1, "then");
    ok(bpt_until(machine, file_exists, NULL) && file_differs(0) == 0, "there is a picture");
    stat(path, &before);
    bpt_advance(machine, INT64_C(30000000000));
    eq_int(adapter.asked, 4, "and every ten seconds from then on");
    adapter.number = 5;
    adapter.changed = 1;
    eq_int(bpt_quiesce(machine), 0, "stop");
    stat(path, &after);
    eq_int(before.st_ino == after.st_ino && file_differs(0) == 0, 1,
           "what did not change was not written, nor the last picture");
    bpt_advance(machine, INT64_C(60000000000));
    eq_int(adapter.asked, 4, "a machine that stands still is not looked at");
    eq_int(bpt_free(machine), 0, "no problems");
    unlink(path);
}

static void
test_errors(void)
{
    char props[200];
    int fds[2], n;
    uint8_t magic[4] = {0};

    snprintf(props, sizeof props, "path=%s/none/x.png", folder);
    eq_int(start(props), BP_E_NOENT, "a folder that is not there");
    ok(strstr(bpt_error(machine), "none/x.png"), "is named");
    bpt_free(machine);
    snprintf(props, sizeof props, "path=%s", folder);
    ok(start(props) < 0, "a folder is no file");
    bpt_free(machine);

    snprintf(props, sizeof props, "path=%s", path);
    eq_int(start(props), 0, "start");
    rename(folder, "/tmp/test-display-png-gone");
    eq_int(bpt_quiesce(machine), 0, "a folder that went away");
    ok(bpt_logged(machine, "cannot write"), "is told and nothing more");
    rename("/tmp/test-display-png-gone", folder);
    eq_int(bpt_free(machine), 0, "no problems");

    eq_int(mkfifo(path, 0600), 0, "a pipe");
    fds[0] = open(path, O_RDONLY | O_NONBLOCK);
    eq_int(start(props), 0, "start");
    eq_int(bpt_quiesce(machine), 0, "stop");
    n = (int)read(fds[0], magic, 4);
    ok(n == 4 && magic[1] == 'P' && magic[2] == 'N' && magic[3] == 'G', "gets the picture");
    close(fds[0]);
    eq_int(bpt_free(machine), 0, "no problems");
    unlink(path);
}

int
main(void)
{
    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof path, "%s/screen.png", folder);
    test_refresh();
    test_interval();
    test_errors();
    rmdir(folder);
    return done_testing();
}
