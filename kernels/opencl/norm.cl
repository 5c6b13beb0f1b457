/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm: MEAN 0 or 1. A work-item normalises one row of `inner` elements: those of a layer or of an
 * instance's channel. Scale and bias of element i of row r lie at r % channels * scale_row + i *
 * scale_element.
 */
__kernel void NAME(__global const float *in, ulong in_at, __global const float *scale,
                   ulong scale_at, __global const float *bias, ulong bias_at, int has_bias,
                   __global float *out, ulong out_at, long rows, long inner, long channels,
                   int scale_row, int scale_element, float epsilon)
{
    const long row = get_global_id(0);
    float      mean = 0.0f, square = 0.0f;

    if (row >= rows)
        return;
    in += in_at + row * inner;
    out += out_at + row * inner;
    for (long i = 0; MEAN && i < inner; i++)
        mean += in[i];
    mean /= (float)inner;
    for (long i = 0; i < inner; i++)
        square += (in[i] - mean) * (in[i] - mean);

    const float by = 1.0f / sqrt(square / (float)inner + epsilon);
    for (long i = 0; i < inner; i++) {
        const long at = row % channels * scale_row + i * scale_element;

        out[i] =
            (in[i] - mean) * by * scale[scale_at + at] + (has_bias ? bias[bias_at + at] : 0.0f);
    }
}
