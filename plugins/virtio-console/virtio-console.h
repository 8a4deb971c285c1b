/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-console.h - what the parts of the plugin share.
 *
 *   virtio-console.c   the class: properties, configuration space, life cycle
 *   port.c             bytes of one port, both ways
 *   control.c          the control queues of a device with several ports
 *   state.c            save and load
 *
 * Nothing is ever held of a queue: a chain that the back end takes only in part goes back into the
 * queue and the port remembers how far it got; a message for the driver is a bit in its port until
 * there is a buffer for it. So a reset has nothing to wait for and no driver can make anything
 * grow.
 */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include <stdbool.h>

#include <backplane/virtio.h>

#define CON_PORTS_MAX  32u
#define CON_QUEUE_SIZE 64u
#define CON_CONTROL_RX 2u /* queue indices (5.3.2) */
#define CON_CONTROL_TX 3u

/* Feature bits (5.3.3) */
enum {
    CON_F_SIZE = 0,
    CON_F_MULTIPORT = 1,
    CON_F_EMERG_WRITE = 2,
};

/* Messages for the driver that wait for a buffer; sent in this order. */
enum {
    MSG_ADD = 1,
    MSG_CONSOLE = 2,
    MSG_NAME = 4,
    MSG_RESIZE = 8,
    MSG_CLOSE = 16,
    MSG_OPEN = 32,
    MSG_ALL = 63,
};

struct con_dev;

struct con_port {
    struct con_dev *dev;
    uint32_t id;
    const struct bp_char_if *chr; /* NULL: port 0 of a device without a console */
    void *be;
    const char *name; /* the back end's id; the core's */
    struct bp_char_client client;
    struct bp_virtq *rx, *tx; /* as the driver sees it: it receives on rx */
    bool attached;

    bool ready;       /* the driver knows the port */
    bool guest_open;  /* a program in the guest has it open */
    bool host_open;   /* what the driver was told, or will be */
    uint32_t pending; /* MSG_* */
    uint64_t tx_done; /* bytes of the next chain of tx that the back end has taken */

    bool starved; /* the back end waits for ready() */
};

/* Where a chain is popped to. One for each way, since a back end may say from within write() that
 * its other end has gone. */
struct con_chain {
    struct bp_virtq_chain c;
    struct bp_iovec iov[CON_QUEUE_SIZE];
};

struct con_dev {
    const struct bp_host *host;
    bp_inst inst;
    const struct bp_event_if *event;
    bp_event resume;
    struct bp_virtio *vdev;
    bool running, multiport; /* multiport: offered */
    uint16_t cols, rows;
    uint32_t n_ports;
    struct con_port port[CON_PORTS_MAX];
    bool writing; /* within write() of some port */
    struct con_chain rx, tx, control;
};

/* Did the driver accept several ports? */
bool con_multiport(const struct con_dev *);

/* port.c */
/* Links the port to its back end and becomes its client. */
__attribute__((warn_unused_result)) int port_attach(struct con_port *, const struct bp_link *);
void port_detach(struct con_port *);
void port_reset(struct con_port *);
/* The driver offers bytes, or the back end takes them again. */
void port_transmit(struct con_port *);
/* Buffers or an open port: tells the back end that waits for it. */
void port_can_receive(struct con_port *);
/* One byte past the queues. */
void port_emergency(struct con_port *, uint8_t);

/* control.c */
void control_receive(struct con_dev *); /* what the driver says */
void control_send(struct con_dev *);    /* what is pending, as far as there are buffers */
void control_post(struct con_port *, uint32_t messages);
/* The other end of the port came or went. */
void control_host_open(struct con_port *, bool open);

/* state.c: the class's save() and load() */
int state_save(void *self, const struct bp_writer *);
int state_load(void *self, const struct bp_reader *);

#endif
