"""What a person types at a terminal, and what is said there. Standard library only.

The edge that catches every error is above all rooms: `retraining/cli.py`.
"""
