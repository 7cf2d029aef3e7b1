/* The Python face of the kernel, in the stable ABI of Python 3.11 and later. */
#include "module.h"

#include <math.h>

#include "weave.h"

#define FREE_GIL_ROWS 16 /* below, taking the lock back costs more than others gain */

/* 1: packed; 0: not a plain row of finite numbers, no exception is set. */
static int pack_row(PyObject *row, Py_ssize_t features, float *out)
{
    if (!PyList_CheckExact(row) || PyList_Size(row) != features) return 0;
    for (Py_ssize_t i = 0; i < features; i++) {
        PyObject *item = PyList_GetItem(row, i);
        double value;
        if (PyFloat_CheckExact(item))
            value = PyFloat_AsDouble(item);
        else if (PyLong_CheckExact(item)) {
            value = PyLong_AsDouble(item);
            if (value == -1.0 && PyErr_Occurred()) {
                PyErr_Clear();
                return 0;
            }
        } else
            return 0;
        out[i] = (float)value;
        if (!isfinite(out[i])) return 0;
    }
    return 1;
}

static PyObject *pack_rows(PyObject *module, PyObject *arguments)
{
    PyObject *rows;
    Py_ssize_t features;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "On:pack_rows", &rows, &features)) return NULL;
    if (features < 1 || features > (Py_ssize_t)FOREST_MAX_FEATURES) {
        PyErr_Format(PyExc_ValueError, "feature_count is %zd; give 1 to %u", features,
                     FOREST_MAX_FEATURES);
        return NULL;
    }
    if (!PyList_CheckExact(rows)) Py_RETURN_NONE;
    Py_ssize_t count = PyList_Size(rows);
    if (count > PY_SSIZE_T_MAX / features / (Py_ssize_t)sizeof(float)) return PyErr_NoMemory();
    PyObject *packed = PyBytes_FromStringAndSize(NULL, count * features * sizeof(float));
    if (!packed) return NULL;
    float *out = (float *)PyBytes_AsString(packed);
    for (Py_ssize_t i = 0; i < count; i++)
        if (!pack_row(PyList_GetItem(rows, i), features, out + i * features)) {
            Py_DECREF(packed);
            Py_RETURN_NONE;
        }
    return packed;
}

static PyObject *forest_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"content", NULL};
    PyObject *content;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "S:Forest", names, &content)) return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    ForestObject *self = (ForestObject *)allocate(type, 0);
    if (!self) return NULL;
    const char *problem = forest_load(&self->forest, (unsigned char *)PyBytes_AsString(content),
                                      (size_t)PyBytes_Size(content));
    if (problem) {
        Py_DECREF(self);
        PyErr_Format(PyExc_ValueError, "this is no forest: %s; package the model again", problem);
        return NULL;
    }
    return (PyObject *)self;
}

static void forest_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    forest_free(&((ForestObject *)object)->forest);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

int ask(Query *query, const Forest *forest, const float *rows, size_t count, double *out)
{
    if (count < FREE_GIL_ROWS) return query(forest, rows, count, out);
    int failed;
    Py_BEGIN_ALLOW_THREADS
    failed = query(forest, rows, count, out);
    Py_END_ALLOW_THREADS
    return failed;
}

/* Run a query over a buffer of float32 rows; `width` doubles are answered per row. */
static PyObject *asked(ForestObject *self, PyObject *rows, size_t width, Query *query)
{
    Py_buffer view;
    size_t row_bytes = self->forest.features * sizeof(float);
    if (PyObject_GetBuffer(rows, &view, PyBUF_SIMPLE) < 0) return NULL;
    size_t count = (size_t)view.len / row_bytes;
    PyObject *answer = NULL;
    int failed = 0;
    if ((size_t)view.len % row_bytes || (uintptr_t)view.buf % sizeof(float))
        PyErr_Format(PyExc_ValueError, "%zd bytes given; give rows of %zu bytes: %u aligned float32",
                     view.len, row_bytes, self->forest.features);
    else if (count > (size_t)PY_SSIZE_T_MAX / sizeof(double) / width)
        PyErr_NoMemory();
    else
        answer = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(count * width * sizeof(double)));
    if (answer)
        failed = ask(query, &self->forest, view.buf, count, (double *)PyBytes_AsString(answer));
    PyBuffer_Release(&view);
    if (failed) {
        Py_DECREF(answer);
        return PyErr_NoMemory();
    }
    return answer;
}

