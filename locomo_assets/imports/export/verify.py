"""Checking an export from its files alone: hashes, the signature, and every count made again."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from locomo_assets.analysis.intervals import Cluster, clustered_mean
from locomo_assets.bounded import DATASET_BYTES, UnusableBodyError, read_file, size_text
from locomo_assets.errors import LocomoError
from locomo_assets.imports.export.manifest import (
    CLUSTERED,
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    SIGNATURE,
    SUMS,
    WILSON,
    Headline,
    Manifest,
    ResultsFile,
)
from locomo_assets.imports.export.signing import SignatureError, key_of, signer_of
from locomo_assets.imports.results import ImportRefusedError, read_json
from locomo_assets.imports.shapes import Line
from locomo_assets.locomo.model import ADVERSARIAL

_WAY_OUT = "give the folder that `locomo-assets export` wrote"
_ROUNDING = 0.0051
"""The manifest has two decimals."""


class NotAnExportError(LocomoError):
    """The folder holds no manifest that can be read."""

    exit_code = 2


class ChangedExportError(LocomoError):
    """A file of an export is not what the manifest says."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a file, in words."""

    file: str
    text: str
    is_fault: bool = False


class _Answer(NamedTuple):
    """What is counted of a question: its category, whether it was answered, its verdicts."""

    category: int
    answered: bool
    verdicts: dict[str, str]


_Question = tuple[str, int]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an export. Raises NotAnExportError, in a line."""
    path = folder / MANIFEST
    try:
        text = read_file(path, DATASET_BYTES).decode()
        manifest = Manifest.model_validate(read_json(text, MANIFEST))
    except (FileNotFoundError, NotADirectoryError):
        raise NotAnExportError(f"{folder}: holds no {MANIFEST}; {_WAY_OUT}") from None
    except (OSError, UnusableBodyError, UnicodeDecodeError) as error:
        raise NotAnExportError(f"{path}: can't be read ({error})") from None
    except ImportRefusedError as error:
        said = str(error).partition(";")[0]
        raise NotAnExportError(f"{folder}: {said}; {_WAY_OUT}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        said = f"is no manifest of an export ({place}: {first['msg']})"
        raise NotAnExportError(f"{path}: {said}; {_WAY_OUT}") from None
    if manifest.format != FORMAT:
        said = f"is no export (its format is {manifest.format!r:.40})"
        raise NotAnExportError(f"{path}: {said}; {_WAY_OUT}")
    if manifest.format_version != FORMAT_VERSION:
        raise NotAnExportError(
            f"{path}: has format version {manifest.format_version}, and this program reads "
            f"{FORMAT_VERSION}; use the version of locomo-assets that wrote it"
        )
    return manifest


def verify_export(folder: Path, allowed_signers: Path | None = None) -> Iterator[Finding]:
    """What fits and what does not, file by file. Raises NotAnExportError."""
    manifest = read_manifest(folder)
    yield _signature(folder, allowed_signers)
    yield from _sums(folder, manifest)
    stated = {one.file: one for one in manifest.results}
    for name in sorted({*manifest.files, *stated}):
        yield from _file(folder, name, manifest, stated.get(name))
    expected = {*manifest.files, MANIFEST, SUMS, SIGNATURE}
    for path in sorted(folder.iterdir()):
        if path.name not in expected:
            yield Finding(path.name, "is not part of the export", is_fault=True)


def _signature(folder: Path, allowed_signers: Path | None) -> Finding:
    signature, file = folder / SIGNATURE, folder / MANIFEST
    if not signature.exists():
        if allowed_signers is not None:
            return Finding(SIGNATURE, "is missing: nobody signed this export", is_fault=True)
        return Finding(MANIFEST, "is not signed")
    try:
        if allowed_signers is None:
            key = key_of(file, signature)
            return Finding(
                SIGNATURE, f"fits, by the key {key}; --allowed-signers FILE says whose it is"
            )
        return Finding(SIGNATURE, f"fits, by {signer_of(file, signature, allowed_signers)}")
    except SignatureError as error:
        return Finding(SIGNATURE, str(error).removeprefix(f"{SIGNATURE}: "), is_fault=True)


def _sums(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    expected = {name: one.sha256 for name, one in manifest.files.items()}
    expected[MANIFEST] = hashlib.sha256(read_file(folder / MANIFEST, DATASET_BYTES)).hexdigest()
    text = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(expected.items()))
    data = _read(folder, SUMS)
    if data is None:
        yield Finding(SUMS, "is missing", is_fault=True)
    elif data != text.encode():
        yield Finding(SUMS, f"does not say what {MANIFEST} says", is_fault=True)
    else:
        yield Finding(SUMS, f"fits: {len(expected)} files")


def _file(
    folder: Path, name: str, manifest: Manifest, about: ResultsFile | None
) -> Iterator[Finding]:
    stated = manifest.files.get(name)
    if stated is None or Path(name).name != name:
        yield Finding(name, f"has no hash in {MANIFEST}", is_fault=True)
        return
    data = _read(folder, name)
    if data is None:
        yield Finding(name, "is missing", is_fault=True)
        return
    found = hashlib.sha256(data).hexdigest()
    if (found, len(data)) != (stated.sha256, stated.bytes):
        yield Finding(
            name,
            f"was changed: it has {len(data):,} bytes and SHA-256 {found[:12]}…, "
            f"not {stated.bytes:,} and {stated.sha256[:12]}…",
            is_fault=True,
        )
    else:
        yield Finding(name, f"fits: {size_text(len(data))}, SHA-256 {found[:12]}…")
    if about is not None:
        yield from _recount(name, data, about)


def _read(folder: Path, name: str) -> bytes | None:
    """A file's bytes; None where there is no such file, or it stands for one elsewhere."""
    path = folder / name
    if path.is_symlink() or not path.is_file():
        return None
    try:
        return read_file(path, DATASET_BYTES)
    except (OSError, UnusableBodyError):
        return None


