/* SPDX-License-Identifier: Apache-2.0 */
/* Networks without stored answers: the OpenCL back end says what the CPU says. */
#include "kernels/model.h"

#include "../test.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_OUTPUTS 4

struct rig {
    qk__topology   *topology;
    qk__device_set *devices;
};

static int open_devices(void **state)
{
    static struct rig                rig;
    const struct qk__topology_source source = {0};
    const struct qk__device_opts     opts = {.use_opencl = true};
    struct qk_error                  error;

    if (qk__topology_load(&source, &rig.topology, &error) != QK_OK ||
        qk__device_set_open(rig.topology, &opts, &rig.devices, &error) != QK_OK)
        fail_msg("%s", error.text);
    *state = &rig;
    return 0;
}

static int close_devices(void **state)
{
    struct rig *rig = *state;

    qk__device_set_close(rig->devices);
    qk__topology_destroy(rig->topology);
    return 0;
}

static qk__device *find_opencl(const struct rig *rig)
{
    for (size_t i = 0; i < qk__device_count(rig->devices); i++) {
        if (qk__device_info(qk__device_at(rig->devices, i))->runs_programs)
            return qk__device_at(rig->devices, i);
    }
    return NULL;
}

static void run_on(qk__model *model, qk__device *device, const qk_tensor *input, qk_tensor *outputs)
{
    qk__residence  *residence;
    struct qk_error error;

    if (qk__residence_create(model, device, "test", &residence, &error) != QK_OK ||
        qk__residence_run(residence, input, 1, outputs, qk__model_output_count(model), &error) !=
            QK_OK)
        fail_msg("%s", error.text);
    qk__residence_destroy(residence);
}

/* Within 1e-4 of the largest number of the output: what is added up in another order differs in the
 * last digits. */
static void expect_same(const qk_tensor *a, const qk_tensor *b)
{
    const float *x = a->data, *y = b->data;
    int64_t      count;
    float        largest = 0;

    assert_true(qk_shape_equal(&a->shape, &b->shape));
    assert_true(qk_shape_count(&a->shape, &count));
    assert_true(count > 0);
    for (int64_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(y[i]));
    assert_true(largest > 0);
    for (int64_t i = 0; i < count; i++) {
        if (!(fabsf(x[i] - y[i]) <= 1e-4f * largest))
            fail_msg("element %lld: %.9g and %.9g", (long long)i, (double)x[i], (double)y[i]);
    }
}

static void compare(const struct rig *rig, const char *file, float low, float high)
{
    const char       *data = getenv("QUARK_DATA_DIR");
    const char       *source = getenv("QUARK_SOURCE_DIR");
    qk_tensor         input, on_cpu[MAX_OUTPUTS] = {0}, on_opencl[MAX_OUTPUTS] = {0};
    struct qk__random random;
    struct qk_shape   shape;
    struct qk_error   error;
    qk__model        *model;
    char              path[1024];
    int64_t           count;

    if (data != NULL)
        snprintf(path, sizeof path, "%s/models/%s", data, file);
    else
        snprintf(path, sizeof path, "%s/../shared/data/models/%s", source != NULL ? source : ".",
                 file);
    if (access(path, R_OK) != 0 && (getenv("CI") == NULL || strcmp(getenv("CI"), "true") != 0))
        skip();
    if (find_opencl(rig) == NULL)
        skip();
    if (qk__model_read(path, NULL, &model, &error) != QK_OK)
        fail_msg("%s", error.text);
    assert_int_equal(qk__model_input_count(model), 1);
    assert_in_range(qk__model_output_count(model), 1, MAX_OUTPUTS);

    shape = qk__model_input(model, 0)->shape;
    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dims[i] = shape.dims[i] < 0 ? 1 : shape.dims[i];
    assert_int_equal(qk_tensor_create(QK_F32, &shape, &input), QK_OK);
    assert_true(qk_shape_count(&shape, &count));
    qk__random_init(&random, 5);
    for (int64_t i = 0; i < count; i++)
        ((float *)input.data)[i] = low + (high - low) * (float)qk__random_unit(&random);

    run_on(model, qk__device_cpu(rig->devices), &input, on_cpu);
    run_on(model, find_opencl(rig), &input, on_opencl);
    for (uint32_t i = 0; i < qk__model_output_count(model); i++) {
        expect_same(&on_opencl[i], &on_cpu[i]);
        qk_tensor_fini(&on_cpu[i]);
        qk_tensor_fini(&on_opencl[i]);
    }
    qk_tensor_fini(&input);
    qk__model_release(model);
}

static void the_face_detector_gives_the_same_scores_and_boxes(void **state)
{
    compare(*state, "face-detector/version-slim-320.onnx", -1, 1);
}

static void the_digit_classifier_gives_the_same_logits(void **state)
{
    compare(*state, "mnist-winml/mnist.onnx", 0, 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_face_detector_gives_the_same_scores_and_boxes),
        cmocka_unit_test(the_digit_classifier_gives_the_same_logits),
    };

    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
