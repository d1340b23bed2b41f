"""An ASGI application for hypercorn: tells what it saw, echoes, counts, fails on request; also over WebSockets."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

# One block of what /download sends, so that its digest can be computed without keeping it.
BLOCK = bytes(range(256)) * 256
_seen: Counter[str] = Counter()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await _websocket(scope, receive, send)
    elif scope["type"] == "http":
        query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
        handler = _HANDLERS.get(scope["path"].split("/")[1], _tell)
        await handler(scope, query, receive, send)


async def _answer(send: Any, body: bytes, *, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})


async def _pieces(receive: Any) -> Any:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


async def _tell(scope: dict[str, Any], query: dict[str, str], receive: Any, send: Any) -> None:
    """The request as JSON; it counts under its path."""
    body = b"".join([piece async for piece in _pieces(receive)])
    _seen[scope["path"]] += 1
    seen = {
        "method": scope["method"],
        "path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "version": scope["http_version"],
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": body.decode("latin-1"),
    }
    await _answer(send, json.dumps(seen).encode(), headers=[(b"content-type", b"application/json")])


async def _digest(scope: dict[str, Any], query: dict[str, str], receive: Any, send: Any) -> None:
    """Length and digest of the body."""
    digest, length = hashlib.sha256(), 0
    async for piece in _pieces(receive):
        digest.update(piece)
        length += len(piece)
    await _answer(send, f"{length} {digest.hexdigest()}".encode())


async def _echo(scope: dict[str, Any], query: dict[str, str], receive: Any, send: Any) -> None:
    """Sends back each piece as it comes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    async for piece in _pieces(receive):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _download(scope: dict[str, Any], query: dict[str, str], receive: Any, send: Any) -> None:
    """?blocks=N blocks of 64 KiB, without a length unless ?length=1."""
    blocks = int(query.get("blocks", "1"))
    length = [(b"content-length", str(blocks * len(BLOCK)).encode())] if query.get("length") else []
    await send({"type": "http.response.start", "status": 200, "headers": length})
    for _ in range(blocks):
        await send({"type": "http.response.body", "body": BLOCK, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _flaky(scope: dict[str, Any], query: dict[str, str], receive: Any, send: Any) -> None:
    """/flaky/KEY?fails=N&status=S: the first N requests of a key fail."""
    async for _ in _pieces(receive):
        pass
    _seen[scope["path"]] += 1
    fails = _seen[scope["path"]] <= int(query.get("fails", "1"))
    status = int(query.get("status", "503")) if fails else 200
    await _answer(send, str(_seen[scope["path"]]).encode(), status=status)


async def _count(scope: dict[str, Any], query: dict[str, str], receive: Any, send: Any) -> None:
    """/count?path=P: how many requests that path had."""
    await _answer(send, str(_seen[query["path"]]).encode())


async def _slow(scope: dict[str, Any], query: dict[str, str], receive: Any, send: Any) -> None:
    """Answers after ?ms=N."""
    _seen[scope["path"]] += 1
    await asyncio.sleep(int(query.get("ms", "1000")) / 1000)
    await _answer(send, b"late")


async def _status(scope: dict[str, Any], query: dict[str, str], receive: Any, send: Any) -> None:
    """/status/N"""
    async for _ in _pieces(receive):
        pass
    await _answer(send, b"as asked", status=int(scope["path"].split("/")[2]))


async def _websocket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    protocols = scope.get("subprotocols") or []
    await send({"type": "websocket.accept", "subprotocol": protocols[0] if protocols else None})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") is not None:
            if message["text"] == "bye":
                await send({"type": "websocket.close", "code": 4001})
                return
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


_HANDLERS = {
    "digest": _digest, "echo": _echo, "download": _download, "flaky": _flaky, "count": _count, "slow": _slow,
    "status": _status,
}  # fmt: skip
