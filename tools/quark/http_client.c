/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client.c - see http_client.h.
 *
 * Asks in HTTP/1.0: the answer then ends with the connection, and is never cut into chunks.
 */
#include "http_client.h"

#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MAX (256u << 20)    /* more is no answer of a host */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-._~", c) != NULL;
}

bool http_add_argument(char *path, size_t size, const char *name, const char *value)
{
    size_t length = strlen(path);
    int    added = snprintf(path + length, size - length, "%c%s=",
                            strchr(path, '?') == NULL ? '?' : '&', name);

    for (; added > 0 && *value != '\0'; value++) {
        length += (size_t)added;
        if (length >= size)
            return false;
        added = snprintf(path + length, size - length, is_plain(*value) ? "%c" : "%%%02X",
                         (unsigned char)*value);
    }
    return length + (size_t)added < size;
}

/* ---- Connecting ---- */

static qk_status split_address(const char *at, char *address, char *port, struct qk_error *error)
{
    const char  *colon = strrchr(at, ':');
    const size_t length = colon != NULL ? (size_t)(colon - at) : 0;
    const bool   is_bracketed = length > 2 && at[0] == '[' && at[length - 1] == ']';

    if (length == 0 || length >= 128 || strlen(colon + 1) == 0 || strlen(colon + 1) >= 8)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "'%.100s' is not ADDRESS:PORT", at);
    snprintf(address, 128, "%.*s", (int)(is_bracketed ? length - 2 : length),
             is_bracketed ? at + 1 : at);
    snprintf(port, 8, "%s", colon + 1);
    return QK_OK;
}

static int open_socket(const struct addrinfo *to)
{
    const struct timeval timeout = {.tv_sec = HTTP_TIMEOUT_S};
    const int            fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int                  failed;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
        return fd;
    failed = errno;
    close(fd);
    errno = failed;
    return -1;
}

static qk_status connect_to(const char *at, int *out_fd, struct qk_error *error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo      *found = NULL;
    char                  address[128], port[8];
    qk_status             status = split_address(at, address, port, error);
    int                   code, fd = -1;

    if (status != QK_OK)
        return status;
    code = getaddrinfo(address, port, &hints, &found);
    if (code != 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: %s", at, gai_strerror(code));
    for (const struct addrinfo *to = found; to != NULL && fd < 0; to = to->ai_next)
        fd = open_socket(to);
    code = errno;
    freeaddrinfo(found);
    if (fd < 0)
        return qk_error_set(error, QK_UNAVAILABLE, "no host answers at %s: %s", at, strerror(code));
    *out_fd = fd;
    return QK_OK;
}

/* ---- Asking ---- */

static bool send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool receive_all(int fd, struct qk__text *answer)
{
    char    bytes[16 * 1024];
    ssize_t got;

    while ((got = recv(fd, bytes, sizeof bytes, 0)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || answer->length + (size_t)got > ANSWER_MAX)
            return false;
        qk__text_add_bytes(answer, bytes, (size_t)got);
    }
    return true;
}

static qk_status exchange(const char *at, const char *method, const char *path, char **out_answer,
                          struct qk_error *error)
{
    struct qk__text request, answer;
    qk_status       status;
    int             fd = -1;
    bool            is_done;

    status = connect_to(at, &fd, error);
    if (status != QK_OK)
        return status;
    qk__text_init(&request);
    qk__text_init(&answer);
    qk__text_addf(&request, "%s %s HTTP/1.0\r\nHost: %s\r\n\r\n", method, path, at);
    is_done = request.status == QK_OK && send_all(fd, request.bytes, request.length) &&
              receive_all(fd, &answer);
    close(fd);
    if (!is_done)
        status = qk_error_set(error, QK_UNAVAILABLE, "%s does not answer in %d s", at,
                              HTTP_TIMEOUT_S);
    else if (qk__text_take(&answer, out_answer, NULL) != QK_OK)
        status = qk_error_set(error, QK_NO_MEMORY, "out of memory for an answer of %s", at);
    qk__text_fini(&request);
    qk__text_fini(&answer);
    return status;
}

/* ---- The answer ---- */

static qk_status status_of_name(const char *name)
{
    static const struct {
        const char *name;
        qk_status   status;
    } all[] = {
#define QK__STATUS_ROW(name, number, text) {"QK_" #name, QK_##name},
        QK_STATUS_MAP(QK__STATUS_ROW)
#undef QK__STATUS_ROW
    };

    for (size_t i = 0; name != NULL && i < QK__COUNT_OF(all); i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i].status;
    return QK_UNKNOWN;
}

static qk_status take_error(const char *at, const json_t *json, struct qk_error *error)
{
    const json_t *said = json_object_get(json, "error");
    const char   *message = json_string_value(json_object_get(said, "message"));

    if (message == NULL)
        return qk_error_set(error, QK_DATA_LOSS, "what answers at %s is no Quark host", at);
    return qk_error_set(error,
                        status_of_name(json_string_value(json_object_get(said, "status"))), "%s",
                        message);
}

qk_status http_ask_json(const char *at, const char *method, const char *path, json_t **out_json,
                        struct qk_error *error)
{
    char       *answer = NULL;
    const char *body;
    json_t     *json = NULL;
    int         code = 0;
    qk_status   status = exchange(at, method, path, &answer, error);

    if (status != QK_OK)
        return status;
    body = strstr(answer, "\r\n\r\n");
    if (body != NULL && sscanf(answer, "HTTP/1.%*1[01] %3d", &code) == 1)
        json = json_loads(body + 4, 0, NULL);
    if (json == NULL || code < 200 || code > 299) {
        status = take_error(at, json, error);
        json_decref(json);
    } else {
        *out_json = json;
    }
    qk__free(answer);
    return status;
}
