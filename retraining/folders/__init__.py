"""Files on disk: written whole, moved without overwriting, remembered, locked, noted.

Standard library only. It knows nothing of what is in them. The data folders are the room `inbox`'s.
"""
