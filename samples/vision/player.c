/* SPDX-License-Identifier: Apache-2.0 */
/*
 * player.c - one thread that goes through the plan step by step.
 *
 *   frame drawn --send--> flight, in the air --answer (a worker): on_answer--> landed list
 *               landed list --this thread: collect--> record
 *
 * (1) A flight belongs to the host while it is in the air and to the player's thread otherwise; the
 *     lock guards only the landed list, the count of flights in the air, and the wish to stop.
 * (2) At most MAX_IN_AIR frames are under way, so a host that falls behind slows the replay
 *     instead of filling memory.
 */
#include "player.h"

#include "output.h"
#include "report.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_IN_AIR       32
#define FRAME_TIMEOUT_NS 30000000000u

struct flight {
    struct player       *player;
    struct flight       *next;    /* landed list */
    uint32_t             camera, sequence;
    int64_t              at_ms;
    struct gallery_frame frame;
    struct camera_answer answer;
    qk_status            status;
    struct qk_error      error;
    uint64_t             sent_ns, landed_ns;
};

struct player {
    qk_host           *host;
    struct player_opts opts;
    char              *out;
    pthread_t          thread;
    pthread_mutex_t    lock;
    pthread_cond_t     changed;    /* on the monotonic clock */
    bool               is_stopping;
    uint32_t           in_air;
    struct flight     *landed;

    /* The thread's own. */
    struct player_step      *steps;
    qk_actor               **actors;       /* of each camera */
    uint32_t                *sequences;    /* frames that each camera sent */
    struct record            record;       /* of this round */
    struct qk_prewarm_counts before;       /* the host's counts when it began */
    uint64_t                 began_ns;
    struct output_picture   *shown;    /* OUTPUT_MAX_PICTURES */
    size_t                   shown_count;
    bool                    *is_shown;     /* of each picture of the gallery, or of each camera */
    FILE                    *sightings;    /* sightings.csv of this round */
    bool                     had_failure;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void on_answer(void *arg, qk_status status, const struct qk_error *error)
{
    struct flight *flight = arg;
    struct player *player = flight->player;

    flight->landed_ns = now_ns();
    flight->status = status;
    if (status != QK_OK)
        (void)qk_error_set(&flight->error, status, "%s",
                           error != NULL ? error->text : qk_status_text(status));
    (void)pthread_mutex_lock(&player->lock);
    flight->next = player->landed;
    player->landed = flight;
    player->in_air--;
    (void)pthread_cond_signal(&player->changed);
    (void)pthread_mutex_unlock(&player->lock);
}

static void free_flight(struct flight *flight)
{
    gallery_frame_fini(&flight->frame);
    free(flight);
}

static enum record_warmth warmth_of(enum qk_warmth warmth)
{
    switch (warmth) {
    case QK_WAS_COLD: return RECORD_COLD;
    case QK_WAS_JOINED: return RECORD_JOINED;
    case QK_WAS_PREWARMED: return RECORD_PREWARMED;
    case QK_WAS_ACTIVE: break;
    }
    return RECORD_ACTIVE;
}

/* Keeps a frame for the report: the first of each picture of the gallery, or of each camera. */
static void keep_picture(struct player *player, struct flight *flight)
{
    const bool             is_scene = flight->frame.name[0] == '\0';
    const size_t           subject = is_scene ? flight->camera : flight->frame.picture;
    struct output_picture *picture = &player->shown[player->shown_count];
    qk_image               copy = {0};

    if (player->is_shown[subject] || player->shown_count == OUTPUT_MAX_PICTURES)
        return;
    if (qk_image_create(flight->frame.image->width, flight->frame.image->height,
                        flight->frame.image->channels, &copy)
        != QK_OK)
        return;    /* one picture less */
    memcpy(copy.pixels, flight->frame.image->pixels,
           (size_t)copy.width * copy.height * copy.channels);
    *picture = (struct output_picture){.frame = copy, .sightings = flight->answer.sightings};
    (void)snprintf(picture->camera, sizeof picture->camera, "%s",
                   player->opts.events->cameras[flight->camera]);
    (void)snprintf(picture->name, sizeof picture->name, "%02zu-%.100s", player->shown_count + 1,
                   is_scene ? picture->camera : flight->frame.name);
    for (char *letter = picture->name; *letter != '\0'; letter++)
        if (*letter == '/' || *letter == '.')
            *letter = '-';
    player->is_shown[subject] = true;
    player->shown_count++;
}

static void note_failure(struct player *player, const struct flight *flight)
{
    if (!player->had_failure)
        qk_host_log(player->host, "vision", "frame of %s failed: %s",
                    player->opts.events->cameras[flight->camera], flight->error.text);
    player->had_failure = true;
}

static void note_answer(struct player *player, struct flight *flight)
{
    struct record_camera *camera = &player->record.cameras[flight->camera];
    struct record_frame   frame = {
          .at_ms = flight->at_ms,
          .camera = flight->camera,
          .is_failed = flight->status != QK_OK,
          .latency_ms = (double)(flight->landed_ns - flight->sent_ns) / 1e6,
    };

    if (frame.is_failed)
        note_failure(player, flight);
    else {
        frame.warmth = warmth_of(flight->answer.warmth);
        frame.wait_ms = (double)(flight->answer.began_ns - flight->sent_ns) / 1e6;
        frame.found = flight->answer.sightings.count;
        frame.expected = (uint32_t)flight->frame.scene.digit_count;
        frame.right = player_mark(&flight->answer.sightings, &flight->frame.scene);
        /* Answers are not collected in order. */
        if (flight->answer.frames_ever > camera->frames_ever)
            camera->frames_ever = flight->answer.frames_ever;
        (void)snprintf(camera->device, sizeof camera->device, "%s", flight->answer.device);
        frame.is_fallback = flight->answer.is_fallback;
        output_sightings_add(player->sightings, flight->at_ms, camera->name, flight->frame.name,
                             flight->sequence, &flight->answer.sightings);
        keep_picture(player, flight);
    }
    if (record_add_frame(&player->record, &frame) != QK_OK)
        qk_host_log(player->host, "vision", "out of memory: a frame is missing in the report");
}

/* Takes what landed off the list and into the record. */
static void collect(struct player *player)
{
    struct flight *landed;

    (void)pthread_mutex_lock(&player->lock);
    landed = player->landed;
    player->landed = NULL;
    (void)pthread_mutex_unlock(&player->lock);
    while (landed != NULL) {
        struct flight *next = landed->next;

        note_answer(player, landed);
        free_flight(landed);
        landed = next;
    }
}

/* --- Time ------------------------------------------------------------------------------------- */

/* Sleeps until a moment; false when the player is to stop. */
static bool sleep_until(struct player *player, uint64_t until_ns)
{
    const struct timespec until = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};
    bool                  goes_on;

