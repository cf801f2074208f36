"""Reload a running server's bundle: on SIGHUP, or when its folder has changed."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from shutterless.runtime import access_log
from shutterless.runtime.model.bundle import DESCRIPTION, MODEL, Bundle, read_bundle
from shutterless.runtime.service import Service

if TYPE_CHECKING:
    from shutterless.runtime.service import ReadBundle

WATCH_SECONDS = 1.0

# What a file system says of a bundle's two files: device, number, size and time of change.
Stamp = tuple[tuple[int, int, int, int], ...]


def read_checked(folder: str | Path) -> Bundle:
    """Read a bundle, and run its model in a child process: one that crashes must not end a running server.

    Raises:
        BundleError: The bundle does not verify, or its model fails the check.
    """
    from shutterless.runtime.model.check import check_model  # a server that never reloads needs no such thing

    bundle = read_bundle(folder)
    check_model(bundle)
    return bundle


class App(Protocol):
    """What has a service that may be replaced at any time."""

    service: Service


class Reloader:
    """Replaces an app's service by one with the bundle that is in the folder now.

    The new bundle is read, checked and run once beside the old one. Requests in work are finished by the
    model with which they began. If the new bundle cannot be used, the old one stays, and the log has the
    reason.
    """

    def __init__(
        self, app: App, read: ReadBundle, write: access_log.Log, loaded: Stamp, *, watch: bool = False
    ) -> None:
        """Prepare to reload; `start` begins.

        Args:
            app: The app of the running server.
            read: Reads and verifies a bundle.
            write: Takes the log record of each reload.
            loaded: The folder's stamp before the app's bundle was read.
            watch: Whether to reload, too, when the folder has changed.
        """
        self._app, self._read, self._write = app, read, write
        self._interval = WATCH_SECONDS if watch else None
        self._requests = queue.SimpleQueue[None]()  # whose methods a signal handler may call
        self._loaded_stamp = self._last_stamp = loaded

    def start(self) -> None:
        """Reload from now on, in a thread of its own, so that loading delays no request."""
        threading.Thread(target=self._run, name="reloader", daemon=True).start()

    def request(self) -> None:
        """Ask for a reload; for other threads and signal handlers."""
        self._requests.put(None)

    def reload(self) -> None:
        """Replace the service, and write to the log what came of it."""
        service = self._app.service
        folder = service.settings.bundle
        self._loaded_stamp = stamp(folder)
        try:
            self._app.service = service.with_bundle(self._read(folder))
        except Exception as error:  # a fault of ours must not end the thread
            self._write(access_log.make_reload_record(service.model_version, error))
        else:
            self._write(access_log.make_reload_record(self._app.service.model_version))

    def poll(self) -> None:
        """Reload if the folder has changed, but not since the last call: it is still being written then."""
        current = stamp(self._app.service.settings.bundle)
        if current == self._last_stamp != self._loaded_stamp:
            self.reload()
        self._last_stamp = current

    def _run(self) -> None:
        while True:
            try:
                self._requests.get(timeout=self._interval)
            except queue.Empty:
                self.poll()
            else:
                self.reload()


def stamp(folder: str | Path) -> Stamp:
    """Return what changes when a bundle's files are written or replaced; empty if one is missing."""
    try:
        files = [Path(folder, name).stat() for name in (DESCRIPTION, MODEL)]
    except OSError:
        return ()
    return tuple((file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns) for file in files)


@contextmanager
def reload_on_hangup(reload: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """Reload on SIGHUP, unless it tells that the terminal was closed: then stop.

    Outside the main thread, and on Windows, there are no such signals.
    """
    number = getattr(signal, "SIGHUP", None)
    if number is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    had_terminal = _has_terminal()

    def handle(number: int, frame: FrameType | None) -> None:
        if had_terminal and not _has_terminal():
            stop()
        else:
            reload()

    previous = signal.signal(number, handle)
    try:
        yield
    finally:
        signal.signal(number, previous)


def _has_terminal() -> bool:
    """Tell whether this process has a controlling terminal; it is lost when the terminal is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
