/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv_depthwise: one input channel for each group. A work-item makes eight neighbours along the
 * width.
 * x: tile of the width; y: output row; z: output channel of all pictures
 */
__kernel void NAME(__global const float *in, ulong in_at, __global const float *weights,
                   ulong weights_at, __global const float *bias, ulong bias_at, __global float *out,
                   ulong out_at, struct conv p, struct activation act)
{
    const int out_x = (int)get_global_id(0) * 8, out_y = (int)get_global_id(1);
    const int channels = p.group * p.out_c;
    const int picture = (int)get_global_id(2) / channels,
              channel = (int)get_global_id(2) % channels;

    if (out_x >= p.out_w || out_y >= p.out_h)
        return;

    const int             first = out_x * p.stride_w - p.pad_w;
    __global const float *plane =
        in + in_at + (ulong)(picture * p.group + channel / p.out_c) * p.in_h * p.in_w;
    __global const float *w = weights + weights_at + channel * p.kernel_h * p.kernel_w;
    float8                sum = p.has_bias ? bias[bias_at + channel] : 0.0f;

    for (int ky = 0; ky < p.kernel_h; ky++) {
        const int y = out_y * p.stride_h + ky * p.dilation_h - p.pad_h;

        if (y < 0 || y >= p.in_h)
            continue;
        for (int kx = 0; kx < p.kernel_w; kx++)
            sum += w[ky * p.kernel_w + kx] *
                   load_row(plane + y * p.in_w, first + kx * p.dilation_w, p.stride_w, p.in_w);
    }
    out += out_at + ((ulong)get_global_id(2) * p.out_h + out_y) * p.out_w + out_x;
    store8(activate8(sum, act), out, p.out_w - out_x);
}
