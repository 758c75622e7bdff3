/* The load of the benchmarks: many WebSocket clients in one thread on epoll, so that a measurement is of the server.
 *
 * load HOST PORT TRIGGER_FD WORD HELLO WHEN READY
 *   WORD   what a counted frame holds        HELLO  a first text to send, or "" for none
 *   WHEN   "first": after the first frame came; "upgrade": at once      READY  what the frame holds that ends the opening
 *
 * Orders come on standard input, a line each; every one is answered by one line of JSON. The clients are read, and pings
 * answered, all the time. TRIGGER_FD leads to the server: "publish COUNT STAMP SIZE" asks it for so many events, each
 * with SIZE more bytes than usual and with `"t":STAMP` in it, from which the time until arrival is measured.
 *
 *   open FILE WINDOW RATE      one connection per line of FILE (its path): at most WINDOW opening at once, RATE a second
 *   rounds ROUNDS EVENTS SIZE  order EVENTS, wait until every client has them all, again
 *   pace EVENTS RATE SIZE      order one event after the other, RATE a second, whatever has arrived; wait for all
 *   ask TOTAL WINDOW REPLY FRAME   send FRAME so often, in turn from all clients, at most WINDOW unanswered; a frame that
 *                              holds REPLY is an answer
 *   stall COUNT                the first COUNT clients are read no more and not waited for
 *   close                      close all
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTING, UPGRADING, GREETING, OPEN, CLOSED };
enum { READ_BYTES = 1 << 18, BUCKETS = 64 * 32, PATIENCE_SECONDS = 60, READY_EVENTS = 1024 };

typedef struct {
    int fd, state, is_stalled, has_greeted;
    char *rest; /* the beginning of a frame whose end has not come */
    size_t rest_bytes;
} Client;

static struct sockaddr_in server;
static int epoll, trigger;
static const char *word, *hello, *when_hello, *ready_word;
static Client *clients;
static int count, ready_count, opening, lost;
static char **paths;
static char buffer[READ_BYTES * 2];
static uint64_t counted, histogram[BUCKETS], latest;
static char orders[1 << 16];
static size_t order_bytes;
static unsigned char ask_frame[4096];
static size_t ask_bytes;
static uint64_t to_ask;
static int next_asker;

static void fail(const char *format, ...) {
    va_list words;
    va_start(words, format);
    printf("{\"error\": \"");
    vprintf(format, words);
    printf("\"}\n");
    fflush(stdout);
    exit(1);
}

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Times fall into 32 buckets for each power of two: within 3 percent. */
static void note_latency(uint64_t ns) {
    uint64_t value = ns / 100 + 1; /* tenths of a microsecond */
    int power = 63 - __builtin_clzll(value);
    int fine = power >= 5 ? (int)((value >> (power - 5)) & 31) : (int)((value << (5 - power)) & 31);
    histogram[power * 32 + fine]++;
    if (ns > latest) latest = ns;
}

static double quantile_us(double part) {
    uint64_t total = 0, seen = 0;
    for (int n = 0; n < BUCKETS; n++) total += histogram[n];
    if (!total) return 0;
    for (int n = 0; n < BUCKETS; n++) {
        seen += histogram[n];
        if ((double)seen >= part * (double)total) {
            double us = (1.0 + (n % 32 + 0.5) / 32) * (double)(1ull << (n / 32)) / 10, most = (double)latest / 1e3;
            return us < most ? us : most;
        }
    }
    return 0;
}

static size_t text_frame(unsigned char *frame, const char *text, size_t size, int opcode) {
    static const unsigned char key[4] = {0x3b, 0xa7, 0x51, 0xec};
    size_t at = 2;
    frame[0] = (unsigned char)(0x80 | opcode);
    if (size < 126) {
        frame[1] = (unsigned char)(0x80 | size);
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = (unsigned char)(size >> 8);
        frame[3] = (unsigned char)size;
        at = 4;
    }
    memcpy(frame + at, key, 4);
    at += 4;
    for (size_t n = 0; n < size; n++) frame[at + n] = (unsigned char)text[n] ^ key[n & 3];
    return at + size;
}

