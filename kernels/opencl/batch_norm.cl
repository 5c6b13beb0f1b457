/* SPDX-License-Identifier: Apache-2.0 */
/* batch_norm: by channel, from running mean and variance */
__kernel void NAME(__global const float *in, ulong in_at, __global const float *scale,
                   ulong scale_at, __global const float *bias, ulong bias_at,
                   __global const float *mean, ulong mean_at, __global const float *variance,
                   ulong variance_at, __global float *out, ulong out_at, long count, long inner,
                   int channels, float epsilon)
{
    const long i = flat_here();

    if (i >= count)
        return;

    const int   c = (int)(i / inner % channels);
    const float by = scale[scale_at + c] / sqrt(variance[variance_at + c] + epsilon);

    out[out_at + i] = (in[in_at + i] - mean[mean_at + c]) * by + bias[bias_at + c];
}
