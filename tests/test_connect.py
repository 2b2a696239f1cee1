"""The engine is the one that `docker` would use."""

from __future__ import annotations

import hashlib
import json
import socket

import pytest
from docker.tls import TLSConfig

from dockdojo.connection.connect import DEFAULT_SOCKET, Address, addresses
from dockdojo.connection.tunnel import Tunnel
from dockdojo.errors import EngineNotFound
from dockdojo.grading.child import environment


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without any docker configuration, and an environment that names no engine."""
    for name in (
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CERT_PATH",
        "XDG_RUNTIME_DIR",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / ".docker"))
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("{}")
    return tmp_path


def context(home, name, host):
    """A docker context, as `docker context create NAME --docker host=HOST` writes it."""
    folder = (
        home
        / ".docker"
        / "contexts"
        / "meta"
        / hashlib.sha256(name.encode()).hexdigest()
    )
    folder.mkdir(parents=True)
    about = {
        "Name": name,
        "Metadata": {},
        "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}},
    }
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
    monkeypatch.setenv(
        "DOCKER_HOST", "unix:///somewhere.sock"
    )  # it wins, as for `docker`
    assert urls() == ["unix:///somewhere.sock"]


def test_a_context_that_is_not_there_is_told_and_no_other_engine_is_taken(
    home, monkeypatch
):
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
    assert Address("tcp://192.0.2.1:2376", "").options == [
        "--host",
        "tcp://192.0.2.1:2376",
    ]
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (home / name).write_text("")
    tls = TLSConfig(
        client_cert=(str(home / "cert.pem"), str(home / "key.pem")),
        ca_cert=str(home / "ca.pem"),
        verify=True,
    )
    told = Address("tcp://192.0.2.1:2376", "", tls).options
    assert told[2:] == [
        "--tlsverify",
        "--tlscacert",
        f"{home}/ca.pem",
        "--tlscert",
        f"{home}/cert.pem",
        "--tlskey",
        f"{home}/key.pem",
    ]


@pytest.mark.parametrize(
    "url", ["ssh://", "ssh://-oProxyCommand=touch%20x", "ssh://nobody@localhost:1"]
)
def test_a_machine_that_ssh_does_not_reach_is_told_in_a_line(url, home):
    with pytest.raises(EngineNotFound, match="ssh"):
        Tunnel(url)
    assert not list(home.glob("x"))


def test_contexts_are_found_where_no_config_json_was_ever_written(home, monkeypatch):
    context(home, "there", "tcp://192.0.2.1:2375")
    (home / ".docker" / "config.json").unlink()  # `docker context create` writes none
    monkeypatch.setenv("DOCKER_CONTEXT", "there")
    assert urls() == ["tcp://192.0.2.1:2375"]
    monkeypatch.delenv("DOCKER_CONFIG")
    assert urls() == ["tcp://192.0.2.1:2375"]


def test_a_context_in_use_that_is_not_there_is_told_as_docker_tells_it(home):
    (home / ".docker" / "config.json").write_text(
        json.dumps({"currentContext": "gone"})
    )
    with pytest.raises(
        EngineNotFound, match="no docker context `gone`, which `currentContext`"
    ):
        addresses()


@pytest.mark.parametrize(
    "written", ["", "{", "[]", '{"Endpoints": {}}', '{"Endpoints": {"docker": 3}}']
)
def test_a_context_that_cannot_be_read_is_told(home, monkeypatch, written):
    context(home, "broken", "tcp://192.0.2.1:2375")
    next((home / ".docker" / "contexts" / "meta").glob("*/meta.json")).write_text(
        written
    )
    monkeypatch.setenv("DOCKER_CONTEXT", "broken")
    with pytest.raises(EngineNotFound, match="context `broken` cannot be read"):
        addresses()


def test_a_context_brings_its_certificates(home, monkeypatch):
    context(home, "safe", "tcp://192.0.2.1:2376")
    folder = (
        home
        / ".docker"
        / "contexts"
        / "tls"
        / hashlib.sha256(b"safe").hexdigest()
        / "docker"
    )
    folder.mkdir(parents=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (folder / name).write_text("")
    monkeypatch.setenv("DOCKER_CONTEXT", "safe")
    (found,) = addresses()
    assert found.tls.verify
    assert found.tls.ca_cert == str(folder / "ca.pem")
    assert found.tls.cert == (str(folder / "cert.pem"), str(folder / "key.pem"))


def test_the_socket_of_a_tunnel_has_a_short_path_whatever_the_folder_for_temporary_files(
    tmp_path, monkeypatch
):
    """macOS' own folder and that of a grading are together longer than a socket's path may be."""
    from dockdojo.connection import tunnel

    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with tunnel._folder() as folder:
        assert len(folder) < tunnel.MAX_SOCKET_PATH_BYTES
    monkeypatch.setattr("tempfile.tempdir", "/var/tmp")
    with tunnel._folder() as folder:
        assert folder.startswith("/var/tmp/")


def test_the_process_that_grades_knows_the_ssh_agent_and_the_proxies(monkeypatch):
    kept = {
        "SSH_AUTH_SOCK": "/agent",
        "https_proxy": "http://192.0.2.1:3128",
        "NO_PROXY": "localhost",
        "DOCKER_HOST": "x",
    }
    for name, value in (
        kept | {"PYTHONPATH": "/evil", "PYTEST_ADDOPTS": "-p evil"}
    ).items():
        monkeypatch.setenv(name, value)
    found = environment()
    assert found.items() >= kept.items()
    assert not found.keys() & {"PYTHONPATH", "PYTEST_ADDOPTS"}
