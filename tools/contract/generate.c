/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c - see generate.h.
 *
 * Of each service: the contract (contract.h), a macro that makes the table of methods from handlers
 * with the right types, and proxies. People read the header, so it says what each thing is for.
 */
#include "generate.h"

#include "template.h"

#include "base/memory.h"

#include <stdbool.h>

typedef Google__Protobuf__SourceCodeInfo__Location location_t;

#define EMPTY ".google.protobuf.Empty"

/* Who answers nothing need not be waited for. */
static bool may_be_told(const method_t *method)
{
    return strcmp(method->output_type, EMPTY) == 0;
}

void stem_of(const file_t *file, struct qk__text *out)
{
    static const char ending[] = ".proto";
    const size_t      length = strlen(file->name), ending_length = sizeof ending - 1;
    const bool        ends = length > ending_length &&
                      strcmp(file->name + length - ending_length, ending) == 0;

    qk__text_add_bytes(out, file->name, ends ? length - ending_length : length);
}

static void expand_each(struct qk__text *out, const char *template, const service_t *service,
                        struct words *words)
{
    for (size_t i = 0; i < service->n_method; i++) {
        words_set_method(words, service->method[i]);
        expand(out, template, words);
    }
}

/* ---- Comments ---- */

/*
 * What stands right before a service or method in the .proto, by its place in FileDescriptorProto;
 * NULL: nothing.
 */
static const char *comment_of(const file_t *file, const int32_t *path, size_t path_length)
{
    const Google__Protobuf__SourceCodeInfo *source = file->source_code_info;

    for (size_t i = 0; source != NULL && i < source->n_location; i++) {
        const location_t *location = source->location[i];

        if (location->n_path == path_length &&
            memcmp(location->path, path, path_length * sizeof *path) == 0)
            return location->leading_comments;
    }
    return NULL;
}

/* Line by line, behind " *"; what would end or begin a comment is taken apart. */
static void add_comment(struct qk__text *out, const char *comment)
{
    bool is_line_begin = true;

    for (; comment != NULL && *comment != '\0'; comment++) {
        if (is_line_begin)
            qk__text_add(out, *comment == ' ' || *comment == '\n' ? " *" : " * ");
        qk__text_add_bytes(out, comment, 1);
        if ((comment[0] == '*' && comment[1] == '/') || (comment[0] == '/' && comment[1] == '*'))
            qk__text_add(out, " ");
        is_line_begin = *comment == '\n';
    }
    if (!is_line_begin)
        qk__text_add(out, "\n");
}

/* ---- The header ---- */

static const char header_begin[] = "/* Made by protoc-gen-quark from $file: edit that instead. */\n"
                                   "#ifndef $guard\n"
                                   "#define $guard\n"
                                   "\n"
                                   "#include <quark/quark.h>\n"
                                   "\n";

static const char names_begin[] = " */\n"
                                  "#define $SERVICE_TYPE \"$full_name\"\n"
                                  "\n"
                                  "extern const struct qk_contract $service_contract;\n"
                                  "\n"
                                  "enum {\n";
static const char name_of_each[] = "    $SERVICE_$METHOD,\n";
static const char names_end[] = "    $SERVICE_METHOD_COUNT\n"
                                "};\n";

static const char implement_begin[] =
    "\n"
    "/*\n"
    " * For the one that implements it. $SERVICE_METHODS() makes TABLE of functions that have these\n"
    " * types and names that begin with PREFIX; each of them has to be there:\n"
    " *\n"
    " *     $SERVICE_METHODS(methods, struct something, on_);\n"
    " *\n"
    " *     static const struct qk_type something_type = {\n"
    " *         $SERVICE_ACTOR(methods),\n"
    " *         .self_bytes = sizeof(struct something),\n"
    " *     };\n"
    " */\n"
    "#define $SERVICE_METHODS(TABLE, SELF, PREFIX) \\\n";
static const char implement_each[] =
    "    static qk_status PREFIX##$method(qk_turn *turn, SELF *self, const $Request *request, "
    "$Reply *reply); \\\n"
    "    static qk_status TABLE##_$method(qk_turn *turn, void *self, const void *request, "
    "void *reply) \\\n"
    "    { \\\n"
    "        return PREFIX##$method(turn, self, request, reply); \\\n"
    "    } \\\n";
static const char table_begin[] =
    "    static const struct qk_method TABLE[$SERVICE_METHOD_COUNT] = { \\\n";
