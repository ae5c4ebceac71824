"""Generators of synthetic eyes, one interface for all: `fit(images, conditions)`, `sample(n, conditions, seed=…)`,
`save(folder)` and `load(folder)`; weights as safetensors beside a JSON card, never pickle.
"""
