/* SPDX-License-Identifier: Apache-2.0 */
/* test_filters.c - claims about filters and about the context that goes from message to message. */
#include "host_fixture.h"

#include "base/memory.h"

#include <stdio.h>

/* ---- What was seen, as one line of words ---- */

static pthread_mutex_t trace_lock = PTHREAD_MUTEX_INITIALIZER;
static char            trace[2048];

static void note(const char *word)
{
    pthread_mutex_lock(&trace_lock);
    snprintf(trace + strlen(trace), sizeof trace - strlen(trace), "%s%s",
             trace[0] != '\0' ? " " : "", word);
    pthread_mutex_unlock(&trace_lock);
}

/* ---- Actors: each method says what it sees, and goes on to "b" ---- */

enum { LOOK,
       CALL_B,
       TELL_B,
       CALL_BOTH,
       LABEL_THEN_CALL,
       FAIL };

static struct {
    struct qk_request_id id;
    char                 tenant[64], principal[64], correlation[64], color[64];
} seen;

static qk_status look(qk_turn *turn, void *self, const void *request, void *reply)
{
    const qk_context *context = qk_turn_context(turn);

    (void)self;
    (void)request;
    (void)reply;
    note("look");
    memset(&seen, 0, sizeof seen);
    if (context == NULL)
        return QK_OK;
    seen.id = qk_context_id(context);
    snprintf(seen.tenant, sizeof seen.tenant, "%s", qk_context_tenant(context));
    snprintf(seen.principal, sizeof seen.principal, "%s", qk_context_principal(context));
    snprintf(seen.correlation, sizeof seen.correlation, "%s", qk_context_correlation(context));
    if (qk_context_baggage(context, "color") != NULL)
        snprintf(seen.color, sizeof seen.color, "%s", qk_context_baggage(context, "color"));
    return QK_OK;
}

static qk_status go_on(qk_turn *turn, bool is_tell)
{
    qk_actor *b;
    qk_status status = qk_actor_get(qk_turn_host(turn), "seer", "b", &b);

    if (status != QK_OK)
        return status;
    status = is_tell ? qk_tell(turn, b, LOOK, NULL, 0) : qk_call(turn, b, LOOK, NULL, NULL, 0);
    qk_actor_release(b);
    return status;
}

static qk_status call_b(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return go_on(turn, false);
}

static qk_status tell_b(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    return go_on(turn, true);
}

static qk_status call_both(qk_turn *turn, void *self, const void *request, void *reply)
{
    struct qk_call_item calls[2] = {{.method = LOOK}, {.method = FAIL}};
    qk_status           status;

    (void)self;
    (void)request;
    (void)reply;
    if (qk_actor_get(qk_turn_host(turn), "seer", "b", &calls[0].to) != QK_OK ||
        qk_actor_get(qk_turn_host(turn), "seer", "c", &calls[1].to) != QK_OK)
        return QK_INTERNAL;
    status = qk_call_all(turn, calls, 2, 0);
    qk_actor_release(calls[0].to);
    qk_actor_release(calls[1].to);
    return status;
}

static qk_status label_then_call(qk_turn *turn, void *self, const void *request, void *reply)
{
    const struct qk_baggage  color = {"color", "blue"};
    struct qk_context_fields fields;
    qk_context              *context;
    qk_status                status;

    (void)self;
    (void)request;
    (void)reply;
    qk_context_fields_init(&fields);
    fields.baggage = &color;
    fields.baggage_count = 1;
    status = qk_context_create(qk_turn_host(turn), qk_turn_context(turn), &fields, &context, NULL);
    if (status != QK_OK)
        return status;
    status = qk_turn_set_context(turn, context);
    qk_context_release(context);
    return status == QK_OK ? go_on(turn, false) : status;
}

static qk_status see_nothing(qk_turn *turn, void *self, const void *request, void *reply)
{
    (void)self;
    (void)request;
    (void)reply;
    note("fail");
    return qk_fail(turn, QK_OUT_OF_RANGE, "seer %s sees nothing", qk_turn_key(turn));
}