static void send_all(Client *client, const void *data, size_t size) {
    if (send(client->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) fail("a client could not send: %s", strerror(errno));
}

static void send_frame(Client *client, const char *text, size_t size, int opcode) {
    unsigned char frame[4096];
    if (size > sizeof frame - 8) fail("a frame of %zu bytes is too long", size);
    send_all(client, frame, text_frame(frame, text, size, opcode));
}

static void greet(Client *client) {
    if (*hello && !client->has_greeted) {
        client->has_greeted = 1;
        send_frame(client, hello, strlen(hello), 1);
    }
}

static void become_open(Client *client) {
    client->state = OPEN;
    ready_count++;
    opening--;
}

static void ask_next(void) {
    if (!to_ask) return;
    to_ask--;
    send_all(&clients[next_asker], ask_frame, ask_bytes);
    next_asker = (next_asker + 1) % count;
}

static void take_stamp(const char *payload, size_t size) {
    const char *found = memmem(payload, size, "\"t\":", 4), *end = payload + size;
    uint64_t stamp = 0;
    if (!found) return;
    for (found += 4; found < end && *found == ' '; found++) {}
    for (; found < end && *found >= '0' && *found <= '9'; found++) stamp = stamp * 10 + (uint64_t)(*found - '0');
    if (stamp) note_latency(nanoseconds(CLOCK_MONOTONIC) - stamp);
}

static void take_frame(Client *client, int opcode, const char *payload, size_t size) {
    if (opcode == 9) {
        send_frame(client, payload, size, 10);
    } else if (opcode == 8) {
        int code = size >= 2 ? (unsigned char)payload[0] << 8 | (unsigned char)payload[1] : 0;
        fail("the server closed a client with %d (%.*s)", code, size > 2 ? (int)size - 2 : 0, payload + 2);
    } else if (size == 1 && *payload == '2') { /* Engine.IO's ping */
        send_frame(client, "3", 1, 1);
    } else if (size == 2 && !memcmp(payload, "{}", 2)) { /* centrifuge's */
        send_frame(client, "{}", 2, 1);
    } else if (client->state == GREETING) {
        if (!strcmp(when_hello, "first")) greet(client);
        if (memmem(payload, size, ready_word, strlen(ready_word))) become_open(client);
    } else if (memmem(payload, size, word, strlen(word))) {
        counted++;
        take_stamp(payload, size);
        ask_next();
    }
}

/* Takes whole frames and returns how many bytes they were. */
static size_t take_frames(Client *client, const char *data, size_t size) {
    size_t at = 0;
    while (size - at >= 2) {
        const unsigned char *head = (const unsigned char *)data + at;
        size_t length = head[1] & 127, begin = 2;
        if (length == 126) {
            if (size - at < 4) break;
            length = (size_t)head[2] << 8 | head[3];
            begin = 4;
        } else if (length == 127) {
            if (size - at < 10) break;
            length = 0;
            for (int n = 0; n < 8; n++) length = length << 8 | head[2 + n];
            begin = 10;
        }
        if (length > READ_BYTES - 16) fail("a frame of %zu bytes is too long", length);
        if (size - at < begin + length) break;
        take_frame(client, head[0] & 15, data + at + begin, length);
        at += begin + length;
    }
    return at;
}

static void drop(Client *client) {
    if (client->state == CLOSED) return;
    if (client->state != OPEN) fail("the server refused a client");
    close(client->fd);
    client->state = CLOSED;
    lost++;
}

static void take_upgrade(Client *client, char *data, size_t size, size_t *used) {
    char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end) return;
    if (size < 12 || memcmp(data + 9, "101", 3)) fail("the server answered the upgrade with %.12s", data);
    *used = (size_t)(end - data) + 4;
    client->state = GREETING;
    if (!strcmp(when_hello, "upgrade")) greet(client);
    if (!*ready_word) become_open(client);
}

