/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_fixture.h - hosts for tests of actors: quiet, without devices, threaded or stepped by hand
 * on a virtual clock.
 */
#ifndef QUARK_TESTS_HOST_FIXTURE_H
#define QUARK_TESTS_HOST_FIXTURE_H

#include "host/host_inner.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static inline struct qk_host_opts fixture_opts(uint32_t workers)
{
    struct qk_host_opts opts;

    qk_host_opts_init(&opts);
    opts.worker_count = workers;
    opts.no_pinning = true;
    opts.no_opencl = true;
    opts.log_fd = -1;
    return opts;
}

static inline qk_host *fixture_make(const struct qk_host_opts   *opts,
                                    const struct qk__host_seams *seams,
                                    const struct qk_type *const *types, size_t type_count)
{
    struct qk_error error = {QK_OK, ""};
    qk_host        *host = NULL;

    if (qk__host_create_with(opts, seams, &host, &error) != QK_OK)
        fail_msg("create: %s", error.text);
    for (size_t i = 0; i < type_count; i++)
        if (qk_host_register(host, types[i], &error) != QK_OK)
            fail_msg("register: %s", error.text);
    if (qk_host_start(host, &error) != QK_OK)
        fail_msg("start: %s", error.text);
    return host;
}

static inline qk_host *fixture_start(uint32_t workers, const struct qk_type *type)
{
    const struct qk_host_opts opts = fixture_opts(workers);

    return fixture_make(&opts, NULL, &type, 1);
}

/* A host on a virtual clock, which the test steps. */
static inline qk_host *fixture_manual(struct qk__virtual_clock *clock, const struct qk_type *type)
{
    const struct qk_host_opts   opts = fixture_opts(1);
    const struct qk__host_seams seams = {&clock->clock, true};

    qk__virtual_clock_init(clock, 0);
    qk__virtual_clock_advance(clock, QK__NS_PER_S);
    return fixture_make(&opts, &seams, &type, 1);
}

static inline void fixture_run(qk_host *host)
{
    while (qk__scheduler_step(qk__host_scheduler(host)))
        ;
}

static inline void fixture_advance(qk_host *host, struct qk__virtual_clock *clock, uint64_t by_ns)
{
    qk__virtual_clock_advance(clock, by_ns);
    fixture_run(host);
}

static inline void fixture_finish(qk_host *host)
{
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    qk_host_destroy(host);
}

static inline qk_actor *fixture_actor(qk_host *host, const char *type, const char *key)
{
    qk_actor *actor = NULL;

    assert_int_equal(qk_actor_get(host, type, key, &actor), QK_OK);
    return actor;
}

#endif
