"""The data folders: list what waits, claim it, refuse it, archive it.

Never parses rows. Standard library only.

A file is known by the SHA-256 of its bytes. What a cycle reads are copies, made while hashing: a
sender may overwrite a file in place, and what was learned must be what gets archived.
"""

from retraining.inbox.inbox import Inbox, Waiting
from retraining.inbox.listing import NO_PERMISSION, Listing

__all__ = ["NO_PERMISSION", "Inbox", "Listing", "Waiting"]
