"""What still identifies: from the human reads that a remover leaves behind to the person, their sex, their population.

Panel (who could it be) -> evidence (which alleles the reads show) -> likelihood -> recognition; `haplotypes` holds the
cone's form for synthetic haplotypes.
"""