static PyObject *predict(PyObject *object, PyObject *rows)
{
    ForestObject *self = (ForestObject *)object;
    return asked(self, rows, self->forest.outputs, forest_predict);
}

static PyObject *explain(PyObject *object, PyObject *rows)
{
    ForestObject *self = (ForestObject *)object;
    return asked(self, rows, ((size_t)self->forest.features + 1) * self->forest.outputs,
                 forest_explain);
}

static PyObject *get_features(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(((ForestObject *)self)->forest.features);
}

static PyObject *get_outputs(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(((ForestObject *)self)->forest.outputs);
}

static PyObject *get_is_answer(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong((long)((ForestObject *)self)->forest.is_answer);
}

static PyMethodDef forest_methods[] = {
    {"predict", predict, METH_O,
     "predict(rows: buffer) -> bytes\n\nAnswer float32 (rows, features) with float64 (rows, outputs)."},
    {"explain", explain, METH_O,
     "explain(rows: buffer) -> bytes\n\nGive SHAP values, float64 (rows, features + 1, outputs); the "
     "last feature is the base value."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef forest_attributes[] = {
    {"feature_count", get_features, NULL, "Numbers in a row.", NULL},
    {"output_count", get_outputs, NULL, "Numbers in an answer.", NULL},
    {"is_answer", get_is_answer, NULL,
     "Whether predict gives the estimator's answer; else a raw margin, for explanations only.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot forest_slots[] = {
    {Py_tp_doc, "Forest(content: bytes)\n\nA decision forest from the content of a forest.bin."},
    {Py_tp_new, forest_new},
    {Py_tp_dealloc, forest_dealloc},
    {Py_tp_methods, forest_methods},
    {Py_tp_getset, forest_attributes},
    {0, NULL},
};

static PyType_Spec forest_spec = {
    "greenlight_kernel.Forest", sizeof(ForestObject), 0, Py_TPFLAGS_DEFAULT, forest_slots,
};

static int execute(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    state->forest_type = PyType_FromModuleAndSpec(module, &forest_spec, NULL);
    PyObject *plain_type = PyType_FromModuleAndSpec(module, &plain_spec, NULL);
    int failed = !state->forest_type || !plain_type ||
                 PyModule_AddObjectRef(module, "Forest", state->forest_type) < 0 ||
                 PyModule_AddObjectRef(module, "PlainAnswers", plain_type) < 0;
    Py_XDECREF(plain_type);
    return failed ? -1 : 0;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    Py_VISIT(((ModuleState *)PyModule_GetState(module))->forest_type);
    return 0;
}

static int clear(PyObject *module)
{
    Py_CLEAR(((ModuleState *)PyModule_GetState(module))->forest_type);
    return 0;
}

static PyMethodDef functions[] = {
    {"pack_rows", pack_rows, METH_VARARGS,
     "pack_rows(rows: list, feature_count: int) -> bytes | None\n\nPack rows as float32, or give None "
     "where they are not all plain lists of that many\nfinite numbers."},
    {"weave", weave, METH_VARARGS,
     "weave(heads: list, names: tuple, numbers: bytes, separator: bytes) -> bytes\n\nWrite, for each "
     "head, it and its numbers, each after its name; the last name ends the row.\nNumbers are JSON, "
     "separated by commas; brackets and blanks among them are left out."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
    {0, NULL},
};

static PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "greenlight_kernel",
    .m_doc = "Answers and explains decision forests.",
    .m_size = sizeof(ModuleState),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
};

PyMODINIT_FUNC PyInit_greenlight_kernel(void)
{
    return PyModuleDef_Init(&definition);
}
