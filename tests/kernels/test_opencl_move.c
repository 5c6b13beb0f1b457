/* SPDX-License-Identifier: Apache-2.0 */
/* Elements that go elsewhere: concat, split, slice, transpose, pad, expand, tile, gather; by
 * element size. */
#include "opencl_rig.h"

#include "base/memory.h"

#include <stdio.h>

static struct rig rig;

/* 0, 1, 2, ... in 16 bits, so that the place shows in the value. */
static uint32_t numbered(struct qk_shape shape)
{
    uint16_t data[4096];
    int64_t  count;

    assert_true(qk_shape_count(&shape, &count) && count <= 4096);
    for (int64_t i = 0; i < count; i++)
        data[i] = (uint16_t)i;
    return rig_input(&rig, QK_U16, shape, data);
}

static void expect_u16(uint32_t value, const uint16_t *wanted, const char *what)
{
    const uint16_t *is = rig_data(&rig, value);

    for (int64_t i = 0; i < rig_count(&rig, value); i++) {
        if (is[i] != wanted[i])
            fail_msg("%s: element %lld is %u, not %u", what, (long long)i, is[i], wanted[i]);
    }
}

static void parts_join_and_part_again(void **state)
{
    const struct qk__concat_params concat = {.axis = 1};
    const struct qk__split_params  split = {.axis = 1};
    const struct qk_shape          shapes[] = {
                 {3, {2, 1, 3}}, {3, {2, 4, 3}}, {3, {2, 0, 3}}, {3, {2, 2, 3}}};
    uint32_t parts[4], again[4], whole;
    (void)state;

    rig_begin(&rig);
    for (int i = 0; i < 4; i++)
        parts[i] = numbered(shapes[i]);
    whole = rig_between(&rig, QK_U16, (struct qk_shape){3, {2, 7, 3}});
    for (int i = 0; i < 4; i++)
        again[i] = rig_output(&rig, QK_U16, shapes[i]);
    rig_step(&rig, &qk__opencl_concat, &concat, parts, 4, &whole, 1);
    rig_step(&rig, &qk__opencl_split, &split, &whole, 1, again, 4);
    rig_run(&rig);
    for (int i = 0; i < 4; i++)
        expect_u16(again[i], rig_data(&rig, parts[i]), "part");
    rig_end(&rig);
}

static void slices_step_both_ways(void **state)
{
    const struct qk__slice_params params = {.start = {3, 1}, .step = {-2, 3}};
    const uint16_t                wanted[] = {31, 34, 37, 11, 14, 17};
    uint32_t                      x, y;
    (void)state;

    rig_begin(&rig);
    x = numbered((struct qk_shape){2, {4, 10}});
    y = rig_output(&rig, QK_U16, (struct qk_shape){2, {2, 3}});
    rig_step(&rig, &qk__opencl_slice, &params, &x, 1, &y, 1);
    rig_run(&rig);
    expect_u16(y, wanted, "slice");
    rig_end(&rig);
}

static void expect_transpose(struct qk_shape in, const uint32_t *perm, qk_dtype dtype)
{
    struct qk__transpose_params params = {0};
    struct qk_shape             out = {.rank = in.rank};
    const size_t                size = qk_dtype_size(dtype);
    int64_t                     strides[QK_TENSOR_MAX_DIMS], count;
    uint32_t                    x, y;
    uint8_t                    *data;

    memcpy(params.perm, perm, in.rank * sizeof *perm);
    for (uint32_t i = 0; i < in.rank; i++)
        out.dims[i] = in.dims[perm[i]];
    assert_true(qk_shape_count(&in, &count));
    data = qk__alloc((size_t)count * size);
    for (size_t i = 0; i < (size_t)count * size; i++)
        data[i] = (uint8_t)rig_below(&rig, 256);
    rig_begin(&rig);
    x = rig_input(&rig, dtype, in, data);
    y = rig_output(&rig, dtype, out);
    rig_step(&rig, &qk__opencl_transpose, &params, &x, 1, &y, 1);
    rig_run(&rig);
    qk__shape_strides(&in, strides);
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, from = 0;

        for (uint32_t axis = out.rank; axis-- > 0;) {
            from += rest % out.dims[axis] * strides[perm[axis]];
            rest /= out.dims[axis];
        }
        assert_memory_equal((const uint8_t *)rig_data(&rig, y) + (size_t)i * size,
                            data + (size_t)from * size, size);
    }
    qk__free(data);
    rig_end(&rig);
}

