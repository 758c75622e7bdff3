/* The floor of the benchmarks: one thread, epoll, and nothing but the calls that any server must make.
 *
 * One frame per event, made once, given to send() for each client; an answer per message. It trusts its clients: the
 * handshake is always answered for the key of RFC 6455's example, frames come whole, and every event has the same size.
 * No product could be this.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 20000, READY_EVENTS = 1024 };

static int upgraded[MOST], ready_clients[MOST], number;
static unsigned long offset;

static size_t framed(unsigned char *frame, const char *text, size_t size) {
    size_t at = 2;
    frame[0] = 0x81;
    frame[1] = (unsigned char)(size < 126 ? size : 126);
    if (size >= 126) {
        frame[2] = (unsigned char)(size >> 8);
        frame[3] = (unsigned char)size;
        at = 4;
    }
    memcpy(frame + at, text, size);
    return at + size;
}

static void now_text(char *text, size_t size) {
    time_t now = time(NULL);
    strftime(text, size, "%Y-%m-%dT%H:%M:%S.000Z", gmtime(&now));
}

static void publish(int count, const char *stamp) {
    char text[1024], at[40];
    unsigned char frame[1100];
    now_text(at, sizeof at);
    for (int n = 0; n < count; n++) {
        offset++;
        int size = snprintf(text, sizeof text,
            "{\"type\":\"event\",\"channel\":\"course:crs_01kaj3v9f0q5t8w2x4y6z8a0b2\",\"event\":\"course_updated\","
            "\"epoch\":\"p3Jm0aVxQ1uQd4yT\",\"offset\":%lu,\"id\":\"evt_01kaj3v9f0q5t8w2x4y6z8a0b2\",\"at\":\"%s\","
            "\"data\":{\"course_id\":\"crs_01kaj3v9f0q5t8w2x4y6z8a0b2\",\"changes\":{\"short_description\":"
            "\"Slopes and lines, with examples.\",\"t\":%s},\"version\":%lu,\"n\":0}}", offset, at, stamp, offset);
        size_t whole = framed(frame, text, (size_t)size);
        for (int c = 0; c < number; c++)
            if (send(ready_clients[c], frame, whole, MSG_NOSIGNAL) != (ssize_t)whole) exit(3);
    }
}

static void answer(int client, char *data, ssize_t got) {
    char text[256], at[40];
    unsigned char frame[300];
    unsigned char *head = (unsigned char *)data, *key = head + 2;
    size_t size = head[1] & 127;
    if ((head[0] & 15) != 1 || got < (ssize_t)size + 6) return;
    for (size_t n = 0; n < size; n++) head[6 + n] ^= key[n & 3];
    char *id = memmem(head + 6, size, "\"id\":", 5);
    now_text(at, sizeof at);
    int made = snprintf(text, sizeof text, "{\"id\":%ld,\"ok\":true,\"result\":{\"server_time\":\"%s\"}}", id ? atol(id + 5) : 0, at);
    size_t whole = framed(frame, text, (size_t)made);
    if (send(client, frame, whole, MSG_NOSIGNAL) != (ssize_t)whole) exit(3);
}

static void leave(int client) {
    for (int n = 0; n < number; n++)
        if (ready_clients[n] == client) ready_clients[n] = ready_clients[--number];
    upgraded[client] = 0;
    close(client);
}

static void hear(int client) {
    static const char accepted[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    char data[65536];
    ssize_t got = recv(client, data, sizeof data, 0);
    if (got <= 0) {
        leave(client);
    } else if (upgraded[client]) {
        answer(client, data, got);
    } else {
        upgraded[client] = 1;
        ready_clients[number++] = client;
        if (send(client, accepted, sizeof accepted - 1, MSG_NOSIGNAL) < 0) exit(3);
    }
}

static int obey(void) {
    static char line[4096];
    static size_t have;
    ssize_t got = read(0, line + have, sizeof line - have - 1);
    if (got <= 0) return 0;
    have += (size_t)got;
    line[have] = 0;
    for (char *end; (end = strchr(line, '\n'));) {
        int count;
        char stamp[32];
        *end = 0;
        if (sscanf(line, "publish %d %31s", &count, stamp) == 2) publish(count, stamp);
        have -= (size_t)(end + 1 - line);
        memmove(line, end + 1, have + 1);
    }
    return 1;
}

static void watch(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct epoll_event events[READY_EVENTS];
    int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0), on = 1;
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("ready %d\n", ntohs(address.sin_port));
    fflush(stdout);
    watch(epoll, listener);
    watch(epoll, 0);
    for (;;) {
        int ready = epoll_wait(epoll, events, READY_EVENTS, -1);
        for (int n = 0; n < ready; n++) {
            int fd = events[n].data.fd;
            if (fd == 0) {
                if (!obey()) return 0;
            } else if (fd == listener) {
                int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (client < 0 || client >= MOST) return 2;
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                watch(epoll, client);
            } else {
                hear(fd);
            }
        }
    }
}
