/* Puts many answers together; see weave.c. */
#ifndef GREENLIGHT_WEAVE_H
#define GREENLIGHT_WEAVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *weave(PyObject *module, PyObject *arguments);

#endif
