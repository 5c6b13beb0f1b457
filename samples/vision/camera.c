/* SPDX-License-Identifier: Apache-2.0 */
/*
 * camera.c - turn zero acquires the model, each further turn reads one frame.
 */
#include "camera.h"

#include "digits.h"
#include "faces.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Saved as it stands here. */
struct counts {
    uint64_t frames, sightings;
};

struct camera {
    struct counts counts;
    qk_model     *model;
    bool          had_frame;    /* since it was activated */
};

static struct camera_setup current;    /* written before the host starts, read by handlers */
static atomic_bool         is_taken;

/*
 * Models that met the shape of frames, one bit of a small hash for each key; the host warms later
 * loads of them for it. Two keys that share a bit cost one of them a slower first frame, no more.
 */
static _Atomic uint64_t rehearsed[16];

double camera_confidence(float strength)
{
    const double confidence = 0.3 + 0.9 * (double)strength;

    return confidence < 0 ? 0 : confidence > 1 ? 1 : confidence;
}

static bool foresee(void *arg, const struct qk_event_view *event, struct qk_forecast *forecast)
{
    struct motion motion;

    (void)arg;
    if (event->size_bytes != sizeof motion)
        return false;
    memcpy(&motion, event->bytes, sizeof motion);
    forecast->confidence = camera_confidence(motion.strength);
    return true;
}

static bool is_rehearsed(const char *model)
{
    const size_t words = sizeof rehearsed / sizeof rehearsed[0];
    uint64_t     hash = 14695981039346656037u;    /* FNV-1a */

    for (; *model != '\0'; model++)
        hash = (hash ^ (uint8_t)*model) * 1099511628211u;
    hash ^= hash >> 32;

    const uint64_t bit = 1ull << (hash & 63);

    return (atomic_fetch_or(&rehearsed[(hash >> 6) % words], bit) & bit) != 0;
}

static qk_status activate(qk_turn *turn, void *self)
{
    struct camera  *camera = self;
    const char     *name = current.model != NULL ? current.model : qk_turn_key(turn);
    const qk_status status = qk_model_acquire(turn, name, &camera->model);

    if (status != QK_OK || current.looks_for != CAMERA_DIGITS || is_rehearsed(name))
        return status;
    return digits_rehearse(turn, camera->model);
}

static void deactivate(qk_turn *turn, void *self)
{
    const struct camera *camera = self;

    if (!camera->had_frame)
        current.wasted(current.arg, qk_turn_key(turn));
}

static qk_status analyze(qk_turn *turn, void *self, const void *request, void *reply)
{
    struct camera               *camera = self;
    const struct camera_request *asked = request;
    struct camera_answer        *answer = reply;
    qk_status                    status;

    answer->warmth = qk_turn_warmth(turn);
    answer->began_ns = qk_turn_now_ns(turn);
    camera->had_frame = true;
    status = current.looks_for == CAMERA_DIGITS
                 ? digits_read(turn, camera->model, asked->frame, &answer->sightings)
                 : faces_find(turn, camera->model, asked->frame, &answer->sightings);
    if (status != QK_OK)
        return status;

    camera->counts.frames++;
    camera->counts.sightings += answer->sightings.count;
    answer->frames_ever = camera->counts.frames;
    answer->sightings_ever = camera->counts.sightings;
    answer->is_fallback = qk_model_is_fallback(camera->model);
    (void)snprintf(answer->device, sizeof answer->device, "%s", qk_model_device(camera->model));
    return qk_state_save(turn, "counts");
}

static const struct qk_method methods[] = {
    [CAMERA_ANALYZE] = {"Analyze", analyze, sizeof(struct camera_request),
                        sizeof(struct camera_answer)},
};

static const struct qk_named_state states[] = {
    {"counts", offsetof(struct camera, counts), sizeof(struct counts)},
};

static struct qk_predicted_by predicted_by = {.trigger = MOTION_STREAM, .rule = foresee};

static struct qk_type type = {
    .size = sizeof type,
    .name = CAMERA_TYPE,
    .self_bytes = sizeof(struct camera),
    .activate = activate,
    .deactivate = deactivate,
    .methods = methods,
    .method_count = sizeof methods / sizeof methods[0],
    .states = states,
    .state_count = sizeof states / sizeof states[0],
    .predicted_by = &predicted_by,
    .predicted_by_count = 1,
    .device = QK_PREFERRED,
};

qk_status camera_register(qk_host *host, const struct camera_setup *setup, struct qk_error *error)
{
    qk_status status;

    if (atomic_exchange(&is_taken, true))
        return qk_error_set(error, QK_FAILED_PRECONDITION, "serves another host in this process");
    current = *setup;
    for (size_t i = 0; i < sizeof rehearsed / sizeof rehearsed[0]; i++)
        atomic_store(&rehearsed[i], 0);
    predicted_by.keep_ns = setup->keep_ns;
    type.model = setup->model;
    type.idle_timeout_ns = setup->idle_ns;
    status = qk_host_register(host, &type, error);
    if (status != QK_OK)
        camera_forget();
    return status;
}

void camera_forget(void)
{
    current = (struct camera_setup){0};
    atomic_store(&is_taken, false);
}
