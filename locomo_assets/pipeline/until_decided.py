"""`run --until-decided`: looks at a share of the questions after the other, until one decides.

The rule is `analysis.design.sequential`; here are its questions and its row in the history.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from locomo_assets import __version__
from locomo_assets.analysis.comparison.series import UnknownReleaseError
from locomo_assets.analysis.design.sequential import LOOKS, bounds
from locomo_assets.analysis.design.stopping import Look, check_against, look
from locomo_assets.completions.asker import OPENAI
from locomo_assets.history.database import refresh
from locomo_assets.history.provenance import Lineage
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.judge import with_votes
from locomo_assets.locomo.model import Dataset
from locomo_assets.near_names import unknown_release
from locomo_assets.prices import LEXICAL
from locomo_assets.runs.context import Task
from locomo_assets.runs.stages import SERIES, chosen_questions
from locomo_assets.services import Services

_TABLE = "stopped_runs"


@dataclass(frozen=True)
class UntilDecided:
    """A release measured against another; `tasks` are those of the whole run."""

    services: Services
    dataset: Dataset
    tasks: Sequence[Task]
    against: str

    @property
    def release(self) -> str:
        return self.tasks[0].release

    @property
    def order_seed(self) -> str:
        """Of the random order: another release has another, and who resumes has the same."""
        return f"looks-1:{self.release}"

    def config(self, number: int) -> dict[str, object]:
        """What the look asks, as launch options of the conversations' assets."""
        return {"share": LOOKS[number - 1], "order_seed": self.order_seed}

    def asked(self, number: int) -> set[tuple[str, int]]:
        """The questions of a look."""
        known = {one.conversation: one for one in self.dataset.conversations}
        share, seed = LOOKS[number - 1], self.order_seed
        return {
            (task.conversation, question.question_index)
            for task in self.tasks
            for question in chosen_questions(
                known[task.conversation], replace(task, share=share, order_seed=seed)
            )
        }

    def check(self) -> None:
        """Refuses what can't be compared; see `check_against`."""
        chosen = self.services.settings
        if not HistoryStore.exists(chosen.history_url):
            raise UnknownReleaseError(unknown_release(self.against, ()))
        # A machine that has measured nothing yet, or an older program, has no such database.
        refresh(self.services.store(), chosen.database_path, recent_only=True)
        judge = with_votes(self.services.planned_judge(), chosen.judge_votes)
        prefix = "" if judge.system in (LEXICAL, OPENAI) else f"{judge.system}:"
        check_against(
            chosen.database_path,
            self.against,
            question_protocol=self.services.ask_protocol().label(),
            judge=judge.name.removeprefix(prefix),
            corrected=chosen.gold == "corrected",
            dataset_sha256=self.dataset.sha256,
            asked=self.asked(len(LOOKS)),
        )

    def look(self, number: int, series: Sequence[str]) -> Look:
        """What a look says, once its questions are judged in this series (`Accuracy.series`)."""
        chosen = self.services.settings
        refresh(self.services.store(), chosen.database_path, recent_only=True)
        return look(
            chosen.database_path,
            self.against,
            {"release": self.release, **dict(zip(SERIES, series, strict=True))},
            number=number,
            asked=self.asked(number),
            of_questions=len(self.asked(len(LOOKS))),
            margin_points=chosen.margin_points,
        )

    def keep(self, found: Look, series: Sequence[str]) -> None:
        """Commits what the last look said, unless that was said last."""
        system, question_protocol, judge, dataset_sha256 = series
        bound = bounds()[found.number - 1]
        said = {
            "against": self.against,
            "question_protocol": question_protocol,
            "judge": judge,
            "look": found.number,
            "looks": len(LOOKS),
            "questions": found.questions,
            "of_questions": found.of_questions,
            "decision": str(found.decision),
            "difference": found.paired.difference,
            "p_differs": found.paired.p_values.differs,
            "p_equivalent": found.paired.p_values.equivalent,
            "bound_differs": bound.differs,
            "bound_equivalent": bound.equivalent,
            "margin_points": self.services.settings.margin_points,
            "order_seed": self.order_seed,
        }
        store = self.services.store()
        manifests = store.manifests(asset=_TABLE, release=self.release)
        if manifests and {name: manifests[-1].extra.get(name) for name in said} == said:
            return
        attempt = store.begin(
            Lineage(
                asset=_TABLE,
                run_id="until-decided",
                release=self.release,
                conversation=None,
                code_version=__version__,
                dataset_sha256=dataset_sha256,
                system=system,
                extra=said,
            )
        )
        attempt.append(_TABLE, [{**said, "looked_at": datetime.now(UTC)}])
        attempt.commit()
