/* SPDX-License-Identifier: Apache-2.0 */
/* A machine without OpenCL: the ICD loader is pointed at a folder that lists no platform. */
#include "support.h"

static void without_a_platform_the_cpu_serves_and_a_note_says_so(void **state)
{
    const struct qk__device_opts opts = {.use_opencl = true};
    struct bench                 bench = {0};
    struct qk_error              error = {.text = ""};
    qk__buffer                  *buffer;
    qk__event                   *added;
    uint32_t                    *number;
    (void)state;

    bench_open(&bench, &opts);
    assert_int_equal(qk__device_count(bench.set), 1);
    assert_int_equal(qk__device_note_count(bench.set), 1);
    assert_string_equal(qk__device_note_at(bench.set, 0), "OpenCL: no platform found");
    bench.device = qk__device_cpu(bench.set);
    assert_int_equal(qk__device_info(bench.device)->kind, QK_DEVICE_CPU);
    assert_int_equal(qk__device_numa_node(bench.device), 0);
    assert_int_equal(qk__buffer_create(bench.device, "test", 4, &buffer, &error), QK_OK);
    number = qk__buffer_host_mem(buffer);
    *number = 6;
    assert_int_equal(bench_add_one(&bench, buffer, 1, QK__NO_WAITS, &added, &error), QK_OK);
    assert_int_equal(qk__event_wait(added), QK_OK);
    assert_int_equal(*number, 7);
    qk__event_release(added);
    qk__buffer_destroy(buffer);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_platform_the_cpu_serves_and_a_note_says_so),
    };
    char empty[64];
    int  failed;

    make_folder(empty, sizeof empty);
    setenv("OCL_ICD_VENDORS", empty, 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_folder(empty);
    return failed;
}
