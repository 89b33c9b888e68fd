"""Starts the studio: a free port of this machine, a token, the browser, and an end that leaves nothing behind."""

from __future__ import annotations

import html
import shutil
import signal
import socket
import tempfile
import warnings
import webbrowser
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from azogue.studio.routes import create_app
from azogue.studio.security import new_token
from azogue.studio.state import hear

#: The only address that is listened to.
ADDRESS = "127.0.0.1"


class Server(uvicorn.Server):
    """A server that tells when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self.ready()


def serve(start: str | None, port: int, limit: int, browse: bool, tell: Callable[[str], None]) -> None:
    """Serve until a signal ends it.

    Parameters
    ----------
    start : str or None
        Data or a model that every tab begins with.
    port : int
        0: any that is free.
    limit : int
        Bytes that a tab may upload.
    browse : bool
        Whether to open the browser.
    tell : callable
        Told the address, whose fragment holds the token.

    Raises
    ------
    ValueError
        If the port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((ADDRESS, port))
        except OSError as error:
            raise ValueError(f"--port {port}: cannot be listened to ({error.strerror}); leave it out") from error
        port = int(listening.getsockname()[1])
        token = new_token()
        address = f"http://{ADDRESS}:{port}/#{token}"
        folder = Path(tempfile.mkdtemp(prefix="azogue-studio-"))
        tabs = folder / "tabs"
        tabs.mkdir(mode=0o700)

        def ready() -> None:
            tell(address)
            if browse:
                _browse(folder, address)

        app = create_app(tabs, token, port, limit, start)
        config = uvicorn.Config(
            app, log_level="error", access_log=False, server_header=False, timeout_graceful_shutdown=1, ws="none"
        )
        _endable()
        shown = warnings.showwarning
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = hear
        try:
            Server(config, ready).run(sockets=[listening])
        except KeyboardInterrupt:
            pass
        finally:
            warnings.showwarning = shown
            app.state.sessions.end()
            shutil.rmtree(folder, ignore_errors=True)


def _endable() -> None:
    """Have every signal that ends a program end it as Ctrl-C does, so that what was uploaded is removed."""

    def end(number: int, frame: FrameType | None) -> Any:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)


def _browse(folder: Path, address: str) -> None:
    """Open the browser by a file that only its owner may read: arguments of programs are seen by all users."""
    page = folder / "open.html"
    page.touch(mode=0o600)
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={html.escape(address)}">'
        f"<title>Azogue studio</title>",
        encoding="utf-8",
    )
    webbrowser.open(page.as_uri())
