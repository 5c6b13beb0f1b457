/* SPDX-License-Identifier: Apache-2.0 */
/* The cache alone, with bytes of our own as binaries. */
#include "support.h"

#include "devices/program_cache.h"

#include <dirent.h>

static const uint8_t binary[] = "not a program, but as good as one here";

static const struct qk_program_source source = {
    .name = "a.cl", .text = "kernel", .length = 6, .options = "-DA"};

static char folder[64];

static int make(void **state)
{
    struct qk_error    error = {.text = ""};
    qk__program_cache *cache = NULL;
    char               path[128];

    make_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/below/here", folder);    /* folders on the way are made too */
    assert_int_equal(qk__program_cache_create(path, &cache, &error), QK_OK);
    *state = cache;
    return 0;
}

static int unmake(void **state)
{
    qk__program_cache_destroy(*state);
    remove_folder(folder);
    return 0;
}

static void find_only_entry(char *out, size_t size)
{
    char           below[128];
    DIR           *entries;
    struct dirent *entry;
    int            count = 0;

    snprintf(below, sizeof below, "%s/below/here", folder);
    entries = opendir(below);
    assert_non_null(entries);
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        assert_true((size_t)snprintf(out, size, "%s/%s", below, entry->d_name) < size);
        count++;
    }
    closedir(entries);
    assert_int_equal(count, 1);
}

static void what_was_stored_is_loaded(void **state)
{
    qk__program_cache              *cache = *state;
    struct qk__program_cache_counts counts;
    char                            key[65];
    uint8_t                        *loaded;
    size_t                          size;

    assert_int_equal(qk__program_cache_key("device", &source, key), QK_OK);
    assert_int_equal(qk__program_cache_load(cache, key, &loaded, &size), QK_NOT_FOUND);
    qk__program_cache_store(cache, key, binary, sizeof binary);
    assert_int_equal(qk__program_cache_load(cache, key, &loaded, &size), QK_OK);
    assert_int_equal(size, sizeof binary);
    assert_memory_equal(loaded, binary, size);
    free(loaded);
    qk__program_cache_read_counts(cache, &counts);
    assert_int_equal(counts.corrupt, 0);
    assert_int_equal(counts.unwritten, 0);
}

static void a_key_changes_with_all_that_a_binary_depends_on(void **state)
{
    struct qk_program_source other = source;
    char                     key[65], changed[65];
    (void)state;

    assert_int_equal(qk__program_cache_key("device", &source, key), QK_OK);
    assert_int_equal(qk__program_cache_key("device, new driver", &source, changed), QK_OK);
    assert_string_not_equal(key, changed);
    other.options = "-DB";
    assert_int_equal(qk__program_cache_key("device", &other, changed), QK_OK);
    assert_string_not_equal(key, changed);
    other.options = NULL;
    other.text = "-DAkernel";    /* the same characters, elsewhere */
    other.length = 9;
    assert_int_equal(qk__program_cache_key("device", &other, changed), QK_OK);
    assert_string_not_equal(key, changed);
    other = source;
    other.name = "b.cl";    /* only a label */
    assert_int_equal(qk__program_cache_key("device", &other, changed), QK_OK);
    assert_string_equal(key, changed);
}

/*
 * Every byte of an entry is covered: whichever is flipped, and wherever it is cut, it is not
 * loaded.
 */
static void a_damaged_entry_is_removed_and_counted(void **state)
{
    qk__program_cache              *cache = *state;
    struct qk__program_cache_counts counts;
    char                            key[65], path[300];
    uint8_t                        *loaded;
    size_t                          size, length;
    uint8_t                         bytes[512];
    uint64_t                        damaged = 0;
    FILE                           *file;

    assert_int_equal(qk__program_cache_key("device", &source, key), QK_OK);
    qk__program_cache_store(cache, key, binary, sizeof binary);
    find_only_entry(path, sizeof path);
    file = fopen(path, "rb");
    length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t at = 0; at < 2 * length; at++) {
        const bool is_cut = at >= length;

        file = fopen(path, "wb");
        if (!is_cut)
            bytes[at] ^= 0x10;
        assert_int_equal(fwrite(bytes, 1, is_cut ? at - length : length, file),
                         is_cut ? at - length : length);
        if (!is_cut)
            bytes[at] ^= 0x10;
        fclose(file);
        assert_int_equal(qk__program_cache_load(cache, key, &loaded, &size), QK_NOT_FOUND);
        damaged++;
        file = fopen(path, "rb");
        assert_null(file);
    }
    qk__program_cache_read_counts(cache, &counts);
    assert_int_equal(counts.corrupt, damaged);
}

static void an_entry_under_another_name_is_no_entry(void **state)
{
    qk__program_cache *cache = *state;
    char               key[65], other[65], path[300], moved[400];
    uint8_t           *loaded;
    size_t             size;

    assert_int_equal(qk__program_cache_key("device", &source, key), QK_OK);
    assert_int_equal(qk__program_cache_key("another device", &source, other), QK_OK);
    qk__program_cache_store(cache, key, binary, sizeof binary);
    find_only_entry(path, sizeof path);
    snprintf(moved, sizeof moved, "%s/below/here/%s.bin", folder, other);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(qk__program_cache_load(cache, other, &loaded, &size), QK_NOT_FOUND);
}

static void without_a_folder_nothing_is_kept_but_counted(void **state)
{
    struct qk__program_cache_counts counts;
    qk__program_cache              *cache = NULL;
    char                            key[65];
    uint8_t                        *loaded;
    size_t                          size;
    (void)state;

    assert_int_equal(qk__program_cache_create(NULL, &cache, NULL), QK_OK);
    assert_int_equal(qk__program_cache_key("device", &source, key), QK_OK);
    qk__program_cache_store(cache, key, binary, sizeof binary);
    assert_int_equal(qk__program_cache_load(cache, key, &loaded, &size), QK_NOT_FOUND);
    qk__program_cache_compiled(cache);
    qk__program_cache_read_counts(cache, &counts);
    assert_int_equal(counts.compiled, 1);
    assert_int_equal(counts.unwritten, 0);
    qk__program_cache_destroy(cache);
}

static void a_folder_that_cannot_be_made_is_named(void **state)
{
    struct qk_error    error = {.text = ""};
    qk__program_cache *cache = NULL;
    char               file[128], below[160];
    (void)state;

    write_text(folder, "file", "", file, sizeof file);
    snprintf(below, sizeof below, "%s/cache", file);
    assert_true(qk__program_cache_create(below, &cache, &error) != QK_OK);
    assert_null(cache);
    assert_non_null(strstr(error.text, file));
}

static void a_binary_that_cannot_be_written_is_counted(void **state)
{
    struct qk__program_cache_counts counts;
    char                            key[65];

    assert_int_equal(qk__program_cache_key("device", &source, key), QK_OK);
    remove_folder(folder);
    qk__program_cache_store(*state, key, binary, sizeof binary);
    qk__program_cache_read_counts(*state, &counts);
    assert_int_equal(counts.unwritten, 1);
}

#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CACHE(what_was_stored_is_loaded),
        WITH_CACHE(a_key_changes_with_all_that_a_binary_depends_on),
        WITH_CACHE(a_damaged_entry_is_removed_and_counted),
        WITH_CACHE(an_entry_under_another_name_is_no_entry),
        WITH_CACHE(without_a_folder_nothing_is_kept_but_counted),
        WITH_CACHE(a_folder_that_cannot_be_made_is_named),
        WITH_CACHE(a_binary_that_cannot_be_written_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
