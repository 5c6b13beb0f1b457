/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "../test.h"

#include <string.h>

static void hashes_are_the_published_ones(void **state)
{
    char             hex[65];
    struct qk__sha256 sha;
    (void)state;

    /* XXH3 and SHA-256 of the empty string, from their authors' test vectors. */
    assert_true(qk__hash64("", 0) == 0x2D06800538D394C2ull);
    assert_true(qk__hash128("", 0).lo == 0x6001C324468D497Full);
    assert_true(qk__hash128("", 0).hi == 0x99AA06D3014798D8ull);
    qk__sha256_init(&sha);
    assert_int_equal(qk__sha256_finish(&sha, hex), QK_OK);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void pieces_hash_like_the_whole(void **state)
{
    struct qk__sha256 sha;
    char              whole[65], pieces[65];
    (void)state;

    qk__sha256_init(&sha);
    qk__sha256_update(&sha, "abc", 3);
    assert_int_equal(qk__sha256_finish(&sha, whole), QK_OK);
    qk__sha256_init(&sha);
    qk__sha256_update(&sha, "a", 1);
    qk__sha256_update(&sha, "bc", 2);
    assert_int_equal(qk__sha256_finish(&sha, pieces), QK_OK);
    assert_string_equal(whole, pieces);
    assert_string_equal(whole, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_the_published_ones),
        cmocka_unit_test(pieces_hash_like_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
