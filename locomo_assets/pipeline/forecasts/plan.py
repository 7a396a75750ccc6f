"""A plan: what a measurement would see and cost, for one repeat and for more."""

from collections.abc import Sequence
from dataclasses import dataclass

from locomo_assets.analysis.comparison.series import repeats_measured
from locomo_assets.analysis.design.known_noise import known_noise
from locomo_assets.analysis.design.planning import (
    Design,
    Noise,
    conversations_to_detect,
    detectable_points,
    expected_error,
    repeats_to_detect,
)
from locomo_assets.locomo.model import ADVERSARIAL, Conversation, Dataset
from locomo_assets.pipeline.forecasts.forecast import forecast_items
from locomo_assets.runs import forecast
from locomo_assets.runs.context import Task
from locomo_assets.runs.stages import chosen_questions
from locomo_assets.services import Services

_REPEATS = (1, 2, 3, 5, 10)


@dataclass(frozen=True, slots=True)
class Step:
    """So many repeats: what they would see, and what the new release then costs in all.

    `cost_usd` is of what has a price, and None where nothing has. `repeats_a` are those of the
    earlier release.
    """

    repeats: int
    repeats_a: int
    error_points: float | None
    detectable_points: float | None
    calls: int
    tokens: float
    cost_usd: float | None
    minutes: float


@dataclass(frozen=True, slots=True)
class Plan:
    """`enough` is the cheapest step that sees `wanted_points` with these conversations, or None.

    `conversations_needed` is how many like these would see it with the repeats of the first step.
    """

    wanted_points: float
    conversations: int
    questions: int
    noise: Noise
    against: str | None
    steps: tuple[Step, ...]
    enough: Step | None
    conversations_needed: int | None


def plan(
    services: Services,
    dataset: Dataset,
    tasks: Sequence[Task],
    wanted_points: float = 1.0,
    *,
    repeats: int = 1,
    against: str | None = None,
) -> Plan:
    """What comparing two releases on the tasks' questions would see, and what to add.

    The earlier release has the repeats that the history has of it, if it is given as `against`
    (`UnknownReleaseError` where it has none); else as many as the new one.
    """
    path = services.settings.database_path
    known = {one.conversation: one for one in dataset.conversations}
    conversations = [known[task.conversation] for task in tasks]
    chosen = [chosen_questions(known[task.conversation], task) for task in tasks]
    sizes = [sum(q.category != ADVERSARIAL for q in questions) for questions in chosen]
    counts = [len(questions) for questions in chosen]
    noise = known_noise(path)
    measured = None if against is None else repeats_measured(path, against)

    def step(number: int) -> Step:
        design = Design(sizes, measured or number, number)
        items = _cost(services, conversations, counts, number)
        costs = [one.cost_usd for one in items if one.cost_usd is not None]
        return Step(
            number,
            design.repeats_a,
            expected_error(design, noise),
            detectable_points(design, noise),
            sum(one.calls for one in items),
            sum(one.input_tokens + one.output_tokens for one in items),
            sum(costs) if costs else None,
            sum(one.minutes for one in items),
        )

    needed = repeats_to_detect(wanted_points, sizes, noise, repeats_a=measured)
    first = Design(sizes, measured or repeats, repeats)
    return Plan(
        wanted_points=wanted_points,
        conversations=sum(size > 0 for size in sizes),
        questions=sum(sizes),
        noise=noise,
        against=against,
        steps=tuple(map(step, sorted({repeats, *(n for n in _REPEATS if n > repeats)}))),
        enough=None if needed is None else step(needed),
        conversations_needed=conversations_to_detect(wanted_points, first, noise),
    )


def _cost(
    services: Services, conversations: Sequence[Conversation], counts: Sequence[int], repeats: int
) -> list[forecast.Item]:
    """A release that has nothing yet: ingested once, asked and judged so many times."""
    system = services.planned_run(()).system
    first = forecast_items(conversations, counts, services, system)
    if repeats == 1:
        return first
    again = forecast_items(conversations, counts, services, system, to_ingest=(), canaries=0)
    return forecast.in_turn([first, *([again] * (repeats - 1))])
