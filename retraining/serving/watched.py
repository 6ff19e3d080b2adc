"""A file that may change while the service runs."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod

SECONDS_BETWEEN_LOOKS = 0.5


class Watched(ABC):
    """Looks again when it is asked, twice a second at most."""

    def __init__(self) -> None:
        self._looked = -SECONDS_BETWEEN_LOOKS
        self._lock = threading.Lock()

    def _look_again(self) -> None:
        with self._lock:
            if time.monotonic() - self._looked >= SECONDS_BETWEEN_LOOKS:
                self._look()
                self._looked = time.monotonic()

    @abstractmethod
    def _look(self) -> None:
        """Read the file, where it changed."""
