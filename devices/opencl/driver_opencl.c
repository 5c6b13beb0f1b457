/* SPDX-License-Identifier: Apache-2.0 */
/* driver_opencl.c - finding the devices, and the driver's table; see driver_opencl.h. */
#include "devices/opencl/driver_opencl.h"

#include "base/memory.h"
#include "devices/opencl/opencl.h"

#include <stdio.h>

struct entry {
    struct qk_device_info info;
    cl_platform_id        platform;
    cl_device_id          device;
};

struct opencl_driver {
    struct qk_driver   table;
    qk__program_cache *cache;      /* borrowed */
    pthread_mutex_t    lock;       /* guards the list */
    struct entry      *entries;    /* as of the last discovery */
    size_t             count, capacity;
};

/* How many listed devices have this id, or this id with an ordinal behind it. */
static size_t count_equals(const struct opencl_driver *driver, const char *id)
{
    const size_t length = strlen(id);
    size_t       equals = 0;

    for (size_t i = 0; i < driver->count; i++) {
        const char *other = driver->entries[i].info.id;

        if (strncmp(other, id, length) == 0 && (other[length] == '\0' || other[length] == '.'))
            equals++;
    }
    return equals;
}

static const struct entry *find_on_other_platform(const struct opencl_driver *driver,
                                                  const char *id, cl_platform_id platform)
{
    for (size_t i = 0; i < driver->count; i++) {
        if (driver->entries[i].platform != platform && strcmp(driver->entries[i].info.id, id) == 0)
            return &driver->entries[i];
    }
    return NULL;
}

static bool is_physical_id(const char *id)
{
    return strncmp(id, "uuid:", 5) == 0 || strncmp(id, "pci:", 4) == 0;
}

/* "pocl:cpu", "pocl:cpu.1", ...: equals in the order in which their platform lists them. */
static void tell_from_equals(const struct opencl_driver *driver, struct qk_device_info *info)
{
    const size_t equals = count_equals(driver, info->id);
    const size_t length = strlen(info->id);

    if (equals > 0)
        snprintf(info->id + length, sizeof info->id - length, ".%zu", equals);
}

static qk_status list_device(struct opencl_driver *driver, cl_platform_id platform,
                             cl_device_id device, struct qk_error *error)
{
    struct qk_device_info info;

    if (qk__opencl_describe(platform, device, &info) != QK_OK) {
        (void)qk_error_set(error, QK_OK,
                           "a device that does not tell its name and memory is left out");
        return QK_OK;
    }
    if (qk__opencl_runs_in_caller(&info)) {
        (void)qk_error_set(error, QK_OK, "%s is left out: it runs kernels in the thread that asks",
                           info.name);
        return QK_OK;
    }
    if (is_physical_id(info.id) && find_on_other_platform(driver, info.id, platform) != NULL) {
        (void)qk_error_set(error, QK_OK, "%s of %s is left out: another platform has it", info.name,
                           info.platform);
        return QK_OK;
    }
    tell_from_equals(driver, &info);
    if (qk__array_reserve((void **)&driver->entries, &driver->capacity, driver->count + 1,
                          sizeof *driver->entries) != QK_OK)
        return qk_error_set(error, QK_NO_MEMORY, "no memory to list devices");
    driver->entries[driver->count++] = (struct entry){info, platform, device};
    return QK_OK;
}

static qk_status list_platform(struct opencl_driver *driver, cl_platform_id platform,
                               struct qk_error *error)
{
    cl_device_id *devices;
    cl_uint       count = 0;
    cl_int        code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count);
    qk_status     st = QK_OK;

    if (code == CL_DEVICE_NOT_FOUND || (code == CL_SUCCESS && count == 0))
        return QK_OK;
    if (code != CL_SUCCESS) {
        (void)qk__opencl_fail(error, code, "a platform is left out", "its devices can't be listed");
        return QK_OK;
    }
    devices = qk__alloc_array(count, sizeof(cl_device_id));
    if (devices == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory to list devices");
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, devices, NULL) != CL_SUCCESS)
        count = 0;
    for (cl_uint i = 0; i < count && st == QK_OK; i++)
        st = list_device(driver, platform, devices[i], error);
    qk__free(devices);
    return st;
}

