/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel.c - programs made of templates.
 *
 * A plan's kernels that the state does not have yet become one program: common.cl, and each
 * kernel's template between its defines. One program for all is what compiles fastest, since each
 * pays for the compiler's start anew.
 */
#include "kernels/opencl/exec.h"
#include "kernels/opencl/templates.h"

#include "base/memory.h"

#include <stdio.h>

static void add_define(struct qk__text *source, const struct qk__cl_define *define)
{
    qk__text_addf(source, "#define %s %s\n", define->macro, define->body);
}

static void add_undef(struct qk__text *source, const char *macro)
{
    qk__text_addf(source, "#undef %.*s\n", (int)strcspn(macro, "("), macro);
}

static void add_template(struct qk__text *source, const char *text, const char *name,
                         const struct qk__cl_define *defines, size_t define_count)
{
    if (source->length == 0)
        qk__text_add(source, qk__embedded_common_cl);
    add_define(source, &(struct qk__cl_define){"NAME", name});
    for (size_t i = 0; i < define_count; i++)
        add_define(source, &defines[i]);
    qk__text_add(source, text);
    for (size_t i = 0; i < define_count; i++)
        add_undef(source, defines[i].macro);
    add_undef(source, "NAME");
}

static struct qk__cl_kernel *find_kernel(const struct qk__cl_state *state, const char *name)
{
    for (size_t i = 0; i < state->kernel_count; i++) {
        if (strcmp(state->kernels[i]->name, name) == 0)
            return state->kernels[i];
    }
    return NULL;
}

static struct qk__cl_kernel *add_kernel(struct qk__cl_state *state, const char *name)
{
    struct qk__cl_kernel *kernel = qk__alloc_zero(sizeof *kernel);
    void                 *array = state->kernels;

    if (kernel == NULL)
        return NULL;
    if (qk__array_reserve(&array, &state->kernel_capacity, state->kernel_count + 1,
                          sizeof *state->kernels) != QK_OK) {
        qk__free(kernel);
        return NULL;
    }
    state->kernels = array;
    state->kernels[state->kernel_count++] = kernel;
    snprintf(kernel->name, sizeof kernel->name, "%s", name);
    return kernel;
}

struct qk__cl_kernel *qk__cl_kernel_want(struct qk__cl_build *build, const char *text,
                                         const char *name, const struct qk__cl_define *defines,
                                         size_t define_count)
{
    struct qk__cl_kernel *kernel = find_kernel(build->state, name);

    if (kernel != NULL)
        return kernel;
    kernel = add_kernel(build->state, name);
    if (kernel == NULL) {
        build->status = qk_error_set(build->error, QK_NO_MEMORY, "no memory for kernel %s", name);
        return NULL;
    }
    add_template(&build->source, text, name, defines, define_count);
    return kernel;
}

static void forget_kernels(struct qk__cl_state *state, size_t from)
{
    while (state->kernel_count > from) {
        struct qk__cl_kernel *kernel = state->kernels[--state->kernel_count];

        if (kernel->kernel != NULL)
            qk__kernel_destroy(kernel->program, kernel->kernel);
        qk__free(kernel);
    }
}

static qk_status build_program(struct qk__cl_state *state, const char *text, size_t length,
                               qk__program **out_program, struct qk_error *error)
{
    const struct qk_program_source source = {.name = state->owner, .text = text, .length = length};
    void                          *array = state->programs;
    qk_status st = qk__array_reserve(&array, &state->program_capacity, state->program_count + 1,
                                     sizeof *state->programs);

    if (st != QK_OK)
        return qk_error_set(error, st, "no memory for a program of %s", state->owner);
    state->programs = array;
    st = qk__program_create(state->device, &source, out_program, error);
    if (st == QK_OK)
        state->programs[state->program_count++] = *out_program;
    /* The source is ours: that this device's compiler refuses it is no mistake of the caller's. */
    return st == QK_INVALID_ARGUMENT ? QK_INTERNAL : st;
}

static qk_status build_kernels(struct qk__cl_build *build, const char *text, size_t length)
{
    struct qk__cl_state *state = build->state;
    qk__program         *program;
    qk_status            st = build_program(state, text, length, &program, build->error);

    for (size_t i = build->known_kernels; st == QK_OK && i < state->kernel_count; i++) {
        state->kernels[i]->program = program;
        st = qk__kernel_create(program, state->kernels[i]->name, &state->kernels[i]->kernel,
                               build->error);
    }
    return st;
}

void qk__cl_kernels_build(struct qk__cl_build *build)
{
    char  *text = NULL;
    size_t length;

    if (build->status == QK_OK && build->known_kernels < build->state->kernel_count) {
        build->status = qk__text_take(&build->source, &text, &length);
        if (build->status == QK_OK)
            build->status = build_kernels(build, text, length);
        else
            qk_error_set(build->error, build->status, "no memory for a program of %s",
                         build->state->owner);
        qk__free(text);
    }
    if (build->status != QK_OK)
        forget_kernels(build->state, build->known_kernels);
}

void qk__cl_kernels_destroy(struct qk__cl_state *state)
{
    forget_kernels(state, 0);
    for (size_t i = 0; i < state->program_count; i++)
        qk__program_destroy(state->programs[i]);
    qk__free(state->programs);
    qk__free(state->kernels);
}
