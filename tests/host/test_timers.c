/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_timers.c - claims about an actor's timers: on a virtual clock, stepped by hand; and once
 * each with real time and with workers that race.
 */
#include "host_fixture.h"

#include "base/memory.h"

#include <stdio.h>

#define MS QK__NS_PER_MS

struct order {
    qk_status (*fn)(qk_turn *turn); /* done in a turn of the clerk */
};

struct clerk {
    uint32_t ticks;
};

/* What the ticks of the clerk saw and do. One test at a time. */
static struct {
    uint32_t             ticks, running;
    uint64_t             at_ns[64];
    uint64_t             brought[64];
    uint64_t             tick_takes_ns;
    bool                 cancels, rearms;
    bool                 arms_when_activated;
    qk_status            arms_when_leaving;
    qk_timer             timer, other;
    struct qk_timer_opts opts;
    struct qk_error      error;
    uint32_t             activations, deactivations;
} seen;

static qk_status arm(qk_turn *turn)
{
    const qk_status status = qk_timer_start(turn, &seen.opts, &seen.timer);

    snprintf(seen.error.text, sizeof seen.error.text, "%s", qk_turn_error(turn));
    return status;
}

static qk_status cancel(qk_turn *turn)
{
    return qk_timer_cancel(turn, seen.timer) ? QK_OK : QK_NOT_FOUND;
}

static qk_status obey(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)memory;
    (void)reply;
    return ((const struct order *)request)->fn(turn);
}

static qk_status tick(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct clerk *self = memory;

    assert_null(reply);
    assert_int_equal(seen.running, 0); /* one turn at a time */
    seen.running++;
    seen.at_ns[seen.ticks % 64] = qk_turn_now_ns(turn);
    seen.brought[seen.ticks % 64] =
        qk_turn_request_bytes(turn) > 0 ? *(const uint64_t *)request : 0;
    seen.ticks++;
    self->ticks++;
    if (seen.cancels)
        assert_true(qk_timer_cancel(turn, seen.timer));
    if (seen.rearms)
        assert_int_equal(arm(turn), QK_OK);
    if (seen.tick_takes_ns > 0)
        (void)qk_sleep(turn, seen.tick_takes_ns);
    seen.running--;
    return QK_OK;
}

static qk_status doze(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)memory;
    (void)reply;
    return qk_sleep(turn, *(const uint64_t *)request);
}

static qk_status greet(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    return QK_OK;
}

static qk_status wake(qk_turn *turn, void *self)
{
    (void)self;
    seen.activations++;
    return seen.arms_when_activated ? arm(turn) : QK_OK;
}

static void rest(qk_turn *turn, void *self)
{
    (void)self;
    seen.deactivations++;
    seen.arms_when_leaving = arm(turn);
}

enum { OBEY,
       TICK,
       DOZE,
       GREET };

static const struct qk_method methods[] = {
    [OBEY] = {"obey", obey, sizeof(struct order), 0},
    [TICK] = {"tick", tick, 0, 0},
    [DOZE] = {"doze", doze, sizeof(uint64_t), 0},
    [GREET] = {"greet", greet, 0, 0},
};

static const struct qk_supervision soon_again = {
    .size = sizeof(struct qk_supervision),
    .backoff_ns = 5 * MS,
};

static const struct qk_type clerk_type = {
    .size = sizeof(struct qk_type),
    .name = "clerk",
    .supervision = &soon_again,
    .self_bytes = sizeof(struct clerk),
    .activate = wake,
    .deactivate = rest,
    .methods = methods,
    .method_count = QK__COUNT_OF(methods),
    .idle_timeout_ns = 1000 * MS,
};

struct office {
    struct qk__virtual_clock clock;
    qk_host                 *host;
    qk_actor                *clerk;
    uint64_t                 began_ns;
};

static void open_office(struct office *office)
{
    memset(&seen, 0, sizeof seen);
    qk_timer_opts_init(&seen.opts);
    seen.opts.method = TICK;
    office->host = fixture_manual(&office->clock, &clerk_type);
    office->clerk = fixture_actor(office->host, "clerk", "bob");
    office->began_ns = qk__clock_now_ns(&office->clock.clock);
}

