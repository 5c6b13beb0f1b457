/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prewarm.c - how long does the first call of an actor take: cold, and after a pre-warm?
 *
 * Each sample has an actor, a type and a name of the model of its own, so that nothing of the
 * sample before it is in memory: cold means that the call itself activates the actor, reads the
 * file, brings the weights to the device, builds the programs and plans; pre-warmed, that all this
 * happened before. Programs come from the driver's own cache where it keeps one; so cold is what a
 * second run of a service sees, not its very first. The call infers once; both kinds must give the
 * same numbers.
 */
#include "bench.h"

#include "quark/quark.h"

#include "base/clock.h"
#include "base/memory.h"
#include "host/host.h"
#include "kernels/model.h"
#include "scheduler/wait.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN_MODEL    QUARK_BENCH_FOLDER "/../../samples/vision/models/digits/1/model.onnx"
#define MAX_VALUES   8
#define READY_MAX_NS (60 * QK__NS_PER_S)

struct reply {
    double   checksum;
    uint32_t warmth;
    char     device[128];
};

/* What a call infers over: ones, in the model's own shapes. Set before the host starts, and read by
 * its actors. */
struct inputs {
    qk_tensor tensors[MAX_VALUES];
    uint32_t  count, output_count;
};

static qk_status infer(qk_turn *turn, void *self, const void *request, void *reply)
{
    const struct inputs *inputs = *(struct inputs *const *)request;
    struct qk_input      given[MAX_VALUES] = {{0}};
    qk_tensor            outputs[MAX_VALUES] = {{0}};
    struct reply        *out = reply;
    qk_model            *model = *(qk_model **)self;
    qk_status            status;

    for (uint32_t i = 0; i < inputs->count; i++)
        given[i].tensor = &inputs->tensors[i];
    status = qk_model_infer(turn, model, given, inputs->count, outputs, inputs->output_count);
    if (status != QK_OK)
        return qk_fail(turn, status, "%s", qk_turn_error(turn));
    for (uint32_t i = 0; i < inputs->output_count; i++) {
        int64_t count = 0;

        if (outputs[i].dtype == QK_F32)
            qk_shape_count(&outputs[i].shape, &count);
        for (int64_t k = 0; k < count; k++)
            out->checksum += fabs((double)((const float *)outputs[i].data)[k]);
        qk_tensor_fini(&outputs[i]);
    }
    out->warmth = (uint32_t)qk_turn_warmth(turn);
    snprintf(out->device, sizeof out->device, "%s", qk_model_device(model));
    return QK_OK;
}

/* The type's model is there by now; its name is the type's. */
static qk_status take_model(qk_turn *turn, void *self)
{
    return qk_model_acquire(turn, qk_actor_type(qk_turn_actor(turn)), self);
}

static const struct qk_method methods[] = {
    {"infer", infer, sizeof(struct inputs *), sizeof(struct reply)}};

/* One type for each sample, named like its model. */
struct sample {
    struct qk_type type;
    char           name[24];
    uint64_t       took_ns;
};

struct setup {
    qk_host         *host;
    struct sample   *cold, *warm;
    struct inputs    inputs;
    struct qk__wait  ready;
    double           checksum;    /* of the first answer; 0 before it */
};

static void on_ready(void *arg, const char *type, const char *key, uint64_t took_ns)
{
    (void)type;
    (void)key;
    (void)took_ns;
    qk__wait_signal(&((struct setup *)arg)->ready);
}

static bool make_inputs(struct qk_bench *bench, const char *path, struct inputs *inputs)
{
    struct qk_error error;
    qk__model      *model;
    bool            fits;

    if (!qk_bench_ok(bench, qk__model_read(path, NULL, &model, &error), "model", &error))
        return false;
    inputs->count = qk__model_input_count(model);
    inputs->output_count = qk__model_output_count(model);
    fits = inputs->count <= MAX_VALUES && inputs->output_count <= MAX_VALUES;
    for (uint32_t i = 0; fits && i < inputs->count; i++) {
        struct qk_shape shape = qk__model_input(model, i)->shape;
        int64_t         count = 0;

        for (uint32_t k = 0; k < shape.rank; k++)
            shape.dims[k] = shape.dims[k] < 0 ? 1 : shape.dims[k];
        fits = qk__model_input(model, i)->dtype == QK_F32 && qk_shape_count(&shape, &count) &&
               qk_tensor_create(QK_F32, &shape, &inputs->tensors[i]) == QK_OK;
        for (int64_t k = 0; fits && k < count; k++)
            ((float *)inputs->tensors[i].data)[k] = 1;
    }
    qk__model_release(model);
    return qk_bench_check(bench, fits);    /* a few inputs of float32 are all it can make up */
}

static bool add_samples(struct qk_bench *bench, struct setup *setup, struct sample *samples,
                        const char *kind, const char *path)
{
    const bool wants_device =
        bench->opts->device == NULL || strcmp(bench->opts->device, "cpu") != 0;
    struct qk_error error;

    for (uint64_t i = 0; i < bench->count; i++) {
        struct sample *sample = &samples[i];

        snprintf(sample->name, sizeof sample->name, "%s-%llu", kind, (unsigned long long)i);
        sample->type = (struct qk_type){.size = sizeof sample->type,
                                        .name = sample->name,
                                        .self_bytes = sizeof(qk_model *),
                                        .activate = take_model,
                                        .methods = methods,
                                        .method_count = 1,
                                        .model = sample->name,
                                        .device = wants_device ? QK_PREFERRED : QK_NEED_NONE};
        if (!qk_bench_ok(bench, qk_host_add_model(setup->host, sample->name, path, &error), "model",
                         &error) ||
            !qk_bench_ok(bench, qk_host_register(setup->host, &sample->type, &error), "type",
                         &error))
            return false;
    }
    return true;
}

