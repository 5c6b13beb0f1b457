/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h - what a run leaves behind: annotated pictures and the report, in one folder. Blocks; one thread.
 */
#ifndef VISION_OUTPUT_H
#define VISION_OUTPUT_H

#include "record.h"
#include "sighting.h"

#define OUTPUT_MAX_PICTURES 12

/* A frame worth showing, with what was found in it. */
struct output_picture {
    char             name[160];    /* of its file, without ending */
    char             camera[64];
    qk_image         frame;    /* owned */
    struct sightings sightings;
};

/* Draws a picture's sightings, writes `out`/pictures/NAME.png, and adds it to the record. Errors name the file. */
qk_status output_picture(const char *out, const struct output_picture *picture, struct record *record,
                         struct qk_error *error);

/* Writes `out`/report.html, whole or not at all. Errors name the file. */
qk_status output_report(const char *out, const struct record *record, struct qk_error *error);

/* Makes `out` and `out`/pictures. QK_PERMISSION_DENIED and the like, naming the folder. */
qk_status output_prepare(const char *out, struct qk_error *error);

#endif
