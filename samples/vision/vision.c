/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vision.c - the module: reads its options, names the model, registers the camera's
 * actor, and starts the replay.
 *
 * Options are read and files opened in init, so that a mistake is told before anything runs; see
 * docs/vision-sample.md for what each one means.
 */
#include "camera.h"
#include "events.h"
#include "gallery.h"
#include "player.h"

#include "quark/quark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARED_MODEL "vision"

struct vision {
    qk_host              *host;
    enum camera_looks_for looks_for;
    /* Files and folders; NULL: none */
    char                 *model, *events_path, *frames, *sheet, *out;
    uint64_t              cameras, seed, idle_ns, keep_ns;
    double                speed;
    bool                  once, shares_model;
    struct events         events;
    struct gallery        gallery;
    _Atomic uint32_t     *wasted;    /* of each camera */
    struct player        *player;
};

/* --- Options ---------------------------------------------------------------------------------- */

/* A file below QUARK_DATA_DIR, as a fallback for the faces setting; NULL without that folder. */
static const char *in_data_dir(const char *name, char out[4096])
{
    const char *folder = getenv("QUARK_DATA_DIR");

    if (folder == NULL || folder[0] == '\0' || snprintf(out, 4096, "%s/%s", folder, name) >= 4096)
        return NULL;
    return out;
}

static qk_status read_setting(struct vision *vision, qk_module_options *options,
                              struct qk_error *error)
{
    const char *setting = qk_option_string(options, "setting", "digits");

    if (strcmp(setting, "digits") == 0)
        vision->looks_for = CAMERA_DIGITS;
    else if (strcmp(setting, "faces") == 0)
        vision->looks_for = CAMERA_FACES;
    else
        return qk_error_set(error, QK_INVALID_ARGUMENT, "setting: '%s' is neither digits nor faces",
                            setting);
    return QK_OK;
}

static qk_status read_paths(struct vision *vision, qk_module_options *options,
                            struct qk_error *error)
{
    const bool are_faces = vision->looks_for == CAMERA_FACES;
    char       model[4096], frames[4096], events[4096];

    vision->model =
        qk_option_path(options, "model",
                       are_faces ? in_data_dir("models/face-detector/version-slim-320.onnx", model)
                                 : "models/digits/1/model.onnx");
    vision->frames =
        qk_option_path(options, "frames", are_faces ? in_data_dir("images/photos", frames) : NULL);
    vision->events_path =
        qk_option_path(options, "events",
                       are_faces ? in_data_dir("traces/uci-adl-binary-sensors/OrdonezA_Sensors.txt",
                                               events)
                                 : NULL);
    vision->sheet = qk_option_path(options, "sheet", "digits.png");
    vision->out = qk_option_path(options, "out", "out");
    if (vision->model == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "setting faces: name a `model` or set QUARK_DATA_DIR");
    if (are_faces && vision->frames == NULL)
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "setting faces: name a folder of `frames` or set QUARK_DATA_DIR");
    if (vision->sheet == NULL || vision->out == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "out of memory");
    return QK_OK;
}

static qk_status read_numbers(struct vision *vision, qk_module_options *options,
                              struct qk_error *error)
{
    qk_status status;