static bool first_call(struct qk_bench *bench, struct setup *setup, const char *type,
                       enum qk_warmth warmth, const char *series, uint64_t *out_ns)
{
    const struct inputs *inputs = &setup->inputs;
    struct reply         reply = {0};
    struct qk_error      error;
    qk_actor            *actor;
    uint64_t             begun_ns, took_ns;
    bool                 done;

    if (!qk_bench_ok(bench, qk_actor_get(setup->host, type, "it", &actor), type, NULL))
        return false;
    begun_ns = qk__clock_now_ns(qk__clock_system());
    done = qk_bench_ok(bench, qk_client_call(setup->host, actor, 0, &inputs, &reply, 0, &error),
                       type, &error);
    took_ns = qk__clock_now_ns(qk__clock_system()) - begun_ns;
    qk_actor_release(actor);
    if (!done || !qk_bench_check(bench, reply.warmth == (uint32_t)warmth) ||
        !qk_bench_check(bench, isfinite(reply.checksum) && reply.checksum > 0))
        return false;
    if (setup->checksum == 0) {
        setup->checksum = reply.checksum;
        qk_bench_describe(bench, "device", reply.device);
    }
    qk_bench_sample_ns(bench, series, took_ns);
    *out_ns = took_ns;
    return qk_bench_check(bench, fabs(reply.checksum - setup->checksum) <= 1e-5 * setup->checksum);
}

static bool warm_up(struct qk_bench *bench, struct setup *setup, const char *type)
{
    const uint64_t           now_ns = qk__clock_now_ns(qk__clock_system());
    const struct qk__prewarm prewarm = {type, "it", "bench", now_ns + READY_MAX_NS};

    qk__wait_init(&setup->ready);
    return qk_bench_ok(bench, qk__host_prewarm(setup->host, &prewarm), "pre-warm", NULL) &&
           qk_bench_check(bench, qk__wait_until(&setup->ready, now_ns + READY_MAX_NS) == QK_OK);
}

static bool take_samples(struct qk_bench *bench, struct setup *setup)
{
    for (uint64_t i = 0; i < bench->count; i++) {
        struct sample *cold = &setup->cold[i], *warm = &setup->warm[i];

        if (!first_call(bench, setup, cold->name, QK_WAS_COLD, "cold", &cold->took_ns) ||
            !warm_up(bench, setup, warm->name) ||
            !first_call(bench, setup, warm->name, QK_WAS_PREWARMED, "prewarmed", &warm->took_ns))
            return false;
    }
    return true;
}

static int compare_times(const void *a, const void *b)
{
    const uint64_t x = ((const struct sample *)a)->took_ns, y = ((const struct sample *)b)->took_ns;

    return (x > y) - (x < y);
}

/* Sorts the samples, so only when the host that borrows their types is gone. */
static double median_ns(struct sample *samples, uint64_t count)
{
    qsort(samples, count, sizeof *samples, compare_times);
    return (double)samples[count / 2].took_ns;
}

static bool run_with(struct qk_bench *bench, struct setup *setup, const char *path)
{
    const struct qk__observer observer = {.prewarm_ready = on_ready, .arg = setup};
    struct qk_error           error;
    bool                      done;

    qk__host_observe(setup->host, &observer);
    done = make_inputs(bench, path, &setup->inputs) &&
           add_samples(bench, setup, setup->cold, "cold", path) &&
           add_samples(bench, setup, setup->warm, "warm", path) &&
           qk_bench_ok(bench, qk_host_start(setup->host, &error), "start", &error) &&
           take_samples(bench, setup);
    qk_host_stop(setup->host, 0);
    for (uint32_t i = 0; i < MAX_VALUES; i++)
        qk_tensor_fini(&setup->inputs.tensors[i]);
    return done;
}

static void run(struct qk_bench *bench)
{
    const char         *path = bench->opts->model != NULL ? bench->opts->model : OWN_MODEL;
    struct setup        setup = {0};
    struct qk_host_opts opts;
    struct qk_error     error;
    bool                done = false;

    setup.cold = qk__alloc_array(bench->count, sizeof *setup.cold);
    setup.warm = qk__alloc_array(bench->count, sizeof *setup.warm);
    qk_bench_describe(bench, "model",
                      strstr(path, "samples/") != NULL ? strstr(path, "samples/") : path);
    qk_bench_host_opts(bench, &opts);
    if (qk_bench_check(bench, setup.cold != NULL && setup.warm != NULL) &&
        qk_bench_ok(bench, qk_host_create(&opts, &setup.host, &error), "host", &error))
        done = run_with(bench, &setup, path);
    qk_host_destroy(setup.host);    /* before the types, which it borrows */
    if (done)
        qk_bench_figure(bench, "times_faster",
                        median_ns(setup.cold, bench->count) / median_ns(setup.warm, bench->count),
                        "ratio");
    qk__free(setup.warm);
    qk__free(setup.cold);
}

const struct qk_bench_case qk_bench_prewarm = {
    .name = "prewarm",
    .question = "how long does the first call of an actor take: cold, and after a pre-warm?",
    .count = 20,
    .short_count = 2,
    .rounds = 3,
    .run = run,
};
