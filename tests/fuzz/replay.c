/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - runs a fuzz target over the files of the folders named on the command
 * line, without libFuzzer.
 *
 * Also each file cut at many places and with single bytes changed: a poor fuzzer, but
 * one that every build has.
 */
#include "fuzz.h"

#include <dirent.h>

#define MAX_SEED_BYTES (1u << 20)
#define CUTS_PER_FILE 64
#define FLIPS_PER_FILE 64

/*
 * From the heap and without a spare byte, so that AddressSanitizer sees a reader go past the end.
 */
static void run_exact(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    FUZZ_CHECK(copy != NULL);
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_with_damage(uint8_t *bytes, size_t size)
{
    run_exact(bytes, size);
    for (size_t i = 0; i < CUTS_PER_FILE; i++)
        run_exact(bytes, size * i / CUTS_PER_FILE);

    for (size_t i = 0; i < FLIPS_PER_FILE && size > 0; i++) {
        uint8_t *target = &bytes[i * 2654435761u % size];
        const uint8_t was = *target;

        *target = (uint8_t)(was ^ (1u << i % 8));
        run_exact(bytes, size);
        *target = was;
    }
}

static void run_file(const char *path)
{
    static uint8_t bytes[MAX_SEED_BYTES];
    FILE *file = fopen(path, "rb");
    size_t size;

    FUZZ_CHECK(file != NULL);
    size = fread(bytes, 1, sizeof bytes, file);
    FUZZ_CHECK(feof(file));
    fclose(file);
    run_with_damage(bytes, size);
}

/* Returns how many files there were. */
static unsigned run_folder(const char *folder)
{
    DIR *listing = opendir(folder);
    const struct dirent *entry;
    unsigned count = 0;

    if (listing == NULL) {
        perror(folder);
        exit(1);
    }
    while ((entry = readdir(listing)) != NULL) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        run_file(path);
        count++;
    }
    closedir(listing);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++)
        count += run_folder(argv[i]);
    printf("%u seeds, each also with %d cuts and %d flips\n", count, CUTS_PER_FILE, FLIPS_PER_FILE);
    return count > 0 ? 0 : 1;
}
