"""The prediction service.

Answers by the version that holds the alias, at any time, beside the job and never in its way.
"""
