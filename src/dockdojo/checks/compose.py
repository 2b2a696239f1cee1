"""What a Compose file reserves for its services, read as Compose reads it. Nothing in it is executed or fetched.

Sources: https://docs.docker.com/reference/compose-file/deploy/#devices and
https://docs.docker.com/reference/compose-file/services/#gpus.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from dockdojo.checks import fail
from dockdojo.connection.device_request import EVERY, DeviceRequest
from dockdojo.parsing import Unreadable, parse
from dockdojo.submission.folder import Submission

MAX_COMPOSE_CHARACTERS = 64_000
"""Characters of a Compose file that is read."""
MAX_ALIASES = 50
"""More anchors that are used again than people write, and fewer than it takes to blow a file up."""
VARIABLE = re.compile(r"\$\{\w+(?::?-([^}$]{0,200}))?\}")
MAX_BRACKETS = 300
"""A parser needs a time that grows with the square of how deep they are."""
MAX_EXTENDS = 5
"""How often a service may go back to another one."""
PLACE = "deploy.resources.reservations.devices"
HINT = "`docker compose config` prints the file as Compose reads it, or says what it does not accept."


def gpu_reservations(
    submission: Submission, name: str, *, preferred: str = ""
) -> list[DeviceRequest]:
    """Return the devices of all services of `reservations_by_service`."""
    found = reservations_by_service(submission, name, preferred=preferred)
    return [device for devices in found.values() for device in devices]


def reservations_by_service(
    submission: Submission, name: str, *, preferred: str = ""
) -> dict[str, list[DeviceRequest]]:
    """Return the devices that services reserve, as the requests that Compose sends to the engine.

    Only services with `build` count, if there are any; of these only the `preferred` one, if it is among them. Fails the check
    where Compose would not accept the file.
    """
    services = _load(submission, name).get("services")
    if not isinstance(services, dict) or not services:
        _fail(name, "it has no `services`", "services:\n  NAME:\n    image: …")
    for service, settings in services.items():
        if not isinstance(settings, dict):
            _fail(
                name,
                f"the service `{service}` has no settings",
                "`image` or `build`, and `deploy`",
            )
        if not {"image", "build", "extends"} & settings.keys():
            _fail(
                name,
                f"the service `{service}` has neither `image` nor `build`",
                "one of them",
            )
    whole = {
        service: _extended(settings, services, MAX_EXTENDS)
        for service, settings in services.items()
    }
    reserved = {
        service: _reserved(settings, name) for service, settings in whole.items()
    }
    chosen = [
        service for service, settings in whole.items() if settings.get("build")
    ] or list(whole)
    if preferred in chosen:
        chosen = [preferred]
    return {str(service): reserved[service] for service in chosen}


def _extended(
    settings: dict[Any, Any], services: dict[Any, Any], depth: int
) -> dict[Any, Any]:
    """A service with what it has from another one of the same file (`extends`)."""
    other = settings.get("extends")
    if isinstance(other, dict):
        other = None if other.get("file") else other.get("service")
    base = services.get(other) if isinstance(other, str) else None
    if depth == 0 or not isinstance(base, dict):
        return settings
    return _merged(_extended(base, services, depth - 1), settings)


def _merged(under: dict[Any, Any], over: dict[Any, Any]) -> dict[Any, Any]:
    """As Compose merges them: mappings key by key, lists one behind the other, and else what stands above."""
    made = dict(under)
    for key, value in over.items():
        below = made.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            made[key] = _merged(below, value)
        elif isinstance(below, list) and isinstance(value, list):
            made[key] = [*below, *value]
        else:
            made[key] = value
    return made


def _reserved(settings: dict[Any, Any], name: str) -> list[DeviceRequest]:
    """What one service asks for: below `deploy`, and with `gpus` (since Compose 2.30)."""
    here: Any = settings
    for step in PLACE.split("."):
        here = (
            here.get(step)
            if isinstance(here, dict)
            else _fail(name, f"`{step}` is in no mapping", f"`{PLACE}`")
        )
        if here is None:
            break
    if here is not None and not isinstance(here, list):
        _fail(name, "`devices` is not a list", "each device begins with `- `")
    gpus = settings.get("gpus")
    if gpus == "all":
        gpus = [{"count": "all"}]
    if gpus is not None and not isinstance(gpus, list):
        _fail(
            name,
            f"`gpus` is `{str(gpus)[:40]}`",
            "`gpus: all`, or a list of devices such as `- count: 1`",
        )
    wanted = [
        {"capabilities": ["gpu"], **gpu} if isinstance(gpu, dict) else gpu
        for gpu in gpus or ()
    ]
    return [_device(device, name) for device in [*(here or ()), *wanted]]


def _load(submission: Submission, name: str) -> dict[Any, Any]:
    text = submission.read(name)
    if len(text) > MAX_COMPOSE_CHARACTERS:
        _fail(
            name,
            f"it has more than {MAX_COMPOSE_CHARACTERS} characters",
            "a file that people read",
        )
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        _fail(
            name,
            f"it has more than {MAX_BRACKETS} brackets",
            "a file that people read",
        )
    try:
        raw = parse("yaml", text, name=name, most_aliases=MAX_ALIASES)
    except Unreadable as error:
        fail(
            f"{name} is not valid YAML: {error.message}",
            why="YAML knows structure by spaces, never tabs: what belongs to a key stands below it, further right.",
            file=name,
            line=error.line,
            hint=HINT,
        )
    if not isinstance(raw, dict):
        _fail(name, "it has no `services`", "services:\n  NAME:\n    image: …")
    return raw


def _device(raw: Any, name: str) -> DeviceRequest:
    if not isinstance(raw, dict):
        _fail(
            name,
            f"a device is `{str(raw)[:80]}`",
            "`driver`, `count` or `device_ids`, and `capabilities`",
        )
    raw = {key: _filled_in(value) for key, value in raw.items()}
    capabilities, ids, count = (
        raw.get("capabilities"),
        raw.get("device_ids"),
        raw.get("count"),
    )
    if not isinstance(capabilities, list) or not capabilities:
        _fail(
            name,
            "a device has no list of `capabilities`",
            "`capabilities: [gpu]`; Compose refuses a device without",
        )
    if ids is not None and count is not None:
        _fail(
            name,
            "a device has `count` and `device_ids`",
            "one of them; Compose refuses both",
        )
    if ids is not None and (not isinstance(ids, list) or not ids):
        _fail(name, "`device_ids` is not a list", '`device_ids: ["0"]`')
    if isinstance(count, str) and re.fullmatch(r"[0-9]{1,18}", count):
        count = int(count)
    if (
        count is not None
        and count != "all"
        and (isinstance(count, bool) or not isinstance(count, int))
    ):
        _fail(name, f"`count` is `{str(count)[:40]}`", "a whole number, or `all`")
    return DeviceRequest(
        count=0 if ids is not None else EVERY if count in (None, "all") else count,
        ids=tuple(str(device_id) for device_id in ids or ()),
        capabilities=(tuple(str(capability) for capability in capabilities),),
        driver=str(raw.get("driver") or ""),
    )


def _filled_in(value: Any) -> Any:
    """A value with Compose's variables filled in, where no variable is set: `${GPUS:-1}` is 1."""
    if isinstance(value, list):
        return [_filled_in(element) for element in value]
    return (
        VARIABLE.sub(lambda match: match[1] or "", value)
        if isinstance(value, str)
        else value
    )


def _fail(name: str, observed: str, expected: str) -> NoReturn:
    fail(f"{name}: {observed}", expected=expected, file=name, hint=HINT)
