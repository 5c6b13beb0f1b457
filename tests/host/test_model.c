/* SPDX-License-Identifier: Apache-2.0 */
/* Models of actors: one load for all, answers that are the same wherever they come from, and the
 * CPU when a device fails. */
#include "quark/quark.h"

#include "host/host.h"

#include "base/file.h"
#include "base/memory.h"
#include "host/model/residency.h"
#include "tiny_model.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#define WIDTH 8u
#define BATCH_MAX 4u

/* One question to an actor: run this model over so many rows. */
struct question {
    char     model[32];
    uint32_t batch, columns; /* columns: TINY_INPUTS, or something wrong */
    float    x[BATCH_MAX][TINY_INPUTS];
};

struct answer {
    float    y[BATCH_MAX][WIDTH];
    char     device[80];
    bool     is_fallback;
    uint32_t warmth;
};

enum { ASK,
       LEAVE,
       LOOK };

static qk_status infer(qk_turn *turn, qk_model *model, const struct question *question,
                       struct answer *answer)
{
    const struct qk_shape shape = {2, {question->batch, question->columns}};
    float                 x[BATCH_MAX][TINY_INPUTS];
    qk_tensor             input, output = {0};
    struct qk_input       inputs[1] = {{.tensor = &input}};
    qk_status             status;

    memcpy(x, question->x, sizeof x);
    input = qk_tensor_view(QK_F32, &shape, x);
    status = qk_model_infer(turn, model, inputs, 1, &output, 1);
    if (status != QK_OK)
        return qk_fail(turn, status, "%s", qk_turn_error(turn));
    for (uint32_t row = 0; row < question->batch; row++)
        memcpy(answer->y[row],
               (const float *)output.data + (size_t)row * (size_t)output.shape.dims[1],
               sizeof answer->y[row]);
    qk_tensor_fini(&output);
    return QK_OK;
}

