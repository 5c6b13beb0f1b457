/* SPDX-License-Identifier: Apache-2.0 */
/* half.h - float16 and bfloat16 as bits; to float exactly, from float rounded to nearest even. */
#ifndef QUARK_KERNELS_GRAPH_HALF_H
#define QUARK_KERNELS_GRAPH_HALF_H

#include <stdint.h>

float    qk__half_to_float(uint16_t bits);
uint16_t qk__half_from_float(float value);
float    qk__bfloat_to_float(uint16_t bits);
uint16_t qk__bfloat_from_float(float value);

#endif
