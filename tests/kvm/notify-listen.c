/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * notify-listen.c - a receiver of sd_notify(3): runs a command with NOTIFY_SOCKET set to the path
 * given, or to a name in no file system if it begins with @, prints what it is told, and ends with
 * the command's status.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char text[4096];
    ssize_t n;
    int fd, status;
    pid_t pid;

    if (argc < 3 || strlen(argv[1]) >= sizeof at.sun_path)
        return 99;
    memcpy(at.sun_path, argv[1], strlen(argv[1]));
    if (at.sun_path[0] == '@')
        at.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(argv[1]))) < 0) {
        perror(argv[1]);
        return 99;
    }
    setenv("NOTIFY_SOCKET", argv[1], 1);
    pid = fork();
    if (pid == 0) {
        execv(argv[2], argv + 2);
        perror(argv[2]);
        _exit(99);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 99;
    while ((n = recv(fd, text, sizeof text, MSG_DONTWAIT)) > 0)
        printf("told: %.*s\n", (int)n, text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}
