"""Configurations and profiles of reads: what is accepted, and one line with file, line and key for what is not."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from avatarlib.errors import InputError
from avatarlib.genomes.settings import Variation
from avatarlib.reads import config, profile
from avatarlib.reads.config import Config, Errors, Reads
from avatarlib.reads.profile import PLATFORMS, load_profile, save_profile

PROFILES = Path(profile.__file__).parent / "profiles"
GOOD = "reference: ref.fa\nreads: {pairs: 10}\n"  # two lines
SOURCE = "reference: ref.fa, share: 0.5"


@pytest.fixture
def folder(tmp_path):
    for name in ("ref.fa", "ref.fa.gz", "ecoli.fa.gz"):
        (tmp_path / name).write_text(">a\nACGT\n")
    return tmp_path


def refusal(folder, text, *overrides):
    """The error's one line for a configuration, without its folder."""
    path = folder / "c.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        config.load(path, overrides)
    line = str(caught.value).replace(f"{folder}/", "")
    assert "\n" not in line and line.isprintable()
    return line


def test_commented_configuration_holds_every_key_and_loads_as_the_defaults(folder):
    text = config.commented()
    assert max(map(len, text.splitlines())) <= 120
    (folder / "c.yml").write_text(text)
    loaded = config.load(folder / "c.yml")
    assert loaded == Config(reference=folder / "ref.fa.gz", reads=Reads(pairs=100_000))
    # For readers of YAML 1.1 too, every number is a number.
    plain = yaml.safe_load(text)
    assert plain["variation"]["recombination_rate"] == 1e-8
    for block, model in (("variation", Variation), ("reads", Reads), ("errors", Errors)):
        assert list(plain[block]) == list(model.model_fields)
        for name, field in model.model_fields.items():
            assert field.description.split()[0] in re.search(rf"^  {name}: .*", text, re.M)[0]


def test_commented_ranges_are_those_that_are_checked(folder):
    text = config.commented()
    assert re.search(r"snp_rate: 0.001 +# 0 to 0.2; ", text) and re.search(r"seed: 4 +# 0 or more; ", text)
    assert "illumina | ont | hifi" in text
    assert "must be at most 0.2, not 0.21" in refusal(folder, text, "variation.snp_rate=0.21")


def test_example_of_a_mixture_loads_without_its_comment_signs(folder):
    text = config.commented().replace("mixture: []\n", "")
    example = text[text.index("# mixture:") :]
    (folder / "c.yml").write_text(text.replace(example, re.sub("^# ", "", example, flags=re.M)))
    (source,) = config.load(folder / "c.yml").mixture
    assert (source.name, source.reference, source.share) == ("ecoli", folder / "ecoli.fa.gz", 0.1)


def test_numbers_paths_and_empty_blocks(folder):
    (folder / "own.yml").write_text("x")
    text = GOOD + "errors:\n#  seed: 4\nvariation: {snp_rate: 1e-3, model: own.yml}\nworkers: 1_0\n"
    (folder / "c.yml").write_text("\ufeff" + text.replace("\n", "\r\n"))
    loaded = config.load(folder / "c.yml", ["errors.profile=own.yml"])
    assert loaded.variation.snp_rate == 0.001 and loaded.workers == 10
    assert loaded.reference == folder / "ref.fa"
    assert loaded.variation.model == loaded.errors.profile == str(folder / "own.yml")


def test_a_short_molecule_and_a_mixture_that_is_everything_are_allowed(folder):
    text = "reference: ref.fa\nreads: {pairs: 1, length: 150, fragment_mean: 100}\n"
    (folder / "c.yml").write_text(text + f"mixture: [{{name: a, {SOURCE}}}, {{name: b, {SOURCE}}}]\n")
    assert [source.name for source in config.load(folder / "c.yml").mixture] == ["a", "b"]


