/* The program `python`, as the official image has it: all of Python is in the shared library beside it. */
extern int Py_BytesMain(int argc, char **argv);

int main(int argc, char **argv) { return Py_BytesMain(argc, argv); }
