"""What several judges make of the same answers: the band of their accuracies, how far they agree,
and which questions hang on the judge.

All is over the questions that every judge of the panel has scored.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.analysis.agreement import Agreement, agreement
from locomo_assets.analysis.intervals import Cluster, Interval, clustered_mean
from locomo_assets.history import database
from locomo_assets.locomo.model import OFFICIAL_NAMES

_SQL = Path(__file__).with_name("panel.sql")
_SEVERAL = """
SELECT release
FROM current_judgements
WHERE category <> 5 AND verdict IN ('correct', 'wrong')
GROUP BY release, coalesce(system, 'unknown'), question_protocol, dataset_sha256
HAVING count(DISTINCT judge) > 1
"""
_SCORED = ("correct", "wrong")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PanelJudge:
    """One judge over the panel's questions, and what it took over all that it judged.

    `accuracy` and `interval` (95 %, clustered by conversation; None: no spread is seen, or one
    conversation) are shares. `split` counts the panel's questions on which its `votes` were
    divided, of `voted` whose votes are known. `cost_usd` is None where a verdict's cost is
    unknown; verdicts that were imported have none.
    """

    judge: str
    correct: int
    accuracy: float
    interval: Interval | None
    scored: int
    votes: int
    voted: int
    split: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Pair:
    """How far two judges agree, `a` the stricter one."""

    a: str
    b: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class Contested:
    """A question on which the judges are divided. `verdicts`: judge → correct or wrong."""

    conversation: str
    question_index: int
    category: int
    question: str
    gold_answer: str
    answer: str
    verdicts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CategoryShare:
    """Of a category's questions, those on which the judges are divided."""

    category: int
    questions: int
    contested: int

    @property
    def name(self) -> str:
        """Number and official name."""
        return f"{self.category} {OFFICIAL_NAMES[self.category]}"

    @property
    def share(self) -> float:
        return self.contested / self.questions


@dataclass(frozen=True)
class Panel:
    """The judges of one release's answers, from the strictest to the most generous.

    `questions` is how many all of them have scored, of `answers` that any of them has. An
    accuracy is `certain` where all say correct, and `possible` where any does.
    """

    release: str
    system: str
    question_protocol: str
    dataset_sha256: str
    answers: int
    questions: int
    conversations: int
    judges: tuple[PanelJudge, ...]
    pairs: tuple[Pair, ...]
    contested: tuple[Contested, ...]
    categories: tuple[CategoryShare, ...]
    certain: float
    possible: float

    @property
    def band_points(self) -> float:
        """From the strictest to the most generous judge, in points of accuracy."""
        return 100 * (self.judges[-1].accuracy - self.judges[0].accuracy)

    @property
    def series(self) -> tuple[str, str, str]:
        """Whose answers they are: system, question protocol, data set."""
        return self.system, self.question_protocol, self.dataset_sha256

    def is_of(self, whole: Accuracy) -> bool:
        """Whether they are the answers of this accuracy."""
        system, question_protocol, _, dataset_sha256 = whole.series
        return self.series == (system, question_protocol, dataset_sha256)


def read_panels(
    database_path: Path, release: str, judges: Sequence[str] | None = None
) -> list[Panel]:
    """A panel for each system, question protocol and data set of a release that two judges scored.

    `judges`: only these, in the history's names. Those that scored no question are left out, and
    so is what they have no question in common on.
    """
    rows = _rows(database_path, release, judges)
    panels = []
    for series, same in groupby(
        rows, lambda row: (row["system"], row["question_protocol"], row["dataset_sha256"])
    ):
        panel = panel_of(release, series, list(same))
        if panel is not None:
            panels.append(panel)
    return panels


def scoring_judges(database_path: Path, release: str) -> set[str]:
    """The judges that have scored any of a release's answers."""
    rows = _rows(database_path, release, None)
    return {row["judge"] for row in rows if row["verdict"] in _SCORED}