    (void)pthread_mutex_lock(&player->lock);
    while (!player->is_stopping && now_ns() < until_ns)
        (void)pthread_cond_timedwait(&player->changed, &player->lock, &until);
    goes_on = !player->is_stopping;
    (void)pthread_mutex_unlock(&player->lock);
    return goes_on;
}

/* Waits until fewer than `limit` frames are under way; each has a deadline, so this ends. */
static void wait_landed(struct player *player, uint32_t limit)
{
    (void)pthread_mutex_lock(&player->lock);
    while (player->in_air >= limit)
        (void)pthread_cond_wait(&player->changed, &player->lock);
    (void)pthread_mutex_unlock(&player->lock);
    collect(player);
}

/* --- A round: the recording once -------------------------------------------------------------- */

static void publish_motion(struct player *player, const struct event *event)
{
    const struct motion motion = {event->strength};
    const char         *camera = player->opts.events->cameras[event->camera];
    const qk_status     status =
        qk_client_publish(player->host, MOTION_STREAM, camera, &motion, sizeof motion);

    if (status != QK_OK)
        qk_host_log(player->host, "vision", "motion of %s was not published: %s", camera,
                    qk_status_text(status));
    player->record.cameras[event->camera].motions++;
}

/*
 * A flight with its frame drawn, ready to be sent. NULL, and a line in the log, when that failed.
 */
static struct flight *prepare(struct player *player, const struct event *event)
{
    struct flight  *flight = calloc(1, sizeof *flight);
    struct qk_error error;
    qk_status       status;

    if (flight == NULL) {
        qk_host_log(player->host, "vision", "out of memory: a frame is left out");
        return NULL;
    }
    flight->player = player;
    flight->camera = event->camera;
    flight->at_ms = event->at_ms;
    flight->sequence = player->sequences[event->camera]++;
    status = gallery_frame(player->opts.gallery, event->camera, flight->sequence, &flight->frame,
                           &error);
    if (status != QK_OK) {
        qk_host_log(player->host, "vision", "%s", error.text);
        free(flight);
        return NULL;
    }
    return flight;
}

static void send(struct player *player, struct flight *flight)
{
    const struct camera_request request = {flight->frame.image};
    qk_status                   status;

    (void)pthread_mutex_lock(&player->lock);
    player->in_air++;
    (void)pthread_mutex_unlock(&player->lock);
    flight->sent_ns = now_ns();
    status = qk_client_call_async(player->host, player->actors[flight->camera], CAMERA_ANALYZE,
                                  &request, &flight->answer, FRAME_TIMEOUT_NS, on_answer, flight);
    if (status != QK_OK)
        on_answer(flight, status, NULL);
}

