/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include "annotate.h"
#include "numbers.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static qk_status system_error(struct qk_error *error, const char *path)
{
    const int       reason = errno;
    const qk_status status = reason == EACCES || reason == EROFS ? QK_PERMISSION_DENIED
                             : reason == ENOSPC                  ? QK_RESOURCE_EXHAUSTED
                                                                 : QK_UNAVAILABLE;

    return qk_error_set(error, status, "%s: %s", path, strerror(reason));
}

static qk_status path_in(char out_path[4096], const char *folder, const char *name,
                         struct qk_error *error)
{
    if (snprintf(out_path, 4096, "%s/%s", folder, name) >= 4096)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: the path is too long", folder);
    return QK_OK;
}

/* Makes a folder and those above it. */
static qk_status make_folders(char *path, struct qk_error *error)
{
    for (char *slash = path + 1;; slash++) {
        const char kept = *slash;

        if (kept != '/' && kept != '\0')
            continue;
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return system_error(error, path);
        *slash = kept;
        if (kept == '\0')
            return QK_OK;
    }
}

qk_status output_prepare(const char *out, struct qk_error *error)
{
    char      path[4096];
    qk_status status = path_in(path, out, "pictures", error);

    if (status == QK_OK)
        status = make_folders(path, error);
    if (status == QK_OK && access(path, W_OK | X_OK) != 0)
        status = system_error(error, path);
    return status;
}

/* Beside it first, then over it: a reader never sees half a file. */
static qk_status write_whole(const char *path, const void *bytes, size_t size,
                             struct qk_error *error)
{
    char  beside[4096];
    FILE *file;
    bool  is_written;

    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: the path is too long", path);
    file = fopen(beside, "wb");
    if (file == NULL)
        return system_error(error, beside);
    is_written = fwrite(bytes, 1, size, file) == size;
    if (fclose(file) != 0 || !is_written || rename(beside, path) != 0) {
        const qk_status status = system_error(error, path);

        (void)unlink(beside);
        return status;
    }
    return QK_OK;
}

/* Green when sure, amber when not quite. */
static void color_of(float score, uint8_t color[3])
{
    static const uint8_t sure[3] = {64, 220, 120}, unsure[3] = {255, 176, 32};

    memcpy(color, score >= 0.9f ? sure : unsure, 3);
}

static qk_status draw(const struct output_picture *picture, bool are_digits, qk_image *out_image)
{
    struct annotation annotations[SIGHTINGS_MAX];

    for (uint32_t i = 0; i < picture->sightings.count; i++) {
        const struct sighting *sighting = &picture->sightings.items[i];

        annotations[i].box = sighting->box;
        color_of(sighting->score, annotations[i].color);
        if (are_digits)
            (void)snprintf(annotations[i].label, sizeof annotations[i].label, "%u",
                           sighting->value);
        else
            (void)snprintf(annotations[i].label, sizeof annotations[i].label, "face %.0f%%",
                           100 * (double)sighting->score);
    }
    return annotate(&picture->frame, annotations, picture->sightings.count, out_image);
}

/* "reads 4071, 93", "2 faces", "no face". */
static void say(const struct output_picture *picture, bool are_digits, char out[RECORD_TEXT])
{
    const uint32_t count = picture->sightings.count;
    char           numbers[RECORD_TEXT - 8];

    if (are_digits && count > 0) {
        (void)numbers_print(&picture->sightings, numbers, sizeof numbers);
        (void)snprintf(out, RECORD_TEXT, "reads %s", numbers);
    } else if (count > 1)
        (void)snprintf(out, RECORD_TEXT, "%u faces", count);
    else
        (void)snprintf(out, RECORD_TEXT, "%s %s", count == 0 ? "no" : "one",
                       are_digits ? "digit" : "face");
}

qk_status output_picture(const char *out, const struct output_picture *picture,
                         struct record *record, struct qk_error *error)
{
    const bool            are_digits = strcmp(record->unit, "digits") == 0;
    struct record_picture entry = {.png = NULL};
    qk_image              drawn = {0};
    char                  name[192], path[4096];
    qk_status             status = draw(picture, are_digits, &drawn);

    if (status != QK_OK)
        return qk_error_set(error, status, "%s: out of memory", picture->name);
    status = qk_image_encode_png(&drawn, &entry.png, &entry.png_bytes, error);
    qk_image_fini(&drawn);
    if (status != QK_OK)
        return status;
    (void)snprintf(entry.title, sizeof entry.title, "%.60s", picture->camera);
    say(picture, are_digits, entry.text);
    (void)snprintf(name, sizeof name, "pictures/%s.png", picture->name);
    status = path_in(path, out, name, error);
    if (status == QK_OK)
        status = write_whole(path, entry.png, entry.png_bytes, error);
    if (status != QK_OK) {
        free(entry.png);
        return status;
    }
    status = record_add_picture(record, &entry);
    return status == QK_OK ? QK_OK : qk_error_set(error, status, "%s: out of memory", path);
}

qk_status output_report(const char *out, const struct record *record, struct qk_error *error)
{
    char      path[4096], *html;
    size_t    size;
    qk_status status = path_in(path, out, "report.html", error);

    if (status != QK_OK)
        return status;
    status = report_html(record, &html, &size);
    if (status != QK_OK)
        return qk_error_set(error, status, "%s: out of memory", path);
    status = write_whole(path, html, size, error);
    free(html);
    return status;
}

#define SIGHTINGS     "sightings.csv"
#define SIGHTINGS_NEW SIGHTINGS ".new"

qk_status output_sightings_open(const char *out, FILE **out_file, struct qk_error *error)
{
    char      path[4096];
    qk_status status = path_in(path, out, SIGHTINGS_NEW, error);
    FILE     *file;

    if (status != QK_OK)
        return status;
    file = fopen(path, "w");
    if (file == NULL)
        return system_error(error, path);
    (void)fprintf(file, "timestamp_ms,camera,frame,value,score,x,y,width,height\n");
    *out_file = file;
    return QK_OK;
}

void output_sightings_add(FILE *file, int64_t at_ms, const char *camera, const char *frame,
                          uint32_t sequence, const struct sightings *sightings)
{
    for (uint32_t i = 0; i < sightings->count; i++) {
        const struct sighting *sighting = &sightings->items[i];
        const struct qk_rect  *box = &sighting->box;

        (void)fprintf(file, "%lld,%s,", (long long)at_ms, camera);
        if (frame[0] != '\0')
            (void)fprintf(file, "%s", frame);
        else
            (void)fprintf(file, "%u", sequence);
        (void)fprintf(file, ",%u,%.3f,%.1f,%.1f,%.1f,%.1f\n", sighting->value,
                      (double)sighting->score, (double)box->x, (double)box->y, (double)box->width,
                      (double)box->height);
    }
}

qk_status output_sightings_close(const char *out, FILE *file, struct qk_error *error)
{
    char       beside[4096], path[4096];
    const bool is_broken = ferror(file) != 0;

    if (fclose(file) != 0 || is_broken)
        return qk_error_set(error, QK_UNAVAILABLE, "%s/" SIGHTINGS ": could not be written whole",
                            out);
    if (path_in(beside, out, SIGHTINGS_NEW, error) != QK_OK
        || path_in(path, out, SIGHTINGS, error) != QK_OK)
        return QK_INVALID_ARGUMENT;
    return rename(beside, path) == 0 ? QK_OK : system_error(error, path);
}