static const struct qk_method methods[] = {
    [LOOK] = {"look", look, 0, 0},
    [CALL_B] = {"call_b", call_b, 0, 0},
    [TELL_B] = {"tell_b", tell_b, 0, 0},
    [CALL_BOTH] = {"call_both", call_both, 0, 0},
    [LABEL_THEN_CALL] = {"label_then_call", label_then_call, 0, 0},
    [FAIL] = {"fail", see_nothing, 0, 0},
};

static const struct qk_type seer_type = {
    .size = sizeof(struct qk_type),
    .name = "seer",
    .methods = methods,
    .method_count = QK__COUNT_OF(methods),
};

/* ---- A filter that notes its letter, and refuses what it is told to ---- */

struct letter {
    char        name[2];
    const char *refuses;    /* a method, on its way in; NULL: none */
    const char *keeps_back; /* on its way out */
    const char *tenant;     /* that it gives to what goes out */
};

/* "X>b!:ok": of X, to b, a tell, ended well. */
static void note_letter(const struct letter *letter, char way, const struct qk_passage *passage,
                        const char *end)
{
    char word[64];

    snprintf(word, sizeof word, "%s%c%s%s%s", letter->name, way, qk_actor_key(passage->to),
             passage->is_tell ? "!" : "", end);
    note(word);
}

static qk_status outgoing(void *arg, struct qk_passage *passage, struct qk_error *error)
{
    const struct letter     *letter = arg;
    struct qk_context_fields fields;
    qk_context              *context;

    note_letter(letter, '>', passage, "");
    if (letter->keeps_back != NULL && strcmp(passage->method, letter->keeps_back) == 0)
        return qk_error_set(error, QK_PERMISSION_DENIED, "%s keeps %s back", letter->name,
                            passage->method);
    if (letter->tenant == NULL)
        return QK_OK;
    qk_context_fields_init(&fields);
    fields.tenant = letter->tenant;
    if (qk_context_create(passage->host, passage->context, &fields, &context, error) != QK_OK)
        return error->status;
    qk_passage_set_context(passage, context);
    qk_context_release(context);
    return QK_OK;
}

static void outgoing_ended(void *arg, const struct qk_passage *passage, qk_status status,
                           const struct qk_error *error)
{
    note_letter(arg, '>', passage, status == QK_OK ? ":ok" : ":failed");
    assert_true((status == QK_OK) == (error->text[0] == '\0'));
}

static qk_status incoming(void *arg, struct qk_passage *passage, struct qk_error *error)
{
    const struct letter *letter = arg;

    (void)error;
    note_letter(letter, '<', passage, "");
    /* Without words, so that the host's are told. */
    return letter->refuses != NULL && strcmp(passage->method, letter->refuses) == 0
               ? QK_UNAUTHENTICATED
               : QK_OK;
}

static void incoming_ended(void *arg, const struct qk_passage *passage, qk_status status,
                           const struct qk_error *error)
{
    (void)error;
    note_letter(arg, '<', passage, status == QK_OK ? ":ok" : ":failed");
}

static qk_host *make_host(struct qk__virtual_clock *clock, struct letter *letters, size_t count,
                          bool carries)
{
    struct qk_host_opts         opts = fixture_opts(1);
    const struct qk__host_seams seams = {&clock->clock, true};
    qk_host                    *host;
    struct qk_error             error = {QK_OK, ""};

    opts.carry_context = carries;
    qk__virtual_clock_init(clock, 0);
    qk__virtual_clock_advance(clock, QK__NS_PER_S);
    assert_int_equal(qk__host_create_with(&opts, &seams, &host, NULL), QK_OK);
    assert_int_equal(qk_host_register(host, &seer_type, NULL), QK_OK);
    for (size_t i = 0; i < count; i++) {
        const struct qk_filter filter = {.size = sizeof filter,
                                         .name = letters[i].name,
                                         .outgoing = outgoing,
                                         .incoming = incoming,
                                         .outgoing_ended = outgoing_ended,
                                         .incoming_ended = incoming_ended,
                                         .arg = &letters[i]};

        if (qk_host_add_filter(host, &filter, &error) != QK_OK)
            fail_msg("%s", error.text);
    }
    assert_int_equal(qk_host_start(host, NULL), QK_OK);
    trace[0] = '\0';
    memset(&seen, 0, sizeof seen);
    return host;
}

