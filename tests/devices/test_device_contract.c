/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every driver must do alike: each test runs on the CPU, on a simulated device and on OpenCL.
 */
#include "support.h"

#include <pthread.h>

#define COUNT 1000u

static const char machine[] = "devices:\n"
                              "  - id: gpu\n"
                              "    memory: 64MiB\n"
                              "    transfer_latency: 1us\n"
                              "    launch_latency: 1us\n";

static qk__buffer *make_buffer(struct bench *bench, size_t size_bytes)
{
    struct qk_error error = {.text = ""};
    qk__buffer     *buffer = NULL;

    if (qk__buffer_create(bench->device, "test", size_bytes, &buffer, &error) != QK_OK)
        fail_msg("%s", error.text);
    return buffer;
}

static void expect_ok(qk_status st, const struct qk_error *error)
{
    if (st != QK_OK)
        fail_msg("%s: %s", qk_status_name(st), error->text);
}

static void wait_and_release(qk__event *event, qk_status expected)
{
    assert_int_equal(qk__event_wait(event), expected);
    qk__event_release(event);
}

static void bytes_come_back_as_written(void **state)
{
    struct bench   *bench = *state;
    struct qk_error error = {.text = ""};
    qk__buffer     *buffer = make_buffer(bench, COUNT);
    uint8_t         sent[COUNT], got[COUNT] = {0};
    qk__event      *written, *read;

    for (size_t i = 0; i < COUNT; i++)
        sent[i] = (uint8_t)(i * 7);
    expect_ok(qk__device_write(bench->device, QK_QUEUE_UPLOAD, buffer, 0, sent, COUNT, QK__NO_WAITS,
                               &written, &error),
              &error);
    expect_ok(qk__device_read(bench->device, QK_QUEUE_DOWNLOAD, buffer, 10, got, COUNT - 10,
                              (struct qk__waits){&written, 1}, &read, &error),
              &error);
    wait_and_release(read, QK_OK);
    wait_and_release(written, QK_OK);
    assert_memory_equal(got, sent + 10, COUNT - 10);
    qk__buffer_destroy(buffer);
}

static void copies_move_bytes_between_buffers(void **state)
{
    struct bench   *bench = *state;
    struct qk_error error = {.text = ""};
    qk__buffer     *from = make_buffer(bench, 64);
    qk__buffer     *to = make_buffer(bench, 64);
    const char      sent[] = "hello";
    char            got[sizeof sent] = "";
    qk__event      *read;

    expect_ok(qk__device_write(bench->device, QK_QUEUE_COMPUTE, from, 8, sent, sizeof sent,
                               QK__NO_WAITS, NULL, &error),
              &error);
    expect_ok(qk__device_copy(bench->device, QK_QUEUE_COMPUTE, from, 8, to, 32, sizeof sent,
                              QK__NO_WAITS, NULL, &error),
              &error);
    expect_ok(qk__device_read(bench->device, QK_QUEUE_COMPUTE, to, 32, got, sizeof got,
                              QK__NO_WAITS, &read, &error),
              &error);
    wait_and_release(read, QK_OK);
    assert_string_equal(got, sent);
    qk__buffer_destroy(from);
    qk__buffer_destroy(to);
}

static void work_on_other_queues_waits_for_events(void **state)
{
    struct bench   *bench = *state;
    struct qk_error error = {.text = ""};
    qk__buffer     *buffer = make_buffer(bench, COUNT * sizeof(uint32_t));
    uint32_t        sent[COUNT], got[COUNT] = {0};

    for (uint32_t round = 0; round < 20; round++) {
        qk__event *written, *added, *read;

        for (uint32_t i = 0; i < COUNT; i++)
            sent[i] = i + round;
        expect_ok(qk__device_write(bench->device, QK_QUEUE_UPLOAD, buffer, 0, sent, sizeof sent,
                                   QK__NO_WAITS, &written, &error),
                  &error);
        expect_ok(
            bench_add_one(bench, buffer, COUNT, (struct qk__waits){&written, 1}, &added, &error),
            &error);
        expect_ok(qk__device_read(bench->device, QK_QUEUE_DOWNLOAD, buffer, 0, got, sizeof got,
                                  (struct qk__waits){&added, 1}, &read, &error),
                  &error);
        wait_and_release(read, QK_OK);
        qk__event_release(added);
        qk__event_release(written);
        for (uint32_t i = 0; i < COUNT; i++)
            assert_int_equal(got[i], i + round + 1);
    }
    qk__buffer_destroy(buffer);
}

