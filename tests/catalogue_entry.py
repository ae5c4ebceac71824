"""An entry of the catalogue about a source that does not exist, for tests to spoil."""

ENTRY = """\
identifier: made-up-eyes
title: Made-up Eyes
provider: Institute of Made-up Things
addresses: {page: "https://made-up-eyes.org/data", doi: "10.1234/made.up"}
field: ophthalmology
modality: fundus
synthetic: false
about: "Photographs that nobody took."
size:   {value: 28, unit: images, evidence: [e1]}
people: {value: 14, evidence: [e1]}
labels:
  sex:  {answer: unclear, evidence: not checked}
  side: {answer: "yes", evidence: [e1]}
metadata_access: {answer: "A table beside the images.", form: file, address: null, evidence: [e1]}
criteria:
  relevance:    {grade: 2, indications: [{system: ICD-10-GM, code: H36.0, term: "Diabetic retinopathy"}], reason: "Fundus.", evidence: [e1]}
  availability: {grade: 3, mode: open, reason: "A link.", evidence: [e2]}
  anonymity:    {grade: 1, method: null, consent: null, recognisable: [vessels], residual_risk: moderate, reason: "No method named.", evidence: [e1]}
  terms:        {grade: 3, licence: CC-BY-4.0, licence_words: null, duo: ["DUO:0000042"], derivatives: "yes", redistribution: "yes", model_release: "not stated", reason: "Stated.", evidence: [e2]}
scenarios: [diabetic-retinopathy-screening]
use_cases: [eye-synthesis]
suitability: {answer: limited, reason: "Small."}
limits: ["14 people"]
traps: ["A copy elsewhere names another licence (e3)."]
evidence:
  e1: {address: "https://made-up-eyes.org/data", title: "Data", read: 2026-11-20, copy: live, words: "28 images of 14 people, left and right", at: "About"}
  e2: {address: "https://made-up-eyes.org/terms", title: "Terms", read: 2026-11-20, copy: stored, words: "licensed under CC BY 4.0", at: "Terms"}
  e3: {address: "https://copies.made-up-eyes.org/1", title: "Copy", read: 2026-11-20, copy: stored, words: "Licence: other", at: "Side bar"}
verification:
  - {level: V1, date: 2026-11-20, what: "page read", evidence: [e1]}
"""  # noqa: E501


def write(folder, text=ENTRY, name="made-up-eyes.yml"):
    """Write an entry into a folder and return its path."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def spoiled(*pairs: tuple[str, str]) -> str:
    """Return the entry with every first text, which must be there, replaced by the second."""
    text = ENTRY
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text
