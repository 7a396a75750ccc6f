"""What a launch will take, without making a call or writing a row.

Here: reading the launch's data set. Which system answers is only known from the service itself, so
a key is taken for Backboard's.
"""

from locomo_assets.locomo.reading import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.measurement import forecast
from locomo_assets.pipeline.forecasting import forecast_items
from locomo_assets.pipeline.launch import BadRequestError, Launch
from locomo_assets.pipeline.workplace import Workplace


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
    system = "standin" if chosen.backboard_api_key is None else "backboard"
    return forecast_items(conversations, counts, workplace, system)
