/* SPDX-License-Identifier: BSD-3-Clause */
/* hostfwd.c - `hostfwd = { "tcp:127.0.0.1:2222-22" }`: ports of the host that lead to the guest. */
#include <arpa/inet.h>
#include <backplane/log.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net-user.h"

struct forward {
    int udp;
    struct in_addr host;
    int host_port, guest_port;
};

/* 1-65535 up to the character `end`; *text then stands behind it. */
static int
take_port(const char **text, char end)
{
    char *stop;
    long v;

    if (**text < '0' || **text > '9')
        return 0;
    v = strtol(*text, &stop, 10);
    if (*stop != end || v < 1 || v > 65535)
        return 0;
    *text = end ? stop + 1 : stop;
    return (int)v;
}

/* What is wrong with the entry, or NULL. */
static const char *
parse(const char *text, struct forward *to)
{
    char addr[INET_ADDRSTRLEN];
    const char *colon;

    if (strncmp(text, "tcp:", 4) == 0)
        to->udp = 0;
    else if (strncmp(text, "udp:", 4) == 0)
        to->udp = 1;
    else
        return "it must begin with tcp: or udp:";
    text += 4;
    colon = strchr(text, ':');
    if (!colon)
        return "after the protocol come HOSTADDR:PORT-GUESTPORT";
    if ((size_t)(colon - text) >= sizeof addr)
        return "the host's address is no IPv4 address";
    memcpy(addr, text, (size_t)(colon - text));
    addr[colon - text] = '\0';
    /* Without an address only this host may connect; 0.0.0.0 is what lets others. */
    if (inet_pton(AF_INET, addr[0] ? addr : "127.0.0.1", &to->host) != 1)
        return "the host's address is no IPv4 address";
    text = colon + 1;
    to->host_port = take_port(&text, '-');
    if (!to->host_port)
        return "the host's port must be 1 to 65535, followed by -GUESTPORT";
    to->guest_port = take_port(&text, '\0');
    if (!to->guest_port)
        return "the guest's port must be 1 to 65535";
    return NULL;
}

int
hostfwd_add_all(struct net_user *nu, struct in_addr guest)
{
    struct bp_value v = {.size = sizeof v};
    struct forward f;
    const char *wrong;

    for (uint64_t i = 0; nu->host->prop_item(nu->inst, "hostfwd", i, &v) == 0; i++) {
        wrong = parse(v.s, &f);
        if (wrong)
            return bp_failf(nu->host, nu->inst, BP_E_INVAL,
                            "hostfwd \"%s\": %s; write e.g. \"tcp:127.0.0.1:2222-22\"", v.s, wrong);
        if (slirp_add_hostfwd(nu->slirp, f.udp, f.host, f.host_port, guest, f.guest_port) < 0)
            return bp_failf(nu->host, nu->inst, BP_E_BUSY,
                            "hostfwd \"%s\": cannot listen there: %s; choose another address or "
                            "port",
                            v.s, strerror(errno));
    }
    return 0;
}
