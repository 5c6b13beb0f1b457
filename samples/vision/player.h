/* SPDX-License-Identifier: Apache-2.0 */
/*
 * player.h - replays events faster than they happened: publishes the motions, sends the
 * frames, measures the answers.
 *
 * Time between motions is divided by the speed; the moment between a motion and the frame that it
 * announced is not, since that is what waking a camera has to fit into.
 *
 * One thread of its own does all of it. Answers come in on the host's workers and are
 * handed over through one lock.
 */
#ifndef VISION_PLAYER_H
#define VISION_PLAYER_H

#include "camera.h"
#include "events.h"
#include "gallery.h"
#include "record.h"

#include <stdatomic.h>

struct player;

struct player_opts {
    const struct events  *events;    /* borrowed, as is the gallery, until player_stop() */
    const struct gallery *gallery;
    enum camera_looks_for looks_for;
    double                speed;    /* 0: such that the recording takes about PLAYER_SECONDS */
    const char           *out;      /* folder for report and pictures, made if need be; copied */
    /* Of each camera: activations that ended without a frame, counted by whoever is told */
    _Atomic uint32_t     *wasted;
    /* Wait after the last frame, until foretold frames that never come have expired */
    uint64_t settle_ns;
    bool     once;         /* ask the host to stop after the recording's end; else begin again */
};

#define PLAYER_SECONDS 24

/*
 * Starts the thread. The host must have been started. QK_NO_MEMORY and what pthread_create() says.
 */
qk_status player_start(qk_host *host, const struct player_opts *opts, struct player **out_player,
                       struct qk_error *error);

/*
 * Ends the replay where it is, writes the report of what was seen, and frees the player. NULL
 * is fine. Blocks for that.
 */
void player_stop(struct player *player);

/* A frame or motion in the order and at the time that it is played, nanoseconds from the start. */
struct player_step {
    uint64_t at_ns;
    size_t   event;
};

/* Lays events out on the time line of a replay; `steps` has room for all of them. Pure. */
void player_plan(const struct events *events, double speed, struct player_step *out_steps);

/* The speed that makes the recording take about PLAYER_SECONDS; at least 1. Pure. */
double player_speed(const struct events *events);

/*
 * Marks an answer against what stood in a drawn frame: how many digits were found in place
 * with the right value. Pure.
 */
uint32_t player_mark(const struct sightings *sightings, const struct scene *scene);

#endif
