import sys

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers

from analyses.models import branches
from analyses.models.paging import MappedWeights
from analyses.models.weights import StoredWeights

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="pages are given back on Linux only")


@linux_only
def test_mapped_pages_are_given_back_and_read_again(tmp_path):
    values = torch.arange(500_000, dtype=torch.float32)
    safetensors.torch.save_file({"a": values}, tmp_path / "model.safetensors")
    with safetensors.safe_open(tmp_path / "model.safetensors", "pt") as file:
        tensor = file.get_tensor("a")
        assert tensor.sum() > 0
        given = MappedWeights().pages([tensor]).give_back()
        assert values.nbytes - 2 * 4096 <= given <= values.nbytes
        torch.testing.assert_close(tensor, values, rtol=0, atol=0)


def test_memory_without_a_file_is_left_alone():
    tensor = torch.arange(500_000, dtype=torch.float32)
    assert MappedWeights().pages([tensor]).pieces == ()
    np.testing.assert_array_equal(tensor.numpy(), np.arange(500_000))


@linux_only
def test_blocks_of_a_stored_model_leave_memory_after_they_ran(tmp_path):
    config = transformers.GPT2Config(n_layer=3, n_embd=512, n_head=4, n_positions=32, vocab_size=100)
    transformers.GPT2Model(config).save_pretrained(tmp_path)
    model = transformers.AutoModel.from_pretrained(tmp_path)
    _, blocks = branches.find_blocks(model, 3, "small")
    StoredWeights(model, blocks, torch.device("cpu"))
    weights = sum(parameter.nbytes for parameter in blocks.parameters())

    def resident() -> int:
        """Bytes of the weight file that are in this process's memory (proc(5), smaps)."""
        total, mapped = 0, False
        with open("/proc/self/smaps", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line[0] in "0123456789abcdef":
                    mapped = str(tmp_path) in line
                elif mapped and line.startswith("Rss:"):
                    total += int(line.split()[1]) * 1024
        return total

    with torch.no_grad():
        model(input_ids=torch.arange(8)[None])
    # Embeddings, norms and the ends of pages stay; twelve megabytes to a block of three would show if the blocks did.
    assert weights > 36_000_000
    assert resident() < 0.2 * weights
    assert sum(parameter.detach().abs().sum().item() for parameter in blocks.parameters()) > 0
    assert resident() > 0.8 * weights
