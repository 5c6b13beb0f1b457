/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params.h - what an operator does, once the shapes are known: one struct for each family.
 *
 * A family's inference function fills it, so that a back end never reads an attribute, knows no
 * opset, and sees axes counted from the front, paddings resolved, and parameters that the file
 * gives as constant inputs in here. Shapes of inputs and outputs are in the plan's values.
 */
#ifndef QUARK_KERNELS_GRAPH_PARAMS_H
#define QUARK_KERNELS_GRAPH_PARAMS_H

#include "quark/tensor.h"

#define QK__MAX_SPATIAL 3

/* One input, one output of the same shape. alpha, beta (gamma): attributes, with the operator's
 * defaults filled in. */
enum qk__unary_kind {
    QK__UNARY_IDENTITY,
    QK__UNARY_ABS,
    QK__UNARY_NEG,
    QK__UNARY_CEIL,
    QK__UNARY_FLOOR,
    QK__UNARY_ROUND, /* half to even */
    QK__UNARY_SQRT,
    QK__UNARY_EXP,
    QK__UNARY_LOG,
    QK__UNARY_SIN,
    QK__UNARY_COS,
    QK__UNARY_TAN,
    QK__UNARY_ASIN,
    QK__UNARY_ACOS,
    QK__UNARY_ATAN,
    QK__UNARY_SINH,
    QK__UNARY_COSH,
    QK__UNARY_ASINH,
    QK__UNARY_ACOSH,
    QK__UNARY_ATANH,
    QK__UNARY_ERF,
    QK__UNARY_SIGMOID,
    QK__UNARY_TANH,
    QK__UNARY_RELU,
    QK__UNARY_LEAKY_RELU,       /* x < 0 ? alpha x : x */
    QK__UNARY_ELU,              /* x < 0 ? alpha (e^x - 1) : x */
    QK__UNARY_SELU,             /* x <= 0 ? beta alpha (e^x - 1) : beta x */
    QK__UNARY_CELU,             /* max(0, x) + min(0, alpha (e^(x / alpha) - 1)) */
    QK__UNARY_THRESHOLDED_RELU, /* x > alpha ? x : 0 */
    QK__UNARY_HARD_SIGMOID,     /* max(0, min(1, alpha x + beta)) */
    QK__UNARY_HARD_SWISH,       /* x max(0, min(1, x / 6 + 0.5)) */
    QK__UNARY_SOFTPLUS,
    QK__UNARY_SOFTSIGN,
    QK__UNARY_SIGN,
    QK__UNARY_RECIPROCAL,
    QK__UNARY_GELU, /* by erf */
    QK__UNARY_GELU_TANH,
    QK__UNARY_MISH,
    QK__UNARY_SWISH,  /* x sigmoid(alpha x) */
    QK__UNARY_CLIP,   /* max(alpha, min(beta, x)); infinite where there is no limit */
    QK__UNARY_NOT,    /* bool to bool */
    QK__UNARY_IS_NAN, /* to bool */
    QK__UNARY_IS_INF, /* to bool; alpha: negative counts, beta: positive counts */
};

struct qk__unary_params {
    enum qk__unary_kind kind;
    double              alpha, beta;
    /* CLIP whose limits only the run knows: then step input 1 and 2 (either may be absent) are
     * scalars that hold them. */
    bool has_limit_inputs;
};

/* Two inputs, broadcast against each other. */
enum qk__binary_kind {
    QK__BINARY_ADD,
    QK__BINARY_SUB,
    QK__BINARY_MUL,
    QK__BINARY_DIV,  /* integers: toward zero */
    QK__BINARY_POW,  /* the exponent may be of another type */
    QK__BINARY_MOD,  /* sign of the divisor */
    QK__BINARY_FMOD, /* sign of the dividend */
    QK__BINARY_MAX,
    QK__BINARY_MIN,
    QK__BINARY_PRELU, /* a < 0 ? a b : a */
    QK__BINARY_AND,   /* bool */
    QK__BINARY_OR,
    QK__BINARY_XOR,
    QK__BINARY_EQUAL, /* to bool */
    QK__BINARY_GREATER,
    QK__BINARY_LESS,
    QK__BINARY_GREATER_OR_EQUAL,
    QK__BINARY_LESS_OR_EQUAL,
};