static qk_status ask(qk_turn *turn, void *self, const void *request, void *reply)
{
    const struct question *question = request;
    struct answer         *answer = reply;
    qk_model              *model;
    qk_status              status = qk_model_acquire(turn, question->model, &model);

    (void)self;
    if (status != QK_OK)
        return qk_fail(turn, status, "%s", qk_turn_error(turn));
    if (question->batch > 0)
        status = infer(turn, model, question, answer);
    snprintf(answer->device, sizeof answer->device, "%s", qk_model_device(model));
    answer->is_fallback = qk_model_is_fallback(model);
    answer->warmth = (uint32_t)qk_turn_warmth(turn);
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

/* What an actor sees of a picture: two regions of 2 x 2 pixels, as the model's tensor. */
struct sight {
    float pixels[2][4];
    bool  was_empty_refused;
};

static qk_status look(qk_turn *turn, void *self, const void *request, void *reply)
{
    uint8_t                         pixels[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const qk_image                  image = {4, 2, 1, pixels};
    const struct qk_rect            regions[] = {{0, 0, 2, 2}, {2, 0, 2, 2}};
    const struct qk_image_transform transform = {2, 2, 1, {0}, {1, 1, 1}};
    struct qk_input                 inputs[] = {
        {.image = &image, .regions = regions, .region_count = 2, .transform = &transform},
    };
    struct sight                   *sight = reply;
    qk_tensor                       output = {0};
    qk_model                       *model;
    qk_status                       status = qk_model_acquire(turn, "picture", &model);

    (void)self;
    (void)request;
    if (status == QK_OK)
        status = qk_model_infer(turn, model, inputs, 1, &output, 1);
    if (status != QK_OK)
        return qk_fail(turn, status, "%s", qk_turn_error(turn));
    memcpy(sight->pixels, output.data, sizeof sight->pixels);
    qk_tensor_fini(&output);

    inputs[0].transform = NULL;
    sight->was_empty_refused =
        qk_model_infer(turn, model, inputs, 1, &output, 1) == QK_INVALID_ARGUMENT &&
        strstr(qk_turn_error(turn), "input 0: an image needs a transform") != NULL;
    return QK_OK;
}

static const struct qk_method methods[] = {
    [ASK] = {"ask", ask, sizeof(struct question), sizeof(struct answer)},
    [LEAVE] = {"leave", leave, 0, 0},
    [LOOK] = {"look", look, 0, sizeof(struct sight)},
};

#define USER(type_name, the_need, the_model)                                                      \
    {                                                                                             \
        .size = sizeof(struct qk_type), .name = (type_name), .self_bytes = 1, .methods = methods, \
        .method_count = 3, .device = (the_need), .model = (the_model)                             \
    }

static const struct qk_type types[] = {
    USER("on-cpu", QK_NEED_NONE, NULL),
    USER("prefers", QK_PREFERRED, NULL),
    USER("requires", QK_REQUIRED, NULL),
    USER("declares", QK_PREFERRED, "tiny"),
    USER("declares-missing", QK_PREFERRED, "missing"),
};

struct fixture {
    qk_host         *host;
    char             folder[64];
    _Atomic uint32_t prewarms_ready;
};

static void on_prewarm_ready(void *arg, const char *type, const char *key, uint64_t took_ns)
{
    (void)type;
    (void)key;
    (void)took_ns;
    atomic_fetch_add(&((struct fixture *)arg)->prewarms_ready, 1);
}

static void path_in(const struct fixture *fixture, const char *name, char out[160])
{
    snprintf(out, 160, "%s/%s", fixture->folder, name);
}

static void add_model(struct fixture *fixture, const char *name, uint32_t width)
{
    struct qk_error error = {0};
    char            file[48], path[160];

    snprintf(file, sizeof file, "%s.onnx", name);
    path_in(fixture, file, path);
    write_tiny_model(path, width);
    if (qk_host_add_model(fixture->host, name, path, &error) != QK_OK)
        fail_msg("%s", error.text);
}

/*
 * `machine`: YAML of the simulated devices, NULL: none. `keep_ns`: as qk_host_opts.model_keep_ns.
 */
static struct fixture *start_with(const char *machine, bool use_opencl, uint64_t keep_ns)
{
    struct fixture     *fixture = qk__alloc_zero(sizeof *fixture);
    struct qk_host_opts opts;
    struct qk_error     error = {0};
    char                path[160];

    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/quark-model-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    qk_host_opts_init(&opts);
    opts.worker_count = 2;
    opts.no_opencl = !use_opencl;
    opts.model_keep_ns = keep_ns;
    opts.log_fd = -1;
    path_in(fixture, "machine.yaml", path);
    if (machine != NULL) {
        assert_int_equal(qk__file_write(path, machine, strlen(machine), NULL), QK_OK);
        opts.simulate_file = path;
    }
    if (qk_host_create(&opts, &fixture->host, &error) != QK_OK)
        fail_msg("%s", error.text);
    for (size_t i = 0; i < QK__COUNT_OF(types); i++)
        assert_int_equal(qk_host_register(fixture->host, &types[i], NULL), QK_OK);
    qk__host_observe(fixture->host, &(struct qk__observer){.prewarm_ready = on_prewarm_ready,
                                                           .arg = fixture});
    assert_int_equal(qk_host_start(fixture->host, NULL), QK_OK);
    add_model(fixture, "tiny", WIDTH);
    return fixture;
}

static struct fixture *start(const char *machine)
{
    return start_with(machine, false, 0);
}

static void finish(struct fixture *fixture)
{
    char command[128];

    assert_int_equal(qk_host_stop(fixture->host, 0), QK_OK);
    qk_host_destroy(fixture->host);
    snprintf(command, sizeof command, "rm -r '%s'", fixture->folder);
    assert_int_equal(system(command), 0);
    qk__free(fixture);
}

#define ONE_GPU "devices: [{id: gpu, memory: 64MiB}]\n"

static struct question question(const char *model, uint32_t batch)
{
    struct question question = {.batch = batch, .columns = TINY_INPUTS};

    snprintf(question.model, sizeof question.model, "%s", model);
    for (uint32_t i = 0; i < BATCH_MAX * TINY_INPUTS; i++)
        question.x[i / TINY_INPUTS][i % TINY_INPUTS] = (float)(i + 1);
    return question;
}

static void check_answer(const struct question *asked, const struct answer *answer)
{
    for (uint32_t row = 0; row < asked->batch; row++) {
        for (uint32_t column = 0; column < WIDTH; column++) {
            float sum = 0;

            for (uint32_t i = 0; i < TINY_INPUTS; i++)
                sum += asked->x[row][i] * tiny_weight(i, column);
            assert_true(answer->y[row][column] == sum);
        }
    }
}

static qk_status ask_actor(struct fixture *fixture, const char *type, const char *key,
                           const struct question *asked, struct answer *answer, uint64_t timeout_ns,
                           struct qk_error *error)
{
    qk_actor *actor;
    qk_status status;

    assert_int_equal(qk_actor_get(fixture->host, type, key, &actor), QK_OK);
    status = qk_client_call(fixture->host, actor, ASK, asked, answer, timeout_ns, error);
    qk_actor_release(actor);
    return status;
}

/* Asks, and the answer must be right; on which device it came about is returned. */
static struct answer expect_answer(struct fixture *fixture, const char *type, const char *key,
                                   uint32_t batch)
{
    const struct question asked = question("tiny", batch);
    struct answer         answer = {0};
    struct qk_error       error = {0};

    if (ask_actor(fixture, type, key, &asked, &answer, 0, &error) != QK_OK)
        fail_msg("%s", error.text);
    check_answer(&asked, &answer);
    return answer;
}

static void expect_error(struct fixture *fixture, const char *type, const char *key,
                         const char *model, qk_status status, const char *part)
{
    const struct question asked = question(model, 1);
    struct answer         answer;
    struct qk_error       error = {0};

    assert_int_equal(ask_actor(fixture, type, key, &asked, &answer, 0, &error), status);
    if (strstr(error.text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, error.text);
}

static void let_go(struct fixture *fixture, const char *type, const char *key)
{
    struct qk__type_stats stats = {.active = 1};
    qk_actor             *actor;

    assert_int_equal(qk_actor_get(fixture->host, type, key, &actor), QK_OK);
    assert_int_equal(qk_client_call(fixture->host, actor, LEAVE, NULL, NULL, 0, NULL), QK_OK);
    qk_actor_release(actor);
    for (size_t i = 0; i < QK__COUNT_OF(types); i++) {
        if (strcmp(types[i].name, type) != 0)
            continue;
        for (int waits = 0; waits < 2000 && stats.active > 0; waits++) {
            usleep(1000);
            qk__host_type_stats(fixture->host, &types[i], &stats);
        }
    }
    assert_int_equal(stats.active, 0);
}

static bool find_status(struct fixture *fixture, const char *model, const char *device,
                        struct qk__model_status *out)
{
    struct qk__model_status rows[16];
    const size_t            count = qk__host_model_status(fixture->host, rows, 16);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, model) == 0 && strcmp(rows[i].device, device) == 0) {
            *out = rows[i];
            return true;
        }
    }
    return false;
}

