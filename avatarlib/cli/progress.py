"""Progress of a long action on standard error."""

import sys


def progress(final: str):
    """One line a step on a log, an overwritten one on a terminal until step `final` is done; on standard error."""
    terminal, last = sys.stderr.isatty(), [None]

    def say(step: str, done: float) -> None:
        if terminal:
            print(
                f"\r\x1b[K{step} {done:.0%}",
                end="\n" if (step, done) == (final, 1) else "",
                file=sys.stderr,
                flush=True,
            )
        elif step != last[0]:
            print(f"{step} …", file=sys.stderr, flush=True)
        last[0] = step

    return say
