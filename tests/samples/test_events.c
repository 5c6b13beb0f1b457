/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "dice.h"
#include "events.h"

static struct events generate(uint64_t seed, uint32_t cameras)
{
    struct events   events = {0};
    struct qk_error error = {0};

    assert_int_equal(events_generate(seed, cameras, &events, &error), QK_OK);
    return events;
}

static void one_seed_gives_one_day(void **state)
{
    struct events first = generate(3, 12), again = generate(3, 12), other = generate(4, 12);
    (void)state;

    assert_int_equal(first.count, again.count);
    assert_memory_equal(first.items, again.items, first.count * sizeof *first.items);
    assert_true(other.count != first.count
                || memcmp(first.items, other.items, first.count * sizeof *first.items) != 0);
    events_fini(&first);
    events_fini(&again);
    events_fini(&other);
}

static void a_day_is_in_order_and_has_all_kinds(void **state)
{
    struct events day = generate(1, 12);
    size_t        frames = 0, unannounced = 0, motions = 0;
    (void)state;

    assert_int_equal(day.camera_count, 12);
    for (size_t i = 0; i < day.count; i++) {
        assert_true(i == 0 || day.items[i - 1].at_ms <= day.items[i].at_ms);
        frames += day.items[i].kind == EVENT_FRAME;
        unannounced += day.items[i].kind == EVENT_FRAME && day.items[i].lead_ms < 0;
        motions += day.items[i].kind == EVENT_MOTION;
    }
    assert_true(frames > 100);
    assert_true(unannounced > 0 && unannounced * 5 < frames);    /* some frames come cold */
    assert_true(motions > frames - unannounced);                 /* some motions are for nothing */
    assert_non_null(strstr(day.source, "made-up"));
    events_fini(&day);
}

static size_t frames_between(const struct events *events, int64_t from_hour, int64_t to_hour)
{
    size_t count = 0;

    for (size_t i = 0; i < events->count; i++)
        count += events->items[i].kind == EVENT_FRAME
                 && events->items[i].at_ms >= from_hour * 3600000
                 && events->items[i].at_ms < to_hour * 3600000;
    return count;
}

static void nights_are_quiet_and_mornings_are_not(void **state)
{
    struct events day = generate(2, 12);
    (void)state;

    assert_true(frames_between(&day, 7, 9) > 4 * frames_between(&day, 1, 3));
    events_fini(&day);
}

static void cameras_beside_each_other_fire_in_sequence(void **state)
{
    struct events day = generate(2, 12);
    size_t        followed = 0, motions = 0;
    (void)state;

    for (size_t i = 0; i < day.count; i++) {
        if (day.items[i].kind != EVENT_MOTION || day.items[i].strength < 0.76f)
            continue;
        motions++;
        for (size_t j = i + 1; j < day.count && day.items[j].at_ms < day.items[i].at_ms + 61000;
             j++)
            if (day.items[j].kind == EVENT_MOTION
                && day.items[j].camera == day.items[i].camera + 1) {
                followed++;
                break;
            }
    }
    assert_true(2 * followed > motions);
    events_fini(&day);
}

static void a_camera_more_than_there_may_be_is_refused(void **state)
{
    struct events   events;
    struct qk_error error;
    (void)state;

    assert_int_equal(events_generate(1, 0, &events, &error), QK_INVALID_ARGUMENT);
    assert_int_equal(events_generate(1, EVENTS_MAX_CAMERAS + 1, &events, &error),
                     QK_INVALID_ARGUMENT);
}

static qk_status parse(const char *text, struct events *out_events, struct qk_error *error)
{
    return events_parse("day.csv", text, strlen(text), out_events, error);
}

static void a_trace_gives_motions_and_frames(void **state)
{
    struct events   events;
    struct qk_error error = {0};
    (void)state;

    assert_int_equal(parse("timestamp_ms,trigger_stream,trigger_key,value,actor_key\n"
                           "1000,sensors/motion,gate,0.8,\n1250,,,,gate\n90000,,,,gate\n",
                           &events, &error),
                     QK_OK);
    assert_int_equal(events.camera_count, 1);
    assert_int_equal(events.count, 3);
    assert_int_equal(events.items[0].kind, EVENT_MOTION);
    assert_float_equal(events.items[0].strength, 0.8, 1e-6);
    assert_int_equal(events.items[1].kind, EVENT_FRAME);
    assert_int_equal(events.items[1].lead_ms, 250);
    assert_int_equal(events.items[2].lead_ms, -1);    /* nothing announced it */
    events_fini(&events);
}

static void a_trace_of_motions_alone_gets_frames(void **state)
{
    struct events   events;
    struct qk_error error = {0};
    (void)state;

    assert_int_equal(parse("timestamp_ms,trigger_stream,trigger_key,value,actor_key\n"
                           "1000,m,gate,0.8,\n2000,m,yard,0.2,\n",
                           &events, &error),
                     QK_OK);
    assert_int_equal(events.count, 3);
    assert_int_equal(events.items[1].kind, EVENT_FRAME);
    assert_int_equal(events.items[1].camera, events.items[0].camera);
    events_fini(&events);
}