def test_overrides(folder):
    (folder / "c.yml").write_text(GOOD + f"mixture: [{{name: a, {SOURCE}}}]\n")

    def load(*texts):
        return config.load(folder / "c.yml", texts)

    assert load("errors.seed=5").errors.seed == 5
    assert load("errors.seed=5", "errors.seed=6").errors.seed == 6
    assert load("errors.scale=1e-2").errors.scale == 0.01
    assert load("errors.substitution=null").errors.substitution is None
    assert load("mixture=[]").mixture == ()
    assert load("mixture.0.share=0.25").mixture[0].share == 0.25
    assert load("reads={platform: ont, coverage: 3}").reads == Reads(platform="ont", coverage=3)
    assert load("variation.populations.YRI=3").variation.populations == {"YRI": 3}


@pytest.mark.parametrize(
    "text, line",
    [
        ("", "c.yml: is empty: `avatar reads config`"),
        ("# nothing\n", "c.yml: is empty: "),
        ("\n- a\n", "c.yml, line 2: must hold keys (key: value), not a list: "),
        ("text\n", "c.yml, line 1: must hold keys (key: value), not 'text': "),
        (b"\x1f\x8b\x08\x00", "c.yml: is no text file (UTF-8): "),
        ("a: \0", "c.yml: is no text file (UTF-8): "),
        ("a: 1\nb: \x07\n", "c.yml, line 2: a control character: "),
        ("a: " + "x" * 1_000_000, "c.yml: is larger than 1 MB"),
        (GOOD + "errors:\n\tseed: 4\n", "c.yml, line 4: a tab can't indent: use spaces"),
        (GOOD + "errors: {seed: 4\n\n", "c.yml, line 3: no valid YAML: "),
        (GOOD + "errors: 'x\n\n", "c.yml, line 3: no valid YAML: "),
        (GOOD + "errors: a: b\n", "c.yml, line 3: no valid YAML: "),
        (GOOD + "---\n" + GOOD, "c.yml, line 3: no valid YAML: expected a single document"),
        ("a: &a [x]\nb: [*a, *a]\n", "c.yml, line 2: no valid YAML: aliases"),
        ("a: " + "[" * 10_000, "c.yml, line 1: no valid YAML: too many values, or too deeply nested"),
        (GOOD + "errors: {seed: 1}\nerrors: {}\n", "c.yml, line 4: errors: the key is there twice, first in line 3: "),
        (
            GOOD + "errors:\n  seed: 1\n  seed: 2\n",
            "c.yml, line 5: errors.seed: the key is there twice, first in line 4",
        ),
        (GOOD + "? [a]\n: 1\n", "c.yml, line 3: ?: a key must be plain text"),
        (GOOD + "errors: !!python/object:os.system {}\n", "c.yml, line 3: errors: the tag !python/object:os.system is"),
        (GOOD + "errors: {seed: !!binary abcd}\n", "c.yml, line 3: errors.seed: the tag !binary is not allowed"),
        (GOOD + "errors:\n  sed: 1\n", "c.yml, line 4: errors.sed: unknown key: did you mean seed?"),
        (GOOD + "<<: {}\n", "c.yml, line 3: <<: unknown key: there are reference, workers, variation, reads, "),
        (GOOD + "variation: {snp_rat: 1}\n", "c.yml, line 3: variation.snp_rat: unknown key: did you mean snp_rate?"),
        (GOOD + "errors: 3\n", "c.yml, line 3: errors: must hold keys (key: value), not 3"),
        (GOOD + "workers: two\n", "c.yml, line 3: workers: must be a whole number, not 'two'"),
        (GOOD + "workers: 1.5\n", "c.yml, line 3: workers: must be a whole number, not 1.5"),
        (GOOD + "workers: true\n", "c.yml, line 3: workers: must be a whole number, not true"),
        (GOOD + "variation: {donors: '3'}\n", "c.yml, line 3: variation.donors: must be a whole number, not '3'"),
        (GOOD + "truth: {bam: no}\n", "c.yml, line 3: truth.bam: must be true or false, not 'no'"),
        (GOOD + "errors: {scale: []}\n", "c.yml, line 3: errors.scale: must be a number, not a list"),
        (GOOD + "errors: {profile: 3}\n", "c.yml, line 3: errors.profile: must be text, not 3"),
        (GOOD + "errors: {profile: ''}\n", "c.yml, line 3: errors.profile: must not be empty"),
        (
            GOOD + "errors: {quality: good}\n",
            "c.yml, line 3: errors.quality: must be 'calibrated' or 'profile', not 'good'",
        ),
        (GOOD + "mixture: {}\n", "c.yml, line 3: mixture: must be a list, not keys"),
        (GOOD + "workers: 0\n", "c.yml, line 3: workers: must be at least 1, not 0"),
        (GOOD + "errors:\n  scale: -1\n", "c.yml, line 4: errors.scale: must be at least 0, not -1"),
        (GOOD + "errors: {deletion: 0.6}\n", "c.yml, line 3: errors.deletion: must be at most 0.5, not 0.6"),
        (GOOD + "variation: {snp_rate: 2}\n", "c.yml, line 3: variation.snp_rate: must be at most 0.2, not 2"),
        (GOOD + "errors: {scale: .nan}\n", "c.yml, line 3: errors.scale: must be a finite number, not .nan"),
        (GOOD + "errors: {scale: -.inf}\n", "c.yml, line 3: errors.scale: must be a finite number, not -.inf"),
        (GOOD + "errors: {scale: 1e999}\n", "c.yml, line 3: errors.scale: must be a finite number, not 1e999"),
        (GOOD + "errors: {seed: " + "9" * 99 + "}\n", "c.yml, line 3: errors.seed: a number has at most 40 characters"),
        ("reads: {pairs: 1}\n", "c.yml, line 1: reference: is missing"),
        ("\nreference: no.fa\nreads: {pairs: 1}\n", "c.yml, line 2: reference: there is no file no.fa"),
        ("reference: .\nreads: {pairs: 1}\n", "c.yml, line 1: reference: there is no file "),
        ("reference: 3\nreads: {pairs: 1}\n", "c.yml, line 1: reference: must be the path of a file, not 3"),
        (GOOD + "errors: {profile: no.yml}\n", "c.yml, line 3: errors.profile: there is no file no.yml"),
        (GOOD + "variation:\n  pedigree: no.csv\n", "c.yml, line 4: variation.pedigree: there is no file no.csv"),
        (GOOD + "variation: {model: no.yml}\n", "c.yml, line 3: variation.model: there is no file no.yml"),
        ("reference: ref.fa\n", "c.yml, line 1: reads: is missing"),
        ("reference: ref.fa\nreads:\n  length: 9\n", "c.yml, line 2: reads: how many? set pairs or coverage"),
        (
            "reference: ref.fa\nreads:\n  platform: ont\n  pairs: 10\n",
            "c.yml, line 4: reads: pairs is not for platform ont: ",
        ),
        ("reference: ref.fa\nreads:\n  reads: 10\n", "c.yml, line 3: reads: reads is not for platform illumina: "),
        (
            "reference: ref.fa\nreads:\n  pairs: 10\n  coverage: 1\n",
            "c.yml, line 4: reads: coverage and pairs exclude each other: ",
        ),
        (
            "reference: ref.fa\nreads:\n  platform: hifi\n  coverage: 1\n  length: 100\n",
            "c.yml, line 5: reads: length is not for platform hifi: leave it at 150, use length_mean",
        ),
        (
            "reference: ref.fa\nreads: {pairs: 1, length_mean: 9}\n",
            "c.yml, line 2: reads: length_mean is not for platform",
        ),
        (
            "reference: ref.fa\nreads: {pairs: 1, junk: 0.6, chimeras: 0.6}\n",
            "c.yml, line 2: reads: junk and chimeras add up",
        ),
        (GOOD + "errors:\n  homopolymer: 2\n", "c.yml, line 4: errors.homopolymer: not for platform illumina"),
        (GOOD + "errors:\n  identity_sd: 0.1\n", "c.yml, line 4: errors.identity_sd: not for platform illumina"),
        (
            GOOD + "variation:\n  sv_shortest: 40\n  sv_longest: 30\n",
            "c.yml, line 5: variation: sv_longest (30) is below sv_shortest (40): ",
        ),
        (GOOD + f"mixture:\n- {{name: a b, {SOURCE}}}\n", "c.yml, line 4: mixture.0.name: may only hold letters"),
        (
            GOOD + f"mixture:\n- {{name: donor001, {SOURCE}}}\n",
            "c.yml, line 4: mixture.0.name: donor001 is the name of a",
        ),
        (
            GOOD + f"mixture:\n- {{name: a, {SOURCE}}}\n- {{name: a, {SOURCE}}}\n",
            "c.yml, line 5: mixture.1.name: a is the name of another source: ",
        ),
        (
            GOOD + f"mixture:\n- {{name: a, {SOURCE}}}\n- {{name: b, reference: ref.fa, share: 0.6}}\n",
            "c.yml, line 3: mixture: the shares add up to 1.1: at most 1",
        ),
        (
            GOOD + "mixture:\n- {name: a, reference: no.fa, share: 0.5}\n",
            "c.yml, line 4: mixture.0.reference: there is no",
        ),
        (
            GOOD + "mixture:\n- name: a\n  reference: ref.fa\n  share: 0\n",
            "c.yml, line 6: mixture.0.share: must be above 0",
        ),
    ],
)
def test_wrong_configurations_are_one_line_with_the_place(folder, text, line):
    assert refusal(folder, text).startswith(line)


