/* SPDX-License-Identifier: Apache-2.0 */
/* ort.c - see ort.h. A child process and a pipe; no shell, so that any path will do. */
#include "ort.h"

#include <jansson.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/*
 * Starts it with its standard output in `out_read_end`; what Python complains of is thrown
 * away: one sentence is enough.
 */
static qk_status start(char *const *argv, pid_t *out_child, FILE **out_stream)
{
    posix_spawn_file_actions_t actions;
    int                        ends[2], failed;

    if (pipe(ends) != 0)
        return QK_UNAVAILABLE;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1 /* O_WRONLY */, 0);
    failed = posix_spawnp(out_child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *out_stream = failed == 0 ? fdopen(ends[0], "r") : NULL;
    if (*out_stream == NULL)
        close(ends[0]);
    return failed == 0 ? QK_OK : QK_UNAVAILABLE;
}

static qk_status take_figures(const char *line, struct qk_ort_figures *out_figures)
{
    json_t     *figures = json_loads(line, 0, NULL);
    const char *version;
    int         status = json_unpack(figures, "{s:s, s:F, s:F, s:F}", "version", &version, "p50_us",
                                     &out_figures->p50_us, "p99_us", &out_figures->p99_us,
                                     "checksum", &out_figures->checksum);

    if (status == 0)
        snprintf(out_figures->version, sizeof out_figures->version, "%s", version);
    json_decref(figures);
    return status == 0 ? QK_OK : QK_UNAVAILABLE;
}

qk_status qk_ort_run(const struct qk_ort_job *job, struct qk_ort_figures *out_figures,
                     struct qk_error *error)
{
    const char *named = getenv("QUARK_ORT_PYTHON"), *python = named != NULL ? named : "python3";
    char  threads[16], count[24], line[512] = "", script[] = QUARK_BENCH_FOLDER "/ort_infer.py";
    char *argv[] = {
        (char *)(uintptr_t)python, script, (char *)(uintptr_t)job->model, threads, count, NULL};
    FILE *stream = NULL;
    pid_t child = -1;

    snprintf(threads, sizeof threads, "%u", job->threads);
    snprintf(count, sizeof count, "%llu", (unsigned long long)job->count);
    if (start(argv, &child, &stream) == QK_OK && stream != NULL) {
        if (fgets(line, sizeof line, stream) == NULL)
            line[0] = '\0';
        fclose(stream);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
    if (take_figures(line, out_figures) == QK_OK)
        return QK_OK;
    return qk_error_set(error, QK_UNAVAILABLE,
                        "no figure of ONNX Runtime beside it: '%s' has no module onnxruntime, or "
                        "it refuses the model; "
                        "QUARK_ORT_PYTHON may name another Python",
                        python);
}
