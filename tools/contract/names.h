/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - what things of a .proto file are called in C, as protoc-c calls them: the rules are
 * those of protobuf-c 1.4, since generated code has to meet that of protoc-c.
 *
 *     name             type                 function            constant
 *     FaceDetector     -                    face_detector       FACE_DETECTOR
 *     .vision.Frame    Vision__Frame        vision__frame       -
 */
#ifndef QUARK_TOOLS_CONTRACT_NAMES_H
#define QUARK_TOOLS_CONTRACT_NAMES_H

#include <stddef.h>

#define C_NAME_BYTES 256

/* Each writes its name of `name` into `out`; what does not fit is cut. */
void name_of_type(const char *name, char out[C_NAME_BYTES]);
void name_of_function(const char *name, char out[C_NAME_BYTES]);
void name_of_constant(const char *name, char out[C_NAME_BYTES]);

#endif