@pytest.mark.parametrize(
    "override, line",
    [
        ("errors.seed", "--set errors.seed: write KEY=VALUE, such as errors.seed=4"),
        ("=4", "--set =4: write KEY=VALUE"),
        ("errors..seed=4", "--set errors..seed=4: write KEY=VALUE"),
        ("errors.sed=4", "--set errors.sed=4: errors.sed: unknown key: did you mean seed?"),
        ("error.seed=4", "--set error.seed=4: error: unknown key: did you mean errors?"),
        ("errors.seed=x", "--set errors.seed=x: errors.seed: must be a whole number, not 'x'"),
        ("errors.seed=[1", "--set errors.seed=[1: no valid YAML: "),
        ("errors.scale=.nan", "--set errors.scale=.nan: errors.scale: must be a finite number"),
        ("reads.pairs.x=1", "--set reads.pairs.x=1: reads.pairs holds no keys"),
        ("mixture.2.share=1", "--set mixture.2.share=1: mixture is a list of 1, counted from 0: "),
        ("mixture.0.share=0", "--set mixture.0.share=0: mixture.0.share: must be above 0"),
        ("reads.coverage=3", "--set reads.coverage=3: reads: coverage and pairs exclude each other"),
        ("reference=no.fa", "--set reference=no.fa: reference: there is no file no.fa"),
        ("errors={scale: -1}", "--set errors={scale: -1}: errors.scale: must be at least 0"),
    ],
)
def test_wrong_overrides_are_one_line_that_names_them(folder, override, line):
    assert refusal(folder, GOOD + f"errors: {{seed: 4}}\nmixture: [{{name: a, {SOURCE}}}]\n", override).startswith(line)


