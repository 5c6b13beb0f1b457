/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_prewarm.c - claims about activation ahead of the first message, on a virtual clock, stepped
 * by hand.
 */
#include "host_fixture.h"

#include "base/memory.h"

#include <stdio.h>

#define LOAD_NS (20 * QK__NS_PER_MS)
#define KEEP_NS (200 * QK__NS_PER_MS)
#define BYTES   1000u

static struct {
    qk_status                activate_status;
    uint32_t                 activations, deactivations;
    uint32_t                 ready, ended, first_calls;
    enum qk__prewarm_outcome outcome;
    uint64_t                 held_ns, device_bytes, latency_ns;
    enum qk_warmth           warmth, turn_warmth;
    char                     trigger[32];
} seen;

static qk_status load(qk_turn *turn, void *self)
{
    qk_status status = qk_sleep(turn, LOAD_NS);

    (void)self;
    seen.activations++;
    qk__activation_set_device_bytes(qk__turn_activation(turn), BYTES);
    return status == QK_OK ? seen.activate_status : status;
}

static void unload(qk_turn *turn, void *self)
{
    (void)turn;
    (void)self;
    seen.deactivations++;
}

static qk_status look(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    seen.turn_warmth = qk_turn_warmth(turn);
    return QK_OK;
}

static const struct qk_method methods[] = {{"look", look, 0, 0}};

static const struct qk_type camera_type = {
    .size = sizeof(struct qk_type),
    .name = "camera",
    .activate = load,
    .deactivate = unload,
    .methods = methods,
    .method_count = 1,
};

static void on_ready(void *arg, const char *type, const char *key, uint64_t took_ns)
{
    (void)arg;
    assert_string_equal(type, "camera");
    assert_string_equal(key, "c1");
    assert_true(took_ns >= LOAD_NS);
    seen.ready++;
}

static void on_end(void *arg, const char *type, const char *key, const char *trigger,
                   enum qk__prewarm_outcome outcome, uint64_t held_ns, uint64_t device_bytes)
{
    (void)arg;
    (void)type;
    (void)key;
    seen.ended++;
    seen.outcome = outcome;
    seen.held_ns = held_ns;
    seen.device_bytes = device_bytes;
    snprintf(seen.trigger, sizeof seen.trigger, "%s", trigger);
}

static void on_first_call(void *arg, const char *type, const char *key, enum qk_warmth warmth,
                          uint64_t latency_ns)
{
    (void)arg;
    (void)type;
    (void)key;
    seen.first_calls++;
    seen.warmth = warmth;
    seen.latency_ns = latency_ns;
}

struct scene {
    struct qk__virtual_clock clock;
    qk_host                 *host;
    qk_actor                *actor;
};

static void begin(struct scene *scene)
{
    const struct qk__observer observer = {
        .prewarm_ready = on_ready, .prewarm_ended = on_end, .first_call = on_first_call};

    memset(&seen, 0, sizeof seen);
    scene->host = fixture_manual(&scene->clock, &camera_type);
    qk__host_observe(scene->host, &observer);
    scene->actor = fixture_actor(scene->host, "camera", "c1");

}

static void end(struct scene *scene)
{
    qk_actor_release(scene->actor);
    fixture_finish(scene->host);
    assert_int_equal(seen.activations, seen.deactivations + (seen.activate_status != QK_OK));
}

static qk_status prewarm(struct scene *scene, uint64_t keep_ns)
{
    const struct qk__prewarm wanted = {"camera", "c1", "motion",
                                       qk__clock_now_ns(&scene->clock.clock) + keep_ns};

    return qk__host_prewarm(scene->host, &wanted);
}

static void pass(struct scene *scene, uint64_t by_ns)
{
    fixture_run(scene->host);
    fixture_advance(scene->host, &scene->clock, by_ns);
}

static void tell(struct scene *scene)
{
    assert_int_equal(qk_client_tell(scene->host, scene->actor, 0, NULL, 0), QK_OK);
}

static struct qk_prewarm_counts counts_of(struct scene *scene)
{
    struct qk_prewarm_counts counts;

