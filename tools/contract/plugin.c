/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin.c - protoc-gen-quark, a plug-in of protoc: reads a CodeGeneratorRequest on standard input
 * and writes a CodeGeneratorResponse to standard output.
 *
 *     protoc --c_out=DIR --quark_out=DIR vision.proto
 *
 * What is wrong with the .proto goes into the response, and protoc shows it. What is wrong with the
 * conversation itself is told on standard error, and the program fails.
 */
#include "generate.h"

#include "base/memory.h"

#include "google/protobuf/compiler/plugin.pb-c.h"

#include <errno.h>
#include <stdio.h>

typedef Google__Protobuf__Compiler__CodeGeneratorRequest        request_t;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse       response_t;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse__File made_t;    /* one that was made */

static int fail(const char *why)
{
    fprintf(stderr, "protoc-gen-quark: %s\n", why);
    return 1;
}

/* ---- The conversation ---- */

static qk_status read_input(struct qk__text *out)
{
    char   buffer[65536];
    size_t size;

    while ((size = fread(buffer, 1, sizeof buffer, stdin)) > 0)
        qk__text_add_bytes(out, buffer, size);
    return ferror(stdin) ? QK_UNAVAILABLE : out->status;
}

static request_t *read_request(void)
{
    struct qk__text input;
    request_t      *request = NULL;

    qk__text_init(&input);
    if (read_input(&input) == QK_OK)
        request = google__protobuf__compiler__code_generator_request__unpack(
            NULL, input.length, (const uint8_t *)input.bytes);
    qk__text_fini(&input);
    return request;
}

static bool write_response(const response_t *response)
{
    const size_t size =
        google__protobuf__compiler__code_generator_response__get_packed_size(response);
    uint8_t *bytes = qk__alloc(size);
    bool     is_written = false;

    if (bytes != NULL) {
        google__protobuf__compiler__code_generator_response__pack(response, bytes);
        is_written = fwrite(bytes, 1, size, stdout) == size && fflush(stdout) == 0;
    }
    qk__free(bytes);
    return is_written;
}

/* ---- Files ---- */

static const file_t *find_file(const request_t *request, const char *name)
{
    for (size_t i = 0; i < request->n_proto_file; i++) {
        if (strcmp(request->proto_file[i]->name, name) == 0)
            return request->proto_file[i];
    }
    return NULL;
}

/* One of the two files made of a .proto. */
static qk_status add_file(response_t *response, const file_t *proto, const char *ending,
                          void (*generate)(const file_t *proto, struct qk__text *out))
{
    struct qk__text name, content;
    made_t         *made = qk__alloc(sizeof *made);

    if (made == NULL)
        return QK_NO_MEMORY;
    google__protobuf__compiler__code_generator_response__file__init(made);
    qk__text_init(&name);
    qk__text_init(&content);
    stem_of(proto, &name);
    qk__text_add(&name, ending);
    generate(proto, &content);
    response->file[response->n_file++] = made;    /* the response's from here on */
    if (qk__text_take(&name, &made->name, NULL) == QK_OK &&
        qk__text_take(&content, &made->content, NULL) == QK_OK)
        return QK_OK;
    qk__text_fini(&name);
    qk__text_fini(&content);
    return QK_NO_MEMORY;
}

static qk_status generate_all(const request_t *request, response_t *response,
                              struct qk_error *error)
{
    if (request->parameter != NULL && request->parameter[0] != '\0')
        return qk_error_set(error, QK_INVALID_ARGUMENT,
                            "protoc-gen-quark takes no parameter, so not '%s'", request->parameter);
    response->file = qk__alloc_array(2 * request->n_file_to_generate, sizeof *response->file);
    if (response->file == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < request->n_file_to_generate; i++) {
        const file_t *proto = find_file(request, request->file_to_generate[i]);
        qk_status     status;

        if (proto == NULL)
            return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: protoc sent no descriptor of it",
                                request->file_to_generate[i]);
        status = check_file(proto, error);
        if (status != QK_OK)
            return status;
        if (add_file(response, proto, ".quark.h", generate_header) != QK_OK ||
            add_file(response, proto, ".quark.c", generate_source) != QK_OK)
            return qk_error_set(error, QK_NO_MEMORY, "%s: out of memory", proto->name);
    }
    return QK_OK;
}

int main(void)
{
    request_t      *request = read_request();
    response_t     *response = qk__alloc(sizeof *response);
    struct qk_error error;
    int             exit_code = 0;

    if (request == NULL || response == NULL) {
        exit_code = fail("this is a plug-in of protoc, which found no request on standard input");
        qk__free(response);
    } else {
        google__protobuf__compiler__code_generator_response__init(response);
        response->has_supported_features = 1;
        response->supported_features =
            GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__FEATURE__FEATURE_PROTO3_OPTIONAL;
        if (generate_all(request, response, &error) != QK_OK)
            response->error = qk__strdup(error.text);
        if (!write_response(response))
            exit_code = fail(strerror(errno));
        google__protobuf__compiler__code_generator_response__free_unpacked(response, NULL);
    }
    google__protobuf__compiler__code_generator_request__free_unpacked(request, NULL);
    return exit_code;
}
