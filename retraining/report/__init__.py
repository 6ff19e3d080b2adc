"""What people see: the cycle's page, the index over all cycles, the note, the version's description, the terminal block.

Pure functions: records in, text out. Nothing here is imported before it is called, since a closed gate prints JSON and no page.
"""

from retraining.report.told import outcome_to_json, plain

__all__ = ["outcome_to_json", "plain"]
