"""Human variation over a reference: genealogies, sites on their branches, genotypes, and the files that hold them.

`settings.Variation` says what is wanted, `simulate.simulate` turns it and a `fasta.Reference` into `simulate.Genomes`:
the donors and for each `simulate.Contig` its copies, `variants.Variants` and genealogies. `fasta.read_fasta` and
`write_fasta`, `vcf.read_vcf` and `write_vcf` hold the files, `phantom` draws a genome that needs no download,
`haplotypes` applies variants to the reference. `ancestry` and `known_sites` are the two sources of genotypes.
"""

import sys

# tskit imports jsonschema, which compiles grammars for exotic addresses for more than a second if it finds this package
# of JupyterLab's. A name without a module is passed over.
if "jsonschema" not in sys.modules:
    sys.modules.setdefault("rfc3987_syntax", None)
