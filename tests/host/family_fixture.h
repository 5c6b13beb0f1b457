/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family_fixture.h - families of actors for tests, on a virtual clock, stepped by hand.
 *
 * Three types that do what they are told, "top" above "mid" above "leaf", so that each level has a
 * policy of its own. What happens to them is written down as "+leaf/a" for an activation and
 * "-leaf/a:restart" for an end, in the order in which it happens.
 */
#ifndef QUARK_TESTS_FAMILY_FIXTURE_H
#define QUARK_TESTS_FAMILY_FIXTURE_H

#include "host_fixture.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

#define S QK__NS_PER_S

struct order {
    qk_status (*fn)(qk_turn *turn, qk_actor *arg);
    qk_actor *arg;
};

/* Of each actor. */
struct memory {
    uint32_t saved;   /* messages handled, as a named state */
    uint32_t handled; /* by this activation */
};

static struct {
    char              log[1024];
    const char       *fails_to_activate; /* a key */
    qk_status         fails_with;
    uint32_t          failures_left;
    const char       *adopts; /* what "mid" adopts when it is activated: a key of "leaf" */
    int               handled[64];
    uint32_t          handled_count;
    struct memory     memory; /* of who handled last */
    uint32_t          activated;
    int               last_number, out_of_order; /* of those whose keys are numbers */
    char              decided_of[256];           /* what the callback was asked */
    enum qk_directive says;
} seen;

static struct qk__virtual_clock clock_by_hand;

static inline void note(const char *what, const char *type, const char *key, const char *why)
{
    const size_t length = strlen(seen.log);

    snprintf(seen.log + length, sizeof seen.log - length, "%s%s/%s%s ", what, type, key, why);
}

#define assert_seen(expected)                      \
    do {                                           \
        assert_string_equal(seen.log, (expected)); \
        seen.log[0] = '\0';                        \
    } while (0)

static inline qk_status activated(qk_turn *turn, void *self)
{
    const char *type = qk_actor_type(qk_turn_actor(turn)), *key = qk_turn_key(turn);
    qk_actor   *leaf;
    (void)self;

    if (seen.fails_to_activate != NULL && strcmp(key, seen.fails_to_activate) == 0 &&
        seen.failures_left > 0) {
        seen.failures_left--;
        note("!", type, key, "");
        return qk_fail(turn, seen.fails_with, "%s would not", key);
    }
    note("+", type, key, "");
    seen.activated++;
    if (key[0] >= '0' && key[0] <= '9') {
        seen.out_of_order += atoi(key) != seen.last_number + 1;
        seen.last_number = atoi(key);
    }
    if (seen.adopts != NULL && strcmp(type, "mid") == 0) {
        assert_int_equal(qk_actor_get(qk_turn_host(turn), "leaf", seen.adopts, &leaf), QK_OK);
        assert_int_equal(qk_child_adopt(turn, leaf), QK_OK);
        qk_actor_release(leaf);
    }
    return QK_OK;
}

static inline void deactivated(qk_turn *turn, void *self)
{
    static const char *const why[] = {":none", ":idle", ":memory", ":shutdown",
                                      ":on_demand", ":stopped", ":restart"};
    (void)self;
    note("-", qk_actor_type(qk_turn_actor(turn)), qk_turn_key(turn),
         why[qk_turn_ending(turn)]);
}

static inline qk_status obey(qk_turn *turn, void *self, const void *request, void *reply)
{
    const struct order *order = request;
    (void)self;
    (void)reply;
    assert_int_equal(qk_turn_ending(turn), QK_ENDING_NONE);
    return order->fn(turn, order->arg);
}

/* Counts the messages, and writes down what each brought. */
static inline qk_status handle(qk_turn *turn, void *self, const void *request, void *reply)
{
    struct memory *memory = self;

    (void)reply;
    memory->saved++;
    memory->handled++;
    seen.memory = *memory;
    if (seen.handled_count < QK__COUNT_OF(seen.handled))
        seen.handled[seen.handled_count] = *(const int *)request;
    seen.handled_count++;
    return qk_state_save(turn, "saved");
}

static inline enum qk_directive decide(void *arg, const struct qk_child_failure *failure)
{
    (void)arg;
    snprintf(seen.decided_of, sizeof seen.decided_of, "%s/%s of %s/%s: %s (%u, %s): %s",
             failure->child_type, failure->child_key, failure->parent_type, failure->parent_key,
             qk_status_name(failure->status), failure->restarts,
             failure->is_activation ? "activation" : "handler", failure->sentence);
    return seen.says;
}

/* What orders do. */
static inline qk_status nothing(qk_turn *turn, qk_actor *arg)
{
    (void)turn;
    (void)arg;
    return QK_OK;
}

static inline qk_status adopt(qk_turn *turn, qk_actor *arg)
{
    return qk_child_adopt(turn, arg);
}

static inline qk_status release(qk_turn *turn, qk_actor *arg)
{
    return qk_child_release(turn, arg);
}

static inline qk_status stop(qk_turn *turn, qk_actor *arg)
{
    return qk_child_stop(turn, arg);
}

static inline qk_status end(qk_turn *turn, qk_actor *arg)
{
    (void)arg;
    qk_deactivate(turn);
    return QK_OK;
}

static inline qk_status crash(qk_turn *turn, qk_actor *arg)
{
    (void)arg;
    return qk_fail(turn, QK_INTERNAL, "%s is broken", qk_turn_key(turn));
}

