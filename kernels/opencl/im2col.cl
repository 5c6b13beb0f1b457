/* SPDX-License-Identifier: Apache-2.0 */
/*
 * im2col: the pixels that each output sees, as a matrix [in_c * taps, out_h * out_w], for one
 * picture and group. x: tile of eight output columns; y: output row; z: row of the matrix
 */
__kernel void NAME(__global const float *in, ulong in_at, __global float *out, ulong out_at,
                   struct conv p)
{
    const int out_x = (int)get_global_id(0) * 8, out_y = (int)get_global_id(1),
              row = (int)get_global_id(2);
    const int taps = p.kernel_h * p.kernel_w;

    if (out_x >= p.out_w || out_y >= p.out_h)
        return;

    const int             y = out_y * p.stride_h + row % taps / p.kernel_w * p.dilation_h - p.pad_h;
    const int             x = out_x * p.stride_w + row % p.kernel_w * p.dilation_w - p.pad_w;
    __global const float *plane = in + in_at + (ulong)(row / taps) * p.in_h * p.in_w;
    float8                pixels = 0.0f;

    if (y >= 0 && y < p.in_h)
        pixels = load_row(plane + y * p.in_w, x, p.stride_w, p.in_w);
    store8(pixels, out + out_at + ((ulong)row * p.out_h + out_y) * p.out_w + out_x,
           p.out_w - out_x);
}
