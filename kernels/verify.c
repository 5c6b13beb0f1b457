/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c - see verify.h. */
#include "kernels/verify.h"

#include "base/file.h"
#include "base/memory.h"
#include "kernels/graph/half.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#define PATH_BYTES   1024
#define MAX_LEVELS   6
#define DEFAULT_RTOL 1e-3
#define DEFAULT_ATOL 1e-7

struct verify {
    qk__device                   *device;
    const struct qk__verify_opts *opts;
    struct qk__verify_counts     *counts;
    size_t                        found;
    struct qk_error              *error;
};

/* ---- comparing ---- */

static double number_at(const qk_tensor *tensor, size_t i)
{
    switch (tensor->dtype) {
    case QK_F32:
        return ((const float *)tensor->data)[i];
    case QK_F64:
        return ((const double *)tensor->data)[i];
    case QK_F16:
        return qk__half_to_float(((const uint16_t *)tensor->data)[i]);
    default:
        return qk__bfloat_to_float(((const uint16_t *)tensor->data)[i]);
    }
}

static bool is_float(qk_dtype dtype)
{
    return dtype == QK_F32 || dtype == QK_F64 || dtype == QK_F16 || dtype == QK_BF16;
}

/*
 * Sums that nearly cancel keep the rounding of what was summed: a float32 result knows 2^-23 of the
 * largest around it, no better.
 */
#define ROUNDING_SHARE 1e-6

static double rounding_noise(const qk_tensor *expected, int64_t count)
{
    double largest = 0;

    for (int64_t i = 0; i < count; i++) {
        const double magnitude = fabs(number_at(expected, (size_t)i));

        if (isfinite(magnitude) && magnitude > largest)
            largest = magnitude;
    }
    return largest * ROUNDING_SHARE;
}

static bool is_close(double got, double expected, double noise, const struct qk__verify_opts *opts)
{
    const bool   is_default = opts->rtol == 0 && opts->atol == 0;
    const double rtol = is_default ? DEFAULT_RTOL : opts->rtol,
                 atol = is_default ? DEFAULT_ATOL : opts->atol;

    if (isnan(expected) || isnan(got))
        return isnan(expected) && isnan(got);
    return got == expected || fabs(got - expected) <= atol + noise + rtol * fabs(expected);
}

static bool compare_floats(const qk_tensor *got, const qk_tensor *expected, int64_t count,
                           const struct qk__verify_opts *opts, size_t output, char *reason,
                           size_t size)
{
    const double           noise = rounding_noise(expected, count);
    struct qk__verify_opts eased = *opts;

    /* A bfloat16 has 8 bits: a reference that cut off and one that rounded differ in the last. */
    if (expected->dtype == QK_BF16 && eased.rtol < 0.0078125)
        eased.rtol = 0.0078125;

    for (int64_t i = 0; i < count; i++) {
        const double a = number_at(got, (size_t)i), b = number_at(expected, (size_t)i);

        if (!is_close(a, b, noise, &eased)) {
            snprintf(reason, size, "output %zu, element %" PRId64 " is %.9g, not %.9g", output, i,
                     a, b);
            return false;
        }
    }
    return true;
}

static bool compare(const qk_tensor *got, const qk_tensor *expected,
                    const struct qk__verify_opts *opts, size_t output, char *reason, size_t size)
{
    char    a[128], b[128];
    int64_t count;

    if (got->dtype != expected->dtype || !qk_shape_equal(&got->shape, &expected->shape)) {
        snprintf(reason, size, "output %zu is %s %s, not %s %s", output, qk_dtype_name(got->dtype),
                 qk_shape_print(&got->shape, a, sizeof a), qk_dtype_name(expected->dtype),
                 qk_shape_print(&expected->shape, b, sizeof b));
        return false;
    }
    if (!qk_shape_count(&got->shape, &count) || count == 0)
        return true;
    if (is_float(got->dtype))
        return compare_floats(got, expected, count, opts, output, reason, size);
    if (memcmp(got->data, expected->data, (size_t)count * qk_dtype_size(got->dtype)) == 0)
        return true;
    snprintf(reason, size, "output %zu differs", output);
    return false;
}

/* ---- running ---- */

static void free_tensors(qk_tensor *tensors, size_t count)
{
    for (size_t i = 0; tensors != NULL && i < count; i++)
        qk_tensor_fini(&tensors[i]);
    qk__free(tensors);
}

/* `reason` and verdict of a case from the status of what failed. */
static enum qk__verdict failed(qk_status status, const struct qk_error *error, char *reason,
                               size_t size)
{
    snprintf(reason, size, "%s", error->text);
    return status == QK_UNIMPLEMENTED ? QK__CASE_UNSUPPORTED : QK__CASE_FAILED;
}