    vision->cameras = 12;
    vision->seed = 1;
    vision->idle_ns = 600000000;
    vision->keep_ns = 1500000000;
    status = qk_option_uint(options, "cameras", 1, EVENTS_MAX_CAMERAS, &vision->cameras, error);
    if (status == QK_OK)
        status = qk_option_uint(options, "seed", 0, UINT64_MAX, &vision->seed, error);
    if (status == QK_OK)
        status = qk_option_double(options, "speed", 0, 1e9, &vision->speed, error);
    if (status == QK_OK)
        status = qk_option_duration_ns(options, "idle", &vision->idle_ns, error);
    if (status == QK_OK)
        status = qk_option_duration_ns(options, "keep", &vision->keep_ns, error);
    if (status == QK_OK)
        status = qk_option_bool(options, "share_model", &vision->shares_model, error);
    if (status == QK_OK)
        status = qk_option_bool(options, "once", &vision->once, error);
    return status;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void log_skipped(void *arg, const char *reason)
{
    const struct vision *vision = arg;

    qk_host_log(vision->host, "vision", "frame left out: %s", reason);
}

static qk_status open_inputs(struct vision *vision, struct qk_error *error)
{
    qk_status status;

    if (vision->events_path != NULL)
        status = events_read(vision->events_path, &vision->events, error);
    else
        status = events_generate(vision->seed, (uint32_t)vision->cameras, &vision->events, error);
    if (status != QK_OK)
        return status;
    vision->wasted = calloc(vision->events.camera_count, sizeof *vision->wasted);
    if (vision->wasted == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "out of memory");
    if (vision->frames != NULL)
        return gallery_open_folder(vision->frames, log_skipped, vision, &vision->gallery, error);
    return gallery_open_scenes(vision->sheet, vision->seed, &vision->gallery, error);
}

static void count_waste(void *arg, const char *key)
{
    struct vision *vision = arg;

    for (uint32_t i = 0; i < vision->events.camera_count; i++)
        if (strcmp(vision->events.cameras[i], key) == 0)
            atomic_fetch_add(&vision->wasted[i], 1);
}

/*
 * Names the model once for all cameras, or once for each. The file is the same, read at first use.
 */
static qk_status add_models(struct vision *vision, struct qk_error *error)
{
    qk_status status = QK_OK;

    if (vision->shares_model)
        return qk_host_add_model(vision->host, SHARED_MODEL, vision->model, error);
    for (uint32_t i = 0; i < vision->events.camera_count && status == QK_OK; i++)
        status = qk_host_add_model(vision->host, vision->events.cameras[i], vision->model, error);
    return status;
}

static qk_status register_camera(struct vision *vision, struct qk_error *error)
{
    const struct camera_setup setup = {
        .looks_for = vision->looks_for,
        .model = vision->shares_model ? SHARED_MODEL : NULL,
        .idle_ns = vision->idle_ns,
        .keep_ns = vision->keep_ns,
        .wasted = count_waste,
        .arg = vision,
    };
    const qk_status status = add_models(vision, error);

    return status == QK_OK ? camera_register(vision->host, &setup, error) : status;
}

static void free_vision(struct vision *vision)
{
    gallery_close(&vision->gallery);
    events_fini(&vision->events);
    free(vision->wasted);
    free(vision->model);
    free(vision->events_path);
    free(vision->frames);
    free(vision->sheet);
    free(vision->out);
    free(vision);
}

static qk_status vision_init(qk_host *host, qk_module_options *options, void **out_state,
                             struct qk_error *error)
{
    struct vision *vision = calloc(1, sizeof *vision);
    qk_status      status;

    if (vision == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "out of memory");
    vision->host = host;
    status = read_setting(vision, options, error);
    if (status == QK_OK)
        status = read_paths(vision, options, error);
    if (status == QK_OK)
        status = read_numbers(vision, options, error);
    if (status == QK_OK)
        status = open_inputs(vision, error);
    if (status == QK_OK)
        status = register_camera(vision, error);
    if (status != QK_OK) {
        free_vision(vision);
        return status;
    }
    *out_state = vision;
    return QK_OK;
}

static qk_status vision_start(qk_host *host, void *state, struct qk_error *error)
{
    struct vision           *vision = state;
    const struct player_opts opts = {
        .events = &vision->events,
        .gallery = &vision->gallery,
        .looks_for = vision->looks_for,
        .speed = vision->speed,
        .out = vision->out,
        .wasted = vision->wasted,
        .settle_ns = vision->keep_ns + vision->idle_ns + 1500000000,
        .once = vision->once,
    };

    qk_host_log(host, "vision", "%u cameras, %zu events: %s", vision->events.camera_count,
                vision->events.count, vision->events.source);
    return player_start(host, &opts, &vision->player, error);
}

static void vision_stop(qk_host *host, void *state)
{
    struct vision *vision = state;

    (void)host;
    player_stop(vision->player);
    vision->player = NULL;
}

static void vision_fini(void *state)
{
    camera_forget();
    free_vision(state);
}

extern QK_API const struct qk_module qk_module_entry;
const struct qk_module               qk_module_entry = {
                  .abi = QK_MODULE_ABI,
                  .name = "vision",
                  .init = vision_init,
                  .start = vision_start,
                  .stop = vision_stop,
                  .fini = vision_fini,
};
