/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skynet.c - how long does a tree of a million actors take to come to life and to answer?
 *
 * The root has ten children, each of which has ten, down to a million leaves. A leaf tells its
 * number to its parent, which tells the sum of its children's to its own. (The benchmark of this
 * name is Alexander Temerev's.) The last sum must be that of all numbers.
 */
#include "engine.h"

#include "base/clock.h"

enum { GROW, ANSWER };

#define CHILDREN 10u

struct seedling {
    uint64_t                number, leaves;
    qk_actor               *parent;     /* NULL: the root; retained for the child */
    struct qk_bench_finish *finish;
};

struct node {
    struct seedling seedling;
    uint64_t        sum;
    uint32_t        answers;
};

static _Atomic uint64_t sum_of_all;

static void write_key(char key[40], const struct seedling *seedling)
{
    size_t         length = 0;
    const uint64_t parts[] = {seedling->leaves, seedling->number};

    for (size_t part = 0; part < 2; part++) {
        uint64_t rest = parts[part];

        do {
            key[length++] = "0123456789abcdef"[rest % 16];
            rest /= 16;
        } while (rest > 0);
        key[length++] = part == 0 ? '-' : '\0';
    }
}

static qk_status answer_parent(qk_turn *turn, struct node *self, uint64_t sum)
{
    qk_actor *parent = self->seedling.parent;
    qk_status status;

    if (parent == NULL) {
        atomic_store(&sum_of_all, sum);
        qk_bench_finish_one(self->seedling.finish);
        return QK_OK;
    }
    status = qk_tell(turn, parent, ANSWER, &sum, sizeof sum);
    qk_actor_release(parent);
    return status;
}

static qk_status plant(qk_turn *turn, const struct seedling *seedling)
{
    qk_actor *child;
    qk_status status;
    char      key[40];

    write_key(key, seedling);
    status = qk_actor_get(qk_turn_host(turn), "node", key, &child);
    if (status != QK_OK)
        return status;
    qk_actor_retain(seedling->parent);
    status = qk_tell(turn, child, GROW, seedling, sizeof *seedling);
    qk_actor_release(child);
    return status;
}

static qk_status grow(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct node    *self = memory;
    struct seedling child;
    qk_status       status = QK_OK;

    (void)reply;
    self->seedling = *(const struct seedling *)request;
    if (self->seedling.leaves == 1)
        return answer_parent(turn, self, self->seedling.number);
    child = (struct seedling){0, self->seedling.leaves / CHILDREN, qk_turn_actor(turn), NULL};
    for (uint64_t i = 0; i < CHILDREN && status == QK_OK; i++) {
        child.number = self->seedling.number + i * child.leaves;
        status = plant(turn, &child);
    }
    return status;
}

static qk_status answer(qk_turn *turn, void *memory, const void *request, void *reply)
{
    struct node *self = memory;

    (void)reply;
    self->sum += *(const uint64_t *)request;
    return ++self->answers == CHILDREN ? answer_parent(turn, self, self->sum) : QK_OK;
}

static const struct qk_method methods[] = {
    [GROW] = {"grow", grow, sizeof(struct seedling), 0},
    [ANSWER] = {"answer", answer, sizeof(uint64_t), 0},
};

static const struct qk_type type = {.size = sizeof(struct qk_type),
                                    .name = "node",
                                    .self_bytes = sizeof(struct node),
                                    .methods = methods,
                                    .method_count = 2};

static void body(struct qk_bench *bench, qk_host *host)
{
    qk_actor             **root = qk_bench_actors(bench, host, "node", 1);
    struct qk_bench_finish finish;
    const struct seedling  seedling = {0, bench->count, NULL, &finish};
    uint64_t               began_ns, took_ns;

    if (root == NULL)
        return;
    qk_bench_finish_init(&finish, 1);
    began_ns = qk__clock_now_ns(qk__clock_system());
    qk_bench_begin(bench);
    if (qk_bench_tell(bench, host, root[0], GROW, &seedling, sizeof seedling))
        qk_bench_finish_wait(&finish);
    took_ns = qk__clock_now_ns(qk__clock_system()) - began_ns;
    qk_bench_end(bench, 0);
    qk_bench_figure(bench, "ms", (double)took_ns / 1e6, "ms");
    qk_bench_check(bench, atomic_load(&sum_of_all) == bench->count * (bench->count - 1) / 2);
    qk_bench_release_actors(root, 1);
}

static void run(struct qk_bench *bench)
{
    const struct qk_type *const types[] = {&type};

    qk_bench_with_host(bench, types, 1, body);
}

const struct qk_bench_case qk_bench_skynet = {
    .name = "skynet",
    .question = "milliseconds for a tree of a million actors to come to life and to answer",
    .count = 1000000,
    .short_count = 1000,
    .rounds = 3,
    .run = run,
};
