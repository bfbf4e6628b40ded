"""The conversion child: reads one request on standard input, writes one answer on standard output.

The only place where a joblib file is opened. Everything under this package runs in a process of its own
(``python -I -m cripto.registry.convert.child``) and is imported by nothing else.
"""
