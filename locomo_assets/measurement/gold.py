"""Which gold answers the judge is given: the data set's, or an audit's in place of faulty ones.

Here: the variant, its name in every row, and the answers. It is part of who judged a series, so
that verdicts of one variant are never taken for another's; a single verdict depends only on the
words it is given, so that one that is the same in both is paid for once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from locomo_assets.history.lineage import Marker
from locomo_assets.judging.judge import JudgeIdentity
from locomo_assets.judging.names import on_corrected_gold
from locomo_assets.locomo.model import Question
from locomo_assets.measurement.rows import Row

_DECLINED = "Not mentioned in the conversation"
"""Right in category 5 is to decline: what the speaker never said can't be known."""


@dataclass(frozen=True, slots=True)
class Gold:
    """`audit_sha256` is None for the data set's own; `corrected` are its answers by question."""

    audit_sha256: str | None = None
    corrected: Mapping[int, str] = field(default_factory=dict, hash=False)

    def answer(self, question: Question) -> str:
        """What the judge is given for a question."""
        corrected = self.corrected.get(question.question_index)
        if corrected is not None:
            return corrected
        return question.gold_answer or (_DECLINED if question.category == 5 else "")

    def judge(self, judge: JudgeIdentity) -> str:
        """Who judged, as series are told apart by."""
        if self.audit_sha256 is None:
            return judge.name
        return on_corrected_gold(judge.name, self.audit_sha256)

    def row(self, judge: JudgeIdentity, question: Question) -> Row:
        """The judge's columns of a verdict, and the variant's."""
        return {
            **judge.row(),
            "judge": self.judge(judge),
            "audit_sha256": self.audit_sha256,
            "corrected_gold_answer": self.corrected.get(question.question_index),
        }

    def extra(self) -> dict[str, str]:
        """What an attempt says of it; nothing for the data set's own, as ever."""
        return {} if self.audit_sha256 is None else {"audit_sha256": self.audit_sha256}

    def is_of(self, marker: Marker) -> bool:
        """Whether an attempt's verdicts are of this variant."""
        return marker.extra.get("audit_sha256") == self.audit_sha256
