"""What the kept reads of a removal tell about a panel's people: collected batch by batch, put into a report."""

import math
from pathlib import Path

import numpy as np

from avatarlib.genomes.fasta import read_fasta
from avatarlib.genomes.vcf import read_vcf
from avatarlib.removal.reads import Batch
from avatarlib.residual.evidence import placer
from avatarlib.residual.likelihood import genotype_likelihoods, ratios
from avatarlib.residual.panel import Panel, panel_of
from avatarlib.residual.recognition import FALSE_MATCHES


def load_panel(vcf: Path, reference: Path) -> Panel:
    """Read a panel from phased genotypes of people on the reference; errors as `avatarlib.genomes.vcf.read_vcf`."""
    return panel_of(read_vcf(vcf, read_fasta(reference)))


class Exam:
    """Takes batches with what is kept of them; memory grows with the panel's sites, not with the reads."""

    def __init__(self, panel: Panel, reference: Path):
        self._panel, self._look = panel, placer(reference, panel)
        self._likelihoods = np.zeros((len(panel), 3))
        self._shown = np.zeros(len(panel), bool)
        self._placed = self._informative = 0

    def watch(self, batch: Batch, kept: np.ndarray) -> None:
        """Take a batch."""
        evidence = self._look(batch, kept)
        self._likelihoods += genotype_likelihoods(evidence, len(self._panel))
        self._shown[evidence.site] = True
        self._placed += evidence.placed
        self._informative += len(np.unique(evidence.read))

    def report(self) -> dict:
        """Return what is left, without the name of anybody."""
        ratio = np.sort(ratios(self._panel, self._likelihoods))[::-1]
        several = len(ratio)
        # Of so many people, who are not in the sample, one in a hundred panels has one above it (Markov's inequality).
        above = math.log(several / FALSE_MATCHES)
        return {
            "people": several,
            "sites": len(self._panel),
            "reads placed": self._placed,
            "informative reads": self._informative,
            "informative sites": int(self._shown.sum()),
            "largest ratio": float(ratio[0]),
            "ahead of the next": float(ratio[0] - ratio[1]) if several > 1 else None,
            "needed ratio": above,
            "people above": int((ratio > above).sum()),
        }
