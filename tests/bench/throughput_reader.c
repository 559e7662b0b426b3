/* throughput_reader PIPE: reads to the end in pieces of 64 KiB, compares each record of 26 bytes with the alphabet, and
 * prints how many were good and how many were not. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SIZE 26

static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

int main(int argc, char **argv)
{
    static char data[65536 + SIZE];
    size_t kept = 0;
    ssize_t got;
    long right = 0, wrong = 0;
    int fd;

    if (argc != 2)
        return 2;
    fd = open(argv[1], O_RDONLY);
    if (fd < 0) {
        perror(argv[1]);
        return 1;
    }
    while ((got = read(fd, data + kept, 65536)) > 0) {
        size_t there = kept + (size_t)got, at = 0;
        for (; at + SIZE <= there; at += SIZE) {
            if (memcmp(data + at, good, SIZE) == 0)
                right++;
            else
                wrong++;
        }
        kept = there - at;
        memmove(data, data + at, kept);
    }
    printf("%ld %ld\n", right, wrong);
    return kept != 0;
}
