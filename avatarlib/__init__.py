"""avatarlib: what two AVATAR notebooks, or a notebook and the `avatar` command, share.

Importing this package loads nothing heavy; each room imports what it needs.
"""

__version__ = "0.1.0"
