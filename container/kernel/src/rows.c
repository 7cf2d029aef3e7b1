/* Reads rows of numbers as clients commonly write them, to the same float32 as Python would.
 *
 * It says yes or no, and no is always allowed: whatever is longer, larger or odder than what is read
 * here is left to the server's reader of JSON, which knows all of it and says what is wrong. */
#include "rows.h"

#include <float.h>
#include <math.h>
#include <stdint.h>

/* Elsewhere a product could be rounded twice; such a machine is served by ONNX Runtime. */
_Static_assert(FLT_EVAL_METHOD == 0 && DBL_MANT_DIG == 53, "doubles must be those of IEEE 754");

#define LARGEST_EXACT (UINT64_C(1) << 53)
#define LARGEST_POWER 22
static const double POWERS[LARGEST_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static int is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') at++;
    return at;
}

/* Append digits to a number; NULL where there are none, or too many for 64 bits. */
static const char *read_digits(const char *at, uint64_t *number)
{
    const char *first = at;
    for (; is_digit(*at); at++) {
        if (*number > (UINT64_MAX - 9) / 10) return NULL;
        *number = *number * 10 + (uint64_t)(*at - '0');
    }
    return at == first ? NULL : at;
}

/* Round digits * 10^scale to a double and that to a float, as Python and NumPy do; 0: not certain.
 *
 * Digits up to 2^53 and powers up to 10^22 are doubles themselves, so that one operation gives the
 * nearest double (Clinger, "How to read floating point numbers accurately", 1990). With more digits
 * it is off by some 2^-52 of the number, which matters only where both ends of what it can be are
 * different floats. */
static int round_number(uint64_t digits, long scale, int is_negative, float *value)
{
    if (scale < -LARGEST_POWER || scale > LARGEST_POWER) return 0;
    double number = scale < 0 ? (double)digits / POWERS[-scale] : (double)digits * POWERS[scale];
    *value = (float)number;
    if (digits > LARGEST_EXACT &&
        ((float)(number * (1 - 0x1p-50)) != *value || (float)(number * (1 + 0x1p-50)) != *value))
        return 0;
    if (is_negative) *value = -*value;
    return isfinite(*value);
}

/* Read one number as JSON has them; NULL where it is not one, or not certain. */
static const char *read_number(const char *at, float *value)
{
    int is_negative = *at == '-';
    uint64_t digits = 0, exponent = 0;
    long scale = 0;
    const char *first = at + is_negative;
    if (!(at = read_digits(first, &digits)) || (*first == '0' && at > first + 1)) return NULL;
    if (*at == '.') {
        const char *point = at + 1;
        if (!(at = read_digits(point, &digits))) return NULL;
        scale = point - at;
    }
    else if (is_negative && !digits) return NULL; /* -0 is a whole number, which has no such sign */
    if (*at == 'e' || *at == 'E') {
        int is_down = at[1] == '-';
        at = read_digits(at + 1 + (is_down || at[1] == '+'), &exponent);
        if (!at || exponent > 2 * LARGEST_POWER) return NULL;
        scale += is_down ? -(long)exponent : (long)exponent;
    }
    return round_number(digits, scale, is_negative, value) ? at : NULL;
}

size_t rows_most_numbers(const char *text, size_t size)
{
    size_t commas = 0;
    for (size_t i = 0; i < size; i++) commas += text[i] == ',';
    return commas + 1;
}

size_t rows_read(const char *text, const char *end, size_t features, float *values, Piece *numbers)
{
    size_t rows = 0;
    const char *at = skip_blanks(text);
    if (*at++ != '[') return 0;
    do {
        at = skip_blanks(at);
        if (*at++ != '[') return 0;
        for (size_t i = 0; i < features; i++) {
            if (i && *at++ != ',') return 0;
            const char *first = skip_blanks(at);
            if (!(at = read_number(first, values++))) return 0;
            *numbers++ = (Piece){first, (size_t)(at - first)};
            at = skip_blanks(at);
        }
        if (*at++ != ']') return 0;
        rows++;
        at = skip_blanks(at);
    } while (*at++ == ',');
    if (at[-1] != ']') return 0;
    at = skip_blanks(at);
    if (*at++ != '}') return 0;
    return skip_blanks(at) == end ? rows : 0;
}
