"""Who it is that traces, metrics and logs are exported by."""

from __future__ import annotations

import socket
from typing import Literal

from opentelemetry.sdk.resources import Resource

from callpool import __version__
from callpool.settings import Settings

Role = Literal["worker", "job", "dispatcher", "web", "providers"]
"""What a process does."""


def resource(settings: Settings, role: Role) -> Resource:
    """What all that a process exports is marked with. `OTEL_RESOURCE_ATTRIBUTES` adds to it."""
    return Resource.create(
        {
            "service.name": settings.telemetry.service_name,
            "service.version": __version__,
            "service.instance.id": f"{settings.worker.name or socket.gethostname()}-{role}",
            "host.name": socket.gethostname(),
            "callpool.role": role,
        }
    )
