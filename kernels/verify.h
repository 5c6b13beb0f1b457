/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h - models held against stored answers: the folders of the ONNX backend tests.
 *
 *     CASE/model.onnx, CASE/test_data_set_N/input_M.pb, output_M.pb
 *         one case, any number of data sets
 *     DIR/light_X.onnx, DIR/light_X_output_0.pb
 *         a network whose input is i/n for element i of n
 *
 * A folder is searched for cases, down to a few levels. Thread: any, blocks.
 */
#ifndef QUARK_KERNELS_VERIFY_H
#define QUARK_KERNELS_VERIFY_H

#include "kernels/model.h"

enum qk__verdict {
    QK__CASE_PASSED,
    QK__CASE_FAILED,
    /* Refused with QK_UNIMPLEMENTED: an operator, attribute or type that is not there */
    QK__CASE_UNSUPPORTED,
};

struct qk__case_result {
    const char      *name;        /* path of the case, as it was found */
    enum qk__verdict verdict;
    char             reason[256];    /* empty when passed */
};

struct qk__verify_opts {
    /*
     * Floats: |got - expected| <= atol + rtol |expected| + 1e-6 max |expected|, the last for what
     * rounding leaves of sums that nearly cancel. Both 0: 1e-3 and 1e-7, as the ONNX runner has
     * them. Integers are equal.
     */
    double rtol, atol;
    void (*each)(void *arg, const struct qk__case_result *result);    /* in order of path */
    void *arg;
};

struct qk__verify_counts {
    size_t passed, failed, unsupported;
};

/*
 * Runs every case under `path` (a case, or a folder of folders) on `device` and adds to
 * `inout_counts`. QK_NOT_FOUND when there is none; a case that fails is a count, not an error.
 */
qk_status qk__verify(const char *path, qk__device *device, const struct qk__verify_opts *opts,
                     struct qk__verify_counts *inout_counts, struct qk_error *error);

#endif
