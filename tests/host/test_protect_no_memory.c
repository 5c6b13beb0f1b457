/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_protect_no_memory.c - every allocation fails in turn while messages are guarded, tried
 * again, given up, kept on disk and replayed: each time somebody is told, and no message is lost
 * without being counted (the sanitizers watch the memory).
 */
#include "host_fixture.h"

#include "../failing_memory.h"
#include "host/guard/dead_letters.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_failing;

static qk_status work(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    if (reply != NULL)
        *(uint64_t *)reply = 1;
    return is_failing ? qk_fail(turn, QK_UNAVAILABLE, "planned") : QK_OK;
}

static const struct qk_method     methods[] = {{"work", work, 8, 8}};
static const struct qk_protection protection = {.size = sizeof protection,
                                                .guards = QK_GUARD_BREAKER | QK_GUARD_RATE |
                                                          QK_GUARD_RETRY,
                                                .retry_max = 1};
static const struct qk_type       guarded = {.size = sizeof guarded,
                                             .name = "guarded",
                                             .self_bytes = 8,
                                             .methods = methods,
                                             .method_count = 1,
                                             .protection = &protection};

static char                     folder[64];
static struct qk__virtual_clock clock_by_hand;
static uint64_t                 sent;

static qk_status tell(qk_host *host)
{
    const uint64_t one = 1;
    qk_actor      *actor;
    qk_status      status = qk_actor_get(host, "guarded", "a", &actor);

    if (status != QK_OK)
        return status;
    sent++;
    is_failing = true;
    status = qk_client_tell(host, actor, 0, &one, sizeof one);
    for (int i = 0; i < 20; i++)
        fixture_advance(host, &clock_by_hand, 10 * QK__NS_PER_MS);
    is_failing = false;
    qk_actor_release(actor);
    return status;
}

static qk_status use(qk_host *host)
{
    const struct qk_dead_letter_query all = {0};
    struct qk_replay                  replay = {0};
    qk_status                         status = tell(host);

    if (status == QK_OK)
        status = tell(host);
    if (status == QK_OK) {
        status = qk_dead_letters_replay(host, &(struct qk_dead_letter_query){.limit = 1}, 0,
                                        &replay);
        sent += replay.succeeded + (replay.failed > 0 && status != QK_NO_MEMORY);
    }
    if (status == QK_OK)
        status = qk_dead_letters_delete(host, &all, NULL);
    return status;
}

static qk_status make_and_use(void)
{
    struct qk_host_opts          opts = fixture_opts(1);
    const struct qk__host_seams  seams = {&clock_by_hand.clock, true};
    struct qk__dead_letter_stats stats;
    struct qk__message_books     books;
    qk_host                     *host = NULL;
    qk_status                    status;

    opts.state_folder = folder;
    opts.dead_letters_durable = true;
    sent = 0;
    qk__virtual_clock_init(&clock_by_hand, 0);
    status = qk__host_create_with(&opts, &seams, &host, NULL);
    if (status != QK_OK)
        return status;
    status = qk_host_register(host, &guarded, NULL);
    if (status == QK_OK)
        status = qk_host_start(host, NULL);
    if (status == QK_OK)
        status = use(host);
    (void)qk_host_stop(host, 0);
    fail_allocation(0);
    qk__dead_letters_stats(qk__host_dead_letters(host), &stats);
    qk__host_message_books(host, &books);
    assert_int_equal(books.dead, stats.posted);
    /* A replay that had no memory was counted as refused, or never became a message. */
    assert_in_range(books.handled + books.refused + books.dead, sent, sent + 1);
    qk_host_destroy(host);
    return status;
}

static void without_memory_somebody_is_told_and_nothing_is_lost_unseen(void **state)
{
    char command[128];
    long nth;
    (void)state;

    snprintf(folder, sizeof folder, "/tmp/quark-letters-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(make_and_use(), QK_OK); /* libraries set themselves up once */
    for (nth = 1;; nth++) {
        qk_status status;

        fail_allocation(nth);
        status = make_and_use();
        if (!allocation_failed()) {
            assert_int_equal(status, QK_OK);
            break;
        }
        /* Some are done without: a letter is lost and counted, or not saved and counted. */
        assert_true(status == QK_OK || status == QK_NO_MEMORY);
    }
    print_message("%ld allocations\n", nth - 1);
    assert_true(nth > 40);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_somebody_is_told_and_nothing_is_lost_unseen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
