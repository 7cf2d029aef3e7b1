/* Puts many answers together; see weave.c. */
#ifndef GREENLIGHT_WEAVE_H
#define GREENLIGHT_WEAVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "rows.h"

/* What stands between heads and numbers; of bytes objects that live as long. */
typedef struct {
    Piece opening, separator, closing;
    Piece *names; /* width + 1: one before each number of a row, and the end of the row */
    size_t width;
} Pattern;

/* Fill names and width from a tuple; -1 with an exception where it is not of bytes. */
int pattern_names(Pattern *pattern, PyObject *names);
Piece piece_of(PyObject *bytes);

/* Write heads, a list of bytes, with width numbers each; NULL with an exception. */
PyObject *woven(const Pattern *pattern, PyObject *heads, const Piece *numbers);
PyObject *weave(PyObject *module, PyObject *arguments);

#endif
