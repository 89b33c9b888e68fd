"""The studio on the wire: the page's files, and what the page asks."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from azogue.cli.models import ENDING
from azogue.cli.options import Reading
from azogue.studio import comparing, working
from azogue.studio.security import SMALL, Guard
from azogue.studio.state import Busy, Session, Sessions
from azogue.studio.uploading import PICTURES, TooLarge, is_picture, receive, safe_name

if TYPE_CHECKING:
    from pathlib import Path

Handler: TypeAlias = Callable[[Request, Session], Awaitable[Response]]

#: The header that says which tab asks, seconds between two looks at a training, and files of one upload.
SESSION, PAUSE, MOST_FILES = "x-azogue-session", 0.15, 20_000
_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
#: The files of the page, read once: nothing else is ever served.
_PAGES = {
    item.name: item.read_bytes()
    for item in files("azogue.studio").joinpath("pages").iterdir()
    if item.name.rpartition(".")[2] in _TYPES
}


def create_app(folder: Path, token: str, port: int, limit: int, start: str | None = None) -> Starlette:
    """The application.

    Parameters
    ----------
    folder : Path
        An empty folder of its own, which is removed at the end.
    token : str
        Who shows it is answered.
    port : int
    limit : int
        Bytes that a tab may upload.
    start : str, optional
        Data or a model that every tab begins with.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(app.state.sessions.end)

    api = [Route(f"/api/{name}", handler, methods=[method]) for name, (method, handler) in _API.items()]
    pages = [Route(f"/{name}", _page, methods=["GET"]) for name in _PAGES]
    app = Starlette(
        routes=[Route("/", _page, methods=["GET"]), *pages, *api],
        middleware=[Middleware(Guard, token=token, port=port)],
        lifespan=lifespan,
    )
    app.state.sessions, app.state.start = Sessions(folder, limit), start
    return app


async def _page(request: Request) -> Response:
    name = request.url.path.strip("/") or "index.html"
    return Response(_PAGES[name], media_type=_TYPES[name.rpartition(".")[2]])


def _refused(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status)


