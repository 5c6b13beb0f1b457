/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opencl_info.c - who a device is, and what it can do.
 *
 * An id outlives restarts, other cards and other drivers, so it is never an index of ours: the
 * device's UUID, else its PCI address, else platform and name. Equals among these are told apart by
 * the driver's caller, by their order.
 */
#include "devices/opencl/opencl.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>

/* Vendors' own queries from before cl_khr_pci_bus_info. */
#define AMD_TOPOLOGY 0x4037
#define AMD_TOPOLOGY_PCIE 1u
#define NVIDIA_PCI_BUS 0x4008
#define NVIDIA_PCI_SLOT 0x4009
#define NVIDIA_PCI_DOMAIN 0x400A

union amd_topology {
    struct {
        cl_uint type, data[5];
    } raw;
    struct {
        cl_uint  type;
        cl_uchar unused[17];
        cl_uchar bus, device, function;
    } pcie;
};

/* Cut to `size`; "" when the driver does not tell. */
static void device_text(cl_device_id id, cl_device_info what, char *out, size_t size)
{
    size_t needed = 0;
    char  *text;

    out[0] = '\0';
    if (clGetDeviceInfo(id, what, 0, NULL, &needed) != CL_SUCCESS || needed == 0)
        return;
    text = qk__alloc(needed);
    if (text != NULL && clGetDeviceInfo(id, what, needed, text, NULL) == CL_SUCCESS)
        snprintf(out, size, "%.*s", (int)needed, text);
    qk__free(text);
}

static void platform_text(cl_platform_id id, cl_platform_info what, char *out, size_t size)
{
    size_t needed = 0;
    char  *text;

    out[0] = '\0';
    if (clGetPlatformInfo(id, what, 0, NULL, &needed) != CL_SUCCESS || needed == 0)
        return;
    text = qk__alloc(needed);
    if (text != NULL && clGetPlatformInfo(id, what, needed, text, NULL) == CL_SUCCESS)
        snprintf(out, size, "%.*s", (int)needed, text);
    qk__free(text);
}

