/* SPDX-License-Identifier: Apache-2.0 */
/* unary.h - a function of one number over many; also the activations that ride on other operators.
 */
#ifndef QUARK_KERNELS_CPU_UNARY_H
#define QUARK_KERNELS_CPU_UNARY_H

#include "kernels/graph/params.h"

/* `out` may be `in`. The kinds from NOT on are not numbers to numbers and not for here. */
void qk__unary_f32(const struct qk__unary_params *params, const float *in, float *out,
                   int64_t count);

#endif
