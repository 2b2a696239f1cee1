"""The engine is the one that `docker` would use."""

from __future__ import annotations

import hashlib
import json
import socket

import pytest
from docker.tls import TLSConfig

from dockerlab.engine.connect import DEFAULT_SOCKET, Address, addresses
from dockerlab.engine.tunnel import Tunnel
from dockerlab.errors import EngineNotFound


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without any docker configuration, and an environment that names no engine."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / ".docker"))
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("{}")
    return tmp_path


def context(home, name, host):
    """A docker context, as `docker context create NAME --docker host=HOST` writes it."""
    folder = home / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    about = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (folder / "meta.json").write_text(json.dumps(about))


def urls():
    return [one.url for one in addresses()]


def test_the_default_socket_where_nothing_is_chosen(home):
    assert urls() == [DEFAULT_SOCKET]


def test_the_context_in_use_and_the_one_that_is_named(home, monkeypatch):
    context(home, "there", "tcp://192.0.2.1:2375")
    context(home, "elsewhere", "ssh://someone@192.0.2.2")
    assert urls() == [DEFAULT_SOCKET]
    settings = home / ".docker" / "config.json"
    settings.write_text(json.dumps({"currentContext": "there"}))
    assert urls() == ["tcp://192.0.2.1:2375"]
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    assert urls() == ["ssh://someone@192.0.2.2"]
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert urls() == [DEFAULT_SOCKET]
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    monkeypatch.setenv("DOCKER_HOST", "unix:///somewhere.sock")  # it wins, as for `docker`
    assert urls() == ["unix:///somewhere.sock"]


def test_a_context_that_is_not_there_is_told_and_no_other_engine_is_taken(home, monkeypatch):
    monkeypatch.setenv("DOCKER_CONTEXT", "mistyped")
    with pytest.raises(EngineNotFound, match="no docker context `mistyped`"):
        addresses()


def test_a_rootless_engines_socket_is_looked_at_after_the_usual_one(home, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    assert urls() == [DEFAULT_SOCKET]
    with socket.socket(socket.AF_UNIX) as rootless:
        rootless.bind(str(home / "docker.sock"))
        assert urls() == [DEFAULT_SOCKET, f"unix://{home}/docker.sock"]


def test_the_cli_is_told_of_certificates(home):
    assert Address("tcp://192.0.2.1:2376", "").options == ["--host", "tcp://192.0.2.1:2376"]
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (home / name).write_text("")
    tls = TLSConfig(
        client_cert=(str(home / "cert.pem"), str(home / "key.pem")), ca_cert=str(home / "ca.pem"), verify=True
    )
    told = Address("tcp://192.0.2.1:2376", "", tls).options
    assert told[2:] == [
        "--tlsverify", "--tlscacert", f"{home}/ca.pem", "--tlscert", f"{home}/cert.pem", "--tlskey", f"{home}/key.pem",
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["ssh://", "ssh://-oProxyCommand=touch%20x", "ssh://nobody@localhost:1"])
def test_a_machine_that_ssh_does_not_reach_is_told_in_a_line(url, home):
    with pytest.raises(EngineNotFound, match="ssh"):
        Tunnel(url)
    assert not list(home.glob("x"))
