/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_calls_in_flight.c - very many calls at once: each is told once, what they take is bounded,
 * and nothing hangs. QUARK_CALLS_IN_FLIGHT sets how many; a million takes about a gigabyte.
 */
#include "host_fixture.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

enum { GATES = 100 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool     is_sanitized = true;
static const uint32_t call_count_default = 20000;
#else
static const bool     is_sanitized = false;
static const uint32_t call_count_default = 100000;
#endif

static qk_status pass(qk_turn *turn, void *self, const void *request, void *reply)
{
    const uint64_t number = *(const uint64_t *)request;

    (void)self;
    *(uint64_t *)reply = number + 1;
    return number == 0 ? qk_sleep(turn, QK__NS_PER_S) : QK_OK; /* the others wait behind it */
}

static const struct qk_method methods[] = {{"pass", pass, sizeof(uint64_t), sizeof(uint64_t)}};

static const struct qk_type gate_type = {.size = sizeof(struct qk_type),
                                         .name = "gate",
                                         .methods = methods,
                                         .method_count = 1,
                                         .mailbox_capacity = 1u << 20};

struct flight {
    uint64_t  reply;
    uint32_t  told;
    qk_status status;
};

static void land(void *arg, qk_status status, const struct qk_error *error)
{
    struct flight *flight = arg;

    (void)error;
    flight->told++;
    flight->status = status;
}

static uint64_t resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE              *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%llu %llu", &size, &resident), 2);
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint32_t calls_wanted(void)
{
    const char *wanted = getenv("QUARK_CALLS_IN_FLIGHT");

    return wanted != NULL ? (uint32_t)strtoul(wanted, NULL, 10) : call_count_default;
}

static void so_many_calls_are_each_told_once(void **state)
{
    const uint32_t           count = calls_wanted();
    struct qk__virtual_clock clock;
    qk_host                 *host = fixture_manual(&clock, &gate_type);
    struct flight           *flights = calloc(count, sizeof *flights);
    struct qk__type_stats    stats;
    qk_actor                *gates[GATES];
    uint64_t                 before, taken, late = 0, passed = 0;
    (void)state;

    assert_non_null(flights);
    for (uint32_t i = 0; i < GATES; i++) {
        char key[16];

        snprintf(key, sizeof key, "g%u", i);
        gates[i] = fixture_actor(host, "gate", key);
    }
    before = resident_bytes();
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t number = i / GATES;
        const uint64_t timeout_ns = number % 4 == 1 ? QK__NS_PER_S / 2 : 0; /* a quarter is late */

        assert_int_equal(qk_client_call_async(host, gates[i % GATES], 0, &number,
                                              &flights[i].reply, timeout_ns, land, &flights[i]),
                         QK_OK);
    }
    fixture_run(host);
    taken = resident_bytes() - before;
    print_message("%u calls in flight take %llu bytes each\n", count,
                  (unsigned long long)(taken / count));
    if (!is_sanitized)
        assert_true(taken / count < 1024);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(flights[i].told, 0);

    fixture_advance(host, &clock, QK__NS_PER_S / 2);
    fixture_advance(host, &clock, QK__NS_PER_S / 2);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(flights[i].told, 1);
        late += flights[i].status == QK_DEADLINE_EXCEEDED;
        passed += flights[i].status == QK_OK && flights[i].reply == i / GATES + 1;
    }
    assert_int_equal(late + passed, count);
    assert_true(late >= count / 4 - GATES && late <= count / 4 + GATES);
    qk__host_type_stats(host, &gate_type, &stats);
    assert_int_equal(stats.expired, late);
    for (uint32_t i = 0; i < GATES; i++)
        qk_actor_release(gates[i]);
    fixture_finish(host);
    free(flights);
}

/* The host stops with all of them under way: each hears of it. */
static void a_stop_tells_all_of_them(void **state)
{
    const uint32_t count = calls_wanted() / 10;
    qk_host       *host = fixture_start(2, &gate_type);
    struct flight *flights = calloc(count, sizeof *flights);
    (void)state;

    assert_non_null(flights);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t number = i / GATES;
        char           key[16];
        qk_actor      *gate;

        snprintf(key, sizeof key, "g%u", i % GATES);
        gate = fixture_actor(host, "gate", key);
        assert_int_equal(
            qk_client_call_async(host, gate, 0, &number, &flights[i].reply, 0, land, &flights[i]),
            QK_OK);
        qk_actor_release(gate);
    }
    (void)qk_host_stop(host, QK__NS_PER_MS);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(flights[i].told, 1);
    qk_host_destroy(host);
    free(flights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_calls_are_each_told_once),
        cmocka_unit_test(a_stop_tells_all_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
