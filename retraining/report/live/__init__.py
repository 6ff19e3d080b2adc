"""The live page: one look says whether production is well.

Facts in, HTML out; nothing is computed from rows here.
"""
