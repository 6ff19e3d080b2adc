"""Put a version into the registry on a person's word: what `register_first_model.py` does.

What is registered may have learned from everything that stands in the archive: it becomes the
archive's lineage from here on.
"""

from retraining.registering.registration import Request, register

__all__ = ["Request", "register"]