static qk_status list_platforms(struct opencl_driver *driver, struct qk_error *error)
{
    cl_platform_id *platforms;
    cl_uint         count = 0;
    cl_int          code = clGetPlatformIDs(0, NULL, &count);
    qk_status       st = QK_OK;

    if (code == CL_PLATFORM_NOT_FOUND_KHR || (code == CL_SUCCESS && count == 0)) {
        (void)qk_error_set(error, QK_OK, "no platform found");
        return QK_OK;
    }
    if (code != CL_SUCCESS)
        return qk__opencl_fail(error, code, "platforms", "can't be listed");
    platforms = qk__alloc_array(count, sizeof(cl_platform_id));
    if (platforms == NULL)
        return qk_error_set(error, QK_NO_MEMORY, "no memory to list platforms");
    code = clGetPlatformIDs(count, platforms, NULL);
    for (cl_uint i = 0; i < count && code == CL_SUCCESS && st == QK_OK; i++)
        st = list_platform(driver, platforms[i], error);
    qk__free(platforms);
    return st;
}

static qk_status discover(void *self, void (*found)(void *arg, const struct qk_device_info *info),
                          void *arg, struct qk_error *error)
{
    struct opencl_driver *driver = self;
    qk_status             st;

    pthread_mutex_lock(&driver->lock);
    driver->count = 0;
    st = list_platforms(driver, error);
    for (size_t i = 0; st == QK_OK && i < driver->count; i++)
        found(arg, &driver->entries[i].info);
    pthread_mutex_unlock(&driver->lock);
    return st;
}

static bool find_entry(struct opencl_driver *driver, const char *id, struct entry *out_entry)
{
    bool is_found = false;

    pthread_mutex_lock(&driver->lock);
    for (size_t i = 0; i < driver->count && !is_found; i++) {
        is_found = strcmp(driver->entries[i].info.id, id) == 0;
        if (is_found)
            *out_entry = driver->entries[i];
    }
    pthread_mutex_unlock(&driver->lock);
    return is_found;
}

static qk_status device_open(void *self, const char *id, qk_driver_device **out_device,
                             struct qk_error *error)
{
    struct opencl_driver *driver = self;
    struct entry          entry;

    if (!find_entry(driver, id, &entry))
        return qk_error_set(error, QK_NOT_FOUND, "%s: no such OpenCL device", id);
    return qk__opencl_device_open(&entry.info, entry.device, driver->cache, out_device, error);
}

static void *buffer_host_mem(qk_driver_device *device, qk_driver_buffer *buffer)
{
    (void)device;
    (void)buffer;
    return NULL;
}

static void *native_buffer(qk_driver_device *device, qk_driver_buffer *buffer)
{
    (void)device;
    return to_mem(buffer);
}

static void *native_device(qk_driver_device *device)
{
    return device->id;
}

static void destroy(void *self)
{
    struct opencl_driver *driver = self;

    if (driver == NULL)
        return;
    pthread_mutex_destroy(&driver->lock);
    qk__free(driver->entries);
    qk__free(driver);
}

qk_status qk__driver_opencl_create(qk__program_cache *cache, const struct qk_driver **out_driver,
                                   void **out_self)
{
    struct opencl_driver *driver = qk__alloc_zero(sizeof *driver);

    if (driver == NULL)
        return QK_NO_MEMORY;
    driver->table = (struct qk_driver){
        .size = sizeof driver->table,
        .name = "opencl",
        .discover = discover,
        .device_open = device_open,
        .device_close = qk__opencl_device_close,
        .buffer_create = qk__opencl_buffer_create,
        .buffer_destroy = qk__opencl_buffer_destroy,
        .buffer_host_mem = buffer_host_mem,
        .program_create = qk__opencl_program_create,
        .program_destroy = qk__opencl_program_destroy,
        .kernel_create = qk__opencl_kernel_create,
        .kernel_destroy = qk__opencl_kernel_destroy,
        .probe = qk__opencl_probe,
        .native_buffer = native_buffer,
        .native_device = native_device,
        .destroy = destroy,
    };
    qk__opencl_submit_fill(&driver->table);
    pthread_mutex_init(&driver->lock, NULL);
    driver->cache = cache;
    *out_driver = &driver->table;
    *out_self = driver;
    return QK_OK;
}