    qk_host_prewarm_counts(scene->host, "camera", &counts);
    return counts;
}

static void a_message_to_a_warm_actor_waits_for_nothing(void **state)
{
    struct scene             scene;
    struct qk_prewarm_counts counts;
    (void)state;

    begin(&scene);
    assert_int_equal(prewarm(&scene, KEEP_NS), QK_OK);
    pass(&scene, LOAD_NS);
    assert_int_equal(seen.ready, 1);
    pass(&scene, 30 * QK__NS_PER_MS);
    tell(&scene);
    fixture_run(scene.host);
    assert_int_equal(seen.ended, 1);
    assert_int_equal(seen.outcome, QK__PREWARM_USED);
    assert_int_equal(seen.held_ns, 30 * QK__NS_PER_MS);
    assert_int_equal(seen.device_bytes, BYTES);
    assert_string_equal(seen.trigger, "motion");
    assert_int_equal(seen.turn_warmth, QK_WAS_PREWARMED);
    assert_int_equal(seen.warmth, QK_WAS_PREWARMED);
    assert_int_equal(seen.latency_ns, 0);
    tell(&scene);
    fixture_run(scene.host);
    assert_int_equal(seen.turn_warmth, QK_WAS_ACTIVE);
    assert_int_equal(seen.first_calls, 1);
    pass(&scene, 2 * KEEP_NS);    /* used: it stays, by its idle time */
    assert_int_equal(seen.deactivations, 0);
    counts = counts_of(&scene);
    assert_int_equal(counts.started, 1);
    assert_int_equal(counts.used, 1);
    assert_int_equal(counts.cold, 0);
    assert_int_equal(counts.held_byte_ms, BYTES * 30);
    assert_int_equal(counts.wasted_byte_ms, 0);
    end(&scene);
}

static void a_message_midway_joins_the_load(void **state)
{
    struct scene scene;
    (void)state;

    begin(&scene);
    assert_int_equal(prewarm(&scene, KEEP_NS), QK_OK);
    pass(&scene, LOAD_NS - 5 * QK__NS_PER_MS);
    tell(&scene);
    pass(&scene, 5 * QK__NS_PER_MS);
    assert_int_equal(seen.activations, 1);
    assert_int_equal(seen.outcome, QK__PREWARM_LATE);
    assert_int_equal(seen.turn_warmth, QK_WAS_JOINED);
    assert_int_equal(seen.latency_ns, 5 * QK__NS_PER_MS);
    assert_int_equal(counts_of(&scene).late, 1);
    end(&scene);
}

static void a_message_without_a_prewarm_is_cold(void **state)
{
    struct scene          scene;
    struct qk__type_stats stats;
    (void)state;

    begin(&scene);
    tell(&scene);
    pass(&scene, LOAD_NS);
    assert_int_equal(seen.turn_warmth, QK_WAS_COLD);
    assert_int_equal(seen.latency_ns, LOAD_NS);
    assert_int_equal(seen.ended, 0);
    assert_int_equal(counts_of(&scene).cold, 1);
    qk__host_type_stats(scene.host, &camera_type, &stats);
    assert_int_equal(stats.first_call[QK_WAS_COLD].count, 1);
    assert_int_equal(stats.first_call[QK_WAS_PREWARMED].count, 0);
    end(&scene);
}

static void an_unused_prewarm_expires_and_is_counted_as_waste(void **state)
{
    struct scene             scene;
    struct qk_prewarm_counts counts;
    (void)state;

    begin(&scene);
    assert_int_equal(prewarm(&scene, KEEP_NS), QK_OK);
    pass(&scene, LOAD_NS);
    pass(&scene, KEEP_NS - LOAD_NS - 1);
    assert_int_equal(seen.deactivations, 0);
    pass(&scene, 1);
    assert_int_equal(seen.deactivations, 1);
    assert_int_equal(seen.outcome, QK__PREWARM_EXPIRED);
    counts = counts_of(&scene);
    assert_int_equal(counts.expired, 1);
    assert_int_equal(counts.wasted_byte_ms, BYTES * (KEEP_NS - LOAD_NS) / QK__NS_PER_MS);
    end(&scene);
}

