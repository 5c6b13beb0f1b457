/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support.h - what the tests of devices/ share: devices of each kind, opened alike, and folders of
 * their own.
 */
#ifndef QUARK_TESTS_DEVICES_SUPPORT_H
#define QUARK_TESTS_DEVICES_SUPPORT_H

#include "devices/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKIPPED 77    /* ctest's "skipped" */

/* An open set and the one device under test. */
struct bench {
    qk__topology     *topology;
    qk__device_set   *set;
    qk__device       *device;
    qk__program      *program;    /* OpenCL only */
    qk_driver_kernel *add_one;
    struct numbers   *runs;    /* arguments of host functions, freed at the end */
};

/* A new empty folder below /tmp, and its removal with all that is in it. */
void make_folder(char *out, size_t size);
void remove_folder(const char *folder);
void write_text(const char *folder, const char *name, const char *text, char *out_path,
                size_t size);

/*
 * Opens a set over a synthetic machine of one NUMA node. PoCL's own cache goes to a folder of this
 * process, so that no program sees another's. Fails the test when it can't.
 */
void bench_open(struct bench *bench, const struct qk__device_opts *opts);
void bench_close(struct bench *bench);

/* The first device of a kind into bench->device; false when there is none. */
bool bench_find(struct bench *bench, enum qk_device_kind kind);

/*
 * Adds 1 to each of `count` numbers in the device's memory, by a kernel or a host function as the
 * device takes it.
 */
qk_status bench_add_one(struct bench *bench, qk__buffer *numbers, uint32_t count,
                        struct qk__waits after, qk__event **out_event, struct qk_error *error);

/*
 * Is there an OpenCL device at all? Where there must be (CI=true) its absence fails; else the
 * caller returns SKIPPED.
 */
bool has_opencl(void);

#endif
