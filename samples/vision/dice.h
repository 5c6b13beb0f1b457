/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dice.h - seeded chance for drawn frames and made-up days: the same seed gives the same ones
 * everywhere. splitmix64 (Vigna, public domain). A value; copy it freely.
 */
#ifndef VISION_DICE_H
#define VISION_DICE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Dice for one of many purposes below the same seed: neighbouring purposes share nothing. */
static inline struct dice dice_for(uint64_t seed, uint64_t purpose)
{
    struct dice dice = {seed};

    dice.state = dice_next(&dice) ^ purpose * 0xd1342543de82ef95u;
    (void)dice_next(&dice);
    return dice;
}

/* Uniform in [low, high). */
static inline float dice_between(struct dice *dice, float low, float high)
{
    return low + (high - low) * (float)(dice_next(dice) >> 40) * 0x1p-24f;
}

/* Uniform in [0, bound), bound > 0; the bias of the remainder is far below anything seen here. */
static inline uint32_t dice_below(struct dice *dice, uint32_t bound)
{
    return (uint32_t)((dice_next(dice) >> 32) % bound);
}

static inline bool dice_chance(struct dice *dice, float share)
{
    return dice_between(dice, 0, 1) < share;
}

/* Mean 0, deviation 1: a sum of three is round enough for noise, and cheap for every pixel. */
static inline float dice_noise(struct dice *dice)
{
    float sum = dice_between(dice, -1, 1);

    sum += dice_between(dice, -1, 1);
    return sum + dice_between(dice, -1, 1);
}

/* Waiting time of something that happens once in `mean` on average. */
static inline double dice_wait(struct dice *dice, double mean)
{
    return -mean * log(1.0 - (double)(dice_next(dice) >> 11) * 0x1p-53);
}

#endif