static const char home[] = "Start time          \tEnd time            \tLocation\tType\t\tPlace\n"
                           "--------------------\t--------------------\t--------\t--------\t-----\n"
                           "2011-11-28 02:27:59\t2011-11-28 02:28:09\t\tDoor\t\tPIR\t\t\tKitchen\n"
                           "2011-11-29 02:27:59\t2011-11-29 02:28:00\t\tDoor\t\tPIR\t\t\tKitchen\n";

static void sensors_of_a_home_are_cameras(void **state)
{
    struct events   events;
    struct qk_error error = {0};
    (void)state;

    assert_int_equal(parse(home, &events, &error), QK_OK);
    assert_int_equal(events.camera_count, 1);
    assert_string_equal(events.cameras[0], "kitchen-door");
    assert_int_equal(events.count, 3);    /* the second motion is over before the frame */
    assert_int_equal(events.items[0].at_ms, (2 * 60 + 27) * 60000 + 59000);
    assert_int_equal(events.items[2].at_ms - events.items[0].at_ms, 86400000);
    events_fini(&events);
}

static void sensors_of_a_room_are_cameras(void **state)
{
    static const char text[] =
        "Date,Time,a,b,c,d,e,f,g,h,i,j,k,l,m,n,S6_PIR,S7_PIR,Room_Occupancy_Count\n"
        "2017-12-22,9:49:41,1,,1,1,1,1,1,1,1,1,1,1,1,1,0,0,0\n"
        "2017-12-22,9:50:12,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,0,1\n";
    struct events     events;
    struct qk_error   error = {0};
    (void)state;

    assert_int_equal(parse(text, &events, &error), QK_OK);
    assert_int_equal(events.camera_count, 2);
    assert_int_equal(events.count, 2);
    assert_int_equal(events.items[1].kind, EVENT_FRAME);
    events_fini(&events);
}

static void bad_recordings_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *text, *names;
    } cases[] = {
        {"", "day.csv"},
        {"a,b\n1,2\n", "day.csv:1"},
        {"timestamp_ms,trigger_stream,trigger_key,value,actor_key\n", "has no events"},
        {"timestamp_ms,trigger_stream,trigger_key,value,actor_key\n1,m,gate\n", "day.csv:2"},
        {"timestamp_ms,trigger_stream,trigger_key,value,actor_key\n1,m,gate,loud,\n", "day.csv:2"},
        {"timestamp_ms,trigger_stream,trigger_key,value,actor_key\n1,m,,1,\n", "row 1"},
        {"Start time\n2011-11-28 02:27\t2011-11-28 02:28:09\tDoor\tPIR\tKitchen\n",
         "day.csv:2: no times"},
        {"Start time\n2011-11-28 02:27:59\tDoor\n", "day.csv:2: 2 fields"},
        {"Date,Time,x\n2017-12-22,10:49:41,1\n", "day.csv:2: 3 fields"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct events   events = {.count = 42};
        struct qk_error error = {0};

        assert_int_equal(parse(cases[i].text, &events, &error), QK_INVALID_ARGUMENT);
        if (strstr(error.text, cases[i].names) == NULL)
            fail_msg("case %zu: '%s' does not name '%s'", i, error.text, cases[i].names);
        assert_int_equal(events.count, 42);    /* untouched on failure */
    }
}

static void a_name_too_long_is_refused(void **state)
{
    char            text[400];
    struct events   events;
    struct qk_error error = {0};
    (void)state;

    (void)snprintf(text, sizeof text,
                   "timestamp_ms,trigger_stream,trigger_key,value,actor_key\n1,m,%0100d,1,\n", 7);
    assert_int_equal(parse(text, &events, &error), QK_INVALID_ARGUMENT);
}

static void missing_files_and_folders_are_told(void **state)
{
    struct events   events;
    struct qk_error error = {0};
    (void)state;

    assert_int_equal(events_read("/nowhere/day.csv", &events, &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere/day.csv"));
    assert_int_equal(events_read("/", &events, &error), QK_INVALID_ARGUMENT);
}

/* Whatever stands in a file, it is read or refused. */
static void spoilt_recordings_never_crash(void **state)
{
    struct dice dice = {77};
    (void)state;

    for (int round = 0; round < 3000; round++) {
        char            text[sizeof home];
        struct events   events;
        struct qk_error error;

        memcpy(text, home, sizeof home);
        for (int change = 0; change < 4; change++)
            text[dice_below(&dice, sizeof home - 1)] = "\t\n-:,019\xff Z"[dice_below(&dice, 12)];
        if (events_parse("spoilt", text, strlen(text), &events, &error) == QK_OK)
            events_fini(&events);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_seed_gives_one_day),
        cmocka_unit_test(a_day_is_in_order_and_has_all_kinds),
        cmocka_unit_test(nights_are_quiet_and_mornings_are_not),
        cmocka_unit_test(cameras_beside_each_other_fire_in_sequence),
        cmocka_unit_test(a_camera_more_than_there_may_be_is_refused),
        cmocka_unit_test(a_trace_gives_motions_and_frames),
        cmocka_unit_test(a_trace_of_motions_alone_gets_frames),
        cmocka_unit_test(sensors_of_a_home_are_cameras),
        cmocka_unit_test(sensors_of_a_room_are_cameras),
        cmocka_unit_test(bad_recordings_are_refused_with_their_place),
        cmocka_unit_test(a_name_too_long_is_refused),
        cmocka_unit_test(missing_files_and_folders_are_told),
        cmocka_unit_test(spoilt_recordings_never_crash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
