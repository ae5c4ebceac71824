"""Clinical data in FHIR R4: packages read safely, their elements indexed and searched, resources checked."""