static void inject(struct fixture *fixture, const char *device, const char *fault)
{
    struct qk_error error = {0};
    qk__device     *found = qk__device_find(qk__host_devices(fixture->host), device);

    assert_non_null(found);
    if (qk__device_inject_fault(found, fault, &error) != QK_OK)
        fail_msg("%s", error.text);
}

static const char *cpu_id(struct fixture *fixture)
{
    return qk__device_info(qk__device_cpu(qk__host_devices(fixture->host)))->id;
}

static uint64_t fallbacks(struct fixture *fixture, char reason[256])
{
    return qk_host_fallbacks(fixture->host, reason, 256);
}

/* ---- Where it runs ---- */

static void an_actor_that_wants_no_device_is_on_the_cpu(void **state)
{
    struct fixture     *fixture = start(ONE_GPU);
    const struct answer answer = expect_answer(fixture, "on-cpu", "a", 2);

    (void)state;
    assert_string_equal(answer.device, cpu_id(fixture));
    assert_false(answer.is_fallback);
    finish(fixture);
}

static void an_actor_that_wants_a_device_is_on_it(void **state)
{
    struct fixture         *fixture = start(ONE_GPU);
    struct answer           answer = expect_answer(fixture, "prefers", "a", 2);
    struct qk__model_status status;
    char                    reason[256];

    (void)state;
    assert_string_equal(answer.device, "sim:gpu:0");
    assert_false(answer.is_fallback);
    answer = expect_answer(fixture, "requires", "a", 3);
    assert_string_equal(answer.device, "sim:gpu:0");
    assert_int_equal(fallbacks(fixture, reason), 0);
    assert_true(find_status(fixture, "tiny", "sim:gpu:0", &status));
    assert_string_equal(status.state, "ready");
    assert_int_equal(status.loads, 1);
    assert_int_equal(status.users, 2);
    assert_int_equal(status.inferences, 2);
    assert_true(status.bytes >= 16 * WIDTH);
    assert_true(status.load_ns > 0);
    finish(fixture);
}

static bool has_opencl(struct fixture *fixture)
{
    qk__device_set *devices = qk__host_devices(fixture->host);

    for (size_t i = 0; i < qk__device_count(devices); i++) {
        if (qk__device_info(qk__device_at(devices, i))->runs_programs)
            return true;
    }
    return false;
}

static void every_inference_is_counted_and_timed(void **state)
{
    struct fixture         *fixture = start_with(ONE_GPU, true, 0);
    struct qk__model_status rows[16];
    uint64_t                inferences = 0;
    size_t                  count;

    (void)state;
    for (int i = 0; i < 20; i++)
        (void)expect_answer(fixture, "prefers", "a", 1);
    count = qk__host_model_status(fixture->host, rows, 16);
    for (size_t i = 0; i < count; i++) {
        inferences += rows[i].inferences;
        assert_true(rows[i].inferences == 0 ||
                    (rows[i].p50_ns > 0 && rows[i].p50_ns < 10 * QK__NS_PER_S));
    }
    assert_int_equal(inferences, 20);
    finish(fixture);
}

static void an_opencl_device_and_the_cpu_answer_alike(void **state)
{
    struct fixture *fixture = start_with(NULL, true, 0);
    struct answer   answer;

    (void)state;
    if (!has_opencl(fixture)) {
        finish(fixture);
        if (getenv("CI") != NULL)
            fail_msg("no OpenCL device, and CI has one");
        skip();
    }
    answer = expect_answer(fixture, "requires", "a", 3);
    assert_string_not_equal(answer.device, cpu_id(fixture));
    assert_false(answer.is_fallback);
    assert_string_equal(expect_answer(fixture, "on-cpu", "a", 3).device, cpu_id(fixture));
    finish(fixture);
}

static void without_a_device_the_cpu_serves_and_it_is_said(void **state)
{
    struct fixture     *fixture = start(NULL);
    const struct answer answer = expect_answer(fixture, "prefers", "a", 1);
    char                reason[256];

    (void)state;
    assert_string_equal(answer.device, cpu_id(fixture));
    assert_true(answer.is_fallback);
    assert_int_equal(fallbacks(fixture, reason), 1);
    assert_string_equal(reason, "tiny: no device but the CPU");
    finish(fixture);
}

static void a_required_device_that_is_not_there_is_an_error(void **state)
{
    struct fixture *fixture = start(NULL);

    (void)state;
    expect_error(fixture, "requires", "a", "tiny", QK_NO_DEVICE, "no device but the CPU");
    finish(fixture);
}

/* ---- Loading ---- */

