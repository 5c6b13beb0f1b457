/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c - every operator, one row for each range of versions with one meaning.
 *
 * Columns: name, domain, since, until, inputs (least, most), outputs (least, most), attributes,
 * types of input 0, flags, inputs needed by value, kind, inference, CPU, OpenCL (NULL: that back
 * end can't).
 */
#include "kernels/cpu/cpu_op.h"
#include "kernels/graph/ops.h"
#include "kernels/opencl/ops.h"

#include "base/memory.h"

#define NEWEST QK__OPSET_NEWEST
#define VARIADIC QK__OP_VARIADIC

/* Families in which many operators differ only by kind; types and flags without their prefixes. */
#define UNARY(name, since, attrs, types, flags, kind)                                              \
    {                                                                                              \
        name, "", since, NEWEST, 1, 1, 1, 1, attrs, QK__TYPES_##types, flags, 0, QK__UNARY_##kind, \
            qk__infer_unary, &qk__cpu_unary, &qk__opencl_unary                                     \
    }
#define BINARY_ROW(name, since, until, attrs, types, flags, kind)                                  \
    {                                                                                              \
        name, "", since, until, 2, 2, 1, 1, attrs, types, flags, 0, QK__BINARY_##kind,             \
            qk__infer_binary, &qk__cpu_binary, &qk__opencl_binary                                  \
    }
#define BINARY(name, since, types, flags, kind)                                                    \
    BINARY_ROW(name, since, NEWEST, "", types, flags, kind)
#define BINARY_TO_6(name, types, flags, kind)                                                      \
    BINARY_ROW(name, 1, 6, "axis:i broadcast:i", types, flags, kind)
#define REDUCE(name, kind)                                                                         \
    {name,                                                                                         \
     "",                                                                                           \
     1,                                                                                            \
     17,                                                                                           \
     1,                                                                                            \
     1,                                                                                            \
     1,                                                                                            \
     1,                                                                                            \
     "axes:I keepdims:i",                                                                          \
     QK__TYPES_NUMBER,                                                                             \
     0,                                                                                            \
     0,                                                                                            \
     QK__REDUCE_##kind,                                                                            \
     qk__infer_reduce,                                                                             \
     &qk__cpu_reduce,                                                                              \
     &qk__opencl_reduce},                                                                          \
    {                                                                                              \
        name, "", 18, NEWEST, 1, 2, 1, 1, "keepdims:i noop_with_empty_axes:i", QK__TYPES_NUMBER,   \
            0, 2, QK__REDUCE_##kind, qk__infer_reduce, &qk__cpu_reduce, &qk__opencl_reduce         \
    }

static const struct qk__op rows[] = {
    UNARY("Abs", 1, "", NUMBER, 0, ABS),
    UNARY("Neg", 1, "", NUMBER, 0, NEG),
    UNARY("Ceil", 1, "", FLOAT, 0, CEIL),
    UNARY("Floor", 1, "", FLOAT, 0, FLOOR),
    UNARY("Round", 11, "", FLOAT, 0, ROUND),
    UNARY("Sqrt", 1, "", FLOAT, 0, SQRT),
    UNARY("Exp", 1, "", FLOAT, 0, EXP),
    UNARY("Log", 1, "", FLOAT, 0, LOG),
    UNARY("Sin", 7, "", FLOAT, 0, SIN),
    UNARY("Cos", 7, "", FLOAT, 0, COS),
    UNARY("Tan", 7, "", FLOAT, 0, TAN),
    UNARY("Asin", 7, "", FLOAT, 0, ASIN),
    UNARY("Acos", 7, "", FLOAT, 0, ACOS),
    UNARY("Atan", 7, "", FLOAT, 0, ATAN),
    UNARY("Sinh", 9, "", FLOAT, 0, SINH),
    UNARY("Cosh", 9, "", FLOAT, 0, COSH),
    UNARY("Asinh", 9, "", FLOAT, 0, ASINH),
    UNARY("Acosh", 9, "", FLOAT, 0, ACOSH),
    UNARY("Atanh", 9, "", FLOAT, 0, ATANH),
    UNARY("Erf", 9, "", FLOAT, 0, ERF),
    UNARY("Sigmoid", 1, "", FLOAT, QK__OP_ACTIVATION, SIGMOID),
    UNARY("Tanh", 1, "", FLOAT, QK__OP_ACTIVATION, TANH),
    UNARY("Relu", 1, "", NUMBER, QK__OP_ACTIVATION, RELU),
    UNARY("LeakyRelu", 1, "alpha:f", FLOAT, QK__OP_ACTIVATION, LEAKY_RELU),
    UNARY("Elu", 1, "alpha:f", FLOAT, QK__OP_ACTIVATION, ELU),
    UNARY("Selu", 1, "alpha:f gamma:f", FLOAT, 0, SELU),
    UNARY("Celu", 12, "alpha:f", FLOAT, 0, CELU),
    UNARY("ThresholdedRelu", 10, "alpha:f", FLOAT, 0, THRESHOLDED_RELU),
    UNARY("HardSigmoid", 1, "alpha:f beta:f", FLOAT, 0, HARD_SIGMOID),
    UNARY("HardSwish", 14, "", FLOAT, QK__OP_ACTIVATION, HARD_SWISH),
    UNARY("Softplus", 1, "", FLOAT, 0, SOFTPLUS),
    UNARY("Softsign", 1, "", FLOAT, 0, SOFTSIGN),
    UNARY("Sign", 9, "", NUMBER, 0, SIGN),
    UNARY("Reciprocal", 1, "", FLOAT, 0, RECIPROCAL),
    {"Gelu", "", 20, NEWEST, 1, 1, 1, 1, "approximate:s", QK__TYPES_FLOAT, 0, 0, QK__UNARY_GELU,
     qk__infer_gelu, &qk__cpu_unary, &qk__opencl_unary},
    UNARY("Mish", 18, "", FLOAT, 0, MISH),
    UNARY("Swish", 24, "alpha:f", FLOAT, 0, SWISH),
    {"Clip", "", 1, 10, 1, 1, 1, 1, "min:f max:f", QK__TYPES_FLOAT, QK__OP_ACTIVATION, 0,
     QK__UNARY_CLIP, qk__infer_clip, &qk__cpu_unary, &qk__opencl_unary},
    {"Clip", "", 11, NEWEST, 1, 3, 1, 1, "", QK__TYPES_NUMBER, QK__OP_ACTIVATION, 0, QK__UNARY_CLIP,
     qk__infer_clip, &qk__cpu_unary, &qk__opencl_unary},
    UNARY("Not", 1, "", BOOL, 0, NOT),
    UNARY("IsNaN", 9, "", FLOAT, 0, IS_NAN),
    {"IsInf", "", 10, NEWEST, 1, 1, 1, 1, "detect_negative:i detect_positive:i", QK__TYPES_FLOAT, 0,
     0, QK__UNARY_IS_INF, qk__infer_is_inf, &qk__cpu_unary, &qk__opencl_unary},

    BINARY_TO_6("Add", QK__TYPES_NUMBER, QK__OP_ADD, ADD),
    BINARY("Add", 7, QK__TYPES_NUMBER, QK__OP_ADD, ADD),
    BINARY_TO_6("Sub", QK__TYPES_NUMBER, 0, SUB),
    BINARY("Sub", 7, QK__TYPES_NUMBER, 0, SUB),
    BINARY_TO_6("Mul", QK__TYPES_NUMBER, 0, MUL),
    BINARY("Mul", 7, QK__TYPES_NUMBER, 0, MUL),
    BINARY_TO_6("Div", QK__TYPES_NUMBER, 0, DIV),
    BINARY("Div", 7, QK__TYPES_NUMBER, 0, DIV),
    BINARY_TO_6("Pow", QK__TYPES_FLOAT, 0, POW),
    BINARY("Pow", 7, QK__TYPES_NUMBER, 0, POW),
    {"Mod", "", 10, NEWEST, 2, 2, 1, 1, "fmod:i", QK__TYPES_NUMBER, 0, 0, QK__BINARY_MOD,
     qk__infer_binary, &qk__cpu_binary, &qk__opencl_binary},
    {"PRelu", "", 1, NEWEST, 2, 2, 1, 1, "", QK__TYPES_FLOAT, 0, 0, QK__BINARY_PRELU,
     qk__infer_binary, &qk__cpu_binary, &qk__opencl_binary},
    BINARY_TO_6("And", QK__TYPES_BOOL, 0, AND),
    BINARY("And", 7, QK__TYPES_BOOL, 0, AND),
    BINARY_TO_6("Or", QK__TYPES_BOOL, 0, OR),
    BINARY("Or", 7, QK__TYPES_BOOL, 0, OR),
    BINARY_TO_6("Xor", QK__TYPES_BOOL, 0, XOR),
    BINARY("Xor", 7, QK__TYPES_BOOL, 0, XOR),
    BINARY_TO_6("Equal", QK__TYPES_NUMBER | QK__TYPES_BOOL, 0, EQUAL),
    BINARY("Equal", 7, QK__TYPES_NUMBER | QK__TYPES_BOOL, 0, EQUAL),
    BINARY_TO_6("Greater", QK__TYPES_NUMBER, 0, GREATER),
    BINARY("Greater", 7, QK__TYPES_NUMBER, 0, GREATER),
    BINARY_TO_6("Less", QK__TYPES_NUMBER, 0, LESS),
    BINARY("Less", 7, QK__TYPES_NUMBER, 0, LESS),
    BINARY("GreaterOrEqual", 12, QK__TYPES_NUMBER, 0, GREATER_OR_EQUAL),
    BINARY("LessOrEqual", 12, QK__TYPES_NUMBER, 0, LESS_OR_EQUAL),
    {"Sum", "", 1, NEWEST, 1, VARIADIC, 1, 1, "", QK__TYPES_FLOAT, QK__OP_ADD, 0, QK__BINARY_ADD,
     qk__infer_variadic, &qk__cpu_variadic, &qk__opencl_variadic},
    {"Mean", "", 1, NEWEST, 1, VARIADIC, 1, 1, "", QK__TYPES_FLOAT, 0, 0, QK__BINARY_ADD,
     qk__infer_mean, &qk__cpu_variadic, &qk__opencl_variadic},
    {"Max", "", 1, NEWEST, 1, VARIADIC, 1, 1, "", QK__TYPES_NUMBER, 0, 0, QK__BINARY_MAX,
     qk__infer_variadic, &qk__cpu_variadic, &qk__opencl_variadic},
    {"Min", "", 1, NEWEST, 1, VARIADIC, 1, 1, "", QK__TYPES_NUMBER, 0, 0, QK__BINARY_MIN,
     qk__infer_variadic, &qk__cpu_variadic, &qk__opencl_variadic},
    {"Where", "", 9, NEWEST, 3, 3, 1, 1, "", QK__TYPES_BOOL, 0, 0, 0, qk__infer_where,
     &qk__cpu_where, &qk__opencl_where},
    {"Cast", "", 1, 5, 1, 1, 1, 1, "to:s", QK__TYPES_ALL, 0, 0, 0, qk__infer_cast_by_name,
     &qk__cpu_cast, &qk__opencl_cast},
    {"Cast", "", 6, NEWEST, 1, 1, 1, 1, "to:i saturate:i round_mode:s", QK__TYPES_ALL, 0, 0, 0,
     qk__infer_cast, &qk__cpu_cast, &qk__opencl_cast},
    {"CastLike", "", 15, NEWEST, 2, 2, 1, 1, "saturate:i round_mode:s", QK__TYPES_ALL, 0, 0, 0,
     qk__infer_cast_like, &qk__cpu_cast, &qk__opencl_cast},

    {"Conv", "", 1, NEWEST, 2, 3, 1, 1,
     "auto_pad:s dilations:I group:i kernel_shape:I pads:I strides:I", QK__TYPES_F32,
     QK__OP_CONV | QK__OP_TAKES_ACTIVATION | QK__OP_TAKES_BIAS, 0, 0, qk__infer_conv, &qk__cpu_conv,
     &qk__opencl_conv},
    {"ConvTranspose", "", 1, NEWEST, 2, 3, 1, 1,
     "auto_pad:s dilations:I group:i kernel_shape:I output_padding:I output_shape:I pads:I "
     "strides:I",
     QK__TYPES_F32, QK__OP_TAKES_BIAS, 0, 0, qk__infer_conv_transpose, &qk__cpu_conv_transpose,
     &qk__opencl_conv},
    {"MaxPool", "", 1, NEWEST, 1, 1, 1, 2,
     "auto_pad:s ceil_mode:i dilations:I kernel_shape:I pads:I storage_order:i strides:I",
     QK__TYPES_NUMBER, 0, 0, QK__POOL_MAX, qk__infer_pool, &qk__cpu_pool, &qk__opencl_pool},
    {"AveragePool", "", 1, NEWEST, 1, 1, 1, 1,
     "auto_pad:s ceil_mode:i count_include_pad:i dilations:I kernel_shape:I pads:I strides:I",
     QK__TYPES_F32, 0, 0, QK__POOL_AVERAGE, qk__infer_pool, &qk__cpu_pool, &qk__opencl_pool},
    {"LpPool", "", 1, 1, 1, 1, 1, 1, "auto_pad:s kernel_shape:I p:f pads:I strides:I",
     QK__TYPES_F32, 0, 0, QK__POOL_LP, qk__infer_pool, &qk__cpu_pool, &qk__opencl_pool},
    {"LpPool", "", 2, NEWEST, 1, 1, 1, 1,
     "auto_pad:s ceil_mode:i dilations:I kernel_shape:I p:i pads:I strides:I", QK__TYPES_F32, 0, 0,
     QK__POOL_LP, qk__infer_pool, &qk__cpu_pool, &qk__opencl_pool},
    {"GlobalMaxPool", "", 1, NEWEST, 1, 1, 1, 1, "", QK__TYPES_F32, 0, 0, QK__POOL_MAX,
     qk__infer_global_pool, &qk__cpu_pool, &qk__opencl_pool},
    {"GlobalAveragePool", "", 1, NEWEST, 1, 1, 1, 1, "", QK__TYPES_F32, 0, 0, QK__POOL_AVERAGE,
     qk__infer_global_pool, &qk__cpu_pool, &qk__opencl_pool},
    {"GlobalLpPool", "", 1, 1, 1, 1, 1, 1, "p:f", QK__TYPES_F32, 0, 0, QK__POOL_LP,
     qk__infer_global_pool, &qk__cpu_pool, &qk__opencl_pool},
    {"GlobalLpPool", "", 2, NEWEST, 1, 1, 1, 1, "p:i", QK__TYPES_F32, 0, 0, QK__POOL_LP,
     qk__infer_global_pool, &qk__cpu_pool, &qk__opencl_pool},
    {"MatMul", "", 1, NEWEST, 2, 2, 1, 1, "", QK__TYPES_FLOAT,
     QK__OP_TAKES_ACTIVATION | QK__OP_TAKES_BIAS, 0, 0, qk__infer_matmul, &qk__cpu_matmul,
     &qk__opencl_matmul},
    {"Gemm", "", 1, 6, 3, 3, 1, 1, "alpha:f beta:f broadcast:i transA:i transB:i", QK__TYPES_FLOAT,
     QK__OP_TAKES_ACTIVATION, 0, 0, qk__infer_gemm, &qk__cpu_matmul, &qk__opencl_matmul},
    {"Gemm", "", 7, 10, 3, 3, 1, 1, "alpha:f beta:f transA:i transB:i", QK__TYPES_FLOAT,
     QK__OP_TAKES_ACTIVATION, 0, 0, qk__infer_gemm, &qk__cpu_matmul, &qk__opencl_matmul},
    {"Gemm", "", 11, NEWEST, 2, 3, 1, 1, "alpha:f beta:f transA:i transB:i", QK__TYPES_FLOAT,
     QK__OP_TAKES_ACTIVATION, 0, 0, qk__infer_gemm, &qk__cpu_matmul, &qk__opencl_matmul},

    {"BatchNormalization", "", 1, 6, 5, 5, 1, 5, "epsilon:f is_test:i momentum:f spatial:i",
     QK__TYPES_F32, QK__OP_BATCH_NORM, 0, 0, qk__infer_batch_norm, &qk__cpu_batch_norm,
     &qk__opencl_batch_norm},
    {"BatchNormalization", "", 7, 8, 5, 5, 1, 5, "epsilon:f momentum:f spatial:i", QK__TYPES_F32,
     QK__OP_BATCH_NORM, 0, 0, qk__infer_batch_norm, &qk__cpu_batch_norm, &qk__opencl_batch_norm},
    {"BatchNormalization", "", 9, 13, 5, 5, 1, 5, "epsilon:f momentum:f", QK__TYPES_F32,
     QK__OP_BATCH_NORM, 0, 0, qk__infer_batch_norm, &qk__cpu_batch_norm, &qk__opencl_batch_norm},
    {"BatchNormalization", "", 14, NEWEST, 5, 5, 1, 3, "epsilon:f momentum:f training_mode:i",
     QK__TYPES_F32, QK__OP_BATCH_NORM, 0, 0, qk__infer_batch_norm, &qk__cpu_batch_norm,
     &qk__opencl_batch_norm},
    {"InstanceNormalization", "", 1, NEWEST, 3, 3, 1, 1, "epsilon:f", QK__TYPES_F32, 0, 0, 0,
     qk__infer_instance_norm, &qk__cpu_instance_norm, &qk__opencl_instance_norm},
    {"LayerNormalization", "", 17, NEWEST, 2, 3, 1, 3, "axis:i epsilon:f stash_type:i",
     QK__TYPES_F32, 0, 0, 0, qk__infer_layer_norm, &qk__cpu_layer_norm, &qk__opencl_layer_norm},
    {"RMSNormalization", "", 23, NEWEST, 2, 2, 1, 1, "axis:i epsilon:f stash_type:i", QK__TYPES_F32,
     0, 0, 0, qk__infer_rms_norm, &qk__cpu_layer_norm, &qk__opencl_layer_norm},
    {"LRN", "", 1, NEWEST, 1, 1, 1, 1, "alpha:f beta:f bias:f size:i", QK__TYPES_F32, 0, 0, 0,
     qk__infer_lrn, &qk__cpu_lrn, &qk__opencl_lrn},
    {"LpNormalization", "", 1, NEWEST, 1, 1, 1, 1, "axis:i p:i", QK__TYPES_F32, 0, 0, 0,
     qk__infer_lp_norm, &qk__cpu_lp_norm, &qk__opencl_lp_norm},
    {"Dropout", "", 1, 6, 1, 1, 1, 2, "is_test:i ratio:f", QK__TYPES_ALL, QK__OP_VIEW, 0, 0,
     qk__infer_dropout, &qk__cpu_dropout, NULL},
    {"Dropout", "", 7, 11, 1, 1, 1, 2, "ratio:f", QK__TYPES_ALL, QK__OP_VIEW, 0, 0,
     qk__infer_dropout, &qk__cpu_dropout, NULL},
    {"Dropout", "", 12, NEWEST, 1, 3, 1, 2, "seed:i", QK__TYPES_ALL, QK__OP_VIEW, 6, 0,
     qk__infer_dropout, &qk__cpu_dropout, NULL},
    {"Softmax", "", 1, NEWEST, 1, 1, 1, 1, "axis:i", QK__TYPES_F32, 0, 0, QK__SOFTMAX,
     qk__infer_softmax, &qk__cpu_softmax, &qk__opencl_softmax},
    {"LogSoftmax", "", 1, NEWEST, 1, 1, 1, 1, "axis:i", QK__TYPES_F32, 0, 0, QK__LOG_SOFTMAX,
     qk__infer_softmax, &qk__cpu_softmax, &qk__opencl_softmax},
    {"Hardmax", "", 1, NEWEST, 1, 1, 1, 1, "axis:i", QK__TYPES_F32, 0, 0, QK__HARDMAX,
     qk__infer_softmax, &qk__cpu_softmax, &qk__opencl_softmax},

    {"ReduceSum", "", 1, 12, 1, 1, 1, 1, "axes:I keepdims:i", QK__TYPES_NUMBER, 0, 0,
     QK__REDUCE_SUM, qk__infer_reduce, &qk__cpu_reduce, &qk__opencl_reduce},
    {"ReduceSum", "", 13, NEWEST, 1, 2, 1, 1, "keepdims:i noop_with_empty_axes:i", QK__TYPES_NUMBER,
     0, 2, QK__REDUCE_SUM, qk__infer_reduce, &qk__cpu_reduce, &qk__opencl_reduce},
    REDUCE("ReduceMean", MEAN),
    REDUCE("ReduceMax", MAX),
    REDUCE("ReduceMin", MIN),
    REDUCE("ReduceProd", PROD),
    REDUCE("ReduceL1", L1),
    REDUCE("ReduceL2", L2),
    REDUCE("ReduceLogSum", LOG_SUM),
    REDUCE("ReduceLogSumExp", LOG_SUM_EXP),
    REDUCE("ReduceSumSquare", SUM_SQUARE),
    {"ArgMax", "", 1, NEWEST, 1, 1, 1, 1, "axis:i keepdims:i select_last_index:i", QK__TYPES_NUMBER,
     0, 0, 0, qk__infer_arg, &qk__cpu_arg, &qk__opencl_arg},
    {"ArgMin", "", 1, NEWEST, 1, 1, 1, 1, "axis:i keepdims:i select_last_index:i", QK__TYPES_NUMBER,
     0, 0, 1, qk__infer_arg, &qk__cpu_arg, &qk__opencl_arg},
    {"CumSum", "", 11, NEWEST, 2, 2, 1, 1, "exclusive:i reverse:i", QK__TYPES_NUMBER, 0, 2, 0,
     qk__infer_cumsum, &qk__cpu_cumsum, NULL},

    {"Identity", "", 1, NEWEST, 1, 1, 1, 1, "", QK__TYPES_ALL, QK__OP_VIEW, 0, 0,
     qk__infer_identity, &qk__cpu_view, NULL},
    {"Reshape", "", 1, 4, 1, 1, 1, 1, "shape:I", QK__TYPES_ALL, QK__OP_VIEW, 0, 0,
     qk__infer_reshape, &qk__cpu_view, NULL},
    {"Reshape", "", 5, NEWEST, 2, 2, 1, 1, "allowzero:i", QK__TYPES_ALL, QK__OP_VIEW, 2, 0,
     qk__infer_reshape, &qk__cpu_view, NULL},
    {"Flatten", "", 1, NEWEST, 1, 1, 1, 1, "axis:i", QK__TYPES_ALL, QK__OP_VIEW, 0, 0,
     qk__infer_flatten, &qk__cpu_view, NULL},
    {"Squeeze", "", 1, 12, 1, 1, 1, 1, "axes:I", QK__TYPES_ALL, QK__OP_VIEW, 0, 0,
     qk__infer_squeeze, &qk__cpu_view, NULL},
    {"Squeeze", "", 13, NEWEST, 1, 2, 1, 1, "", QK__TYPES_ALL, QK__OP_VIEW, 2, 0, qk__infer_squeeze,
     &qk__cpu_view, NULL},
    {"Unsqueeze", "", 1, 12, 1, 1, 1, 1, "axes:I", QK__TYPES_ALL, QK__OP_VIEW, 0, 0,
     qk__infer_unsqueeze, &qk__cpu_view, NULL},
    {"Unsqueeze", "", 13, NEWEST, 2, 2, 1, 1, "", QK__TYPES_ALL, QK__OP_VIEW, 2, 0,
     qk__infer_unsqueeze, &qk__cpu_view, NULL},
    {"Shape", "", 1, NEWEST, 1, 1, 1, 1, "end:i start:i", QK__TYPES_ALL, QK__OP_SHAPE_ONLY, 0, 0,
     qk__infer_shape, &qk__cpu_shape, NULL},
    {"Size", "", 1, NEWEST, 1, 1, 1, 1, "", QK__TYPES_ALL, QK__OP_SHAPE_ONLY, 0, 0, qk__infer_size,
     &qk__cpu_size, NULL},
    {"Constant", "", 1, NEWEST, 0, 0, 1, 1,
     "value:t value_float:f value_floats:F value_int:i value_ints:I", 0, 0, 0, 0,
     qk__infer_constant, &qk__cpu_constant, NULL},
    {"ConstantOfShape", "", 9, NEWEST, 1, 1, 1, 1, "value:t", QK__TYPES_INDEX, 0, 1, 0,
     qk__infer_constant_of_shape, &qk__cpu_constant, NULL},
    {"Range", "", 11, NEWEST, 3, 3, 1, 1, "", QK__TYPES_NUMBER, 0, 7, 0, qk__infer_range,
     &qk__cpu_range, NULL},
    {"EyeLike", "", 9, NEWEST, 1, 1, 1, 1, "dtype:i k:i", QK__TYPES_ALL, QK__OP_SHAPE_ONLY, 0, 0,
     qk__infer_eye_like, &qk__cpu_eye_like, NULL},

    {"Concat", "", 1, NEWEST, 1, VARIADIC, 1, 1, "axis:i", QK__TYPES_ALL, 0, 0, 0, qk__infer_concat,
     &qk__cpu_concat, &qk__opencl_concat},
    {"Split", "", 1, 1, 1, 2, 1, VARIADIC, "axis:i split:I", QK__TYPES_ALL, 0, 2, 0,
     qk__infer_split, &qk__cpu_split, &qk__opencl_split},
    {"Split", "", 2, 12, 1, 1, 1, VARIADIC, "axis:i split:I", QK__TYPES_ALL, 0, 0, 0,
     qk__infer_split, &qk__cpu_split, &qk__opencl_split},
    {"Split", "", 13, NEWEST, 1, 2, 1, VARIADIC, "axis:i num_outputs:i", QK__TYPES_ALL, 0, 2, 0,
     qk__infer_split, &qk__cpu_split, &qk__opencl_split},
    {"Slice", "", 1, 9, 1, 1, 1, 1, "axes:I ends:I starts:I", QK__TYPES_ALL, 0, 0, 0,
     qk__infer_slice, &qk__cpu_slice, &qk__opencl_slice},
    {"Slice", "", 10, NEWEST, 3, 5, 1, 1, "", QK__TYPES_ALL, 0, 30, 0, qk__infer_slice,
     &qk__cpu_slice, &qk__opencl_slice},
    {"Transpose", "", 1, NEWEST, 1, 1, 1, 1, "perm:I", QK__TYPES_ALL, 0, 0, 0, qk__infer_transpose,
     &qk__cpu_transpose, &qk__opencl_transpose},
    {"Pad", "", 1, 10, 1, 1, 1, 1, "mode:s paddings:I pads:I value:f", QK__TYPES_ALL, 0, 0, 0,
     qk__infer_pad, &qk__cpu_pad, &qk__opencl_pad},
    {"Pad", "", 11, NEWEST, 2, 4, 1, 1, "mode:s", QK__TYPES_ALL, 0, 14, 0, qk__infer_pad,
     &qk__cpu_pad, &qk__opencl_pad},
    {"Expand", "", 8, NEWEST, 2, 2, 1, 1, "", QK__TYPES_ALL, 0, 2, 0, qk__infer_expand,
     &qk__cpu_expand, &qk__opencl_expand},
    {"Tile", "", 6, NEWEST, 2, 2, 1, 1, "", QK__TYPES_ALL, 0, 2, 0, qk__infer_tile, &qk__cpu_tile,
     &qk__opencl_tile},
    {"Trilu", "", 14, NEWEST, 1, 2, 1, 1, "upper:i", QK__TYPES_ALL, 0, 2, 0, qk__infer_trilu,
     &qk__cpu_trilu, NULL},
    {"DepthToSpace", "", 1, NEWEST, 1, 1, 1, 1, "blocksize:i mode:s", QK__TYPES_ALL, 0, 0, 0,
     qk__infer_depth_to_space, &qk__cpu_block_shuffle, &qk__opencl_block_shuffle},
    {"SpaceToDepth", "", 1, NEWEST, 1, 1, 1, 1, "blocksize:i", QK__TYPES_ALL, 0, 0, 0,
     qk__infer_space_to_depth, &qk__cpu_block_shuffle, &qk__opencl_block_shuffle},
    {"Gather", "", 1, NEWEST, 2, 2, 1, 1, "axis:i", QK__TYPES_ALL, 0, 0, 0, qk__infer_gather,
     &qk__cpu_gather, &qk__opencl_gather},
    {"GatherElements", "", 11, NEWEST, 2, 2, 1, 1, "axis:i", QK__TYPES_ALL, 0, 0, 0,
     qk__infer_gather_elements, &qk__cpu_gather_elements, &qk__opencl_gather_elements},
    {"GatherND", "", 11, NEWEST, 2, 2, 1, 1, "batch_dims:i", QK__TYPES_ALL, 0, 0, 0,
     qk__infer_gather_nd, &qk__cpu_gather_nd, &qk__opencl_gather_nd},
    {"OneHot", "", 9, NEWEST, 3, 3, 1, 1, "axis:i", QK__TYPES_NUMBER, 0, 2, 0, qk__infer_one_hot,
     &qk__cpu_one_hot, NULL},
};

const struct qk__op *qk__op_rows(size_t *out_count)
{
    *out_count = QK__COUNT_OF(rows);
    return rows;
}

const struct qk__op *qk__op_find(const char *domain, const char *name, int version,
                                 struct qk_error *error)
{
    bool is_known = false;

    for (size_t i = 0; i < QK__COUNT_OF(rows); i++) {
        if (strcmp(rows[i].name, name) != 0 || strcmp(rows[i].domain, domain) != 0)
            continue;
        if (version >= rows[i].since && version <= rows[i].until)
            return &rows[i];
        is_known = true;
    }
    qk_error_set(error, QK_UNIMPLEMENTED,
                 is_known ? "operator %s%s%s of version %d is not supported"
                          : "operator %s%s%s is not supported",
                 domain, domain[0] != '\0' ? "." : "", name, version);
    return NULL;
}
