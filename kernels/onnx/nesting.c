/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nesting.c - see nesting.h.
 *
 * Only messages on the way to something that nests are entered; the rest (tensors above all) are
 * stepped over whole. The open messages are a small stack of (kind, end).
 */
#include "kernels/onnx/nesting.h"

#include <inttypes.h>
#include <stdbool.h>

enum kind {
    PLAIN,    /* holds nothing that nests: stepped over */
    MODEL,
    TRAINING,
    FUNCTION,
    GRAPH,
    NODE,
    ATTRIBUTE,
    VALUE_INFO,
    TYPE,
    TYPE_HOLDER_1,    /* a sequence or an optional: the type is field 1 */
    TYPE_HOLDER_2,    /* a map: field 2 */
};

/* Fields of onnx.proto that hold messages which may hold messages. */
static const struct {
    enum kind in;
    uint32_t  field;
    enum kind holds;
} nests[] = {
    {MODEL, 7, GRAPH},           {MODEL, 20, TRAINING},       {MODEL, 25, FUNCTION},
    {TRAINING, 1, GRAPH},        {TRAINING, 2, GRAPH},        {FUNCTION, 7, NODE},
    {FUNCTION, 11, ATTRIBUTE},   {FUNCTION, 12, VALUE_INFO},  {GRAPH, 1, NODE},
    {GRAPH, 11, VALUE_INFO},     {GRAPH, 12, VALUE_INFO},     {GRAPH, 13, VALUE_INFO},
    {NODE, 5, ATTRIBUTE},        {ATTRIBUTE, 6, GRAPH},       {ATTRIBUTE, 11, GRAPH},
    {ATTRIBUTE, 14, TYPE},       {ATTRIBUTE, 15, TYPE},       {VALUE_INFO, 2, TYPE},
    {TYPE, 4, TYPE_HOLDER_1},    {TYPE, 9, TYPE_HOLDER_1},    {TYPE, 5, TYPE_HOLDER_2},
    {TYPE_HOLDER_1, 1, TYPE},    {TYPE_HOLDER_2, 2, TYPE},
};

static enum kind kind_of(enum kind in, uint64_t field)
{
    for (size_t i = 0; i < sizeof nests / sizeof nests[0]; i++) {
        if (nests[i].in == in && nests[i].field == field)
            return nests[i].holds;
    }
    return PLAIN;
}

struct walk {
    const uint8_t *bytes;
    size_t         at;
    struct {
        enum kind kind;
        size_t    end;
    } open[QK__ONNX_MAX_NESTING];
    size_t   depth;
    uint64_t nodes;
};

/* A number of up to ten bytes that ends before `end`. */
static bool take_varint(struct walk *walk, size_t end, uint64_t *out_number)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 70 && walk->at < end; shift += 7) {
        const uint8_t byte = walk->bytes[walk->at++];

        number |= shift < 64 ? (uint64_t)(byte & 0x7Fu) << shift : 0;
        if ((byte & 0x80u) == 0) {
            *out_number = number;
            return true;
        }
    }
    return false;
}

static bool skip(struct walk *walk, size_t end, uint64_t size)
{
    if (size > end - walk->at)
        return false;
    walk->at += (size_t)size;
    return true;
}

static qk_status cut_off(const struct walk *walk, struct qk_error *error)
{
    return qk_error_set(error, QK_INVALID_ARGUMENT, "not an ONNX model, or cut off, at byte %zu",
                        walk->at);
}

static qk_status enter(struct walk *walk, enum kind kind, size_t end, uint64_t max_nodes,
                       struct qk_error *error)
{
    if (walk->depth == QK__ONNX_MAX_NESTING)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "nested more than %d deep at byte %zu",
                            QK__ONNX_MAX_NESTING, walk->at);
    if (kind == NODE && ++walk->nodes > max_nodes)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "more than %" PRIu64 " nodes", max_nodes);
    walk->open[walk->depth].kind = kind;
    walk->open[walk->depth++].end = end;
    return QK_OK;
}

/* One field of the innermost open message. */
static qk_status take_field(struct walk *walk, uint64_t max_nodes, struct qk_error *error)
{
    const enum kind in = walk->open[walk->depth - 1].kind;
    const size_t    end = walk->open[walk->depth - 1].end;
    uint64_t        key, size;
    enum kind       kind;

    if (!take_varint(walk, end, &key))
        return cut_off(walk, error);
    switch (key & 7) {
    case 0:
        return take_varint(walk, end, &size) ? QK_OK : cut_off(walk, error);
    case 1:
        return skip(walk, end, 8) ? QK_OK : cut_off(walk, error);
    case 5:
        return skip(walk, end, 4) ? QK_OK : cut_off(walk, error);
    case 2:
        if (!take_varint(walk, end, &size) || size > end - walk->at)
            return cut_off(walk, error);
        kind = kind_of(in, key >> 3);
        if (kind != PLAIN)
            return enter(walk, kind, walk->at + (size_t)size, max_nodes, error);
        return skip(walk, end, size) ? QK_OK : cut_off(walk, error);
    default:
        return cut_off(walk, error);
    }
}

qk_status qk__onnx_check_nesting(const uint8_t *bytes, size_t size, uint64_t max_nodes,
                                 struct qk_error *error)
{
    struct walk walk = {.bytes = bytes, .depth = 1, .open = {{MODEL, size}}};

    while (walk.depth > 0) {
        qk_status status;

        if (walk.at == walk.open[walk.depth - 1].end) {
            walk.depth--;
            continue;
        }
        status = take_field(&walk, max_nodes, error);
        if (status != QK_OK)
            return status;
    }
    return QK_OK;
}