struct asker {
    struct fixture *fixture;
    char            key[16];
    _Atomic int    *gate;
    uint64_t        failures;
};

static void *ask_once(void *arg)
{
    struct asker         *asker = arg;
    const struct question asked = question("tiny", 1);
    struct answer         answer;

    while (atomic_load(asker->gate) == 0) {
    }
    asker->failures +=
        ask_actor(asker->fixture, "prefers", asker->key, &asked, &answer, 0, NULL) != QK_OK;
    return NULL;
}

static void fifty_actors_at_once_are_one_load(void **state)
{
    struct fixture         *fixture = start(ONE_GPU);
    struct asker            askers[50];
    pthread_t               threads[50];
    _Atomic int             gate = 0;
    struct qk__model_status status;

    (void)state;
    for (size_t i = 0; i < 50; i++) {
        askers[i] = (struct asker){.fixture = fixture, .gate = &gate};
        snprintf(askers[i].key, sizeof askers[i].key, "%zu", i);
        assert_int_equal(pthread_create(&threads[i], NULL, ask_once, &askers[i]), 0);
    }
    atomic_store(&gate, 1);
    for (size_t i = 0; i < 50; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].failures, 0);
    }
    assert_true(find_status(fixture, "tiny", "sim:gpu:0", &status));
    assert_int_equal(status.loads, 1);
    assert_int_equal(status.users, 50);
    assert_int_equal(status.inferences, 50);
    finish(fixture);
}

static void an_unknown_model_is_not_found(void **state)
{
    struct fixture *fixture = start(NULL);

    (void)state;
    expect_error(fixture, "on-cpu", "a", "nobody", QK_NOT_FOUND, "no model is named nobody");
    expect_error(fixture, "declares-missing", "a", "tiny", QK_NOT_FOUND,
                 "no model is named missing");
    finish(fixture);
}

static void a_file_that_is_missing_or_bad_is_named_and_tried_again(void **state)
{
    struct fixture *fixture = start(NULL);
    char            path[160];

    (void)state;
    path_in(fixture, "later.onnx", path);
    assert_int_equal(qk_host_add_model(fixture->host, "later", path, NULL), QK_OK);
    expect_error(fixture, "on-cpu", "a", "later", QK_NOT_FOUND, path);
    assert_int_equal(qk__file_write(path, "not a model", 11, NULL), QK_OK);
    expect_error(fixture, "on-cpu", "a", "later", QK_INVALID_ARGUMENT, path);
    write_tiny_model(path, WIDTH);
    {
        const struct question asked = question("later", 1);
        struct answer         answer;

        assert_int_equal(ask_actor(fixture, "on-cpu", "a", &asked, &answer, 0, NULL), QK_OK);
        check_answer(&asked, &answer);
    }
    finish(fixture);
}

static void a_declared_model_is_there_before_the_first_call(void **state)
{
    struct fixture          *fixture = start(ONE_GPU);
    const uint64_t           now_ns = qk__clock_now_ns(qk__host_clock(fixture->host));
    const struct qk__prewarm prewarm = {"declares", "a", "test", now_ns + 60 * QK__NS_PER_S};
    struct qk__model_status  status = {0};
    struct answer            answer;

    (void)state;
    assert_int_equal(qk__host_prewarm(fixture->host, &prewarm), QK_OK);
    for (int waits = 0; waits < 10000 && atomic_load(&fixture->prewarms_ready) == 0; waits++)
        usleep(1000);
    assert_true(find_status(fixture, "tiny", "sim:gpu:0", &status));
    assert_int_equal(status.loads, 1);
    answer = expect_answer(fixture, "declares", "a", 1);
    assert_int_equal(answer.warmth, QK_WAS_PREWARMED);
    assert_true(find_status(fixture, "tiny", "sim:gpu:0", &status));
    assert_int_equal(status.loads, 1);
    finish(fixture);
}

static void wait_for_state(struct fixture *fixture, const char *state)
{
    struct qk__model_status status = {0};

    for (int waits = 0; waits < 10000 && strcmp(status.state, state) != 0; waits++) {
        usleep(1000);
        (void)find_status(fixture, "tiny", "sim:gpu:0", &status);
    }
    assert_string_equal(status.state, state);
}

static void a_load_outlives_the_turn_that_wanted_it(void **state)
{
    struct fixture         *fixture = start(ONE_GPU);
    const struct question   asked = question("tiny", 1);
    struct answer           answer;
    struct qk__model_status status;

    (void)state;
    inject(fixture, "sim:gpu:0", "held"); /* the first launch does not end */
    assert_int_equal(ask_actor(fixture, "prefers", "a", &asked, &answer, 50 * QK__NS_PER_MS, NULL),
                     QK_DEADLINE_EXCEEDED);
    assert_int_equal(ask_actor(fixture, "prefers", "b", &asked, &answer, 50 * QK__NS_PER_MS, NULL),
                     QK_DEADLINE_EXCEEDED);
    wait_for_state(fixture, "loading");
    inject(fixture, "sim:gpu:0", "restored");
    expect_answer(fixture, "prefers", "a", 1);
    assert_true(find_status(fixture, "tiny", "sim:gpu:0", &status));
    assert_int_equal(status.loads, 1);
    assert_int_equal(status.users, 1);
    finish(fixture);
}

