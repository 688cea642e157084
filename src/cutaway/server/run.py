"""The application on a socket, until it is told to stop."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from cutaway.errors import ConfigError
from cutaway.server.app import create_app
from cutaway.server.service import Service
from cutaway.server.settings import ServerSettings

HEADER_TIME_S = 15.0
MAX_HEADER_BYTES = 32 << 10


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that waits for a request's head for some seconds, not for ever."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client has come."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Something has come: with it the head may be complete, or another one may have begun."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._head_timer is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEADER_TIME_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def serve(service: Service, settings: ServerSettings, *, started: Callable[[str], None] = lambda url: None) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that are being answered then get `settings.drain_s` to finish.

    `started` is told the address.

    Raises: ConfigError when the address is not to be had; what kept the models from loading, for without them there is
        nothing to serve.
    """
    server = http_server(service, settings)

    def give_up() -> None:
        server.should_exit = True

    service.failed = give_up
    with listen(settings) as listener:
        started(address(listener))
        server.run(sockets=[listener])
    service.wait(0)


def http_server(service: Service, settings: ServerSettings) -> uvicorn.Server:
    """A server of the application, which does not listen yet."""
    config = uvicorn.Config(
        create_app(service, settings),
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.drain_s),
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )
    return uvicorn.Server(config)


def address(listener: socket.socket) -> str:
    """Where a socket listens, as a browser wants it."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def listen(settings: ServerSettings) -> socket.socket:
    """A socket that listens where the settings say.

    Raises: ConfigError when the address is taken, or is none of this machine's.
    """
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"cannot listen on {settings.host}, port {settings.port}: {reason}; choose another with --host or --port"
        ) from error
