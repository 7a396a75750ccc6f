"""Services for judging stored answers: a judge and the history, and no memory service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.models import Probe
from locomo_assets.http.calls import CallOptions
from locomo_assets.prices import STANDIN
from locomo_assets.runs.panel.judges import LEXICAL, PanelJudge
from locomo_assets.services import Services
from locomo_assets.settings import BACKBOARD_URL, Settings, SettingsError, read_key


class _UnaskedClient(BackboardClient):
    """Stands where a run has its memory service. It is never connected, and nothing asks it."""

    async def probe(self) -> Probe:
        return Probe(STANDIN)


class _JudgingServices(Services):
    @asynccontextmanager
    async def client(
        self, options: CallOptions | None = None
    ) -> AsyncIterator[tuple[BackboardClient, str]]:
        yield _UnaskedClient(BACKBOARD_URL, "none", options), BACKBOARD_URL


def judging_services(settings: Settings, judge: PanelJudge | None = None) -> Services:
    """Services for judging alone, by the settings' judge or by one of a panel's file.

    Raises SettingsError where the judge's key is not set.
    """
    alone: dict[str, object] = {
        "secrets": None,
        "backboard_api_key_given": None,
        "backboard_base_url": BACKBOARD_URL,
        "question_protocol": "isolated",
        "openai_api_key_given": settings.openai_api_key if judge is None else _key(settings, judge),
    }
    if judge is not None and judge.kind != LEXICAL:
        alone |= {
            "judge_model": judge.model,
            "judge_prompt": judge.prompt,
            "judge_votes": judge.votes,
            "judge_max_tokens": judge.max_tokens,
            "openai_base_url": judge.base_url or settings.openai_base_url,
        }
    return _JudgingServices(settings.model_copy(update=alone))


def _key(settings: Settings, judge: PanelJudge) -> SecretStr | None:
    if judge.kind == LEXICAL:
        return None
    is_usual = judge.api_key_env == "OPENAI_API_KEY"
    key = settings.openai_api_key if is_usual else read_key(judge.api_key_env)
    if key is None:
        raise SettingsError(
            f"judges.{judge.name}: {judge.api_key_env} is not set; set it to the judge's key, or "
            "name another variable with api_key_env"
        )
    return key
