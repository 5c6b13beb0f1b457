/* SPDX-License-Identifier: Apache-2.0 */
/* copy: walks from (a) and to (b) */
__kernel void NAME(__global const T *in, ulong in_at, __global T *out, ulong out_at,
                   struct walk walk)
{
    struct place at;

    if (walk_here(&walk, &at))
        out[out_at + at.b] = in[in_at + at.a];
}
