/* SPDX-License-Identifier: Apache-2.0 */
/* softmax: END(x, largest, sum), over `length` elements that are `inner` apart; a work-item for
 * each such row */
__kernel void NAME(__global const float *in, ulong in_at, __global float *out, ulong out_at,
                   long rows, int length, long inner)
{
    const long row = get_global_id(0);

    if (row >= rows)
        return;

    const long start = row / inner * inner * length + row % inner;
    float      largest = -INFINITY, sum = 0.0f;

    in += in_at + start;
    out += out_at + start;
    for (int i = 0; i < length; i++)
        largest = fmax(largest, in[i * inner]);
    for (int i = 0; i < length; i++)
        sum += exp(in[i * inner] - largest);
    for (int i = 0; i < length; i++)
        out[i * inner] = END(in[i * inner], largest, sum);
}
