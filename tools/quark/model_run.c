/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_run.c - `quark model run`: one inference on inputs from TensorProto files, outputs printed.
 */
#include "model.h"

#include "base/memory.h"
#include "kernels/model.h"
#include "scheduler/wait.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#define MAX_VALUES 64
#define SHOWN 8    /* first elements of an output, for people; --json has all */

static struct {
    const char      *device;
    struct text_list inputs;
    bool             json;
} args = {.device = "cpu"};

static const struct option run_options[] = {
    {.name = "--input",
     .value = "FILE.pb",
     .help = "a TensorProto; one for each input, in their order",
     .list = &args.inputs},
    {.name = "--device",
     .value = "ID",
     .help = "cpu, opencl, or an id that `quark devices` shows",
     .text = &args.device},
    {.name = "--json", .help = "for programs, with all elements", .flag = &args.json},
};

static const struct usage run_usage = {
    .synopsis = "quark model run FILE.onnx --input FILE.pb... [OPTION...]",
    .about = "Runs a model once and prints its outputs.",
    .options = run_options,
    .option_count = QK__COUNT_OF(run_options),
    .min_operands = 1,
    .max_operands = 1,
};

struct run {
    struct model_devices devices;
    qk__model           *model;
    qk__residence       *residence;
    qk_tensor            inputs[MAX_VALUES], outputs[MAX_VALUES];
    size_t               input_count, output_count;
};

static double element(const qk_tensor *tensor, int64_t i)
{
    switch (tensor->dtype) {
    case QK_F32: return (double)((const float *)tensor->data)[i];
    case QK_F64: return ((const double *)tensor->data)[i];
    case QK_U8:
    case QK_BOOL: return ((const uint8_t *)tensor->data)[i];
    case QK_I8: return ((const int8_t *)tensor->data)[i];
    case QK_U16: return ((const uint16_t *)tensor->data)[i];
    case QK_I16: return ((const int16_t *)tensor->data)[i];
    case QK_I32: return ((const int32_t *)tensor->data)[i];
    case QK_U32: return ((const uint32_t *)tensor->data)[i];
    case QK_I64: return (double)((const int64_t *)tensor->data)[i];
    case QK_U64: return (double)((const uint64_t *)tensor->data)[i];
    default:    /* halves: their bits, since printing is no place to convert them */
        return ((const uint16_t *)tensor->data)[i];
    }
}

static void print_text(const char *name, const qk_tensor *tensor, int64_t count)
{
    char shape[96];

    printf("%s: %s %s:", name, qk_dtype_name(tensor->dtype),
           qk_shape_print(&tensor->shape, shape, sizeof shape));
    for (int64_t i = 0; i < count && i < SHOWN; i++)
        printf(" %.7g", element(tensor, i));
    printf("%s\n", count > SHOWN ? " ..." : "");
}

static json_t *tensor_json(const char *name, const qk_tensor *tensor, int64_t count)
{
    json_t *shape = json_array(), *values = json_array();

    for (uint32_t i = 0; i < tensor->shape.rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape.dims[i]));
    for (int64_t i = 0; i < count; i++)
        json_array_append_new(values,
                              json_real(element(tensor, i)));   /* NaN and infinities become null */
    return json_pack("{s:s, s:s, s:o, s:o}", "name", name, "type", qk_dtype_name(tensor->dtype),
                     "shape", shape, "values", values);
}

static void print_outputs(const struct run *run)
{
    json_t *all = args.json ? json_array() : NULL;

    for (size_t i = 0; i < run->output_count; i++) {
        const char *name = qk__model_output(run->model, (uint32_t)i)->name;
        int64_t     count = 0;

        qk_shape_count(&run->outputs[i].shape, &count);
        if (args.json)
            json_array_append_new(all, tensor_json(name, &run->outputs[i], count));
        else
            print_text(name, &run->outputs[i], count);
    }
    if (args.json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
    }
}

static qk_status read_inputs(struct run *run, struct qk_error *error)
{
    const uint32_t wanted = qk__model_input_count(run->model);

    if (wanted > MAX_VALUES || qk__model_output_count(run->model) > MAX_VALUES)
        return qk_error_set(error, QK_UNIMPLEMENTED, "%s: more than %d inputs or outputs",
                            qk__model_name(run->model), MAX_VALUES);
    if (args.inputs.count != wanted)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "%s: has %u inputs, but --input is given %zu times",
                            qk__model_name(run->model), (unsigned)wanted, args.inputs.count);
    for (size_t i = 0; i < wanted; i++) {
        const qk_status status = qk__tensor_read_pb(args.inputs.items[i], &run->inputs[i], error);

        if (status != QK_OK)
            return status;
        run->input_count = i + 1;
    }
    run->output_count = qk__model_output_count(run->model);
    return QK_OK;
}

static void signal_done(struct qk__inference *inference, qk_status status)
{
    if (status != QK_OK)
        inference->error.status = status;
    qk__wait_signal(inference->arg);
}

static qk_status infer(struct run *run, struct qk_error *error)
{
    struct qk__input     inputs[MAX_VALUES] = {{0}};
    struct qk__wait      wait;
    struct qk__inference inference = {.inputs = inputs,
                                      .input_count = run->input_count,
                                      .outputs = run->outputs,
                                      .output_count = run->output_count,
                                      .done = signal_done,
                                      .arg = &wait};
    qk_status            status;

    for (size_t i = 0; i < run->input_count; i++)
        inputs[i] = (struct qk__input){.kind = QK__INPUT_TENSOR, .tensor = &run->inputs[i]};
    qk__wait_init(&wait);
    status = qk__residence_infer(run->residence, &inference);
    if (status == QK_OK) {
        qk__wait_until(&wait, QK__TIME_NEVER);
        status = inference.error.status;
    }
    if (status != QK_OK)
        *error = inference.error;
    error->status = status;
    return status;
}

static void clean_up(struct run *run)
{
    for (size_t i = 0; i < run->output_count; i++)
        qk_tensor_fini(&run->outputs[i]);
    for (size_t i = 0; i < run->input_count; i++)
        qk_tensor_fini(&run->inputs[i]);
    qk__residence_destroy(run->residence);
    if (run->model != NULL)
        qk__model_release(run->model);
    model_devices_close(&run->devices);
}

int model_run(int argc, char **argv)
{
    struct operands   files;
    const enum parsed parsed = parse_options(&run_usage, argc, argv, &files);
    struct qk_error   error = {0};
    struct run        run = {0};
    int               exit_code = EXIT_FINE;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    if (qk__model_read(files.items[0], NULL, &run.model, &error) != QK_OK ||
        read_inputs(&run, &error) != QK_OK ||
        model_devices_open(&run.devices, args.device, &error) != QK_OK ||
        qk__residence_create(run.model, run.devices.chosen, "quark model run", &run.residence,
                             &error) != QK_OK ||
        infer(&run, &error) != QK_OK)
        exit_code = fail_with(&error, NULL);
    else
        print_outputs(&run);
    clean_up(&run);
    return exit_code;
}