static void a_second_prewarm_puts_the_expiry_off(void **state)
{
    struct scene scene;
    (void)state;

    begin(&scene);
    assert_int_equal(prewarm(&scene, KEEP_NS), QK_OK);
    pass(&scene, KEEP_NS / 2);
    assert_int_equal(prewarm(&scene, KEEP_NS), QK_ALREADY_EXISTS);
    pass(&scene, KEEP_NS - 1);
    assert_int_equal(seen.deactivations, 0);
    pass(&scene, 1);
    assert_int_equal(seen.deactivations, 1);
    assert_int_equal(seen.ended, 1);
    assert_int_equal(counts_of(&scene).started, 1);
    end(&scene);
}

static void an_active_actor_needs_no_prewarm(void **state)
{
    struct scene             scene;
    const struct qk__prewarm unknown = {"nobody", "c1", "motion", 0};
    (void)state;

    begin(&scene);
    tell(&scene);
    pass(&scene, LOAD_NS);
    assert_int_equal(prewarm(&scene, KEEP_NS), QK_ALREADY_EXISTS);
    assert_int_equal(qk__host_prewarm(scene.host, &unknown), QK_NOT_FOUND);
    pass(&scene, 2 * KEEP_NS);
    assert_int_equal(seen.deactivations, 0);
    end(&scene);
}

static void a_prewarm_that_fails_is_cancelled_and_can_be_tried_again(void **state)
{
    struct scene scene;
    (void)state;

    begin(&scene);
    seen.activate_status = QK_NO_DEVICE_MEMORY;
    assert_int_equal(prewarm(&scene, KEEP_NS), QK_OK);
    pass(&scene, LOAD_NS);
    assert_int_equal(seen.outcome, QK__PREWARM_CANCELLED);
    assert_int_equal(seen.ready, 0);
    seen.activate_status = QK_OK;
    assert_int_equal(prewarm(&scene, KEEP_NS), QK_OK);
    pass(&scene, LOAD_NS);
    assert_int_equal(seen.ready, 1);
    tell(&scene);
    fixture_run(scene.host);
    assert_int_equal(seen.outcome, QK__PREWARM_USED);
    assert_int_equal(seen.ended, 2);
    seen.activations--;    /* of the failed one there is no deactivation */
    end(&scene);
}

static void stopping_cancels_unused_prewarms_and_takes_no_new_ones(void **state)
{
    struct scene scene;
    (void)state;

    begin(&scene);
    assert_int_equal(prewarm(&scene, KEEP_NS), QK_OK);
    pass(&scene, LOAD_NS);
    assert_int_equal(qk_host_stop(scene.host, 0), QK_OK);
    assert_int_equal(seen.outcome, QK__PREWARM_CANCELLED);
    assert_int_equal(prewarm(&scene, KEEP_NS), QK_UNAVAILABLE);
    assert_int_equal(counts_of(&scene).cancelled, 1);
    end(&scene);
}

static void predictions_are_counted(void **state)
{
    struct scene             scene;
    struct qk_prewarm_counts counts;
    (void)state;

    begin(&scene);
    qk__host_count_prediction(scene.host, "camera", false);
    qk__host_count_prediction(scene.host, "camera", true);
    qk__host_count_prediction(scene.host, "nobody", true);
    qk_host_prewarm_counts(scene.host, NULL, &counts);
    assert_int_equal(counts.predictions, 2);
    assert_int_equal(counts.refused, 1);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_to_a_warm_actor_waits_for_nothing),
        cmocka_unit_test(a_message_midway_joins_the_load),
        cmocka_unit_test(a_message_without_a_prewarm_is_cold),
        cmocka_unit_test(an_unused_prewarm_expires_and_is_counted_as_waste),
        cmocka_unit_test(a_second_prewarm_puts_the_expiry_off),
        cmocka_unit_test(an_active_actor_needs_no_prewarm),
        cmocka_unit_test(a_prewarm_that_fails_is_cancelled_and_can_be_tried_again),
        cmocka_unit_test(stopping_cancels_unused_prewarms_and_takes_no_new_ones),
        cmocka_unit_test(predictions_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
