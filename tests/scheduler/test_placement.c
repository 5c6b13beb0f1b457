/* SPDX-License-Identifier: Apache-2.0 */
/* On a box of two simulated cards: which of them, or the CPU, does an actor get? */
#include "scheduler/placement.h"

#include "../test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char machine[] = "devices:\n"
                              "  - id: gpu\n"
                              "    count: 2\n"
                              "    memory: 64MiB\n";

struct box {
    qk__topology   *topology;
    qk__device_set *devices;
    qk__placement  *placement;
    qk__device     *resident_on;
};

static int open_box(void **state)
{
    static struct box                box;
    const struct qk__topology_source source = {.synthetic = "pack:2 [numa] core:4 pu:1"};
    char                             path[] = "/tmp/quark-machine.XXXXXX";
    const struct qk__device_opts     opts = {.simulate_file = path};
    const int                        fd = mkstemp(path);
    struct qk_error                  error;

    assert_int_equal(write(fd, machine, sizeof machine - 1), sizeof machine - 1);
    close(fd);
    box = (struct box){0};
    assert_int_equal(qk__topology_load(&source, &box.topology, &error), QK_OK);
    assert_int_equal(qk__device_set_open(box.topology, &opts, &box.devices, &error), QK_OK);
    assert_int_equal(qk__placement_create(box.devices, NULL, &box.placement), QK_OK);
    unlink(path);
    *state = &box;
    return 0;
}

static int close_box(void **state)
{
    struct box *box = *state;

    qk__placement_destroy(box->placement);
    qk__device_set_close(box->devices);
    qk__topology_destroy(box->topology);
    return 0;
}

static bool is_resident(void *arg, qk__device *device)
{
    return ((struct box *)arg)->resident_on == device;
}

static struct qk__placement_request request(struct box *box, enum qk__device_need need,
                                            uint64_t bytes)
{
    return (struct qk__placement_request){
        .need = need, .model = "m", .model_bytes = bytes, .is_resident = is_resident, .arg = box};
}

static struct qk__placement_result choose(struct box *box, enum qk__device_need need,
                                          uint64_t bytes)
{
    const struct qk__placement_request wanted = request(box, need, bytes);
    struct qk__placement_result        result = {0};
    struct qk_error                    error = {0};

    if (qk__placement_choose(box->placement, &wanted, &result, &error) != QK_OK)
        fail_msg("%s", error.text);
    return result;
}

static void a_resident_model_is_run_where_it_is(void **state)
{
    struct box                 *box = *state;
    struct qk__placement_result result;

    box->resident_on = qk__device_at(box->devices, 1);
    qk__placement_observe_load(box->placement, "m", qk__device_at(box->devices, 0), 1 << 20,
                               5000000);
    result = choose(box, QK__NEED_PREFERRED, 1 << 20);
    assert_ptr_equal(result.device, box->resident_on);
    assert_int_equal(result.candidate_count, 2);
    assert_true(result.candidates[result.chosen].is_resident);
    assert_false(result.is_fallback);
    assert_non_null(strstr(result.reason, "resident"));
}

static void the_faster_device_wins_once_both_are_measured(void **state)
{
    struct box *box = *state;

    for (int i = 0; i < 3; i++) {
        qk__placement_observe_run(box->placement, "m", qk__device_at(box->devices, 0), 9000);
        qk__placement_observe_run(box->placement, "m", qk__device_at(box->devices, 1), 3000);
    }
    assert_ptr_equal(choose(box, QK__NEED_PREFERRED, 1 << 20).device,
                     qk__device_at(box->devices, 1));
}

static void a_full_or_lost_device_is_passed_over(void **state)
{
    struct box *box = *state;
    qk__device *first = qk__device_at(box->devices, 0), *second = qk__device_at(box->devices, 1);

    assert_int_equal(qk__ledger_reserve(qk__device_ledger(first), "other", 50 << 20, NULL), QK_OK);
    assert_ptr_equal(choose(box, QK__NEED_REQUIRED, 32 << 20).device, second);
    qk__ledger_release(qk__device_ledger(first), "other", 50 << 20);
    qk__device_mark_down(first, "test");
    assert_ptr_equal(choose(box, QK__NEED_REQUIRED, 32 << 20).device, second);
}

