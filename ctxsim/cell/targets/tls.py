"""Connections that are encrypted (RFC 8446): the server's certificate is verified, always.

Imported only where an https URL is tested, since a patched cell must have patched sockets first.
"""

from __future__ import annotations

import socket
import ssl

from ctxsim.cell.plan import Address
from ctxsim.errors import TargetError

# There is nothing to read now, which is no end: tickets of the session come at any time.
NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError)
# The other side has hung up, in order or not.
ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


def context_of(address: Address, told: str) -> ssl.SSLContext:
    """What trusts the system's certificates and those of the address's own file.

    Raises TargetError where that cannot be read.
    """
    context = ssl.create_default_context()
    if address.ca:
        try:
            context.load_verify_locations(cafile=address.ca)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror if isinstance(error, FileNotFoundError) else "no certificates"
            raise TargetError(
                f"{told}: {address.ca} cannot be trusted: {why}",
                "name a file of certificates (PEM) as target.ca",
            ) from error
    return context


def secured(sock: socket.socket, context: ssl.SSLContext, host: str) -> socket.socket:
    """The socket once keys are agreed upon and the certificate is verified; raises OSError."""
    return context.wrap_socket(sock, server_hostname=host)


def refused(error: OSError, told: str) -> TargetError | None:
    """What to say of a server with which nothing can be agreed upon; None for other errors."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TargetError(
            f"{told}: the server's certificate is not trusted: {error.verify_message}",
            "name the file of whoever signed it as target.ca",
        )
    if isinstance(error, ssl.SSLError):
        why = error.reason or str(error)
        return TargetError(
            f"{told}: no encrypted connection can be made: {why.replace('_', ' ').lower()}",
            "does the server speak https there? without encryption the URL begins with http://",
        )
    return None
