"""What a route needs of the application that it is asked through."""

from typing import cast

from fastapi import Request

from cutaway.server.service import Service
from cutaway.server.settings import ServerSettings


def service_of(request: Request) -> Service:
    """The service behind the application."""
    return cast(Service, request.app.state.service)


def settings_of(request: Request) -> ServerSettings:
    """The application's settings."""
    return cast(ServerSettings, request.app.state.settings)