static qk_status call(qk_host *host, uint32_t method, const qk_context *context,
                      struct qk_error *error)
{
    qk_actor             *a = fixture_actor(host, "seer", "a");
    struct qk_client_opts opts;
    qk_status             status;

    qk_client_opts_init(&opts);
    opts.context = context;
    trace[0] = '\0';
    status = qk_client_call_with(host, a, method, NULL, NULL, &opts, error);
    qk_actor_release(a);
    fixture_run(host);
    return status;
}

static qk_context *context_of(qk_host *host, const qk_context *base, const char *tenant)
{
    struct qk_context_fields fields;
    qk_context              *context;

    qk_context_fields_init(&fields);
    fields.tenant = tenant;
    fields.principal = "ann";
    fields.correlation = "order-7";
    assert_int_equal(qk_context_create(host, base, &fields, &context, NULL), QK_OK);
    return context;
}

/* ---- Filters ---- */

static void filters_see_every_message_in_order_and_its_end_in_reverse(void **state)
{
    struct qk__virtual_clock clock;
    struct letter            letters[2] = {{.name = "X"}, {.name = "Y"}};
    qk_host                 *host = make_host(&clock, letters, 2, false);
    (void)state;

    assert_int_equal(call(host, LOOK, NULL, NULL), QK_OK);
    assert_string_equal(
        trace, "X>a Y>a X<a Y<a look Y<a:ok X<a:ok Y>a:ok X>a:ok");
    for (int round = 0; round < 2; round++) { /* by mailbox, then in place */
        assert_int_equal(call(host, CALL_B, NULL, NULL), QK_OK);
        assert_string_equal(trace, "X>a Y>a X<a Y<a X>b Y>b X<b Y<b look Y<b:ok X<b:ok Y>b:ok "
                                   "X>b:ok Y<a:ok X<a:ok Y>a:ok X>a:ok");
    }
    assert_int_equal(call(host, TELL_B, NULL, NULL), QK_OK);
    assert_string_equal(trace, "X>a Y>a X<a Y<a X>b! Y>b! Y>b!:ok X>b!:ok Y<a:ok X<a:ok Y>a:ok "
                               "X>a:ok X<b! Y<b! look Y<b!:ok X<b!:ok");
    fixture_finish(host);
}

static void each_of_several_calls_is_filtered_by_itself(void **state)
{
    struct qk__virtual_clock clock;
    struct letter            letters[1] = {{.name = "X"}};
    qk_host                 *host = make_host(&clock, letters, 1, false);
    (void)state;

    assert_int_equal(call(host, CALL_BOTH, NULL, NULL), QK_OUT_OF_RANGE);
    assert_non_null(strstr(trace, "X>b X>c"));
    assert_non_null(strstr(trace, "X<b look X<b:ok"));
    assert_non_null(strstr(trace, "X<c fail X<c:failed"));
    assert_non_null(strstr(trace, "X>b:ok X>c:failed X<a:failed X>a:failed"));
    fixture_finish(host);
}

static void what_is_refused_on_its_way_out_is_not_sent(void **state)
{
    struct qk__virtual_clock clock;
    struct letter            letters[3] = {
        {.name = "X"}, {.name = "Y", .keeps_back = "look"}, {.name = "Z"}};
    qk_host                 *host = make_host(&clock, letters, 3, false);
    struct qk_error          error;
    (void)state;

    assert_int_equal(call(host, LOOK, NULL, &error), QK_PERMISSION_DENIED);
    assert_string_equal(error.text, "Y keeps look back");
    assert_string_equal(trace, "X>a Y>a X>a:failed");
    assert_int_equal(call(host, TELL_B, NULL, &error), QK_PERMISSION_DENIED);
    assert_null(strstr(trace, "look"));
    fixture_finish(host);
}