def _recount(name: str, data: bytes, about: ResultsFile) -> Iterator[Finding]:
    try:
        lines, answers = _read_answers(name, data)
    except ImportRefusedError as error:
        text = str(error).removeprefix(name).lstrip(",: ").removesuffix("; nothing was imported")
        yield Finding(name, text, is_fault=True)
        return
    counted = {"lines": lines, "answers": len(answers)}
    for what, count in counted.items():
        if count != getattr(about, what):
            text = f"has {count:,} {what}, not {getattr(about, what):,}"
            yield Finding(name, text, is_fault=True)
    judges = sorted({judge for one in answers.values() for judge in one.verdicts})
    if judges != sorted(one.judged_by.judge for one in about.series):
        yield Finding(name, f"has other judges than {MANIFEST}: {judges}"[:300], is_fault=True)
        return
    for series in about.series:
        judge = series.judged_by.judge
        who = f"{about.release} · {about.system} · {about.question_protocol} · {judge}"
        categories = sorted({one.category for one in answers.values()})
        scored = [number for number in categories if number != ADVERSARIAL]
        if sorted(series.categories) != [str(number) for number in categories]:
            yield Finding(name, f"{who}: has the categories {categories}", is_fault=True)
        cells = [("", series.headline, scored)] if scored else []
        cells += [
            (f" · category {number}", series.categories[str(number)], [number])
            for number in categories
            if str(number) in series.categories
        ]
        faults = []
        for part, stated, numbers in cells:
            found = headline_of(answers, judge, numbers)
            faults += [] if stated is None else [
                f"{who}{part}: {difference}" for difference in _differences(stated, found)
            ]  # fmt: skip
        yield from (Finding(name, fault, is_fault=True) for fault in faults)
        if not faults:
            yield Finding(name, f"{who}: {in_words(series.headline)}, as recounted")


