/* SPDX-License-Identifier: Apache-2.0 */
/* lrn: across channels, [n, channels, inner] */
__kernel void NAME(__global const float *in, ulong in_at, __global float *out, ulong out_at,
                   long count, long inner, int channels, int size, float alpha, float beta,
                   float bias)
{
    const long i = flat_here();
    float      sum = 0.0f;

    if (i >= count)
        return;

    const int c = (int)(i / inner % channels);
    const int first = max(0, c - (size - 1) / 2), last = min(channels - 1, c + size / 2);

    for (int k = first; k <= last; k++) {
        const float x = in[in_at + i + (k - c) * inner];

        sum += x * x;
    }
    out[out_at + i] = in[in_at + i] / pow(bias + alpha / size * sum, beta);
}
