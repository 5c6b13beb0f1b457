/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq.c - `quark dlq`: lists, shows, deletes and replays the dead letters of a running host, by its
 * HTTP address.
 */
#include "command.h"
#include "http_client.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define PATH         "/quark/dlq"
#define LIMIT        100
#define LIMIT_MAX    1000
#define FIRST_NAP_MS 10
#define LAST_NAP_MS  500

static struct {
    const char *at, *type, *key;
    uint64_t    limit, after;
    bool        all, json;
} args = {.at = HTTP_AT_DEFAULT, .limit = LIMIT};

#define OPTION_AT                                                                                  \
    {.name = "--at", .value = "ADDRESS:PORT", .help = "of the host; " HTTP_AT_DEFAULT,             \
     .text = &args.at}
#define OPTION_TYPE                                                                                \
    {.name = "--type", .value = "TYPE", .help = "those of an actor type", .text = &args.type}
#define OPTION_KEY                                                                                 \
    {.name = "--key", .value = "KEY", .help = "those of one actor of the type", .text = &args.key}
#define OPTION_ALL                                                                                 \
    {.name = "--all", .help = "all of them", .flag = &args.all}
#define OPTION_JSON                                                                                \
    {.name = "--json", .help = "for programs", .flag = &args.json}

/* ---- Asking ---- */

static int host_failed(const struct qk_error *error)
{
    return fail_with(error, error->status == QK_UNAVAILABLE
                                ? "start one with `quark serve`, or say where it is with --at"
                                : NULL);
}

static bool add_number(char *path, size_t size, const char *name, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, number);
    return http_add_argument(path, size, name, text);
}

/* Which letters, as the host takes it. */
static bool add_chosen(char *path, size_t size)
{
    return (args.type == NULL || http_add_argument(path, size, "type", args.type)) &&
           (args.key == NULL || http_add_argument(path, size, "key", args.key)) &&
           (!args.all || http_add_argument(path, size, "all", "true"));
}

static int too_long(void)
{
    return fail(EXIT_USAGE, "dlq: --type and --key are too long");
}

static void print_json(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
}

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text != NULL ? text : "";
}

