/* SPDX-License-Identifier: Apache-2.0 */
/* pool: FIRST, ADD(sum, x), END(sum, inside, all); up to three axes, those that are not there have
 * length 1 */
struct NAME {
    int   in[3], out[3], window[3], stride[3], dilation[3], before[3], after[3];
    int   counts_padding;
    long  count;
    float p;
    int   filler;
};

__kernel void NAME(__global const T *in, ulong in_at, __global T *out, ulong out_at, struct NAME p)
{
    const long flat = flat_here();

    if (flat >= p.count)
        return;

    const int         x = (int)(flat % p.out[2]) * p.stride[2] - p.before[2];
    const int         y = (int)(flat / p.out[2] % p.out[1]) * p.stride[1] - p.before[1];
    const long        rest = flat / p.out[2] / p.out[1];
    const int         z = (int)(rest % p.out[0]) * p.stride[0] - p.before[0];
    __global const T *plane = in + in_at + rest / p.out[0] * p.in[0] * p.in[1] * p.in[2];
    T                 sum = FIRST;
    int               inside = 0, all = 0;

    for (int kz = 0; kz < p.window[0]; kz++) {
        const int iz = z + kz * p.dilation[0];

        for (int ky = 0; ky < p.window[1]; ky++) {
            const int iy = y + ky * p.dilation[1];

            for (int kx = 0; kx < p.window[2]; kx++) {
                const int ix = x + kx * p.dilation[2];

                all += iz < p.in[0] + p.after[0] && iy < p.in[1] + p.after[1] &&
                       ix < p.in[2] + p.after[2];
                if (iz < 0 || iz >= p.in[0] || iy < 0 || iy >= p.in[1] || ix < 0 || ix >= p.in[2])
                    continue;
                inside++;
                sum = ADD(sum, plane[(iz * p.in[1] + iy) * p.in[2] + ix]);
            }
        }
    }
    out[out_at + flat] = END(sum, inside, all);
}
