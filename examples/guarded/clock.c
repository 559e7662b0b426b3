/* An HTTP server that tells the time, one client after the other. It knows nothing of systemd, and has two bugs. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *zones[] = {"UTC0", "CET-1CEST", "JST-9"};

static void answer(int client, const char *body)
{
    char text[256];
    int size = snprintf(text, sizeof text, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    if (write(client, text, size) != size)
        perror("write");
}

static void serve(int client)
{
    char request[1024] = "", body[64];
    int zone = 0;
    time_t now = time(NULL);

    if (read(client, request, sizeof request - 1) <= 0) /* bug 1: a client that says nothing is waited for, for ever */
        return;
    sscanf(request, "GET /zone/%d", &zone);
    setenv("TZ", zones[zone], 1); /* bug 2: for /zone/99999999 there is nothing to read */
    tzset();
    strftime(body, sizeof body, "it is %H:%M\n", localtime(&now));
    answer(client, body);
}

int main(int argc, char **argv)
{
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 8080)};

    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 16)) {
        perror("clock");
        return 1;
    }
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client >= 0) {
            serve(client);
            close(client);
        }
    }
}
