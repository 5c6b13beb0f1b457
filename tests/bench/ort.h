/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ort.h - the same inference by ONNX Runtime, in a Python of its own, so that Quark and a peer
 * stand side by side. Blocks for the whole measurement.
 */
#ifndef QUARK_TESTS_BENCH_ORT_H
#define QUARK_TESTS_BENCH_ORT_H

#include "quark/status.h"

#include <stdint.h>

struct qk_ort_job {
    const char *model;      /* an ONNX file */
    uint32_t    threads;
    uint64_t    count;      /* inferences to time */
};

struct qk_ort_figures {
    double p50_us, p99_us;
    /* Mean of the absolute values of all outputs, for inputs made by qk_ort_input() */
    double checksum;
    char   version[32];
};

/*
 * Runs ort_infer.py by $QUARK_ORT_PYTHON, else by python3. QK_UNAVAILABLE with one sentence: no
 * such program, no module onnxruntime, or a model that it refuses.
 */
qk_status qk_ort_run(const struct qk_ort_job *job, struct qk_ort_figures *out_figures,
                     struct qk_error *error);

/* The i-th element of every input, here and in ort_infer.py: spread over [0, 1) without pattern. */
static inline float qk_ort_input(uint64_t i)
{
    return (float)((uint32_t)(i * 2654435761u) >> 8) / 16777216.0f;
}

#endif
