"""How a process comes to listen, and what it says when it cannot."""

from __future__ import annotations

import errno
import socket

from aiohttp import web

from callpool.errors import CallpoolError


async def listen(runner: web.AppRunner, name: str, host: str, port: int) -> str:
    """Bind, and give the base URL with the real port.

    `name` is that of the process in its variables, such as `WEB`. Raises CallpoolError, which names the
    variable, when this machine does not let it.
    """
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            wrong = f"CALLPOOL_{name}_HOST is {host!r}: expected an address of this machine"
        elif error.errno == errno.EADDRINUSE:
            wrong = (
                f"CALLPOOL_{name}_PORT is {port}: another program uses this port on {host}; "
                "expected a free one (0: any)"
            )
        elif error.errno == errno.EACCES:
            wrong = f"CALLPOOL_{name}_PORT is {port}: this user may not open it; expected one above 1023"
        else:
            wrong = (
                f"CALLPOOL_{name}_HOST is {host!r} and CALLPOOL_{name}_PORT {port}: "
                f"this machine cannot listen there ({error.strerror or error})"
            )
        raise CallpoolError(wrong) from error
    address, bound = runner.addresses[0][:2]
    return f"http://[{address}]:{bound}" if ":" in address else f"http://{address}:{bound}"