static void read_client(Client *client) {
    size_t size = client->rest_bytes, used = 0;
    if (size) memcpy(buffer, client->rest, size);
    ssize_t got = recv(client->fd, buffer + size, READ_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        drop(client);
        return;
    }
    size += (size_t)got;
    if (client->state == UPGRADING) take_upgrade(client, buffer, size, &used);
    if (client->state != UPGRADING) used += take_frames(client, buffer + used, size - used);
    if (client->rest_bytes || used < size) {
        client->rest = realloc(client->rest, size - used + 1);
        client->rest_bytes = size - used;
        memcpy(client->rest, buffer + used, size - used);
    }
}

static void upgrade(Client *client) {
    char request[8192];
    int size = snprintf(
        request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        paths[client - clients], ntohs(server.sin_port));
    int error = 0, on = 1;
    socklen_t length = sizeof error;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) fail("a client could not connect: %s", strerror(error));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    send_all(client, request, (size_t)size);
    client->state = UPGRADING;
    epoll_ctl(epoll, EPOLL_CTL_MOD, client->fd, &event);
}

static void begin(Client *client) {
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = client};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0) fail("no socket: %s", strerror(errno));
    if (connect(client->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS)
        fail("a client could not connect: %s", strerror(errno));
    client->state = CONNECTING;
    opening++;
    epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event);
}

static void turn(int wait_ms) {
    struct epoll_event events[READY_EVENTS];
    int ready = epoll_wait(epoll, events, READY_EVENTS, wait_ms);
    for (int n = 0; n < ready; n++) {
        Client *client = events[n].data.ptr;
        if (!client) continue; /* an order: read between turns */
        if (client->state == CONNECTING) upgrade(client);
        else if (client->state != CLOSED) read_client(client);
    }
}

/* A turn after at most so long; epoll_wait knows milliseconds only, and whoever spins takes the core from the servers. */
static void turn_within(uint64_t ns) {
    struct pollfd ready = {.fd = epoll, .events = POLLIN};
    struct timespec wait = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    ppoll(&ready, 1, &wait, NULL);
    turn(0);
}

static void order_events(uint64_t events, uint64_t more_bytes) {
    char line[80];
    int size = snprintf(line, sizeof line, "publish %llu %llu %llu\n", (unsigned long long)events,
                        (unsigned long long)nanoseconds(CLOCK_MONOTONIC), (unsigned long long)more_bytes);
    if (write(trigger, line, (size_t)size) != size) fail("the server takes no orders");
}

/* Turns until so many frames were counted; fails when none has come for a while. */
static void wait_for(uint64_t wanted) {
    uint64_t last = counted, since = nanoseconds(CLOCK_MONOTONIC);
    while (counted < wanted) {
        turn(100);
        uint64_t now = nanoseconds(CLOCK_MONOTONIC);
        if (counted != last) {
            last = counted;
            since = now;
        } else if (now - since > PATIENCE_SECONDS * 1000000000ull) {
            fail("%llu of %llu frames came", (unsigned long long)counted, (unsigned long long)wanted);
        }
        if (lost) fail("the server cut %d clients", lost);
    }
}

static int heard_by(void) {
    int listening = 0;
    for (int n = 0; n < count; n++) listening += clients[n].state == OPEN && !clients[n].is_stalled;
    return listening;
}

