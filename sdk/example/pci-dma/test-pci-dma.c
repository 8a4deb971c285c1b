/* SPDX-License-Identifier: BSD-3-Clause */
/* test-pci-dma.c - a driver of pci-dma, on the fake host with the PCI bus of backplane's package.
 */
#include <stdio.h>
#include <string.h>

#include <backplane/test.h>

static int count, failed;

static void
check(int good, const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
    failed |= !good;
}

static void
copy(struct bpt_machine *m, uint64_t bar, uint64_t from, uint64_t to, uint32_t len)
{
    bpt_mmio_write(m, bar + 0x08, 4, (uint32_t)from);
    bpt_mmio_write(m, bar + 0x0c, 4, from >> 32);
    bpt_mmio_write(m, bar + 0x10, 4, (uint32_t)to);
    bpt_mmio_write(m, bar + 0x14, 4, to >> 32);
    bpt_mmio_write(m, bar + 0x18, 4, len);
    bpt_mmio_write(m, bar + 0x1c, 4, 1);
    bpt_pump(m);
}

int
main(void)
{
    struct bpt_machine *m = bpt_new(4 << 20, 0);
    uint64_t from = bpt_alloc(m, 65536, 4096), to = bpt_alloc(m, 65536, 4096), bar, addr;
    uint32_t fn, data;
    uint8_t *p;

    if (bpt_load(m, "pci", "bus", NULL)) {
        printf("1..0 # SKIP %s\n", bpt_error(m));
        bpt_free(m);
        return 0;
    }
    check(bpt_load(m, "pci-dma", "dma", NULL) == 0, "it is created");
    check(bpt_realize_all(m) == 0 && bpt_start(m) == 0, "it starts");
    fn = bpt_pci_find(m, 0x1234, 0xdda1, 0);
    check(fn != BPT_PCI_NONE, "it is on the bus");
    bpt_pci_enable(m, fn, 1);
    bar = bpt_pci_bar(m, fn, 0);
    check(bpt_mmio_read(m, bar, 4) == 0x31616d64, "its registers are behind BAR 0");

    p = bpt_ram(m, from, 65536);
    for (unsigned i = 0; i < 65536; i++)
        p[i] = (uint8_t)(i * 7 + i / 256);
    copy(m, bar, from, to, 60000);
    check(memcmp(p, bpt_ram(m, to, 60000), 60000) == 0, "it copies");
    check(bpt_mmio_read(m, bar + 4, 4) == 1, "and says that it is done");
    bpt_mmio_write(m, bar + 4, 4, 1);

    check(bpt_pci_msix(m, fn) == 1, "it has one MSI-X vector");
    copy(m, bar, from, to, 16);
    check(bpt_msi_take(m, &addr, &data) && addr == BPT_MSIX_ADDR(fn) && data == BPT_MSIX_DATA(0),
          "which it sends");

    copy(m, bar, 0x8000000000, to, 16);
    check(bpt_mmio_read(m, bar + 4, 4) == 3, "a source that is no memory is an error");
    copy(m, bar, from, to, UINT32_MAX);
    check(bpt_mmio_read(m, bar + 4, 4) == 3, "and so is a length of 4 GiB");
    check(bpt_state_roundtrip(m, "dma") == 0, "its state survives save and load");
    check(bpt_reset(m) == 0, "it is reset");
    check(bpt_free(m) == 0, "it broke no rule of the SDK");
    printf("1..%d\n", count);
    return failed;
}
