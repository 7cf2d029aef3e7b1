/* What the Python face of the kernel is made of; see module.c and plain.c. */
#ifndef GREENLIGHT_MODULE_H
#define GREENLIGHT_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "forest.h"

typedef struct {
    PyObject_HEAD
    Forest forest;
} ForestObject;

typedef struct {
    PyObject *forest_type;
} ModuleState;

typedef int Query(const Forest *, const float *, size_t, double *);

/* Answer rows, without the interpreter's lock where that pays; what the query gives. */
int ask(Query *query, const Forest *forest, const float *rows, size_t count, double *out);

extern PyType_Spec plain_spec;

#endif
