/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_object.c - see shared_object.h. Reads the ELF headers and compares them with the file's
 * size.
 */
#include "shared_object.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_shared_object(const ElfW(Ehdr) * header)
{
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_type == ET_DYN &&
           header->e_phentsize == sizeof(ElfW(Phdr)) && header->e_phnum > 0;
}

/* Every loaded segment has to end within the file. */
static bool is_whole(int fd, const ElfW(Ehdr) * header, uint64_t file_bytes)
{
    for (uint16_t i = 0; i < header->e_phnum; i++) {
        const off_t at = (off_t)(header->e_phoff + i * sizeof(ElfW(Phdr)));
        ElfW(Phdr) segment;

        if (pread(fd, &segment, sizeof segment, at) != (ssize_t)sizeof segment)
            return false;
        if (segment.p_type == PT_LOAD &&
            (segment.p_filesz > file_bytes || segment.p_offset > file_bytes - segment.p_filesz))
            return false;
    }
    return true;
}

static qk_status check(int fd, struct qk_error *error)
{
    ElfW(Ehdr) header;
    struct stat file;

    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) ||
        pread(fd, &header, sizeof header, 0) != sizeof header || !is_shared_object(&header))
        return qk_error_set(error, QK_INVALID_ARGUMENT, "not a shared object");
    if (!is_whole(fd, &header, (uint64_t)file.st_size))
        return qk_error_set(error, QK_INVALID_ARGUMENT, "cut off: shorter than its headers say");
    return QK_OK;
}

qk_status shared_object_check(const char *path, struct qk_error *error)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    qk_status status;

    if (fd < 0)
        return qk_error_set(error, qk__status_of_errno(errno), "%s", strerror(errno));
    status = check(fd, error);
    close(fd);
    return status;
}
