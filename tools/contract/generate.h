/* SPDX-License-Identifier: Apache-2.0 */
/* generate.h - the C of a .proto file's services: NAME.quark.h and NAME.quark.c. */
#ifndef QUARK_TOOLS_CONTRACT_GENERATE_H
#define QUARK_TOOLS_CONTRACT_GENERATE_H

#include "base/text.h"

#include "google/protobuf/descriptor.pb-c.h"

typedef Google__Protobuf__FileDescriptorProto    file_t;
typedef Google__Protobuf__ServiceDescriptorProto service_t;
typedef Google__Protobuf__MethodDescriptorProto  method_t;

/* Whether C can be made of it; `error` names the file, service and method. In check.c. */
qk_status check_file(const file_t *file, struct qk_error *error);

/* "vision" of "vision.proto", into `out`. */
void stem_of(const file_t *file, struct qk__text *out);

void generate_header(const file_t *file, struct qk__text *out);
void generate_source(const file_t *file, struct qk__text *out);

#endif
