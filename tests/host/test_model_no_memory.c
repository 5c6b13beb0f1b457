/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocations of ours fail in turn, on whatever thread they are, while an actor acquires a model,
 * infers, subscribes and publishes: the call answers, with an error or without, the next one works,
 * and nothing is lost or freed twice (the sanitizers watch).
 */
#include "quark/quark.h"

#include "../failing_memory.h"
#include "host/host.h"
#include "host/model/residency.h"

#include "base/file.h"
#include "base/memory.h"
#include "tiny_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define WIDTH 8u

enum { HEAR, WORK };

static qk_status hear(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)turn;
    (void)self;
    (void)request;
    (void)reply;
    return QK_OK;
}

static qk_status infer(qk_turn *turn)
{
    const struct qk_shape shape = {2, {2, TINY_INPUTS}};
    float                 x[2 * TINY_INPUTS] = {1, 2, 3, 4, 5, 6, 7, 8};
    const qk_tensor       input = qk_tensor_view(QK_F32, &shape, x);
    const struct qk_input inputs[1] = {{.tensor = &input}};
    qk_tensor             output = {0};
    qk_model             *model;
    qk_status             status = qk_model_acquire(turn, "tiny", &model);

    if (status == QK_OK)
        status = qk_model_infer(turn, model, inputs, 1, &output, 1);
    if (status == QK_OK && output.shape.dims[1] != WIDTH)
        status = QK_INTERNAL;
    qk_tensor_fini(&output);
    return status;
}

static qk_status work(qk_turn *turn, void *self, const void *request, void *reply)
{
    qk_status status = infer(turn);

    (void)self;
    (void)request;
    (void)reply;
    if (status == QK_OK)
        status = qk_subscribe(turn, "news", "all", HEAR);
    if (status == QK_OK)
        status = qk_publish(turn, "news", "all", "x", 1);
    if (status == QK_OK)
        status = qk_unsubscribe(turn, "news", "all");
    qk_deactivate(turn);
    return status;
}

static const struct qk_method methods[] = {
    [HEAR] = {"hear", hear, 0, 0},
    [WORK] = {"work", work, 0, 0},
};
static const struct qk_type worker_type = {
    .size = sizeof worker_type,
    .name = "worker",
    .self_bytes = 1,
    .methods = methods,
    .method_count = 2,
    .model = "tiny",
    .device = QK_PREFERRED,
};

static qk_status call_work(qk_host *host, qk_actor *actor)
{
    return qk_client_call(host, actor, WORK, NULL, NULL, 60 * QK__NS_PER_S, NULL);
}

/* Everything that is resident goes, so that the next call loads again. */
static void empty_devices(qk_host *host)
{
    qk__device_set *devices = qk__host_devices(host);

    for (size_t i = 0; i < qk__device_count(devices); i++) {
        while (qk__models_evict(qk__host_models(host), qk__device_at(devices, i)))
            ;
    }
}

/* True: there was no allocation left to fail. */
static bool fail_nth(qk_host *host, qk_actor *actor, long nth)
{
    bool was_done;

    empty_devices(host);
    fail_allocation(nth);
    (void)call_work(host, actor);
    fail_allocation(0);
    was_done = !allocation_failed();
    assert_int_equal(call_work(host, actor), QK_OK);
    return was_done;
}

static void an_actor_gets_over_every_failed_allocation(void **state)
{
    char                folder[] = "/tmp/quark-no-memory-XXXXXX", machine[64], model[64],
                        command[64];
    static const char   devices[] = "devices: [{id: gpu, memory: 64MiB}]\n";
    struct qk_host_opts opts;
    qk_host            *host;
    qk_actor           *actor;
    long                nth = 1;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(machine, sizeof machine, "%s/machine.yaml", folder);
    snprintf(model, sizeof model, "%s/tiny.onnx", folder);
    assert_int_equal(qk__file_write(machine, devices, sizeof devices - 1, NULL), QK_OK);
    write_tiny_model(model, WIDTH);
    qk_host_opts_init(&opts);
    opts.worker_count = 1;
    opts.no_opencl = true;
    opts.log_fd = -1;
    opts.simulate_file = machine;
    assert_int_equal(qk_host_create(&opts, &host, NULL), QK_OK);
    assert_int_equal(qk_host_register(host, &worker_type, NULL), QK_OK);
    assert_int_equal(qk_host_add_model(host, "tiny", model, NULL), QK_OK);
    assert_int_equal(qk_host_start(host, NULL), QK_OK);
    assert_int_equal(qk_actor_get(host, "worker", "it", &actor), QK_OK);

    while (!fail_nth(host, actor, nth))
        nth++;
    assert_true(nth > 20);    /* loading alone takes more */

    qk_actor_release(actor);
    assert_int_equal(qk_host_stop(host, 0), QK_OK);
    qk_host_destroy(host);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_actor_gets_over_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
