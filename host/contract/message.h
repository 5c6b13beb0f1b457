/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h - protobuf-c's message structs, and their packed bytes; unpacking is in host.h. Thread
 * of all: any, on one message one at a time. Never block.
 */
#ifndef QUARK_HOST_CONTRACT_MESSAGE_H
#define QUARK_HOST_CONTRACT_MESSAGE_H

#include "host/host.h"

#include <protobuf-c/protobuf-c.h>

/* Packed bytes; small messages take no memory. */
struct qk__packed {
    size_t   size_bytes;
    uint8_t *bytes;
    uint8_t  small[256];
};

/* QK_NO_MEMORY. On success the bytes are to be freed; `packed` stays where it is until then. */
qk_status qk__message_pack(const ProtobufCMessage *message, struct qk__packed *packed);
void      qk__packed_fini(struct qk__packed *packed);

/*
 * Whether a struct is a message of that type: QK_INVALID_ARGUMENT with a sentence. A program and
 * its modules may each have the type's descriptor, as long as they are of the same .proto.
 */
qk_status qk__message_check_type(const ProtobufCMessage           *message,
                                 const ProtobufCMessageDescriptor *descriptor,
                                 struct qk_error                  *error);

#endif
