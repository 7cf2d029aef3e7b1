/* Puts the JSON text of many answers together from ready pieces and the client's own numbers. */
#include "weave.h"

#include <string.h>

/* What a JSON number is written of; brackets and blanks between numbers are skipped. */
static int is_of_number(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || byte == '.' || byte == '-' || byte == '+' ||
           byte == 'e' || byte == 'E';
}

/* Count the numbers that commas separate, and the bytes they are written of; 0: one is empty. */
static Py_ssize_t count_numbers(const char *text, Py_ssize_t size, Py_ssize_t *bytes)
{
    Py_ssize_t numbers = 1, length = 0;
    *bytes = 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        if (is_of_number((unsigned char)text[i])) {
            length++;
            ++*bytes;
        } else if (text[i] == ',') {
            if (!length) return 0;
            numbers++;
            length = 0;
        }
    }
    return length ? numbers : 0;
}

/* Add up the sizes of bytes objects; -1 where there are others. */
static Py_ssize_t size_of_all(PyObject *pieces, Py_ssize_t count,
                              PyObject *(*item)(PyObject *, Py_ssize_t))
{
    Py_ssize_t size = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *piece = item(pieces, i);
        if (!PyBytes_CheckExact(piece) || PyBytes_Size(piece) > PY_SSIZE_T_MAX / 8 - size) return -1;
        size += PyBytes_Size(piece);
    }
    return size;
}

static char *put(char *out, PyObject *piece)
{
    size_t size = (size_t)PyBytes_Size(piece);
    return (char *)memcpy(out, PyBytes_AsString(piece), size) + size;
}

/* Copy one number and step over its comma. */
static char *put_number(char *out, const char **text, const char *end)
{
    for (; *text < end && **text != ','; ++*text)
        if (is_of_number((unsigned char)**text)) *out++ = **text;
    if (*text < end) ++*text;
    return out;
}

PyObject *weave(PyObject *module, PyObject *arguments)
{
    PyObject *heads, *names, *separator;
    const char *text;
    Py_ssize_t size, bytes;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "O!O!y#S:weave", &PyList_Type, &heads, &PyTuple_Type, &names,
                          &text, &size, &separator))
        return NULL;
    Py_ssize_t rows = PyList_Size(heads), width = PyTuple_Size(names) - 1;
    Py_ssize_t head_bytes = size_of_all(heads, rows, PyList_GetItem);
    Py_ssize_t name_bytes = size_of_all(names, width + 1, PyTuple_GetItem);
    if (rows < 1 || width < 1 || rows > PY_SSIZE_T_MAX / width || head_bytes < 0 || name_bytes < 0 ||
        name_bytes + PyBytes_Size(separator) > PY_SSIZE_T_MAX / 4 / rows ||
        count_numbers(text, size, &bytes) != rows * width) {
        PyErr_SetString(PyExc_ValueError, "give bytes alone, and one number for each name of each row");
        return NULL;
    }
    Py_ssize_t between = (rows - 1) * PyBytes_Size(separator);
    PyObject *woven =
        PyBytes_FromStringAndSize(NULL, head_bytes + rows * name_bytes + between + bytes);
    if (!woven) return NULL;
    char *out = PyBytes_AsString(woven);
    const char *end = text + size;
    for (Py_ssize_t row = 0; row < rows; row++) {
        if (row) out = put(out, separator);
        out = put(out, PyList_GetItem(heads, row));
        for (Py_ssize_t i = 0; i < width; i++)
            out = put_number(put(out, PyTuple_GetItem(names, i)), &text, end);
        out = put(out, PyTuple_GetItem(names, width));
    }
    return woven;
}