/* Files of onnx 1.12 hold bfloat16 as uint16: the bits are the same, and the model knows better. */
static void correct_bfloat(qk_tensor *stored, qk_dtype declared)
{
    if (declared == QK_BF16 && stored->dtype == QK_U16)
        stored->dtype = QK_BF16;
}

typedef qk_status (*fetch_fn)(void *arg, const char *prefix, uint32_t index, qk_tensor *out_tensor,
                              struct qk_error *error);

/*
 * Runs the model on what `fetch` gives for "input" and holds it against what it gives for "output".
 */
static enum qk__verdict run_set(qk__residence *residence, const struct qk__verify_opts *opts,
                                fetch_fn fetch, void *arg, char *reason, size_t size)
{
    const uint32_t   input_count = qk__model_input_count(qk__residence_model(residence));
    const uint32_t   output_count = qk__model_output_count(qk__residence_model(residence));
    qk_tensor       *inputs = qk__alloc_array(input_count, sizeof *inputs);
    qk_tensor       *outputs = qk__alloc_array(output_count, sizeof *outputs);
    enum qk__verdict verdict = QK__CASE_PASSED;
    struct qk_error  error = {0};
    qk_status        status = QK_OK;

    if (inputs == NULL || outputs == NULL)
        status = qk_error_set(&error, QK_NO_MEMORY, "no memory");
    for (uint32_t i = 0; i < input_count && status == QK_OK; i++) {
        status = fetch(arg, "input", i, &inputs[i], &error);
        correct_bfloat(&inputs[i], qk__model_input(qk__residence_model(residence), i)->dtype);
    }
    if (status == QK_OK)
        status = qk__residence_run(residence, inputs, input_count, outputs, output_count, &error);
    for (uint32_t i = 0; i < output_count && status == QK_OK && verdict == QK__CASE_PASSED; i++) {
        qk_tensor expected = {0};

        status = fetch(arg, "output", i, &expected, &error);
        correct_bfloat(&expected, outputs[i].dtype);
        if (status == QK_OK && !compare(&outputs[i], &expected, opts, i, reason, size))
            verdict = QK__CASE_FAILED;
        qk_tensor_fini(&expected);
    }
    if (status != QK_OK)
        verdict = failed(status, &error, reason, size);
    free_tensors(outputs, output_count);
    free_tensors(inputs, input_count);
    return verdict;
}

static qk_status fetch_from_folder(void *arg, const char *prefix, uint32_t index,
                                   qk_tensor *out_tensor, struct qk_error *error)
{
    char path[PATH_BYTES];

    if (snprintf(path, sizeof path, "%s/%s_%" PRIu32 ".pb", (const char *)arg, prefix, index) >=
        (int)sizeof path)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "a path that is too long");
    return qk__tensor_read_pb(path, out_tensor, error);
}

/* A light network: its input is made, its output lies beside it. */
struct light {
    const qk__model *model;
    const char      *stem;
};

static qk_status make_light_input(const qk__model *model, uint32_t index, qk_tensor *out_tensor,
                                  struct qk_error *error)
{
    const struct qk__model_value *value = qk__model_input(model, index);
    struct qk_shape               shape = value->shape;
    int64_t                       count;
    qk_status                     status;

    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dims[i] = shape.dims[i] < 0 ? 1 : shape.dims[i];
    status = qk_tensor_create(QK_F32, &shape, out_tensor);
    if (status != QK_OK || !qk_shape_count(&shape, &count))
        return qk_error_set(error, status, "no memory for input '%s'", value->name);
    for (int64_t i = 0; i < count; i++)
        ((float *)out_tensor->data)[i] = (float)((double)i / (double)count);
    return QK_OK;
}

static qk_status fetch_light(void *arg, const char *prefix, uint32_t index, qk_tensor *out_tensor,
                             struct qk_error *error)
{
    const struct light *light = arg;
    char                path[PATH_BYTES];

    if (strcmp(prefix, "input") == 0)
        return make_light_input(light->model, index, out_tensor, error);
    if (snprintf(path, sizeof path, "%s_output_%" PRIu32 ".pb", light->stem, index) >=
        (int)sizeof path)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "a path that is too long");
    return qk__tensor_read_pb(path, out_tensor, error);
}

