/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common.cl - stands before every program.
 *
 * Programs are put together from templates: each asks for a kernel called NAME on elements of type
 * T (and what else its first comment lists), and is taken once for each kernel that a plan needs. A
 * buffer comes with the place of its first element, because values share buffers.
 */

/* NAME_(x): a name of this template's own. */
#define QK_PASTE_(a, b) a##_##b
#define QK_PASTE(a, b) QK_PASTE_(a, b)
#define NAME_(x) QK_PASTE(NAME, x)

/* A step through up to three operands, innermost axis first; the output is dense. */
struct walk {
    int  dims[8];
    int  rank, filler;
    long count;
    long a[8], b[8], c[8];
};

struct place {
    long out, a, b, c;
};

/* Where this work-item is: x is axis 0, y is axis 1, z all the others. False outside. */
bool walk_here(const struct walk *walk, struct place *at)
{
    const long x = get_global_id(0), y = get_global_id(1);
    long       z = get_global_id(2);

    at->out = (z * walk->dims[1] + y) * walk->dims[0] + x;
    at->a = x * walk->a[0] + y * walk->a[1];
    at->b = x * walk->b[0] + y * walk->b[1];
    at->c = x * walk->c[0] + y * walk->c[1];
    if (x >= walk->dims[0] || y >= walk->dims[1] || at->out >= walk->count)
        return false;
    for (int d = 2; d < walk->rank; d++) {
        const long i = z % walk->dims[d];

        z /= walk->dims[d];
        at->a += i * walk->a[d];
        at->b += i * walk->b[d];
        at->c += i * walk->c[d];
    }
    return true;
}

/* A dense index of a launch that is FLAT_ROW wide. */
#define FLAT_ROW 1024
long flat_here(void)
{
    return (long)get_global_id(1) * FLAT_ROW + get_global_id(0);
}

/* Times slope below zero, then held between low and high: ReLU, leaky ReLU, Clip, or nothing at
 * all. NaN stays. */
struct activation {
    float slope, low, high;
};

float activate(float x, struct activation act)
{
    x = x < 0.0f ? act.slope * x : x;
    x = x < act.low ? act.low : x;
    return x > act.high ? act.high : x;
}

float8 activate8(float8 x, struct activation act)
{
    x = select(x, act.slope * x, x < 0.0f);
    x = select(x, (float8)act.low, x < act.low);
    return select(x, (float8)act.high, x > act.high);
}

/* Eight elements, `stride` apart, of which `left` are there. */
float8 load8(__global const float *from, int stride, int left)
{
    if (stride == 1 && left >= 8)
        return vload8(0, from);

    float lane[8];
    for (int i = 0; i < 8; i++)
        lane[i] = i < left ? from[i * stride] : 0.0f;
    return vload8(0, lane);
}

void store8(float8 value, __global float *to, int left)
{
    if (left >= 8) {
        vstore8(value, 0, to);
        return;
    }

    float lane[8];
    vstore8(value, 0, lane);
    for (int i = 0; i < left; i++)
        to[i] = lane[i];
}

/* A convolution over two axes; channels are those of one group. */
struct conv {
    int in_c, in_h, in_w, out_c, out_h, out_w;
    int kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w;
    int group, has_bias;
};

/* Eight pixels of a row from column `x` on, `stride` apart; zero outside of 0..width. */
float8 load_row(__global const float *row, int x, int stride, int width)
{
    if (x >= 0 && stride == 1 && x + 8 <= width)
        return vload8(0, row + x);
    if (x >= 0 && stride == 2 && x + 16 <= width)
        return (float8)(vload8(0, row + x).even, vload8(0, row + x + 8).even);

    float lane[8];
    for (int i = 0; i < 8; i++) {
        const int at = x + i * stride;

        lane[i] = at >= 0 && at < width ? row[at] : 0.0f;
    }
    return vload8(0, lane);
}
