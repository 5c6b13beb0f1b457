/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thin.h - measures some of many alike things, ever fewer the more there are.
 *
 * The first QK__THIN_RUN are taken one by one, then as many of every second, of every fourth, and so
 * on; each that is taken stands for those up to the next. So what a million of them cost to measure
 * grows with the logarithm of their number, and weighted sums still estimate all.
 */
#ifndef QUARK_BASE_THIN_H
#define QUARK_BASE_THIN_H

#include <stdbool.h>
#include <stdint.h>

#define QK__THIN_RUN 16u

/* All zero bytes: nothing has come yet. */
struct qk__thin {
    uint32_t until;    /* things to pass over before the next is taken */
    uint32_t taken;    /* of this run */
    uint32_t shift;    /* one of 2^shift is taken */
};

/* Passes over the next thing; false: it is to be taken. */
static inline bool qk__thin_pass(struct qk__thin *thin)
{
    if (thin->until == 0)
        return false;
    thin->until--;
    return true;
}

/* Of the next thing: how many it stands for; 0: it is passed over. */
static inline uint64_t qk__thin_take(struct qk__thin *thin)
{
    uint64_t stands_for;

    if (qk__thin_pass(thin))
        return 0;
    stands_for = 1ull << thin->shift;
    if (++thin->taken == QK__THIN_RUN && thin->shift < 30) {
        thin->taken = 0;
        thin->shift++;
    }
    thin->until = (uint32_t)stands_for - 1;
    return stands_for;
}

#endif
