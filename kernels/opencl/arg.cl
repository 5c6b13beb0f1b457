/* SPDX-License-Identifier: Apache-2.0 */
/* arg: BETTER(x, best); the place of the best along an axis */
__kernel void NAME(__global const T *in, ulong in_at, __global long *out, ulong out_at, long rows,
                   int length, long inner)
{
    const long row = get_global_id(0);
    long       place = 0;

    if (row >= rows)
        return;
    in += in_at + row / inner * inner * length + row % inner;

    T best = in[0];
    for (int i = 1; i < length; i++) {
        const T x = in[i * inner];

        if (BETTER(x, best)) {
            best = x;
            place = i;
        }
    }
    out[out_at + row] = place;
}
