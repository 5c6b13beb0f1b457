/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiny_model.h - writes an ONNX file by hand: y[batch, width] = x[batch, 4] times w[4, width].
 *
 * w[i][j] is i + j / 16 (mod 8), small numbers that float32 sums exactly, so that devices must
 * agree to the bit. The width sets how much memory the weights take: 16 bytes each.
 */
#ifndef QUARK_TESTS_HOST_TINY_MODEL_H
#define QUARK_TESTS_HOST_TINY_MODEL_H

#include <stdint.h>

#define TINY_INPUTS 4u

/* Fails the test when the file can't be written. */
void write_tiny_model(const char *path, uint32_t width);

/* And one for pictures: y = Relu(x), both [batch, 1, 2, 2]. */
void write_picture_model(const char *path);

float tiny_weight(uint32_t row, uint32_t column);

#endif
