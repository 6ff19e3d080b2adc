"""The steps of a cycle: each joins rooms that do not know each other.

`pipeline_orchestrator.py` tells their order.
"""
