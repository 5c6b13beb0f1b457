/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of a store, held by every back end; then what only a store on disk can do wrong. */
#include "host/state/record.h"
#include "host/state/store.h"

#include "base/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

/* Each test has its own store; for LMDB in a fresh folder. */
struct fixture {
    struct qk__store *store;
    char              folder[64]; /* "": in memory */
};

static void open_store(struct fixture *fixture, uint64_t max_bytes)
{
    struct qk_error error = {0};
    const qk_status status = qk__store_open(fixture->folder[0] != '\0' ? fixture->folder : NULL,
                                            max_bytes, NULL, &fixture->store, &error);

    if (status != QK_OK)
        fail_msg("%s", error.text);
}

static int make_memory(void **state)
{
    struct fixture *fixture = qk__alloc_zero(sizeof *fixture);

    open_store(fixture, 0);
    *state = fixture;
    return 0;
}

static int make_lmdb(void **state)
{
    struct fixture *fixture = qk__alloc_zero(sizeof *fixture);

    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/quark-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    open_store(fixture, 0);
    *state = fixture;
    return 0;
}

static int free_fixture(void **state)
{
    struct fixture *fixture = *state;
    char            command[128];

    qk__store_close(fixture->store);
    if (fixture->folder[0] != '\0') {
        snprintf(command, sizeof command, "rm -r '%s'", fixture->folder);
        assert_int_equal(system(command), 0);
    }
    qk__free(fixture);
    return 0;
}

static void reopen(struct fixture *fixture, uint64_t max_bytes)
{
    qk__store_close(fixture->store);
    fixture->store = NULL;
    open_store(fixture, max_bytes);
}

static struct qk__state_write save(const char *type, const char *key, const char *name,
                                   const char *text, uint64_t expected)
{
    return (struct qk__state_write){{type, key, name}, false, text, strlen(text) + 1, expected};
}

static struct qk__state_write erase(const char *type, const char *key, const char *name,
                                    uint64_t expected)
{
    return (struct qk__state_write){
        .id = {type, key, name}, .is_delete = true, .expected_version = expected};
}

static qk_status commit_one(struct fixture *fixture, struct qk__state_write write,
                            struct qk_error *error)
{
    return qk__store_commit(fixture->store, &write, 1, error);
}

static void expect(struct fixture *fixture, const char *type, const char *key, const char *name,
                   const char *text, uint64_t version)
{
    char                  into[64] = {0};
    struct qk__state_read read = {.id = {type, key, name}, .into = into, .capacity = sizeof into};

    assert_int_equal(qk__store_load(fixture->store, &read, 1, NULL), QK_OK);
    assert_int_equal(read.version, version);
    assert_int_equal(read.is_there, text != NULL);
    if (text != NULL)
        assert_string_equal(into, text);
}

/* ---- Every back end ---- */

static void what_was_never_saved_is_version_zero(void **state)
{
    expect(*state, "camera", "1", "counts", NULL, 0);
}

static void each_save_raises_the_version_by_one(void **state)
{
    assert_int_equal(commit_one(*state, save("camera", "1", "counts", "one", 0), NULL), QK_OK);
    expect(*state, "camera", "1", "counts", "one", 1);
    assert_int_equal(commit_one(*state, save("camera", "1", "counts", "a longer two", 1), NULL),
                     QK_OK);
    expect(*state, "camera", "1", "counts", "a longer two", 2);
}

static void a_conflict_names_record_and_both_versions(void **state)
{
    struct qk_error        error = {0};
    struct qk__store_stats stats;
    struct fixture        *fixture = *state;

    assert_int_equal(commit_one(fixture, save("camera", "1", "counts", "one", 0), NULL), QK_OK);
    assert_int_equal(commit_one(fixture, save("camera", "1", "counts", "two", 7), &error),
                     QK_VERSION_CONFLICT);
    assert_string_equal(error.text,
                        "state counts of camera/1: version 7 was expected, version 1 is there");
    expect(fixture, "camera", "1", "counts", "one", 1);
    qk__store_stats(fixture->store, &stats);
    assert_int_equal(stats.conflicts, 1);
    assert_int_equal(stats.commits, 1);
}

