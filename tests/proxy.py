"""Passes on a Unix socket's traffic until a file appears; then it drops everything. `proxy.py TARGET LISTEN CUT`."""

import contextlib
import os
import socket
import sys
import threading
import time
from pathlib import Path


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def watch(cut):
    while not cut.exists():
        time.sleep(0.02)
    os._exit(0)


def main():
    target, listen, cut = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    threading.Thread(target=watch, args=(cut,), daemon=True).start()
    server = socket.socket(socket.AF_UNIX)
    server.bind(listen)
    server.listen(50)
    while True:
        client, _ = server.accept()
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(target)
        threading.Thread(target=pump, args=(client, upstream), daemon=True).start()
        threading.Thread(target=pump, args=(upstream, client), daemon=True).start()


main()