static const char table_each[] =
    "        [$SERVICE_$METHOD] = {\"$name\", TABLE##_$method, 0, sizeof($Reply)}, \\\n";
static const char table_end[] = "    }\n"
                                "\n"
                                "#define $SERVICE_ACTOR(TABLE) \\\n"
                                "    .size = sizeof(struct qk_type), \\\n"
                                "    .name = $SERVICE_TYPE, \\\n"
                                "    .contract = &$service_contract, \\\n"
                                "    .methods = TABLE, \\\n"
                                "    .method_count = $SERVICE_METHOD_COUNT\n";

static const char proxies_begin[] =
    "\n"
    "/*\n"
    " * For those that call it; what can go wrong stands at qk_call() and qk_client_call(). A reply\n"
    " * is the caller's, to be freed by qk_message_clear(). From a turn:\n"
    " *\n"
    " *     $service_NAME()                the actor of that key; waits for the reply\n"
    " *     $service_NAME_to()             the same, of one that was got before: no look-up\n"
    " *     $service_NAME_tell()           goes on, and never hears how it went\n"
    " *\n"
    " * From a thread that is none of the host's:\n"
    " *\n"
    " *     $service_NAME_client()         waits for the reply\n"
    " *     $service_NAME_async()          goes on; `done` is called when the reply is there\n"
    " *     $service_NAME_client_tell()    goes on, and never hears how it went\n"
    " *\n"
    " * Only a method that returns google.protobuf.Empty can be told.\n"
    " */\n";

static const char call_prototypes[] =
    "qk_status $service_$method(qk_turn *turn, const char *key, const $Request *request, "
    "$Reply *reply);\n"
    "qk_status $service_$method_to(qk_turn *turn, qk_actor *to, const $Request *request, "
    "$Reply *reply, uint64_t timeout_ns);\n"
    "qk_status $service_$method_client(qk_host *host, const char *key, const $Request *request, "
    "$Reply *reply, uint64_t timeout_ns, struct qk_error *error);\n"
    "qk_status $service_$method_async(qk_host *host, const char *key, const $Request *request, "
    "$Reply *reply, uint64_t timeout_ns, qk_client_done_fn done, void *arg);\n";

static const char tell_prototypes[] =
    "qk_status $service_$method_tell(qk_turn *turn, const char *key, const $Request *request);\n"
    "qk_status $service_$method_client_tell(qk_host *host, const char *key, "
    "const $Request *request, struct qk_error *error);\n";

static void add_service_head(const file_t *file, size_t index, struct qk__text *out,
                             struct words *words)
{
    const int32_t path[] = {6, (int32_t)index};
    const char   *comment = comment_of(file, path, QK__COUNT_OF(path));

    expand(out, "/*\n * Service $full_name\n", words);
    if (comment != NULL)
        qk__text_add(out, " *\n");
    add_comment(out, comment);
    expand(out, names_begin, words);
    expand_each(out, name_of_each, file->service[index], words);
    expand(out, names_end, words);
}

static void add_handlers(const service_t *service, struct qk__text *out, struct words *words)
{
    expand(out, implement_begin, words);
    expand_each(out, implement_each, service, words);
    expand(out, table_begin, words);
    expand_each(out, table_each, service, words);
    expand(out, table_end, words);
}

static void add_prototypes(const file_t *file, size_t index, struct qk__text *out,
                           struct words *words)
{
    const service_t *service = file->service[index];

    expand(out, proxies_begin, words);
    for (size_t i = 0; i < service->n_method; i++) {
        const int32_t path[] = {6, (int32_t)index, 2, (int32_t)i};
        const char   *comment = comment_of(file, path, QK__COUNT_OF(path));

        words_set_method(words, service->method[i]);
        expand(out, comment != NULL ? "\n/*\n * $name:\n" : "\n/* $name */\n", words);
        add_comment(out, comment);
        qk__text_add(out, comment != NULL ? " */\n" : "");
        expand(out, call_prototypes, words);
        if (may_be_told(service->method[i]))
            expand(out, tell_prototypes, words);
    }
}

