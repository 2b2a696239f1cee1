"""Runs a script and records what it asks of a Docker Engine: an engine's API on a socket that makes no container.

It runs inside a container (see `probes/api_recording.py`), as `python recorder.py SCRIPT IMAGE`, with the submission at
/submission and the docker client on PATH; a script `-` is read from stdin.
It answers as an engine does whose containers end at once, without a word and with exit code 0, and
at last prints one JSON object: requests, exit code, output. It needs the standard library alone, and trusts the script
with nothing: that runs as nobody, on a terminal of its own, for so many seconds.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pty
import re
import secrets
import select
import shutil
import signal
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

SOCKET = "/run/asked.sock"
WORK = "/work"
NOBODY = 65534
SECONDS = 20
MAX_OUTPUT_BYTES = 4_000
MAX_BODY_BYTES = 1_000_000
MAX_REQUESTS = 20
API = "1.44"
SUDO = """#!/bin/sh
# Nobody has to be root to be recorded.
while [ "${1#-}" != "$1" ]; do shift; done
exec "$@"
"""

MAX_CONTEXT_BYTES = 500_000_000
"""Bytes of a build's context; they are counted and forgotten."""
GIVEN = "/tmp/given.sh"  # noqa: S108 -- the container's own

requests: list[dict[str, Any]] = []
builds: list[dict[str, Any]] = []
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """One connection of a docker client."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        """Says nothing."""

    def address_string(self) -> str:
        """A Unix socket's client has no address."""
        return "client"

    def answer(
        self, status: int, body: Any = None, headers: dict[str, str] | None = None
    ) -> None:
        """A whole answer: JSON, or nothing."""
        data = (
            b""
            if body is None
            else body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        if status not in (101, 204):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def body(self) -> bytes:
        """What came with the request, at most 1 MB of it; what is longer is read and forgotten."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return self.chunks()
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            length = MAX_BODY_BYTES
        return self.rfile.read(length)

    def chunks(self) -> bytes:
        """A body of chunks (RFC 9112, section 7.1)."""
        kept, total = bytearray(), 0
        while size := int(
            self.rfile.readline(100).partition(b";")[0].strip() or b"0", 16
        ):
            total += size
            if total > MAX_CONTEXT_BYTES:
                self.close_connection = True
                break
            while size > 0 and (data := self.rfile.read(min(size, 65536))):
                size -= len(data)
                kept += data[: MAX_BODY_BYTES - len(kept)]
            self.rfile.readline(100)
        else:
            self.rfile.readline(100)
        return bytes(kept)

    def do_GET(self) -> None:
        """What there is to know."""
        path = self.place()
        if path == "/_ping":
            self.answer(
                200,
                b"OK",
                {"API-Version": API, "Ostype": "linux", "Builder-Version": "1"},
            )
        elif path == "/version":
            self.answer(
                200,
                {
                    "Version": "recorder",
                    "ApiVersion": API,
                    "MinAPIVersion": "1.24",
                    "Os": "linux",
                },
            )
        elif path == "/info":
            self.answer(
                200,
                {
                    "ServerVersion": "recorder",
                    "OSType": "linux",
                    "Runtimes": {"runc": {}, "nvidia": {}},
                },
            )
        elif (
            path.endswith("/json")
            and path.startswith("/images/")
            and path != "/images/json"
        ):
            self.answer(
                200,
                {"Id": "sha256:" + "0" * 64, "RepoTags": [path[8:-5]], "Config": {}},
            )
        elif path in ("/images/json", "/containers/json"):
            self.answer(200, [])
        elif match := re.fullmatch(r"/containers/([^/]+)/json", path):
            with lock:
                found = next(
                    (
                        request
                        for request in requests
                        if match[1]
                        in (request["id"], request["id"][:12], request["name"])
                    ),
                    None,
                )
            if found is None:
                self.answer(404, {"message": f"No such container: {match[1]}"})
                return
            state = {"Status": "exited", "Running": False, "ExitCode": 0}
            whole = {
                "Id": found["id"],
                "Name": "/" + found["name"],
                "State": state,
                "Config": found["body"],
            }
            self.answer(
                200,
                whole
                | {
                    "HostConfig": found["body"].get("HostConfig") or {},
                    "NetworkSettings": {},
                },
            )
        elif re.fullmatch(r"/containers/[^/]+/logs", path):
            self.answer(200, b"")
        else:
            self.answer(404, {"message": "The recorder does not know this request."})

    do_HEAD = do_GET  # noqa: N815

    def do_DELETE(self) -> None:
        """Whatever is to go is gone."""
        self.answer(204)

    def do_POST(self) -> None:
        """What is to be done; a container that is to be made is written down."""
        path, body = self.place(), self.body()
        if path == "/containers/create":
            self.create(body)
        elif match := re.fullmatch(r"/containers/([^/]+)/start", path):
            with lock:
                for request in requests:
                    request["started"] = request["started"] or match[1] in (
                        request["id"],
                        request["id"][:12],
                        request["name"],
                    )
            self.answer(204)
        elif path.endswith("/attach"):
            self.answer(101, None, {"Connection": "Upgrade", "Upgrade": "tcp"})
            self.close_connection = True
        elif path.endswith("/wait"):
            self.answer(200, {"StatusCode": 0})
        elif path.startswith("/containers/"):
            self.answer(204)
        elif path == "/build":
            params = parse_qs(self.path.partition("?")[2])
            with lock:
                if len(builds) < MAX_REQUESTS:
                    builds.append({"params": params, "context": bool(body)})
            self.answer(200, b'{"stream":"Successfully built 000000000000\\n"}\n')
        else:
            self.answer(200, b"")

    def create(self, body: bytes) -> None:
        """Writes a container's request down."""
        try:
            options = json.loads(body)
            name = re.search(r"[?&]name=([\w.-]+)", self.path)
            made = {
                "id": secrets.token_hex(32),
                "name": name[1] if name else "",
                "started": False,
                "body": dict(options),
            }
        except (ValueError, TypeError, RecursionError):
            self.answer(400, {"message": "This is no request for a container."})
            return
        with lock:
            if len(requests) < MAX_REQUESTS:
                requests.append(made)
        self.answer(201, {"Id": made["id"], "Warnings": []})

    def place(self) -> str:
        """The path without its version."""
        return re.sub(r"^/v\d+\.\d+", "", self.path.partition("?")[0])


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The engine's socket."""

    daemon_threads = True
    request_queue_size = 20


def become_the_script(script: str, image: str) -> None:
    """In the child: never returns."""
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.chdir(WORK)
        env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": WORK,
            "TERM": "dumb",
            "DOCKER_HOST": f"unix://{SOCKET}",
            "DOCKER_BUILDKIT": "0",
        }
        try:
            # Its first line names its shell.
            program = os.path.join(WORK, script)
            os.execve(program, [script, image], env)  # noqa: S606
        except OSError as error:
            if error.errno not in (errno.ENOEXEC, errno.ENOENT):
                raise
            # It has no first line with `#!`, or names a shell that is not here.
            os.execvpe("bash", ["bash", script, image], env)  # noqa: S606
    except BaseException as error:
        os.write(2, f"{error}\n".encode())
    finally:
        os._exit(126)