static void transposes_of_every_element_size_and_many_axes(void **state)
{
    (void)state;
    expect_transpose((struct qk_shape){4, {1, 12, 9, 10}}, (uint32_t[]){0, 2, 3, 1}, QK_F32);
    expect_transpose((struct qk_shape){2, {33, 65}}, (uint32_t[]){1, 0}, QK_U8);
    expect_transpose((struct qk_shape){3, {4, 5, 6}}, (uint32_t[]){2, 1, 0}, QK_I64);
    expect_transpose((struct qk_shape){3, {4, 5, 6}}, (uint32_t[]){0, 1, 2}, QK_F16);
    expect_transpose((struct qk_shape){8, {2, 3, 2, 1, 2, 3, 2, 2}},
                     (uint32_t[]){7, 3, 5, 1, 0, 2, 6, 4}, QK_F32);
    for (int round = 0; round < 20; round++) {
        struct qk_shape in = {.rank = 1 + rig_below(&rig, 5)};
        uint32_t        perm[QK_TENSOR_MAX_DIMS];

        for (uint32_t i = 0; i < in.rank; i++) {
            const uint32_t j = rig_below(&rig, i + 1);

            in.dims[i] = 1 + rig_below(&rig, 7);
            perm[i] = perm[j];
            perm[j] = i;
        }
        expect_transpose(in, perm, QK_F32);
    }
}

static void expands_and_tiles_repeat(void **state)
{
    const uint16_t expanded[] = {0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2};
    const uint16_t tiled[] = {0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5,
                              0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5};
    uint32_t       x, y, a, b;
    (void)state;

    rig_begin(&rig);
    x = numbered((struct qk_shape){2, {3, 1}});
    y = numbered((struct qk_shape){2, {2, 3}});
    a = rig_output(&rig, QK_U16, (struct qk_shape){3, {2, 3, 2}});
    b = rig_output(&rig, QK_U16, (struct qk_shape){2, {4, 6}});
    rig_step(&rig, &qk__opencl_expand, NULL, &x, 1, &a, 1);
    rig_step(&rig, &qk__opencl_tile, NULL, &y, 1, &b, 1);
    rig_run(&rig);
    expect_u16(a, expanded, "expand");
    expect_u16(b, tiled, "tile");
    rig_end(&rig);
}

static void a_block_shuffle_is_a_transpose_of_a_view(void **state)
{
    const struct qk__block_shuffle_params params = {.view = {4, {2, 2, 1, 2}},
                                                    .perm = {2, 0, 3, 1}};
    const uint16_t                        wanted[] = {0, 2, 1, 3, 4, 6, 5, 7};
    uint32_t                              x, y;
    (void)state;

    rig_begin(&rig);
    x = numbered((struct qk_shape){4, {1, 4, 1, 2}});
    y = rig_output(&rig, QK_U16, (struct qk_shape){4, {1, 1, 2, 4}});
    rig_step(&rig, &qk__opencl_block_shuffle, &params, &x, 1, &y, 1);
    rig_run(&rig);
    expect_u16(y, wanted, "shuffle");
    rig_end(&rig);
}

