/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c - any bytes as the configuration file of `quark serve`. */
#include "fuzz.h"

#include "tools/quark/serve_config.h"

#include <sys/mman.h>
#include <unistd.h>

/* A file that has a path and is nowhere on a disk; one for all runs. */
static int file = -1;
static char path[64];

static void fill_file(const uint8_t *bytes, size_t size)
{
    if (file < 0) {
        file = memfd_create("configuration", 0);
        FUZZ_CHECK(file >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    FUZZ_CHECK(ftruncate(file, 0) == 0);
    FUZZ_CHECK(pwrite(file, bytes, size, 0) == (ssize_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct serve_args args = {.config = path, .port = NO_PORT};
    struct serve_config config;
    struct qk_error error = {0};
    qk_status status;

    fill_file(bytes, size);
    status = serve_config_read(&args, &config, &error);
    if (status < 0) {
        FUZZ_CHECK(error.status == status);
        FUZZ_CHECK(strncmp(error.text, path, strlen(path)) == 0);
        return 0;
    }
    FUZZ_CHECK(config.folder != NULL && config.document != NULL);
    FUZZ_CHECK(config.path_count <= sizeof config.paths / sizeof config.paths[0]);
    serve_config_fini(&config);
    return 0;
}
