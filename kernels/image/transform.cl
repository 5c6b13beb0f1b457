/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transform: regions of a picture as one tensor, the arithmetic of transform.c. x: column; y: row;
 * z: channel and region
 */
struct NAME {
    int   in_w, in_h, in_c, out_w, out_h, out_c;
    float mean[3], scale[3], whole[4];
    int   has_regions;
};

struct NAME_(tap) {
    int   first, second;
    float share;
};

struct NAME_(tap) NAME_(tap_at)(float start, float size, int out_side, int index, int side)
{
    const float step = size / (float)out_side;
    const float at = clamp(start + ((float)index + 0.5f) * step - 0.5f, 0.0f, (float)(side - 1));
    struct NAME_(tap) tap;

    tap.first = (int)at;
    tap.second = min(tap.first + 1, side - 1);
    tap.share = at - (float)tap.first;
    return tap;
}

float NAME_(blend)(__global const uchar *pixels, struct NAME p, struct NAME_(tap) x,
                   struct NAME_(tap) y, int channel)
{
    __global const uchar *above = pixels + (long)y.first * p.in_w * p.in_c + channel;
    __global const uchar *below = pixels + (long)y.second * p.in_w * p.in_c + channel;
    const float           a = (float)above[x.first * p.in_c], b = (float)above[x.second * p.in_c];
    const float           c = (float)below[x.first * p.in_c], d = (float)below[x.second * p.in_c];
    const float           top = a + (b - a) * x.share, bottom = c + (d - c) * x.share;

    return top + (bottom - top) * y.share;
}

__kernel void NAME(__global const uchar *pixels, ulong pixels_at, __global const float4 *regions,
                   ulong regions_at, __global float *out, ulong out_at, struct NAME p)
{
    const int column = (int)get_global_id(0), row = (int)get_global_id(1);
    const int channel = (int)get_global_id(2) % p.out_c, region = (int)get_global_id(2) / p.out_c;

    if (column >= p.out_w || row >= p.out_h)
        return;

    const float4 whole = (float4)(p.whole[0], p.whole[1], p.whole[2], p.whole[3]);
    const float4 r = p.has_regions ? regions[regions_at + region] : whole;
    const struct NAME_(tap) x = NAME_(tap_at)(r.x, r.z, p.out_w, column, p.in_w);
    const struct NAME_(tap) y = NAME_(tap_at)(r.y, r.w, p.out_h, row, p.in_h);
    float value;

    pixels += pixels_at;
    if (p.in_c == 1 || p.out_c == 3)
        value = NAME_(blend)(pixels, p, x, y, p.in_c == 1 ? 0 : channel);
    else
        value = 0.299f * NAME_(blend)(pixels, p, x, y, 0) +
                0.587f * NAME_(blend)(pixels, p, x, y, 1) +
                0.114f * NAME_(blend)(pixels, p, x, y, 2);
    out[out_at + ((long)get_global_id(2) * p.out_h + row) * p.out_w + column] =
        (value - p.mean[channel]) * p.scale[channel];
}
