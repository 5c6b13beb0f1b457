/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.c - see message.h.
 *
 * protobuf-c unpacks a message in a message by recursion, on a stack of 64 KiB when it is a turn's,
 * and says of bytes that it refuses only that it does. So the bytes are walked first: that bounds
 * the depth, and finds the place where they are wrong.
 */
#include "host/contract/message.h"

#include "base/memory.h"

#include <inttypes.h>

/* ---- Clearing ---- */

/* protobuf-c frees a message with the struct itself; this spares the one in the caller's memory. */
static void free_but(void *spared, void *memory)
{
    if (memory != spared)
        free(memory);
}

void qk_message_clear(struct ProtobufCMessage *message)
{
    ProtobufCAllocator                allocator = {NULL, free_but, message};
    const ProtobufCMessageDescriptor *descriptor = message != NULL ? message->descriptor : NULL;

    if (descriptor == NULL)
        return;
    protobuf_c_message_free_unpacked(message, &allocator);
    protobuf_c_message_init(descriptor, message);
}

void qk__message_free(ProtobufCMessage *message)
{
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
}

/* ---- Packing ---- */

qk_status qk__message_pack(const ProtobufCMessage *message, struct qk__packed *packed)
{
    const size_t size = protobuf_c_message_get_packed_size(message);

    packed->bytes = size <= sizeof packed->small ? packed->small : qk__alloc(size);
    if (packed->bytes == NULL)
        return QK_NO_MEMORY;
    packed->size_bytes = protobuf_c_message_pack(message, packed->bytes);
    return QK_OK;
}

void qk__packed_fini(struct qk__packed *packed)
{
    if (packed->bytes != packed->small)
        qk__free(packed->bytes);
}

/* ---- Unpacking ---- */

/* Messages that the walk is in, the innermost last. */
struct walk {
    const uint8_t *bytes;
    size_t         at;
    struct {
        const ProtobufCMessageDescriptor *descriptor;
        size_t                            end;
    } open[QK_MESSAGE_DEPTH_MAX];
    size_t depth;
};

static bool take_varint(struct walk *walk, size_t end, uint64_t *out_number)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 70 && walk->at < end; shift += 7) {
        const uint8_t byte = walk->bytes[walk->at++];

        number |= shift < 64 ? (uint64_t)(byte & 0x7fu) << shift : 0;
        if (byte < 0x80) {
            *out_number = number;
            return true;
        }
    }
    return false;
}

static qk_status refuse(const struct walk *walk, size_t at, const char *why, struct qk_error *error)
{
    return qk_error_set(error, QK_INVALID_ARGUMENT, "no %s: %s at byte %zu",
                        walk->open[0].descriptor->name, why, at);
}

/* The type of a field that holds a message, NULL for all others. */
static const ProtobufCMessageDescriptor *message_in(const ProtobufCMessageDescriptor *descriptor,
                                                    uint64_t                          number)
{
    const ProtobufCFieldDescriptor *field =
        number <= UINT32_MAX
            ? protobuf_c_message_descriptor_get_field(descriptor, (unsigned)number)
            : NULL;

    return field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
}

static qk_status step_over(struct walk *walk, size_t at, size_t end, uint64_t size,
                           struct qk_error *error)
{
    if (size > end - walk->at)
        return refuse(walk, at, "a field is cut off", error);
    walk->at += (size_t)size;
    return QK_OK;
}

static qk_status take_bytes(struct walk *walk, size_t at, uint64_t number, struct qk_error *error)
{
    const ProtobufCMessageDescriptor *inner =
        message_in(walk->open[walk->depth - 1].descriptor, number);
    const size_t end = walk->open[walk->depth - 1].end;
    uint64_t     size;

    if (!take_varint(walk, end, &size) || size > end - walk->at)
        return refuse(walk, at, "a field is cut off", error);
    if (inner == NULL)
        return step_over(walk, at, end, size, error);
    if (walk->depth == QK_MESSAGE_DEPTH_MAX)
        return refuse(walk, at, "messages are nested too deeply", error);
    walk->open[walk->depth].descriptor = inner;
    walk->open[walk->depth++].end = walk->at + (size_t)size;
    return QK_OK;
}

/* One field of the innermost message. */
static qk_status take_field(struct walk *walk, struct qk_error *error)
{
    const size_t end = walk->open[walk->depth - 1].end;
    const size_t at = walk->at;
    uint64_t     tag, number;

    if (!take_varint(walk, end, &tag))
        return refuse(walk, at, "a tag is cut off", error);
    if (tag >> 3 == 0)
        return refuse(walk, at, "there is no field 0", error);
    switch (tag & 7) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return take_varint(walk, end, &number) ? QK_OK
                                               : refuse(walk, at, "a number is cut off", error);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return step_over(walk, at, end, 8, error);
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        return take_bytes(walk, at, tag >> 3, error);
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return step_over(walk, at, end, 4, error);
    default:
        return refuse(walk, at, "a wire type that is none", error);
    }
}

static qk_status check_bytes(const ProtobufCMessageDescriptor *descriptor, const void *bytes,
                             size_t size_bytes, struct qk_error *error)
{
    struct walk walk = {.bytes = bytes, .depth = 1};
    qk_status   status = QK_OK;

    walk.open[0].descriptor = descriptor;
    walk.open[0].end = size_bytes;
    while (walk.depth > 0 && status == QK_OK) {
        if (walk.at == walk.open[walk.depth - 1].end)
            walk.depth--;
        else
            status = take_field(&walk, error);
    }
    return status;
}

/* Tells no memory from bytes that are refused. */
static void *allocate(void *lacks_memory, size_t size)
{
    void *memory = qk__alloc(size);

    if (memory == NULL)
        *(bool *)lacks_memory = true;
    return memory;
}

static void deallocate(void *lacks_memory, void *memory)
{
    (void)lacks_memory;
    qk__free(memory);
}

qk_status qk__message_unpack(const ProtobufCMessageDescriptor *descriptor, const void *bytes,
                             size_t size_bytes, ProtobufCMessage **out_message,
                             struct qk_error *error)
{
    bool               lacks_memory = false;
    ProtobufCAllocator allocator = {allocate, deallocate, &lacks_memory};
    ProtobufCMessage  *message;
    qk_status          status = check_bytes(descriptor, bytes, size_bytes, error);

    if (status != QK_OK)
        return status;
    message = protobuf_c_message_unpack(descriptor, &allocator, size_bytes, bytes);
    if (message == NULL && lacks_memory)
        return qk_error_set(error, QK_NO_MEMORY, "out of memory for a %s of %zu bytes",
                            descriptor->name, size_bytes);
    if (message == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "no %s: a required field is missing, or one of another type is there",
                            descriptor->name);
    *out_message = message;
    return QK_OK;
}

/* ---- Types ---- */

qk_status qk__message_check_type(const ProtobufCMessage           *message,
                                 const ProtobufCMessageDescriptor *descriptor,
                                 struct qk_error                  *error)
{
    const ProtobufCMessageDescriptor *given = message->descriptor;

    if (given == descriptor)
        return QK_OK;
    if (given == NULL || given->magic != PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "a %s that was not initialised",
                            descriptor->name);
    if (strcmp(given->name, descriptor->name) != 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "a %s is needed, not a %s",
                            descriptor->name, given->name);
    if (given->sizeof_message != descriptor->sizeof_message ||
        given->n_fields != descriptor->n_fields)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "a %s of another version of its .proto",
                            descriptor->name);
    return QK_OK;
}
