/* throughput_writer PIPE COUNT RATE: writes COUNT records, one in RATE of them bad (0: none), in batches of whole records
 * that are at most PIPE_BUF bytes, as hafta-server does. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char bad[] = "This is bad data and has to be at least 25 chars!!!!";

int main(int argc, char **argv)
{
    char batch[PIPE_BUF];
    size_t used = 0;
    long left, rate;
    int fd;

    if (argc != 4)
        return 2;
    left = atol(argv[2]);
    rate = atol(argv[3]);
    fd = open(argv[1], O_WRONLY);
    if (fd < 0) {
        perror(argv[1]);
        return 1;
    }
    for (; left > 0; left--) {
        const char *record = rate && random() % rate == 0 ? bad : good;
        size_t size = record == bad ? sizeof bad - 1 : sizeof good - 1;
        if (used + size > sizeof batch) {
            if (write(fd, batch, used) != (ssize_t)used)
                return 1;
            used = 0;
        }
        memcpy(batch + used, record, size);
        used += size;
    }
    return write(fd, batch, used) != (ssize_t)used;
}
