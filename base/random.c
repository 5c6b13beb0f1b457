/* SPDX-License-Identifier: Apache-2.0 */
/* random.c - see random.h. */
#include "base/random.h"

#include <math.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ull;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

void qk__random_init(struct qk__random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->s[i] = splitmix64(&seed);
}

uint64_t qk__random_next(struct qk__random *random)
{
    uint64_t      *s = random->s;
    const uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t qk__random_below(struct qk__random *random, uint64_t bound)
{
    unsigned __int128 product = (unsigned __int128)qk__random_next(random) * bound;

    if ((uint64_t)product < bound) {
        const uint64_t threshold = -bound % bound;

        while ((uint64_t)product < threshold)
            product = (unsigned __int128)qk__random_next(random) * bound;
    }
    return (uint64_t)(product >> 64);
}

double qk__random_unit(struct qk__random *random)
{
    return (double)(qk__random_next(random) >> 11) * 0x1p-53;
}

double qk__random_normal(struct qk__random *random)
{
    const double radius = sqrt(-2.0 * log(1.0 - qk__random_unit(random)));

    return radius * cos(6.283185307179586 * qk__random_unit(random));
}