def releases_with_panels(database_path: Path) -> set[str]:
    """The releases in which two judges scored answers of one series."""
    with database.open_read_only(database_path) as connection:
        return {release for (release,) in connection.execute(_SEVERAL).fetchall()}


def _rows(database_path: Path, release: str, judges: Sequence[str] | None) -> list[Row]:
    given = {"release": release, "judges": None if judges is None else list(judges)}
    with database.open_read_only(database_path) as connection:
        found = connection.execute(_SQL.read_text(encoding="utf-8"), given)
        columns = [column[0] for column in found.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def panel_of(release: str, series: tuple[str, str, str], rows: Sequence[Row]) -> Panel | None:
    """The panel over the rows of `panel.sql` of one series; None without common questions."""
    scored = [row for row in rows if row["verdict"] in _SCORED]
    names = {row["judge"] for row in scored}
    by_question: dict[tuple[str, int], dict[str, Row]] = {}
    for row in scored:
        by_question.setdefault((row["conversation"], row["question_index"]), {})[row["judge"]] = row
    common = {key: said for key, said in by_question.items() if len(said) == len(names)}
    if len(names) < 2 or not common:
        return None
    judges = sorted(
        (_judge(name, rows, common) for name in names),
        key=lambda one: (one.accuracy, one.judge),
    )
    order = [one.judge for one in judges]
    correct = {
        key: [said[name]["verdict"] == "correct" for name in order] for key, said in common.items()
    }
    divided = {key for key, said in correct.items() if len(set(said)) > 1}
    asked = Counter(next(iter(common[key].values()))["category"] for key in common)
    contested = Counter(next(iter(common[key].values()))["category"] for key in divided)
    return Panel(
        release,
        *series,
        answers=len({(row["conversation"], row["question_index"]) for row in rows}),
        questions=len(common),
        conversations=len({conversation for conversation, _ in common}),
        judges=tuple(judges),
        pairs=tuple(
            Pair(
                order[a],
                order[b],
                agreement([(said[a], said[b]) for said in correct.values()]),
            )
            for a in range(len(order))
            for b in range(a + 1, len(order))
        ),
        contested=tuple(_contested(common[key], order) for key in common if key in divided),
        categories=tuple(
            CategoryShare(category, asked[category], contested[category])
            for category in sorted(asked)
        ),
        certain=sum(map(all, correct.values())) / len(common),
        possible=sum(map(any, correct.values())) / len(common),
    )


def _judge(
    name: str, rows: Sequence[Row], common: Mapping[tuple[str, int], Mapping[str, Row]]
) -> PanelJudge:
    own = [said[name] for said in common.values()]
    every = [row for row in rows if row["judge"] == name]
    mean = clustered_mean(_clusters(own))
    costs = [row["judge_cost_usd"] for row in every]
    voted = [row for row in own if (row["votes"] or 1) > 1 and row["agreement"] is not None]
    return PanelJudge(
        judge=name,
        correct=sum(row["verdict"] == "correct" for row in own),
        accuracy=mean.mean or 0.0,
        interval=mean.interval,
        scored=sum(row["verdict"] in _SCORED for row in every),
        votes=max(row["votes"] or 1 for row in every),
        voted=len(voted),
        split=sum(row["agreement"] < 1 for row in voted),
        cost_usd=None if None in costs else sum(costs),
    )


def _clusters(rows: Iterable[Row]) -> list[Cluster]:
    return [
        Cluster(len(said), sum(said))
        for said in (
            [row["verdict"] == "correct" for row in same]
            for _, same in groupby(rows, lambda row: row["conversation"])
        )
    ]


def _contested(said: Mapping[str, Row], order: Sequence[str]) -> Contested:
    one = said[order[0]]
    return Contested(
        conversation=one["conversation"],
        question_index=one["question_index"],
        category=one["category"],
        question=one["question"],
        gold_answer=one["gold_answer"] or "",
        answer=one["answer"] or "",
        verdicts={name: said[name]["verdict"] for name in order},
    )