static bool is_planned(struct fixture *fixture, uint32_t batch)
{
    const struct qk__named_model *model =
        qk__map_get(&qk__host_models(fixture->host)->by_name, "tiny");
    const struct qk_shape         shape = {2, {batch, TINY_INPUTS}};
    float                         x[BATCH_MAX * TINY_INPUTS] = {0};
    const qk_tensor               tensor = qk_tensor_view(QK_F32, &shape, x);
    const struct qk__input        input = {.kind = QK__INPUT_TENSOR, .tensor = &tensor};
    qk_tensor                     output = {0};
    const struct qk__inference    inference = {
           .inputs = &input, .input_count = 1, .outputs = &output, .output_count = 1};

    return qk__residence_is_planned(model->residencies->loaded->residence, &inference);
}

static void shapes_that_were_met_are_warm_after_the_next_load(void **state)
{
    struct fixture *fixture = start(NULL);

    (void)state;
    expect_answer(fixture, "on-cpu", "a", 1);
    assert_true(is_planned(fixture, 1));
    assert_false(is_planned(fixture, 3));
    expect_answer(fixture, "on-cpu", "a", 3);
    assert_true(is_planned(fixture, 3));
    let_go(fixture, "on-cpu", "a");
    assert_true(qk__models_evict(qk__host_models(fixture->host),
                                 qk__device_cpu(qk__host_devices(fixture->host))));
    expect_answer(fixture, "on-cpu", "b", 1);
    assert_true(is_planned(fixture, 3));
    assert_false(is_planned(fixture, 2));
    finish(fixture);
}

/* ---- Faults ---- */

static void a_lost_device_means_the_cpu_with_the_same_answer(void **state)
{
    struct fixture         *fixture = start(ONE_GPU);
    struct answer           answer = expect_answer(fixture, "prefers", "a", 2);
    struct qk__model_status status;
    char                    reason[256];

    (void)state;
    assert_string_equal(answer.device, "sim:gpu:0");
    inject(fixture, "sim:gpu:0", "lost");
    answer = expect_answer(fixture, "prefers", "a", 2);
    assert_string_equal(answer.device, cpu_id(fixture));
    assert_true(answer.is_fallback);
    assert_int_equal(fallbacks(fixture, reason), 1);
    assert_non_null(strstr(reason, "sim:gpu:0"));

    answer = expect_answer(fixture, "prefers", "a", 1);    /* it stays: no new fallback */
    assert_string_equal(answer.device, cpu_id(fixture));
    assert_int_equal(fallbacks(fixture, reason), 1);
    assert_true(find_status(fixture, "tiny", "sim:gpu:0", &status));
    assert_string_equal(status.state, "failed");
    finish(fixture);
}

static void a_required_device_that_is_lost_is_a_typed_error(void **state)
{
    struct fixture *fixture = start(ONE_GPU);

    (void)state;
    expect_answer(fixture, "requires", "a", 1);
    inject(fixture, "sim:gpu:0", "lost");
    expect_error(fixture, "requires", "a", "tiny", QK_DEVICE_LOST, "sim:gpu:0");
    expect_error(fixture, "requires", "a", "tiny", QK_NO_DEVICE, "down");
    finish(fixture);
}

static void a_required_actor_goes_on_on_another_device(void **state)
{
    struct fixture *fixture = start("devices: [{id: gpu, count: 2, memory: 64MiB}]\n");
    struct answer   answer = expect_answer(fixture, "requires", "a", 1);
    char            first[80];

    (void)state;
    snprintf(first, sizeof first, "%s", answer.device);
    inject(fixture, first, "lost");
    expect_error(fixture, "requires", "a", "tiny", QK_DEVICE_LOST, first);
    answer = expect_answer(fixture, "requires", "a", 1);
    assert_string_not_equal(answer.device, first);
    assert_string_not_equal(answer.device, cpu_id(fixture));
    finish(fixture);
}

static void a_restored_device_gets_a_fresh_copy(void **state)
{
    struct fixture         *fixture = start(ONE_GPU);
    struct qk__model_status status;

    (void)state;
    expect_answer(fixture, "prefers", "a", 1);
    inject(fixture, "sim:gpu:0", "lost");
    expect_answer(fixture, "prefers", "a", 1);
    inject(fixture, "sim:gpu:0", "restored");
    assert_int_equal(
        qk__device_probe(qk__device_find(qk__host_devices(fixture->host), "sim:gpu:0")), QK_OK);
    assert_string_equal(expect_answer(fixture, "prefers", "b", 1).device, "sim:gpu:0");
    assert_true(find_status(fixture, "tiny", "sim:gpu:0", &status));
    assert_int_equal(status.loads, 2);
    finish(fixture);
}

static void a_load_that_gets_no_memory_means_the_cpu(void **state)
{
    struct fixture *fixture =
        start("devices: [{id: gpu, memory: 64MiB, faults: [\"alloc-fail:1\"]}]\n");
    struct answer   answer = expect_answer(fixture, "prefers", "a", 2);
    char            reason[256];

    (void)state;
    assert_string_equal(answer.device, cpu_id(fixture));
    assert_true(answer.is_fallback);
    assert_int_equal(fallbacks(fixture, reason), 1);
    answer = expect_answer(fixture, "prefers", "b", 2);    /* there was one fault only */
    assert_string_equal(answer.device, "sim:gpu:0");
    finish(fixture);
}

