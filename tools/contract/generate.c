/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c - see generate.h.
 *
 * Of each service: the contract (contract.h), a macro that makes the table of methods from handlers
 * with the right types, and proxies. People read the header, so it says what each thing is for.
 */
#include "generate.h"

#include "names.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

typedef Google__Protobuf__FileDescriptorProto        file_t;
typedef Google__Protobuf__ServiceDescriptorProto     service_t;
typedef Google__Protobuf__MethodDescriptorProto      method_t;
typedef Google__Protobuf__SourceCodeInfo__Location   location_t;

#define EMPTY               ".google.protobuf.Empty"
#define PROTOBUF_C_OPTIONS  1019u    /* their field in FileOptions: protobuf-c/protobuf-c.proto */
#define LINE_CHARACTERS     100u

/* What the words of a template stand for. */
struct words {
    const char *file, *full_name, *name;    /* of the .proto, the service, the method */
    char        guard[C_NAME_BYTES];
    char        service[C_NAME_BYTES], SERVICE[C_NAME_BYTES];
    char        method[C_NAME_BYTES], METHOD[C_NAME_BYTES];
    char        request[C_NAME_BYTES], Request[C_NAME_BYTES];
    char        reply[C_NAME_BYTES], Reply[C_NAME_BYTES];
};

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

/* ---- What can't be made ---- */

static const char *const taken[] = {"actor", "contract", "method_count", "methods", "type"};
static const char *const endings[] = {"_async", "_client", "_client_tell", "_tell", "_to"};

static bool is_ended(const char *name, const char *stem, const char *ending)
{
    const size_t length = strlen(stem);

    return strncmp(name, stem, length) == 0 && strcmp(name + length, ending) == 0;
}

/* Whether a name that the code of the one has is also one of the other. */
static bool collide(const char *one, const char *other)
{
    if (strcmp(one, other) == 0)
        return true;
    for (size_t i = 0; i < QK__COUNT_OF(endings); i++) {
        if (is_ended(one, other, endings[i]))
            return true;
    }
    return false;
}

static qk_status check_name(const file_t *file, const service_t *service, size_t index,
                            struct qk_error *error)
{
    const method_t *method = service->method[index];
    char            name[C_NAME_BYTES], other[C_NAME_BYTES];

    name_of_function(method->name, name);
    for (size_t i = 0; i < QK__COUNT_OF(taken); i++) {
        if (strcmp(name, taken[i]) == 0)
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "%s: %s.%s: the generated code has another use for that name",
                                file->name, service->name, method->name);
    }
    for (size_t i = 0; i < service->n_method; i++) {
        name_of_function(service->method[i]->name, other);
        if (i != index && collide(name, other))
            return qk_error_set(error, QK_INVALID_ARGUMENT,
                                "%s: %s.%s: its name in C, %s, is also one of %s", file->name,
                                service->name, method->name, name, service->method[i]->name);
    }
    return QK_OK;
}

static qk_status check_service(const file_t *file, const service_t *service, struct qk_error *error)
{
    qk_status status = QK_OK;

    if (service->n_method == 0)
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: service %s has no methods", file->name,
                            service->name);
    for (size_t i = 0; i < service->n_method && status == QK_OK; i++) {
        const method_t *method = service->method[i];

        if (method->client_streaming || method->server_streaming)
            return qk_error_set(error, QK_UNIMPLEMENTED,
                                "%s: %s.%s: a method that streams can't be an actor's", file->name,
                                service->name, method->name);
        status = check_name(file, service, i, error);
    }
    return status;
}

/* With those options protoc-c may call things otherwise than names.h knows. */
static bool has_protobuf_c_options(const file_t *file)
{
    const ProtobufCMessage *options = file->options != NULL ? &file->options->base : NULL;

    for (unsigned i = 0; options != NULL && i < options->n_unknown_fields; i++) {
        if (options->unknown_fields[i].tag == PROTOBUF_C_OPTIONS)
            return true;
    }
    return false;
}

qk_status check_file(const file_t *file, struct qk_error *error)
{
    qk_status status = QK_OK;

    if (file->n_service > 0 && has_protobuf_c_options(file))
        return qk_error_set(error, QK_UNIMPLEMENTED,
                            "%s: a file with services can't have the option (pb_c_file)",
                            file->name);
    for (size_t i = 0; i < file->n_service && status == QK_OK; i++)
        status = check_service(file, file->service[i], error);
    return status;
}

/* ---- Templates ---- */

/* Adds the word that `template` names, and says how long that name is; 0: it names none. */
static size_t add_word(struct qk__text *out, const char *template, const struct words *words)
{
    const struct {
        const char *name, *text;
    } known[] = {
        {"$file", words->file},           {"$guard", words->guard},
        {"$full_name", words->full_name}, {"$name", words->name},
        {"$service", words->service},     {"$SERVICE", words->SERVICE},
        {"$method", words->method},       {"$METHOD", words->METHOD},
        {"$request", words->request},     {"$Request", words->Request},
        {"$reply", words->reply},         {"$Reply", words->Reply},
    };

    for (size_t i = 0; i < QK__COUNT_OF(known); i++) {
        const size_t length = strlen(known[i].name);

        if (strncmp(template, known[i].name, length) == 0) {
            qk__text_add(out, known[i].text);
            return length;
        }
    }
    return 0;
}

