/* A data server that behaves, call for call, as the one of the 2003 tutorial: it makes the pipe unless it is there, waits
 * in open() for a reader, and writes one record after the other, one in 25 of them bad, until something kills it.
 *
 * Build with -DPIPENAME='"/path"' -DPAUSE=microseconds -DSEED=number -DRATE=25.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef PIPENAME
#define PIPENAME "/tmp/simple"
#endif
#ifndef SEED
#define SEED time(NULL)
#endif
#ifndef RATE
#define RATE 25
#endif

static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char bad[] = "This is bad data and has to be at least 25 chars!!!!";

static void give_up(const char *what)
{
    printf("Unable to %s fifo \"%s\" (%s)\n", what, PIPENAME, strerror(errno));
    exit(EXIT_FAILURE);
}

static void rest(void)
{
#ifdef PAUSE
    usleep(PAUSE);
#else
    sleep(1);
#endif
}

int main(void)
{
    int fd;

    srand(SEED);
    if (mkfifo(PIPENAME, S_IRUSR | S_IWUSR) != 0 && errno != EEXIST)
        give_up("make");
    fd = open(PIPENAME, O_WRONLY);
    if (fd == -1)
        give_up("open");
    for (;;) {
        const char *record = rand() % RATE == 0 ? bad : good;
        ssize_t written = write(fd, record, strlen(record));
        (void)written; /* the classic server does not look */
        rest();
    }
}
