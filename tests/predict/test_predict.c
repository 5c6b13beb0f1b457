/* SPDX-License-Identifier: Apache-2.0 */
/* From an event on a stream to an actor that is awake before it is called, and to the books. */
#include "predict/predict.h"

#include "../test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOON_NS (50 * QK__NS_PER_MS)

enum { ASK };

static _Atomic bool hold_activations;

static qk_status wake(qk_turn *turn, void *self)
{
    (void)self;
    while (atomic_load(&hold_activations)) {
        if (qk_sleep(turn, QK__NS_PER_MS) != QK_OK)
            return qk_fail(turn, QK_CANCELLED, "held too long");
    }
    return QK_OK;
}

static qk_status ask(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    *(uint32_t *)reply = qk_turn_warmth(turn);
    return QK_OK;
}

/* The event's bytes are a confidence. */
static bool by_confidence(void *arg, const struct qk_event_view *event, struct qk_forecast *inout)
{
    (void)arg;
    if (event->size_bytes != sizeof inout->confidence)
        return false;
    memcpy(&inout->confidence, event->bytes, sizeof inout->confidence);
    return true;
}

static const struct qk_method methods[] = {{"Ask", ask, 0, sizeof(uint32_t)}};

static const struct qk_predicted_by foretold[] = {
    {.trigger = "motion", .keep_ns = SOON_NS},
    {.trigger = "doors", .keep_ns = SOON_NS, .rule = by_confidence},
};

static const struct qk_type camera = {
    .size = sizeof camera,
    .name = "Camera",
    .activate = wake,
    .methods = methods,
    .method_count = 1,
    .predicted_by = foretold,
    .predicted_by_count = 2,
};

struct fixture {
    qk_host     *host;
    qk__predict *predict;
};

static struct fixture start(const struct qk__predict_opts *opts)
{
    struct qk_host_opts host_opts;
    struct fixture      fixture;
    struct qk_error     error = {0};

    atomic_store(&hold_activations, false);
    qk_host_opts_init(&host_opts);
    host_opts.worker_count = 2;
    host_opts.no_opencl = true;
    host_opts.log_fd = -1;
    if (qk_host_create(&host_opts, &fixture.host, &error) != QK_OK ||
        qk__predict_create(fixture.host, opts, &fixture.predict, &error) != QK_OK ||
        qk_host_register(fixture.host, &camera, &error) != QK_OK ||
        qk_host_start(fixture.host, &error) != QK_OK)
        fail_msg("%s", error.text);
    return fixture;
}

static void finish(struct fixture *fixture)
{
    assert_int_equal(qk_host_stop(fixture->host, 0), QK_OK);
    qk__predict_destroy(fixture->predict);
    qk_host_destroy(fixture->host);
}

static struct qk__predict_books books_of(const struct fixture *fixture, const char *trigger)
{
    struct qk__predict_books books;

    qk__predict_books(fixture->predict, trigger, NULL, &books);
    return books;
}

/* Waits until a counter of a trigger's books, by its offset, reaches a value. */
static void await(const struct fixture *fixture, const char *trigger, size_t offset,
                  uint64_t expected)
{
    struct qk__predict_books books = books_of(fixture, trigger);
    uint64_t                 value = 0;

    for (int waits = 0; waits < 10000; waits++) {
        memcpy(&value, (const char *)&books + offset, sizeof value);
        if (value == expected)
            return;
        usleep(1000);
        books = books_of(fixture, trigger);
    }
    fail_msg("the books of %s say %llu, not %llu", trigger, (unsigned long long)value,
             (unsigned long long)expected);
}

#define AWAIT(fixture, trigger, field, expected)                                                  \
    await((fixture), (trigger), offsetof(struct qk__predict_books, field), (expected))

static void publish(const struct fixture *fixture, const char *trigger, const char *key,
                    const void *bytes, size_t size_bytes)
{
    assert_int_equal(qk_client_publish(fixture->host, trigger, key, bytes, size_bytes), QK_OK);
}

static enum qk_warmth call(const struct fixture *fixture, const char *key)
{
    struct qk_error error = {0};
    uint32_t        warmth = 99;
    qk_actor       *actor;

