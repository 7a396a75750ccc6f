"""All looks, in their order.

Here: only that. Where settings can't be read, nothing else can be looked at.
"""

from functools import partial

from locomo_assets.doctor.diagnosis import Diagnosis, looked_at
from locomo_assets.doctor.instance import look_at_instance, look_at_launcher
from locomo_assets.doctor.places import (
    look_at_backups,
    look_at_dataset,
    look_at_disk,
    look_at_history,
    look_at_settings,
)
from locomo_assets.doctor.services import look_at_services
from locomo_assets.settings import SettingsError, read_settings

_LOOKS = (
    ("settings", look_at_settings),
    ("data set", look_at_dataset),
    ("history", look_at_history),
    ("backups", look_at_backups),
    ("services", look_at_services),
    ("Dagster instance", look_at_instance),
    ("run launcher", look_at_launcher),
    ("disk", look_at_disk),
)


def examine() -> list[Diagnosis]:
    """What this process's environment would give a run. Raises nothing."""
    try:
        settings = read_settings()
    except SettingsError as error:
        return looked_at("settings", partial(_raise, error))
    return [line for name, look in _LOOKS for line in looked_at(name, partial(look, settings))]


def _raise(error: SettingsError) -> list[Diagnosis]:
    raise error