static enum qk__verdict run_sets(qk__residence *residence, const struct qk__verify_opts *opts,
                                 const char *folder, char *reason, size_t size)
{
    enum qk__verdict verdict = QK__CASE_PASSED;
    struct stat      info;
    int              set = 0;

    for (; verdict == QK__CASE_PASSED; set++) {
        char path[PATH_BYTES];

        if (snprintf(path, sizeof path, "%s/test_data_set_%d", folder, set) >= (int)sizeof path ||
            stat(path, &info) != 0)
            break;
        verdict = run_set(residence, opts, fetch_from_folder, path, reason, size);
    }
    if (set == 0) {
        snprintf(reason, size, "no test_data_set_0 beside the model");
        return QK__CASE_FAILED;
    }
    return verdict;
}

static enum qk__verdict run_case(const struct verify *verify, const char *model_path,
                                 const char *folder, const char *light_stem, char *reason,
                                 size_t size)
{
    struct qk_error  error = {0};
    qk__model       *model;
    qk__residence   *residence;
    enum qk__verdict verdict;
    qk_status        status = qk__model_read(model_path, NULL, &model, &error);

    if (status != QK_OK)
        return failed(status, &error, reason, size);
    status = qk__residence_create(model, verify->device, "verify", &residence, &error);
    if (status != QK_OK) {
        qk__model_release(model);
        return failed(status, &error, reason, size);
    }
    if (light_stem != NULL) {
        struct light light = {model, light_stem};

        verdict = run_set(residence, verify->opts, fetch_light, &light, reason, size);
    } else {
        verdict = run_sets(residence, verify->opts, folder, reason, size);
    }
    qk__residence_destroy(residence);
    qk__model_release(model);
    return verdict;
}

/* ---- finding ---- */

static void report(struct verify *verify, const char *name, const char *model_path,
                   const char *folder, const char *light_stem)
{
    struct qk__case_result result = {.name = name};

    verify->found++;
    result.verdict =
        run_case(verify, model_path, folder, light_stem, result.reason, sizeof result.reason);
    verify->counts->passed += result.verdict == QK__CASE_PASSED;
    verify->counts->failed += result.verdict == QK__CASE_FAILED;
    verify->counts->unsupported += result.verdict == QK__CASE_UNSUPPORTED;
    if (verify->opts->each != NULL)
        verify->opts->each(verify->opts->arg, &result);
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);

    return length > tail && strcmp(text + length - tail, end) == 0;
}

/* A network with its answer beside it; anything else that ends in .onnx is no case. */
static void try_light(struct verify *verify, const char *path)
{
    char        stem[PATH_BYTES], answer[PATH_BYTES + 16];
    struct stat info;

    snprintf(stem, sizeof stem, "%.*s", (int)(strlen(path) - strlen(".onnx")), path);
    snprintf(answer, sizeof answer, "%s_output_0.pb", stem);
    if (stat(answer, &info) == 0)
        report(verify, path, path, NULL, stem);
}

static qk_status search(struct verify *verify, const char *path, int levels);

static qk_status search_children(struct verify *verify, const char *path, int levels)
{
    char    **names;
    size_t    count;
    qk_status status = qk__folder_list(path, &names, &count, verify->error);

    if (status != QK_OK)
        return status;
    for (size_t i = 0; i < count && status == QK_OK; i++) {
        char child[PATH_BYTES];

        if (strncmp(names[i], "test_data_set_", 14) != 0 &&
            qk__path_join(child, sizeof child, path, names[i]) == QK_OK)
            status = search(verify, child, levels - 1);
    }
    qk__folder_list_free(names, count);
    return status;
}

static qk_status search(struct verify *verify, const char *path, int levels)
{
    char        model[PATH_BYTES];
    struct stat info;

    if (stat(path, &info) != 0)
        return qk_error_set(verify->error, QK_NOT_FOUND, "%s: no such file or folder", path);
    if (!S_ISDIR(info.st_mode)) {
        if (ends_with(path, ".onnx"))
            try_light(verify, path);
        return QK_OK;
    }
    if (qk__path_join(model, sizeof model, path, "model.onnx") == QK_OK &&
        stat(model, &info) == 0) {
        report(verify, path, model, path, NULL);
        return QK_OK;
    }
    return levels > 0 ? search_children(verify, path, levels) : QK_OK;
}

qk_status qk__verify(const char *path, qk__device *device, const struct qk__verify_opts *opts,
                     struct qk__verify_counts *inout_counts, struct qk_error *error)
{
    struct verify verify = {.device = device, .opts = opts, .counts = inout_counts, .error = error};
    qk_status     status = search(&verify, path, MAX_LEVELS);

    if (status == QK_OK && verify.found == 0)
        return qk_error_set(error, QK_NOT_FOUND,
                            "%s: no case (a folder with model.onnx and test_data_set_0) in it",
                            path);
    return status;
}