static void one_queue_keeps_order_without_events(void **state)
{
    struct bench   *bench = *state;
    struct qk_error error = {.text = ""};
    qk__buffer     *buffer = make_buffer(bench, sizeof(uint32_t));
    const uint32_t  zero = 0;
    uint32_t        got = 0;
    qk__event      *end;

    expect_ok(qk__device_write(bench->device, QK_QUEUE_COMPUTE, buffer, 0, &zero, sizeof zero,
                               QK__NO_WAITS, NULL, &error),
              &error);
    for (int i = 0; i < 50; i++)
        expect_ok(bench_add_one(bench, buffer, 1, QK__NO_WAITS, NULL, &error), &error);
    expect_ok(qk__device_read(bench->device, QK_QUEUE_COMPUTE, buffer, 0, &got, sizeof got,
                              QK__NO_WAITS, NULL, &error),
              &error);
    expect_ok(qk__device_marker(bench->device, QK_QUEUE_COMPUTE, QK__NO_WAITS, &end, &error),
              &error);
    wait_and_release(end, QK_OK);
    assert_int_equal(got, 50);
    qk__buffer_destroy(buffer);
}

static void a_marker_waits_for_its_queue_and_its_events(void **state)
{
    struct bench           *bench = *state;
    struct qk_error         error = {.text = ""};
    qk__buffer             *buffer = make_buffer(bench, 1 << 20);
    uint8_t                *bytes = calloc(1, 1 << 20);
    struct qk__device_usage usage;
    qk__event              *other, *end;

    expect_ok(qk__device_write(bench->device, QK_QUEUE_WARM, buffer, 0, bytes, 1 << 20,
                               QK__NO_WAITS, &other, &error),
              &error);
    expect_ok(qk__device_read(bench->device, QK_QUEUE_DOWNLOAD, buffer, 0, bytes, 1 << 20,
                              (struct qk__waits){&other, 1}, NULL, &error),
              &error);
    expect_ok(qk__device_marker(bench->device, QK_QUEUE_DOWNLOAD, (struct qk__waits){&other, 1},
                                &end, &error),
              &error);
    assert_int_equal(qk__event_wait(end), QK_OK);
    assert_int_equal(qk__event_wait(other), QK_OK);
    qk__device_usage(bench->device, &usage);
    assert_int_equal(usage.in_flight, 0);
    qk__event_release(other);
    qk__event_release(end);
    qk__buffer_destroy(buffer);
    free(bytes);
}