static void a_batch_is_written_whole_or_not_at_all(void **state)
{
    struct fixture              *fixture = *state;
    const struct qk__state_write bad[] = {save("t", "k", "new", "x", 0),
                                          save("t", "k", "old", "y", 3),
                                          save("t", "k", "other", "z", 0)};
    const struct qk__state_write good[] = {save("t", "k", "new", "x", 0), erase("t", "k", "old", 1),
                                           save("t", "k", "other", "z", 0)};

    assert_int_equal(commit_one(fixture, save("t", "k", "old", "o", 0), NULL), QK_OK);
    assert_int_equal(qk__store_commit(fixture->store, bad, 3, NULL), QK_VERSION_CONFLICT);
    expect(fixture, "t", "k", "new", NULL, 0);
    expect(fixture, "t", "k", "old", "o", 1);
    expect(fixture, "t", "k", "other", NULL, 0);

    assert_int_equal(qk__store_commit(fixture->store, good, 3, NULL), QK_OK);
    expect(fixture, "t", "k", "new", "x", 1);
    expect(fixture, "t", "k", "old", NULL, 0);
    expect(fixture, "t", "k", "other", "z", 1);
}

static void a_delete_wants_the_right_version_too(void **state)
{
    assert_int_equal(commit_one(*state, save("t", "k", "n", "x", 0), NULL), QK_OK);
    assert_int_equal(commit_one(*state, erase("t", "k", "n", 2), NULL), QK_VERSION_CONFLICT);
    expect(*state, "t", "k", "n", "x", 1);
    assert_int_equal(commit_one(*state, erase("t", "k", "n", 1), NULL), QK_OK);
    expect(*state, "t", "k", "n", NULL, 0);
    assert_int_equal(commit_one(*state, save("t", "k", "n", "again", 0), NULL), QK_OK);
    expect(*state, "t", "k", "n", "again", 1);
}

static void ids_that_read_alike_are_kept_apart(void **state)
{
    assert_int_equal(commit_one(*state, save("a", "bc", "d", "1", 0), NULL), QK_OK);
    assert_int_equal(commit_one(*state, save("ab", "c", "d", "2", 0), NULL), QK_OK);
    assert_int_equal(commit_one(*state, save("a", "b", "cd", "3", 0), NULL), QK_OK);
    assert_int_equal(commit_one(*state, save("a:1", "b/c", "d", "4", 0), NULL), QK_OK);
    expect(*state, "a", "bc", "d", "1", 1);
    expect(*state, "ab", "c", "d", "2", 1);
    expect(*state, "a", "b", "cd", "3", 1);
    expect(*state, "a:1", "b/c", "d", "4", 1);
}

static void an_id_too_long_or_empty_is_refused(void **state)
{
    struct qk_error error = {0};
    char            key[600];

    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    assert_int_equal(commit_one(*state, save("camera", key, "n", "x", 0), &error),
                     QK_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "over 511 bytes"));
    assert_int_equal(commit_one(*state, save("camera", "", "n", "x", 0), &error),
                     QK_INVALID_ARGUMENT);
    key[500] = '\0';
    assert_int_equal(commit_one(*state, save("camera", key, "n", "x", 0), &error), QK_OK);
    expect(*state, "camera", key, "n", "x", 1);
}

static void a_record_longer_than_its_reader_is_told_not_cut(void **state)
{
    struct fixture       *fixture = *state;
    char                  into[4] = "abc";
    struct qk__state_read read = {.id = {"t", "k", "n"}, .into = into, .capacity = sizeof into};

    assert_int_equal(commit_one(fixture, save("t", "k", "n", "longer than four", 0), NULL), QK_OK);
    assert_int_equal(qk__store_load(fixture->store, &read, 1, NULL), QK_OK);
    assert_int_equal(read.size_bytes, sizeof "longer than four");
    assert_string_equal(into, "abc");
}

static void an_empty_state_is_still_there(void **state)
{
    struct fixture       *fixture = *state;
    struct qk__state_read read = {.id = {"t", "k", "n"}};

    assert_int_equal(
        commit_one(fixture, (struct qk__state_write){{"t", "k", "n"}, false, "", 0, 0}, NULL),
        QK_OK);
    assert_int_equal(qk__store_load(fixture->store, &read, 1, NULL), QK_OK);
    assert_true(read.is_there);
    assert_int_equal(read.size_bytes, 0);
}

struct list {
    char   text[256];
    size_t left; /* stop after so many */
};

static bool list_one(void *arg, const struct qk__state_id *id, uint64_t version, const void *bytes,
                     size_t size_bytes)
{
    struct list *list = arg;
    const size_t used = strlen(list->text);

    assert_int_equal(strlen(bytes) + 1, size_bytes);
    snprintf(list->text + used, sizeof list->text - used, "%s/%s/%s=%s@%" PRIu64 " ", id->type,
             id->key, id->name, (const char *)bytes, version);
    return --list->left > 0;
}