static void a_required_load_that_gets_no_memory_is_a_typed_error(void **state)
{
    struct fixture *fixture =
        start("devices: [{id: gpu, memory: 64MiB, faults: [\"alloc-fail:1\"]}]\n");

    (void)state;
    expect_error(fixture, "requires", "a", "tiny", QK_NO_DEVICE_MEMORY, "sim:gpu:0");
    expect_answer(fixture, "requires", "a", 1);
    finish(fixture);
}

#define LOAD_THREADS 8u
#define LOAD_CALLS 40u

/* Asks many times, and counts what was not the right answer. */
static void *ask_often(void *arg)
{
    struct asker *asker = arg;

    for (uint32_t i = 0; i < LOAD_CALLS; i++) {
        const struct question asked = question("tiny", 1 + i % BATCH_MAX);
        struct answer         answer = {0};

        asker->failures +=
            ask_actor(asker->fixture, "prefers", asker->key, &asked, &answer, 0, NULL) != QK_OK;
        for (uint32_t column = 0; column < WIDTH; column++) {
            float sum = 0;

            for (uint32_t k = 0; k < TINY_INPUTS; k++)
                sum += asked.x[0][k] * tiny_weight(k, column);
            asker->failures += answer.y[0][column] != sum;
        }
    }
    return NULL;
}

static void a_device_that_is_lost_under_load_costs_no_answer(void **state)
{
    struct fixture *fixture = start("devices: [{id: gpu, count: 2, memory: 64MiB}]\n");
    struct asker    askers[LOAD_THREADS];
    pthread_t       threads[LOAD_THREADS];
    char            reason[256];

    (void)state;
    for (size_t i = 0; i < LOAD_THREADS; i++) {
        askers[i] = (struct asker){.fixture = fixture};
        snprintf(askers[i].key, sizeof askers[i].key, "%zu", i);
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &askers[i]), 0);
    }
    usleep(20000);
    inject(fixture, "sim:gpu:0", "lost");
    usleep(10000);
    inject(fixture, "sim:gpu:1", "lost");
    for (size_t i = 0; i < LOAD_THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].failures, 0);
    }
    (void)fallbacks(fixture, reason);
    finish(fixture);
}

static void a_turn_that_leaves_at_its_deadline_leaves_nothing_dangling(void **state)
{
    struct fixture       *fixture = start(ONE_GPU);
    const struct question asked = question("tiny", 1);
    struct answer         answer;

    (void)state;
    expect_answer(fixture, "prefers", "a", 1);
    inject(fixture, "sim:gpu:0", "held");
    assert_int_equal(ask_actor(fixture, "prefers", "a", &asked, &answer, 100 * QK__NS_PER_MS, NULL),
                     QK_DEADLINE_EXCEEDED);
    inject(fixture, "sim:gpu:0", "restored");
    expect_answer(fixture, "prefers", "a", 1);
    finish(fixture);
}

/* The turns of those who were told that it is too late leave a moment after that. */
static void await_given_up(struct fixture *fixture, const struct qk_type *type, uint64_t count)
{
    struct qk__type_stats stats;

    for (int i = 0; i < 10000; i++) {
        qk__host_type_stats(fixture->host, type, &stats);
        if (stats.failures + stats.expired >= count)
            return;
        usleep(1000);
    }
    fail_msg("%llu turns gave up", (unsigned long long)(stats.failures + stats.expired));
}

static const struct qk_type *type_named(const char *name)
{
    size_t at = 0;

    while (strcmp(types[at].name, name) != 0)
        at++;
    return &types[at];
}

/* What the device has not begun when its turn leaves is not computed when the device goes on. */
static void an_inference_that_nobody_waits_for_is_not_begun(void **state)
{
    struct fixture         *fixture = start(ONE_GPU);
    const struct question   asked = question("tiny", 1);
    struct qk__model_status status;
    struct answer           answer;

    (void)state;
    expect_answer(fixture, "prefers", "a", 1);
    inject(fixture, "sim:gpu:0", "held");
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            ask_actor(fixture, "prefers", "a", &asked, &answer, 20 * QK__NS_PER_MS, NULL),
            QK_DEADLINE_EXCEEDED);
    await_given_up(fixture, type_named("prefers"), 3);
    inject(fixture, "sim:gpu:0", "restored");
    expect_answer(fixture, "prefers", "a", 1);    /* behind them in the device's queues */
    assert_true(find_status(fixture, "tiny", "sim:gpu:0", &status));
    assert_int_equal(status.inferences, 2);
    finish(fixture);
}

/* ---- Memory ---- */

#define LARGE (1u << 16) /* a width: 1 MiB of weights, more where a back end packs them with padding */

static struct answer expect_model(struct fixture *fixture, const char *type, const char *key,
                                  const char *model)
{
    const struct question asked = question(model, 1);
    struct answer         answer = {0};
    struct qk_error       error = {0};

    if (ask_actor(fixture, type, key, &asked, &answer, 0, &error) != QK_OK)
        fail_msg("%s", error.text);
    check_answer(&asked, &answer);
    return answer;
}

