"""Consent to the use of clinical data: its process, policies and their periods, documents, and what they permit."""