/* Where a line that is too long is broken: after the last comma that fits; 0: nowhere. */
static size_t find_cut(const char *line, size_t length, size_t room)
{
    size_t cut = 0;

    if (length <= room)
        return 0;
    for (size_t i = 0; i + 1 < room; i++)
        cut = line[i] == ',' && line[i + 1] == ' ' ? i + 1 : cut;
    return cut;
}

/* A line of code. Where one of a macro is broken, a backslash goes before the break. */
static void add_line(struct qk__text *out, const char *line, size_t length)
{
    const bool   is_macro = length > 2 && memcmp(line + length - 2, " \\", 2) == 0;
    const size_t indent = strspn(line, " ") + 4;
    size_t       room = LINE_CHARACTERS - (is_macro ? 2 : 0), cut;

    while ((cut = find_cut(line, length, room)) > 0) {
        qk__text_add_bytes(out, line, cut);
        qk__text_addf(out, "%s\n%*s", is_macro ? " \\" : "", (int)indent, "");
        line += cut + 1;
        length -= cut + 1;
        room = LINE_CHARACTERS - indent - (is_macro ? 2 : 0);
    }
    qk__text_add_bytes(out, line, length);
    qk__text_add(out, "\n");
}

static void expand(struct qk__text *out, const char *template, const struct words *words)
{
    struct qk__text text;

    qk__text_init(&text);
    while (*template != '\0') {
        const size_t length = *template == '$' ? add_word(&text, template, words) : 0;

        if (length == 0)
            qk__text_add_bytes(&text, template, 1);
        template += length > 0 ? length : 1;
    }
    if (text.status != QK_OK)
        out->status = text.status;
    for (const char *line = text.bytes; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');

        add_line(out, line, (size_t)(end - line));
        line = end + 1;
    }
    qk__text_fini(&text);
}

/* ---- What words stand for ---- */

/* The guard of "a/b.proto" is A_B_QUARK_H. */
static void set_guard(const file_t *file, struct words *words)
{
    struct qk__text stem;

    qk__text_init(&stem);
    stem_of(file, &stem);
    (void)snprintf(words->guard, sizeof words->guard, "%.*s_QUARK_H", C_NAME_BYTES - 16,
                   stem.bytes != NULL ? stem.bytes : "");
    for (char *letter = words->guard; *letter != '\0'; letter++)
        *letter = isalnum((unsigned char)*letter) ? (char)toupper((unsigned char)*letter) : '_';
    qk__text_fini(&stem);
}

static void set_file(const file_t *file, struct words *words)
{
    *words = (struct words){.file = file->name, .full_name = "", .name = ""};
    set_guard(file, words);
}

/* `full_name` is made for it: with the package. */
static void set_service(const file_t *file, const service_t *service, struct qk__text *full_name,
                        struct words *words)
{
    if (file->package != NULL && file->package[0] != '\0')
        qk__text_addf(full_name, "%s.", file->package);
    qk__text_add(full_name, service->name);
    words->full_name = full_name->bytes != NULL ? full_name->bytes : "";
    name_of_function(service->name, words->service);
    name_of_constant(service->name, words->SERVICE);
}

static void set_method(const method_t *method, struct words *words)
{
    words->name = method->name;
    name_of_function(method->name, words->method);
    name_of_constant(method->name, words->METHOD);
    name_of_function(method->input_type, words->request);
    name_of_type(method->input_type, words->Request);
    name_of_function(method->output_type, words->reply);
    name_of_type(method->output_type, words->Reply);
}

static void expand_each(struct qk__text *out, const char *template, const service_t *service,
                        struct words *words)
{
    for (size_t i = 0; i < service->n_method; i++) {
        set_method(service->method[i], words);
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

        set_method(service->method[i], words);
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

    set_file(file, &words);
    expand(out, header_begin, &words);
    qk__text_add(out, "#include \"");
    stem_of(file, out);
    qk__text_add(out, ".pb-c.h\"\n");
    for (size_t i = 0; i < file->n_service; i++) {
        struct qk__text full_name;

        qk__text_init(&full_name);
        set_service(file, file->service[i], &full_name, &words);
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
        set_method(service->method[i], words);
        expand(out, calls, words);
        if (may_be_told(service->method[i]))
            expand(out, tells, words);
    }
}

void generate_source(const file_t *file, struct qk__text *out)
{
    struct words words;

    set_file(file, &words);
    expand(out, "/* Made by protoc-gen-quark from $file: edit that instead. */\n", &words);
    qk__text_add(out, "#include \"");
    stem_of(file, out);
    qk__text_add(out, ".quark.h\"\n");
    for (size_t i = 0; i < file->n_service; i++) {
        struct qk__text full_name;

        qk__text_init(&full_name);
        set_service(file, file->service[i], &full_name, &words);
        add_definitions(file->service[i], out, &words);
        qk__text_fini(&full_name);
    }
}
