"""Everything about MLflow: the only place that names it.

`interface.py` says what a cycle asks of a registry.
"""