static void preferred_falls_back_to_the_cpu_and_says_why(void **state)
{
    struct box                 *box = *state;
    struct qk__placement_result result = choose(box, QK__NEED_PREFERRED, (uint64_t)1 << 30);

    assert_ptr_equal(result.device, qk__device_cpu(box->devices));
    assert_true(result.is_fallback);
    assert_non_null(strstr(result.reason, "no device has more than"));
    qk__device_mark_down(qk__device_at(box->devices, 0), "test");
    qk__device_mark_down(qk__device_at(box->devices, 1), "test");
    result = choose(box, QK__NEED_PREFERRED, 1);
    assert_true(result.is_fallback);
    assert_string_equal(result.reason, "m: all 2 devices are down");
}

static void required_is_refused_with_a_typed_error(void **state)
{
    struct box                  *box = *state;
    struct qk__placement_request wanted = request(box, QK__NEED_REQUIRED, (uint64_t)1 << 30);
    struct qk__placement_result  result = {.chosen = 99};
    struct qk_error              error = {0};

    assert_int_equal(qk__placement_choose(box->placement, &wanted, &result, &error),
                     QK_NO_DEVICE_MEMORY);
    assert_non_null(strstr(error.text, "m: needs 1073741824 bytes"));
    qk__device_mark_down(qk__device_at(box->devices, 0), "test");
    qk__device_mark_down(qk__device_at(box->devices, 1), "test");
    assert_int_equal(qk__placement_choose(box->placement, &wanted, &result, &error), QK_NO_DEVICE);
    assert_int_equal(result.chosen, 99);    /* untouched on failure */
}

static void an_actor_that_wants_no_device_gets_the_cpu(void **state)
{
    struct box                 *box = *state;
    struct qk__placement_result result = choose(box, QK__NEED_NONE, 1);

    assert_ptr_equal(result.device, qk__device_cpu(box->devices));
    assert_false(result.is_fallback);
}

static int choose_last(void *arg, const struct qk_placement_candidate *candidates, size_t count)
{
    (void)candidates;
    return arg != NULL ? (int)count : (int)count - 1;
}

static void a_policy_of_the_user_s_decides_and_is_checked(void **state)
{
    struct box                  *box = *state;
    struct qk_placement_policy   policy = {.size = sizeof policy,
                                           .name = "last",
                                           .choose = choose_last};
    struct qk__placement_request wanted = request(box, QK__NEED_REQUIRED, 1);
    struct qk__placement_result  result;
    struct qk_error              error;
    qk__placement               *placement;

    assert_int_equal(qk__placement_create(box->devices, &policy, &placement), QK_OK);
    assert_int_equal(qk__placement_choose(placement, &wanted, &result, &error), QK_OK);
    assert_ptr_equal(result.device, qk__device_at(box->devices, 1));
    qk__placement_destroy(placement);

    policy.arg = &policy;
    assert_int_equal(qk__placement_create(box->devices, &policy, &placement), QK_OK);
    assert_int_equal(qk__placement_choose(placement, &wanted, &result, &error), QK_INTERNAL);
    assert_string_equal(error.text, "policy last chose candidate 2 of 2");
    qk__placement_destroy(placement);
}

int main(void)
{
#define ON_A_BOX(test) cmocka_unit_test_setup_teardown(test, open_box, close_box)
    const struct CMUnitTest tests[] = {
        ON_A_BOX(a_resident_model_is_run_where_it_is),
        ON_A_BOX(the_faster_device_wins_once_both_are_measured),
        ON_A_BOX(a_full_or_lost_device_is_passed_over),
        ON_A_BOX(preferred_falls_back_to_the_cpu_and_says_why),
        ON_A_BOX(required_is_refused_with_a_typed_error),
        ON_A_BOX(an_actor_that_wants_no_device_gets_the_cpu),
        ON_A_BOX(a_policy_of_the_user_s_decides_and_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
