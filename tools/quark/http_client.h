/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client.h - asks a running host, for commands that talk to one: one request, one answer of
 * JSON. Blocks, at most HTTP_TIMEOUT_S at a time.
 */
#ifndef QUARK_TOOLS_HTTP_CLIENT_H
#define QUARK_TOOLS_HTTP_CLIENT_H

#include "quark/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define HTTP_AT_DEFAULT "127.0.0.1:8080"
#define HTTP_TIMEOUT_S  10

/*
 * `at` is ADDRESS:PORT, `path` is encoded. The answer, the caller's to json_decref(), when it is a
 * good one. Else the host's own error with its status and words, or QK_INVALID_ARGUMENT for `at`,
 * QK_UNAVAILABLE when nobody answers there, QK_DATA_LOSS when what answers is no host.
 */
qk_status http_ask_json(const char *at, const char *method, const char *path, json_t **out_json,
                        struct qk_error *error);

/* "?NAME=VALUE" or "&NAME=VALUE" behind a path of `size` bytes; false: it does not fit. */
bool http_add_argument(char *path, size_t size, const char *name, const char *value);

#endif
