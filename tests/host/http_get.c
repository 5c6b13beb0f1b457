/* SPDX-License-Identifier: Apache-2.0 */
#include "http_get.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static size_t read_all(int fd, char *out, size_t size)
{
    size_t  length = 0;
    ssize_t got;

    while (length + 1 < size && (got = read(fd, out + length, size - 1 - length)) > 0)
        length += (size_t)got;
    out[length] = '\0';
    return length;
}

static void copy_text(char *out, size_t size, const char *text)
{
    const size_t length = strlen(text) < size ? strlen(text) : size - 1;

    memcpy(out, text, length);
    out[length] = '\0';
}

void http_ask(uint16_t port, const char *request, const char *payload, struct http_answer *out)
{
    static char whole[sizeof out->head + sizeof out->body];
    char        asked[1024];
    const int   fd = connect_to(port);
    int         length;
    char       *end;

    memset(out, 0, sizeof *out);
    if (fd < 0)
        return;
    length = snprintf(
        asked, sizeof asked,
        "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
        request, payload != NULL ? strlen(payload) : 0, payload != NULL ? payload : "");
    if (write(fd, asked, (size_t)length) == length && read_all(fd, whole, sizeof whole) > 0 &&
        (end = strstr(whole, "\r\n\r\n")) != NULL && strlen(whole) > 12) {
        *end = '\0';
        out->code = atoi(whole + strlen("HTTP/1.1 "));
        copy_text(out->head, sizeof out->head, whole);
        copy_text(out->body, sizeof out->body, end + 4);
    }
    close(fd);
}
