"""The config of a run, made of its parts."""

import dataclasses
from typing import Any

from msw2.config.bvae import BVAEPart
from msw2.config.fields import Part, checked
from msw2.config.finetune import FinetunePart
from msw2.config.fusion import FusionPart
from msw2.config.grid import GridPart
from msw2.config.prior import PriorPart
from msw2.config.refine import RefinePart
from msw2.config.training import TrainingPart
from msw2.music.tracks import TRACKS

PARTS = (GridPart, BVAEPart, RefinePart, FusionPart, PriorPart, FinetunePart, TrainingPart)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TrainingPart, FinetunePart, PriorPart, FusionPart, RefinePart, BVAEPart, GridPart):
    """What is trained and how: the fields of all parts.

    Each part's file has its fields, their bounds and their meaning. `PAPER` has the source of each value.

    Raises:
        ValueError: where a field is out of its range, or two do not go together; the message has fields, values
            and range.
    """

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, checked(field, getattr(self, field.name)))
        for part in PARTS:
            part.check(self)

    @classmethod
    def restored(cls, fields: dict[str, Any]) -> "Config":
        """Returns the config that a run's config.json holds, from this version or an earlier one.

        Raises:
            TypeError: for a field that does not exist, or one that is missing and always was there.
            ValueError: as for `Config`.
        """
        before = {
            field.name: field.metadata["before"]
            for field in dataclasses.fields(cls)
            if "before" in field.metadata
        }
        if "refine_threshold" not in fields and fields.get("mfg_target") == "means":
            # Until that field was there, the MFG-VAE read and made all moments, and only its loss was of the means.
            fields = fields | {"mfg_target": "moments"}
        return cls(**before | fields)

    @property
    def unit_bars(self) -> int:
        """Bars a unit."""
        return self.bars if self.unit == "phrase" else 1

    @property
    def unit_steps(self) -> int:
        """Time steps a unit."""
        return self.unit_bars * self.steps

    @property
    def units(self) -> int:
        """Units a phrase. Each has a latent vector."""
        return self.bars // self.unit_bars

    @property
    def train_units(self) -> int:
        """Units of each track that are trained on (0: all)."""
        return -(-self.train_bars // self.unit_bars)

    @property
    def fusion_latent(self) -> int:
        """Size of a unit's latent vector: `mfg_latent`, or without fusion five BVAE latents."""
        return len(TRACKS) * self.bvae_latent if self.fusion == "none" else self.mfg_latent

    @property
    def mfg_moments(self) -> int:
        """Numbers that the MFG-VAE reads and makes for each track: a BVAE's means, or its means and then its s."""
        return self.bvae_latent * (1 if self.mfg_target == "means" and self.fusion != "none" else 2)


def fields_of(*parts: type[Part]) -> frozenset[str]:
    """Returns the names of the fields of some parts."""
    return frozenset(field.name for part in parts for field in dataclasses.fields(part))


CHOICES = {
    field.name: field.metadata["choices"]
    for field in dataclasses.fields(Config)
    if "choices" in field.metadata
}
# (lowest, highest) of each number, both allowed; the grid's sizes have rules of their own.
RANGES = {
    field.name: field.metadata["range"]
    for field in dataclasses.fields(Config)
    if field.metadata.get("range", (None, None)) != (None, None)
}
