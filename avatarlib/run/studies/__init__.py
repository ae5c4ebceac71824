"""Long experiments: run once, resumable, their tables committed in `studies/` and read by the notebooks."""