def _read_answers(name: str, data: bytes) -> tuple[int, dict[_Question, _Answer]]:
    answers: dict[_Question, _Answer] = {}
    count = 0
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if not raw.strip():
            continue
        count += 1
        where = f"{name}, line {number}"
        try:
            content = read_json(raw.decode(), where)
            line = Line.model_validate(content)
        except UnicodeDecodeError:
            raise ImportRefusedError(f"{where}: is not UTF-8") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ImportRefusedError(f"{where}: {place}: {first['msg']}") from None
        if line.conversation is None or line.question_index is None or line.category is None:
            raise ImportRefusedError(f"{where}: lacks conversation, question_index or category")
        one = answers.setdefault(
            (line.conversation, line.question_index), _Answer(line.category, line.is_answered, {})
        )
        if line.category != one.category or line.is_answered != one.answered:
            raise ImportRefusedError(f"{where}: differs from an earlier line on the same question")
        if not line.not_judged:
            if line.judge is None or line.verdict is None or line.judge in one.verdicts:
                raise ImportRefusedError(f"{where}: lacks a verdict, or repeats one")
            one.verdicts[line.judge] = line.verdict.value
    return count, answers


def headline_of(
    answers: Mapping[_Question, _Answer], judge: str, categories: Sequence[int]
) -> Headline:
    """The counts of a judge's verdicts on the questions of these categories."""
    counts: dict[str, int] = defaultdict(int)
    clusters: dict[str, list[bool]] = defaultdict(list)
    for (conversation, _), one in answers.items():
        if one.category not in categories:
            continue
        verdict = one.verdicts.get(judge)
        missing = "not_judged" if one.answered else "unanswered"
        counts[verdict or missing] += 1
        clusters[conversation] += [verdict == "correct"] if verdict in ("correct", "wrong") else []
    scored = counts["correct"] + counts["wrong"]
    interval, method = _interval(list(clusters.values()))
    return Headline(
        questions=sum(counts.values()),
        scored=scored,
        correct=counts["correct"],
        wrong=counts["wrong"],
        unscored=counts["unscored"],
        unanswered=counts["unanswered"],
        not_judged=counts["not_judged"],
        accuracy_percent=100 * counts["correct"] / scored if scored else None,
        interval_percent=interval,
        interval_method=method,
    )


def _interval(clusters: Sequence[Sequence[bool]]) -> tuple[list[float] | None, str | None]:
    from statsmodels.stats.proportion import proportion_confint

    if len(clusters) == 1 and clusters[0]:
        bounds = proportion_confint(sum(clusters[0]), len(clusters[0]), method="wilson")
        return [100 * float(end) for end in bounds], WILSON
    found = clustered_mean([Cluster(len(one), sum(one)) for one in clusters]).interval
    return (None, None) if found is None else ([100 * end for end in found], CLUSTERED)


def _differences(stated: Headline, found: Headline) -> Iterator[str]:
    for name in Headline.model_fields:
        one, other = getattr(stated, name), getattr(found, name)
        if not _same(one, other):
            said = f"{_plain(one)} in {MANIFEST}, but {_plain(other)} by its lines"
            yield f"{name} is {said}"


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= _ROUNDING
    return bool(one == other)


def _plain(value: Any) -> str:
    rounded = [round(end, 2) for end in value] if isinstance(value, list) else value
    return json.dumps(round(rounded, 2) if isinstance(rounded, float) else rounded)


def in_words(headline: Headline | None) -> str:
    """A headline as people say it."""
    if headline is None:
        return "no question of categories 1-4"
    accuracy, interval = headline.accuracy_percent, headline.interval_percent
    percent = "no accuracy" if accuracy is None else f"{accuracy:.2f} %"
    ends = "" if interval is None else f" (95 %: {interval[0]:.1f} – {interval[1]:.1f})"
    return f"{headline.correct:,} of {headline.scored:,} correct, {percent}{ends}"


def faults_in(findings: Iterable[Finding]) -> list[Finding]:
    """Those that do not fit."""
    return [one for one in findings if one.is_fault]
