"""Verdicts that were given before on the same words, by the same judge.

Here: finding them, in all releases and runs of a conversation. A verdict depends on question, gold
answer, answer and judge, which its fingerprint covers, and on nothing else: where an audit leaves
a gold answer as it is, the verdict on the data set's own serves (`gold`).
"""

from collections.abc import Iterable, Mapping

from locomo_assets.history.lineage import Marker, path_label
from locomo_assets.judging.judge import JudgeIdentity
from locomo_assets.measurement.bench import Bench, Order
from locomo_assets.measurement.rows import Row

COPIED = ("verdict", "reasoning", "reason", "agreement")
"""What a verdict that is given again takes over."""

_SETTLED = ("correct", "wrong")
_FREE = "lexical"


def is_by(marker: Marker, judge: JudgeIdentity) -> bool:
    """Whether an attempt's verdicts are by just this judge.

    Attempts of version 0.1.0 say no more than the judge's name.
    """
    digest = marker.extra.get("judge_digest")
    if digest is None:
        return bool(marker.extra.get("judge") == judge.name)
    return bool(digest == judge.digest())


def verdicts_by_content(bench: Bench, order: Order, known: Iterable[Row]) -> Mapping[str, Row]:
    """Fingerprint → a verdict that counts: of `known`, else of other releases and runs.

    A forced order is to ask again, so it has `known` alone. The lexical judge's verdicts are not
    looked for in other releases: to give them anew is cheaper.
    """
    judge = bench.judge.identity
    found: dict[str, Row] = {}
    if not order.force and judge.system != _FREE:
        folder = f"/conversation={path_label(order.conversation)}/"
        names = bench.store.marker_names("attempts/asset=judgements")
        markers = bench.store.read_markers([name for name in names if folder in name.path])
        same = [marker for marker in markers if is_by(marker, judge)]
        columns = ("fingerprint", "judgement_id", *COPIED)
        found = _settled(bench.store.read("judgements", same, columns).to_pylist())
    return {**found, **_settled(known)}


def _settled(rows: Iterable[Row]) -> dict[str, Row]:
    return {row["fingerprint"]: row for row in rows if row["verdict"] in _SETTLED}
