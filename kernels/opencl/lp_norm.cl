/* SPDX-License-Identifier: Apache-2.0 */
/* lp_norm: by the 1-norm or 2-norm along an axis */
__kernel void NAME(__global const float *in, ulong in_at, __global float *out, ulong out_at,
                   long rows, int length, long inner, int p)
{
    const long row = get_global_id(0);
    float      sum = 0.0f;

    if (row >= rows)
        return;

    const long start = row / inner * inner * length + row % inner;

    in += in_at + start;
    out += out_at + start;
    for (int i = 0; i < length; i++)
        sum += p == 1 ? fabs(in[i * inner]) : in[i * inner] * in[i * inner];
    sum = p == 1 ? sum : sqrt(sum);
    for (int i = 0; i < length; i++)
        out[i * inner] = sum == 0.0f ? 0.0f : in[i * inner] / sum;
}
