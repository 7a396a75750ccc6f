"""What Dagster loads: the code location over this process's settings, which then logs by them."""

from locomo_assets.logs import configure
from locomo_assets.pipeline.build import build_defs
from locomo_assets.settings import read_settings

settings = read_settings()
configure(
    settings.log_format,
    settings.log_level or ("INFO" if settings.log_format == "json" else "WARNING"),
)
defs = build_defs(settings)