/* Plays the steps until their end or the wish to stop. */
static void play(struct player *player)
{
    const struct events *events = player->opts.events;

    for (size_t i = 0; i < events->count; i++) {
        const struct event *event = &events->items[player->steps[i].event];
        /* Drawn before it's due: a frame that comes late because it was still being drawn would
         * measure the wrong thing. */
        struct flight *flight = event->kind == EVENT_FRAME ? prepare(player, event) : NULL;

        if (!sleep_until(player, player->began_ns + player->steps[i].at_ns)) {
            if (flight != NULL)
                free_flight(flight);
            return;
        }
        if (event->kind == EVENT_MOTION)
            publish_motion(player, event);
        else if (flight != NULL)
            send(player, flight);
        wait_landed(player, MAX_IN_AIR);
    }
    wait_landed(player, 1);
    (void)sleep_until(player, now_ns() + player->opts.settle_ns);
}

static void name_round(struct player *player)
{
    struct record *record = &player->record;
    const time_t   now = time(NULL);
    struct tm      local;

    for (uint32_t i = 0; i < record->camera_count; i++) {
        (void)snprintf(record->cameras[i].name, sizeof record->cameras[i].name, "%s",
                       player->opts.events->cameras[i]);
        atomic_store(&player->opts.wasted[i], 0);
    }
    (void)snprintf(record->unit, sizeof record->unit, "%s",
                   player->opts.looks_for == CAMERA_DIGITS ? "digits" : "faces");
    (void)snprintf(record->source, sizeof record->source, "%s", player->opts.events->source);
    if (localtime_r(&now, &local) != NULL)
        (void)strftime(record->started, sizeof record->started, "%Y-%m-%d %H:%M", &local);
}

static qk_status begin_round(struct player *player, struct qk_error *error)
{
    qk_status status = record_init(&player->record, player->opts.events->camera_count);

    if (status != QK_OK)
        return qk_error_set(error, status, "out of memory");
    status = output_sightings_open(player->out, &player->sightings, error);
    if (status != QK_OK) {
        record_fini(&player->record);
        return status;
    }
    name_round(player);
    qk_host_prewarm_counts(player->host, CAMERA_TYPE, &player->before);
    player->began_ns = now_ns();
    return QK_OK;
}

/* What only the host knows: pre-warms of this round. */
static void count_prewarms(struct player *player)
{
    struct record                  *record = &player->record;
    const struct qk_prewarm_counts *before = &player->before;
    struct qk_prewarm_counts        now;

    qk_host_prewarm_counts(player->host, CAMERA_TYPE, &now);
    record->predictions = now.predictions - before->predictions;
    record->started_loads = now.started - before->started;
    record->used = now.used - before->used;
    record->late = now.late - before->late;
    record->expired = now.expired - before->expired;
    record->cancelled = now.cancelled - before->cancelled;
    if (now.held_byte_ms > before->held_byte_ms)
        record->wasted_share = (double)(now.wasted_byte_ms - before->wasted_byte_ms)
                               / (double)(now.held_byte_ms - before->held_byte_ms);
    for (uint32_t i = 0; i < record->camera_count; i++)
        record->cameras[i].wasted = atomic_load(&player->opts.wasted[i]);
}

/* What a reader of the report must know beforehand. */
static void note_fallbacks(const struct player *player, struct record *record)
{
    struct record_sums sums;
    char               why[160];

    if (record_sum(record, RECORD_ALL, &sums) != QK_OK || sums.fallbacks == 0)
        return;
    (void)qk_host_fallbacks(player->host, why, sizeof why);
    (void)snprintf(record->notice, sizeof record->notice,
                   "The CPU read %u of %u frames; the first time because: %s", sums.fallbacks,
                   sums.frames, why);
}

static void note_unwritten(struct player *player, const struct qk_error *error)
{
    qk_host_log(player->host, "vision", "%s", error->text);
    player->had_failure = true;
}

static void write_out(struct player *player)
{
    struct qk_error error;

    if (output_sightings_close(player->out, player->sightings, &error) != QK_OK)
        note_unwritten(player, &error);
    for (size_t i = 0; i < player->shown_count; i++)
        if (output_picture(player->out, &player->shown[i], &player->record, &error) != QK_OK)
            note_unwritten(player, &error);
    if (output_report(player->out, &player->record, &error) != QK_OK)
        note_unwritten(player, &error);
}

static void print_summary(const struct player *player)
{
    char *table;

    if (report_table(&player->record, &table) != QK_OK)
        return;
    (void)printf("\n%s\nreport       %s/report.html\n", table, player->out);
    (void)fflush(stdout);
    free(table);
}

