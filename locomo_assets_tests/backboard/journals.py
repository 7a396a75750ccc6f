"""A journal of an ingestion that lives as long as its test."""

from locomo_assets.backboard.reconcile import EndedOperation, IngestedTurn, IngestState


class MemoryJournal:
    def __init__(self, state: IngestState | None = None) -> None:
        state = state or IngestState()
        self._assistant_id = state.assistant_id
        self._threads = dict(state.threads)
        self._turns = list(state.turns)
        self._operations = list(state.operations)
        self.doubtful = set(state.doubtful)

    async def load(self) -> IngestState:
        return IngestState(
            self._assistant_id,
            dict(self._threads),
            tuple(self._turns),
            tuple(self._operations),
            frozenset(self.doubtful),
        )

    async def assistant_created(self, assistant_id: str) -> None:
        self._assistant_id = assistant_id

    async def thread_created(self, session_index: int, thread_id: str) -> None:
        self._threads[session_index] = thread_id

    async def thread_doubted(self, session_index: int, thread_id: str) -> None:
        self.doubtful.add(session_index)

    async def turn_confirmed(self, turn: IngestedTurn) -> None:
        self._turns.append(turn)

    async def operation_ended(self, operation: EndedOperation) -> None:
        self._operations.append(operation)