/* A machine whose device has room for one large model, but not for two: how large differs by CPU. */
static struct fixture *start_small(void)
{
    struct fixture         *fixture = start("devices: [{id: gpu, memory: 64MiB}]\n");
    struct qk__model_status status;
    char                    machine[80];

    add_model(fixture, "first", LARGE);
    expect_model(fixture, "prefers", "a", "first");
    assert_true(find_status(fixture, "first", "sim:gpu:0", &status));
    finish(fixture);
    snprintf(machine, sizeof machine, "devices: [{id: gpu, memory: %lluKiB}]\n",
             (unsigned long long)(status.bytes + status.bytes / 2) / 1024);
    return start(machine);
}

static void what_nobody_uses_makes_room_for_what_is_wanted(void **state)
{
    struct fixture         *fixture = start_small();
    struct qk__model_status status;
    char                    reason[256];

    (void)state;
    add_model(fixture, "first", LARGE);
    add_model(fixture, "second", LARGE);
    assert_string_equal(expect_model(fixture, "prefers", "a", "first").device, "sim:gpu:0");
    let_go(fixture, "prefers", "a");
    assert_true(find_status(fixture, "first", "sim:gpu:0", &status));
    assert_string_equal(status.state, "ready"); /* kept, as long as there is room */

    assert_string_equal(expect_model(fixture, "prefers", "b", "second").device, "sim:gpu:0");
    assert_true(find_status(fixture, "first", "sim:gpu:0", &status));
    assert_string_equal(status.state, "absent");
    assert_int_equal(fallbacks(fixture, reason), 0);
    finish(fixture);
}

static void what_is_in_use_stays_and_the_next_one_gets_the_cpu(void **state)
{
    struct fixture *fixture = start_small();
    struct answer   answer;
    char            reason[256];

    (void)state;
    add_model(fixture, "first", LARGE);
    add_model(fixture, "second", LARGE);
    assert_string_equal(expect_model(fixture, "prefers", "a", "first").device, "sim:gpu:0");
    answer = expect_model(fixture, "prefers", "b", "second");
    assert_string_equal(answer.device, cpu_id(fixture));
    assert_true(answer.is_fallback);
    assert_int_equal(fallbacks(fixture, reason), 1);
    expect_error(fixture, "requires", "c", "second", QK_NO_DEVICE_MEMORY, "second");
    assert_string_equal(expect_model(fixture, "prefers", "a", "first").device, "sim:gpu:0");
    finish(fixture);
}

static void what_nobody_uses_leaves_after_the_keep_time(void **state)
{
    struct fixture         *fixture = start_with(ONE_GPU, false, 20 * QK__NS_PER_MS);
    qk__device_set         *devices = qk__host_devices(fixture->host);
    qk__ledger             *ledger = qk__device_ledger(qk__device_at(devices, 0));
    struct qk__model_status status = {0};

    (void)state;
    for (uint64_t loads = 1; loads <= 3; loads++) {
        assert_string_equal(expect_answer(fixture, "prefers", "a", 1).device, "sim:gpu:0");
        usleep(60000);
        assert_true(find_status(fixture, "tiny", "sim:gpu:0", &status));
        assert_string_equal(status.state, "ready");    /* an actor holds it, however long */
        let_go(fixture, "prefers", "a");
        /* Out of reach first, then freed, by a lane. */
        for (int waits = 0; waits < 10000 && qk__ledger_used(ledger) > 0; waits++)
            usleep(1000);
        assert_int_equal(qk__ledger_used(ledger), 0);
        assert_true(find_status(fixture, "tiny", "sim:gpu:0", &status));
        assert_string_equal(status.state, "absent");
        assert_int_equal(status.loads, loads);
    }
    finish(fixture);
}

static void a_small_device_s_limit_is_not_the_cpu_s(void **state)
{
    struct qk__topology_source source = {0};
    struct qk__device_opts     opts = {.memory_limit_bytes = 1 << 20};
    qk__topology              *topology;
    qk__device_set            *devices;

    (void)state;
    assert_int_equal(qk__topology_load(&source, &topology, NULL), QK_OK);
    assert_int_equal(qk__device_set_open(topology, &opts, &devices, NULL), QK_OK);
    assert_true(qk__ledger_limit(qk__device_ledger(qk__device_cpu(devices))) > 1 << 20);
    qk__device_set_close(devices);
    qk__topology_destroy(topology);
}

/* ---- Inputs and names ---- */

static void an_input_that_does_not_fit_is_the_callers_error(void **state)
{
    struct fixture *fixture = start(ONE_GPU);
    struct question asked = question("tiny", 1);
    struct answer   answer;
    struct qk_error error = {0};
    char            reason[256];

    (void)state;
    asked.columns = TINY_INPUTS - 1;
    assert_int_equal(ask_actor(fixture, "prefers", "a", &asked, &answer, 0, &error),
                     QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "tiny"));
    assert_int_equal(fallbacks(fixture, reason), 0);
    expect_answer(fixture, "prefers", "a", 1);
    finish(fixture);
}

