"""What the methods and the limitations say of the layers, of where the branches were read, and of what else the layers add."""

import html
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.study import analyse
from analyses.occurrences.vectors import from_file
from analyses.progress import SilentProgress

LAYERS = ([0.3, 0.4, 0.5, 0.6], [0.6, 0.5, 0.4, 0.4])
MODULES = {"attention": ["self_attn.o_proj"], "mlp": ["mlp.down_proj"]}
PLAIN = {"source": "hub", "name": "owner/plain", "modules": MODULES, "branch_output": "projection", "other_contributions": {}}
HYBRID = {
    "source": "gguf",
    "name": "owner/hybrid",
    "modules": MODULES,
    "branch_output": "residual",
    "other_contributions": {"mamba": 0.251},
    "quantisation": "GGUF Q4_K, Q6_K, F32, dequantised to float32",
    "layers_of_model": 8,
    "layer_numbers": [2, 4, 6, 8],
    "layers_left_out": [{"layer": layer, "reason": "no_attention"} for layer in (1, 3, 5, 7)],
}
# In a report on the hybrid, and in none on the plain model.
SENTENCES = {
    "en": [
        "8 layers of 80 hidden dimensions.",
        "Of these 8 layers 4 have no attention and are left out: 1, 3, 5, and 7.",
        "stored in formats of 4 to 6 bits (GGUF Q4_K, Q6_K, F32) and expanded",
        "as it is added to the residual stream, the running sum that passes through all layers: behind the norm and the multiplier",
        "a third contribution to the residual stream, which is not studied: “mamba” (in length up to 25% of all that a layer adds).",
        "and layers are counted among these 4, not among all of the model.",
        "4 of the model’s 8 layers were studied. Every count of layers is out of these; nothing is said of the others.",
        "What the layers add to the residual stream beside the two branches was not studied.",
        "The model’s weights were stored in 4 to 6 bits.",
    ],
    "vi": [
        "8 tầng, 80 chiều ẩn.",
        "Trong 8 tầng này, 4 tầng không có nhánh chú ý nên không được xét: 1, 3, 5 và 7.",
        "ở các định dạng từ 4 đến 6 bit (GGUF Q4_K, Q6_K, F32) rồi khai triển",
        "sau phép chuẩn hoá và hệ số nhân mà kiến trúc có thể đặt ở giữa",
        "một thành phần thứ ba không được nghiên cứu ở đây: “mamba” (độ dài tới 25% của tổng mà một tầng cộng thêm).",
        "và số đếm tầng chỉ tính trên 4 tầng này, không phải trên toàn bộ mô hình.",
        "4 tầng được nghiên cứu. Mọi số đếm tầng đều tính trên các tầng này; báo cáo không nói gì về các tầng còn lại.",
        "Những gì các tầng cộng vào luồng phần dư ngoài hai nhánh không được nghiên cứu.",
        "Trọng số của mô hình được lưu bằng 4 đến 6 bit.",
    ],
}
PROJECTION = {"en": "before either is normalised or added to the residual stream", "vi": "trước khi chuẩn hoá hay cộng vào luồng phần dư"}


def words(page: str) -> str:
    visible = re.sub(r"<(style|script|svg)\b.*?</\1>|<[^>]*>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(visible).replace("\u00a0", " "))


@pytest.mark.parametrize("code", ["en", "vi"])
def test_what_was_captured_is_said_and_nothing_else(code, planted_study, plant, report_of):
    def text(model: dict[str, Any]) -> str:
        vectors = replace(plant(*LAYERS, dimensions=80), provenance={"model": model})
        return words(report_of(planted_study(vectors, detail_layer=None), code).html)

    plain, hybrid = text(PLAIN), text(HYBRID)
    for sentence in SENTENCES[code]:
        assert sentence in hybrid
        assert sentence not in plain
    assert PROJECTION[code] in plain
    assert PROJECTION[code] not in hybrid


@pytest.mark.parametrize("code", ["vi", "en"])
def test_vectors_that_a_study_kept_have_a_report_of_their_own(coffee, report_of, code):
    """`run coffee --activations out/bundle/activations.nc`, as the README has it: all controls are there, no model and no text."""
    file = coffee.bundle / "activations.nc"
    settings = StudySettings(name="again", word="coffee", activations_file=str(file), permutations=99, robustness={"enabled": False})
    results = analyse(from_file(file, "coffee"), settings, SilentProgress())
    for name in ("mutual_information", "word_specific_excess", "prefix_kendall_tau", "untrained_mean_mutual_information"):
        np.testing.assert_array_equal(results.dataset[name], coffee.results.dataset[name], err_msg=name)
    text = report_of(results, code).text
    assert {"en": "behind a prefix whose text it does not give", "vi": "một đoạn mở đầu mà tệp không nêu nội dung"}[code] in text
    assert {"en": "behind a neutral paragraph", "vi": "đặt sau một đoạn văn trung tính"}[code] not in text
