"""Ports for servers of tests, so that two of them, or a server and a client, never want the same
one.
"""

from __future__ import annotations

import itertools
import os
import socket

FIRST, LAST = 20_000, 32_000  # below those that the kernel gives to clients
APART = 211  # between the first ports of two processes whose numbers follow each other
_places = itertools.count()


def free_port() -> int:
    """A port that nobody listens on, and that this process gave nobody yet."""
    for place in _places:
        port = FIRST + (os.getpid() * APART + place) % (LAST - FIRST)
        with socket.socket() as unused:
            try:
                unused.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("places never end")
