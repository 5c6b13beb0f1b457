/* SPDX-License-Identifier: Apache-2.0 */
/* binary: T2 (of the second), R, EXPR(a, b); walks a and b */
__kernel void NAME(__global const T *a, ulong a_at, __global const T2 *b, ulong b_at,
                   __global R *out, ulong out_at, struct walk walk)
{
    struct place at;

    if (walk_here(&walk, &at)) {
        const T  x = a[a_at + at.a];
        const T2 y = b[b_at + at.b];
        out[out_at + at.out] = EXPR(x, y);
    }
}
