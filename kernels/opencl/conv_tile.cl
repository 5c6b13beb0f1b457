/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv_tile: EACH_ROW, ROWS. A work-item keeps ROWS output channels of eight neighbours along the
 * width in registers. A convolution of 1x1 without strides comes with its picture laid out as one
 * long row, so that tiles are full.
 * x: tile of the width; y: tile of output channels, of all groups; z: output row of all pictures
 */
__kernel void NAME(__global const float *in, ulong in_at, __global const float *weights,
                   ulong weights_at, __global const float *bias, ulong bias_at, __global float *out,
                   ulong out_at, struct conv p, struct activation act)
{
    const int out_x = (int)get_global_id(0) * 8;
    const int tiles = (p.out_c + ROWS - 1) / ROWS;
    const int group = (int)get_global_id(1) / tiles;
    const int first = (int)get_global_id(1) % tiles * ROWS;
    const int picture = (int)get_global_id(2) / p.out_h, out_y = (int)get_global_id(2) % p.out_h;

    if (out_x >= p.out_w || group >= p.group)
        return;

    const int             taps = p.in_c * p.kernel_h * p.kernel_w;
    const int             channel = group * p.out_c + first, last = min(ROWS, p.out_c - first) - 1;
    const ulong           plane_size = (ulong)p.in_h * p.in_w;
    const ulong           out_plane = (ulong)p.out_h * p.out_w;
    __global const float *plane =
        in + in_at + (ulong)(picture * p.group + group) * p.in_c * plane_size;

    weights += weights_at + (ulong)channel * taps;
    bias += bias_at + channel;
    out += out_at + (ulong)(picture * p.group * p.out_c + channel) * out_plane +
           (ulong)out_y * p.out_w + out_x;

    /* Rows that are too many repeat the last one and are not stored. */
#define BEGIN_ROW(r) \
    __global const float *w##r = weights + min(r, last) * taps; \
    float8                sum##r = p.has_bias ? bias[min(r, last)] : 0.0f;
    EACH_ROW(BEGIN_ROW)
#undef BEGIN_ROW

    for (int c = 0, tap = 0; c < p.in_c; c++, plane += plane_size) {
        for (int ky = 0; ky < p.kernel_h; ky++) {
            const int y = out_y * p.stride_h + ky * p.dilation_h - p.pad_h;

            if (y < 0 || y >= p.in_h) {
                tap += p.kernel_w;
                continue;
            }
            for (int kx = 0; kx < p.kernel_w; kx++, tap++) {
                const int    x = out_x * p.stride_w + kx * p.dilation_w - p.pad_w;
                const float8 pixels = load_row(plane + y * p.in_w, x, p.stride_w, p.in_w);

#define ADD_ROW(r) sum##r += w##r[tap] * pixels;
                EACH_ROW(ADD_ROW)
#undef ADD_ROW
            }
        }
    }

#define KEEP_ROW(r) tile[r] = sum##r;
    float8 tile[ROWS];
    EACH_ROW(KEEP_ROW)
#undef KEEP_ROW
    for (int r = 0; r <= last; r++)
        store8(activate8(tile[r], act), out + r * out_plane, p.out_w - out_x);
}
