"""Eyes, invented and real: `phantoms.cohort` draws them, `real.load` and `folder` read them."""
