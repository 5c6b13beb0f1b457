/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - `quark model`: finds the part that is meant. See model.h. */
#include "model.h"

#include "base/memory.h"

#include <stdio.h>

static const struct part {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} parts[] = {
    {"check", "reads and validates a model, and tells what is in it", model_check},
    {"verify", "runs cases with known answers and compares", model_verify},
    {"run", "one inference on given inputs", model_run},
};

static int show_help(FILE *to)
{
    fputs("usage: quark model PART ...\nONNX models.\n", to);
    for (size_t i = 0; i < QK__COUNT_OF(parts); i++)
        fprintf(to, "  %-8s %s\n", parts[i].name, parts[i].summary);
    fputs("`quark model PART --help` tells of one.\n", to);
    return to == stdout ? EXIT_FINE : EXIT_USAGE;
}

static int model(int argc, char **argv)
{
    if (argc < 2)
        return show_help(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return show_help(stdout);
    for (size_t i = 0; i < QK__COUNT_OF(parts); i++) {
        if (strcmp(parts[i].name, argv[1]) == 0)
            return parts[i].run(argc - 1, argv + 1);
    }
    return fail(EXIT_USAGE, "model %s: there are check, verify and run", argv[1]);
}

const struct command command_model = {"model", "ONNX models: check, verify, run", model};

static qk__device *first_that_takes_programs(qk__device_set *set)
{
    for (size_t i = 0; i < qk__device_count(set); i++) {
        if (qk__device_info(qk__device_at(set, i))->runs_programs)
            return qk__device_at(set, i);
    }
    return NULL;
}

static qk__device *choose(qk__device_set *set, const char *wanted)
{
    if (strcmp(wanted, "cpu") == 0)
        return qk__device_cpu(set);
    return strcmp(wanted, "opencl") == 0 ? first_that_takes_programs(set)
                                         : qk__device_find(set, wanted);
}

qk_status model_devices_open(struct model_devices *devices, const char *wanted,
                             struct qk_error *error)
{
    const struct qk__topology_source here = {NULL, NULL};
    const struct qk__device_opts     opts = {.use_opencl = strcmp(wanted, "cpu") != 0};
    qk_status                        status;

    *devices = (struct model_devices){NULL, NULL, NULL};
    status = qk__topology_load(&here, &devices->topology, error);
    if (status == QK_OK)
        status = qk__device_set_open(devices->topology, &opts, &devices->set, error);
    if (status != QK_OK)
        return status;
    devices->chosen = choose(devices->set, wanted);
    if (devices->chosen != NULL)
        return QK_OK;
    return qk_error_set(
        error, QK_NO_DEVICE, "no device '%s' here%s%s; `quark devices` lists them", wanted,
        qk__device_note_count(devices->set) > 0 ? ": " : "",
        qk__device_note_count(devices->set) > 0 ? qk__device_note_at(devices->set, 0) : "");
}

void model_devices_close(struct model_devices *devices)
{
    if (devices->set != NULL)
        qk__device_set_close(devices->set);
    if (devices->topology != NULL)
        qk__topology_destroy(devices->topology);
}
