"""Execute the notebooks: `python -m avatarlib.run --help`."""