static void regions_of_a_picture_are_an_input(void **state)
{
    static const float expected[2][4] = {{1, 2, 5, 6}, {3, 4, 7, 8}};
    struct fixture    *fixture = start(ONE_GPU);
    struct sight       sight = {0};
    struct qk_error    error = {0};
    char               path[160];
    qk_actor          *actor;

    (void)state;
    path_in(fixture, "picture.onnx", path);
    write_picture_model(path);
    assert_int_equal(qk_host_add_model(fixture->host, "picture", path, NULL), QK_OK);
    assert_int_equal(qk_actor_get(fixture->host, "prefers", "a", &actor), QK_OK);
    if (qk_client_call(fixture->host, actor, LOOK, NULL, &sight, 0, &error) != QK_OK)
        fail_msg("%s", error.text);
    qk_actor_release(actor);
    assert_memory_equal(sight.pixels, expected, sizeof expected);
    assert_true(sight.was_empty_refused);
    finish(fixture);
}

static void a_name_is_given_once(void **state)
{
    struct fixture *fixture = start(NULL);
    struct qk_error error = {0};

    (void)state;
    assert_int_equal(qk_host_add_model(fixture->host, "tiny", "/elsewhere.onnx", &error),
                     QK_ALREADY_EXISTS);
    assert_non_null(strstr(error.text, "model tiny is named twice"));
    assert_non_null(strstr(error.text, "/elsewhere.onnx"));
    assert_int_equal(qk_host_add_model(fixture->host, "", "x", &error), QK_INVALID_ARGUMENT);
    assert_int_equal(qk_host_add_model(fixture->host, "x", NULL, &error), QK_INVALID_ARGUMENT);
    finish(fixture);
}

static void add_version(struct fixture *fixture, const char *version, uint32_t width)
{
    char folder[160], path[200];

    path_in(fixture, "models/digits/", folder);
    snprintf(path, sizeof path, "%s%s", folder, version);
    assert_int_equal(qk__folder_create(path, NULL), QK_OK);
    snprintf(path, sizeof path, "%s%s/model.onnx", folder, version);
    write_tiny_model(path, width);
}

static void the_highest_version_in_a_folder_counts(void **state)
{
    struct fixture         *fixture = start(NULL);
    struct qk__model_status status;
    struct qk_error         error = {0};
    char                    folder[160];

    (void)state;
    add_version(fixture, "2", WIDTH);
    add_version(fixture, "10", WIDTH);
    add_version(fixture, "9x", WIDTH); /* not a version */
    path_in(fixture, "models", folder);
    assert_int_equal(qk_host_add_models(fixture->host, folder, NULL), QK_OK);
    expect_model(fixture, "on-cpu", "a", "digits");
    assert_true(find_status(fixture, "digits", cpu_id(fixture), &status));
    assert_non_null(strstr(status.path, "/digits/10/model.onnx"));

    path_in(fixture, "models/digits", folder);
    assert_int_equal(qk_host_add_models(fixture->host, folder, &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, folder));
    assert_int_equal(qk_host_add_models(fixture->host, "/nowhere/at-all", &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere/at-all"));
    finish(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_actor_that_wants_no_device_is_on_the_cpu),
        cmocka_unit_test(an_actor_that_wants_a_device_is_on_it),
        cmocka_unit_test(every_inference_is_counted_and_timed),
        cmocka_unit_test(an_opencl_device_and_the_cpu_answer_alike),
        cmocka_unit_test(without_a_device_the_cpu_serves_and_it_is_said),
        cmocka_unit_test(a_required_device_that_is_not_there_is_an_error),
        cmocka_unit_test(fifty_actors_at_once_are_one_load),
        cmocka_unit_test(an_unknown_model_is_not_found),
        cmocka_unit_test(a_file_that_is_missing_or_bad_is_named_and_tried_again),
        cmocka_unit_test(a_declared_model_is_there_before_the_first_call),
        cmocka_unit_test(a_load_outlives_the_turn_that_wanted_it),
        cmocka_unit_test(shapes_that_were_met_are_warm_after_the_next_load),
        cmocka_unit_test(a_lost_device_means_the_cpu_with_the_same_answer),
        cmocka_unit_test(a_required_device_that_is_lost_is_a_typed_error),
        cmocka_unit_test(a_required_actor_goes_on_on_another_device),
        cmocka_unit_test(a_restored_device_gets_a_fresh_copy),
        cmocka_unit_test(a_load_that_gets_no_memory_means_the_cpu),
        cmocka_unit_test(a_required_load_that_gets_no_memory_is_a_typed_error),
        cmocka_unit_test(a_device_that_is_lost_under_load_costs_no_answer),
        cmocka_unit_test(a_turn_that_leaves_at_its_deadline_leaves_nothing_dangling),
        cmocka_unit_test(an_inference_that_nobody_waits_for_is_not_begun),
        cmocka_unit_test(what_nobody_uses_makes_room_for_what_is_wanted),
        cmocka_unit_test(what_is_in_use_stays_and_the_next_one_gets_the_cpu),
        cmocka_unit_test(what_nobody_uses_leaves_after_the_keep_time),
        cmocka_unit_test(a_small_device_s_limit_is_not_the_cpu_s),
        cmocka_unit_test(an_input_that_does_not_fit_is_the_callers_error),
        cmocka_unit_test(regions_of_a_picture_are_an_input),
        cmocka_unit_test(a_name_is_given_once),
        cmocka_unit_test(the_highest_version_in_a_folder_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