static json_int_t number_of(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

/* Each operand is an id, or there are none and the options say which. */
static int check_chosen(const char *part, const struct operands *ids)
{
    const bool has_options = args.all || args.type != NULL;

    for (size_t i = 0; i < ids->count; i++) {
        const char *id = ids->items[i];

        if (id[0] == '\0' || strspn(id, "0123456789") != strlen(id) || strlen(id) > 18)
            return fail(EXIT_USAGE, "dlq %s: '%.40s' is not an id; `quark dlq list` shows them",
                        part, id);
    }
    if (args.key != NULL && args.type == NULL)
        return fail(EXIT_USAGE, "dlq %s: --key needs --type", part);
    if ((ids->count > 0) == has_options || (args.all && args.type != NULL))
        return fail(EXIT_USAGE, "dlq %s: say which: ids, or --type and --key, or --all", part);
    return EXIT_FINE;
}

/* ---- list ---- */

static const struct option list_options[] = {
    OPTION_AT,
    OPTION_TYPE,
    OPTION_KEY,
    {.name = "--limit",
     .value = "N",
     .help = "at most so many, oldest first; 100",
     .number = &args.limit,
     .max = LIMIT_MAX},
    {.name = "--after", .value = "ID", .help = "only later ones", .number = &args.after,
     .max = INT64_MAX},
    OPTION_JSON,
};

static const struct usage list_usage = {
    .synopsis = "quark dlq list [OPTION...]",
    .about = "Lists dead letters: messages that could not be handled, and that nobody else hears "
             "of.",
    .options = list_options,
    .option_count = QK__COUNT_OF(list_options),
};

static void print_letters(const json_t *json)
{
    const json_t *letter;
    size_t        i;

    if (number_of(json, "matching") > 0)
        printf("%6s  %-24s  %-10s  %5s  %s\n", "ID", "TIME", "REASON", "TRIES",
               "ACTOR.METHOD: STATUS: WHY");
    json_array_foreach(json_object_get(json, "letters"), i, letter)
    {
        printf("%6" JSON_INTEGER_FORMAT "  %-24s  %-10s  %5" JSON_INTEGER_FORMAT
               "  %s/%s.%s: %s: %s\n",
               number_of(letter, "id"), text_of(letter, "time"), text_of(letter, "reason"),
               number_of(letter, "attempts"), text_of(letter, "type"), text_of(letter, "key"),
               text_of(letter, "method"), text_of(letter, "status"), text_of(letter, "message"));
    }
    printf("%" JSON_INTEGER_FORMAT " kept, %" JSON_INTEGER_FORMAT " asked for, %zu shown",
           number_of(json, "kept"), number_of(json, "matching"),
           json_array_size(json_object_get(json, "letters")));
    if (json_is_integer(json_object_get(json, "next")))
        printf("; --after %" JSON_INTEGER_FORMAT " shows more", number_of(json, "next"));
    putchar('\n');
}

static int list(int argc, char **argv)
{
    const enum parsed parsed = parse_options(&list_usage, argc, argv, NULL);
    char              path[4096] = PATH;
    struct qk_error   error = {0};
    json_t           *json;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    if (args.key != NULL && args.type == NULL)
        return fail(EXIT_USAGE, "dlq list: --key needs --type");
    if (!add_chosen(path, sizeof path) || !add_number(path, sizeof path, "limit", args.limit) ||
        !add_number(path, sizeof path, "after", args.after))
        return too_long();
    if (http_ask_json(args.at, "GET", path, &json, &error) != QK_OK)
        return host_failed(&error);
    if (args.json)
        print_json(json);
    else
        print_letters(json);
    json_decref(json);
    return EXIT_FINE;
}

/* ---- show ---- */

static const struct option show_options[] = {OPTION_AT, OPTION_JSON};

static const struct usage show_usage = {
    .synopsis = "quark dlq show ID [OPTION...]",
    .about = "Shows one dead letter with its payload.",
    .options = show_options,
    .option_count = QK__COUNT_OF(show_options),
    .min_operands = 1,
    .max_operands = 1,
};

static void print_letter(const json_t *letter)
{
    const json_t *payload = json_object_get(letter, "payload");

    printf("letter    %" JSON_INTEGER_FORMAT "\n", number_of(letter, "id"));
    printf("message   %s of %s/%s\n", text_of(letter, "method"), text_of(letter, "type"),
           text_of(letter, "key"));
    printf("died      %s, %s\n", text_of(letter, "time"), text_of(letter, "reason"));
    printf("status    %s: %s\n", text_of(letter, "status"), text_of(letter, "message"));
    printf("tries     %" JSON_INTEGER_FORMAT "\n", number_of(letter, "attempts"));
    printf("payload   %" JSON_INTEGER_FORMAT " bytes%s%s\n", number_of(letter, "payload_bytes"),
           json_is_null(payload) ? ", too large to be kept" : "",
           json_string_length(payload) > 0 ? ":" : "");
    if (json_string_length(payload) > 0)
        printf("%s%s\n", json_string_value(payload),
               json_string_length(payload) < 2 * (size_t)number_of(letter, "payload_bytes")
                   ? "..."
                   : "");
}

static int show(int argc, char **argv)
{
    struct operands   ids = {0};
    const enum parsed parsed = parse_options(&show_usage, argc, argv, &ids);
    char              path[64];
    struct qk_error   error = {0};
    json_t           *json;
    int               exit_code;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    exit_code = check_chosen("show", &ids);
    if (exit_code != EXIT_FINE)
        return exit_code;
    snprintf(path, sizeof path, PATH "/%s", ids.items[0]);
    if (http_ask_json(args.at, "GET", path, &json, &error) != QK_OK)
        return host_failed(&error);
    if (args.json)
        print_json(json);
    else
        print_letter(json);
    json_decref(json);
    return EXIT_FINE;
}

/* ---- delete ---- */

static const struct option choosing_options[] = {OPTION_AT, OPTION_TYPE, OPTION_KEY, OPTION_ALL,
                                                 OPTION_JSON};

static const struct usage delete_usage = {
    .synopsis = "quark dlq delete ID... | --type TYPE [--key KEY] | --all [OPTION...]",
    .about = "Forgets dead letters.",
    .options = choosing_options,
    .option_count = QK__COUNT_OF(choosing_options),
    .max_operands = SIZE_MAX,
};

/* What was done with several queries. */
struct tally {
    json_int_t      chosen, done, failed, gone;
    struct qk_error first_error;
};

static void note_first(struct tally *tally, qk_status status, const char *text)
{
    if (tally->first_error.text[0] == '\0')
        qk_error_set(&tally->first_error, status, "%s", text);
}

/* EXIT_FINE, also for a letter that is not there, which the tally has. */
static int delete_chosen(const char *path, struct tally *tally)
{
    struct qk_error error = {0};
    json_t         *json;
    const qk_status status = http_ask_json(args.at, "DELETE", path, &json, &error);

    if (status == QK_NOT_FOUND) {
        tally->gone++;
        note_first(tally, status, error.text);
        return EXIT_FINE;
    }
    if (status != QK_OK)
        return host_failed(&error);
    tally->done += number_of(json, "deleted");
    json_decref(json);
    return EXIT_FINE;
}

/* Calls `each` with a path for every id, or with the one for what the options say. */
static int for_chosen(const char *path, const struct operands *ids,
                      int (*each)(const char *path, struct tally *tally), struct tally *tally)
{
    char whole[4096];
    int  exit_code = EXIT_FINE;

    snprintf(whole, sizeof whole, "%s", path);
    if (ids->count == 0)
        return add_chosen(whole, sizeof whole) ? each(whole, tally) : too_long();
    for (size_t i = 0; i < ids->count && exit_code == EXIT_FINE; i++) {
        snprintf(whole, sizeof whole, "%s", path);
        (void)http_add_argument(whole, sizeof whole, "id", ids->items[i]);
        exit_code = each(whole, tally);
    }
    return exit_code;
}

static int delete_letters(int argc, char **argv)
{
    struct operands   ids = {0};
    const enum parsed parsed = parse_options(&delete_usage, argc, argv, &ids);
    struct tally      tally = {0};
    int               exit_code;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    exit_code = check_chosen("delete", &ids);
    if (exit_code == EXIT_FINE)
        exit_code = for_chosen(PATH, &ids, delete_chosen, &tally);
    if (exit_code != EXIT_FINE)
        return exit_code;
    if (args.json)
        printf("{\"deleted\": %" JSON_INTEGER_FORMAT ", \"gone\": %" JSON_INTEGER_FORMAT "}\n",
               tally.done, tally.gone);
    else
        printf("%" JSON_INTEGER_FORMAT " deleted\n", tally.done);
    return tally.gone == 0 ? EXIT_FINE : fail(EXIT_FINDING, "dlq: %s", tally.first_error.text);
}

/* ---- replay ---- */

static const struct usage replay_usage = {
    .synopsis = "quark dlq replay ID... | --type TYPE [--key KEY] | --all [OPTION...]",
    .about = "Sends dead letters again, one after the other, oldest first, and tells how it went. "
             "What is handled now is forgotten, what fails again stays.",
    .options = choosing_options,
    .option_count = QK__COUNT_OF(choosing_options),
    .max_operands = SIZE_MAX,
};

static void nap(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

/* Asks until it is over. On failure the answer is gone. */
static qk_status await_replay(json_t **inout_json, struct qk_error *error)
{
    char      path[64];
    qk_status status = QK_OK;

    snprintf(path, sizeof path, PATH "/replay/%" JSON_INTEGER_FORMAT,
             number_of(*inout_json, "replay"));
    for (long ms = FIRST_NAP_MS; !json_is_true(json_object_get(*inout_json, "over"));
         ms = 2 * ms < LAST_NAP_MS ? 2 * ms : LAST_NAP_MS) {
        nap(ms);
        json_decref(*inout_json);
        status = http_ask_json(args.at, "GET", path, inout_json, error);
        if (status != QK_OK)
            return status;
    }
    return QK_OK;
}

static int replay_chosen(const char *path, struct tally *tally)
{
    struct qk_error error = {0};
    const json_t   *why;
    json_t         *json;
    char            text[sizeof error.text];
    qk_status       status = http_ask_json(args.at, "POST", path, &json, &error);

    if (status == QK_OK)
        status = await_replay(&json, &error);
    if (status != QK_OK)
        return host_failed(&error);
    tally->chosen += number_of(json, "chosen");
    tally->done += number_of(json, "succeeded");
    tally->failed += number_of(json, "failed");
    tally->gone += number_of(json, "gone");
    why = json_object_get(json, "first_error");
    if (json_is_object(why)) {
        snprintf(text, sizeof text, "%s: %s", text_of(why, "status"), text_of(why, "message"));
        note_first(tally, QK_UNKNOWN, text);
    }
    json_decref(json);
    return EXIT_FINE;
}

static void print_replay(const struct tally *tally)
{
    if (!args.json) {
        printf("%" JSON_INTEGER_FORMAT " replayed, %" JSON_INTEGER_FORMAT
               " failed again, %" JSON_INTEGER_FORMAT " gone meanwhile\n",
               tally->done, tally->failed, tally->gone);
        return;
    }
    printf("{\"chosen\": %" JSON_INTEGER_FORMAT ", \"succeeded\": %" JSON_INTEGER_FORMAT
           ", \"failed\": %" JSON_INTEGER_FORMAT ", \"gone\": %" JSON_INTEGER_FORMAT "}\n",
           tally->chosen, tally->done, tally->failed, tally->gone);
}

static int replay(int argc, char **argv)
{
    struct operands   ids = {0};
    const enum parsed parsed = parse_options(&replay_usage, argc, argv, &ids);
    struct tally      tally = {0};
    int               exit_code;

    if (parsed != PARSED_GO_ON)
        return exit_code_of(parsed);
    exit_code = check_chosen("replay", &ids);
    if (exit_code == EXIT_FINE)
        exit_code = for_chosen(PATH "/replay", &ids, replay_chosen, &tally);
    if (exit_code != EXIT_FINE)
        return exit_code;
    print_replay(&tally);
    if (tally.failed > 0)
        return fail(EXIT_FINDING, "dlq: %s", tally.first_error.text);
    if ((size_t)tally.chosen < ids.count)
        return fail(EXIT_FINDING, "dlq: %zu of the ids are no dead letters",
                    ids.count - (size_t)tally.chosen);
    return EXIT_FINE;
}

/* ---- Which of these ---- */

static const struct part {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} parts[] = {
    {"list", "what is kept, oldest first", list},
    {"show", "one, with its payload", show},
    {"delete", "forgets some, or all", delete_letters},
    {"replay", "sends some again, or all", replay},
};

static int show_help(FILE *to)
{
    fputs("usage: quark dlq PART ...\nDead letters of a running host.\n", to);
    for (size_t i = 0; i < QK__COUNT_OF(parts); i++)
        fprintf(to, "  %-8s %s\n", parts[i].name, parts[i].summary);
    fputs("`quark dlq PART --help` tells of one.\n", to);
    return to == stdout ? EXIT_FINE : EXIT_USAGE;
}

static int dlq(int argc, char **argv)
{
    if (argc < 2)
        return show_help(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return show_help(stdout);
    for (size_t i = 0; i < QK__COUNT_OF(parts); i++) {
        if (strcmp(parts[i].name, argv[1]) == 0)
            return parts[i].run(argc - 1, argv + 1);
    }
    return fail(EXIT_USAGE, "dlq %s: there are list, show, delete and replay", argv[1]);
}

const struct command command_dlq = {"dlq", "dead letters of a running host", dlq};
