/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - the page is written from top to bottom into one growing text, pictures
 * and style sheet inside it.
 */
#include "report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char vision_page_css[];    /* page.css, embedded by the build */

/* --- A text that grows; once memory ran out it stays as it is and says so at the end ---------- */

struct text {
    char  *bytes;
    size_t length, capacity;
    bool   is_broken;
};

static void add_bytes(struct text *text, const char *bytes, size_t length)
{
    if (text->is_broken)
        return;
    if (text->length + length + 1 > text->capacity) {
        const size_t capacity = 2 * (text->length + length) + 4096;
        char        *grown = realloc(text->bytes, capacity);

        if (grown == NULL) {
            text->is_broken = true;
            return;
        }
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

static void add(struct text *text, const char *string)
{
    add_bytes(text, string, strlen(string));
}

static void addf(struct text *text, const char *format, ...) QK_PRINTF(2, 3);

static void addf(struct text *text, const char *format, ...)
{
    char    line[1024];
    va_list arguments;
    int     length;

    va_start(arguments, format);
    length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > 0)
        add_bytes(text, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

/* What comes from files and devices, made harmless in HTML. */
static void add_escaped(struct text *text, const char *string)
{
    for (; *string != '\0'; string++)
        switch (*string) {
        case '<': add(text, "&lt;"); break;
        case '>': add(text, "&gt;"); break;
        case '&': add(text, "&amp;"); break;
        case '"': add(text, "&quot;"); break;
        default: add_bytes(text, string, 1);
        }
}

static void add_base64(struct text *text, const uint8_t *bytes, size_t size)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < size; i += 3) {
        const uint32_t group = (uint32_t)bytes[i] << 16
                               | (i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0)
                               | (i + 2 < size ? bytes[i + 2] : 0);
        const char quad[4] = {letters[group >> 18], letters[group >> 12 & 63],
                              i + 1 < size ? letters[group >> 6 & 63] : '=',
                              i + 2 < size ? letters[group & 63] : '='};

        add_bytes(text, quad, sizeof quad);
    }
}

static qk_status take(struct text *text, char **out_string, size_t *out_size)
{
    if (text->is_broken || text->bytes == NULL) {
        free(text->bytes);
        return QK_NO_MEMORY;
    }
    *out_string = text->bytes;
    if (out_size != NULL)
        *out_size = text->length;
    return QK_OK;
}

/* --- Numbers as people write them ------------------------------------------------------------- */

/* "0.42 ms", "12.3 ms", "1.2 s"; "none" where there is no such frame. */
static const char *print_ms(double ms, char out[24])
{
    if (ms < 0)
        (void)snprintf(out, 24, "none");
    else if (ms < 10)
        (void)snprintf(out, 24, "%.2f ms", ms);
    else if (ms < 1000)
        (void)snprintf(out, 24, "%.1f ms", ms);
    else
        (void)snprintf(out, 24, "%.2f s", ms / 1000);
    return out;
}

static const char *print_share(double share, char out[24])
{
    if (share < 0)
        (void)snprintf(out, 24, "none");
    else
        (void)snprintf(out, 24, "%.*f %%", share < 0.9995 && share > 0 ? 1 : 0, 100 * share);
    return out;
}

static double share_of(double part, double whole)
{
    return whole > 0 ? part / whole : -1;
}

/* --- The page --------------------------------------------------------------------------------- */

static const char *const warmth_class[RECORD_WARMTHS] = {"active", "cold", "joined", "prewarmed"};

static void add_head(struct text *page, const struct record *record)
{
    add(page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, "
              "initial-scale=1\">\n<title>Quark vision "
              "sample</title>\n<style>\n");
    add(page, vision_page_css);
    add(page, "</style>\n</head>\n<body>\n<main>\n<h1>What the cameras saw, and how fast they "
              "woke</h1>\n<p "
              "class=\"soft\">");
    addf(page, "%u cameras reading %s, replayed in %.0f seconds from ", record->camera_count,
         record->unit, record->seconds);
    add_escaped(page, record->source);
    addf(page, ". Run of %s.</p>\n", record->started);
    if (record->notice[0] != '\0') {
        add(page, "<p class=\"notice\">");
        add_escaped(page, record->notice);
        add(page, "</p>\n");
    }
}

static void add_tile(struct text *page, const char *number, const char *what)
{
    addf(page, "<div class=\"tile\"><b>%s</b><span>%s</span></div>\n", number, what);
}

static void add_tiles(struct text *page, const struct record *record,
                      const struct record_sums *sums)
{
    const uint32_t hits = sums->by_warmth[RECORD_JOINED] + sums->by_warmth[RECORD_PREWARMED];
    const uint64_t ended = record->used + record->late + record->expired;
    char           cold[24], warm[24], share[24], what[256];

    add(page, "<div class=\"tiles\">\n");
    if (sums->wait_ms[RECORD_COLD] < 0)
        (void)snprintf(what, sizeof what,
                       "did a first frame wait for a pre-warmed camera (median); none came cold");
    else
        (void)snprintf(what, sizeof what,
                       "did a first frame wait for a pre-warmed camera (median); for a cold one "
                       "%s, at worst %s",
                       print_ms(sums->wait_ms[RECORD_COLD], cold),
                       print_ms(sums->longest_wait_ms[RECORD_COLD], share));
    add_tile(page, print_ms(sums->wait_ms[RECORD_PREWARMED], warm), what);
    (void)snprintf(what, sizeof what,
                   "from sending a first frame to its answer, pre-warmed; %s cold (medians)",
                   print_ms(sums->median_ms[RECORD_COLD], cold));
    add_tile(page, print_ms(sums->median_ms[RECORD_PREWARMED], warm), what);
    (void)snprintf(what, sizeof what,
                   "of first frames found their camera awake or waking: %u of %u, %u came cold",
                   hits, hits + sums->by_warmth[RECORD_COLD], sums->by_warmth[RECORD_COLD]);
    add_tile(page, print_share(record_hit_share(sums), share), what);
    (void)snprintf(
        what, sizeof what,
        "of pre-warms were for nothing: %llu of %llu, %.0f %% of the memory-time that they held",
        (unsigned long long)record->expired, (unsigned long long)ended, 100 * record->wasted_share);
    add_tile(page, print_share(share_of((double)record->expired, (double)ended), share), what);
    if (sums->expected > 0) {
        (void)snprintf(what, sizeof what, "of %s found and read right: %u of %u, in %u frames",
                       record->unit, sums->right, sums->expected, sums->frames);
        add_tile(page, print_share((double)sums->right / sums->expected, share), what);
    } else {
        (void)snprintf(share, sizeof share, "%u", sums->found);
        (void)snprintf(what, sizeof what, "%s found in %u frames", record->unit, sums->frames);
        add_tile(page, share, what);
    }
    add(page, "</div>\n");
}

/* The recording from left to right, a row for each camera, a dot for each frame. */
static void add_timeline(struct text *page, const struct record *record)
{
    const int64_t day = 86400000, hour = 3600000;
    int64_t       first = INT64_MAX, last = INT64_MIN;

    for (size_t i = 0; i < record->frame_count; i++) {
        first = record->frames[i].at_ms < first ? record->frames[i].at_ms : first;
        last = record->frames[i].at_ms > last ? record->frames[i].at_ms : last;
    }
    if (record->frame_count == 0)
        return;
    first -= first % hour;
    last += hour - last % hour;

    const int64_t step = last - first > 3 * day ? day : last - first > 8 * hour ? 3 * hour : hour;
    const double  left = 130, width = 950, row = 20;
    const double  height = row * record->camera_count + 30;

    add(page, "<h2>The recording, frame by frame</h2>\n<div class=\"panel\">\n<div class=\"key\">");
    for (int warmth = RECORD_WARMTHS - 1; warmth >= 0; warmth--)
        addf(page, "<span><i class=\"%s\"></i>%s</span>", warmth_class[warmth],
             record_warmth_name((enum record_warmth)warmth));
    addf(page,
         "</div>\n<svg viewBox=\"0 0 1100 %.0f\" role=\"img\" aria-label=\"Frames over time\">\n",
         height);
    for (int64_t at = first + (step - first % step) % step; at <= last; at += step) {
        const double x = left + width * (double)(at - first) / (double)(last - first);

        addf(page, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"4\" y2=\"%.0f\"/>", x, x, height - 22);
        if (step == day)
            addf(page, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">day %lld</text>\n", x,
                 height - 6, (long long)(at / day + 1));
        else
            addf(page, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%02lld:00</text>\n", x,
                 height - 6, (long long)(at % day / hour));
    }
    for (uint32_t camera = 0; camera < record->camera_count; camera++) {
        addf(page, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">", left - 14,
             row * camera + 18);
        add_escaped(page, record->cameras[camera].name);
        add(page, "</text>\n");
    }
    for (size_t i = 0; i < record->frame_count; i++) {
        const struct record_frame *frame = &record->frames[i];

        if (!frame->is_failed)
            addf(page, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.6\"/>\n",
                 warmth_class[frame->warmth],
                 left + width * (double)(frame->at_ms - first) / (double)(last - first),
                 row * frame->camera + 14);
    }
    add(page, "</svg>\n</div>\n");
}

/*
 * A latency, its bar, and the waiting in it; the scale is logarithmic, or the warm ones could not
 * be seen beside the cold.
 */
static void add_latency(struct text *page, const struct record_sums *sums,
                        enum record_warmth warmth, double longest_ms)
{
    const double ms = sums->median_ms[warmth];
    char         printed[24], waited[24];

    if (ms < 0) {
        add(page, "<td class=\"ms soft\">none</td>");
        return;
    }
    addf(page,
         "<td class=\"ms\"><i class=\"bar %s\" style=\"width:%.0fpx\"></i>%s<small>woke in "
         "%s</small></td>",
         warmth_class[warmth], 2 + 34 * log1p(20 * ms) / log1p(20 * longest_ms),
         print_ms(ms, printed), print_ms(sums->wait_ms[warmth], waited));
}

static void add_camera_row(struct text *page, const char *kind, const struct record_sums *sums,
                           const struct record_camera *camera, double longest_ms)
{
    addf(page, "<tr class=\"%s\"><td>", kind);
    add_escaped(page, camera->name);
    addf(page, "</td><td class=\"n\">%u</td><td class=\"n\">%u</td>", camera->motions,
         sums->frames);
    for (unsigned warmth = RECORD_COLD; warmth < RECORD_WARMTHS; warmth++)
        add_latency(page, sums, (enum record_warmth)warmth, longest_ms);
    addf(page, "<td class=\"n\">%u</td><td class=\"n\">%u</td><td class=\"n\">%u</td>",
         sums->by_warmth[RECORD_JOINED] + sums->by_warmth[RECORD_PREWARMED],
         sums->by_warmth[RECORD_COLD], camera->wasted);
    if (sums->expected > 0)
        addf(page, "<td class=\"n\">%u of %u</td><td class=\"where\">", sums->right,
             sums->expected);
    else
        addf(page, "<td class=\"n\">%u</td><td class=\"where\">", sums->found);
    add_escaped(page, camera->device);
    addf(page, "</td><td class=\"n\">%llu</td></tr>\n", (unsigned long long)camera->frames_ever);
}

static struct record_camera total_of(const struct record *record)
{
    struct record_camera total = {.name = "all"};

    for (uint32_t camera = 0; camera < record->camera_count; camera++) {
        total.motions += record->cameras[camera].motions;
        total.wasted += record->cameras[camera].wasted;
        total.frames_ever += record->cameras[camera].frames_ever;
    }
    return total;
}

/* The longest median of any camera, for the scale of the bars. */
static qk_status longest_median(const struct record *record, double *out_ms)
{
    struct record_sums sums;

    *out_ms = 0.1;
    for (uint32_t camera = 0; camera < record->camera_count; camera++) {
        if (record_sum(record, camera, &sums) != QK_OK)
            return QK_NO_MEMORY;
        for (unsigned warmth = RECORD_COLD; warmth < RECORD_WARMTHS; warmth++)
            *out_ms = fmax(*out_ms, sums.median_ms[warmth]);
    }
    return QK_OK;
}

static qk_status add_cameras(struct text *page, const struct record *record,
                             const struct record_sums *all)
{
    struct record_camera total = total_of(record);
    struct record_sums   sums;
    double               longest_ms;

    if (longest_median(record, &longest_ms) != QK_OK)
        return QK_NO_MEMORY;
    addf(page,
         "<h2>Camera by camera</h2>\n<div class=\"panel\">\n<table>\n<tr><th>camera</th><th "
         "class=\"n\">motions</th>"
         "<th class=\"n\">frames</th><th>first frame, "
         "cold</th><th>joined</th><th>pre-warmed</th><th "
         "class=\"n\">hits</th>"
         "<th class=\"n\">misses</th><th class=\"n\">waste</th><th "
         "class=\"n\">%s</th><th>device</th>"
         "<th class=\"n\">in all runs</th></tr>\n",
         record->unit);
    for (uint32_t camera = 0; camera < record->camera_count; camera++) {
        if (record_sum(record, camera, &sums) != QK_OK)
            return QK_NO_MEMORY;
        add_camera_row(page, sums.frames > 0 ? "one" : "one soft", &sums, &record->cameras[camera],
                       longest_ms);
    }
    add_camera_row(page, "all", all, &total, longest_ms);
    add(page, "</table>\n</div>\n");
    return QK_OK;
}

static void add_pictures(struct text *page, const struct record *record)
{
    if (record->picture_count == 0)
        return;
    add(page, "<h2>Pictures</h2>\n<div class=\"pictures\">\n");
    for (size_t i = 0; i < record->picture_count; i++) {
        const struct record_picture *picture = &record->pictures[i];

        add(page, "<figure><img alt=\"");
        add_escaped(page, picture->text);
        add(page, "\" src=\"data:image/png;base64,");
        add_base64(page, picture->png, picture->png_bytes);
        add(page, "\"><figcaption><b>");
        add_escaped(page, picture->text);
        add(page, "</b><span class=\"soft\">");
        add_escaped(page, picture->title);
        add(page, "</span></figcaption></figure>\n");
    }
    add(page, "</div>\n");
}

static void add_foot(struct text *page, const struct record *record)
{
    add(page,
        "<footer>\n<p>A <b>hit</b> is a first frame whose camera a motion had woken before; when "
        "it came "
        "while the camera was still "
        "waking it joined. A <b>miss</b> found it asleep and is a cold start. <b>Waste</b> counts "
        "wakings that no frame followed. "
        "Latency runs from sending the frame to having its answer, medians are shown, bars are on "
        "a "
        "logarithmic scale.</p>\n");
    addf(page,
         "<p>Pre-warms as the host counts them: %llu predictions, %llu loads begun, %llu used, "
         "%llu joined "
         "midway, %llu expired, "
         "%llu cancelled.</p>\n</footer>\n</main>\n</body>\n</html>\n",
         (unsigned long long)record->predictions, (unsigned long long)record->started_loads,
         (unsigned long long)record->used, (unsigned long long)record->late,
         (unsigned long long)record->expired, (unsigned long long)record->cancelled);
}

qk_status report_html(const struct record *record, char **out_html, size_t *out_size)
{
    struct text        page = {0};
    struct record_sums sums;

    if (record_sum(record, RECORD_ALL, &sums) != QK_OK)
        return QK_NO_MEMORY;
    add_head(&page, record);
    add_tiles(&page, record, &sums);
    add_timeline(&page, record);
    if (add_cameras(&page, record, &sums) != QK_OK)
        page.is_broken = true;
    add_pictures(&page, record);
    add_foot(&page, record);
    return take(&page, out_html, out_size);
}

/* --- The table -------------------------------------------------------------------------------- */

#define TABLE_ROW "%-16.16s %7s %6s %9s %9s %10s %5s %6s %5s %9s  %.32s\n"

static void add_table_row(struct text *table, const struct record_camera *camera,
                          const struct record_sums *sums)
{
    const uint32_t hits = sums->by_warmth[RECORD_JOINED] + sums->by_warmth[RECORD_PREWARMED];
    char           cold[24], joined[24], warm[24], right[24], counts[5][16];
    const uint32_t numbers[5] = {camera->motions, sums->frames, hits, sums->by_warmth[RECORD_COLD],
                                 camera->wasted};

    for (int i = 0; i < 5; i++)
        (void)snprintf(counts[i], sizeof counts[i], "%u", numbers[i]);
    if (sums->expected > 0)
        (void)snprintf(right, sizeof right, "%u/%u", sums->right, sums->expected);
    else
        (void)snprintf(right, sizeof right, "%u", sums->found);
    addf(table, TABLE_ROW, camera->name, counts[0], counts[1],
         print_ms(sums->median_ms[RECORD_COLD], cold),
         print_ms(sums->median_ms[RECORD_JOINED], joined),
         print_ms(sums->median_ms[RECORD_PREWARMED], warm), counts[2], counts[3], counts[4], right,
         camera->device);
}

static void add_closing(struct text *table, const struct record *record,
                        const struct record_sums *sums)
{
    const uint64_t ended = record->used + record->late + record->expired;
    char           share[24], cold[24], warm[24], worst[24];

    addf(table, "\nfirst frame  cold %s, pre-warmed %s (medians, from sending to the answer)",
         print_ms(sums->median_ms[RECORD_COLD], cold),
         print_ms(sums->median_ms[RECORD_PREWARMED], warm));
    addf(table, "\nwaking       cold %s, at worst %s;", print_ms(sums->wait_ms[RECORD_COLD], cold),
         print_ms(sums->wait_ms[RECORD_COLD] < 0 ? -1 : sums->longest_wait_ms[RECORD_COLD], worst));
    addf(table, " pre-warmed %s, at worst %s", print_ms(sums->wait_ms[RECORD_PREWARMED], warm),
         print_ms(sums->wait_ms[RECORD_PREWARMED] < 0 ? -1
                                                      : sums->longest_wait_ms[RECORD_PREWARMED],
                  worst));
    addf(table, "\npre-warms    %s of first frames were hits",
         print_share(record_hit_share(sums), share));
    addf(table, ", %llu of %llu pre-warms were for nothing\n", (unsigned long long)record->expired,
         (unsigned long long)ended);
    if (sums->expected > 0)
        addf(table, "%-12s %s read right (%u of %u)\n", record->unit,
             print_share((double)sums->right / sums->expected, share), sums->right, sums->expected);
    else
        addf(table, "%-12s %u found\n", record->unit, sums->found);
    if (sums->failed > 0)
        addf(table, "failed       %u frames\n", sums->failed);
    if (record->notice[0] != '\0')
        addf(table, "notice       %s\n", record->notice);
}

qk_status report_table(const struct record *record, char **out_text)
{
    struct record_camera total = total_of(record);
    struct text          table = {0};
    struct record_sums   sums;

    addf(&table, TABLE_ROW, "camera", "motions", "frames", "cold", "joined", "pre-warmed", "hits",
         "misses", "waste", record->unit, "device");
    for (uint32_t i = 0; i < record->camera_count && !table.is_broken; i++) {
        table.is_broken = record_sum(record, i, &sums) != QK_OK;
        if (!table.is_broken)
            add_table_row(&table, &record->cameras[i], &sums);
    }
    if (table.is_broken || record_sum(record, RECORD_ALL, &sums) != QK_OK)
        table.is_broken = true;
    else {
        add_table_row(&table, &total, &sums);
        add_closing(&table, record, &sums);
        addf(&table, "frames       %u in this run, %llu in all runs\n", sums.frames,
             (unsigned long long)total.frames_ever);
    }
    return take(&table, out_text, NULL);
}
