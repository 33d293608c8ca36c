"""What a pooled study needs to know: where its cells lie. How they were made is what they say themselves."""

from pydantic import Field

from analyses.occurrences.settings import DocumentSettings, Section


class PooledSettings(Section):
    """Many studies of mutual information against token distance, pooled over their texts."""

    name: str = Field(
        min_length=1,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="What the study is called in files and addresses: letters, digits, dot, hyphen and underscore.",
    )
    cells_folder: str = Field(
        min_length=1, description="The folder that `reportgen sweep` filled: plan.json, and a study in each of cells/*.zip."
    )
    alpha: float = Field(0.05, gt=0, lt=0.5, description="Level of Holm's correction over the statements; verdicts rest on 95 % intervals.")
    document: DocumentSettings = Field(default_factory=DocumentSettings)
