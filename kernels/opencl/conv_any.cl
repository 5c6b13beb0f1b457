/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv_any: TRANSPOSED 0 or 1. Up to three axes, groups, everything, one output for each work-item.
 * Axes that are not there have length 1.
 */
struct NAME {
    int  in_c, out_c, group, has_bias;    /* channels of one group */
    int  in[3], out[3], window[3], stride[3], dilation[3], pad[3];
    int  filler[2];
    long count;
};

/* Where input meets output at a tap of the kernel; below 0: nowhere. */
int NAME_(source)(int at, int tap, int stride, int dilation, int pad, int size)
{
    int from = at * stride + tap * dilation - pad;

    if (TRANSPOSED) {
        from = at + pad - tap * dilation;
        if (from < 0 || from % stride != 0)
            return -1;
        from /= stride;
    }
    return from < size ? from : -1;
}

__kernel void NAME(__global const float *in, ulong in_at, __global const float *weights,
                   ulong weights_at, __global const float *bias, ulong bias_at, __global float *out,
                   ulong out_at, struct NAME p, struct activation act)
{
    const long flat = flat_here();

    if (flat >= p.count)
        return;

    const int  ox = (int)(flat % p.out[2]), oy = (int)(flat / p.out[2] % p.out[1]);
    const long plane = flat / p.out[2] / p.out[1];
    const int  oz = (int)(plane % p.out[0]);
    const int  channel = (int)(plane / p.out[0] % (p.group * p.out_c)), group = channel / p.out_c;
    const long picture = plane / p.out[0] / (p.group * p.out_c);
    const int  taps = p.window[0] * p.window[1] * p.window[2];
    float      sum = p.has_bias ? bias[bias_at + channel] : 0.0f;

    in += in_at + (picture * p.group + group) * p.in_c * p.in[0] * p.in[1] * p.in[2];
    for (int c = 0; c < p.in_c; c++) {
        /* Transposed weights lie as [in, out of one group, taps], plain ones as [out, in of one
         * group, taps]. */
        const long at = TRANSPOSED
                            ? ((long)(group * p.in_c + c) * p.out_c + channel % p.out_c) * taps
                            : ((long)channel * p.in_c + c) * taps;

        for (int tap = 0; tap < taps; tap++) {
            const int kx = tap % p.window[2], ky = tap / p.window[2] % p.window[1];
            const int kz = tap / p.window[2] / p.window[1];
            const int x = NAME_(source)(ox, kx, p.stride[2], p.dilation[2], p.pad[2], p.in[2]);
            const int y = NAME_(source)(oy, ky, p.stride[1], p.dilation[1], p.pad[1], p.in[1]);
            const int z = NAME_(source)(oz, kz, p.stride[0], p.dilation[0], p.pad[0], p.in[0]);

            if (x >= 0 && y >= 0 && z >= 0)
                sum += weights[weights_at + at + tap] *
                       in[(((long)c * p.in[0] + z) * p.in[1] + y) * p.in[2] + x];
        }
    }
    out[out_at + flat] = activate(sum, act);
}
