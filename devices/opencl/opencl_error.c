/* SPDX-License-Identifier: Apache-2.0 */
/* opencl_error.c - what OpenCL's codes mean here. */
#include "devices/opencl/opencl.h"

#include <stdio.h>

#define NVIDIA_ILLEGAL_ACCESS (-9999)    /* the context is dead from then on */

static const struct {
    cl_int      code;
    qk_status   status;
    const char *name;
} codes[] = {
    {CL_SUCCESS, QK_OK, "CL_SUCCESS"},
    {CL_DEVICE_NOT_FOUND, QK_NO_DEVICE, "CL_DEVICE_NOT_FOUND"},
    {CL_DEVICE_NOT_AVAILABLE, QK_DEVICE_LOST, "CL_DEVICE_NOT_AVAILABLE"},
    {CL_COMPILER_NOT_AVAILABLE, QK_UNIMPLEMENTED, "CL_COMPILER_NOT_AVAILABLE"},
    {CL_MEM_OBJECT_ALLOCATION_FAILURE, QK_NO_DEVICE_MEMORY, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
    {CL_OUT_OF_RESOURCES, QK_NO_DEVICE_MEMORY, "CL_OUT_OF_RESOURCES"},
    {CL_OUT_OF_HOST_MEMORY, QK_NO_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
    {CL_BUILD_PROGRAM_FAILURE, QK_INVALID_ARGUMENT, "CL_BUILD_PROGRAM_FAILURE"},
    {CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, QK_ABORTED,
     "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
    {CL_INVALID_VALUE, QK_INVALID_ARGUMENT, "CL_INVALID_VALUE"},
    {CL_INVALID_MEM_OBJECT, QK_INVALID_ARGUMENT, "CL_INVALID_MEM_OBJECT"},
    {CL_INVALID_BINARY, QK_DATA_LOSS, "CL_INVALID_BINARY"},
    {CL_INVALID_BUILD_OPTIONS, QK_INVALID_ARGUMENT, "CL_INVALID_BUILD_OPTIONS"},
    {CL_INVALID_KERNEL_NAME, QK_NOT_FOUND, "CL_INVALID_KERNEL_NAME"},
    {CL_INVALID_ARG_INDEX, QK_INVALID_ARGUMENT, "CL_INVALID_ARG_INDEX"},
    {CL_INVALID_ARG_VALUE, QK_INVALID_ARGUMENT, "CL_INVALID_ARG_VALUE"},
    {CL_INVALID_ARG_SIZE, QK_INVALID_ARGUMENT, "CL_INVALID_ARG_SIZE"},
    {CL_INVALID_KERNEL_ARGS, QK_INVALID_ARGUMENT, "CL_INVALID_KERNEL_ARGS"},
    {CL_INVALID_WORK_DIMENSION, QK_INVALID_ARGUMENT, "CL_INVALID_WORK_DIMENSION"},
    {CL_INVALID_WORK_GROUP_SIZE, QK_INVALID_ARGUMENT, "CL_INVALID_WORK_GROUP_SIZE"},
    {CL_INVALID_WORK_ITEM_SIZE, QK_INVALID_ARGUMENT, "CL_INVALID_WORK_ITEM_SIZE"},
    {CL_INVALID_GLOBAL_WORK_SIZE, QK_INVALID_ARGUMENT, "CL_INVALID_GLOBAL_WORK_SIZE"},
    {CL_INVALID_BUFFER_SIZE, QK_NO_DEVICE_MEMORY, "CL_INVALID_BUFFER_SIZE"},
    {NVIDIA_ILLEGAL_ACCESS, QK_DEVICE_LOST, "an illegal access by a kernel"},
};

static size_t find(cl_int code)
{
    size_t i = 0;

    while (i < sizeof codes / sizeof codes[0] && codes[i].code != code)
        i++;
    return i;
}

qk_status qk__opencl_status(cl_int code)
{
    const size_t at = find(code);

    return at < sizeof codes / sizeof codes[0] ? codes[at].status : QK_INTERNAL;
}

qk_status qk__opencl_fail(struct qk_error *error, cl_int code, const char *where, const char *what)
{
    const size_t at = find(code);

    if (at < sizeof codes / sizeof codes[0])
        return qk_error_set(error, codes[at].status, "%s: %s: %s", where, what, codes[at].name);
    return qk_error_set(error, QK_INTERNAL, "%s: %s: OpenCL error %d", where, what, (int)code);
}