static void pads_repeat_reflect_wrap_fill_and_cut(void **state)
{
    static const struct {
        struct qk__pad_params params;
        uint16_t              wanted[12];
    } cases[] = {
        {{QK__PAD_CONSTANT, {0, 2}, {0, 1}, 9}, {9, 9, 0, 1, 2, 9, 9, 9, 3, 4, 5, 9}},
        {{QK__PAD_REFLECT, {0, 2}, {0, 1}, 0}, {2, 1, 0, 1, 2, 1, 5, 4, 3, 4, 5, 4}},
        {{QK__PAD_EDGE, {0, 2}, {0, 1}, 0}, {0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 5, 5}},
        {{QK__PAD_WRAP, {0, 2}, {0, 1}, 0}, {1, 2, 0, 1, 2, 0, 4, 5, 3, 4, 5, 3}},
        {{QK__PAD_CONSTANT, {1, -1}, {0, 2}, 7}, {7, 7, 7, 7, 1, 2, 7, 7, 4, 5, 7, 7}},
    };
    uint32_t x, y[5];
    (void)state;

    rig_begin(&rig);
    x = numbered((struct qk_shape){2, {2, 3}});
    for (int i = 0; i < 5; i++) {
        y[i] = rig_output(&rig, QK_U16,
                          i < 4 ? (struct qk_shape){2, {2, 6}} : (struct qk_shape){2, {3, 4}});
        rig_step(&rig, &qk__opencl_pad, &cases[i].params, &x, 1, &y[i], 1);
    }
    rig_run(&rig);
    for (int i = 0; i < 5; i++)
        expect_u16(y[i], cases[i].wanted, "pad");
    rig_end(&rig);
}

static void gathers_pick_and_stay_inside(void **state)
{
    const int64_t                  index[] = {2, -1, 99}, places[] = {1, 0, 0, -1};
    const int32_t                  elements[] = {0, 2, 1, 1};
    const struct qk__gather_params rows = {.axis = 0}, columns = {.axis = 1}, nd = {0};
    const uint16_t picked[] = {6, 7, 8, 6, 7, 8, 6, 7, 8}, within[] = {2, 2, 2, 5, 5, 5, 8, 8, 8};
    const uint16_t by_element[] = {0, 2, 4, 4}, by_place[] = {3, 2};
    uint32_t       x, i, e, p, a, b, c, d;
    (void)state;

    rig_begin(&rig);
    x = numbered((struct qk_shape){2, {3, 3}});
    i = rig_input(&rig, QK_I64, (struct qk_shape){1, {3}}, index);
    e = rig_input(&rig, QK_I32, (struct qk_shape){2, {2, 2}}, elements);
    p = rig_input(&rig, QK_I64, (struct qk_shape){2, {2, 2}}, places);
    a = rig_output(&rig, QK_U16, (struct qk_shape){2, {3, 3}});
    b = rig_output(&rig, QK_U16, (struct qk_shape){2, {3, 3}});
    c = rig_output(&rig, QK_U16, (struct qk_shape){2, {2, 2}});
    d = rig_output(&rig, QK_U16, (struct qk_shape){1, {2}});
    rig_step(&rig, &qk__opencl_gather, &rows, (uint32_t[]){x, i}, 2, &a, 1);
    rig_step(&rig, &qk__opencl_gather, &columns, (uint32_t[]){x, i}, 2, &b, 1);
    rig_step(&rig, &qk__opencl_gather_elements, &columns, (uint32_t[]){x, e}, 2, &c, 1);
    rig_step(&rig, &qk__opencl_gather_nd, &nd, (uint32_t[]){x, p}, 2, &d, 1);
    rig_run(&rig);
    expect_u16(a, picked, "gather rows");
    expect_u16(b, within, "gather columns");
    expect_u16(c, by_element, "gather elements");
    expect_u16(d, by_place, "gather places");
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_join_and_part_again),
        cmocka_unit_test(slices_step_both_ways),
        cmocka_unit_test(transposes_of_every_element_size_and_many_axes),
        cmocka_unit_test(expands_and_tiles_repeat),
        cmocka_unit_test(a_block_shuffle_is_a_transpose_of_a_view),
        cmocka_unit_test(pads_repeat_reflect_wrap_fill_and_cut),
        cmocka_unit_test(gathers_pick_and_stay_inside),
    };
    int failed;

    if (!rig_open(&rig))
        return rig_absent();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_close(&rig);
    return failed;
}
