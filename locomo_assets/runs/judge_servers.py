"""By which name a history knows a judge's server: two servers are two judges.

Verdicts have always named a server by its host. So the first server at a host keeps that name, and
every other one there is named by its whole endpoint. `judges/<host>.json` says which is the first.
"""

import json

from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.provenance import path_label
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.judge import OPENAI, host_of
from locomo_assets.prices import FREE_SYSTEMS
from locomo_assets.runs.run_slots import services_at, services_of_earlier_runs


def server_name(store: HistoryStore, base_url: str, endpoint: str, run_id: str) -> str:
    """The host of a server, or its endpoint where the host means another server or a packaged one.

    `base_url` is the same server's. Who asks first at a host, of several runs at once, too, is
    written down as the first.
    """
    host = host_of(endpoint)
    if host in (OPENAI, *FREE_SYSTEMS):
        return endpoint
    path = f"judges/{path_label(host)}.json"
    first = _first_endpoint(store, path)
    if first is None:
        if _asked_elsewhere(store, host, base_url, endpoint, run_id):
            return endpoint
        store.storage.put_new(path, json.dumps({"endpoint": endpoint}).encode())
        first = _first_endpoint(store, path)
    return host if first == endpoint else endpoint


def _first_endpoint(store: HistoryStore, path: str) -> str | None:
    if path not in store.storage.list("judges"):
        return None
    try:
        endpoint = json.loads(store.storage.get(path))["endpoint"]
    except (ValueError, KeyError, TypeError, RecursionError):
        endpoint = None
    if not isinstance(endpoint, str):
        raise HistoryDamagedError(
            f"history {store.storage.url}: {path} names no endpoint; restore it from a copy"
        )
    return endpoint


def _asked_elsewhere(
    store: HistoryStore, host: str, base_url: str, endpoint: str, run_id: str
) -> bool:
    """Whether verdicts under the host's name came from another server, as far as one can know.

    Versions before wrote no first server down, and no port beside a verdict. But their runs held
    slots by host and port.
    """
    judges = {str(m.extra.get("judge", "")) for m in store.manifests(asset="judgements")}
    if any(judge.startswith(f"{endpoint}:") for judge in judges):
        return True
    if not any(judge.startswith(f"{host}:") for judge in judges):
        return False
    earlier = services_of_earlier_runs(store.storage, run_id)
    at_host = {service for service in earlier if host_of(service) == host}
    return bool(at_host) and not at_host & set(services_at([base_url]))
