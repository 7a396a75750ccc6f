"""What a launch will take, without making a call or writing a row.

Here: the settings' choices, handed to `measurement.forecast`. Which system answers is only known
from the service itself, so a key is taken for Backboard's.
"""

from urllib.parse import urlsplit

from locomo_assets.backboard.answers import AskProtocol
from locomo_assets.backboard.ingesting import IngestProtocol
from locomo_assets.locomo.reading import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.measurement import forecast
from locomo_assets.pipeline.launch import BadRequestError, Launch
from locomo_assets.pipeline.workplace import Workplace
from locomo_assets.prices import PriceTable


def forecast_launch(wanted: Launch, workplace: Workplace) -> list[forecast.Item]:
    """Turns, questions and verdicts of a launch for which nothing is stored yet.

    Raises:
        LocomoError: the data set, the prices or the history can't be read.
        BadRequestError: a conversation that the data set does not have.
    """
    chosen = workplace.settings
    source = wanted.dataset or chosen.dataset or packaged_sample()
    dataset = read_dataset(source, chosen.dataset_sha256)
    known = {one.conversation: one for one in dataset.conversations}
    for name in wanted.conversations or ():
        if name not in known:
            raise BadRequestError(
                f"conversation {name}: not in the data set, which has {', '.join(known)}"
            )
    conversations = [known[name] for name in wanted.conversations or known]
    counts = [
        len([q for q in one.questions if wanted.adversarial or q.category != 5][: wanted.questions])
        for one in conversations
    ]
    prices = PriceTable.read(chosen.prices)
    store = workplace.store()
    system = "standin" if chosen.backboard_api_key is None else "backboard"
    turns = forecast.measured_turns(
        store, system, IngestProtocol(memory_wait=chosen.memory_wait).label()
    )
    protocol = AskProtocol(name=chosen.question_protocol)
    items = [
        forecast.ingestion(
            conversations if protocol.needs_ingestion else [],
            turns if protocol.needs_ingestion else forecast.NOTHING_INGESTED,
            free=system == "standin" or not protocol.needs_ingestion,
        ),
        forecast.questions(
            counts,
            # The stand-in answers as itself, whatever model is asked for.
            forecast.measured_answers(
                store,
                system,
                None if system == "standin" else chosen.llm_model,
                protocol.label(),
                forecast.assumed_answers(protocol.name, conversations, counts),
            ),
            prices,
            chosen.llm_model,
            free=system == "standin",
            width=1 if chosen.question_protocol == "published" else chosen.max_messages_in_flight,
        ),
    ]
    if chosen.openai_api_key is None:
        lexical = forecast.Usage(0.0, 0.0, 0.0, "the lexical judge: no call")
        judged = forecast.verdicts(0, lexical, prices, "lexical", free=True, width=1)
    else:
        judge = urlsplit(chosen.openai_base_url).hostname if chosen.openai_base_url else "openai"
        judged = forecast.verdicts(
            sum(counts) * chosen.judge_votes,
            forecast.measured_verdicts(store, str(judge), chosen.judge_model),
            prices,
            chosen.judge_model,
            free=False,
            width=chosen.max_verdicts_in_flight,
        )
    return [*items, judged]
