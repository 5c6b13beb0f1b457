/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h - what a run leaves behind in one folder: a row for each sighting, annotated pictures,
 * and the report. Blocks; one thread.
 */
#ifndef VISION_OUTPUT_H
#define VISION_OUTPUT_H

#include "record.h"
#include "sighting.h"

#include <stdio.h>

#define OUTPUT_MAX_PICTURES 12

/* A frame worth showing, with what was found in it. */
struct output_picture {
    char             name[160];    /* of its file, without ending */
    char             camera[64];
    qk_image         frame;    /* owned */
    struct sightings sightings;
};

/*
 * Draws a picture's sightings, writes `out`/pictures/NAME.png, and adds it to the
 * record. Errors name the file.
 */
qk_status output_picture(const char *out, const struct output_picture *picture,
                         struct record *record, struct qk_error *error);

/*
 * Opens `out`/sightings.csv, which a run fills as answers come; it has its name only once it is
 * closed. The file is the caller's until output_sightings_close(), which says whether all of it was
 * written, and after which it's gone in any case.
 */
qk_status output_sightings_open(const char *out, FILE **out_file, struct qk_error *error);
qk_status output_sightings_close(const char *out, FILE *file, struct qk_error *error);

/*
 * Adds what was found in a frame: `frame` is the name of its picture, or "" for the drawn
 * frame number `sequence`.
 */
void output_sightings_add(FILE *file, int64_t at_ms, const char *camera, const char *frame,
                          uint32_t sequence, const struct sightings *sightings);

/* Writes `out`/report.html, whole or not at all. Errors name the file. */
qk_status output_report(const char *out, const struct record *record, struct qk_error *error);

/* Makes `out` and `out`/pictures. QK_PERMISSION_DENIED and the like, naming the folder. */
qk_status output_prepare(const char *out, struct qk_error *error);

#endif
