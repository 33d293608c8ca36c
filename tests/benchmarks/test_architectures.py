"""The table of architectures: what it says is true of some that stand for its kinds, and no row of it is wrong."""

import re

import pytest

from benchmarks.architectures import TABLE, judge


@pytest.mark.parametrize(
    ("model_type", "state", "attention", "mlp"),
    [
        ("llama", "right", "self_attn.o_proj", "mlp.down_proj"),
        ("bert", "right", "attention.output.dense", "output.dense"),
        ("falcon", "right", "self_attention.dense", "mlp.dense_4h_to_h"),
        ("gemma2", "right", "self_attn.o_proj", "mlp.down_proj"),
        ("granitemoeshared", "right", "self_attn.o_proj", "block_sparse_moe + shared_mlp"),
        ("jetmoe", "right", "self_attention", "mlp"),
        ("minimax", "right", "self_attn.o_proj, self_attn.out_proj", "mlp"),
        ("falcon_h1", "third", "self_attn.o_proj", "feed_forward.down_proj"),
        ("gemma4_text", "third", "self_attn.o_proj", "mlp.down_proj"),
        ("xlm", "refused", "", ""),
        ("longcat_flash", "refused", "", ""),
        ("nemotron_h", "refused", "", ""),
    ],
)
def test_what_is_read_by_interference(model_type, state, attention, mlp):
    row = judge(model_type)
    assert (row.state, row.attention, row.mlp) == (state, attention, mlp), row.remark


def test_no_row_of_the_table_is_wrong():
    text = TABLE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.-]+)` \| (.*) \| (.*) \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) > 200
    for name, attention, mlp, remark in rows:
        assert remark.startswith("refused: ") or (attention and mlp), name
        assert "counts too" not in remark, name
        assert "does not count" not in remark, name
    # A Fourier transform and two state spaces: nothing else is said to have no attention.
    assert {name for name, *_, remark in rows if "has no attention" in remark} == {"falcon_mamba", "fnet", "mamba"}
    refused = sum(remark.startswith("refused: ") for *_, remark in rows)
    third = sum("third contribution" in remark for *_, remark in rows)
    assert f"{len(rows) - refused - third} are read as attention and MLP, {third} with a third" in text
    assert f"({len(rows)} of them)" in text
    assert f"{refused} are refused" in text