static void expect_scan(struct fixture *fixture, const char *type, const char *key, size_t at_most,
                        const char *text)
{
    struct list list = {.left = at_most};

    assert_int_equal(qk__store_scan(fixture->store, type, key, list_one, &list, NULL), QK_OK);
    assert_string_equal(list.text, text);
}

static void a_scan_is_in_order_and_knows_where_a_name_ends(void **state)
{
    expect_scan(*state, NULL, NULL, 9, "");
    assert_int_equal(commit_one(*state, save("cam", "2", "n", "b", 0), NULL), QK_OK);
    assert_int_equal(commit_one(*state, save("camera", "1", "n", "c", 0), NULL), QK_OK);
    assert_int_equal(commit_one(*state, save("cam", "1", "n", "a", 0), NULL), QK_OK);
    assert_int_equal(commit_one(*state, save("cam", "10", "n", "d", 0), NULL), QK_OK);
    assert_int_equal(commit_one(*state, save("cam", "1", "m", "e", 0), NULL), QK_OK);
    expect_scan(*state, NULL, NULL, 9,
                "cam/1/m=e@1 cam/1/n=a@1 cam/10/n=d@1 cam/2/n=b@1 camera/1/n=c@1 ");
    expect_scan(*state, "cam", NULL, 9, "cam/1/m=e@1 cam/1/n=a@1 cam/10/n=d@1 cam/2/n=b@1 ");
    expect_scan(*state, "cam", "1", 9, "cam/1/m=e@1 cam/1/n=a@1 ");
    expect_scan(*state, NULL, NULL, 2, "cam/1/m=e@1 cam/1/n=a@1 ");
    expect_scan(*state, "nobody", NULL, 9, "");
}

static void records_are_counted(void **state)
{
    struct fixture        *fixture = *state;
    struct qk__store_stats stats;

    assert_int_equal(commit_one(fixture, save("t", "k", "a", "x", 0), NULL), QK_OK);
    assert_int_equal(commit_one(fixture, save("t", "k", "b", "x", 0), NULL), QK_OK);
    assert_int_equal(commit_one(fixture, erase("t", "k", "a", 1), NULL), QK_OK);
    qk__store_stats(fixture->store, &stats);
    assert_int_equal(stats.records, 1);
    assert_true(stats.bytes > 0);
    assert_string_equal(stats.kind, fixture->folder[0] != '\0' ? "lmdb" : "memory");
    assert_string_equal(stats.path, fixture->folder);
}

/* ---- On disk ---- */

static void a_reopened_store_has_what_was_saved(void **state)
{
    assert_int_equal(commit_one(*state, save("t", "k", "n", "kept", 0), NULL), QK_OK);
    reopen(*state, 0);
    expect(*state, "t", "k", "n", "kept", 1);
}

static void a_second_host_is_told_who_has_the_folder(void **state)
{
    const struct fixture *fixture = *state;
    struct qk__store     *second = NULL;
    struct qk_error       error = {0};
    char                  expected[128];

    assert_int_equal(qk__store_open(fixture->folder, 0, NULL, &second, &error), QK_UNAVAILABLE);
    assert_null(second);
    snprintf(expected, sizeof expected, "state folder %s is in use by another host (process %ld)",
             fixture->folder, (long)getpid());
    assert_string_equal(error.text, expected);
}

static void a_folder_that_cannot_be_made_is_named(void **state)
{
    const struct fixture *fixture = *state;
    struct qk__store     *store = NULL;
    struct qk_error       error = {0};
    char                  folder[128];

    snprintf(folder, sizeof folder, "%s/data.mdb/below", fixture->folder);
    assert_int_not_equal(qk__store_open(folder, 0, NULL, &store, &error), QK_OK);
    assert_null(store);
    assert_non_null(strstr(error.text, folder));
}

static void a_folder_that_may_not_be_written_is_named(void **state)
{
    const struct fixture *fixture = *state;
    struct qk__store     *store = NULL;
    struct qk_error       error = {0};
    char                  folder[128];

    if (geteuid() == 0)
        skip(); /* root may write anywhere */
    snprintf(folder, sizeof folder, "%s/read-only", fixture->folder);
    assert_int_equal(mkdir(folder, 0500), 0);
    assert_int_equal(qk__store_open(folder, 0, NULL, &store, &error), QK_PERMISSION_DENIED);
    assert_non_null(strstr(error.text, folder));
    assert_int_equal(rmdir(folder), 0);
}

static void path_of(const struct fixture *fixture, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", fixture->folder, name);
}

static void expect_no_store(struct fixture *fixture, const char *part)
{
    struct qk_error error = {0};

    assert_int_equal(qk__store_open(fixture->folder, 0, NULL, &fixture->store, &error),
                     QK_DATA_LOSS);
    assert_null(fixture->store);
    assert_non_null(strstr(error.text, fixture->folder));
    assert_non_null(strstr(error.text, part));
}

