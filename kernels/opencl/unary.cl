/* SPDX-License-Identifier: Apache-2.0 */
/* unary: R, EXPR(x); alpha and beta of type S */
__kernel void NAME(__global const T *in, ulong in_at, __global R *out, ulong out_at, long count,
                   S alpha, S beta)
{
    const long i = flat_here();

    if (i < count) {
        const T x = in[in_at + i];
        out[out_at + i] = EXPR(x);
    }
}
