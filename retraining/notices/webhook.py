"""The `--json` object to an address of the user's, signed so that the receiver can tell it from
anybody else's.

The signature is HMAC-SHA256 over `<timestamp>.<body>` with WEBHOOK_SECRET, as hexadecimal after
`sha256=`. The time stamp is part of what is signed, so a receiver that refuses old ones cannot be
fed a recorded message again. The delivery id stays the same over tries, so that a message that came
twice can be told from two.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from retraining.notices import http

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TIMESTAMP, SIGNATURE, DELIVERY = (
    "X-Retraining-Timestamp",
    "X-Retraining-Signature",
    "X-Retraining-Delivery",
)
TIMEOUT = 2.5


def post(url: str, message: Mapping[str, Any], secret: str | None, now: datetime) -> None:
    """Send the object; without a secret it goes unsigned.

    Raises:
        NotTakenError: the receiver refused it, three times where that may pass.
        OSError: no answer came.
    """
    body = json.dumps(message, allow_nan=False).encode()
    stamp = str(int(now.timestamp()))
    headers = {"Content-Type": "application/json", "User-Agent": "retraining", TIMESTAMP: stamp}
    headers[DELIVERY] = hashlib.sha256(f"{stamp}.".encode() + body).hexdigest()[:32]
    if secret:
        headers[SIGNATURE] = f"sha256={signature(secret, stamp, body)}"
    http.send(url, body, headers, timeout=TIMEOUT)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 of `<timestamp>.<body>`, hexadecimal (RFC 2104)."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
