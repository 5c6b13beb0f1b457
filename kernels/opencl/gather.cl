/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather: INDEX, the type of the indices. A host would refuse an index outside of its axis; here it
 * is held inside, so that nothing strange is read.
 */
__kernel void NAME(__global const T *in, ulong in_at, __global const INDEX *indices,
                   ulong indices_at, __global T *out, ulong out_at, long count, long length,
                   long inner, long index_count)
{
    const long flat = flat_here();

    if (flat >= count)
        return;

    const long within = flat % inner, outer = flat / inner / index_count;
    long       index = indices[indices_at + flat / inner % index_count];

    index = clamp(index < 0 ? index + length : index, 0L, length - 1);
    out[out_at + flat] = in[in_at + (outer * length + index) * inner + within];
}
