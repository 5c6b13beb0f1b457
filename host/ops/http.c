/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.c - HTTP/1.1 by libmicrohttpd: listens, answers GET and HEAD, and what dead_letters.c takes;
 * refuses the rest. See ops.h.
 *
 * We bind the socket ourselves, because only then is there a reason to tell when it can't be had.
 */
#include "host/ops/ops.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS 64u
#define IDLE_TIMEOUT_S 15u    /* a client that stalls gives its place back */
#define LISTEN_BACKLOG 64
#define DEFAULT_ADDRESS "127.0.0.1"

static void reply_wrong_method(struct qk__ops_reply *reply)
{
    qk__ops_reply_error(reply, MHD_HTTP_METHOD_NOT_ALLOWED, QK_UNIMPLEMENTED,
                        "only GET and HEAD are answered here");
}

static void add_headers(struct MHD_Response *response, const struct qk__ops_reply *reply)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    /* The page brings all that it needs; nothing of it may come from, or go to, anywhere else. */
    MHD_add_response_header(
        response, "Content-Security-Policy",
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'");
    if (reply->code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                reply->allowed != NULL ? reply->allowed : "GET, HEAD");
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct qk__ops_reply *reply)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        reply->size, reply->bytes,
        reply->is_static ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
    enum MHD_Result result;

    if (response == NULL) {
        if (!reply->is_static)
            qk__free(reply->bytes);
        return MHD_NO;
    }
    add_headers(response, reply);
    result = MHD_queue_response(connection, reply->code, response);
    MHD_destroy_response(response);
    return result;
}

static const char *argument(const struct qk__ops_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* Called once with the headers, then for each piece of a body, then once to be answered. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_size, void **request)
{
    static int                   seen;
    struct qk__ops_reply         reply;
    const struct qk__ops_request asked = {
        .method = method,
        .path = path,
        .is_from_browser = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                       MHD_HTTP_HEADER_ORIGIN) != NULL,
        .argument = argument,
        .connection = connection,
    };

    (void)version;
    (void)body;
    if (*request == NULL) {
        *request = &seen;
        return MHD_YES;
    }
    if (*body_size > 0) {    /* nobody here wants one */
        *body_size = 0;
        return MHD_YES;
    }
    if (qk__ops_dead_letters(arg, &asked, &reply))
        return send_reply(connection, &reply);
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
        qk__ops_route(arg, path, &reply);
    else
        reply_wrong_method(&reply);
    return send_reply(connection, &reply);
}

/* A client's broken request is no concern of the host's log. */
static void say_nothing(void *arg, const char *format, va_list args)
{
    (void)arg;
    (void)format;
    (void)args;
}

/* ---- Life ---- */

static qk_status ensure(qk_host *host, struct qk__ops **out_ops)
{
    struct qk__ops **slot = qk__host_ops_slot(host);

    if (*slot == NULL) {
        *slot = qk__alloc_zero(sizeof **slot);
        if (*slot == NULL)
            return QK_NO_MEMORY;
        (*slot)->host = host;
    }
    *out_ops = *slot;
    return QK_OK;
}

qk_status qk__ops_add_section(qk_host *host, const char *name, json_t *(*describe)(void *arg),
                              void (*metrics)(void *arg, struct qk__text *out), void *arg)
{
    struct qk__ops *ops;
    qk_status       status = ensure(host, &ops);

    if (status != QK_OK)
        return status;
    if (ops->daemon != NULL)
        return QK_FAILED_PRECONDITION;
    if (ops->section_count == QK__OPS_MAX_SECTIONS)
        return QK_RESOURCE_EXHAUSTED;
    ops->sections[ops->section_count++] = (struct qk__ops_section){
        .name = name, .describe = describe, .metrics = metrics, .arg = arg};
    return QK_OK;
}

static qk_status refuse_address(const struct qk__ops *ops, int system_errno, struct qk_error *error)
{
    return qk_error_set(error, QK_UNAVAILABLE, "http: %s:%u: %s", ops->address, (unsigned)ops->port,
                        strerror(system_errno));
}

static qk_status bind_socket(struct qk__ops *ops, const struct addrinfo *at, int *out_socket,
                             struct qk_error *error)
{
    const int on = 1;
    const int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int       failed;

    if (fd < 0)
        return refuse_address(ops, errno, error);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
               sizeof on);    /* a restart need not wait for old connections */
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        failed = errno;
        close(fd);
        return refuse_address(ops, failed, error);
    }
    *out_socket = fd;
    return QK_OK;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage bound = {0};
    socklen_t               length = sizeof bound;

    getsockname(fd, (struct sockaddr *)&bound, &length);
    if (bound.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)&bound)->sin6_port);
    return ntohs(((const struct sockaddr_in *)(const void *)&bound)->sin_port);
}

static qk_status listen_at(struct qk__ops *ops, int *out_socket, struct qk_error *error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo      *found = NULL;
    char                  port[8];
    qk_status             status;

    snprintf(port, sizeof port, "%u", (unsigned)ops->port);
    if (getaddrinfo(ops->address, port, &hints, &found) != 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "http: '%s' is not an IP address",
                            ops->address);
    status = bind_socket(ops, found, out_socket, error);
    freeaddrinfo(found);
    return status;
}

qk_status qk__ops_start(qk_host *host, const struct qk__ops_opts *opts, struct qk_error *error)
{
    struct qk__ops *ops;
    int             fd = -1;
    qk_status       status = ensure(host, &ops);

    if (status != QK_OK)
        return qk_error_set(error, status, "http: out of memory");
    if (ops->daemon != NULL)
        return qk_error_set(error, QK_FAILED_PRECONDITION, "http: serving already");
    snprintf(ops->address, sizeof ops->address, "%s",
             opts->address != NULL ? opts->address : DEFAULT_ADDRESS);
    ops->port = opts->port;
    status = listen_at(ops, &fd, error);
    if (status != QK_OK)
        return status;

    ops->port = port_of(fd);
    ops->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_USE_ERROR_LOG, ops->port, NULL, NULL,
        on_request, ops, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
        IDLE_TIMEOUT_S, MHD_OPTION_END);
    if (ops->daemon == NULL) {
        close(fd);
        return qk_error_set(error, QK_UNAVAILABLE, "http: %s:%u: the server does not start",
                            ops->address, (unsigned)ops->port);
    }
    return QK_OK;
}

uint16_t qk__ops_port(const qk_host *host)
{
    /* The slot is the host's to change; reading it changes nothing. */
    const struct qk__ops *ops = *qk__host_ops_slot((qk_host *)(uintptr_t)host);

    return ops != NULL && ops->daemon != NULL ? ops->port : 0;
}

void qk__ops_stop(qk_host *host)
{
    struct qk__ops *ops = *qk__host_ops_slot(host);

    if (ops == NULL || ops->daemon == NULL)
        return;
    MHD_stop_daemon(ops->daemon);    /* closes the socket, ends the thread */
    ops->daemon = NULL;
}

void qk__ops_destroy(qk_host *host)
{
    struct qk__ops **slot = qk__host_ops_slot(host);

    qk__ops_stop(host);
    if (*slot != NULL)
        qk__ops_dead_letters_fini(*slot);
    qk__free(*slot);
    *slot = NULL;
}