static void close_office(struct office *office)
{
    qk_actor_release(office->clerk);
    fixture_finish(office->host);
}

static qk_status order(struct office *office, qk_status (*fn)(qk_turn *turn))
{
    const struct order what = {fn};

    return qk_client_call(office->host, office->clerk, OBEY, &what, NULL, 0, NULL);
}

static void wait_ms(struct office *office, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++)
        fixture_advance(office->host, &office->clock, MS);
}

static struct qk__type_stats stats_of(const struct office *office)
{
    struct qk__type_stats stats;

    qk__host_type_stats(office->host, &clerk_type, &stats);
    return stats;
}

static void a_timer_ticks_once_when_its_time_has_come(void **state)
{
    struct office office;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = 5 * MS;
    assert_int_equal(order(&office, arm), QK_OK);
    wait_ms(&office, 4);
    assert_int_equal(seen.ticks, 0);
    assert_int_equal(stats_of(&office).timers, 1);
    wait_ms(&office, 1);
    assert_int_equal(seen.ticks, 1);
    assert_int_equal(seen.at_ns[0] - office.began_ns, 5 * MS);
    wait_ms(&office, 50);
    assert_int_equal(seen.ticks, 1);
    assert_int_equal(order(&office, cancel), QK_NOT_FOUND);
    assert_int_equal(stats_of(&office).timers, 0);
    close_office(&office);
}

static void ticks_are_turns_but_no_messages_that_somebody_sent(void **state)
{
    struct office           office;
    struct qk__message_books books;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = seen.opts.period_ns = MS;
    assert_int_equal(order(&office, arm), QK_OK);
    wait_ms(&office, 20);
    assert_int_equal(order(&office, cancel), QK_OK);
    assert_int_equal(stats_of(&office).timer_ticks, 20);
    qk__host_message_books(office.host, &books);
    assert_int_equal(books.handled, 2);
    assert_int_equal(books.refused + books.dead, 0);
    close_office(&office);
}

/* Its guards are for what others send: a tick is neither refused nor tried again. */
static qk_status break_always(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    seen.ticks++;
    return qk_fail(turn, QK_UNAVAILABLE, "on purpose");
}

static const struct qk_method guarded_methods[] = {
    {"obey", obey, sizeof(struct order), 0},
    {"tick", break_always, 0, 0},
};

static const struct qk_protection guards = {
    .size = sizeof(struct qk_protection),
    .guards = QK_GUARD_RETRY,
};

static const struct qk_type guarded_type = {
    .size = sizeof(struct qk_type),
    .name = "clerk",
    .self_bytes = sizeof(struct clerk),
    .methods = guarded_methods,
    .method_count = 2,
    .protection = &guards,
};

static void a_tick_that_fails_is_not_tried_again(void **state)
{
    struct office office;
    (void)state;

    memset(&seen, 0, sizeof seen);
    qk_timer_opts_init(&seen.opts);
    seen.opts.method = 1;
    seen.opts.after_ns = MS;
    office.host = fixture_manual(&office.clock, &guarded_type);
    office.clerk = fixture_actor(office.host, "clerk", "bob");
    assert_int_equal(order(&office, arm), QK_OK);
    for (int i = 0; i < 100; i++)
        fixture_advance(office.host, &office.clock, 100 * MS);
    assert_int_equal(seen.ticks, 1);
    close_office(&office);
}

static void a_tick_brings_a_copy_of_what_was_given(void **state)
{
    struct office office;
    uint64_t      number = 42;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = MS;
    seen.opts.request = &number;
    seen.opts.request_bytes = sizeof number;
    assert_int_equal(order(&office, arm), QK_OK);
    number = 7;
    wait_ms(&office, 1);
    assert_int_equal(seen.ticks, 1);
    assert_int_equal(seen.brought[0], 42);
    close_office(&office);
}

