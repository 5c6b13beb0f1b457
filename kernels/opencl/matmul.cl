/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul: EACH_ROW, ROWS. out = act(alpha a b + beta c): a work-item makes a tile of ROWS rows and
 * eight columns. All strides in elements; c's are 0 where it repeats.
 * x: tile of columns; y: tile of rows; z: matrix of the batch
 */
struct NAME {
    int   m, n, k;
    int   a_row, a_column, b_row, b_column, c_row, c_column;
    int   has_c;
    float alpha, beta;
    int   batch_rank, batch_dims[6];
    int   filler;
    long  a_batch[6], b_batch[6];
};

__kernel void NAME(__global const float *a, ulong a_at, __global const float *b, ulong b_at,
                   __global const float *c, ulong c_at, __global float *out, ulong out_at,
                   struct NAME p, struct activation act)
{
    const int column = (int)get_global_id(0) * 8, row = (int)get_global_id(1) * ROWS;
    const int left = p.n - column, last = min(ROWS, p.m - row) - 1;
    long      z = get_global_id(2);

    if (left <= 0 || last < 0)
        return;
    out += out_at + (z * p.m + row) * p.n + column;
    a += a_at;
    b += b_at + (long)column * p.b_column;
    for (int d = 0; d < p.batch_rank; d++) {
        a += z % p.batch_dims[d] * p.a_batch[d];
        b += z % p.batch_dims[d] * p.b_batch[d];
        z /= p.batch_dims[d];
    }

    /* Rows that are too many repeat the last one and are not stored. */
#define BEGIN_ROW(r) \
    __global const float *a##r = a + (long)(row + min(r, last)) * p.a_row; \
    float8                sum##r = 0.0f;
    EACH_ROW(BEGIN_ROW)
#undef BEGIN_ROW

    for (int k = 0; k < p.k; k++) {
        const float8 columns = load8(b + (long)k * p.b_row, p.b_column, left);

#define ADD_ROW(r) sum##r += a##r[(long)k * p.a_column] * columns;
        EACH_ROW(ADD_ROW)
#undef ADD_ROW
    }

#define KEEP_ROW(r) tile[r] = sum##r;
    float8 tile[ROWS];
    EACH_ROW(KEEP_ROW)
#undef KEEP_ROW
    for (int r = 0; r <= last; r++) {
        float8 plus = 0.0f;

        if (p.has_c)
            plus = p.beta * load8(c + c_at + (long)(row + r) * p.c_row + (long)column * p.c_column,
                                  p.c_column, left);
        store8(activate8(p.alpha * tile[r] + plus, act), out + (long)r * p.n, left);
    }
}
