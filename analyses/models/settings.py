"""Which model a study runs on. Read from YAML by the caller; needs neither torch nor transformers."""

from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Source = Literal["embedded", "gemma-3-270m", "hub", "folder", "gguf"]
# Models that need no name: the package index carries them.
PACKAGED = ("embedded", "gemma-3-270m")
BranchOutput = Literal["projection", "residual"]
BRANCH_OUTPUTS: tuple[BranchOutput, ...] = get_args(BranchOutput)
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

    source: Source = Field(
        "embedded",
        description="embedded: SmolLM2-135M-Instruct; gemma-3-270m: once its terms are accepted; hub: by name; "
        "folder: safetensors on disk; gguf: a GGUF file.",
    )
    name: str | None = Field(
        None, min_length=1, description="The hub's name (openai-community/gpt2-xl), or the path of the folder or file."
    )
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
        if self.source in PACKAGED and (self.name is not None or self.revision is not None):
            raise ValueError(f"name and revision belong to source hub, folder or gguf; the {self.source} model has neither")
        if self.source not in PACKAGED and self.name is None:
            expected = {"hub": "the model name on the hub", "folder": "the path of the model folder", "gguf": "the path of the GGUF file"}
            raise ValueError(f"name: expected {expected[self.source]}")
        if self.source in ("folder", "gguf") and self.revision is not None:
            raise ValueError("revision belongs to source hub only")
        return self