    assert_int_equal(qk_actor_get(fixture->host, "Camera", key, &actor), QK_OK);
    if (qk_client_call(fixture->host, actor, ASK, NULL, &warmth, 0, &error) != QK_OK)
        fail_msg("%s", error.text);
    qk_actor_release(actor);
    return (enum qk_warmth)warmth;
}

static bool is_active(const struct fixture *fixture)
{
    struct qk__type_stats stats;

    qk__host_type_stats(fixture->host, &camera, &stats);
    return stats.active > 0;
}

static void await_active(const struct fixture *fixture)
{
    for (int waits = 0; waits < 10000 && !is_active(fixture); waits++)
        usleep(1000);
    usleep(20000);    /* from counted as active to the end of its activation */
}

static void an_event_wakes_the_actor_before_it_is_called(void **state)
{
    struct fixture fixture = start(NULL);
    (void)state;

    publish(&fixture, "motion", "cam-1", NULL, 0);
    AWAIT(&fixture, "motion", started, 1);
    await_active(&fixture);
    assert_int_equal(call(&fixture, "cam-1"), QK_WAS_PREWARMED);
    AWAIT(&fixture, "motion", used, 1);
    assert_int_equal(call(&fixture, "cam-1"), QK_WAS_ACTIVE);
    assert_int_equal(call(&fixture, "cam-2"), QK_WAS_COLD);
    assert_int_equal(books_of(&fixture, "motion").expired, 0);
    finish(&fixture);
}

static void *call_from_thread(void *arg)
{
    return (void *)(uintptr_t)call(arg, "cam-1");
}

static void a_call_that_comes_midway_joins(void **state)
{
    struct fixture fixture = start(NULL);
    void          *warmth;
    pthread_t      caller;
    (void)state;

    atomic_store(&hold_activations, true);
    publish(&fixture, "motion", "cam-1", NULL, 0);
    AWAIT(&fixture, "motion", started, 1);
    assert_int_equal(pthread_create(&caller, NULL, call_from_thread, &fixture), 0);
    usleep(20000);
    atomic_store(&hold_activations, false);
    pthread_join(caller, &warmth);
    assert_int_equal((uintptr_t)warmth, QK_WAS_JOINED);
    AWAIT(&fixture, "motion", late, 1);
    assert_int_equal(books_of(&fixture, "motion").used, 0);
    finish(&fixture);
}

static void what_nobody_calls_expires_and_is_counted(void **state)
{
    struct fixture fixture = start(&(struct qk__predict_opts){.slack_ns = QK__NS_PER_MS});
    (void)state;

    publish(&fixture, "motion", "cam-1", NULL, 0);
    AWAIT(&fixture, "motion", expired, 1);
    for (int waits = 0; waits < 5000 && is_active(&fixture); waits++)
        usleep(1000);
    assert_false(is_active(&fixture));
    assert_int_equal(call(&fixture, "cam-1"), QK_WAS_COLD);
    finish(&fixture);
}

static void only_a_sure_forecast_is_acted_on(void **state)
{
    struct fixture fixture = start(NULL);
    const double   unsure = 0.5, sure = 0.9;
    (void)state;

    publish(&fixture, "doors", "cam-1", &unsure, sizeof unsure);
    publish(&fixture, "doors", "cam-1", "x", 1);
    publish(&fixture, "elsewhere", "cam-1", &sure, sizeof sure);
    publish(&fixture, "doors", "cam-2", &sure, sizeof sure);
    AWAIT(&fixture, "doors", started, 1);
    assert_int_equal(books_of(&fixture, "doors").below_confidence, 1);
    assert_int_equal(books_of(&fixture, "doors").events, 3);
    await_active(&fixture);
    assert_int_equal(call(&fixture, "cam-1"), QK_WAS_COLD);
    assert_int_equal(call(&fixture, "cam-2"), QK_WAS_PREWARMED);
    finish(&fixture);
}

