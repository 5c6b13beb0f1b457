/* SPDX-License-Identifier: Apache-2.0 */
/* pad: OUTSIDE(i, size), the place inside that stands for one outside; below 0: the value. Axis 0
 * is innermost. */
struct NAME {
    int  in[8], out[8], before[8];
    int  rank, filler;
    long count;
};

__kernel void NAME(__global const T *in, ulong in_at, __global T *out, ulong out_at, struct NAME p,
                   T value)
{
    const long flat = flat_here();
    long       rest = flat, from = 0, stride = 1;

    if (flat >= p.count)
        return;
    for (int d = 0; d < p.rank; d++) {
        const int size = p.in[d];
        int       i = (int)(rest % p.out[d]) - p.before[d];

        rest /= p.out[d];
        if (i < 0 || i >= size)
            i = OUTSIDE(i, size);
        from = i < 0 || from < 0 ? -1 : from + i * stride;
        stride *= size;
    }
    out[out_at + flat] = from < 0 ? value : in[in_at + from];
}