static void count_call(void *arg, qk_status status)
{
    assert_int_equal(status, QK_OK);
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void every_callback_comes_exactly_once(void **state)
{
    struct bench   *bench = *state;
    struct qk_error error = {.text = ""};
    atomic_int      early = 0, late = 0;
    qk__event      *event;

    for (int i = 0; i < 200; i++) {
        expect_ok(qk__device_marker(bench->device, (enum qk_queue)(i % QK_QUEUE_COUNT),
                                    QK__NO_WAITS, &event, &error),
                  &error);
        assert_int_equal(qk__event_on_done(event, count_call, &early), QK_OK);
        assert_int_equal(qk__event_on_done(event, count_call, &early), QK_OK);
        assert_int_equal(qk__event_wait(event), QK_OK);
        assert_int_equal(qk__event_on_done(event, count_call, &late), QK_OK);
        qk__event_release(event);
    }
    qk__device_set_close(bench->set);    /* all that was under way is over after this */
    bench->set = NULL;
    assert_int_equal(early, 400);
    assert_int_equal(late, 200);
}

static void an_event_may_be_released_before_its_work_is_done(void **state)
{
    struct bench   *bench = *state;
    struct qk_error error = {.text = ""};
    qk__buffer     *buffer = make_buffer(bench, 1 << 20);
    uint8_t        *bytes = calloc(1, 1 << 20);
    atomic_int      calls = 0;
    qk__event      *event, *end;

    expect_ok(qk__device_write(bench->device, QK_QUEUE_UPLOAD, buffer, 0, bytes, 1 << 20,
                               QK__NO_WAITS, &event, &error),
              &error);
    assert_int_equal(qk__event_on_done(event, count_call, &calls), QK_OK);
    expect_ok(qk__device_marker(bench->device, QK_QUEUE_UPLOAD, (struct qk__waits){&event, 1}, &end,
                                &error),
              &error);
    qk__event_release(event);
    wait_and_release(end, QK_OK);
    qk__buffer_destroy(buffer);
    qk__device_set_close(bench->set);
    bench->set = NULL;
    assert_int_equal(calls, 1);
    free(bytes);
}

static void ranges_outside_a_buffer_are_refused(void **state)
{
    struct bench   *bench = *state;
    struct qk_error error = {.text = ""};
    qk__buffer     *buffer = make_buffer(bench, 16);
    char            bytes[32] = "";

    assert_int_equal(qk__device_write(bench->device, QK_QUEUE_UPLOAD, buffer, 0, bytes, 17,
                                      QK__NO_WAITS, NULL, &error),
                     QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "17 bytes from 0"));
    assert_int_equal(qk__device_read(bench->device, QK_QUEUE_DOWNLOAD, buffer, 17, bytes, 1,
                                     QK__NO_WAITS, NULL, &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk__device_read(bench->device, QK_QUEUE_DOWNLOAD, buffer, SIZE_MAX, bytes, 2,
                                     QK__NO_WAITS, NULL, &error),
                     QK_INVALID_ARGUMENT);
    assert_int_equal(qk__device_copy(bench->device, QK_QUEUE_COMPUTE, buffer, 8, buffer, 12, 8,
                                     QK__NO_WAITS, NULL, &error),
                     QK_INVALID_ARGUMENT);
    qk__buffer_destroy(buffer);
}

static void memory_is_counted_and_refused_with_who_holds_it(void **state)
{
    struct bench   *bench = *state;
    qk__ledger     *ledger = qk__device_ledger(bench->device);
    struct qk_error error = {.text = ""};
    const uint64_t  limit = qk__ledger_limit(ledger);
    qk__buffer     *buffer = make_buffer(bench, 1000);
    qk__buffer     *more = NULL;
    qk_status       st;

    assert_int_equal(qk__ledger_used(ledger), 1000);
    st = qk__buffer_create(bench->device, "model:big", limit, &more, &error);
    assert_int_equal(st, QK_NO_DEVICE_MEMORY);
    assert_null(more);
    assert_non_null(strstr(error.text, qk__device_info(bench->device)->id));
    assert_non_null(strstr(error.text, "model:big"));
    assert_int_equal(qk__ledger_used(ledger), 1000);
    assert_int_equal(qk__buffer_create(bench->device, "nothing", 0, &more, &error),
                     QK_INVALID_ARGUMENT);
    qk__buffer_destroy(buffer);
    assert_int_equal(qk__ledger_used(ledger), 0);
    assert_int_equal(qk__ledger_peak(ledger), 1000);
}

static void usage_counts_what_was_done(void **state)
{
    struct bench           *bench = *state;
    struct qk_error         error = {.text = ""};
    qk__buffer             *buffer = make_buffer(bench, COUNT * sizeof(uint32_t));
    uint32_t                numbers[COUNT] = {0};
    struct qk__device_usage usage;
    struct qk_event_times   times;
    qk__event              *added, *read;

    expect_ok(qk__device_write(bench->device, QK_QUEUE_COMPUTE, buffer, 0, numbers, sizeof numbers,
                               QK__NO_WAITS, NULL, &error),
              &error);
    expect_ok(bench_add_one(bench, buffer, COUNT, QK__NO_WAITS, &added, &error), &error);
    expect_ok(qk__device_read(bench->device, QK_QUEUE_COMPUTE, buffer, 0, numbers, 100,
                              QK__NO_WAITS, &read, &error),
              &error);
    wait_and_release(read, QK_OK);
    assert_int_equal(qk__event_wait(added), QK_OK);
    qk__event_times(added, &times);
    assert_true(times.queued_ns <= times.started_ns && times.started_ns <= times.ended_ns &&
                times.ended_ns > 0);
    qk__event_release(added);
    qk__device_usage(bench->device, &usage);
    assert_int_equal(usage.launches, 1);
    assert_int_equal(usage.uploads, 1);
    assert_int_equal(usage.upload_bytes, sizeof numbers);
    assert_int_equal(usage.downloads, 1);
    assert_int_equal(usage.download_bytes, 100);
    assert_int_equal(usage.in_flight, 0);
    assert_int_equal(usage.failures, 0);
    assert_true(usage.busy_ns > 0 && usage.busy_ns <= usage.open_ns);
    qk__buffer_destroy(buffer);
}

#define SUBMITTERS 3
#define SUBMITTED 200

struct submitter {
    qk__device *device;
    qk__buffer *buffer;
    pthread_t   thread;
    uint8_t     bytes[64];
    atomic_int  completed;
};

/*
 * Each queue has its part of the buffer. Every third piece of work is followed by its event, the
 * others ride along.
 */
static void *submit_many(void *arg)
{
    struct submitter *submitter = arg;

    for (int i = 0; i < SUBMITTED; i++) {
        const enum qk_queue queue = (enum qk_queue)(i / 3 % QK_QUEUE_COUNT);
        qk__event          *event = NULL;

        if (qk__device_write(submitter->device, queue, submitter->buffer, 16u * queue,
                             submitter->bytes, 16, QK__NO_WAITS, i % 3 == 2 ? &event : NULL,
                             NULL) != QK_OK)
            return submitter;
        if (event != NULL && qk__event_on_done(event, count_call, &submitter->completed) != QK_OK)
            return submitter;
        qk__event_release(event);
    }
    return NULL;
}

static void threads_submit_at_once_and_every_count_adds_up(void **state)
{
    struct bench           *bench = *state;
    struct submitter        submitters[SUBMITTERS] = {0};
    struct qk_error         error = {.text = ""};
    struct qk__device_usage usage;

    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i].device = bench->device;
        submitters[i].buffer = make_buffer(bench, 64);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]),
                         0);
    for (int i = 0; i < SUBMITTERS; i++) {
        void *failed;

        pthread_join(submitters[i].thread, &failed);
        assert_null(failed);
    }
    for (int queue = 0; queue < QK_QUEUE_COUNT; queue++) {
        qk__event *end;

        expect_ok(
            qk__device_marker(bench->device, (enum qk_queue)queue, QK__NO_WAITS, &end, &error),
            &error);
        wait_and_release(end, QK_OK);
    }
    qk__device_usage(bench->device, &usage);
    assert_int_equal(usage.uploads, SUBMITTERS * SUBMITTED);
    assert_int_equal(usage.in_flight, 0);
    assert_true(usage.busy_ns <= usage.open_ns);
    for (int i = 0; i < SUBMITTERS; i++)
        qk__buffer_destroy(submitters[i].buffer);
    qk__device_set_close(bench->set);
    bench->set = NULL;
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(submitters[i].completed, SUBMITTED / 3);
}