struct qk__binary_params {
    enum qk__binary_kind kind;
    struct qk_shape b_shape; /* second input's shape to broadcast by: with the `axis` of opset 6 and
                                before applied */
};

/* Any number of inputs of one type, broadcast together: SUM and MEAN too, then `scale` is 1 / count
 * for MEAN, else 1. */
struct qk__variadic_params {
    enum qk__binary_kind kind; /* ADD, MAX, MIN */
    float                scale;
};

/* Cast: the types are those of input and output. Where: inputs condition, x, y broadcast together.
 * Neither has parameters. */

/* Conv: x, weights, optional bias. ConvTranspose: likewise, with pads resolved from output_shape.
 */
struct qk__conv_params {
    uint32_t spatial; /* 1, 2, 3 */
    int64_t  kernel[QK__MAX_SPATIAL], strides[QK__MAX_SPATIAL], dilations[QK__MAX_SPATIAL];
    int64_t  pads_begin[QK__MAX_SPATIAL], pads_end[QK__MAX_SPATIAL];
    int64_t  group;
    bool     is_transposed;
};

/* Pools, global ones too (kernel = the whole). Reading outside counts as nothing, or as zero with
 * count_include_pad. */
enum qk__pool_kind { QK__POOL_MAX, QK__POOL_AVERAGE, QK__POOL_LP };

struct qk__pool_params {
    enum qk__pool_kind kind;
    uint32_t           spatial;
    int64_t kernel[QK__MAX_SPATIAL], strides[QK__MAX_SPATIAL], dilations[QK__MAX_SPATIAL];
    int64_t pads_begin[QK__MAX_SPATIAL],
        pads_end[QK__MAX_SPATIAL]; /* as given; ceil_mode may read further */
    bool   count_include_pad;
    bool   is_global;
    bool   column_major_indices; /* storage_order of MaxPool's second output */
    double p;                    /* LP */
};

/* Gemm: alpha A' B' + beta C, C (optional third input) broadcast to [m, n]. MatMul: alpha 1, no C
 * unless fused in. */
struct qk__matmul_params {
    bool            trans_a, trans_b;
    float           alpha, beta;
    int64_t         m, n, k;
    struct qk_shape batch;   /* of the output; rank 0 for plain matrices */
    struct qk_shape a_batch; /* of the inputs, filled with 1 in front to the rank of `batch`:
                                broadcast by these */
    struct qk_shape b_batch;
};

/* x, scale, bias, mean, variance */
struct qk__batch_norm_params {
    float epsilon;
};

/* InstanceNormalization: over all but the first two axes, scale and bias by channel. */
struct qk__instance_norm_params {
    float epsilon;
};

/* LayerNormalization, RMSNormalization: `inner` elements normalised, `outer` times; scale and
 * optional bias broadcast to x. */
struct qk__layer_norm_params {
    int64_t  outer, inner;
    uint32_t axis;
    float    epsilon;
    bool     is_rms;
};

struct qk__lrn_params {
    int64_t size;
    float   alpha, beta, bias;
};

struct qk__lp_norm_params {
    int64_t outer, length, inner;
    int64_t p; /* 1, 2 */
};

/* Softmax and its kin over `length` elements that lie `inner` apart, outer * inner times. */
enum qk__softmax_kind { QK__SOFTMAX, QK__LOG_SOFTMAX, QK__HARDMAX };

struct qk__softmax_params {
    enum qk__softmax_kind kind;
    int64_t               outer, length, inner;
};

enum qk__reduce_kind {
    QK__REDUCE_SUM,
    QK__REDUCE_MEAN,
    QK__REDUCE_MAX,
    QK__REDUCE_MIN,
    QK__REDUCE_PROD,
    QK__REDUCE_L1,
    QK__REDUCE_L2,
    QK__REDUCE_LOG_SUM,
    QK__REDUCE_LOG_SUM_EXP,
    QK__REDUCE_SUM_SQUARE,
};