def test_several_errors_are_in_order_and_at_most_three(folder):
    text = GOOD + "output: {compress: 1}\nworkers: 0\nnonsense: 1\nerrors: {seed: -1}\n"
    line = refusal(folder, text)
    assert re.fullmatch(
        r"c\.yml, line 3: output\.compress: [^;]*; line 4: workers: [^;]*; line 5: [^;]*; and 1 more", line
    )
    assert refusal(folder, text, "truth.bam=2").startswith(
        "--set truth.bam=2: truth.bam: must be true or false, not 2; c.yml"
    )


def test_absent_files_and_folders(folder):
    for path, reason in ((folder / "none.yml", "No such file"), (folder, "Is a directory")):
        with pytest.raises(InputError, match=rf"{re.escape(str(path))}: can't be read \({reason}.*avatar reads config"):
            config.load(path)


def test_a_source_may_not_be_called_as_a_donor_of_a_pedigree(folder):
    made = Config(reference="r.fa", reads={"pairs": 1}, mixture=[{"name": "eve", "reference": "e.fa", "share": 0.1}])
    config.check_names(made, ["adam"])
    with pytest.raises(InputError, match="mixture.0.name: eve is a donor's name"):
        config.check_names(made, ["adam", "eve"])


def test_canonical_depends_on_what_decides_the_output_only(folder):
    def text(**changes):
        values = {"reference": "a/ref.fa", "reads": {"pairs": 9}} | changes
        return json.dumps(config.canonical(Config(**values)), allow_nan=False)

    same = text()
    assert same == text(workers=4) == text(reference="/b/c/ref.fa")
    assert same == text(reads={"pairs": 9, "fragment_mean": 400, "junk": 0}, variation={"population_size": 10_000.0})
    assert same != text(errors={"seed": 5}) and same != text(reference="other.fa")
    files = {"errors": {"profile": "x/own.yml"}, "variation": {"model": "x/demes.yml", "pedigree": "x/family.csv"}}
    files["mixture"] = [{"name": "a", "reference": "x/a.fa", "share": 0.1}]
    assert "x/" not in text(**files) and "own.yml" in text(**files)
    # A name of the catalogue keeps all of it.
    assert json.loads(text(variation={"model": "HomSap/x"}))["variation"]["model"] == "HomSap/x"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_profiles_survive_saving(platform, tmp_path):
    profile = load_profile("default", platform)
    save_profile(profile, tmp_path / "p.yml")
    assert load_profile(tmp_path / "p.yml", platform) == profile
    text = (tmp_path / "p.yml").read_text()
    assert "{C: 0." in text and len(text.splitlines()) < 40
    save_profile(profile.model_copy(update={"about": 'a: "b" # ü\n- c'}), tmp_path / "p.yml")
    assert load_profile(tmp_path / "p.yml", platform).about == 'a: "b" # ü\n- c'


