"""The Cone of Privacy: a threshold that depends on the nearest original and on how dense the originals are there.

`score` holds the rule, `calibration` the conformal thresholds and intervals, `judge` the whole procedure from two
sets of images to verdicts, `material` what an examination needs of a cohort, `exam` the tables that decide whether the
cone is good.
"""
