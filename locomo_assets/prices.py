"""What tokens cost: a dated table read from TOML, and the multiplication."""

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from locomo_assets.bounded import SMALL_FILE_BYTES, UnusableBodyError, read_file
from locomo_assets.errors import LocomoError

PACKAGED = Path(__file__).with_name("prices.toml")

STANDIN = "standin"
"""The packaged stand-in, as memory service and as judge."""
LEXICAL = "lexical"
"""The judge that compares words."""
FREE_SYSTEMS = (STANDIN, LEXICAL)
"""They cost nothing, whatever model they name, and their accuracy says nothing about a service."""


def is_free(system: str | None) -> bool:
    """Whether a measured or judging system costs nothing."""
    return system in FREE_SYSTEMS


class PriceError(LocomoError):
    """A price table cannot be used."""

    exit_code = 2


_Usd = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class _Price(BaseModel):
    model_config = ConfigDict(extra="forbid")
    input: _Usd
    output: _Usd


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    as_of: date
    batch_factor: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    usd_per_million_tokens: dict[str, _Price]


@dataclass(frozen=True)
class PriceTable:
    """Model → (input, output) in USD per million tokens, as of a day.

    A request in a batch costs `batch_factor` of that; None: unknown.
    """

    as_of: date
    usd_per_million_tokens: dict[str, tuple[float, float]]
    batch_factor: float | None = None

    @classmethod
    def read(cls, path: Path | None = None) -> "PriceTable":
        """The table at `path`, or the packaged one. Raises PriceError, naming file and fault."""
        path = path or PACKAGED
        try:
            file = _File.model_validate(tomllib.loads(read_file(path, SMALL_FILE_BYTES).decode()))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise PriceError(
                f"price table {path}: {place}: {first['msg']}; write it like the packaged "
                "prices.toml"
            ) from None
        except OSError as error:
            raise PriceError(
                f"price table {path}: cannot be read ({error.strerror}); check LOCOMO_PRICES"
            ) from None
        except UnusableBodyError as error:
            raise PriceError(f"price table {path}: {error}") from None
        except (ValueError, RecursionError) as error:
            raise PriceError(
                f"price table {path}: is not TOML ({' '.join(str(error).split())}); write it like "
                "the packaged prices.toml"
            ) from None
        prices = file.usd_per_million_tokens
        by_model = {model: (p.input, p.output) for model, p in prices.items()}
        return cls(file.as_of, by_model, file.batch_factor)

    def cost_usd(
        self, model: str, input_tokens: int, output_tokens: int, *, batch: bool = False
    ) -> float | None:
        """The cost of a call, or of one in a batch; None where it has no price (a guess would look
        like a bill).

        The stand-in and the lexical judge cost nothing.
        """
        if model.startswith(FREE_SYSTEMS):
            return 0.0
        price = self.usd_per_million_tokens.get(model)
        factor = self.batch_factor if batch else 1.0
        if price is None or factor is None:
            return None
        return factor * (input_tokens * price[0] + output_tokens * price[1]) / 1_000_000


@dataclass(frozen=True)
class ModelPrice:
    """What one model's tokens cost; `free`: nothing, whatever the table says of the model."""

    prices: PriceTable
    model: str
    free: bool = False

    def cost_usd(
        self, input_tokens: int, output_tokens: int, *, batch: bool = False
    ) -> float | None:
        """As `PriceTable.cost_usd`."""
        if self.free:
            return 0.0
        return self.prices.cost_usd(self.model, input_tokens, output_tokens, batch=batch)
