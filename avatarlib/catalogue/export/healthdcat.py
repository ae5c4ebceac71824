"""HealthDCAT-AP release 6 as JSON-LD: open sources by its public profile, the others apart with their access right.

The profile asks of every data set for a health data access body and for legislation. No body is known to be
responsible for these sources, and the export says so in its place; the legislation is the regulation that founds the
profile, (EU) 2025/327.
"""

import json
from collections.abc import Sequence

from rdflib import RDF, Graph, Literal, URIRef

from avatarlib.catalogue.criteria import CRITERIA
from avatarlib.catalogue.export import usage
from avatarlib.catalogue.model import LEVELS, Source
from avatarlib.catalogue.vocabulary import vocabulary

EU = "http://publications.europa.eu/resource/authority"
CATEGORIES = "https://hdeu-dcat.data.health.europa.eu/resource/authority/healthcategories"
EHDS = "http://data.europa.eu/eli/reg/2025/327/oj"
SPACES = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "dcatap": "http://data.europa.eu/r5r/",
    "healthdcatap": "http://healthdataportal.eu/ns/health#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "cv": "http://data.europa.eu/m8g/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "odrl": usage.ODRL,
    "dqv": "http://www.w3.org/ns/dqv#",
    "oa": "http://www.w3.org/ns/oa#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
ACCESS = {"open": "PUBLIC", "registration": "RESTRICTED", "agreement": "RESTRICTED", "application": "NON_PUBLIC"}
# Kinds of Article 51 of the regulation: genomic data, pathogens, data from medical devices, research and registries.
_CATEGORY = {
    "sequences": "HGPD",
    "study-metadata": "RQSH",
    "critical-care": "EHRS",
}
NO_BODY = "None known: no health data access body was found responsible for this source"


def files(sources: Sequence[Source]) -> dict[str, dict]:
    """Return `public.jsonld`, and `not-public.jsonld` where there are such sources; what is gone is in neither."""
    public = [source for source in sources if source.criteria.availability.mode == "open"]
    others = [source for source in sources if ACCESS.get(source.criteria.availability.mode, "PUBLIC") != "PUBLIC"]
    made = {"public.jsonld": public, "not-public.jsonld": others}
    return {name: _document(some, name.removesuffix(".jsonld")) for name, some in made.items() if some}


def _document(sources: Sequence[Source], name: str) -> dict:
    graph = Graph()
    for prefix, space in SPACES.items():
        graph.bind(prefix, space, replace=True)
    catalogue = URIRef(f"urn:avatar:catalogue:{name}")
    graph.add((catalogue, RDF.type, _term("dcat:Catalog")))
    graph.add((catalogue, _term("dct:title"), Literal("Annotated catalogue of open medical data", lang="en")))
    graph.add((catalogue, _term("dct:description"), Literal("Graded by four criteria, with evidence.", lang="en")))
    graph.add((catalogue, _term("dcatap:applicableLegislation"), URIRef(EHDS)))
    for source in sources:
        graph.add((catalogue, _term("dcat:dataset"), _add_dataset(graph, source)))
    return _ordered(json.loads(graph.serialize(format="json-ld", context=SPACES, sort_keys=True)))


def _ordered(value):
    """Return JSON with its lists in one order, for a graph has none and two exports should be equal."""
    if isinstance(value, dict):
        return {key: _ordered(part) for key, part in value.items()}
    return sorted(map(_ordered, value), key=json.dumps) if isinstance(value, list) else value


def _term(short: str) -> URIRef:
    prefix, name = short.split(":")
    return URIRef(SPACES[prefix] + name)


def _add_dataset(graph: Graph, source: Source) -> URIRef:
    me = URIRef(f"urn:avatar:catalogue:{source.identifier}")

    def say(what: str, *values) -> None:
        for value in values:
            graph.add((me, _term(what), value))

    graph.add((me, RDF.type, _term("dcat:Dataset")))
    say("dct:identifier", Literal(source.identifier))
    say("dct:title", Literal(source.title, lang="en"))
    say("dct:description", Literal(source.about, lang="en"))
    say("dcat:landingPage", URIRef(source.addresses.page))
    say("dct:accessRights", URIRef(f"{EU}/access-right/{ACCESS[source.criteria.availability.mode]}"))
    say("dcatap:applicableLegislation", URIRef(EHDS))
    say("dcat:theme", URIRef(f"{EU}/data-theme/HEAL"))
    say("healthdcatap:healthCategory", URIRef(f"{CATEGORIES}/{_category(source)}"))
    if source.synthetic:
        say("dct:type", URIRef(f"{EU}/dataset-type/SYNTHETIC_DATA"))
    say("dcat:keyword", *(Literal(word, lang="en") for word in (source.field, source.modality)))
    say("dcat:keyword", *(Literal(vocabulary().scenarios[name]["title"], lang="en") for name in source.scenarios))
    coded = [x for x in source.criteria.relevance.indications if x.code]
    say("healthdcatap:hasCodeValues", *(Literal(f"{x.system} {x.code}") for x in coded))
    records = None if source.size.unit in ("hours", "bases") else source.size.value
    for what, number in (("numberOfRecords", records), ("numberOfUniqueIndividuals", source.people.value)):
        if number is not None:
            say(f"healthdcatap:{what}", Literal(str(int(number)), datatype=_term("xsd:nonNegativeInteger")))
    say("dct:publisher", _agent(graph, f"{me}:publisher", source.provider, source.addresses.page))
    say("healthdcatap:hdab", _agent(graph, f"{me}:hdab", NO_BODY, source.addresses.page))
    say("dcat:contactPoint", _contact(graph, f"{me}:contact", source.addresses.page))
    say("dcat:distribution", _distribution(graph, f"{me}:distribution", source))
    say("dqv:hasQualityAnnotation", _quality(graph, f"{me}:quality", source))
    return me


