/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reduce: A (type of the sum), FIRST, ADD(sum, x), END(sum, n). A work-item for each output; the
 * kept axes are walked (a), the reduced ones counted, innermost first.
 */
struct NAME {
    int  dims[8];
    long strides[8];
    int  rank, filler;
    long count;
};

__kernel void NAME(__global const T *in, ulong in_at, __global T *out, ulong out_at,
                   struct walk walk, struct NAME r)
{
    struct place at;
    A            sum = FIRST;

    if (!walk_here(&walk, &at))
        return;
    for (long i = 0; i < r.count; i += r.dims[0]) {
        long rest = i / r.dims[0], from = in_at + at.a;

        for (int d = 1; d < r.rank; d++) {
            from += rest % r.dims[d] * r.strides[d];
            rest /= r.dims[d];
        }
        for (int j = 0; j < r.dims[0]; j++)
            sum = ADD(sum, (A)in[from + j * r.strides[0]]);
    }
    out[out_at + at.out] = (T)(END(sum, r.count));
}