static void a_file_that_is_no_store_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char            path[128], junk[8192];
    int             file;

    qk__store_close(fixture->store);
    fixture->store = NULL;
    path_of(fixture, "data.mdb", path);
    memset(junk, 'j', sizeof junk);
    file = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(file, junk, sizeof junk), sizeof junk);
    close(file);
    expect_no_store(fixture, "data.mdb");
}

static void a_store_that_was_cut_off_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char            path[128];

    assert_int_equal(commit_one(fixture, save("t", "k", "n", "x", 0), NULL), QK_OK);
    qk__store_close(fixture->store);
    fixture->store = NULL;
    path_of(fixture, "data.mdb", path);
    assert_int_equal(truncate(path, 2 * 4096 + 100), 0);
    expect_no_store(fixture, "is cut off");
}

/* Turns the first place where `text` stands in the store's file into something else. */
static void corrupt_file(const struct fixture *fixture, const char *text)
{
    char        path[128];
    const off_t size_max = 1 << 20;
    char       *bytes = qk__alloc((size_t)size_max), *at = NULL;
    int         file;
    ssize_t     size;

    path_of(fixture, "data.mdb", path);
    file = open(path, O_RDWR);
    size = pread(file, bytes, (size_t)size_max, 0);
    assert_true(size > 0);
    while ((at = memmem(at != NULL ? at + 1 : bytes,
                        (size_t)(bytes + size - (at != NULL ? at + 1 : bytes)), text,
                        strlen(text))) != NULL)
        assert_int_equal(pwrite(file, "X", 1, at - bytes), 1);
    close(file);
    qk__free(bytes);
}

static void a_corrupt_record_is_data_loss_and_named_and_the_others_are_read(void **state)
{
    struct fixture       *fixture = *state;
    struct qk_error       error = {0};
    struct list           list = {.left = 9};
    char                  into[64];
    struct qk__state_read read = {
        .id = {"camera", "7", "counts"}, .into = into, .capacity = sizeof into};

    assert_int_equal(commit_one(fixture, save("camera", "7", "counts", "precious-value", 0), NULL),
                     QK_OK);
    assert_int_equal(commit_one(fixture, save("camera", "8", "counts", "other", 0), NULL), QK_OK);
    qk__store_close(fixture->store);
    fixture->store = NULL;
    corrupt_file(fixture, "precious-value");
    open_store(fixture, 0);

    assert_int_equal(qk__store_load(fixture->store, &read, 1, &error), QK_DATA_LOSS);
    assert_string_equal(error.text,
                        "state counts of camera/7: the record is corrupt, its checksum is wrong");
    assert_int_equal(commit_one(fixture, save("camera", "7", "counts", "new", 1), &error),
                     QK_DATA_LOSS);
    expect(fixture, "camera", "8", "counts", "other", 1);
    assert_int_equal(qk__store_scan(fixture->store, NULL, NULL, list_one, &list, &error),
                     QK_DATA_LOSS);
    assert_string_equal(list.text, "camera/8/counts=other@1 ");
}

static void a_record_under_anothers_key_is_corrupt(void **state)
{
    struct qk__record_key first, second;
    unsigned char         record[QK__RECORD_HEADER_BYTES + 4] = {0};
    uint64_t              version;
    const void           *bytes;
    size_t                size;

    (void)state;
    assert_int_equal(qk__record_key_encode(&(struct qk__state_id){"t", "a", "n"}, &first, NULL),
                     QK_OK);
    assert_int_equal(qk__record_key_encode(&(struct qk__state_id){"t", "b", "n"}, &second, NULL),
                     QK_OK);
    memcpy(record + QK__RECORD_HEADER_BYTES, "abc", 4);
    qk__record_seal(&first, 5, record, sizeof record);
    assert_int_equal(qk__record_open(&first, record, sizeof record, &version, &bytes, &size, NULL),
                     QK_OK);
    assert_int_equal(version, 5);
    assert_string_equal(bytes, "abc");
    assert_int_equal(qk__record_open(&second, record, sizeof record, &version, &bytes, &size, NULL),
                     QK_DATA_LOSS);
    assert_int_equal(
        qk__record_open(&first, record, QK__RECORD_HEADER_BYTES - 1, &version, &bytes, &size, NULL),
        QK_DATA_LOSS);
}

