/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.h - what the decoders of this room share.
 *
 * Each decoder takes a whole file in memory, checks sides and pixels before it allocates for them,
 * and leaves `out_image` alone when it fails. None of them prints. Thread: any.
 */
#ifndef QUARK_KERNELS_IMAGE_DECODE_H
#define QUARK_KERNELS_IMAGE_DECODE_H

#include "quark/image.h"

struct qk__image_source {
    const char            *name;    /* for errors */
    const uint8_t         *bytes;
    size_t                 size;
    struct qk_image_limits limits;  /* filled in, no zeros */
};

qk_status qk__image_decode_png(const struct qk__image_source *source, qk_image *out_image,
                               struct qk_error *error);
qk_status qk__image_decode_jpeg(const struct qk__image_source *source, qk_image *out_image,
                                struct qk_error *error);
qk_status qk__image_decode_pnm(const struct qk__image_source *source, qk_image *out_image,
                               struct qk_error *error);

/* QK_INVALID_ARGUMENT for an empty picture, QK_RESOURCE_EXHAUSTED over a limit. */
qk_status qk__image_check_sides(const struct qk__image_source *source, uint64_t width,
                                uint64_t height, struct qk_error *error);

/*
 * Whether `raw_bytes` can come out of `size` deflated or entropy-coded bytes at all: a file of a
 * few bytes must not make us allocate what only its header promises.
 */
qk_status qk__image_check_promise(const struct qk__image_source *source, uint64_t raw_bytes,
                                  uint64_t best_ratio, struct qk_error *error);

#endif
