/* SPDX-License-Identifier: Apache-2.0 */
/* contract_protoc.c - runs protoc, and reads what it says of a .proto. See contract.h. */
#include "contract.h"

#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define FOLDERS_MAX   QK__COUNT_OF(((struct text_list *)0)->items)
#define ARGUMENTS_MAX (FOLDERS_MAX + 6)

static qk_status out_of_memory(const char *path, struct qk_error *error)
{
    return qk_error_set(error, QK_NO_MEMORY, "%s: out of memory", path);
}

/* "--proto_path=FOLDER", of which protoc takes any number. */
static char *make_folder_argument(const char *folder)
{
    struct qk__text text;
    char           *argument;

    qk__text_init(&text);
    qk__text_addf(&text, "--proto_path=%s", folder);
    if (qk__text_take(&text, &argument, NULL) == QK_OK)
        return argument;
    qk__text_fini(&text);
    return NULL;
}

/* The folder of a file; the caller's. */
static char *make_own_folder_argument(const char *path)
{
    char *copy = qk__strdup(path);
    char *argument = copy != NULL ? make_folder_argument(dirname(copy)) : NULL;

    qk__free(copy);
    return argument;
}

static qk_status start(char **arguments, int output, pid_t *out_pid)
{
    posix_spawn_file_actions_t actions;
    int                        failed = posix_spawn_file_actions_init(&actions);

    if (failed != 0)
        return QK_NO_MEMORY;
    failed = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (failed == 0)
        failed = posix_spawnp(out_pid, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed == 0 ? QK_OK : failed == ENOENT ? QK_NOT_FOUND : QK_UNAVAILABLE;
}

static void read_all(int input, struct qk__text *out)
{
    char    buffer[65536];
    ssize_t size;

    while ((size = read(input, buffer, sizeof buffer)) > 0 || (size < 0 && errno == EINTR)) {
        if (size > 0)
            qk__text_add_bytes(out, buffer, (size_t)size);
    }
}

static bool has_ended_well(pid_t pid)
{
    int   status = 0;
    pid_t ended;

    do
        ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    return ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Runs it to its end, with its standard output in `out`. */
static qk_status run(const char *path, char **arguments, struct qk__text *out,
                     struct qk_error *error)
{
    int       pipe_ends[2];
    pid_t     pid;
    qk_status status;

    if (pipe2(pipe_ends, O_CLOEXEC) != 0)
        return qk_error_set(error, QK_UNAVAILABLE, "%s: no pipe to protoc: %s", path,
                            strerror(errno));
    status = start(arguments, pipe_ends[1], &pid);
    close(pipe_ends[1]);
    if (status == QK_OK) {
        read_all(pipe_ends[0], out);
        if (!has_ended_well(pid))
            status = qk_error_set(error, QK_INVALID_ARGUMENT, "%s: protoc can't read it", path);
    } else {
        status = qk_error_set(error, QK_UNAVAILABLE, "%s: protoc can't be run; it comes with the "
                                                     "package protobuf-compiler",
                              path);
    }
    close(pipe_ends[0]);
    return status;
}

qk_status contract_run_protoc(const char *path, const struct text_list *folders,
                              uint8_t **out_bytes, size_t *out_size, struct qk_error *error)
{
    static char program[] = "protoc", out[] = "--descriptor_set_out=/dev/stdout",
                whole[] = "--include_imports";
    char           *arguments[ARGUMENTS_MAX] = {program, out, whole};
    const size_t    made = 3;    /* from here on they are ours */
    size_t          count = made;
    struct qk__text output;
    qk_status       status = QK_OK;

    for (size_t i = 0; i < folders->count; i++)
        arguments[count++] = make_folder_argument(folders->items[i]);
    if (folders->count == 0)
        arguments[count++] = make_own_folder_argument(path);
    arguments[count] = qk__strdup(path);
    for (size_t i = made; i <= count; i++) {
        if (arguments[i] == NULL)
            status = out_of_memory(path, error);
    }
    qk__text_init(&output);
    if (status == QK_OK)
        status = run(path, arguments, &output, error);
    if (status == QK_OK && qk__text_take(&output, (char **)out_bytes, out_size) != QK_OK)
        status = out_of_memory(path, error);
    qk__text_fini(&output);
    for (size_t i = made; i <= count; i++)
        qk__free(arguments[i]);
    return status;
}
