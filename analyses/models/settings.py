"""Which model a study runs on. Read from YAML by the caller; needs neither torch nor transformers."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Source = Literal["embedded", "hub", "folder"]
BranchOutput = Literal["projection", "residual"]
Device = Literal["auto", "cpu", "cuda", "mps"]


class BranchModules(BaseModel):
    """Where each branch ends, as module paths inside one block; null leaves a branch to the general rule.

    Several paths are tried in order in every block: where layers are of several kinds, each names its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    attention: tuple[str, ...] | None = Field(None, min_length=1, description="Output projection of the attention, e.g. self_attn.o_proj.")
    mlp: tuple[str, ...] | None = Field(None, min_length=1, description="Output projection of the MLP, e.g. mlp.down_proj.")

    @field_validator("attention", "mlp", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class ModelSettings(BaseModel):
    """A model: where it comes from, what it runs on, and whether its weights are the trained ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Source = Field("embedded", description="embedded: SmolLM2-135M-Instruct; hub: by name; folder: safetensors on disk.")
    name: str | None = Field(None, min_length=1, description="The hub's name (openai-community/gpt2-xl) or the folder's path.")
    revision: str | None = Field(None, min_length=1, description="Branch, tag or commit on the hub.")
    device: Device = Field("auto", description="auto takes a GPU where there is one, else the CPU. Always computed in 32 bits.")
    offline: bool = Field(False, description="Use only what is on this machine already.")
    untrained: bool = Field(False, description="The same architecture with seeded random weights.")
    seed: int = Field(20, ge=0, le=2**32 - 1, description="Seed of the random weights of an untrained model.")
    branch_output: BranchOutput = Field(
        "projection",
        description="projection: what the branch's last module gives; residual: what reaches the residual stream, behind the norm and "
        "the multiplier that some architectures put between.",
    )
    branches: BranchModules = Field(default_factory=BranchModules, description="Overrides for an architecture the rule cannot read.")

    @model_validator(mode="after")
    def _name_fits_source(self) -> Self:
        if self.source == "embedded" and (self.name is not None or self.revision is not None):
            raise ValueError("name and revision belong to source hub or folder; the embedded model has neither")
        if self.source != "embedded" and self.name is None:
            raise ValueError(f"name: expected {'the model name on the hub' if self.source == 'hub' else 'the path of the model folder'}")
        if self.source == "folder" and self.revision is not None:
            raise ValueError("revision belongs to source hub only")
        return self
