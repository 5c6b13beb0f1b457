/* SPDX-License-Identifier: Apache-2.0 */
/* where: walks condition, x and y */
__kernel void NAME(__global const uchar *condition, ulong condition_at, __global const T *x,
                   ulong x_at, __global const T *y, ulong y_at, __global T *out, ulong out_at,
                   struct walk walk)
{
    struct place at;

    if (walk_here(&walk, &at))
        out[out_at + at.out] = condition[condition_at + at.a] ? x[x_at + at.b] : y[y_at + at.c];
}
