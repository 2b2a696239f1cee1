/* Adds whole numbers, and stays as it is whatever becomes of the other file. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static const char DOC[] = "Sums numbers, quickly.";

static PyObject *total(PyObject *self, PyObject *numbers)
{
    long long sum = 0;
    PyObject *item, *iterator = PyObject_GetIter(numbers);
    if (iterator == NULL)
        return NULL;
    while ((item = PyIter_Next(iterator)) != NULL) {
        long long value = PyLong_AsLongLong(item);
        Py_DECREF(item);
        if (value == -1 && PyErr_Occurred()) {
            Py_DECREF(iterator);
            return NULL;
        }
        sum += value;
    }
    Py_DECREF(iterator);
    return PyErr_Occurred() ? NULL : PyLong_FromLongLong(sum);
}

static PyMethodDef METHODS[] = {{"total", total, METH_O, "The sum of whole numbers."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "fastsum", DOC, -1, METHODS, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_fastsum(void)
{
    return PyModule_Create(&MODULE);
}