def test_own_profiles_have_plausible_error_rates():
    for platform, low, high in (("ont", 0.02, 0.03), ("hifi", 0.0005, 0.002)):
        assert low <= sum(load_profile("default", platform).rates.model_dump().values()) <= high
    rates = [_illumina_quality(mate)[1] for mate in ("mate_1", "mate_2")]
    assert 0.0003 < rates[0] < 0.001 and 0.001 < rates[1] < 0.004


def test_illumina_states_every_quality_from_5_to_40_often_enough_to_test_it():
    shares = (_illumina_quality("mate_1")[0] + _illumina_quality("mate_2")[0]) / 2
    errors = 1e8 * shares * 10 ** (-np.arange(len(shares)) / 10)
    assert errors[5:41].min() > 200  # 1 decibel is then three standard errors


def _illumina_quality(mate):
    """Shares of the stated qualities 0 to 41 over the cycles of 150 bases, and the mean error that they state."""
    quality = load_profile("default", "illumina").quality
    shape = getattr(quality, mate)
    curve = np.interp(np.linspace(0, 1, 150), *np.array(shape.by_cycle).T)
    sd = math.hypot(shape.read_sd, shape.cycle_sd)
    below = np.vectorize(lambda z: 0.5 * math.erfc(-z / math.sqrt(2)))
    edges = below((np.arange(quality.lowest, quality.highest) + 0.5 - curve[:, None]) / sd)
    shares = np.diff(edges, axis=1, prepend=0, append=1).mean(0)
    shares = np.concatenate([np.zeros(quality.lowest), shares])
    return shares, shares @ 10 ** (-np.arange(len(shares)) / 10)