void generate_header(const file_t *file, struct qk__text *out)
{
    struct words words;

    words_set_file(&words, file);
    expand(out, header_begin, &words);
    qk__text_add(out, "#include \"");
    stem_of(file, out);
    qk__text_add(out, ".pb-c.h\"\n");
    for (size_t i = 0; i < file->n_service; i++) {
        struct qk__text full_name;

        qk__text_init(&full_name);
        words_set_service(&words, file, file->service[i], &full_name);
        qk__text_add(out, "\n");
        add_service_head(file, i, out, &words);
        add_handlers(file->service[i], out, &words);
        add_prototypes(file, i, out, &words);
        qk__text_fini(&full_name);
    }
    qk__text_add(out, "\n#endif\n");
}

/* ---- The source ---- */

static const char contract_begin[] =
    "\n"
    "static const struct qk_contract_method $service_contract_methods[] = {\n";
static const char contract_each[] =
    "    [$SERVICE_$METHOD] = {\"$name\", &$request__descriptor, &$reply__descriptor},\n";
static const char contract_end[] = "};\n"
                                   "\n"
                                   "const struct qk_contract $service_contract = {\n"
                                   "    .size = sizeof $service_contract,\n"
                                   "    .name = $SERVICE_TYPE,\n"
                                   "    .methods = $service_contract_methods,\n"
                                   "    .method_count = $SERVICE_METHOD_COUNT,\n"
                                   "};\n";

static const char calls[] =
    "\n"
    "qk_status $service_$method(qk_turn *turn, const char *key, const $Request *request, "
    "$Reply *reply)\n"
    "{\n"
    "    return qk_contract_call(turn, &$service_contract, key, $SERVICE_$METHOD, "
    "(const ProtobufCMessage *)request, (ProtobufCMessage *)reply);\n"
    "}\n"
    "\n"
    "qk_status $service_$method_to(qk_turn *turn, qk_actor *to, const $Request *request, "
    "$Reply *reply, uint64_t timeout_ns)\n"
    "{\n"
    "    return qk_call(turn, to, $SERVICE_$METHOD, request, reply, timeout_ns);\n"
    "}\n"
    "\n"
    "qk_status $service_$method_client(qk_host *host, const char *key, const $Request *request, "
    "$Reply *reply, uint64_t timeout_ns, struct qk_error *error)\n"
    "{\n"
    "    return qk_contract_client_call(host, &$service_contract, key, $SERVICE_$METHOD, "
    "(const ProtobufCMessage *)request, (ProtobufCMessage *)reply, timeout_ns, error);\n"
    "}\n"
    "\n"
    "qk_status $service_$method_async(qk_host *host, const char *key, const $Request *request, "
    "$Reply *reply, uint64_t timeout_ns, qk_client_done_fn done, void *arg)\n"
    "{\n"
    "    return qk_contract_client_async(host, &$service_contract, key, $SERVICE_$METHOD, "
    "(const ProtobufCMessage *)request, (ProtobufCMessage *)reply, timeout_ns, done, arg);\n"
    "}\n";

static const char tells[] =
    "\n"
    "qk_status $service_$method_tell(qk_turn *turn, const char *key, const $Request *request)\n"
    "{\n"
    "    return qk_contract_tell(turn, &$service_contract, key, $SERVICE_$METHOD, "
    "(const ProtobufCMessage *)request);\n"
    "}\n"
    "\n"
    "qk_status $service_$method_client_tell(qk_host *host, const char *key, "
    "const $Request *request, struct qk_error *error)\n"
    "{\n"
    "    return qk_contract_client_tell(host, &$service_contract, key, $SERVICE_$METHOD, "
    "(const ProtobufCMessage *)request, error);\n"
    "}\n";

static void add_definitions(const service_t *service, struct qk__text *out, struct words *words)
{
    expand(out, contract_begin, words);
    expand_each(out, contract_each, service, words);
    expand(out, contract_end, words);
    for (size_t i = 0; i < service->n_method; i++) {
        words_set_method(words, service->method[i]);
        expand(out, calls, words);
        if (may_be_told(service->method[i]))
            expand(out, tells, words);
    }
}

void generate_source(const file_t *file, struct qk__text *out)
{
    struct words words;

    words_set_file(&words, file);
    expand(out, "/* Made by protoc-gen-quark from $file: edit that instead. */\n", &words);
    qk__text_add(out, "#include \"");
    stem_of(file, out);
    qk__text_add(out, ".quark.h\"\n");
    for (size_t i = 0; i < file->n_service; i++) {
        struct qk__text full_name;

        qk__text_init(&full_name);
        words_set_service(&words, file, file->service[i], &full_name);
        add_definitions(file->service[i], out, &words);
        qk__text_fini(&full_name);
    }
}
