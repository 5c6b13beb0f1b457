/* SPDX-License-Identifier: Apache-2.0 */
/* http_get.h - one HTTP request over loopback, for tests of what a host answers. */
#ifndef QUARK_TESTS_HTTP_GET_H
#define QUARK_TESTS_HTTP_GET_H

#include <stdint.h>

struct http_answer {
    int  code;                /* 0: no answer at all */
    char head[2048];          /* status line and headers */
    char body[256 * 1024];
};

/*
 * `request` is the request line without the version, such as "GET /health"; `payload` may be NULL.
 */
void http_ask(uint16_t port, const char *request, const char *payload,
              struct http_answer *out_answer);

#endif
