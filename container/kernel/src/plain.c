/* Answers the commonest request of a forest in one go: rows of plain numbers as JSON, by default. */
#include "module.h"

#include <string.h>

#include "rows.h"
#include "weave.h"

typedef struct {
    PyObject_HEAD
    PyObject *owned; /* a tuple of what the rest refers to */
    const Forest *forest;
    PyObject *begin;
    Piece beginning;
    Pattern pattern;
    size_t most_rows;
} PlainObject;

static PyObject *plain_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *words[] = {"forest", "begin", "beginning", "opening", "names",
                            "separator", "closing", "most_rows", NULL};
    ModuleState *state = PyType_GetModuleState(type);
    PyObject *forest, *begin, *beginning, *opening, *names, *separator, *closing;
    Py_ssize_t most_rows;
    if (!state || !PyArg_ParseTupleAndKeywords(
                      arguments, keywords, "O!OSSO!SSn:PlainAnswers", words, state->forest_type,
                      &forest, &begin, &beginning, &opening, &PyTuple_Type, &names, &separator,
                      &closing, &most_rows))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    PlainObject *self = (PlainObject *)allocate(type, 0);
    if (!self) return NULL;
    self->owned = PyTuple_Pack(7, forest, begin, beginning, opening, names, separator, closing);
    if (!self->owned || pattern_names(&self->pattern, names) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    self->forest = &((ForestObject *)forest)->forest;
    self->begin = begin;
    self->beginning = piece_of(beginning);
    self->pattern.opening = piece_of(opening);
    self->pattern.separator = piece_of(separator);
    self->pattern.closing = piece_of(closing);
    self->most_rows = most_rows < 0 ? 0 : (size_t)most_rows;
    if (self->pattern.width != self->forest->features) {
        PyErr_Format(PyExc_ValueError, "%zd names given; give %u, one for each feature, and the end",
                     PyTuple_Size(names), self->forest->features + 1);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void plain_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyMem_Free(((PlainObject *)object)->pattern.names);
    Py_XDECREF(((PlainObject *)object)->owned);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

/* Predict rows and write what is said of them. */
static PyObject *answered(const PlainObject *self, const float *values, const Piece *numbers,
                          size_t rows)
{
    size_t width = self->forest->outputs * sizeof(double);
    if (rows > (size_t)PY_SSIZE_T_MAX / width) return PyErr_NoMemory();
    PyObject *answer = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(rows * width)), *whole = NULL;
    if (!answer) return NULL;
    int failed =
        ask(forest_predict, self->forest, values, rows, (double *)PyBytes_AsString(answer));
    PyObject *heads =
        failed ? PyErr_NoMemory() : PyObject_CallFunctionObjArgs(self->begin, answer, NULL);
    Py_DECREF(answer);
    if (!heads) return NULL;
    if (PyList_CheckExact(heads) && (size_t)PyList_Size(heads) == rows)
        whole = woven(&self->pattern, heads, numbers);
    else
        PyErr_SetString(PyExc_ValueError, "begin gave no list of one head for each row");
    Py_DECREF(heads);
    return whole;
}

static PyObject *plain_answer(PyObject *object, PyObject *body)
{
    const PlainObject *self = (PlainObject *)object;
    if (!PyBytes_CheckExact(body)) {
        PyErr_SetString(PyExc_TypeError, "give a body that is bytes");
        return NULL;
    }
    Piece text = piece_of(body);
    const Piece *beginning = &self->beginning;
    if (text.size < beginning->size || memcmp(text.text, beginning->text, beginning->size) != 0)
        Py_RETURN_NONE;
    size_t most = rows_most_numbers(text.text, text.size), features = self->forest->features;
    if (most % features || most / features > self->most_rows) Py_RETURN_NONE;
    /* Not above the size of the body, so that no product overflows. */
    Piece *numbers = PyMem_Malloc(most * (sizeof(Piece) + sizeof(float)));
    if (!numbers) return PyErr_NoMemory();
    float *values = (float *)(numbers + most);
    size_t rows = rows_read(text.text + beginning->size, text.text + text.size, features, values,
                            numbers);
    PyObject *whole = rows ? answered(self, values, numbers, rows) : NULL;
    PyMem_Free(numbers);
    if (!rows) Py_RETURN_NONE;
    return whole ? Py_BuildValue("(Nn)", whole, (Py_ssize_t)rows) : NULL;
}

static PyMethodDef plain_methods[] = {
    {"answer", plain_answer, METH_O,
     "answer(body: bytes) -> tuple[bytes, int] | None\n\nAnswer a body; the answer's body and its "
     "rows. None where it is not just rows of\nplainly written numbers: then a reader of JSON has to "
     "look."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot plain_slots[] = {
    {Py_tp_doc,
     "PlainAnswers(forest, begin, beginning, opening, names, separator, closing, most_rows)\n\n"
     "Answers bodies that go on with rows after their `beginning`. begin(answer: bytes) -> list\n"
     "gives what is said of each row; names are written before its numbers and after the last."},
    {Py_tp_new, plain_new},
    {Py_tp_dealloc, plain_dealloc},
    {Py_tp_methods, plain_methods},
    {0, NULL},
};

PyType_Spec plain_spec = {
    "greenlight_kernel.PlainAnswers", sizeof(PlainObject), 0, Py_TPFLAGS_DEFAULT, plain_slots,
};
