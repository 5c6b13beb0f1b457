/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - the door of kernels/: ONNX models, and running them on devices.
 *
 *     file --qk__model_read--> qk__model --qk__residence_create--> qk__residence
 *            parsed, validated             weights on one device        |
 *                                                              qk__residence_infer
 *                                                              any thread, completes by callback
 *                                                                       v
 *                                                                    outputs
 *
 * A model is the graph and its weights in host memory, immutable, counted. A residence is that
 * model on one device: weights uploaded, kernels built, and for each shape of input that was met a
 * plan. One residence serves everybody on that device; inferences of several threads interleave on
 * the device's queues.
 * Knows nothing of actors: requests come in, completions go out.
 */
#ifndef QUARK_KERNELS_MODEL_H
#define QUARK_KERNELS_MODEL_H

#include "quark/image.h"
#include "quark/tensor.h"

#include "devices/device.h"

#include <stdatomic.h>

typedef struct qk__model qk__model;
typedef struct qk__residence qk__residence;

struct qk__model_limits {
    uint64_t max_file_bytes;    /* 0: 2 GiB */
    uint64_t max_nodes;         /* 0: 1 Mi */
    uint64_t max_tensor_bytes;  /* 0: 4 GiB: any tensor, weights and intermediates */
};

/* A value that goes into or comes out of a model. */
struct qk__model_value {
    const char     *name;
    qk_dtype        dtype;
    struct qk_shape shape;      /* -1: a dimension that the file leaves open (batch and the like) */
    const char     *dim_names[QK_TENSOR_MAX_DIMS];    /* symbolic names, or NULL */
};

/*
 * Reads and validates: graph acyclic and complete, types and attributes right, operators known,
 * sizes within limits; nothing large is allocated before that. Errors name file, node and reason:
 * QK_NOT_FOUND, QK_INVALID_ARGUMENT, QK_UNIMPLEMENTED (operator or attribute),
 * QK_RESOURCE_EXHAUSTED, QK_NO_MEMORY. Blocks. The model is the caller's reference.
 */
qk_status qk__model_read(const char *path, const struct qk__model_limits *limits,
                         qk__model **out_model, struct qk_error *error);
qk_status qk__model_parse(const char *name, const void *bytes, size_t size,
                          const struct qk__model_limits *limits, qk__model **out_model,
                          struct qk_error *error);
void      qk__model_retain(qk__model *model);
void      qk__model_release(qk__model *model);

const char *qk__model_name(const qk__model *model);
const char *qk__model_digest(const qk__model *model);    /* SHA-256 of the file, hex */
uint64_t    qk__model_weight_bytes(const qk__model *model);
uint32_t    qk__model_node_count(const qk__model *model);
uint32_t    qk__model_input_count(const qk__model *model);     /* without initialisers */
uint32_t    qk__model_output_count(const qk__model *model);
const struct qk__model_value *qk__model_input(const qk__model *model, uint32_t index);
const struct qk__model_value *qk__model_output(const qk__model *model, uint32_t index);

/*
 * An input of an inference: a tensor, or regions of a picture that are cut, resized and normalised
 * on the device into one tensor [region_count, channels, height, width].
 */
struct qk__input {
    enum { QK__INPUT_TENSOR, QK__INPUT_IMAGE } kind;
    const qk_tensor                 *tensor;
    const qk_image                  *image;
    const struct qk_rect            *regions;         /* NULL: the whole picture once */
    size_t                           region_count;
    const struct qk_image_transform *transform;
};

/*
 * Brings the model onto the device: reserves memory in the ledger under `owner` for the weights,
 * uploads them on the warm queue, and builds its programs. Blocks for all of that, up to seconds
 * with a cold program cache: call it on a lane. The residence keeps the model; it is the caller's
 * until qk__residence_destroy(). QK_NO_DEVICE_MEMORY, QK_DEVICE_LOST, QK_UNIMPLEMENTED (an operator
 * this back end can't run, named).
 */
qk_status qk__residence_create(qk__model *model, qk__device *device, const char *owner,
                               qk__residence **out_residence, struct qk_error *error);

/* No inference may be under way. NULL is fine. */
void qk__residence_destroy(qk__residence *residence);

/*
 * Plans for these input shapes and launches once on zeros, so that the first real inference pays
 * nothing. `shapes` NULL: the model's own, open dimensions being 1. Blocks.
 */
qk_status qk__residence_warm(qk__residence *residence, const struct qk_shape *shapes,
                             struct qk_error *error);

qk__device *qk__residence_device(const qk__residence *residence);
qk__model  *qk__residence_model(const qk__residence *residence);
/* Device memory: weights and plans */
uint64_t    qk__residence_bytes(const qk__residence *residence);
bool        qk__residence_is_warm(const qk__residence *residence);

struct qk__inference {
    const struct qk__input *inputs;      /* one for each model input, valid until done */
    size_t                  input_count;
    /* One for each model output, zero before; filled with owned tensors */
    qk_tensor              *outputs;
    size_t                  output_count;
    struct qk_error         error;       /* filled when the status is not QK_OK */
    /*
     * Called exactly once, on any thread; must not block. All of the struct stays valid until then.
     */
    void (*done)(struct qk__inference *inference, qk_status status);
    void *arg;
    struct qk__inference_times {
        uint64_t submitted_ns;           /* by the host's clock */
        /* By the device's where it has one: only their difference means something */
        uint64_t started_ns, ended_ns;
    } times;
    void *residence_state, *backend_state;    /* theirs while the inference is under way */
    /* Set by anyone, any time before done: nobody waits for it. One that has not begun then is not
     * computed, and its status is QK_CANCELLED, where the back end can tell: OpenCL's queues have
     * theirs already. */
    _Atomic bool is_unwanted;
};

/*
 * Submits one inference: upload, kernels, download, on the device's queues. A shape met for the
 * first time is planned first, which may block: qk__residence_is_planned() tells, and then the
 * caller goes through a lane. An error found before anything was submitted is returned and `done`
 * is not called; later ones go to `done`.
 */
qk_status qk__residence_infer(qk__residence *residence, struct qk__inference *inference);
bool      qk__residence_is_planned(const qk__residence *residence,
                                   const struct qk__inference *inference);

/* Runs a model once on tensors, blocking: for tools and tests. `outputs` as in qk__inference. */
qk_status qk__residence_run(qk__residence *residence, const qk_tensor *inputs, size_t input_count,
                            qk_tensor *outputs, size_t output_count, struct qk_error *error);

/*
 * What `quark model check` prints. JSON, the caller's to qk__free(): inputs, outputs, operators,
 * bytes, per back end what can't run.
 */
qk_status qk__model_describe(const qk__model *model, char **out_json);

/* A TensorProto file (".pb") of the ONNX backend tests, read into an owned tensor. */
qk_status qk__tensor_read_pb(const char *path, qk_tensor *out_tensor, struct qk_error *error);

#endif
