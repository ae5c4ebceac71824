"""The small tables of `data_manifests/fhir/`: what is known about definitions beyond what they say themselves."""

from avatarlib import manifests


def read_table(name: str) -> dict:
    """Return a table by its file name, such as "mapping.yml"."""
    import yaml

    return yaml.load((manifests.folder() / "fhir" / name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
