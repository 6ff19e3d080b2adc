"""The routes, a module for each group.

Each reads a request, asks a part of the service, and words the answer.
"""