static void answer(uint64_t began, uint64_t cpu) {
    double seconds = (double)(nanoseconds(CLOCK_MONOTONIC) - began) / 1e9;
    double spent = (double)(nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e9;
    printf("{\"count\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
           (unsigned long long)counted, seconds, spent, quantile_us(0.5), quantile_us(0.99), (double)latest / 1e3);
    fflush(stdout);
}

static void open_all(const char *file, int window, int rate) {
    char *line = NULL;
    size_t space = 0;
    ssize_t size;
    int lines = 0, begun = count;
    FILE *list = fopen(file, "r");
    if (!list) fail("%s cannot be read", file);
    for (int n = 0; n < count; n++)
        if (clients[n].state != CLOSED) fail("there are clients already");
    count = begun = ready_count = lost = 0;
    while ((size = getline(&line, &space, list)) > 0) {
        paths = realloc(paths, sizeof *paths * (size_t)(lines + 1));
        line[strcspn(line, "\n")] = 0;
        paths[lines++] = strdup(line);
    }
    fclose(list);
    free(line);
    free(clients);
    clients = calloc((size_t)lines, sizeof *clients);
    count = lines;
    uint64_t since = nanoseconds(CLOCK_MONOTONIC);
    while (ready_count < count) {
        uint64_t passed = nanoseconds(CLOCK_MONOTONIC) - since;
        if (passed > PATIENCE_SECONDS * 2000000000ull) fail("%d of %d clients were taken in", ready_count, count);
        while (begun < count && opening < window && (uint64_t)begun * 1000000000u / (uint64_t)rate <= passed)
            begin(&clients[begun++]);
        turn(1);
    }
}

static void close_all(void) {
    for (int n = 0; n < count; n++) {
        if (clients[n].state != CLOSED) close(clients[n].fd);
        clients[n].state = CLOSED;
        free(clients[n].rest);
        clients[n].rest = NULL;
        clients[n].rest_bytes = 0;
    }
}

static void stall(int many) {
    int bytes = 4096;
    for (int n = 0; n < many && n < count; n++) {
        clients[n].is_stalled = 1;
        setsockopt(clients[n].fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        epoll_ctl(epoll, EPOLL_CTL_DEL, clients[n].fd, NULL);
    }
}

static void pace(uint64_t events, uint64_t rate, uint64_t more_bytes) {
    uint64_t began = nanoseconds(CLOCK_MONOTONIC), wanted = events * (uint64_t)heard_by();
    for (uint64_t n = 0; n < events; n++) {
        uint64_t due = began + n * 1000000000u / rate, now;
        while ((now = nanoseconds(CLOCK_MONOTONIC)) < due) turn_within(due - now);
        order_events(1, more_bytes);
        turn(0);
    }
    wait_for(wanted);
}

static void obey(char *order) {
    uint64_t began = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    unsigned long long first = 0, second = 0, third = 0;
    char file[4096], reply[64];
    int window, rate, offset = 0;
    counted = latest = 0;
    memset(histogram, 0, sizeof histogram);
    if (sscanf(order, "open %4095s %d %d", file, &window, &rate) == 3) {
        open_all(file, window, rate);
    } else if (sscanf(order, "rounds %llu %llu %llu", &first, &second, &third) == 3) {
        uint64_t each = second * (uint64_t)heard_by();
        for (uint64_t n = 1; n <= first; n++) {
            order_events(second, third);
            wait_for(n * each);
        }
    } else if (sscanf(order, "pace %llu %llu %llu", &first, &second, &third) == 3) {
        pace(first, second, third);
    } else if (sscanf(order, "ask %llu %llu %63s %n", &first, &second, reply, &offset) == 3 && offset) {
        const char *event_word = word;
        word = reply;
        ask_bytes = text_frame(ask_frame, order + offset, strlen(order + offset), 1);
        to_ask = first;
        for (uint64_t n = 0; n < second; n++) ask_next();
        wait_for(first);
        word = event_word;
    } else if (sscanf(order, "stall %llu", &first) == 1) {
        stall((int)first);
    } else if (!strcmp(order, "close")) {
        close_all();
    } else {
        fail("there is no order %.40s", order);
    }
    answer(began, cpu);
}

static int read_orders(void) {
    ssize_t got = read(0, orders + order_bytes, sizeof orders - order_bytes - 1);
    if (got < 0 && errno == EAGAIN) return 1;
    if (got <= 0) return 0;
    order_bytes += (size_t)got;
    orders[order_bytes] = 0;
    for (char *end; (end = memchr(orders, '\n', order_bytes));) {
        *end = 0;
        obey(orders);
        order_bytes -= (size_t)(end + 1 - orders);
        memmove(orders, end + 1, order_bytes + 1);
    }
    return 1;
}

int main(int argc, char **argv) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (argc != 8) fail("seven words are wanted");
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(argv[2]));
    if (!inet_aton(argv[1], &server.sin_addr)) fail("no address: %s", argv[1]);
    trigger = atoi(argv[3]);
    word = argv[4], hello = argv[5], when_hello = argv[6], ready_word = argv[7];
    epoll = epoll_create1(0);
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
    do turn(-1);
    while (read_orders());
    return 0;
}