static void what_is_refused_on_its_way_in_does_not_run(void **state)
{
    struct qk__virtual_clock clock;
    struct letter            letters[2] = {{.name = "X"}, {.name = "Y", .refuses = "look"}};
    qk_host                 *host = make_host(&clock, letters, 2, false);
    struct qk_error          error;
    struct qk__message_books books;
    (void)state;

    assert_int_equal(call(host, LOOK, NULL, &error), QK_UNAUTHENTICATED);
    assert_string_equal(error.text, "seer/a.look: filter Y: no valid credentials");
    assert_string_equal(trace, "X>a Y>a X<a Y<a X<a:failed Y>a:failed X>a:failed");
    assert_int_equal(call(host, TELL_B, NULL, &error), QK_OK); /* it was queued */
    assert_null(strstr(trace, "look"));
    qk__host_message_books(host, &books);
    assert_int_equal(books.handled + books.refused + books.dead, 3);
    fixture_finish(host);
}

static void done(void *arg, qk_status status, const struct qk_error *error)
{
    (void)error;
    *(qk_status *)arg = status;
    note("done");
}

static void calls_with_a_callback_pass_filters_too(void **state)
{
    struct qk__virtual_clock clock;
    struct letter            letters[1] = {{.name = "X", .keeps_back = "fail"}};
    qk_host                 *host = make_host(&clock, letters, 1, false);
    qk_actor                *a = fixture_actor(host, "seer", "a");
    qk_status                status = QK_UNKNOWN;
    struct qk_error          error;
    (void)state;

    assert_int_equal(qk_client_begin(host, a, LOOK, NULL, NULL, NULL, done, &status, NULL, NULL),
                     QK_OK);
    fixture_run(host);
    assert_int_equal(status, QK_OK);
    assert_string_equal(trace, "X>a X<a look X<a:ok X>a:ok done");
    assert_int_equal(qk_client_begin(host, a, FAIL, NULL, NULL, NULL, done, &status, NULL, &error),
                     QK_PERMISSION_DENIED);
    assert_string_equal(error.text, "X keeps fail back");
    qk_actor_release(a);
    fixture_finish(host);
}

/* ---- Contexts ---- */

static void a_context_goes_with_all_that_follows_from_a_message(void **state)
{
    struct qk__virtual_clock   clock;
    qk_host                   *host = make_host(&clock, NULL, 0, true);
    qk_context                *context = context_of(host, NULL, "acme");
    const struct qk_request_id id = qk_context_id(context);
    (void)state;

    for (uint32_t method = LOOK; method <= CALL_BOTH; method++) {
        memset(&seen, 0, sizeof seen);
        assert_int_equal(call(host, method, context, NULL),
                         method == CALL_BOTH ? QK_OUT_OF_RANGE : QK_OK);
        assert_string_equal(seen.tenant, "acme");
        assert_string_equal(seen.principal, "ann");
        assert_string_equal(seen.correlation, "order-7");
        assert_true(seen.id.hi == id.hi && seen.id.lo == id.lo);
    }
    qk_context_release(context);
    fixture_finish(host);
}

static void a_turn_gives_what_it_sends_another_context(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = make_host(&clock, NULL, 0, true);
    qk_context              *context = context_of(host, NULL, "acme");
    (void)state;

    assert_int_equal(call(host, LABEL_THEN_CALL, context, NULL), QK_OK);
    assert_string_equal(seen.color, "blue");
    assert_string_equal(seen.tenant, "acme");
    assert_int_equal(call(host, CALL_B, context, NULL), QK_OK); /* not for ever */
    assert_string_equal(seen.color, "");
    qk_context_release(context);
    fixture_finish(host);
}

