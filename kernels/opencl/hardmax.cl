/* SPDX-License-Identifier: Apache-2.0 */
/* hardmax: 1 at the first of the largest, 0 elsewhere */
__kernel void NAME(__global const float *in, ulong in_at, __global float *out, ulong out_at,
                   long rows, int length, long inner)
{
    const long row = get_global_id(0);

    if (row >= rows)
        return;

    const long start = row / inner * inner * length + row % inner;
    int        best = 0;

    in += in_at + start;
    out += out_at + start;
    for (int i = 1; i < length; i++) {
        if (in[i * inner] > in[best * inner])
            best = i;
    }
    for (int i = 0; i < length; i++)
        out[i * inner] = i == best ? 1.0f : 0.0f;
}
