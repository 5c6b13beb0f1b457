/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_onnx.c - any bytes as an ONNX model: read and checked, or refused with a reason,
 * within the limits given.
 */
#include "fuzz.h"

#include "base/memory.h"
#include "kernels/model.h"

static void check_values(const qk__model *model)
{
    for (uint32_t i = 0; i < qk__model_input_count(model); i++)
        FUZZ_CHECK(qk__model_input(model, i)->name != NULL);
    for (uint32_t i = 0; i < qk__model_output_count(model); i++)
        FUZZ_CHECK(qk__model_output(model, i)->name != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct qk__model_limits limits = {
        .max_file_bytes = 1u << 20, .max_nodes = 256, .max_tensor_bytes = 1u << 22};
    struct qk_error error = {0};
    qk__model *model = NULL;
    char *json = NULL;
    qk_status status;

    status = qk__model_parse(FUZZ_NAME, bytes, size, &limits, &model, &error);
    if (status < 0) {
        fuzz_check_refusal(status, &error);
        FUZZ_CHECK(model == NULL);
        return 0;
    }

    check_values(model);
    FUZZ_CHECK(qk__model_describe(model, &json) == QK_OK);
    FUZZ_CHECK(json != NULL && json[0] == '{');
    qk__free(json);
    qk__model_release(model);
    return 0;
}