static void an_active_actor_is_not_warmed_again(void **state)
{
    struct fixture fixture = start(NULL);
    (void)state;

    assert_int_equal(call(&fixture, "cam-1"), QK_WAS_COLD);
    publish(&fixture, "motion", "cam-1", NULL, 0);
    AWAIT(&fixture, "motion", refused, 1);
    assert_int_equal(books_of(&fixture, "motion").started, 0);
    assert_int_equal(call(&fixture, "cam-1"), QK_WAS_ACTIVE);
    finish(&fixture);
}

static void no_more_than_the_limit_load_at_once(void **state)
{
    struct fixture fixture =
        start(&(struct qk__predict_opts){.max_loading = 3, .max_loading_per_trigger = 2});
    const double   sure = 0.9;
    char           key[16];
    (void)state;

    atomic_store(&hold_activations, true);
    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "cam-%d", i);
        publish(&fixture, "motion", key, NULL, 0);
    }
    AWAIT(&fixture, "motion", refused, 3);
    assert_int_equal(books_of(&fixture, "motion").started, 2);
    publish(&fixture, "doors", "cam-10", &sure, sizeof sure);
    publish(&fixture, "doors", "cam-11", &sure, sizeof sure);
    AWAIT(&fixture, "doors", refused, 1);
    assert_int_equal(books_of(&fixture, "doors").started, 1);

    /* Those that are ready make room for others. */
    atomic_store(&hold_activations, false);
    for (int i = 0; i < 5000 && books_of(&fixture, "motion").started < 3; i++) {
        snprintf(key, sizeof key, "cam-%d", 100 + i);
        publish(&fixture, "motion", key, NULL, 0);
        usleep(1000);
    }
    assert_true(books_of(&fixture, "motion").started >= 3);
    finish(&fixture);
}

static void a_disabled_predictor_watches_and_warms_nothing(void **state)
{
    struct fixture fixture = start(&(struct qk__predict_opts){.is_disabled = true});
    (void)state;

    publish(&fixture, "motion", "cam-1", NULL, 0);
    AWAIT(&fixture, "motion", refused, 1);
    assert_int_equal(books_of(&fixture, "motion").predictions, 1);
    assert_false(is_active(&fixture));
    assert_int_equal(call(&fixture, "cam-1"), QK_WAS_COLD);
    finish(&fixture);
}

struct publisher {
    const struct fixture *fixture;
    int                   index;
};

static void *publish_many(void *arg)
{
    const struct publisher *publisher = arg;
    char                    key[24];

    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "cam-%d-%d", publisher->index, i % 40);
        (void)qk_client_publish(publisher->fixture->host, "motion", key, NULL, 0);
    }
    return NULL;
}

/* Every event is seen or counted as dropped, and every pre-warm ends exactly once. */
static void a_burst_from_many_threads_adds_up(void **state)
{
    struct fixture           fixture = start(&(struct qk__predict_opts){.slack_ns = QK__NS_PER_MS});
    struct publisher         publishers[4];
    struct qk__predict_books books;
    pthread_t                threads[4];
    (void)state;

    for (int i = 0; i < 4; i++) {
        publishers[i] = (struct publisher){&fixture, i};
        assert_int_equal(pthread_create(&threads[i], NULL, publish_many, &publishers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    books = books_of(&fixture, "motion");
    for (int waits = 0; waits < 10000 &&
                        (books.events + books.dropped_events < 1200 ||
                         books.used + books.late + books.expired + books.cancelled < books.started);
         waits++) {
        usleep(1000);
        books = books_of(&fixture, "motion");
    }
    assert_int_equal(books.events + books.dropped_events, 1200);
    assert_int_equal(books.started, books.used + books.late + books.expired + books.cancelled);
    assert_int_equal(books.predictions, books.started + books.refused);
    assert_true(books.started > 0);
    finish(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_wakes_the_actor_before_it_is_called),
        cmocka_unit_test(a_call_that_comes_midway_joins),
        cmocka_unit_test(what_nobody_calls_expires_and_is_counted),
        cmocka_unit_test(only_a_sure_forecast_is_acted_on),
        cmocka_unit_test(an_active_actor_is_not_warmed_again),
        cmocka_unit_test(no_more_than_the_limit_load_at_once),
        cmocka_unit_test(a_disabled_predictor_watches_and_warms_nothing),
        cmocka_unit_test(a_burst_from_many_threads_adds_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