def run(script: str, image: str) -> dict[str, Any]:
    """The script's exit code and the end of its output; 124 where it had to be ended."""
    child, terminal = pty.fork()
    if child == 0:
        become_the_script(script, image)
    output, end, code = b"", time.monotonic() + SECONDS, 124
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.05)
        if ready:
            try:
                output = (output + os.read(terminal, 4096))[-MAX_OUTPUT_BYTES:]
            except OSError:  # the other side is closed
                time.sleep(0.01)
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(OSError):
                while select.select([terminal], [], [], 0)[0]:
                    output = (output + os.read(terminal, 4096))[-MAX_OUTPUT_BYTES:]
            break
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(child, signal.SIGKILL)
    return {
        "code": code,
        "output": output.decode("utf-8", "replace").replace("\r\n", "\n"),
    }


def main() -> None:
    """Runs the script and prints what it asked for."""
    script, image = sys.argv[1:3]
    shutil.copytree("/submission", WORK, symlinks=True)
    for folder, _, names in os.walk(WORK):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    if script == "-":
        script = GIVEN
        with open(script, "w") as file:
            file.write(sys.stdin.read(MAX_BODY_BYTES))
    # A checkout on Windows knows no such bit.
    os.chmod(os.path.join(WORK, script), 0o755)  # noqa: S103
    with open("/usr/local/bin/sudo", "w") as file:
        file.write(SUDO)
    os.chmod("/usr/local/bin/sudo", 0o755)  # noqa: S103 -- a program
    server = Server(SOCKET, Handler)
    os.chmod(SOCKET, 0o666)  # noqa: S103 -- the script is nobody
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done = run(script, image)
    with lock:
        print(json.dumps({"requests": requests, "builds": builds, **done}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