def asked(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A handler for a tab, whose complaints are one line."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        session = request.app.state.sessions.get(request.headers.get(SESSION, ""))
        if session is None:
            return _refused("this tab was closed; load the page again", 410)
        try:
            return await handler(request, session)
        except TooLarge as error:
            return _refused(str(error), 413)
        except Busy as error:
            return _refused(str(error), 409)
        except (ValueError, TypeError, OSError, RuntimeError, MemoryError) as error:
            return _refused(session.clean(" ".join(str(error).split()) or type(error).__name__), 400)

    return answer


async def _body(request: Request) -> dict[str, Any]:
    """A small JSON object."""
    parts, count = [], 0
    async for part in request.stream():
        count += len(part)
        if count > SMALL:
            raise TooLarge("the request is too large")
        parts.append(part)
    try:
        found = json.loads(b"".join(parts) or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValueError("expected JSON") from error
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return found


async def _told(function: Callable[..., Any], *args: Any) -> Response:
    return JSONResponse(await run_in_threadpool(function, *args))


# -- tabs --------------------------------------------------------------------------------------------------------------


async def _open(request: Request) -> Response:
    """A new tab, with what the command was given."""
    sessions, start = request.app.state.sessions, request.app.state.start
    try:
        session = sessions.open()
    except Busy as error:
        return _refused(str(error), 503)
    if start is not None:
        take = working.take_model if start.endswith(ENDING) else working.take_data
        try:
            await run_in_threadpool(take, session, start)
        except (ValueError, TypeError, OSError) as error:
            sessions.close(session)
            return _refused(" ".join(str(error).split()), 400)
    limit = {"bytes": sessions.limit, "text": sessions.described()}
    return JSONResponse({"session": session.key, "limit": limit, **working.described(session)})


@asked
async def _state(request: Request, session: Session) -> Response:
    limit = {"bytes": request.app.state.sessions.limit, "text": request.app.state.sessions.described()}
    return JSONResponse({"limit": limit, **await run_in_threadpool(working.described, session)})


@asked
async def _close(request: Request, session: Session) -> Response:
    await run_in_threadpool(request.app.state.sessions.close, session)
    return JSONResponse({})


# -- data --------------------------------------------------------------------------------------------------------------


@asked
async def _upload(request: Request, session: Session) -> Response:
    """One file as raw bytes: `?name=` its name, `&first=1` for the first of several pictures, `&last=1`."""
    working.idle(session)
    sessions: Sessions = request.app.state.sessions
    query = request.query_params
    name = safe_name(query.get("name", ""))
    pictures = is_picture(name)
    folder = session.folder / PICTURES if pictures else session.folder / "given"
    if "first" in query or not pictures:
        if pictures or not name.endswith(ENDING):
            await run_in_threadpool(_cleared, session, folder)
        folder.mkdir(mode=0o700, exist_ok=True)
    if pictures and sum(1 for _ in folder.iterdir()) >= MOST_FILES:
        raise ValueError(f"more than {MOST_FILES:,} pictures; give the folder itself: azogue studio FOLDER")
    target = _free(folder, name)
    left = max(sessions.limit - session.uploaded, 0)
    session.uploaded += await receive(request, target, left, sessions.described())
    if name.endswith(ENDING):
        await run_in_threadpool(working.take_model, session, str(target))
    elif not pictures:
        await run_in_threadpool(working.take_data, session, str(target))
    elif "last" in query:
        await run_in_threadpool(working.take_data, session, str(folder))
    else:
        return JSONResponse({})
    return await _told(working.described, session)


def _cleared(session: Session, folder: Path) -> None:
    """Make room for other data; a model stays."""
    session.given = session.path = None
    session.forget()
    if folder.is_dir():
        for path in folder.iterdir():
            if path.suffix != ENDING:
                session.uploaded -= path.stat().st_size
                path.unlink()


def _free(folder: Path, name: str) -> Path:
    """A place of that name, or of the name and a number."""
    stem, dot, ending = name.partition(".")
    target, number = folder / name, 1
    while target.exists():
        number += 1
        target = folder / f"{stem}-{number}{dot}{ending}"
    return target


@asked
async def _reading(request: Request, session: Session) -> Response:
    """Read the data again: without some columns, with another mark of missing cells."""
    body = await _body(request)
    if session.path is None:
        raise ValueError("give data first")
    drop, missing, header = body.get("drop", []), body.get("missing", ""), body.get("header", True)
    if not isinstance(drop, list) or not all(isinstance(name, str) for name in drop):
        raise ValueError("expected a list of columns to leave out")
    if not isinstance(missing, str) or len(missing) > 100 or not isinstance(header, bool):
        raise ValueError("expected a text that marks missing cells")
    reading = Reading(drop=drop or None, header=header, missing=missing or None)
    await run_in_threadpool(working.take_data, session, session.path, reading)
    return await _told(working.described, session)


@asked
async def _reset(request: Request, session: Session) -> Response:
    """Drop data and model."""
    working.idle(session)
    session.forget()
    session.path = session.given = session.model = session.model_path = None
    session.reading, session.uploaded = Reading(), 0
    for path in list(session.folder.iterdir()):
        await run_in_threadpool(shutil.rmtree, path, True)
    return await _told(working.described, session)


# -- training ----------------------------------------------------------------------------------------------------------


@asked
async def _start(request: Request, session: Session) -> Response:
    body = await _body(request)
    options = body.get("options", {})
    if not isinstance(options, dict):
        raise ValueError("expected the values of the form")
    with session.lock:
        job = working.begin(session, body.get("use"), options)
    return JSONResponse({"job": job.snapshot()})


@asked
async def _stop(request: Request, session: Session) -> Response:
    if session.job is not None:
        session.job.stop()
    return JSONResponse({})


@asked
async def _watch(request: Request, session: Session) -> Response:
    """Server-sent events: the training as it goes, and the tab's state at its end."""
    job = session.job
    if job is None:
        raise ValueError("nothing is trained")

    async def events() -> AsyncIterator[str]:
        last = ""
        while not job.done.is_set() and not await request.is_disconnected():
            text = json.dumps(job.snapshot())
            if text != last:
                yield f"event: epoch\ndata: {text}\n\n"
            last = text
            await asyncio.sleep(PAUSE)
        state = await run_in_threadpool(working.described, session)
        yield f"event: end\ndata: {json.dumps(state)}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


# -- looking -----------------------------------------------------------------------------------------------------------


def _looking(name: str, *wanted: str) -> Callable[[Request], Awaitable[Response]]:
    """A question to the session's explorer."""

    @asked
    async def look(request: Request, session: Session) -> Response:
        body = await _body(request)
        if session.explorer is None:
            raise ValueError("train something first, or give a model")
        return await _told(getattr(session.explorer, name), *(body.get(key) for key in wanted))

    return look


@asked
async def _map(request: Request, session: Session) -> Response:
    color = (await _body(request)).get("color")
    if session.explorer is None or not (color is None or isinstance(color, str)):
        raise ValueError("train something first, or give a model")
    return await _told(session.explorer.map, color, await run_in_threadpool(working.scores_of, session))


@asked
async def _rows(request: Request, session: Session) -> Response:
    rows = (await _body(request)).get("rows")
    if session.explorer is None or not isinstance(rows, list):
        raise ValueError("expected a list of rows of the data")
    return await _told(session.explorer.listed, rows)


@asked
async def _worst(request: Request, session: Session) -> Response:
    if session.outcome is None or session.outcome.made is None or session.use != "detect":
        raise ValueError("look for anomalies first")
    return await _told(comparing.worst, session.outcome.made)


@asked
async def _compare(request: Request, session: Session) -> Response:
    outcome, job = session.outcome, session.job
    if session.explorer is None or outcome is None or job is None or session.use not in working.CHANGING:
        raise ValueError("fill gaps, take off noise or anonymise first")
    return await _told(comparing.compared, session.explorer, outcome.made, job.folder / outcome.result)


@asked
async def _draw(request: Request, session: Session) -> Response:
    body = await _body(request)
    given = (body.get("rows"), body.get("where", []), body.get("seed", 0))
    made = await run_in_threadpool(working.draw, session, *given)
    shown = await run_in_threadpool(comparing.drawn, made)
    return JSONResponse({**shown, "made": await run_in_threadpool(working.made, session)})


@asked
async def _download(request: Request, session: Session) -> Response:
    name = str((await _body(request)).get("name"))
    content = await run_in_threadpool(working.content, session, name)
    return Response(content, media_type="application/octet-stream")


_API: dict[str, tuple[str, Any]] = {
    "open": ("POST", _open),
    "state": ("GET", _state),
    "close": ("POST", _close),
    "upload": ("POST", _upload),
    "reading": ("POST", _reading),
    "reset": ("POST", _reset),
    "start": ("POST", _start),
    "stop": ("POST", _stop),
    "watch": ("GET", _watch),
    "map": ("POST", _map),
    "units": ("POST", _looking("units")),
    "decode": ("POST", _looking("decode", "code")),
    "row": ("POST", _looking("row", "row")),
    "rows": ("POST", _rows),
    "explain": ("POST", _looking("explain", "row")),
    "expected": ("POST", _looking("expected", "row")),
    "similar": ("POST", _looking("similar", "row")),
    "worst": ("POST", _worst),
    "compare": ("POST", _compare),
    "draw": ("POST", _draw),
    "download": ("POST", _download),
}