struct qk__reduce_params {
    enum qk__reduce_kind kind;
    bool is_reduced[QK_TENSOR_MAX_DIMS]; /* axes of the input; none set: a plain (mapped) copy */
};

/* ArgMax, ArgMin: int64 out. */
struct qk__arg_params {
    bool    is_min, select_last;
    int64_t outer, length, inner;
};

struct qk__concat_params {
    uint32_t axis;
};

struct qk__split_params {
    uint32_t axis; /* the sizes are those of the outputs */
};

/* out[i] = in[start + i * step], by axis; counts are the output's dimensions. */
struct qk__slice_params {
    int64_t start[QK_TENSOR_MAX_DIMS], step[QK_TENSOR_MAX_DIMS];
};

struct qk__transpose_params {
    uint32_t perm[QK_TENSOR_MAX_DIMS]; /* output axis i is input axis perm[i] */
};

enum qk__pad_mode { QK__PAD_CONSTANT, QK__PAD_REFLECT, QK__PAD_EDGE, QK__PAD_WRAP };

struct qk__pad_params {
    enum qk__pad_mode mode;
    int64_t           before[QK_TENSOR_MAX_DIMS], after[QK_TENSOR_MAX_DIMS]; /* negative: cut off */
    double            value; /* CONSTANT; in the type of the data */
};

/* Gather, GatherElements: indices may be negative; int32 or int64. GatherND has no parameters but
 * batch_dims. */
struct qk__gather_params {
    uint32_t axis;
    uint32_t batch_dims; /* GatherND */
};

/* Constant, ConstantOfShape: always folded. The output is `bytes`, or `bytes` over and over. */
struct qk__constant_params {
    const void *bytes;
    size_t      size_bytes;
};

/* Shape (dimensions from `start`), Size: always folded. */
struct qk__shape_params {
    uint32_t start;
};

/* Range: always folded; start and step as the type of the output. */
struct qk__range_params {
    double  start, step;
    int64_t int_start, int_step;
};

/* CumSum over `length` elements that lie `inner` apart, outer * inner times. */
struct qk__cumsum_params {
    int64_t outer, length, inner;
    bool    is_exclusive, is_reverse;
};

/* Trilu: the last two axes; keeps what lies on or above (is_upper) or below diagonal `k`. EyeLike:
 * ones on diagonal `k`. */
struct qk__diagonal_params {
    int64_t k;
    bool    is_upper;
};

/* OneHot: a new axis of `depth` at `axis`; values [off, on] are step input 2. */
struct qk__one_hot_params {
    int64_t outer, depth, inner;
};

/* Expand and Tile need none: the shapes of input and output say all (Tile: out[i] = in[i %
 * in_dim]). */

/* DepthToSpace, SpaceToDepth: the input seen as `view`, transposed by `perm`, seen as the output.
 */
struct qk__block_shuffle_params {
    struct qk_shape view;
    uint32_t        perm[QK_TENSOR_MAX_DIMS];
};

enum qk__resize_mode { QK__RESIZE_NEAREST, QK__RESIZE_LINEAR, QK__RESIZE_CUBIC };
enum qk__resize_coords {
    QK__COORDS_HALF_PIXEL,
    QK__COORDS_HALF_PIXEL_SYMMETRIC,
    QK__COORDS_PYTORCH_HALF_PIXEL,
    QK__COORDS_ALIGN_CORNERS,
    QK__COORDS_ASYMMETRIC,
};
enum qk__resize_nearest {
    QK__NEAREST_PREFER_FLOOR,
    QK__NEAREST_PREFER_CEIL,
    QK__NEAREST_FLOOR,
    QK__NEAREST_CEIL
};

struct qk__resize_params {
    enum qk__resize_mode    mode;
    enum qk__resize_coords  coords;
    enum qk__resize_nearest nearest;
    float                   scales[QK_TENSOR_MAX_DIMS];
    float                   cubic_a;
    bool                    exclude_outside;
};

#endif