def _category(source: Source) -> str:
    if source.modality == "metagenome":
        return "RPDG"
    return _CATEGORY.get(source.field, "EMRD")


def _add(graph: Graph, iri: str, kind: str) -> URIRef:
    """Add a thing of a kind; named, not blank, so that two exports of one catalogue are equal."""
    thing = URIRef(iri)
    graph.add((thing, RDF.type, _term(kind)))
    return thing


def _agent(graph: Graph, iri: str, name: str, page: str) -> URIRef:
    agent, contact = _add(graph, iri, "foaf:Agent"), _add(graph, f"{iri}:contact", "cv:ContactPoint")
    graph.add((agent, _term("foaf:name"), Literal(name, lang="en")))
    graph.add((agent, _term("cv:contactPoint"), contact))
    graph.add((contact, _term("cv:contactPage"), URIRef(page)))
    return agent


def _contact(graph: Graph, iri: str, page: str) -> URIRef:
    contact = _add(graph, iri, "vcard:Kind")
    graph.add((contact, _term("vcard:hasURL"), URIRef(page)))
    return contact


def _distribution(graph: Graph, iri: str, source: Source) -> URIRef:
    it = _add(graph, iri, "dcat:Distribution")
    graph.add((it, _term("dcat:accessURL"), URIRef(source.addresses.record or source.addresses.page)))
    graph.add((it, _term("dcatap:applicableLegislation"), URIRef(EHDS)))
    if licence := usage.licence_iri(source):
        graph.add((it, _term("dct:license"), URIRef(licence)))
    elif words := source.criteria.terms.licence_words:
        rights = _add(graph, f"{iri}:rights", "dct:RightsStatement")
        graph.add((rights, _term("dct:description"), Literal(words, lang="en")))
        graph.add((it, _term("dct:rights"), rights))
    graph.add((it, _term("odrl:hasPolicy"), _policy(graph, f"{iri}:policy", source)))
    return it


def _policy(graph: Graph, iri: str, source: Source) -> URIRef:
    policy, rules = _add(graph, iri, "odrl:Offer"), usage.rules(source)
    graph.add((policy, _term("dct:description"), Literal(usage.READING, lang="en")))
    graph.add((policy, _term("odrl:target"), URIRef(source.addresses.page)))
    for _, _, duo in usage.codes(source):
        graph.add((policy, _term("dct:conformsTo"), URIRef(duo)))
    for kind in ("permission", "prohibition"):
        for number, action in enumerate(rules[kind], start=1):
            rule = _add(graph, f"{iri}:{kind}:{number}", f"odrl:{kind.title()}")
            graph.add((policy, _term(f"odrl:{kind}"), rule))
            graph.add((rule, _term("odrl:action"), URIRef(action)))
            for place, duty in enumerate(rules["duty"] if kind == "permission" else (), start=1):
                node = _add(graph, f"{iri}:{kind}:{number}:duty:{place}", "odrl:Duty")
                graph.add((rule, _term("odrl:duty"), node))
                graph.add((node, _term("odrl:action"), URIRef(duty)))
    return policy


def _quality(graph: Graph, iri: str, source: Source) -> URIRef:
    note, body = _add(graph, iri, "dqv:QualityAnnotation"), _add(graph, f"{iri}:text", "oa:TextualBody")
    graded = {name: getattr(source.criteria, name).grade for name in CRITERIA}
    grades = ", ".join(f"{name} {'not graded' if grade is None else grade}" for name, grade in graded.items())
    text = f"Verified at level {source.level} ({LEVELS[source.level]}). Grades of 0 to 3: {grades}."
    graph.add((note, _term("oa:hasBody"), body))
    graph.add((body, RDF.value, Literal(text, lang="en")))
    return note
