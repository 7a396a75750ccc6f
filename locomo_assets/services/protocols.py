"""From a configuration to how it ingests and asks; prompt files are read here."""

from pathlib import Path

from locomo_assets.backboard.answers import AskProtocol, Retrieval
from locomo_assets.backboard.ingest import IngestProtocol
from locomo_assets.backboard.options import ServiceOptions
from locomo_assets.bounded import SMALL_FILE_BYTES, UnusableBodyError, read_file
from locomo_assets.errors import LocomoError
from locomo_assets.settings import Settings

_PUBLISHED_INGESTION, _PUBLISHED_ASKING = IngestProtocol(), AskProtocol()


class PromptFileError(LocomoError):
    """A prompt file can't be read, or is empty."""

    exit_code = 2


def service_options(chosen: Settings) -> ServiceOptions:
    """The service's options that are set. Raises PromptFileError."""
    return ServiceOptions(
        memory=chosen.memory,
        thinking=chosen.thinking,
        embedding_provider=chosen.embedding_provider,
        embedding_model=chosen.embedding_model,
        embedding_dims=chosen.embedding_dims,
        tok_k=chosen.tok_k,
        extraction_prompt=_text("LOCOMO_EXTRACTION_PROMPT", chosen.extraction_prompt),
        update_prompt=_text("LOCOMO_UPDATE_PROMPT", chosen.update_prompt),
        system_prompt=_text("LOCOMO_SYSTEM_PROMPT", chosen.system_prompt),
        openrouter=chosen.openrouter,
    )


def ingest_protocol(chosen: Settings) -> IngestProtocol:
    """How the conversations are ingested. Raises PromptFileError."""
    return IngestProtocol(
        memory_wait=chosen.memory_wait,
        llm_provider=chosen.ingest_llm_provider or chosen.llm_provider,
        llm_model=chosen.ingest_llm_model or chosen.llm_model,
        options=service_options(chosen),
    )


def ask_protocol(chosen: Settings, *, names_models: bool = False) -> AskProtocol:
    """How the questions are asked. Raises PromptFileError.

    With `names_models` its label tells other models and waits than the published ones, too. It does
    not without: a series that is measured with another model has always been called `isolated`.
    """
    if chosen.question_protocol == "retrieval":
        return _with_own_answerer(chosen, names_models=names_models)
    protocol = AskProtocol(
        name=chosen.question_protocol,
        llm_provider=chosen.llm_provider,
        llm_model=chosen.llm_model,
    )
    options = service_options(chosen)
    if not protocol.needs_ingestion:
        options = options.without_memory()
    words = _of_ingestion(chosen, names_models) if protocol.needs_ingestion else ()
    answered_by = _model(chosen.llm_provider, chosen.llm_model) if names_models else ()
    return AskProtocol(
        name=protocol.name,
        llm_provider=protocol.llm_provider,
        llm_model=protocol.llm_model,
        options=options,
        also_differs=(*answered_by, *words),
    )


def _with_own_answerer(chosen: Settings, *, names_models: bool) -> AskProtocol:
    """The service's model is not asked: `LOCOMO_LLM_MODEL` is the one that ingests.

    Raises AnswererError: prompt or URL can't be used.
    """
    from locomo_assets.services.answerers import planned_answerer

    answerer = planned_answerer(chosen)
    words = [f"ingested by {model}" for model in _model(*_ingesting(chosen))]
    if names_models and chosen.memory_wait != _PUBLISHED_INGESTION.memory_wait:
        words.append("memory awaited at the end")
    return AskProtocol(
        name="retrieval",
        llm_provider=answerer.system,
        llm_model=answerer.model,
        options=service_options(chosen).of_assistant(),
        also_differs=tuple(words),
        retrieval=Retrieval(answerer, chosen.retrieval, chosen.retrieval_k),
    )


def _ingesting(chosen: Settings) -> tuple[str, str]:
    """Provider and model with which conversations are ingested."""
    return (
        chosen.ingest_llm_provider or chosen.llm_provider,
        chosen.ingest_llm_model or chosen.llm_model,
    )


def _of_ingestion(chosen: Settings, names_models: bool) -> tuple[str, ...]:
    """What differs in the ingestion, the service's options aside."""
    asked = (chosen.llm_provider, chosen.llm_model)
    provider, model = _ingesting(chosen)
    words = [] if (provider, model) == asked else [f"ingested by {model}"]
    if names_models and chosen.memory_wait != _PUBLISHED_INGESTION.memory_wait:
        words.append("memory awaited at the end")
    return tuple(words)


def _model(provider: str, model: str) -> tuple[str, ...]:
    if model != _PUBLISHED_ASKING.llm_model:
        return (model,)
    return () if provider == _PUBLISHED_ASKING.llm_provider else (f"{model} of {provider}",)


def _text(variable: str, path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        text = read_file(path, SMALL_FILE_BYTES).decode()
    except (OSError, UnusableBodyError, UnicodeDecodeError) as error:
        unreadable = isinstance(error, UnicodeDecodeError)
        why = "it is no UTF-8 text" if unreadable else getattr(error, "strerror", None) or error
        raise PromptFileError(
            f"{variable}: {path} can't be read: {why}; name a text file, or unset it"
        ) from error
    if not text.strip():
        raise PromptFileError(f"{variable}: {path} is empty; write the prompt, or unset it")
    return text
