/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - see file.h. */
#include "base/file.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

qk_status qk__status_of_errno(int system_errno)
{
    switch (system_errno) {
    case 0:
        return QK_OK;
    case ENOENT:
    case ENOTDIR:
        return QK_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return QK_PERMISSION_DENIED;
    case ENOMEM:
        return QK_NO_MEMORY;
    case EEXIST:
        return QK_ALREADY_EXISTS;
    case EINVAL:
    case EISDIR:
    case ENAMETOOLONG:
        return QK_INVALID_ARGUMENT;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EFBIG:
        return QK_RESOURCE_EXHAUSTED;
    case EADDRINUSE:
    case EAGAIN:
        return QK_UNAVAILABLE;
    default:
        return QK_INTERNAL;
    }
}

static qk_status fail(struct qk_error *error, const char *path, int system_errno)
{
    return qk_error_set(error, qk__status_of_errno(system_errno), "%s: %s", path,
                        strerror(system_errno));
}

qk_status qk__path_join(char *out, size_t size, const char *folder, const char *name)
{
    const int length = snprintf(out, size, "%s/%s", folder, name);

    return length < 0 || (size_t)length >= size ? QK_RESOURCE_EXHAUSTED : QK_OK;
}

/*
 * The size the file has now; it may change under the reader, who then sees a short or a cut file.
 */
static qk_status check_regular(int fd, const char *path, size_t limit_bytes, size_t *out_size,
                               struct qk_error *error)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return fail(error, path, errno);
    if (!S_ISREG(info.st_mode))
        return qk_error_set(error, QK_INVALID_ARGUMENT, "%s: not a regular file", path);
    if ((uint64_t)info.st_size > limit_bytes)
        return qk_error_set(error, QK_RESOURCE_EXHAUSTED, "%s: %lld bytes, the limit is %zu", path,
                            (long long)info.st_size, limit_bytes);
    *out_size = (size_t)info.st_size;
    return QK_OK;
}

/* Reads until `size` bytes or the end of the file; *inout_size is what came. */
static qk_status read_all(int fd, const char *path, uint8_t *bytes, size_t *inout_size,
                          struct qk_error *error)
{
    size_t used = 0;

    while (used < *inout_size) {
        const ssize_t got = read(fd, bytes + used, *inout_size - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(error, path, errno);
        if (got == 0)
            break;
        used += (size_t)got;
    }
    *inout_size = used;
    bytes[used] = 0;
    return QK_OK;
}

qk_status qk__file_read(const char *path, size_t limit_bytes, uint8_t **out_bytes, size_t *out_size,
                        struct qk_error *error)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t  *bytes = NULL;
    size_t    size = 0;
    qk_status status;

    if (fd < 0)
        return fail(error, path, errno);
    status = check_regular(fd, path, limit_bytes, &size, error);
    if (status != QK_OK)
        goto close_file;

    bytes = qk__alloc(size + 1);
    if (bytes == NULL) {
        status = qk_error_set(error, QK_NO_MEMORY, "%s: no memory for %zu bytes", path, size);
        goto close_file;
    }
    status = read_all(fd, path, bytes, &size, error);
    if (status != QK_OK)
        goto free_bytes;

    *out_bytes = bytes;
    *out_size = size;
    close(fd);
    return QK_OK;

free_bytes:
    qk__free(bytes);
close_file:
    close(fd);
    return status;
}

static qk_status write_all(int fd, const char *path, const uint8_t *bytes, size_t size,
                           struct qk_error *error)
{
    while (size > 0) {
        const ssize_t put = write(fd, bytes, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail(error, path, errno);
        bytes += put;
        size -= (size_t)put;
    }
    return QK_OK;
}

qk_status qk__file_write(const char *path, const void *bytes, size_t size_bytes,
                         struct qk_error *error)
{
    char      beside[PATH_BYTES];
    qk_status status;
    int       fd;

    if (snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= (int)sizeof beside)
        return fail(error, path, ENAMETOOLONG);
    fd = mkstemp(beside);
    if (fd < 0)
        return fail(error, path, errno);
    status = write_all(fd, path, bytes, size_bytes, error);
    if (status == QK_OK && fchmod(fd, 0644) != 0)
        status = fail(error, path, errno);
    if (close(fd) != 0 && status == QK_OK)
        status = fail(error, path, errno);
    if (status == QK_OK && rename(beside, path) != 0)
        status = fail(error, path, errno);
    if (status != QK_OK)
        unlink(beside);
    return status;
}

qk_status qk__folder_create(const char *path, struct qk_error *error)
{
    char        part[PATH_BYTES];
    struct stat info;

    if (strlen(path) >= sizeof part)
        return fail(error, path, ENAMETOOLONG);
    memcpy(part, path, strlen(path) + 1);
    for (char *at = part + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return fail(error, part, errno);
        *at = '/';
    }
    if (mkdir(part, 0755) != 0 && errno != EEXIST)
        return fail(error, part, errno);
    if (stat(part, &info) != 0)
        return fail(error, part, errno);
    return S_ISDIR(info.st_mode) ? QK_OK : fail(error, part, ENOTDIR);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static qk_status collect_names(DIR *folder, const char *path, char ***names, size_t *count,
                               struct qk_error *error)
{
    size_t         capacity = 0;
    struct dirent *entry;

    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (qk__array_reserve((void **)names, &capacity, *count + 1, sizeof **names) != QK_OK)
            return fail(error, path, ENOMEM);
        (*names)[*count] = qk__strdup(entry->d_name);
        if ((*names)[*count] == NULL)
            return fail(error, path, ENOMEM);
        (*count)++;
    }
    return QK_OK;
}

qk_status qk__folder_list(const char *path, char ***out_names, size_t *out_count,
                          struct qk_error *error)
{
    DIR      *folder = opendir(path);
    char    **names = NULL;
    size_t    count = 0;
    qk_status status;

    if (folder == NULL)
        return fail(error, path, errno);
    status = collect_names(folder, path, &names, &count, error);
    closedir(folder);
    if (status != QK_OK) {
        qk__folder_list_free(names, count);
        return status;
    }
    if (count > 0)
        qsort(names, count, sizeof *names, compare_names);
    *out_names = names;
    *out_count = count;
    return QK_OK;
}

void qk__folder_list_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        qk__free(names[i]);
    qk__free(names);
}