static void a_device_that_is_down_refuses_work_until_a_probe(void **state)
{
    struct bench   *bench = *state;
    struct qk_error error = {.text = ""};
    char            reason[100];

    qk__device_mark_down(bench->device, "pulled out");
    qk__device_mark_down(bench->device, "and again");
    assert_false(qk__device_is_up(bench->device));
    qk__device_down_reason(bench->device, reason, sizeof reason);
    assert_string_equal(reason, "pulled out");
    assert_int_equal(qk__device_marker(bench->device, QK_QUEUE_COMPUTE, QK__NO_WAITS, NULL, &error),
                     QK_DEVICE_LOST);
    assert_non_null(strstr(error.text, "pulled out"));
    assert_int_equal(qk__device_probe(bench->device), QK_OK);
    assert_true(qk__device_is_up(bench->device));
    expect_ok(qk__device_marker(bench->device, QK_QUEUE_COMPUTE, QK__NO_WAITS, NULL, &error),
              &error);
}

static void events_of_another_device_are_refused(void **state)
{
    struct bench   *bench = *state;
    struct qk_error error = {.text = ""};
    qk__device     *cpu = qk__device_cpu(bench->set);
    qk__event      *event;

    if (cpu == bench->device)
        return;
    expect_ok(qk__device_marker(cpu, QK_QUEUE_COMPUTE, QK__NO_WAITS, &event, &error), &error);
    assert_int_equal(qk__device_marker(bench->device, QK_QUEUE_COMPUTE,
                                       (struct qk__waits){&event, 1}, NULL, &error),
                     QK_INVALID_ARGUMENT);
    wait_and_release(event, QK_OK);
}

