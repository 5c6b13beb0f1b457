/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: who consumes gets every event once, in its publisher's order, as a turn. */
#include "quark/quark.h"

#include "host/host.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#define PUBLISHERS 4u

/* What publishers send: who, and the how-manieth. */
struct event {
    uint32_t publisher, number;
};

/* What a consumer has seen: how many in all, how many out of order. */
struct seen {
    uint32_t next[PUBLISHERS];
    uint32_t count, disorder;
};

enum { HEAR,
       SUBSCRIBE,
       UNSUBSCRIBE,
       TELL,
       PUBLISH,
       LEAVE };

static qk_status hear(qk_turn *turn, void *self, const void *request, void *reply)
{
    const struct event *event = request;
    struct seen        *seen = self;

    (void)turn;
    (void)reply;
    seen->count++;
    seen->disorder += event->number != seen->next[event->publisher];
    seen->next[event->publisher] = event->number + 1;
    return QK_OK;
}

static qk_status subscribe(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return qk_subscribe(turn, "news", "all", HEAR);
}

static qk_status unsubscribe(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return qk_unsubscribe(turn, "news", "all");
}

static qk_status tell_seen(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)request;
    *(struct seen *)reply = *(struct seen *)self;
    return QK_OK;
}

/* Publishes so many events as publisher 0: from a turn, which waits where a mailbox is full. */
static qk_status publish_many(qk_turn *turn, void *self, const void *request, void *reply)
{
    const uint32_t count = *(const uint32_t *)request;
    qk_status      status = QK_OK;

    (void)self;
    (void)reply;
    for (uint32_t i = 0; i < count && status == QK_OK; i++)
        status = qk_publish(turn, "news", "all", &(struct event){0, i}, sizeof(struct event));
    return status;
}

static qk_status leave(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    qk_deactivate(turn);
    return QK_OK;
}

static const struct qk_method methods[] = {
    [HEAR] = {"hear", hear, sizeof(struct event), 0},
    [SUBSCRIBE] = {"subscribe", subscribe, 0, 0},
    [UNSUBSCRIBE] = {"unsubscribe", unsubscribe, 0, 0},
    [TELL] = {"tell", tell_seen, 0, sizeof(struct seen)},
    [PUBLISH] = {"publish", publish_many, sizeof(uint32_t), 0},
    [LEAVE] = {"leave", leave, 0, 0},
};
static const struct qk_consumes consumes[] = {{"sensors/motion", HEAR}, {"sensors/door", HEAR}};
static const struct qk_type     listener_type = {
        .size = sizeof listener_type,
        .name = "listener",
        .self_bytes = sizeof(struct seen),
        .methods = methods,
        .method_count = QK__COUNT_OF(methods),
        .consumes = consumes,
        .consumes_count = QK__COUNT_OF(consumes),
};
static const struct qk_type small_type = {
    /* its mailbox is soon full */
    .size = sizeof small_type,
    .name = "small",
    .self_bytes = sizeof(struct seen),
    .methods = methods,
    .method_count = QK__COUNT_OF(methods),
    .mailbox_capacity = 4,
};

static qk_host *create_host(void)
{
    struct qk_host_opts opts;
    struct qk_error     error = {0};
    qk_host            *host;

    qk_host_opts_init(&opts);
    opts.worker_count = 2;
    opts.no_opencl = true;
    opts.log_fd = -1;
    if (qk_host_create(&opts, &host, &error) != QK_OK ||
        qk_host_register(host, &listener_type, &error) != QK_OK ||
        qk_host_register(host, &small_type, &error) != QK_OK)
        fail_msg("%s", error.text);
    return host;
}

static int set_up(void **state)
{
    *state = create_host();
    assert_int_equal(qk_host_start(*state, NULL), QK_OK);
    return 0;
}

static int tear_down(void **state)
{
    assert_int_equal(qk_host_stop(*state, 0), QK_OK);
    qk_host_destroy(*state);
    return 0;
}

static qk_status call(qk_host *host, const char *type, const char *key, uint32_t method,
                      const void *request, void *reply, struct qk_error *error)
{
    qk_actor *actor;
    qk_status status;

    assert_int_equal(qk_actor_get(host, type, key, &actor), QK_OK);
    status = qk_client_call(host, actor, method, request, reply, 0, error);
    qk_actor_release(actor);
    return status;
}

static struct seen seen_by(qk_host *host, const char *type, const char *key)
{
    struct seen     seen = {0};
    struct qk_error error = {0};
    qk_status       status;

    while ((status = call(host, type, key, TELL, NULL, &seen, &error)) == QK_MAILBOX_FULL)
        usleep(100); /* behind events that it has yet to handle */
    if (status != QK_OK)
        fail_msg("%s", error.text);
    return seen;
}

static void publish(qk_host *host, const char *stream_namespace, const char *key, uint32_t number)
{
    assert_int_equal(qk_client_publish(host, stream_namespace, key, &(struct event){0, number},
                                       sizeof(struct event)),
                     QK_OK);
}

static struct qk__stream_stats stats_of(qk_host *host)
{
    struct qk__stream_stats stats;

