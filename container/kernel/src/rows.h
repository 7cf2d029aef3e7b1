/* Rows of plainly written numbers, read from a text; see rows.c. Nothing here knows Python. */
#ifndef GREENLIGHT_ROWS_H
#define GREENLIGHT_ROWS_H

#include <stddef.h>

typedef struct {
    const char *text;
    size_t size;
} Piece;

/* Most numbers that rows_read can find: one more than there are commas. */
size_t rows_most_numbers(const char *text, size_t size);

/* Read `[[1, 2], [3, 4]]` and the brace that closes the object around it, up to the NUL at `end`.
 * values and numbers, which say where each one stands, have room for rows_most_numbers.
 * Gives the number of rows; 0 for whatever is not certain to be just this. */
size_t rows_read(const char *text, const char *end, size_t features, float *values, Piece *numbers);

#endif
