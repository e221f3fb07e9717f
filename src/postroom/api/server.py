"""How the API is served: uvicorn with uvloop and httptools, and the vendor's connection habits (contract §0)."""

import asyncio
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from postroom.api.errors import ApiError, Code

IDLE_SECONDS = 5  # after which a kept-alive connection is closed, contract §0
_GRACEFUL_SECONDS = 8  # `serve` ends the process by force after 11


class JsonHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with JSON also where a request was no HTTP at all (contract §0: on every reply)."""

    def send_400_response(self, msg: str) -> None:
        body = ApiError(Code.BAD_FORMAT, msg).body()
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\n"
            b"content-type: application/json; charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body)
        )
        self.transport.close()


def cuttable_protocol(name: str) -> type[JsonHttpProtocol]:
    """The protocol, with a function of this name in the scope of each request that ends its connection at once."""

    class CuttableHttpProtocol(JsonHttpProtocol):
        def on_message_begin(self) -> None:
            super().on_message_begin()
            self.scope[name] = self.transport.abort  # type: ignore[literal-required]

    return CuttableHttpProtocol


def server_config(app: Any, *, host: str = "127.0.0.1", port: int = 0, cuttable: str | None = None) -> uvicorn.Config:
    """The uvicorn configuration of an API process; hand listening sockets to `uvicorn.Server.serve`.

    ``cuttable`` is the name of `cuttable_protocol`; without one no request can end its connection.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=JsonHttpProtocol if cuttable is None else cuttable_protocol(cuttable),
        ws="none",
        loop="uvloop",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
    )


async def serve_http(
    app: Any, host: str, port: int, listen_fd: int | None, stop: asyncio.Event, *, cuttable: str | None = None
) -> None:
    """Answer requests until ``stop`` is set, and finish those that have begun; ``cuttable`` as in `server_config`.

    ``listen_fd`` is a listening socket shared with other processes; without one the address is bound here.
    """
    server = _Server(server_config(app, host=host, port=port, cuttable=cuttable))
    sockets = None if listen_fd is None else [socket.socket(fileno=os.dup(listen_fd))]
    serving = asyncio.create_task(server.serve(sockets))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals are the process's business, which sets ``stop``."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