static void what_a_device_cannot_do_it_says(void **state)
{
    struct bench                  *bench = *state;
    struct qk_error                error = {.text = ""};
    const struct qk_program_source source = {.name = "x.cl", .text = "", .length = 0};
    qk__program                   *program;

    if (qk__device_info(bench->device)->runs_programs) {
        assert_int_equal(
            qk__device_run(bench->device, QK_QUEUE_COMPUTE, NULL, NULL, QK__NO_WAITS, NULL, &error),
            QK_UNIMPLEMENTED);
        assert_non_null(qk__device_native(bench->device));
        assert_non_null(qk__device_native_queue(bench->device, QK_QUEUE_COMPUTE));
    } else {
        assert_int_equal(qk__program_create(bench->device, &source, &program, &error),
                         QK_UNIMPLEMENTED);
        assert_null(qk__device_native(bench->device));
        assert_null(qk__device_native_queue(bench->device, QK_QUEUE_COMPUTE));
    }
    if (qk__device_info(bench->device)->kind != QK_DEVICE_SIMULATED)
        assert_int_equal(qk__device_inject_fault(bench->device, "lost", &error), QK_UNIMPLEMENTED);
}

static struct bench *open_with(const struct qk__device_opts *opts)
{
    struct bench *bench = calloc(1, sizeof *bench);

    assert_non_null(bench);
    bench_open(bench, opts);
    return bench;
}

static int open_cpu(void **state)
{
    const struct qk__device_opts opts = {.use_opencl = false};
    struct bench                *bench = open_with(&opts);

    *state = bench;
    return bench_find(bench, QK_DEVICE_CPU) ? 0 : -1;
}

static int open_simulated(void **state)
{
    struct qk__device_opts opts = {.use_opencl = false};
    struct bench          *bench;
    char                   folder[64], path[128];

    make_folder(folder, sizeof folder);
    write_text(folder, "machine.yaml", machine, path, sizeof path);
    opts.simulate_file = path;
    bench = open_with(&opts);
    remove_folder(folder);
    *state = bench;
    return bench_find(bench, QK_DEVICE_SIMULATED) ? 0 : -1;
}

static int open_opencl(void **state)
{
    const struct qk__device_opts opts = {.use_opencl = true};
    struct bench                *bench = open_with(&opts);

    *state = bench;
    return bench_find(bench, QK_DEVICE_OPENCL_CPU) || bench_find(bench, QK_DEVICE_GPU) ? 0 : -1;
}

static int close_bench(void **state)
{
    struct bench *bench = *state;

    bench_close(bench);
    free(bench);
    return 0;
}

#define ON(open, test) cmocka_unit_test_setup_teardown(test, open, close_bench)
#define CONTRACT(open)                                                                             \
    ON(open, bytes_come_back_as_written), ON(open, copies_move_bytes_between_buffers),             \
        ON(open, work_on_other_queues_waits_for_events),                                           \
        ON(open, one_queue_keeps_order_without_events),                                            \
        ON(open, a_marker_waits_for_its_queue_and_its_events),                                     \
        ON(open, every_callback_comes_exactly_once),                                               \
        ON(open, an_event_may_be_released_before_its_work_is_done),                                \
        ON(open, ranges_outside_a_buffer_are_refused),                                             \
        ON(open, memory_is_counted_and_refused_with_who_holds_it),                                 \
        ON(open, usage_counts_what_was_done),                                                      \
        ON(open, threads_submit_at_once_and_every_count_adds_up),                                  \
        ON(open, a_device_that_is_down_refuses_work_until_a_probe),                                \
        ON(open, events_of_another_device_are_refused), ON(open, what_a_device_cannot_do_it_says)

int main(void)
{
    const struct CMUnitTest cpu[] = {CONTRACT(open_cpu)};
    const struct CMUnitTest simulated[] = {CONTRACT(open_simulated)};
    const struct CMUnitTest opencl[] = {CONTRACT(open_opencl)};
    int                     failed = cmocka_run_group_tests_name("cpu", cpu, NULL, NULL);

    failed += cmocka_run_group_tests_name("simulated", simulated, NULL, NULL);
    if (has_opencl())
        failed += cmocka_run_group_tests_name("opencl", opencl, NULL, NULL);
    else
        fputs("opencl: no device, left out\n", stderr);
    return failed;
}
