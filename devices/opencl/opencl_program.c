/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opencl_program.c - programs, from the cache or from source, and their kernels.
 *
 * When is a binary kept? Right after the build, with all kernels created once, for some drivers
 * compile only then; so a process that is killed later has lost nothing. PoCL compiles further, for
 * each local size, at the first launch. Such variants could be in a binary too, but PoCL makes up a
 * program's binary once, when first asked, and they are in PoCL's own cache on disk anyway, where
 * the next start finds them (measured: first launch 0.2 ms, and 50 ms with that cache removed).
 */
#include "devices/opencl/opencl.h"

#include "base/memory.h"

#include <stdio.h>

static const char *options_of(const struct qk_program_source *source)
{
    return source->options != NULL ? source->options : "";
}

/* The first line of the build log that speaks of an error, else its first line. */
static void first_error_line(const char *log, char *out, size_t size)
{
    const char *at = strstr(log, "error:");

    if (at == NULL)
        at = log;
    while (at > log && at[-1] != '\n')
        at--;
    snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static qk_status build_failed(qk_driver_device *device, cl_program program, cl_int code,
                              const char *name, struct qk_error *error)
{
    char   line[160] = "";
    size_t size_bytes = 0;
    char  *log = NULL;

    (void)clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size_bytes);
    if (code == CL_BUILD_PROGRAM_FAILURE && size_bytes > 1)
        log = qk__alloc_zero(size_bytes + 1);
    if (log == NULL)
        return qk__opencl_fail(error, code, device->info.id, name);
    (void)clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, size_bytes, log, NULL);
    first_error_line(log, line, sizeof line);
    qk__free(log);
    return qk_error_set(error, qk__opencl_status(code), "%s: does not build: %s", name, line);
}

static cl_program from_binary(qk_driver_device *device, const uint8_t *binary, size_t size_bytes,
                              const char *options)
{
    cl_int     verdict = CL_SUCCESS, code;
    cl_program program = clCreateProgramWithBinary(device->context, 1, &device->id, &size_bytes,
                                                   &binary, &verdict, &code);

    if (code != CL_SUCCESS)
        return NULL;
    if (verdict == CL_SUCCESS &&
        clBuildProgram(program, 1, &device->id, options, NULL, NULL) == CL_SUCCESS)
        return program;
    (void)clReleaseProgram(program);
    return NULL;
}

/* NULL: not there, or no good any more. */
static cl_program from_cache(qk_driver_device *device, const char *key, const char *options)
{
    cl_program program;
    uint8_t   *binary;
    size_t     size_bytes;

    if (qk__program_cache_load(device->cache, key, &binary, &size_bytes) != QK_OK)
        return NULL;
    program = from_binary(device, binary, size_bytes, options);
    qk__free(binary);
    if (program != NULL)
        qk__program_cache_accepted(device->cache);
    else
        qk__program_cache_refused(device->cache, key);
    return program;
}

static qk_status from_source(qk_driver_device *device, const struct qk_program_source *source,
                             cl_program *out_program, struct qk_error *error)
{
    cl_int     code;
    cl_program program =
        clCreateProgramWithSource(device->context, 1, (const char *[]){source->text},
                                  (const size_t[]){source->length}, &code);
    qk_status st;

    if (code != CL_SUCCESS)
        return qk__opencl_fail(error, code, device->info.id, source->name);
    code = clBuildProgram(program, 1, &device->id, options_of(source), NULL, NULL);
    if (code != CL_SUCCESS) {
        st = build_failed(device, program, code, source->name, error);
        (void)clReleaseProgram(program);
        return st;
    }
    qk__program_cache_compiled(device->cache);
    *out_program = program;
    return QK_OK;
}

/* A driver that gives no binary is no error: then nothing is kept. */
static void keep_binary(qk_driver_device *device, cl_program program, const char *key)
{
    size_t   size_bytes = 0;
    uint8_t *binary;

    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size_bytes, &size_bytes, NULL) !=
            CL_SUCCESS ||
        size_bytes == 0)
        return;
    binary = qk__alloc(size_bytes);
    if (binary == NULL)
        return;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        qk__program_cache_store(device->cache, key, binary, size_bytes);
    qk__free(binary);
}

/* For the drivers that compile when a kernel is created: creates all of them once. */
static void create_all_kernels(cl_program program)
{
    cl_uint    count = 0;
    cl_kernel *kernels;

    if (clCreateKernelsInProgram(program, 0, NULL, &count) != CL_SUCCESS || count == 0)
        return;
    kernels = qk__alloc_array(count, sizeof(cl_kernel));
    if (kernels == NULL)
        return;
    if (clCreateKernelsInProgram(program, count, kernels, NULL) == CL_SUCCESS) {
        for (cl_uint i = 0; i < count; i++)
            (void)clReleaseKernel(kernels[i]);
    }
    qk__free(kernels);
}

static qk_status build_and_keep(qk_driver_device *device, const struct qk_program_source *source,
                                const char *key, cl_program *out_program, struct qk_error *error)
{
    const qk_status st = from_source(device, source, out_program, error);

    if (st == QK_OK && qk__program_cache_keeps(device->cache)) {
        create_all_kernels(*out_program);
        keep_binary(device, *out_program, key);
    }
    return st;
}

qk_status qk__opencl_program_create(qk_driver_device               *device,
                                    const struct qk_program_source *source,
                                    qk_driver_program **out_program, struct qk_error *error)
{
    cl_program program;
    char       key[65];
    qk_status  st = qk__program_cache_key(device->identity, source, key);

    if (st != QK_OK)
        return qk_error_set(error, st, "%s: no key for the program cache", source->name);
    qk__program_cache_begin(device->cache, key);
    program = from_cache(device, key, options_of(source));
    if (program == NULL)
        st = build_and_keep(device, source, key, &program, error);
    qk__program_cache_end(device->cache, key);
    if (st == QK_OK)
        *out_program = (qk_driver_program *)(void *)program;
    return st;
}

void qk__opencl_program_destroy(qk_driver_device *device, qk_driver_program *program)
{
    (void)device;
    if (program != NULL)
        (void)clReleaseProgram(to_program(program));
}

qk_status qk__opencl_kernel_create(qk_driver_device *device, qk_driver_program *program,
                                   const char *name, qk_driver_kernel **out_kernel,
                                   struct qk_error *error)
{
    qk_driver_kernel *kernel = qk__alloc_zero(sizeof *kernel);
    cl_int            code;

    if (kernel == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "%s: no memory for the kernel", name);
    kernel->kernel = clCreateKernel(to_program(program), name, &code);
    if (code != CL_SUCCESS) {
        qk__free(kernel);
        return qk__opencl_fail(error, code, device->info.id, name);
    }
    pthread_mutex_init(&kernel->lock, NULL);
    *out_kernel = kernel;
    return QK_OK;
}

void qk__opencl_kernel_destroy(qk_driver_device *device, qk_driver_kernel *kernel)
{
    (void)device;
    if (kernel == NULL)
        return;
    (void)clReleaseKernel(kernel->kernel);
    pthread_mutex_destroy(&kernel->lock);
    qk__free(kernel);
}