static void a_filter_gives_one_message_another_context(void **state)
{
    struct qk__virtual_clock clock;
    struct letter            letters[1] = {{.name = "X", .tenant = "globex"}};
    qk_host                 *host = make_host(&clock, letters, 1, false);
    qk_context              *context = context_of(host, NULL, "acme");
    (void)state;

    assert_int_equal(call(host, LOOK, context, NULL), QK_OK);
    assert_string_equal(seen.tenant, "globex");
    assert_string_equal(seen.principal, "ann");
    assert_string_equal(qk_context_tenant(context), "acme");
    qk_context_release(context);
    fixture_finish(host);
}

static void each_request_without_an_id_gets_one(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = make_host(&clock, NULL, 0, true);
    struct qk_request_id     first;
    (void)state;

    assert_int_equal(call(host, LOOK, NULL, NULL), QK_OK);
    first = seen.id;
    assert_true(first.hi != 0 || first.lo != 0);
    assert_int_equal(call(host, CALL_B, NULL, NULL), QK_OK);
    assert_false(first.hi == seen.id.hi && first.lo == seen.id.lo);
    fixture_finish(host);
}

static void a_host_that_carries_none_says_so(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = make_host(&clock, NULL, 0, false);
    qk_context              *context = context_of(host, NULL, "acme");
    struct qk_error          error;
    (void)state;

    assert_int_equal(call(host, LOOK, context, &error), QK_FAILED_PRECONDITION);
    assert_string_equal(error.text,
                        "seer: a context, but the host carries none: see carry_context");
    assert_int_equal(call(host, LABEL_THEN_CALL, NULL, &error), QK_FAILED_PRECONDITION);
    assert_int_equal(call(host, LOOK, NULL, NULL), QK_OK);
    assert_int_equal(seen.id.hi, 0);
    qk_context_release(context);
    fixture_finish(host);
}

static void baggage_is_added_replaced_removed_and_bounded(void **state)
{
    struct qk__virtual_clock clock;
    qk_host                 *host = make_host(&clock, NULL, 0, true);
    const struct qk_baggage  two[] = {{"a", "1"}, {"b", "2"}}, change[] = {{"a", "3"}, {"b", NULL}};
    const struct qk_baggage  nameless = {NULL, "1"};
    struct qk_baggage        many[QK_BAGGAGE_MAX + 1];
    char                     keys[QK_BAGGAGE_MAX + 1][8], *large;
    struct qk_context_fields fields;
    qk_context              *base, *changed, *untouched = NULL;
    struct qk_error          error;
    (void)state;

    qk_context_fields_init(&fields);
    fields.baggage = two;
    fields.baggage_count = 2;
    assert_int_equal(qk_context_create(host, NULL, &fields, &base, NULL), QK_OK);
    fields.baggage = change;
    assert_int_equal(qk_context_create(host, base, &fields, &changed, NULL), QK_OK);
    assert_int_equal(qk_context_baggage_count(changed), 1);
    assert_string_equal(qk_context_baggage(changed, "a"), "3");
    assert_null(qk_context_baggage(changed, "b"));
    assert_string_equal(qk_context_baggage(base, "b"), "2");
    assert_string_equal(qk_context_baggage_at(base, 0).key, "a");
    assert_int_equal(qk_context_id(base).lo, qk_context_id(changed).lo);

    fields.baggage = &nameless;
    fields.baggage_count = 1;
    assert_int_equal(qk_context_create(host, NULL, &fields, &untouched, &error),
                     QK_INVALID_ARGUMENT);
    for (uint32_t i = 0; i <= QK_BAGGAGE_MAX; i++) {
        snprintf(keys[i], sizeof keys[i], "k%u", i);
        many[i] = (struct qk_baggage){keys[i], "v"};
    }
    fields.baggage = many;
    fields.baggage_count = QK_BAGGAGE_MAX + 1;
    assert_int_equal(qk_context_create(host, NULL, &fields, &untouched, &error),
                     QK_INVALID_ARGUMENT);
    assert_string_equal(error.text,
                        "a context's baggage has room for 64 entries, not for k64 as well");
    large = malloc(QK_CONTEXT_BYTES_MAX + 1);
    memset(large, 'x', QK_CONTEXT_BYTES_MAX);
    large[QK_CONTEXT_BYTES_MAX] = '\0';
    qk_context_fields_init(&fields);
    fields.tenant = large;
    assert_int_equal(qk_context_create(host, NULL, &fields, &untouched, &error),
                     QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "a context's strings take 8195 bytes, and may take 8192");
    assert_null(untouched);
    free(large);
    qk_context_release(base);
    qk_context_release(changed);
    fixture_finish(host);
}

