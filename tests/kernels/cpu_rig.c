/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_rig.c - see cpu_rig.h. */
#include "cpu_rig.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"

#include "../test.h"

#include <stdio.h>
#include <unistd.h>

static const char machine[] = "devices:\n"
                              "  - name: played\n"
                              "    memory: 64MiB\n";

static void find_device(struct rig *rig, bool is_simulated)
{
    rig->device = qk__device_cpu(rig->set);
    for (size_t i = 0; i < qk__device_count(rig->set) && is_simulated; i++) {
        if (qk__device_info(qk__device_at(rig->set, i))->kind == QK_DEVICE_SIMULATED)
            rig->device = qk__device_at(rig->set, i);
    }
}

void rig_open(struct rig *rig, bool is_simulated)
{
    const struct qk__topology_source source = {.synthetic =
                                                   "pack:1 [numa(memory=8GB)] core:2 pu:1"};
    struct qk__device_opts           opts = {.use_opencl = false};
    struct qk_error                  error = {0};
    char                             path[64];

    snprintf(path, sizeof path, "/tmp/quark-rig-%ld.yaml", (long)getpid());
    if (is_simulated) {
        assert_int_equal(qk__file_write(path, machine, sizeof machine - 1, &error), QK_OK);
        opts.simulate_file = path;
    }
    if (qk__topology_load(&source, &rig->topology, &error) != QK_OK ||
        qk__device_set_open(rig->topology, &opts, &rig->set, &error) != QK_OK)
        fail_msg("%s", error.text);
    unlink(path);
    find_device(rig, is_simulated);
    assert_int_equal(qk__device_info(rig->device)->kind == QK_DEVICE_SIMULATED, is_simulated);
}

void rig_close(struct rig *rig)
{
    qk__device_set_close(rig->set);
    qk__topology_destroy(rig->topology);
}

qk__residence *rig_reside(struct rig *rig, struct pb *graph, int64_t opset)
{
    struct pb       file = onnx_model(graph, opset);
    struct qk_error error = {0};
    qk__model      *model = NULL;
    qk__residence  *residence = NULL;
    qk_status       st = qk__model_parse("m.onnx", file.bytes, file.size, NULL, &model, &error);

    if (st == QK_OK)
        st = qk__residence_create(model, rig->device, "test", &residence, &error);
    if (st != QK_OK)
        fail_msg("%s", error.text);
    qk__model_release(model);
    pb_fini(&file);
    return residence;
}

void rig_leave(qk__residence *residence)
{
    qk__residence_destroy(residence);
}

qk_status rig_run(qk__residence *residence, const qk_tensor *input, qk_tensor *output,
                  struct qk_error *error)
{
    *output = (qk_tensor){0};
    return qk__residence_run(residence, input, input != NULL ? 1 : 0, output, 1, error);
}

qk_tensor rig_random(uint32_t rank, const int64_t *dims, uint64_t seed)
{
    struct qk_shape   shape = {.rank = rank};
    struct qk__random random;
    qk_tensor         tensor;
    int64_t           count;

    memcpy(shape.dims, dims, rank * sizeof *dims);
    assert_int_equal(qk_tensor_create(QK_F32, &shape, &tensor), QK_OK);
    qk__random_init(&random, seed);
    qk_shape_count(&shape, &count);
    for (int64_t i = 0; i < count; i++)
        ((float *)tensor.data)[i] = (float)(qk__random_unit(&random) * 2 - 1);
    return tensor;
}
