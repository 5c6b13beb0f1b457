/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "../test.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/quark-test-file.XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;

    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void what_is_written_is_read_back(void **state)
{
    char            path[256];
    uint8_t        *bytes;
    size_t          size;
    struct qk_error error;
    (void)state;

    assert_int_equal(qk__path_join(path, sizeof path, folder, "a"), QK_OK);
    assert_int_equal(qk__file_write(path, "first", 5, &error), QK_OK);
    assert_int_equal(qk__file_write(path, "two", 3, &error), QK_OK);
    assert_int_equal(qk__file_read(path, 100, &bytes, &size, &error), QK_OK);
    assert_int_equal(size, 3);
    assert_string_equal((char *)bytes, "two");
    qk__free(bytes);
    assert_int_equal(qk__file_read(path, 2, &bytes, &size, &error), QK_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.text, path));
}

static void a_failed_write_leaves_the_old_file_and_nothing_beside_it(void **state)
{
    char            path[256], **names;
    size_t          count;
    struct qk_error error;
    (void)state;

    qk__path_join(path, sizeof path, folder, "missing/b");
    assert_int_equal(qk__file_write(path, "x", 1, &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "missing/b: No such file"));
    qk__path_join(path, sizeof path, folder, "sub");
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_not_equal(qk__file_write(path, "x", 1, &error), QK_OK);    /* rename over a folder */
    assert_int_equal(qk__folder_list(folder, &names, &count, &error), QK_OK);
    for (size_t i = 0; i < count; i++)
        assert_null(strstr(names[i], "sub."));
    qk__folder_list_free(names, count);
}

static void what_is_not_a_file_is_refused(void **state)
{
    uint8_t        *bytes = NULL;
    size_t          size;
    char            path[256];
    struct qk_error error;
    (void)state;

    assert_int_equal(qk__file_read(folder, 100, &bytes, &size, &error), QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "not a regular file"));
    qk__path_join(path, sizeof path, folder, "fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(qk__file_read(path, 100, &bytes, &size, &error), QK_INVALID_ARGUMENT);
    assert_int_equal(qk__file_read("/nowhere/at/all", 100, &bytes, &size, &error), QK_NOT_FOUND);
    assert_null(bytes);
}

static void folders_are_made_with_those_above(void **state)
{
    char            path[256];
    struct stat     info;
    struct qk_error error;
    (void)state;

    qk__path_join(path, sizeof path, folder, "x/y/z");
    assert_int_equal(qk__folder_create(path, &error), QK_OK);
    assert_int_equal(qk__folder_create(path, &error), QK_OK);
    assert_int_equal(stat(path, &info), 0);
    qk__path_join(path, sizeof path, folder, "plain");
    assert_int_equal(qk__file_write(path, "", 0, &error), QK_OK);
    assert_int_equal(qk__folder_create(path, &error), QK_NOT_FOUND);
    assert_non_null(strstr(error.text, "Not a directory"));
}

static void names_come_sorted(void **state)
{
    char          **names, path[256];
    size_t          count;
    struct qk_error error;
    (void)state;

    qk__path_join(path, sizeof path, folder, "sorted");
    assert_int_equal(qk__folder_create(path, &error), QK_OK);
    for (int i = 9; i >= 0; i--) {
        char file[300];

        snprintf(file, sizeof file, "%s/%d", path, i);
        assert_int_equal(qk__file_write(file, "", 0, &error), QK_OK);
    }
    assert_int_equal(qk__folder_list(path, &names, &count, &error), QK_OK);
    assert_int_equal(count, 10);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(names[i][0] - '0', i);
    qk__folder_list_free(names, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_failed_write_leaves_the_old_file_and_nothing_beside_it),
        cmocka_unit_test(what_is_not_a_file_is_refused),
        cmocka_unit_test(folders_are_made_with_those_above),
        cmocka_unit_test(names_come_sorted),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