static void what_can_be_wrong_with_a_filter_is_named(void **state)
{
    struct qk__virtual_clock clock;
    struct letter            letters[QK_FILTERS_MAX];
    struct qk_filter         filter = {.size = sizeof filter};
    struct qk_error          error;
    qk_host                 *host;
    (void)state;

    for (uint32_t i = 0; i < QK_FILTERS_MAX; i++)
        letters[i] = (struct letter){.name = {(char)('A' + i)}};
    host = make_host(&clock, letters, QK_FILTERS_MAX - 1, false);
    assert_int_equal(qk_host_add_filter(host, &filter, &error), QK_INVALID_ARGUMENT);
    assert_string_equal(error.text, "a filter has no name");
    filter.name = "late";
    assert_int_equal(qk_host_add_filter(host, &filter, &error), QK_FAILED_PRECONDITION);
    fixture_finish(host);

    host = make_host(&clock, letters, 0, false);
    fixture_finish(host);
    assert_int_equal(qk_host_create(NULL, &host, NULL), QK_OK);
    for (uint32_t i = 0; i < QK_FILTERS_MAX; i++)
        assert_int_equal(qk_host_add_filter(host, &filter, NULL), QK_OK);
    assert_int_equal(qk_host_add_filter(host, &filter, &error), QK_RESOURCE_EXHAUSTED);
    qk_host_destroy(host);
}

/* ---- Threads: contexts are shared, and the last user frees them ---- */

static void contexts_are_shared_between_workers(void **state)
{
    struct qk_host_opts         opts = fixture_opts(2);
    const struct qk_type *const types[] = {&seer_type};
    qk_host                    *host;
    qk_context                 *context;
    (void)state;

    opts.carry_context = true;
    host = fixture_make(&opts, NULL, types, 1);
    context = context_of(host, NULL, "acme");
    for (int i = 0; i < 500; i++) {
        const char            key[2] = {(char)('d' + i % 7), '\0'}; /* b and c are called */
        qk_actor             *actor = fixture_actor(host, "seer", key);
        struct qk_client_opts client;

        qk_client_opts_init(&client);
        client.context = i % 3 ? context : NULL;
        pthread_mutex_lock(&trace_lock);
        trace[0] = '\0';
        pthread_mutex_unlock(&trace_lock);
        assert_int_equal(qk_client_tell_with(host, actor, i % 2 ? FAIL : CALL_BOTH, NULL, 0,
                                             &client, NULL),
                         QK_OK);
        qk_actor_release(actor);
    }
    qk_context_release(context);
    fixture_finish(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_see_every_message_in_order_and_its_end_in_reverse),
        cmocka_unit_test(each_of_several_calls_is_filtered_by_itself),
        cmocka_unit_test(what_is_refused_on_its_way_out_is_not_sent),
        cmocka_unit_test(what_is_refused_on_its_way_in_does_not_run),
        cmocka_unit_test(calls_with_a_callback_pass_filters_too),
        cmocka_unit_test(a_context_goes_with_all_that_follows_from_a_message),
        cmocka_unit_test(a_turn_gives_what_it_sends_another_context),
        cmocka_unit_test(a_filter_gives_one_message_another_context),
        cmocka_unit_test(each_request_without_an_id_gets_one),
        cmocka_unit_test(a_host_that_carries_none_says_so),
        cmocka_unit_test(baggage_is_added_replaced_removed_and_bounded),
        cmocka_unit_test(what_can_be_wrong_with_a_filter_is_named),
        cmocka_unit_test(contexts_are_shared_between_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
