"""The annotated catalogue of open medical data: entries with evidence, graded by four criteria.

One YAML file a source in `data_manifests/catalogue/`; sources that are not open in `internal/` below it.
"""
