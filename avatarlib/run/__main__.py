"""Execute a notebook, or say how the notebooks stand: `python -m avatarlib.run NN_name --profile laptop`."""

import argparse
import signal
import sys
import traceback
from pathlib import Path

from avatarlib.errors import AvatarError
from avatarlib.run import expected, freshness, profiles, publish, source, store


def main(arguments: list[str] | None = None) -> int:
    """Run the command with `arguments` (default: the process's own); return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m avatarlib.run", description=__doc__)
    words = "status, expected, verify, nbval"
    parser.add_argument("what", metavar="NN_name", help=f"a notebook, or one of: {words}")
    parser.add_argument("--profile", default="laptop", help="laptop (default), smoke, real or gpu")
    parser.add_argument("-p", dest="given", action="append", default=[], metavar="NAME=VALUE", help="set a parameter")
    parser.add_argument("--why", action="store_true", help="only say why it has to run again")
    parser.add_argument("--force", action="store_true", help="run it even if its result is fresh")
    parser.add_argument("--no-compare", action="store_true", help="don't compare with expected/")
    parser.add_argument("--results", type=Path, metavar="DIR", help="verify: the results of the rerun")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that cleaning up happens
    try:
        return _dispatch(options)
    except AvatarError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception:  # a full disk, a bug: the traceback is the report, the exit code says "internal"
        traceback.print_exc()
        return 3


def _dispatch(options: argparse.Namespace) -> int:
    if options.what == "status":
        return _status(options.profile)
    if options.what == "expected":
        return _expected()
    if options.what == "verify":
        return _verify(options.results or store.results_root())
    if options.what == "nbval":
        from avatarlib.run import nbval

        return nbval.check()
    given = profiles.parse_given(options.given)
    if options.why:
        nb, profile = source.read(options.what), profiles.read(options.profile)
        why = freshness.reasons(nb, profile, profiles.changes(nb, profile, given))
        print("\n".join(f"{options.what}: {line}" for line in why or ["fresh"]))
        return 0
    from avatarlib.run import execute

    return execute.run(options.what, options.profile, given, force=options.force, compare=not options.no_compare)


def _status(profile_name: str) -> int:
    profile = profiles.read(profile_name)
    for name in store.notebooks():
        print(f"{name:28} {freshness.status(name, profile)}")
    print(f"results {store.results_root() / profile_name}, executed copies {store.project_root() / 'executed'}")
    return 0


def _expected() -> int:
    for name in store.notebooks():
        if expected.rewrite(name, freshness.result_folder("laptop", name)):
            print(f"expected/{name}.json rewritten: look at its differences before you commit it")
    return 0


def _verify(results: Path) -> int:
    bad = 0
    for name in store.notebooks():
        rows = expected.differences(name, results / "laptop" / name)
        lines = publish.unequal(name, results)
        bad += bool(rows or lines)
        print(f"{name:28} {'differs' if rows or lines else 'equal: metrics, tables, arrays, figures, executed copy'}")
        for line in [*([expected.as_text(rows)] if rows else []), *lines]:
            print(f"  {line}")
    print(f"verify: {len(store.notebooks()) - bad} of {len(store.notebooks())} notebooks equal what is committed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
