/* SPDX-License-Identifier: Apache-2.0 */
/* half.c - see half.h. Plain C: not every compiler here knows _Float16 on every processor. */
#include "kernels/graph/half.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

float qk__half_to_float(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1fu,
                   mantissa = bits & 0x3ffu;

    if (exponent == 0x1f)
        return of_bits(sign | 0x7f800000u | mantissa << 13);
    if (exponent == 0)
        return sign != 0 ? -ldexpf((float)mantissa, -24) : ldexpf((float)mantissa, -24);
    return of_bits(sign | (exponent + 112u) << 23 | mantissa << 13);
}

uint16_t qk__half_from_float(float value)
{
    const uint32_t bits = bits_of(value), magnitude = bits & 0x7fffffffu;
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);

    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude <
        0x38800000u) /* below the smallest normal: count in steps of 2^-24, nearest even */
        return (uint16_t)(sign | (uint16_t)nearbyintf(ldexpf(of_bits(magnitude), 24)));
    return (
        uint16_t)(sign |
                  (uint16_t)((magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13));
}

float qk__bfloat_to_float(uint16_t bits)
{
    return of_bits((uint32_t)bits << 16);
}

uint16_t qk__bfloat_from_float(float value)
{
    const uint32_t bits = bits_of(value);

    if (isnan(value))
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