@pytest.mark.parametrize(
    "platform, before, after, message",
    [
        (
            "illumina",
            "platform: illumina",
            "platform: ont",
            "platform: the profile is of ont, but illumina is asked for",
        ),
        ("illumina", "platform: illumina", "platform: x", "platform: must be 'illumina', not 'x'"),
        ("illumina", "  highest: 41", "  highest: 2", "quality: highest must be above lowest, 2"),
        ("illumina", "{C: 0.35, G", "{C: 0.36, G", "substitution.A must be shares that add up to 1, not 1.01"),
        ("illumina", "{C: 0.35, G", "{A: 0.35, G", "substitution.A must have the keys C, G, T"),
        ("illumina", "{C: 0.35, G: 0.4, T", "{C: -0.35, G: 1.1, T", "substitution.A must be shares that add up to 1"),
        ("illumina", "  A: {", "  N: {", "substitution.N: must be 'A', 'C', 'G' or 'T', not 'N'"),
        ("illumina", "[0.6, 36.0]", "[0.01, 36.0]", "quality.mate_1: by_cycle must be pairs"),
        ("illumina", "[1.0, 33.0]", "[0.9, 33.0]", "quality.mate_1: by_cycle must be pairs"),
        ("illumina", "[0.6, 36.0]", "[0.6, 99.0]", "quality.mate_1: by_cycle has a quality outside 0 to 93"),
        ("illumina", "[0.6, 36.0]", "[0.6, a]", "quality.mate_1.by_cycle.2.1: must be a number, not 'a'"),
        ("illumina", "correlation: 0.5", "correlation: 1.0", "quality.mate_1.correlation: must be below 1, not 1.0"),
        ("illumina", "deletion: 0.000005", "deletion: 0.6", "rates.deletion: must be at most 0.5, not 0.6"),
        ("illumina", "slope: 1.0", "slope: 0", "calibration.slope: must be at least 0.01, not 0"),
        ("illumina", "mate_1: AGAT", "mate_1: AGNT", "adapters: mate_1 may only hold the letters"),
        ("ont", "substitution: 0.009", "substitution: -0.1", "rates.substitution: must be at least 0, not -0.1"),
        ("ont", "substitution: 0.009", "substitution: null", "rates.substitution: must be a number, not null"),
        ("ont", "from: 3", "from: 13", "homopolymer: longest is below from, 13"),
        ("ont", "from: 3", "form: 3", "homopolymer.from: is missing"),
        ("ont", "CCA: 1.5", "CCN: 1.5", "context.CCN: the key must be three of the letters"),
        ("ont", "CCA: 1.5", "CCA: -1", "context.CCA must lie between 0 and 100, not -1"),
        ("ont", "identity:", "passes:", "passes.mean: is missing"),
        ("ont", "sd: 0.02", "sd: 0.2", "identity.sd must be below 0.1561 at a mean identity of 0.975"),
        ("ont", "highest: 0.9995", "highest: 0.97", "identity.highest must be above the mean identity, 0.975"),
        ("ont", "mean: 8000", "mean: 100", "length: mean is below shortest, 200"),
        ("ont", "insertion: 1.3", "insertion: 0.3", "indel_length.insertion: must be at least 1, not 0.3"),
        ("hifi", "fewest: 3", "fewest: 11", "passes: mean is below fewest, 11"),
        ("hifi", "indel_length:", "identity: {sd: 0.001, highest: 1}\nindel_length:", "identity or passes: give one"),
    ],
)
def test_wrong_profiles_are_one_line_with_the_place(platform, before, after, message, tmp_path):
    own = (PROFILES / f"{platform}.yml").read_text()
    assert before in own
    path = tmp_path / "p.yml"
    path.write_text(own.replace(before, after, 1))
    number = own[: own.index(before)].count("\n") + 1
    with pytest.raises(InputError) as caught:
        load_profile(path, platform)
    found = re.match(rf"{re.escape(str(path))}, line (\d+): (.*)", str(caught.value))
    assert message in found[2]
    assert int(found[1]) == number


def test_absent_profiles_and_platforms(tmp_path):
    with pytest.raises(InputError, match="no.yml: can't be read .*errors.profile"):
        load_profile(tmp_path / "no.yml", "ont")
    with pytest.raises(InputError, match="there is no platform 'pacbio'; there are illumina, ont, hifi"):
        load_profile("default", "pacbio")
