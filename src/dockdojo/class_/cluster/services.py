"""The processes that stay: a scheduler, and a worker. Each runs until it is told to end."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from distributed import Scheduler, Worker
from distributed.utils import get_ip

from dockdojo.class_.cluster.identity import (
    NothingListens,
    expect_scheduler,
    security_of,
)
from dockdojo.class_.cluster.settings import (
    ENGINE,
    SCHEME,
    USUAL,
    Settings,
    configure,
    host_and_port,
)
from dockdojo.class_.cluster.worker import SCRATCH, Grading, Machine, worker_name
from dockdojo.errors import OurFault, reason_of

INTERNAL_PAGES = "127.0.0.1:0"
"""Where dask's HTTP server listens, which cannot be switched off; it has no pages."""
RETRY_SECONDS = 0.5
Say = Callable[[str], None]


def run_scheduler(
    address: str, certificates: Path, say: Say, settings: Settings = USUAL
) -> None:
    """Run a scheduler until SIGINT or SIGTERM. Raises UsageError for bad certificates, OurFault where it cannot listen."""
    asyncio.run(_scheduler(address, certificates, say, settings))


async def _scheduler(
    address: str, certificates: Path, say: Say, settings: Settings
) -> None:
    host, port = host_and_port(address)
    security = security_of(certificates, "scheduler")
    configure(settings)
    try:
        async with (
            _asked_to_end() as asked,
            Scheduler(
                host=f"{SCHEME}://{_bracketed(host)}",
                port=port,
                security=security,
                dashboard=False,
                dashboard_address=INTERNAL_PAGES,
            ) as scheduler,
        ):
            say(f"The scheduler listens at {scheduler.address}; Ctrl-C ends it.")
            await asked.wait()
    except (OSError, RuntimeError) as error:
        raise OurFault(
            f"Nothing can listen at {address}: {_why(error)}.",
            hint="Is another scheduler running there?",
        ) from error


def run_worker(
    address: str,
    certificates: Path,
    machine: Machine,
    say: Say,
    settings: Settings = USUAL,
) -> None:
    """Run a worker until SIGINT or SIGTERM; a scheduler that went away may come back for a while.

    Raises UsageError where the scheduler and we do not fit, NothingListens where there is none for too long.
    """
    asyncio.run(_worker(address, certificates, machine, say, settings))


async def _worker(
    address: str, certificates: Path, machine: Machine, say: Say, settings: Settings
) -> None:
    host, port = host_and_port(address)
    security = security_of(certificates, "worker")
    configure(settings)
    async with _asked_to_end() as asked:
        while not asked.is_set():
            await _reached(address, certificates, asked, settings.death_timeout)
            if asked.is_set():
                return
            grading = Grading(machine)
            with tempfile.TemporaryDirectory(prefix=SCRATCH) as scratch:
                try:
                    worker = await Worker(
                        f"{SCHEME}://{_bracketed(host)}:{port}",
                        name=worker_name(),
                        # Only where the scheduler is reached from, not on every interface.
                        host=f"{SCHEME}://{_bracketed(get_ip(host, port))}",
                        nthreads=machine.slots,
                        resources={ENGINE: machine.slots},
                        memory_limit=0,
                        death_timeout=settings.death_timeout,
                        dashboard=False,
                        dashboard_address=INTERNAL_PAGES,
                        local_directory=scratch,
                        security=security,
                        plugins=(grading,),
                    )
                    say(
                        f"{worker.name} grades for {address}, {machine.slots} at a time; Ctrl-C ends it."
                    )
                    await _first(worker.finished(), asked.wait())
                    await worker.close()
                except (OSError, RuntimeError) as error:
                    raise OurFault(
                        f"The scheduler at {address} takes no worker: {_why(error)}."
                    ) from error
                finally:
                    await asyncio.to_thread(grading.close)
            if not asked.is_set():
                say("The scheduler is gone, or has given us up.")


async def _reached(
    address: str, certificates: Path, asked: asyncio.Event, seconds: float
) -> None:
    """Return once a scheduler answers, or the worker is to end. Raises NothingListens where none does for so long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not asked.is_set():
        try:
            await asyncio.to_thread(expect_scheduler, address, certificates, "worker")
            return
        except NothingListens:
            if loop.time() > end:
                raise
        with suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), RETRY_SECONDS)


async def _first(*waiting: Coroutine[Any, Any, object]) -> None:
    """Return when one of them is over; the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in waiting]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


@asynccontextmanager
async def _asked_to_end() -> AsyncIterator[asyncio.Event]:
    """An event that is set by SIGINT and SIGTERM."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, asked.set)
    try:
        yield asked
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _why(error: BaseException) -> str:
    """The reason for which dask could not start something: it wraps what happened."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, OSError) and error.strerror:
        return reason_of(error)
    return str(error)[:300]


def _bracketed(host: str) -> str:
    """A host as it stands before a port."""
    return f"[{host}]" if ":" in host else host
