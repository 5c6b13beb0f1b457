/* SPDX-License-Identifier: Apache-2.0 */
/* log_sum_exp: as reduce, but the largest is taken out before anything is raised */
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
    T            largest = -INFINITY, sum = 0;

    if (!walk_here(&walk, &at))
        return;
    for (int pass = 0; pass < 2; pass++) {
        for (long i = 0; i < r.count; i++) {
            long rest = i, from = in_at + at.a;

            for (int d = 0; d < r.rank; d++) {
                from += rest % r.dims[d] * r.strides[d];
                rest /= r.dims[d];
            }
            if (pass == 0)
                largest = fmax(largest, in[from]);
            else
                sum += exp(in[from] - largest);
        }
    }
    out[out_at + at.out] = isinf(largest) ? largest : log(sum) + largest;
}