static inline qk_status miss_a_deadline(qk_turn *turn, qk_actor *arg)
{
    (void)turn;
    (void)arg;
    return QK_DEADLINE_EXCEEDED;
}

static inline qk_status be_cancelled(qk_turn *turn, qk_actor *arg)
{
    (void)turn;
    (void)arg;
    return QK_CANCELLED;
}

static inline qk_status sleep_for_an_hour(qk_turn *turn, qk_actor *arg)
{
    (void)arg;
    return qk_sleep(turn, 3600 * S);
}

static inline qk_status find_nothing(qk_turn *turn, qk_actor *arg)
{
    (void)turn;
    (void)arg;
    return QK_NOT_FOUND;
}

static inline qk_status return_a_number(qk_turn *turn, qk_actor *arg)
{
    (void)turn;
    (void)arg;
    return (qk_status)7;
}

static const struct qk_method methods[] = {
    {"obey", obey, sizeof(struct order), 0},
    {"handle", handle, sizeof(int), 0},
};

static const struct qk_named_state states[] = {
    {"saved", offsetof(struct memory, saved), sizeof(uint32_t)},
};

static struct qk_supervision top_policy, mid_policy;

#define TYPE(symbol, its_name, policy)       \
    static const struct qk_type symbol = {   \
        .size = sizeof symbol,               \
        .name = its_name,                    \
        .self_bytes = sizeof(struct memory), \
        .activate = activated,               \
        .deactivate = deactivated,           \
        .methods = methods,                  \
        .method_count = 2,                   \
        .states = states,                    \
        .state_count = 1,                    \
        .supervision = policy,               \
        .idle_timeout_ns = 1000 * S,         \
    }
TYPE(top, "top", &top_policy);
TYPE(mid, "mid", &mid_policy);
TYPE(leaf, "leaf", NULL);

static inline qk_host *make_host(uint32_t workers, const struct qk__host_seams *seams)
{
    static const struct qk_type *const types[] = {&top, &mid, &leaf};
    const struct qk_host_opts          opts = fixture_opts(workers);

    return fixture_make(&opts, seams, types, 3);
}

/* Policies as they are declared; zero: the defaults. */
static inline qk_host *begin(struct qk_supervision of_top, struct qk_supervision of_mid)
{
    const struct qk__host_seams seams = {&clock_by_hand.clock, true};

    memset(&seen, 0, sizeof seen);
    top_policy = of_top;
    mid_policy = of_mid;
    top_policy.size = mid_policy.size = sizeof top_policy;
    qk__virtual_clock_init(&clock_by_hand, 0);
    qk__virtual_clock_advance(&clock_by_hand, S);
    return make_host(1, &seams);
}

static inline qk_status tell_to(qk_host *host, qk_actor *actor, struct qk_error *error,
                                qk_status (*fn)(qk_turn *, qk_actor *), qk_actor *arg)
{
    const struct order order = {fn, arg};

    return qk_client_call(host, actor, 0, &order, NULL, 0, error);
}

static inline void must(qk_host *host, qk_actor *actor, qk_status (*fn)(qk_turn *, qk_actor *),
                        qk_actor *arg)
{
    struct qk_error error = {QK_OK, ""};

    if (tell_to(host, actor, &error, fn, arg) != QK_OK)
        fail_msg("%s", error.text);
    fixture_run(host);
}

static inline void crash_of(qk_host *host, qk_actor *actor)
{
    assert_int_equal(tell_to(host, actor, NULL, crash, NULL), QK_INTERNAL);
    fixture_run(host);
}

static inline void after(qk_host *host, uint64_t ns)
{
    fixture_advance(host, &clock_by_hand, ns);
}

/* A "mid" with three leaves a, b, c, all active; the log is empty. */
struct family {
    qk_host  *host;
    qk_actor *parent, *a, *b, *c;
};

static inline struct family make_family(struct qk_supervision of_mid)
{
    struct family family = {.host = begin((struct qk_supervision){0}, of_mid)};

    family.parent = fixture_actor(family.host, "mid", "p");
    family.a = fixture_actor(family.host, "leaf", "a");
    family.b = fixture_actor(family.host, "leaf", "b");
    family.c = fixture_actor(family.host, "leaf", "c");
    must(family.host, family.parent, adopt, family.a);
    must(family.host, family.parent, adopt, family.b);
    must(family.host, family.parent, adopt, family.c);
    must(family.host, family.a, nothing, NULL);
    must(family.host, family.b, nothing, NULL);
    must(family.host, family.c, nothing, NULL);
    assert_seen("+mid/p +leaf/a +leaf/b +leaf/c ");
    return family;
}

static inline void end_family(struct family *family)
{
    qk_actor_release(family->parent);
    qk_actor_release(family->a);
    qk_actor_release(family->b);
    qk_actor_release(family->c);
    fixture_finish(family->host);
}

static inline qk_status list_all(qk_turn *turn, qk_actor *arg)
{
    qk_actor *children[8];
    size_t    count = qk_child_list(turn, children, 2); /* fewer than there are */
    qk_actor *parent;
    (void)arg;

    if (count > 2) {
        qk_actor_release(children[0]);
        qk_actor_release(children[1]);
        count = qk_child_list(turn, children, 8);
    }
    for (size_t i = 0; i < count; i++) {
        note("", qk_actor_type(children[i]), qk_actor_key(children[i]), "");
        qk_actor_release(children[i]);
    }
    parent = qk_turn_parent(turn);
    if (parent != NULL)
        note("of ", qk_actor_type(parent), qk_actor_key(parent), "");
    qk_actor_release(parent);
    return QK_OK;
}

#endif
