/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h - whole files, and folders. Every error names the path and the system's reason.
 * Thread: any. Blocks: call it from a lane, never from a worker.
 */
#ifndef QUARK_BASE_FILE_H
#define QUARK_BASE_FILE_H

#include "quark/status.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Reads a regular file whole. `out_bytes` is the caller's to qk__free(), with a zero behind the
 * last byte. QK_NOT_FOUND, QK_PERMISSION_DENIED, QK_RESOURCE_EXHAUSTED (over `limit_bytes`),
 * QK_INVALID_ARGUMENT (a folder or device), QK_NO_MEMORY.
 */
qk_status qk__file_read(const char *path, size_t limit_bytes, uint8_t **out_bytes, size_t *out_size,
                        struct qk_error *error);

/*
 * Replaces the file: writes beside it, then renames, so that a reader sees the old
 * or the new, never a part.
 */
qk_status qk__file_write(const char *path, const void *bytes, size_t size_bytes,
                         struct qk_error *error);

/* Makes a folder and those above it; one that is there is fine. */
qk_status qk__folder_create(const char *path, struct qk_error *error);

/* Names in a folder, sorted, without "." and ".."; free with qk__folder_list_free(). */
qk_status qk__folder_list(const char *path, char ***out_names, size_t *out_count,
                          struct qk_error *error);
void      qk__folder_list_free(char **names, size_t count);

/* "folder/name" into `out`; QK_RESOURCE_EXHAUSTED when it does not fit. */
qk_status qk__path_join(char *out, size_t size, const char *folder, const char *name);

/* errno as a status. */
qk_status qk__status_of_errno(int system_errno);

#endif
