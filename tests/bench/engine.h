/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h - what the benchmarks of the actor engine share: a host of a few types, a crowd of
 * actors, and a finish that an actor calls.
 */
#ifndef QUARK_TESTS_BENCH_ENGINE_H
#define QUARK_TESTS_BENCH_ENGINE_H

#include "bench.h"

#include "quark/quark.h"

#include "scheduler/wait.h"

#include <stdatomic.h>

/*
 * Starts a host with these types, runs `body` with it, and stops it. What fails, fails the
 * benchmark.
 */
void qk_bench_with_host(struct qk_bench *bench, const struct qk_type *const *types, size_t count,
                        void (*body)(struct qk_bench *bench, qk_host *host));

/* Actors type/0 .. type/count-1, owned by the caller; NULL: it failed, and the benchmark with it. */
qk_actor **qk_bench_actors(struct qk_bench *bench, qk_host *host, const char *type, size_t count);
void       qk_bench_release_actors(qk_actor **actors, size_t count);

/* A call that must succeed, and a tell. */
bool qk_bench_call(struct qk_bench *bench, qk_host *host, qk_actor *actor, uint32_t method,
                   const void *request, void *reply);
bool qk_bench_tell(struct qk_bench *bench, qk_host *host, qk_actor *actor, uint32_t method,
                   const void *request, size_t bytes);

/* The main thread waits until `parts` parts have ended; any actor ends one. */
struct qk_bench_finish {
    _Atomic uint64_t left;
    struct qk__wait  over;
};

void qk_bench_finish_init(struct qk_bench_finish *finish, uint64_t parts);
void qk_bench_finish_one(struct qk_bench_finish *finish);
void qk_bench_finish_wait(struct qk_bench_finish *finish);

#endif
