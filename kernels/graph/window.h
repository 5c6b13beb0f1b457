/* SPDX-License-Identifier: Apache-2.0 */
/* window.h - the sliding windows of convolutions and pools: attributes, paddings, and how many fit.
 */
#ifndef QUARK_KERNELS_GRAPH_WINDOW_H
#define QUARK_KERNELS_GRAPH_WINDOW_H

#include "kernels/graph/infer.h"

#define QK__WINDOW_MAX                                                                             \
    (1 << 30) /* of any kernel, stride, dilation or padding: no sum of a few overflows */

enum qk__auto_pad {
    QK__AUTO_PAD_NOT_SET,
    QK__AUTO_PAD_VALID,
    QK__AUTO_PAD_SAME_UPPER,
    QK__AUTO_PAD_SAME_LOWER
};

struct qk__window {
    uint32_t          spatial;
    int64_t           kernel[QK__MAX_SPATIAL], strides[QK__MAX_SPATIAL], dilations[QK__MAX_SPATIAL];
    int64_t           pads_begin[QK__MAX_SPATIAL], pads_end[QK__MAX_SPATIAL];
    enum qk__auto_pad auto_pad;
    bool              rounds_up; /* ceil_mode */
};

/* Reads strides, dilations, pads, auto_pad and kernel_shape (where absent, `kernel` stays as it
 * is). `x`: [n, c, ...]. */
qk_status qk__window_read(struct qk__infer *infer, const struct qk_shape *x,
                          struct qk__window *window);

/* Resolves auto_pad, and how many windows fit along each axis. An error where none does. */
qk_status qk__window_fit(struct qk__infer *infer, const struct qk_shape *x,
                         struct qk__window *window, int64_t out_dims[QK__MAX_SPATIAL]);

#endif
