/* The trivial daemon of the overlord's bench: says READY=1, then writes its name and the time into a file, and waits.
 *
 * usage: daemon FILE NAME [crash]     With "crash" it ends at once, with status 1. For s6, $READY_FD is sent a newline.
 *
 * The time is its own, on the monotonic clock, which all containers share: no supervisor is asked, and each is measured
 * at the same moment. Linked statically, it is up in less than a millisecond.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void notify(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + strlen(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    if (fd < 0 || strlen(path) >= sizeof address.sun_path)
        exit(111);
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = 0;
    if (sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&address, length) != 7)
        exit(111);
    close(fd);
}

int main(int count, char **words)
{
    struct timespec now;
    char line[256];
    int fd, length;

    if (count < 3)
        return 2;
    if (getenv("NOTIFY_SOCKET"))
        notify(getenv("NOTIFY_SOCKET"));
    if (getenv("READY_FD") && write(atoi(getenv("READY_FD")), "\n", 1) != 1)
        return 111;
    clock_gettime(CLOCK_MONOTONIC, &now);
    length = snprintf(line, sizeof line, "%s %lld\n", words[2], now.tv_sec * 1000000000LL + now.tv_nsec);
    fd = open(words[1], O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0 || write(fd, line, length) != length)
        return 111;
    close(fd);
    if (count > 3)
        return 1;
    for (;;)
        pause();
}
