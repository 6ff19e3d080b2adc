"""The prediction service.

It answers with the version that holds the alias. The job does not need it.
"""