    qk__host_stream_stats(host, &stats);
    return stats;
}

static void a_type_that_consumes_gets_the_event_at_the_streams_key(void **state)
{
    publish(*state, "sensors/motion", "hall", 0);
    publish(*state, "sensors/door", "hall", 1);
    publish(*state, "sensors/motion", "attic", 0);
    assert_int_equal(seen_by(*state, "listener", "hall").count, 2);
    assert_int_equal(seen_by(*state, "listener", "attic").count, 1);
    assert_int_equal(stats_of(*state).published, 3);
    assert_int_equal(stats_of(*state).delivered, 3);
}

static void a_stream_without_consumer_is_fine(void **state)
{
    publish(*state, "nobody", "listens", 0);
    assert_int_equal(stats_of(*state).published, 1);
    assert_int_equal(stats_of(*state).delivered, 0);
    assert_int_equal(stats_of(*state).refused, 0);
}

static void a_stream_needs_namespace_and_key(void **state)
{
    assert_int_equal(qk_client_publish(*state, "", "x", NULL, 0), QK_INVALID_ARGUMENT);
    assert_int_equal(qk_client_publish(*state, "x", "", NULL, 0), QK_INVALID_ARGUMENT);
    assert_int_equal(qk_client_publish(*state, "x", "y", NULL, 4), QK_INVALID_ARGUMENT);
    assert_int_equal(qk_client_publish(NULL, "x", "y", NULL, 0), QK_INVALID_ARGUMENT);
}

static void a_subscriber_hears_until_it_unsubscribes(void **state)
{
    assert_int_equal(call(*state, "small", "s", SUBSCRIBE, NULL, NULL, NULL), QK_OK);
    assert_int_equal(stats_of(*state).subscriptions, 1);
    publish(*state, "news", "all", 0);
    publish(*state, "news", "other", 0);
    publish(*state, "new", "sall", 0); /* reads alike, and is another stream */
    assert_int_equal(seen_by(*state, "small", "s").count, 1);
    assert_int_equal(call(*state, "small", "s", UNSUBSCRIBE, NULL, NULL, NULL), QK_OK);
    publish(*state, "news", "all", 1);
    assert_int_equal(seen_by(*state, "small", "s").count, 1);
    assert_int_equal(stats_of(*state).subscriptions, 0);
}

static void a_second_subscription_to_one_stream_is_refused(void **state)
{
    struct qk_error error = {0};

    assert_int_equal(call(*state, "small", "s", SUBSCRIBE, NULL, NULL, NULL), QK_OK);
    assert_int_equal(call(*state, "small", "s", SUBSCRIBE, NULL, NULL, &error), QK_ALREADY_EXISTS);
    assert_non_null(strstr(error.text, "small/s can't subscribe to stream news/all"));
    assert_int_equal(call(*state, "small", "t", UNSUBSCRIBE, NULL, NULL, &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "t is not subscribed to stream news/all"));
}

static void a_deactivated_actor_is_no_subscriber_any_more(void **state)
{
    assert_int_equal(call(*state, "small", "s", SUBSCRIBE, NULL, NULL, NULL), QK_OK);
    assert_int_equal(call(*state, "small", "s", LEAVE, NULL, NULL, NULL), QK_OK);
    for (int i = 0; i < 1000 && stats_of(*state).subscriptions > 0; i++)
        usleep(1000);
    assert_int_equal(stats_of(*state).subscriptions, 0);
}

/* A publisher's events in order at each consumer, with several publishers at once. */
struct publisher {
    qk_host *host;
    uint32_t index, count;
    uint64_t failures;
};

static void *publish_all(void *arg)
{
    struct publisher *publisher = arg;

    for (uint32_t i = 0; i < publisher->count; i++) {
        const struct event event = {publisher->index, i};

        publisher->failures +=
            qk_client_publish(publisher->host, "news", "all", &event, sizeof event) != QK_OK;
    }
    return NULL;
}

static void each_publishers_order_is_kept_for_every_subscriber(void **state)
{
    struct publisher         publishers[PUBLISHERS];
    pthread_t                threads[PUBLISHERS];
    static const char *const keys[] = {"a", "b", "c"};

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(call(*state, "listener", keys[i], SUBSCRIBE, NULL, NULL, NULL), QK_OK);
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        publishers[i] = (struct publisher){*state, i, 200, 0}; /* all together fit into a mailbox */
        assert_int_equal(pthread_create(&threads[i], NULL, publish_all, &publishers[i]), 0);
    }
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(publishers[i].failures, 0);
    }
    for (size_t i = 0; i < 3; i++) {
        const struct seen seen = seen_by(*state, "listener", keys[i]);

        assert_int_equal(seen.count, PUBLISHERS * 200);
        assert_int_equal(seen.disorder, 0);
    }
}

