/* SPDX-License-Identifier: Apache-2.0 */
/* test.h - what every cmocka program starts with: cmocka needs these headers before its own. */
#ifndef QUARK_TESTS_TEST_H
#define QUARK_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
