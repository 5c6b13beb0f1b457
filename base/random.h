/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random.h - seeded pseudo-random numbers: xoshiro256** seeded by splitmix64 (Blackman and
 * Vigna, public domain algorithms). Never for secrets. The same seed gives the same numbers on
 * every machine.
 */
#ifndef QUARK_BASE_RANDOM_H
#define QUARK_BASE_RANDOM_H

#include <stdint.h>

struct qk__random {
    uint64_t s[4];
};

void     qk__random_init(struct qk__random *random, uint64_t seed);
uint64_t qk__random_next(struct qk__random *random);

/* Uniform in [0, bound), without bias (Lemire's multiply and reject); bound > 0. */
uint64_t qk__random_below(struct qk__random *random, uint64_t bound);

/* Uniform in [0, 1), 53 bits. */
double qk__random_unit(struct qk__random *random);

/* Mean 0, deviation 1 (Box-Muller). */
double qk__random_normal(struct qk__random *random);

#endif
