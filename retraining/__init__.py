"""A retraining job around an MLflow registry."""

__version__ = "0.1.0"
