/* SPDX-License-Identifier: Apache-2.0 */
/* gather_nd: INDEX; slices of `inner` elements at places of `width` coordinates, held inside as in
 * gather.cl */
struct NAME {
    long count, inner, tuples, batch_stride;
    long dims[8], strides[8];
    int  width, filler;
};

__kernel void NAME(__global const T *in, ulong in_at, __global const INDEX *indices,
                   ulong indices_at, __global T *out, ulong out_at, struct NAME p)
{
    const long flat = flat_here();

    if (flat >= p.count)
        return;

    const long tuple = flat / p.inner;
    long       from = tuple / p.tuples * p.batch_stride + flat % p.inner;

    for (int d = 0; d < p.width; d++) {
        const long index = indices[indices_at + tuple * p.width + d];

        from += clamp(index < 0 ? index + p.dims[d] : index, 0L, p.dims[d] - 1) * p.strides[d];
    }
    out[out_at + flat] = in[in_at + from];
}
