"""Training of all parts together, after the stages."""

import dataclasses

from msw2.config.fields import Part, number


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinetunePart(Part):
    """Fields of finetuning."""

    finetune_epochs: int = number("Epochs in which all parts are trained together (0: none).", 0, before=0)
    finetune_learning_rate: float = number("Learning rate of finetuning.", 1e-9, 1.0, before=1e-4)
