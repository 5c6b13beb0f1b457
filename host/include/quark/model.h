/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - models for actors: acquire one on the actor's device, run it, and never mind where that
 * is.
 *
 * A model is named; one copy for each device serves all actors there. Acquiring waits for the
 * load, joins one that is under way, and counts a reader, so a model in use is never unloaded.
 * When its device fails, the next inference runs on the CPU and the actor moves there;
 * qk_model_device() tells.
 */
#ifndef QUARK_MODEL_H
#define QUARK_MODEL_H

#include "quark/actor.h"
#include "quark/image.h"
#include "quark/tensor.h"

/* A model on the actor's device; belongs to the activation, which releases it */
typedef struct qk_model qk_model;

/* Names a model file. `path`: an ONNX file. Read at first use. QK_ALREADY_EXISTS. Thread: any. */
QK_API qk_status qk_host_add_model(qk_host *host, const char *name, const char *path,
                                   struct qk_error *error);

/*
 * Names all models of a folder laid out `<name>/<version>/model.onnx`; the highest version counts.
 * Blocks.
 */
QK_API qk_status qk_host_add_models(qk_host *host, const char *folder, struct qk_error *error);

/*
 * The model on this actor's device, waiting until it is there. Errors: QK_NOT_FOUND (no such name),
 * those of reading the file, and with QK_REQUIRED those of the device. With QK_PREFERRED a device
 * that can't take it means the CPU.
 */
QK_API qk_status qk_model_acquire(qk_turn *turn, const char *name, qk_model **out_model);

/*
 * One input: a tensor, or regions of a picture made into one by cutting, resizing and
 * normalising on the device.
 */
struct qk_input {
    const qk_tensor                 *tensor;         /* or NULL, and: */
    const qk_image                  *image;
    const struct qk_rect            *regions;        /* NULL: the whole picture, once */
    size_t                           region_count;
    const struct qk_image_transform *transform;
};

/*
 * Runs the model and waits. Inputs are borrowed; `outputs` receives one owned tensor for each of
 * the model's outputs, to be freed by qk_tensor_fini(). A device that is lost or out of memory
 * meanwhile: the inference is done again on the CPU, unless the type requires a device.
 * QK_INVALID_ARGUMENT names the input whose type or shape does not fit.
 */
QK_API qk_status qk_model_infer(qk_turn *turn, qk_model *model, const struct qk_input *inputs,
                                size_t input_count, qk_tensor *outputs, size_t output_count);

/*
 * Id and name of the device it is on now, valid for the turn; and whether that is the CPU
 * although a device was wanted.
 */
QK_API const char *qk_model_device(const qk_model *model);
QK_API bool        qk_model_is_fallback(const qk_model *model);

#endif