static void forget_round(struct player *player)
{
    const size_t subjects = player->opts.gallery->picture_count > 0
                                ? player->opts.gallery->picture_count
                                : player->opts.events->camera_count;

    for (size_t i = 0; i < player->shown_count; i++)
        qk_image_fini(&player->shown[i].frame);
    player->shown_count = 0;
    memset(player->is_shown, 0, subjects * sizeof *player->is_shown);
    record_fini(&player->record);
}

static void end_round(struct player *player)
{
    wait_landed(player, 1);
    player->record.seconds = (double)(now_ns() - player->began_ns) / 1e9;
    count_prewarms(player);
    note_fallbacks(player, &player->record);
    write_out(player);
    print_summary(player);
    forget_round(player);
}

static void *run(void *arg)
{
    struct player  *player = arg;
    struct qk_error error;

    do {
        if (begin_round(player, &error) != QK_OK) {
            qk_host_log(player->host, "vision", "the replay ends: %s", error.text);
            qk_host_request_stop(player->host, 1);
            return NULL;
        }
        play(player);
        end_round(player);
        if (player->opts.once)
            qk_host_request_stop(player->host, player->had_failure ? 1 : 0);
    } while (!player->opts.once && sleep_until(player, now_ns()));
    return NULL;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void free_player(struct player *player)
{
    for (uint32_t i = 0; player->actors != NULL && i < player->opts.events->camera_count; i++)
        qk_actor_release(player->actors[i]);
    free(player->actors);
    free(player->sequences);
    free(player->steps);
    free(player->shown);
    free(player->is_shown);
    free(player->out);
    free(player);
}

static qk_status find_actors(struct player *player, struct qk_error *error)
{
    const struct events *events = player->opts.events;

    for (uint32_t i = 0; i < events->camera_count; i++) {
        const qk_status status =
            qk_actor_get(player->host, CAMERA_TYPE, events->cameras[i], &player->actors[i]);

        if (status != QK_OK)
            return qk_error_set(error, status, "%s %s: %s", CAMERA_TYPE, events->cameras[i],
                                qk_status_text(status));
    }
    return QK_OK;
}

static qk_status make_player(qk_host *host, const struct player_opts *opts,
                             struct player **out_player, struct qk_error *error)
{
    const uint32_t cameras = opts->events->camera_count;
    const size_t   subjects =
        opts->gallery->picture_count > 0 ? opts->gallery->picture_count : cameras;
    struct player *player = calloc(1, sizeof *player);
    qk_status      status;

    if (player == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "out of memory");
    player->host = host;
    player->opts = *opts;
    player->out = strdup(opts->out);
    player->steps = calloc(opts->events->count, sizeof *player->steps);
    player->actors = calloc(cameras, sizeof(qk_actor *));
    player->sequences = calloc(cameras, sizeof *player->sequences);
    player->shown = calloc(OUTPUT_MAX_PICTURES, sizeof *player->shown);
    player->is_shown = calloc(subjects, sizeof *player->is_shown);
    if (player->out == NULL || player->steps == NULL || player->actors == NULL
        || player->sequences == NULL || player->shown == NULL || player->is_shown == NULL)
        status = qk_error_set(error, QK_NO_MEMORY, "out of memory");
    else
        status = find_actors(player, error);
    if (status != QK_OK) {
        free_player(player);
        return status;
    }
    *out_player = player;
    return QK_OK;
}

qk_status player_start(qk_host *host, const struct player_opts *opts, struct player **out_player,
                       struct qk_error *error)
{
    pthread_condattr_t monotonic;
    struct player     *player = NULL;
    qk_status          status = output_prepare(opts->out, error);
    int                failed;

    if (status == QK_OK)
        status = make_player(host, opts, &player, error);
    if (status != QK_OK)
        return status;
    player_plan(opts->events, opts->speed > 0 ? opts->speed : player_speed(opts->events),
                player->steps);

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&player->lock, NULL);
    (void)pthread_cond_init(&player->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    failed = pthread_create(&player->thread, NULL, run, player);
    if (failed != 0) {
        (void)pthread_cond_destroy(&player->changed);
        (void)pthread_mutex_destroy(&player->lock);
        free_player(player);
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "no thread for the replay: %s",
                            strerror(failed));
    }
    *out_player = player;
    return QK_OK;
}

void player_stop(struct player *player)
{
    if (player == NULL)
        return;
    (void)pthread_mutex_lock(&player->lock);
    player->is_stopping = true;
    (void)pthread_cond_signal(&player->changed);
    (void)pthread_mutex_unlock(&player->lock);
    (void)pthread_join(player->thread, NULL);
    (void)pthread_cond_destroy(&player->changed);
    (void)pthread_mutex_destroy(&player->lock);
    free_player(player);
}
