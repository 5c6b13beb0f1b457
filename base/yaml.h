/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml.h - a YAML document as a tree that remembers where each value stood.
 *
 * A reader asks for the keys that it knows, with their types and ranges; afterwards
 * qk__yaml_check_unknown() names the first key that nobody asked for, so a misspelt option is an
 * error and not a silent default. Aliases, tags and multiple documents are refused; nesting and
 * size are limited. Errors read "quark.yaml:12:5: devices.opencl: not a yes or no: 'maybe'".
 */
#ifndef QUARK_BASE_YAML_H
#define QUARK_BASE_YAML_H

#include "quark/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct qk__yaml qk__yaml;              /* the document; owns every node */
typedef struct qk__yaml_node qk__yaml_node;    /* valid until qk__yaml_destroy() */

/*
 * Parses `size` bytes; `name` (copied) stands in errors. QK_INVALID_ARGUMENT with place
 * and reason, QK_NO_MEMORY.
 */
qk_status qk__yaml_parse(const char *name, const char *bytes, size_t size, qk__yaml **out_document,
                         struct qk_error *error);
qk_status qk__yaml_read(const char *path, qk__yaml **out_document, struct qk_error *error);
void      qk__yaml_destroy(qk__yaml *document);

/* The root; an empty document is an empty map. */
qk__yaml_node *qk__yaml_root(qk__yaml *document);

/*
 * Sets a value by a dotted path ("samples.vision.once", "true"), making maps on the way: for --set.
 */
qk_status qk__yaml_set(qk__yaml *document, const char *path, const char *value,
                       struct qk_error *error);

/* A child map or list by key; NULL when absent. Another kind of node there is an error. */
qk_status qk__yaml_map(qk__yaml_node *map, const char *key, qk__yaml_node **out_child,
                       struct qk_error *error);
qk_status qk__yaml_list(qk__yaml_node *map, const char *key, qk__yaml_node **out_child,
                        struct qk_error *error);

/* Scalars of a map: on a missing key the result keeps its value, which is thus the default. */
qk_status qk__yaml_string(qk__yaml_node *map, const char *key, const char **inout,
                          struct qk_error *error);
qk_status qk__yaml_bool(qk__yaml_node *map, const char *key, bool *inout, struct qk_error *error);
qk_status qk__yaml_uint(qk__yaml_node *map, const char *key, uint64_t min, uint64_t max,
                        uint64_t *inout, struct qk_error *error);
qk_status qk__yaml_double(qk__yaml_node *map, const char *key, double min, double max,
                          double *inout, struct qk_error *error);
/* "200ms", "1.5s", "10us", "15min", "1h" into nanoseconds; "64KiB", "1GiB", "4096" into bytes. */
qk_status qk__yaml_duration_ns(qk__yaml_node *map, const char *key, uint64_t *inout,
                               struct qk_error *error);
qk_status qk__yaml_bytes(qk__yaml_node *map, const char *key, uint64_t *inout,
                         struct qk_error *error);

/*
 * Children: items of a list, or values of a map with their keys (then marked as
 * asked for). NULL at the end.
 */
size_t         qk__yaml_count(const qk__yaml_node *node);
qk__yaml_node *qk__yaml_item(qk__yaml_node *list, size_t index);
qk__yaml_node *qk__yaml_entry(qk__yaml_node *map, size_t index, const char **out_key);
/* The text of a scalar node; an error naming the place when it is not one. */
qk_status qk__yaml_scalar(qk__yaml_node *node, const char **out_text, struct qk_error *error);

/*
 * "file:line:column: path" of a node into `out`, for errors of the caller's own; "--set: path" of
 * one that qk__yaml_set() made.
 */
void qk__yaml_place(const qk__yaml_node *node, char *out, size_t size);

/* QK_INVALID_ARGUMENT naming the first key below `node` that no reader asked for. */
qk_status qk__yaml_check_unknown(qk__yaml_node *node, struct qk_error *error);

#endif