static uint64_t device_ulong(cl_device_id id, cl_device_info what)
{
    cl_ulong value = 0;

    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static uint32_t device_uint(cl_device_id id, cl_device_info what)
{
    cl_uint value = 0;

    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static size_t device_size(cl_device_id id, cl_device_info what)
{
    size_t value = 0;

    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

bool qk__opencl_has_extension(cl_device_id id, const char *name)
{
    const size_t length = strlen(name);
    char         extensions[8192];

    device_text(id, CL_DEVICE_EXTENSIONS, extensions, sizeof extensions);
    for (const char *at = strstr(extensions, name); at != NULL; at = strstr(at + 1, name)) {
        const bool starts = at == extensions || at[-1] == ' ';

        if (starts && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}

bool qk__opencl_is_version(cl_device_id id, unsigned major, unsigned minor)
{
    char     version[128];
    unsigned has_major = 0, has_minor = 0;

    device_text(id, CL_DEVICE_VERSION, version, sizeof version);
    if (sscanf(version, "OpenCL %u.%u", &has_major, &has_minor) != 2)
        return false;
    return has_major > major || (has_major == major && has_minor >= minor);
}

static enum qk_device_kind kind_of(cl_device_id id)
{
    cl_device_type type = 0;

    (void)clGetDeviceInfo(id, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    if (type & CL_DEVICE_TYPE_GPU)
        return QK_DEVICE_GPU;
    if (type & CL_DEVICE_TYPE_CPU)
        return QK_DEVICE_OPENCL_CPU;
    return QK_DEVICE_ACCELERATOR;
}

static bool pci_of_khronos(cl_device_id id, struct qk_pci_address *out_pci)
{
    cl_device_pci_bus_info_khr pci;

    if (clGetDeviceInfo(id, CL_DEVICE_PCI_BUS_INFO_KHR, sizeof pci, &pci, NULL) != CL_SUCCESS)
        return false;
    *out_pci = (struct qk_pci_address){true, pci.pci_domain, (uint8_t)pci.pci_bus,
                                       (uint8_t)pci.pci_device, (uint8_t)pci.pci_function};
    return true;
}

/*
 * Tells no domain: on a machine with several, an address of another domain than 0 is not found in
 * the topology.
 */
static bool pci_of_amd(cl_device_id id, struct qk_pci_address *out_pci)
{
    union amd_topology amd;

    if (clGetDeviceInfo(id, AMD_TOPOLOGY, sizeof amd, &amd, NULL) != CL_SUCCESS ||
        amd.raw.type != AMD_TOPOLOGY_PCIE)
        return false;
    *out_pci = (struct qk_pci_address){true, 0, amd.pcie.bus, amd.pcie.device, amd.pcie.function};
    return true;
}

static bool pci_of_nvidia(cl_device_id id, struct qk_pci_address *out_pci)
{
    cl_uint bus, slot;

    if (clGetDeviceInfo(id, NVIDIA_PCI_BUS, sizeof bus, &bus, NULL) != CL_SUCCESS ||
        clGetDeviceInfo(id, NVIDIA_PCI_SLOT, sizeof slot, &slot, NULL) != CL_SUCCESS)
        return false;
    *out_pci = (struct qk_pci_address){true, device_uint(id, NVIDIA_PCI_DOMAIN), (uint8_t)bus,
                                       (uint8_t)(slot >> 3), (uint8_t)(slot & 7)};
    return true;
}

static void find_pci(cl_device_id id, struct qk_pci_address *out_pci)
{
    if (!pci_of_khronos(id, out_pci) && !pci_of_amd(id, out_pci) && !pci_of_nvidia(id, out_pci))
        *out_pci = (struct qk_pci_address){0};
}

static bool find_uuid(cl_device_id id, uint8_t out_uuid[CL_UUID_SIZE_KHR])
{
    static const uint8_t none[CL_UUID_SIZE_KHR];

    return qk__opencl_has_extension(id, "cl_khr_device_uuid") &&
           clGetDeviceInfo(id, CL_DEVICE_UUID_KHR, CL_UUID_SIZE_KHR, out_uuid, NULL) ==
               CL_SUCCESS &&
           memcmp(out_uuid, none, sizeof none) != 0;
}

/*
 * Letters and digits in lower case, one dash for everything between, so that an id needs no quoting
 * anywhere.
 */
static void slug(const char *text, char *out, size_t size)
{
    size_t used = 0;

    for (; *text != '\0' && used + 1 < size; text++) {
        if (isalnum((unsigned char)*text))
            out[used++] = (char)tolower((unsigned char)*text);
        else if (used > 0 && out[used - 1] != '-')
            out[used++] = '-';
    }
    while (used > 0 && out[used - 1] == '-')
        used--;
    out[used] = '\0';
}

static bool is_pocl(const struct qk_device_info *info)
{
    return strcmp(info->platform, "Portable Computing Language") == 0;
}

static void make_id(cl_device_id id, struct qk_device_info *info)
{
    uint8_t uuid[CL_UUID_SIZE_KHR];
    char    platform[24], name[44];

    if (find_uuid(id, uuid)) {
        int at = snprintf(info->id, sizeof info->id, "uuid:");

        for (size_t i = 0; i < sizeof uuid; i++)
            at += snprintf(info->id + at, sizeof info->id - (size_t)at, "%02x", uuid[i]);
    } else if (info->pci.is_known) {
        snprintf(info->id, sizeof info->id, "pci:%04x:%02x:%02x.%x", (unsigned)info->pci.domain,
                 info->pci.bus, info->pci.device, info->pci.function);
    } else {
        slug(is_pocl(info) ? "pocl" : info->platform, platform, sizeof platform);
        slug(info->name, name, sizeof name);
        snprintf(info->id, sizeof info->id, "%s:%s", platform, name);
    }
}

qk_status qk__opencl_describe(cl_platform_id platform, cl_device_id id,
                              struct qk_device_info *out_info)
{
    struct qk_device_info info = {.runs_programs = true};

    device_text(id, CL_DEVICE_NAME, info.name, sizeof info.name);
    device_text(id, CL_DEVICE_VENDOR, info.vendor, sizeof info.vendor);
    device_text(id, CL_DRIVER_VERSION, info.driver_version, sizeof info.driver_version);
    platform_text(platform, CL_PLATFORM_NAME, info.platform, sizeof info.platform);
    info.kind = kind_of(id);
    find_pci(id, &info.pci);
    info.memory_bytes = device_ulong(id, CL_DEVICE_GLOBAL_MEM_SIZE);
    info.max_buffer_bytes = device_ulong(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    /* Told in bits */
    info.buffer_align_bytes = device_uint(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
    info.compute_units = device_uint(id, CL_DEVICE_MAX_COMPUTE_UNITS);
    info.max_work_group = (uint32_t)device_size(id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    info.shares_host_memory = device_uint(id, CL_DEVICE_HOST_UNIFIED_MEMORY) != 0;
    info.has_fp16 = qk__opencl_has_extension(id, "cl_khr_fp16");
    info.has_fp64 = device_ulong(id, CL_DEVICE_DOUBLE_FP_CONFIG) != 0;
    if (info.name[0] == '\0' || info.memory_bytes == 0)
        return QK_UNAVAILABLE;
    make_id(id, &info);
    *out_info = info;
    return QK_OK;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool qk__opencl_runs_in_caller(const struct qk_device_info *info)
{
    return is_pocl(info) &&
           (starts_with(info->name, "basic") || starts_with(info->name, "cpu-minimal"));
}

bool qk__opencl_is_lazy(const struct qk_device_info *info)
{
    return strcmp(info->platform, "Oclgrind") == 0;
}

void qk__opencl_identity(cl_device_id id, const struct qk_device_info *info, char *out, size_t size)
{
    cl_platform_id platform = NULL;
    char           platform_version[256] = "";
    char           device_version[256];

    if (clGetDeviceInfo(id, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL) == CL_SUCCESS)
        platform_text(platform, CL_PLATFORM_VERSION, platform_version, sizeof platform_version);
    device_text(id, CL_DEVICE_VERSION, device_version, sizeof device_version);
    snprintf(out, size, "%s|%s|%s|%s|%s|%s|%s", info->platform, platform_version, info->vendor,
             info->name, info->id, info->driver_version, device_version);
}