static void a_publishing_turn_waits_for_a_full_mailbox_and_loses_nothing(void **state)
{
    const uint32_t count = 500; /* the subscriber's mailbox holds 4 */
    struct seen    seen;

    assert_int_equal(call(*state, "small", "s", SUBSCRIBE, NULL, NULL, NULL), QK_OK);
    assert_int_equal(call(*state, "listener", "publisher", PUBLISH, &count, NULL, NULL), QK_OK);
    seen = seen_by(*state, "small", "s");
    assert_int_equal(seen.count, count);
    assert_int_equal(seen.disorder, 0);
}

static void a_thread_is_told_of_a_full_mailbox_and_the_others_hear(void **state)
{
    qk_host                *host = *state;
    uint32_t                refused = 0, count = 0;
    struct qk__stream_stats stats;

    assert_int_equal(call(host, "small", "s", SUBSCRIBE, NULL, NULL, NULL), QK_OK);
    assert_int_equal(call(host, "listener", "l", SUBSCRIBE, NULL, NULL, NULL), QK_OK);
    while (refused == 0 && count < 900) {
        const struct event event = {0, count++};
        const qk_status    status = qk_client_publish(host, "news", "all", &event, sizeof event);

        refused += status == QK_MAILBOX_FULL;
        assert_true(status == QK_OK || status == QK_MAILBOX_FULL);
    }
    assert_int_equal(seen_by(host, "listener", "l").count, count);
    assert_int_equal(seen_by(host, "small", "s").count, count - refused);
    stats = stats_of(host);
    assert_int_equal(stats.refused, refused);
    assert_int_equal(stats.delivered, 2 * count - refused);
}

/* ---- Concurrency of subscriptions ---- */

#define CHURNERS 8u
#define CHURNS 50u

struct churner {
    qk_host *host;
    char     key[16];
    uint64_t failures;
};

/* Comes and goes many times, and stays in the end. */
static void *churn(void *arg)
{
    struct churner *churner = arg;

    for (uint32_t i = 0; i < CHURNS; i++) {
        churner->failures +=
            call(churner->host, "listener", churner->key, SUBSCRIBE, NULL, NULL, NULL) != QK_OK;
        churner->failures +=
            call(churner->host, "listener", churner->key, UNSUBSCRIBE, NULL, NULL, NULL) != QK_OK;
    }
    churner->failures +=
        call(churner->host, "listener", churner->key, SUBSCRIBE, NULL, NULL, NULL) != QK_OK;
    return NULL;
}

static void no_subscription_is_lost_among_those_that_come_and_go(void **state)
{
    struct churner churners[CHURNERS];
    pthread_t      threads[CHURNERS];
    qk_host       *host = *state;

    for (uint32_t i = 0; i < CHURNERS; i++) {
        churners[i] = (struct churner){.host = host};
        snprintf(churners[i].key, sizeof churners[i].key, "%u", i);
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &churners[i]), 0);
    }
    for (uint32_t i = 0; i < 200; i++)
        (void)qk_client_publish(host, "news", "all", &(struct event){1, i}, sizeof(struct event));
    for (uint32_t i = 0; i < CHURNERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(churners[i].failures, 0);
    }
    assert_int_equal(stats_of(host).subscriptions, CHURNERS);
    for (uint32_t i = 0; i < CHURNERS; i++) {
        const uint32_t before = seen_by(host, "listener", churners[i].key).count;

        publish(host, "news", "all", 0);
        assert_int_equal(seen_by(host, "listener", churners[i].key).count, before + 1);
    }
}

/* ---- The observer ---- */

struct observed {
    _Atomic uint32_t count;
    char             last[64];
};

static void observe(void *arg, const struct qk_event_view *event)
{
    struct observed *observed = arg;

    snprintf(observed->last, sizeof observed->last, "%s %s %zu %d", event->stream_namespace,
             event->stream_key, event->size_bytes, event->time_ns > 0);
    atomic_fetch_add(&observed->count, 1);
}

static void the_observer_hears_of_every_event(void **state)
{
    struct observed     observed = {0};
    struct qk__observer observer = {.stream_event = observe, .arg = &observed};
    qk_host            *host = create_host();

    (void)state;
    qk__host_observe(host, &observer);
    assert_int_equal(qk_host_start(host, NULL), QK_OK);
    publish(host, "sensors/motion", "hall", 0);
    publish(host, "nobody", "listens", 0);
    assert_int_equal(observed.count, 2);
    assert_string_equal(observed.last, "nobody listens 8 1");
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    qk_host_destroy(host);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_type_that_consumes_gets_the_event_at_the_streams_key),
        TEST(a_stream_without_consumer_is_fine),
        TEST(a_stream_needs_namespace_and_key),
        TEST(a_subscriber_hears_until_it_unsubscribes),
        TEST(a_second_subscription_to_one_stream_is_refused),
        TEST(a_deactivated_actor_is_no_subscriber_any_more),
        TEST(each_publishers_order_is_kept_for_every_subscriber),
        TEST(a_publishing_turn_waits_for_a_full_mailbox_and_loses_nothing),
        TEST(a_thread_is_told_of_a_full_mailbox_and_the_others_hear),
        TEST(no_subscription_is_lost_among_those_that_come_and_go),
        cmocka_unit_test(the_observer_hears_of_every_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
