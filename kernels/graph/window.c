/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - see window.h. */
#include "kernels/graph/window.h"

#include <inttypes.h>
#include <string.h>

static qk_status read_auto_pad(struct qk__infer *infer, enum qk__auto_pad *out)
{
    static const char *const names[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
    const char              *name = qk__attr_string(infer->node, "auto_pad", "NOTSET");

    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum qk__auto_pad)i;
            return QK_OK;
        }
    }
    return qk__infer_wrong(infer, "auto_pad '%s' is not known", name);
}

/* `count` numbers of at least `min` from an attribute; the array keeps what it has where the node
 * has none. */
static qk_status read_sizes(struct qk__infer *infer, const char *name, uint32_t count, int64_t min,
                            int64_t *inout)
{
    size_t         given;
    const int64_t *ints = qk__attr_ints(infer->node, name, &given);

    if (ints == NULL)
        return QK_OK;
    if (given != count)
        return qk__infer_wrong(infer, "%s has %zu numbers for %" PRIu32, name, given, count);
    for (uint32_t i = 0; i < count; i++) {
        if (ints[i] < min || ints[i] > QK__WINDOW_MAX)
            return qk__infer_wrong(infer, "%s holds %" PRId64, name, ints[i]);
        inout[i] = ints[i];
    }
    return QK_OK;
}

qk_status qk__window_read(struct qk__infer *infer, const struct qk_shape *x,
                          struct qk__window *window)
{
    int64_t   pads[2 * QK__MAX_SPATIAL] = {0};
    qk_status st;

    if (x->rank < 3 || x->rank > 2 + QK__MAX_SPATIAL)
        return qk__infer_cannot(
            infer, "input of rank %" PRIu32 ": only one to three spatial axes are supported",
            x->rank);
    window->spatial = x->rank - 2;
    for (uint32_t i = 0; i < window->spatial; i++)
        window->strides[i] = window->dilations[i] = 1;
    st = read_auto_pad(infer, &window->auto_pad);
    if (st == QK_OK)
        st = read_sizes(infer, "kernel_shape", window->spatial, 1, window->kernel);
    if (st == QK_OK)
        st = read_sizes(infer, "strides", window->spatial, 1, window->strides);
    if (st == QK_OK)
        st = read_sizes(infer, "dilations", window->spatial, 1, window->dilations);
    if (st == QK_OK)
        st = read_sizes(infer, "pads", 2 * window->spatial, 0, pads);
    for (uint32_t i = 0; i < window->spatial && window->auto_pad == QK__AUTO_PAD_NOT_SET; i++) {
        window->pads_begin[i] = pads[i];
        window->pads_end[i] = pads[window->spatial + i];
    }
    return st;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* SAME: as many windows as strides fit, and the padding that this takes; the odd one goes to the
 * side that is named. */
static int64_t fit_same(struct qk__window *window, uint32_t axis, int64_t in, int64_t reach)
{
    const int64_t out = divide_up(in, window->strides[axis]);
    const int64_t needed = (out - 1) * window->strides[axis] + reach - in;
    const int64_t total = needed > 0 ? needed : 0;

    window->pads_begin[axis] =
        window->auto_pad == QK__AUTO_PAD_SAME_UPPER ? total / 2 : total - total / 2;
    window->pads_end[axis] = total - window->pads_begin[axis];
    return out;
}

static int64_t fit_padded(const struct qk__window *window, uint32_t axis, int64_t in, int64_t reach)
{
    const int64_t room = in + window->pads_begin[axis] + window->pads_end[axis] - reach;
    const int64_t stride = window->strides[axis];
    int64_t       out;

    if (room < 0)
        return 0;
    out = (window->rounds_up ? divide_up(room, stride) : room / stride) + 1;
    /* A window that would start behind the input and its first padding has nothing to look at. */
    if (window->rounds_up && (out - 1) * stride >= in + window->pads_begin[axis])
        out--;
    return out;
}

qk_status qk__window_fit(struct qk__infer *infer, const struct qk_shape *x,
                         struct qk__window *window, int64_t out_dims[QK__MAX_SPATIAL])
{
    for (uint32_t i = 0; i < window->spatial; i++) {
        const int64_t in = x->dims[i + 2];
        const int64_t reach = (window->kernel[i] - 1) * window->dilations[i] + 1;

        if (window->kernel[i] < 1)
            return qk__infer_wrong(infer, "a window without elements on axis %" PRIu32, i + 2);
        if (window->auto_pad >= QK__AUTO_PAD_SAME_UPPER)
            out_dims[i] = fit_same(window, i, in, reach);
        else
            out_dims[i] = fit_padded(window, i, in, reach);
        if (out_dims[i] <= 0)
            return qk__infer_wrong(
                infer, "a window of %" PRId64 " does not fit %" PRId64 " elements on axis %" PRIu32,
                reach, in, i + 2);
    }
    return QK_OK;
}