static void a_period_counts_from_the_beginning_and_does_not_drift(void **state)
{
    struct office office;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = 3 * MS;
    seen.opts.period_ns = 10 * MS;
    seen.tick_takes_ns = 4 * MS;
    assert_int_equal(order(&office, arm), QK_OK);
    wait_ms(&office, 100);
    assert_int_equal(seen.ticks, 10);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(seen.at_ns[i] - office.began_ns, (3 + 10 * i) * MS);
    close_office(&office);
}

static void ticks_are_skipped_while_one_runs(void **state)
{
    struct office office;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = 10 * MS;
    seen.opts.period_ns = 10 * MS;
    seen.tick_takes_ns = 25 * MS; /* over those at 20 and 30 */
    assert_int_equal(order(&office, arm), QK_OK);
    wait_ms(&office, 99);
    assert_int_equal(seen.ticks, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(seen.at_ns[i] - office.began_ns, (10 + 30 * i) * MS);
    assert_int_equal(stats_of(&office).timer_ticks, 3);
    assert_int_equal(stats_of(&office).timer_skipped, 6);
    close_office(&office);
}

static void ticks_are_skipped_while_one_is_pending(void **state)
{
    const uint64_t long_ns = 35 * MS;
    struct office  office;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = seen.opts.period_ns = 10 * MS;
    assert_int_equal(order(&office, arm), QK_OK);
    assert_int_equal(qk_client_tell(office.host, office.clerk, DOZE, &long_ns, sizeof long_ns),
                     QK_OK);
    fixture_run(office.host);
    wait_ms(&office, 39);
    assert_int_equal(seen.ticks, 1);
    assert_int_equal(seen.at_ns[0] - office.began_ns, 35 * MS);
    wait_ms(&office, 1);
    assert_int_equal(seen.ticks, 2);
    assert_int_equal(stats_of(&office).timer_skipped, 2);
    assert_int_equal(stats_of(&office).timer_late.max_ns, 25 * MS);
    close_office(&office);
}

static void an_interleaving_timer_skips_nothing(void **state)
{
    const uint64_t long_ns = 35 * MS;
    struct office  office;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = seen.opts.period_ns = 10 * MS;
    seen.opts.interleaves = true;
    assert_int_equal(order(&office, arm), QK_OK);
    assert_int_equal(qk_client_tell(office.host, office.clerk, DOZE, &long_ns, sizeof long_ns),
                     QK_OK);
    fixture_run(office.host);
    wait_ms(&office, 39);
    assert_int_equal(seen.ticks, 3);
    assert_int_equal(stats_of(&office).timer_skipped, 0);
    assert_int_equal(order(&office, cancel), QK_OK);
    wait_ms(&office, 30);
    assert_int_equal(seen.ticks, 3);
    close_office(&office);
}

/* ---- Where turns interleave ---- */

static uint32_t most_running;

static qk_status slow_tick(qk_turn *turn, void *self, const void *request, void *reply)
{
    qk_status status;

    (void)self;
    (void)request;
    (void)reply;
    seen.ticks++;
    seen.running++;
    most_running = seen.running > most_running ? seen.running : most_running;
    status = qk_sleep(turn, 35 * MS);
    seen.running--;
    return status;
}

static const struct qk_method weaving_methods[] = {
    {"obey", obey, sizeof(struct order), 0},
    {"slow_tick", slow_tick, 0, 0},
};

static const struct qk_type weaving_type = {
    .size = sizeof(struct qk_type),
    .name = "clerk",
    .self_bytes = sizeof(struct clerk),
    .methods = weaving_methods,
    .method_count = 2,
    .reentrancy = QK_REENTRANT_FULL,
};

static void weave(bool interleaves, uint32_t expected_ticks, uint32_t expected_running)
{
    struct office office;

    memset(&seen, 0, sizeof seen);
    most_running = 0;
    qk_timer_opts_init(&seen.opts);
    seen.opts.method = 1;
    seen.opts.after_ns = seen.opts.period_ns = 10 * MS;
    seen.opts.interleaves = interleaves;
    office.host = fixture_manual(&office.clock, &weaving_type);
    office.clerk = fixture_actor(office.host, "clerk", "bob");
    assert_int_equal(order(&office, arm), QK_OK);
    wait_ms(&office, 105);
    assert_int_equal(seen.ticks, expected_ticks);
    assert_int_equal(most_running, expected_running);
    assert_int_equal(order(&office, cancel), QK_OK);
    wait_ms(&office, 100);
    assert_int_equal(seen.ticks, expected_ticks);
    assert_int_equal(seen.running, 0);
    close_office(&office);
}

static void where_turns_interleave_ticks_do_when_they_are_asked_to(void **state)
{
    (void)state;
    weave(true, 10, 4);     /* each lasts over the three after it */
    weave(false, 3, 1);     /* 10, 50, 90 */
}

static void ticks_go_before_waiting_messages(void **state)
{
    const uint64_t long_ns = 20 * MS;
    struct office  office;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = 10 * MS;
    assert_int_equal(order(&office, arm), QK_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(qk_client_tell(office.host, office.clerk, DOZE, &long_ns, sizeof long_ns),
                         QK_OK);
    fixture_run(office.host);
    wait_ms(&office, 30);
    assert_int_equal(seen.ticks, 1);
    assert_int_equal(seen.at_ns[0] - office.began_ns, 20 * MS);
    wait_ms(&office, 20);
    close_office(&office);
}

static qk_status sleep_over_the_tick_then_cancel(qk_turn *turn)
{
    assert_int_equal(qk_sleep(turn, 20 * MS), QK_OK);
    return cancel(turn);
}

static void none_comes_after_cancel_not_even_a_pending_one(void **state)
{
    const struct order late = {sleep_over_the_tick_then_cancel};
    struct office      office;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = 10 * MS;
    seen.opts.period_ns = 10 * MS;
    assert_int_equal(order(&office, arm), QK_OK);
    assert_int_equal(order(&office, cancel), QK_OK);
    assert_int_equal(order(&office, cancel), QK_NOT_FOUND);
    wait_ms(&office, 30);
    assert_int_equal(seen.ticks, 0);
    assert_int_equal(order(&office, arm), QK_OK);
    assert_int_equal(qk_client_tell(office.host, office.clerk, OBEY, &late, sizeof late), QK_OK);
    fixture_run(office.host);
    wait_ms(&office, 50);
    assert_int_equal(seen.ticks, 0);
    assert_int_equal(stats_of(&office).timers, 0);
    assert_int_equal(stats_of(&office).failures, 1); /* the second cancel */
    close_office(&office);
}

static void a_tick_may_cancel_its_own_timer(void **state)
{
    struct office office;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = seen.opts.period_ns = 10 * MS;
    seen.cancels = true;
    assert_int_equal(order(&office, arm), QK_OK);
    wait_ms(&office, 50);
    assert_int_equal(seen.ticks, 1);
    close_office(&office);
}

static void a_tick_may_arm_the_next_one_and_old_handles_are_refused(void **state)
{
    struct office office;
    qk_timer      old;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = 10 * MS;
    seen.rearms = true;
    assert_int_equal(order(&office, arm), QK_OK);
    old = seen.timer;
    wait_ms(&office, 55);
    assert_int_equal(seen.ticks, 5);
    seen.rearms = false;
    seen.other = seen.timer;
    seen.timer = old;
    assert_int_equal(order(&office, cancel), QK_NOT_FOUND);
    seen.timer = (qk_timer){0};
    assert_int_equal(order(&office, cancel), QK_NOT_FOUND);
    seen.timer = (qk_timer){UINT64_MAX};
    assert_int_equal(order(&office, cancel), QK_NOT_FOUND);
    seen.timer = seen.other;
    assert_int_equal(order(&office, cancel), QK_OK);
    close_office(&office);
}

static qk_status arm_a_thousand(qk_turn *turn)
{
    for (uint64_t i = 0; i < 1000; i++) {
        seen.opts.after_ns = (1 + i % 50) * MS;
        assert_int_equal(qk_timer_start(turn, &seen.opts, i == 500 ? &seen.timer : NULL), QK_OK);
    }
    return QK_OK;
}

static void an_actor_may_have_many(void **state)
{
    struct office office;
    (void)state;

    open_office(&office);
    assert_int_equal(order(&office, arm_a_thousand), QK_OK);
    assert_int_equal(order(&office, cancel), QK_OK);
    assert_int_equal(stats_of(&office).timers, 999);
    wait_ms(&office, 25);
    assert_int_equal(seen.ticks, 499);
    wait_ms(&office, 25);
    assert_int_equal(seen.ticks, 999);
    close_office(&office);
}

static void timers_do_not_keep_an_actor_unless_they_are_to(void **state)
{
    struct office office;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = seen.opts.period_ns = 100 * MS;
    assert_int_equal(order(&office, arm), QK_OK);
    for (int i = 0; i < 200; i++)
        fixture_advance(office.host, &office.clock, 10 * MS);
    assert_int_equal(seen.deactivations, 1);
    assert_in_range(seen.ticks, 9, 13);
    assert_int_equal(stats_of(&office).timers, 0);
    assert_int_equal(seen.arms_when_leaving, QK_FAILED_PRECONDITION);

    seen.opts.keeps_alive = true;
    seen.ticks = 0;
    assert_int_equal(order(&office, arm), QK_OK);
    for (int i = 0; i < 400; i++)
        fixture_advance(office.host, &office.clock, 10 * MS);
    assert_int_equal(seen.deactivations, 1);
    assert_int_equal(seen.ticks, 40);
    close_office(&office);
    assert_int_equal(seen.deactivations, 2);
}

static qk_status leave(qk_turn *turn)
{
    qk_deactivate(turn);
    return arm(turn);
}

static void a_timer_ends_with_its_activation(void **state)
{
    struct office office;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = 10 * MS;
    assert_int_equal(order(&office, leave), QK_OK);
    wait_ms(&office, 1);
    assert_int_equal(seen.deactivations, 1);
    wait_ms(&office, 30);
    assert_int_equal(seen.ticks, 0);
    assert_int_equal(seen.activations, 1);
    close_office(&office);
}

static qk_status adopt_bob(qk_turn *turn)
{
    qk_actor *bob;
    qk_status status = qk_actor_get(qk_turn_host(turn), "clerk", "bob", &bob);

    if (status == QK_OK)
        status = qk_child_adopt(turn, bob);
    qk_actor_release(bob);
    return status;
}

static qk_status break_down(qk_turn *turn)
{
    return qk_fail(turn, QK_INTERNAL, "on purpose");
}

static void a_restart_ends_all_timers(void **state)
{
    const struct order adopt = {adopt_bob};
    struct office      office;
    qk_actor          *boss;
    (void)state;

    open_office(&office);
    boss = fixture_actor(office.host, "clerk", "boss");
    assert_int_equal(qk_client_call(office.host, boss, OBEY, &adopt, NULL, 0, NULL), QK_OK);
    seen.opts.after_ns = seen.opts.period_ns = 10 * MS;
    assert_int_equal(order(&office, arm), QK_OK);
    wait_ms(&office, 10);
    assert_int_equal(seen.ticks, 1);
    assert_int_equal(order(&office, break_down), QK_INTERNAL);
    wait_ms(&office, 50);
    assert_int_equal(seen.deactivations, 1);
    assert_int_equal(seen.activations, 3);    /* bob, the boss, bob again */
    assert_int_equal(seen.ticks, 1);
    assert_int_equal(stats_of(&office).timers, 0);
    qk_actor_release(boss);
    close_office(&office);
}

static void a_pre_warmed_actor_ticks_from_its_first_message(void **state)
{
    struct office      office;
    struct qk__prewarm prewarm = {.type = "clerk", .key = "bob", .trigger = "bell"};
    (void)state;

    open_office(&office);
    seen.arms_when_activated = true;
    seen.opts.after_ns = seen.opts.period_ns = 10 * MS;
    prewarm.expires_ns = office.began_ns + 500 * MS;
    assert_int_equal(qk__host_prewarm(office.host, &prewarm), QK_OK);
    fixture_run(office.host);
    wait_ms(&office, 45);
    assert_int_equal(seen.activations, 1);
    assert_int_equal(seen.ticks, 0);
    assert_int_equal(qk_client_call(office.host, office.clerk, GREET, NULL, NULL, 0, NULL), QK_OK);
    wait_ms(&office, 1);
    assert_int_equal(seen.ticks, 1); /* the one that waited */
    wait_ms(&office, 4);
    assert_int_equal(seen.ticks, 2); /* and on with the beat */
    close_office(&office);
}

static void what_does_not_fit_is_refused_by_name(void **state)
{
    static const unsigned char large[QK_TIMER_REQUEST_MAX + 1];
    struct office              office;
    (void)state;

    open_office(&office);
    seen.opts.method = 9;
    assert_int_equal(order(&office, arm), QK_INVALID_ARGUMENT);
    assert_string_equal(seen.error.text, "type clerk has no method 9, only 4");
    seen.opts.method = DOZE;
    assert_int_equal(order(&office, arm), QK_INVALID_ARGUMENT);
    assert_string_equal(seen.error.text, "clerk.doze takes a request of 8 bytes, not of 0");
    seen.opts.method = TICK;
    seen.opts.request_bytes = 8;
    assert_int_equal(order(&office, arm), QK_INVALID_ARGUMENT);
    assert_string_equal(seen.error.text, "clerk.tick: the request is NULL");
    seen.opts.request = large;
    seen.opts.request_bytes = sizeof large;
    assert_int_equal(order(&office, arm), QK_INVALID_ARGUMENT);
    assert_string_equal(seen.error.text, "clerk/bob: a timer's request of 65 bytes; at most 64");
    seen.opts.size = 0;
    assert_int_equal(order(&office, arm), QK_INVALID_ARGUMENT);
    close_office(&office);
}

static void a_stopping_host_ticks_no_more(void **state)
{
    struct office office;
    (void)state;

    open_office(&office);
    seen.opts.after_ns = seen.opts.period_ns = 10 * MS;
    assert_int_equal(order(&office, arm), QK_OK);
    wait_ms(&office, 10);
    assert_int_equal(seen.ticks, 1);
    qk__virtual_clock_advance(&office.clock, 10 * MS); /* due, and not yet looked at */
    close_office(&office);
    assert_int_equal(seen.ticks, 1);
    assert_int_equal(seen.deactivations, 1);
}

/* ---- With workers ---- */

#define RACERS 16u

struct racer {
    qk_timer timer;
    bool     is_armed;
};

static _Atomic uint64_t race_ticks;
static _Atomic uint32_t ticks_after_cancel;

static qk_status race_tick(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct racer *self = memory;

    (void)turn;
    (void)request;
    (void)reply;
    if (!self->is_armed)
        atomic_fetch_add(&ticks_after_cancel, 1);
    atomic_fetch_add(&race_ticks, 1);
    return QK_OK;
}

static qk_status toggle(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct racer        *self = memory;
    struct qk_timer_opts opts;

    (void)request;
    (void)reply;
    qk_timer_opts_init(&opts);
    opts.period_ns = 20000;
    if (self->is_armed) {
        self->is_armed = false;
        return qk_timer_cancel(turn, self->timer) ? QK_OK : QK_INTERNAL;
    }
    self->is_armed = true;
    return qk_timer_start(turn, &opts, &self->timer);
}

static qk_status go(qk_turn *turn, void *memory, const void *request, void *reply)
{
    (void)memory;
    (void)request;
    (void)reply;
    qk_deactivate(turn);
    return QK_OK;
}

static const struct qk_method racer_methods[] = {
    {"tick", race_tick, 0, 0},
    {"toggle", toggle, 0, 0},
    {"go", go, 0, 0},
};

static const struct qk_type racer_type = {
    .size = sizeof(struct qk_type),
    .name = "racer",
    .self_bytes = sizeof(struct racer),
    .methods = racer_methods,
    .method_count = QK__COUNT_OF(racer_methods),
};

static void cancelling_and_leaving_race_with_firing_and_no_tick_comes_late(void **state)
{
    qk_host  *host = fixture_start(3, &racer_type);
    qk_actor *racers[RACERS];
    char      key[16];
    (void)state;

    atomic_store(&race_ticks, 0);
    atomic_store(&ticks_after_cancel, 0);
    for (uint32_t i = 0; i < RACERS; i++) {
        snprintf(key, sizeof key, "%u", i);
        racers[i] = fixture_actor(host, "racer", key);
    }
    for (uint32_t round = 0; round < 3000; round++) {
        qk_actor      *racer = racers[round % RACERS];
        const uint32_t method = round % 7 == 6 ? 2 : 1;

        assert_int_equal(qk_client_call(host, racer, method, NULL, NULL, 0, NULL), QK_OK);
    }
    assert_int_equal(atomic_load(&ticks_after_cancel), 0);
    assert_true(atomic_load(&race_ticks) > 0);
    for (uint32_t i = 0; i < RACERS; i++)
        qk_actor_release(racers[i]);
    fixture_finish(host);
}

static void in_real_time_a_beat_is_kept(void **state)
{
    qk_host              *host = fixture_start(1, &clerk_type);
    qk_actor             *clerk = fixture_actor(host, "clerk", "bob");
    struct order          what = {arm};
    const uint64_t        long_ns = 100 * MS;
    struct qk__type_stats stats;
    (void)state;

    memset(&seen, 0, sizeof seen);
    qk_timer_opts_init(&seen.opts);
    seen.opts.method = TICK;
    seen.opts.after_ns = seen.opts.period_ns = 2 * MS;
    assert_int_equal(qk_client_call(host, clerk, OBEY, &what, NULL, 0, NULL), QK_OK);
    usleep(100000);
    what.fn = cancel;
    assert_int_equal(qk_client_call(host, clerk, OBEY, &what, NULL, 0, NULL), QK_OK);
    qk__host_type_stats(host, &clerk_type, &stats);
    /* However late on a machine that is busy: each beat came or was skipped, and none twice. */
    assert_true(stats.timer_ticks >= 1);
    assert_true(stats.timer_ticks + stats.timer_skipped >= long_ns / (2 * MS) - 2);
    assert_int_equal(stats.timers, 0);
    qk_actor_release(clerk);
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_ticks_once_when_its_time_has_come),
        cmocka_unit_test(ticks_are_turns_but_no_messages_that_somebody_sent),
        cmocka_unit_test(a_tick_that_fails_is_not_tried_again),
        cmocka_unit_test(a_tick_brings_a_copy_of_what_was_given),
        cmocka_unit_test(a_period_counts_from_the_beginning_and_does_not_drift),
        cmocka_unit_test(ticks_are_skipped_while_one_runs),
        cmocka_unit_test(ticks_are_skipped_while_one_is_pending),
        cmocka_unit_test(an_interleaving_timer_skips_nothing),
        cmocka_unit_test(where_turns_interleave_ticks_do_when_they_are_asked_to),
        cmocka_unit_test(ticks_go_before_waiting_messages),
        cmocka_unit_test(none_comes_after_cancel_not_even_a_pending_one),
        cmocka_unit_test(a_tick_may_cancel_its_own_timer),
        cmocka_unit_test(a_tick_may_arm_the_next_one_and_old_handles_are_refused),
        cmocka_unit_test(an_actor_may_have_many),
        cmocka_unit_test(timers_do_not_keep_an_actor_unless_they_are_to),
        cmocka_unit_test(a_timer_ends_with_its_activation),
        cmocka_unit_test(a_restart_ends_all_timers),
        cmocka_unit_test(a_pre_warmed_actor_ticks_from_its_first_message),
        cmocka_unit_test(what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(a_stopping_host_ticks_no_more),
        cmocka_unit_test(cancelling_and_leaving_race_with_firing_and_no_tick_comes_late),
        cmocka_unit_test(in_real_time_a_beat_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
