/* Puts the JSON text of many answers together from ready pieces and the client's own numbers. */
#include "weave.h"

#include <string.h>

#define LARGEST ((size_t)PY_SSIZE_T_MAX / 8)
#define MISFIT "give bytes alone, and one number for each name of each row"

Piece piece_of(PyObject *bytes)
{
    return (Piece){PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes)};
}

int pattern_names(Pattern *pattern, PyObject *names)
{
    Py_ssize_t count = PyTuple_Size(names);
    pattern->width = count > 0 ? (size_t)count - 1 : 0;
    pattern->names = PyMem_Malloc((size_t)count * sizeof(Piece));
    if (!pattern->names) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GetItem(names, i);
        if (!PyBytes_CheckExact(name)) {
            PyErr_SetString(PyExc_ValueError, MISFIT);
            return -1;
        }
        pattern->names[i] = piece_of(name);
    }
    return 0;
}

/* What a JSON number is written of. */
static int is_of_number(char byte)
{
    return (byte >= '0' && byte <= '9') || byte == '.' || byte == '-' || byte == '+' ||
           byte == 'e' || byte == 'E';
}

/* Find the numbers of a text, whatever separates them; -1 where there are more or fewer. */
static int find_numbers(const char *text, size_t size, Piece *numbers, size_t count)
{
    size_t found = 0, length = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && is_of_number(text[i])) {
            length++;
            continue;
        }
        if (length && found == count) return -1;
        if (length) numbers[found++] = (Piece){text + i - length, length};
        length = 0;
    }
    return found == count ? 0 : -1;
}

/* Add up the sizes of heads, names, numbers and what is between them; 0: it cannot be. */
static size_t woven_size(const Pattern *pattern, PyObject *heads, const Piece *numbers)
{
    size_t rows = (size_t)PyList_Size(heads), row_bytes = pattern->separator.size;
    for (size_t i = 0; i <= pattern->width; i++) {
        if (pattern->names[i].size > LARGEST - row_bytes) return 0;
        row_bytes += pattern->names[i].size;
    }
    if (rows < 1 || row_bytes > LARGEST / rows) return 0;
    size_t size = pattern->opening.size + pattern->closing.size + rows * row_bytes;
    for (size_t row = 0; row < rows; row++) {
        PyObject *head = PyList_GetItem(heads, (Py_ssize_t)row);
        if (!PyBytes_CheckExact(head) || (size_t)PyBytes_Size(head) > LARGEST - size) return 0;
        size += (size_t)PyBytes_Size(head);
    }
    for (size_t i = 0; i < rows * pattern->width; i++) size += numbers[i].size;
    return size - pattern->separator.size;
}

static char *put(char *out, Piece piece)
{
    return (char *)memcpy(out, piece.text, piece.size) + piece.size;
}

PyObject *woven(const Pattern *pattern, PyObject *heads, const Piece *numbers)
{
    size_t rows = (size_t)PyList_Size(heads), size = woven_size(pattern, heads, numbers);
    if (!size) {
        PyErr_SetString(PyExc_ValueError, MISFIT);
        return NULL;
    }
    PyObject *whole = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (!whole) return NULL;
    char *out = put(PyBytes_AsString(whole), pattern->opening);
    for (size_t row = 0; row < rows; row++) {
        if (row) out = put(out, pattern->separator);
        out = put(out, piece_of(PyList_GetItem(heads, (Py_ssize_t)row)));
        for (size_t i = 0; i < pattern->width; i++)
            out = put(put(out, pattern->names[i]), *numbers++);
        out = put(out, pattern->names[pattern->width]);
    }
    put(out, pattern->closing);
    return whole;
}

PyObject *weave(PyObject *module, PyObject *arguments)
{
    PyObject *heads, *names, *separator, *whole = NULL;
    const char *text;
    Py_ssize_t size;
    Pattern pattern = {{"", 0}, {"", 0}, {"", 0}, NULL, 0};
    (void)module;
    if (!PyArg_ParseTuple(arguments, "O!O!y#S:weave", &PyList_Type, &heads, &PyTuple_Type, &names,
                          &text, &size, &separator))
        return NULL;
    pattern.separator = piece_of(separator);
    size_t rows = (size_t)PyList_Size(heads);
    if (pattern_names(&pattern, names) == 0) {
        /* As many numbers as bytes would be too many: no product here overflows. */
        int fits = pattern.width > 0 && rows > 0 && rows <= (size_t)size / pattern.width;
        size_t count = fits ? rows * pattern.width : 0;
        Piece *numbers = fits ? PyMem_Malloc(count * sizeof(Piece)) : NULL;
        if (fits && !numbers)
            PyErr_NoMemory();
        else if (!fits || find_numbers(text, (size_t)size, numbers, count) < 0)
            PyErr_SetString(PyExc_ValueError, MISFIT);
        else
            whole = woven(&pattern, heads, numbers);
        PyMem_Free(numbers);
    }
    PyMem_Free(pattern.names);
    return whole;
}
