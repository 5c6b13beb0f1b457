/* SPDX-License-Identifier: Apache-2.0 */
/* gather_elements: INDEX; walks the input without the axis (a) */
__kernel void NAME(__global const T *in, ulong in_at, __global const INDEX *indices,
                   ulong indices_at, __global T *out, ulong out_at, struct walk walk, long length,
                   long stride)
{
    struct place at;

    if (walk_here(&walk, &at)) {
        long index = indices[indices_at + at.out];

        index = clamp(index < 0 ? index + length : index, 0L, length - 1);
        out[out_at + at.out] = in[in_at + at.a + index * stride];
    }
}