static void a_full_store_says_so_and_goes_on(void **state)
{
    struct fixture        *fixture = *state;
    struct qk_error        error = {0};
    char                  *big = qk__alloc_zero(4u << 20);
    struct qk__state_write write = {{"t", "k", "big"}, false, big, 4u << 20, 0};

    reopen(fixture, 2u << 20);
    assert_int_equal(commit_one(fixture, write, &error), QK_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.text, fixture->folder));
    assert_non_null(strstr(error.text, "is full: its limit is 2097152 bytes"));
    assert_int_equal(commit_one(fixture, save("t", "k", "small", "x", 0), &error), QK_OK);
    expect(fixture, "t", "k", "small", "x", 1);
    qk__free(big);
}

/* The child: two records with one number in each commit, telling every number that was
 * committed. */
static void commit_until_killed(const char *folder, int acknowledge)
{
    struct qk__store *store;

    if (qk__store_open(folder, 0, NULL, &store, NULL) != QK_OK)
        _exit(1);
    for (uint64_t i = 0;; i++) {
        const uint64_t               number = i + 1;
        const struct qk__state_write writes[] = {
            {{"t", "k", "left"}, false, &number, sizeof number, i},
            {{"t", "k", "right"}, false, &number, sizeof number, i}};

        if (qk__store_commit(store, writes, 2, NULL) != QK_OK ||
            write(acknowledge, &number, sizeof number) != sizeof number)
            _exit(1);
    }
}

static uint64_t run_and_kill(const char *folder, useconds_t after_us)
{
    uint64_t acknowledged = 0, number;
    int      ends[2], status;
    pid_t    child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0)
        commit_until_killed(folder, ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], &number, sizeof number), sizeof number); /* it is under way */
    acknowledged = number;
    usleep(after_us);
    kill(child, SIGKILL);
    while (read(ends[0], &number, sizeof number) == sizeof number)
        acknowledged = number;
    close(ends[0]);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    return acknowledged;
}

static void what_was_acknowledged_survives_a_kill_whole(void **state)
{
    struct fixture       *fixture = *state;
    uint64_t              left = 0, right = 0, acknowledged;
    struct qk__state_read reads[] = {
        {.id = {"t", "k", "left"}, .into = &left, .capacity = sizeof left},
        {.id = {"t", "k", "right"}, .into = &right, .capacity = sizeof right}};

    for (useconds_t round = 0; round < 5; round++) {
        struct qk__state_write clear[2];

        qk__store_close(fixture->store);
        fixture->store = NULL;
        acknowledged = run_and_kill(fixture->folder, 3000 + 1700 * round);
        open_store(fixture, 0);
        assert_int_equal(qk__store_load(fixture->store, reads, 2, NULL), QK_OK);
        assert_true(left >= acknowledged && left <= acknowledged + 1);
        assert_int_equal(left, right);
        assert_int_equal(reads[0].version, left);
        clear[0] = erase("t", "k", "left", left);
        clear[1] = erase("t", "k", "right", right);
        assert_int_equal(qk__store_commit(fixture->store, clear, 2, NULL), QK_OK);
    }
}

#define EITHER(test)                                           \
    {"memory: " #test, test, make_memory, free_fixture, NULL}, \
    {                                                          \
        "lmdb: " #test, test, make_lmdb, free_fixture, NULL    \
    }
#define ON_DISK(test)                              \
    {                                              \
#test, test, make_lmdb, free_fixture, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        EITHER(what_was_never_saved_is_version_zero),
        EITHER(each_save_raises_the_version_by_one),
        EITHER(a_conflict_names_record_and_both_versions),
        EITHER(a_batch_is_written_whole_or_not_at_all),
        EITHER(a_delete_wants_the_right_version_too),
        EITHER(ids_that_read_alike_are_kept_apart),
        EITHER(an_id_too_long_or_empty_is_refused),
        EITHER(a_record_longer_than_its_reader_is_told_not_cut),
        EITHER(an_empty_state_is_still_there),
        EITHER(a_scan_is_in_order_and_knows_where_a_name_ends),
        EITHER(records_are_counted),
        ON_DISK(a_reopened_store_has_what_was_saved),
        ON_DISK(a_second_host_is_told_who_has_the_folder),
        ON_DISK(a_folder_that_cannot_be_made_is_named),
        ON_DISK(a_folder_that_may_not_be_written_is_named),
        ON_DISK(a_file_that_is_no_store_is_refused),
        ON_DISK(a_store_that_was_cut_off_is_refused),
        ON_DISK(a_corrupt_record_is_data_loss_and_named_and_the_others_are_read),
        cmocka_unit_test(a_record_under_anothers_key_is_corrupt),
        ON_DISK(a_full_store_says_so_and_goes_on),
        ON_DISK(what_was_acknowledged_survives_a_kill_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
