/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_kernels_no_memory.c - every allocation of ours fails in turn, while a model is read,
 * planned, brought to the CPU and run: each time one error, and nothing is lost (the sanitizers
 * watch). Libraries allocate by themselves and are left alone.
 */
#include "cpu_rig.h"

#include "kernels/graph/plan.h"
#include "kernels/model_inner.h"

#include "../failing_memory.h"
#include "../test.h"

#include <string.h>

/* Convolution with a normalisation to fold, an addition, a reshape by folded arithmetic, a product,
 * a softmax. */
static struct pb make_file(void)
{
    static const float numbers[200] = {1, 2, 3, 4};
    const float        ones[2] = {1, 1};
    const int64_t      to[2] = {1, -1};
    struct pb          graph = {0}, conv = onnx_node("Conv", "conv", "x w", "c");
    struct pb          norm = onnx_node("BatchNormalization", "norm", "c s s s s", "n"),
              relu = onnx_node("Relu", "relu", "n", "r");
    struct pb flat = onnx_node("Reshape", "flat", "r to", "f"),
              product = onnx_node("MatMul", "product", "f m", "p");
    struct pb soft = onnx_node("Softmax", "soft", "p", "y");
    struct pb w = onnx_tensor("w", QK_F32, DIMS(2, 1, 3, 3), numbers, 18 * 4),
              s = onnx_tensor("s", QK_F32, DIMS(2), ones, 8);
    struct pb m = onnx_tensor("m", QK_F32, DIMS(8, 5), numbers, 160),
              t = onnx_tensor("to", QK_I64, DIMS(2), to, 16);
    struct pb *nodes[] = {&conv, &norm, &relu, &flat, &product, &soft},
              *tensors[] = {&w, &s, &m, &t};

    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        onnx_add_node(&graph, nodes[i]);
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++)
        onnx_add_initializer(&graph, tensors[i]);
    onnx_add_input(&graph, "x", QK_F32, DIMS(1, 1, 4, 4));
    onnx_add_output(&graph, "y", QK_F32, DIMS(1, 5));
    return onnx_model(&graph, 13);
}

static struct rig rig;

static qk_status read_and_run(const struct pb *file, const qk_tensor *x)
{
    struct qk_error error = {0};
    qk__model      *model = NULL;
    qk__residence  *residence = NULL;
    qk_tensor       y = {0};
    qk_status       st = qk__model_parse("m.onnx", file->bytes, file->size, NULL, &model, &error);

    if (st == QK_OK)
        st = qk__residence_create(model, rig.device, "test", &residence, &error);
    if (st == QK_OK)
        st = rig_run(residence, x, &y, &error);
    if (st != QK_OK)
        assert_true(error.text[0] != '\0');
    qk_tensor_fini(&y);
    qk__residence_destroy(residence);
    if (model != NULL)
        qk__model_release(model);
    return st;
}

static void each_allocation_may_fail(void **state)
{
    struct pb file = make_file();
    qk_tensor x = rig_random(DIMS(1, 1, 4, 4), 3);
    long      failures = 0;
    (void)state;

    assert_int_equal(read_and_run(&file, &x), QK_OK);
    for (long n = 1;; n++) {
        qk_status st;

        fail_allocation(n);
        st = read_and_run(&file, &x);
        fail_allocation(0);
        if (!allocation_failed())
            break;
        failures++;
        if (st != QK_OK)
            assert_true(st == QK_NO_MEMORY || st == QK_INVALID_ARGUMENT ||
                        st == QK_NO_DEVICE_MEMORY || st == QK_UNIMPLEMENTED);
    }
    assert_true(failures > 50);
    assert_int_equal(read_and_run(&file, &x), QK_OK);
    qk_tensor_fini(&x);
    pb_fini(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};
    int                     rc;

    rig_open(&rig, false);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    rig_close(&rig);
    return rc;
}
