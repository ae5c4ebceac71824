"""Reads of simulated people, with the truth about every base.

`config` says what is wanted, `simulate.simulate` makes the folder, `verify` rebuilds it with code of its own, `examine`
measures its errors, `fit` learns a machine's profile from aligned reads, `pileup` lays reads above each other.

Inside `simulate`: `prepare` (donors, haplotypes, `library`), `parts` (a process's share), `molecules` (what is
sequenced), `illumina` and `long` with their `_model`s (errors), `align`, `bam`, `tables` and `truth` (what is known of
them); `streams` are the random numbers, `profile` and `profiles/` the machines.
"""
