"""Who is who: the certificates of a role, and whether a scheduler takes us, told before dask tries again and again."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Literal, get_args

from distributed import Security

from dockdojo.class_.cluster.settings import host_and_port
from dockdojo.errors import OurFault, UsageError, reason_of

Role = Literal["scheduler", "worker", "client"]
"""The coordinator's certificate is the client's."""
ROLES: tuple[Role, ...] = get_args(Role)
AUTHORITY = "ca.pem"
CONNECT_SECONDS = 10.0


class NothingListens(OurFault):
    """No scheduler answers at an address."""


def files_of(role: Role) -> tuple[str, str]:
    """Return the names of a role's certificate and key."""
    return f"{role}.pem", f"{role}-key.pem"


def security_of(folder: Path, role: Role) -> Security:
    """Return what dask encrypts with. Raises UsageError where a file is missing or is none."""
    certificate, key = _paths(folder, role)
    _context(folder, role)
    return Security(
        require_encryption=True,
        tls_ca_file=str(folder / AUTHORITY),
        **{f"tls_{role}_cert": str(certificate), f"tls_{role}_key": str(key)},
    )


def expect_scheduler(address: str, folder: Path, role: Role) -> None:
    """Return where a scheduler answers that takes us.

    Raises NothingListens where nobody answers; UsageError where it is none, or one of the two refuses the other's certificate.
    """
    context = _context(folder, role)
    try:
        with (
            socket.create_connection(host_and_port(address), CONNECT_SECONDS) as plain,
            context.wrap_socket(plain) as encrypted,
        ):
            # A scheduler speaks first, once it has looked at our certificate.
            if not encrypted.recv(1):
                raise UsageError(f"What listens at {address} is no scheduler.")
    except ssl.SSLCertVerificationError as error:
        raise UsageError(
            f"The scheduler at {address} has another authority's certificate.",
            hint=f"Are those in {folder} of the same `dockdojo class certificates`, and still valid?",
        ) from error
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):
            raise UsageError(
                f"The scheduler at {address} refuses our certificate.",
                hint=f"Are those in {folder} of the same `dockdojo class certificates`, and still valid?",
            ) from error
        raise UsageError(f"What listens at {address} does not speak TLS.") from error
    except TimeoutError as error:
        raise NothingListens(f"Nothing answers at {address} in time.") from error
    except ConnectionResetError as error:
        raise UsageError(f"What listens at {address} is no scheduler.") from error
    except OSError as error:
        raise NothingListens(
            f"No scheduler can be reached at {address}: {reason_of(error)}.",
            hint="Is `dockdojo class scheduler` running there?",
        ) from error


def _paths(folder: Path, role: Role) -> tuple[Path, Path]:
    names = files_of(role)
    for name in (AUTHORITY, *names):
        if not (folder / name).is_file():
            raise UsageError(
                f"There is no {folder / name}.",
                hint="`dockdojo class certificates DIR` makes them; each machine needs its role's, and ca.pem.",
            )
    return folder / names[0], folder / names[1]


def _context(folder: Path, role: Role) -> ssl.SSLContext:
    certificate, key = _paths(folder, role)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Who is signed by our authority is one of us, whatever the machine is called.
    context.check_hostname = False
    try:
        context.load_verify_locations(folder / AUTHORITY)
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The certificates of a {role} in {folder} cannot be used.",
            hint="They are no certificates, or the key is another one's.",
        ) from error
    return context
