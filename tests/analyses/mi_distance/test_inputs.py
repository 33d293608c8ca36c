import dataclasses
import json
import unicodedata

import numpy as np
import pytest

from analyses.errors import InputError
from analyses.mi_distance import analysis
from analyses.mi_distance.settings import StudySettings
from analyses.occurrences.capture import read_input
from analyses.occurrences.vectors import StudyInput, from_file
from analyses.progress import SilentProgress
from reportgen.bundle import write_dataset
from reportgen.settings import load_study, option_overrides

ARRAYS = (
    "activation",
    "token_position",
    "control_activation",
    "control_token_position",
    "control_token_word",
    "untrained_activation",
    "prefix_activation",
    "prefix_token_position",
    "prefix_control_activation",
    "prefix_control_token_position",
)


def arrays(vectors):
    return {name: np.asarray(getattr(vectors, name)) for name in ARRAYS if getattr(vectors, name) is not None}


@pytest.fixture
def content(make_input):
    return arrays(make_input(occurrences=4, layers=2, dimensions=10, control_tokens=6))


@pytest.fixture
def write(tmp_path, content):
    def save(**changes):
        changed = {name: value for name, value in {**content, **changes}.items() if value is not None}
        np.savez(tmp_path / "vectors.npz", **changed)
        return tmp_path / "vectors.npz"

    return save


def assert_same(found, content):
    for name in ARRAYS:
        if name in content:
            np.testing.assert_array_equal(np.asarray(getattr(found, name)), content[name])
        else:
            assert getattr(found, name) is None


def test_npz_is_read_back(write, content):
    found = from_file(write(), "tea")
    assert_same(found, content)
    assert found.text is None
    assert found.provenance["model"]["file"] == "vectors.npz"


def test_netcdf_as_the_study_writes_it_is_read_back(tmp_path, make_input, content):
    file = tmp_path / "activations.nc"
    make_input(occurrences=4, layers=2, dimensions=10, control_tokens=6).to_dataset().to_netcdf(file, engine="scipy")
    assert_same(from_file(file, "tea"), content)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_vectors_of_any_precision(write, content, tmp_path, kind):
    vectors = {name: content[name].astype(kind) for name in ARRAYS if name.endswith("activation") and name in content}
    found = from_file(write(**vectors), "tea")
    np.testing.assert_array_equal(found.activation, vectors["activation"])
    # What is read must also be what a bundle can hold.
    write_dataset(found.to_dataset(), tmp_path / "again.nc")
    np.testing.assert_array_equal(from_file(tmp_path / "again.nc", "tea").activation, vectors["activation"])


def test_a_value_that_is_no_number_is_named_by_its_place(write, content):
    damaged = content["activation"].copy()
    damaged[1, 1, 2, 3] = np.inf
    with pytest.raises(InputError, match="first in layer 2 of mlp"):
        from_file(write(activation=damaged), "tea")


def test_activation_and_position_are_enough(write, content):
    bare = {name: content[name] for name in ("activation", "token_position")}
    assert_same(from_file(write(**{name: None for name in ARRAYS if name not in bare}), "tea"), bare)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"activation": None}, "lacks the array 'activation'; it has control_activation"),
        ({"token_position": None}, "lacks the array 'token_position'"),
        ({"activation": np.zeros((2, 2, 4))}, "must be floats (branch, layer, occurrence, dimension)"),
        ({"activation": np.zeros((3, 2, 4, 10))}, "with 2 branches"),
        ({"activation": np.full((2, 2, 4, 10), np.nan)}, "activation holds values that are no finite numbers"),
        ({"activation": np.zeros((2, 2, 4, 10), dtype=int)}, "must be floats"),
        ({"token_position": np.arange(3)}, "token_position must be 4 whole numbers"),
        ({"token_position": np.arange(4.0)}, "token_position must be 4 whole numbers, one an occurrence; it is float64 (4,)"),
        ({"token_position": np.array([-1, 2, 3, 4])}, "token_position counts from 0; it holds -1"),
        ({"token_position": np.array([1, 3, 2, 4])}, "token_position must be in ascending order"),
        ({"token_position": np.array([1, 2, 2, 4])}, "each occurrence at a token of its own"),
        ({"activation": np.zeros((2, 2, 4, 1))}, "activation has 1 dimensions a vector; expected at least 8"),
        ({"control_activation": np.zeros((2, 2, 6, 9))}, "control_activation must have the branches, layers and dimensions"),
        ({"control_activation": np.zeros((2, 3, 6, 10))}, "control_activation must have the branches, layers and dimensions"),
        ({"control_token_position": None}, "lacks the array 'control_token_position'"),
        ({"control_token_word": None}, "lacks the array 'control_token_word'"),
        ({"control_token_word": np.array(["tea"])}, "one entry a control token"),
        ({"control_token_position": np.arange(5)}, "one entry a control token"),
        ({"untrained_activation": np.zeros((2, 2, 3, 10))}, "must hold the 4 occurrences"),
        ({"untrained_activation": np.zeros((2, 2, 10))}, "untrained_activation must have the branches"),
        ({"untrained_activation": np.zeros((3, 2, 2, 5, 10))}, "must hold the 4 occurrences"),
        ({"untrained_activation": np.zeros((0, 2, 2, 4, 10))}, "holds no draw of random weights"),
        ({"prefix_activation": np.zeros((2, 2, 3, 10))}, "must hold the 4 words of the study"),
        ({"prefix_activation": np.zeros((2, 2, 4, 9))}, "prefix_activation must have the branches, layers and dimensions"),
        ({"prefix_token_position": None}, "lacks the array 'prefix_token_position'"),
        ({"prefix_token_position": np.arange(3)}, "must hold the 4 words of the study"),
        ({"prefix_control_activation": np.zeros((2, 2, 5, 10))}, "must hold the 6 words of the study"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(write, changes, says):
    file = write(**changes)
    with pytest.raises(InputError) as error:
        from_file(file, "tea")
    assert says in str(error.value)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_vectors_of_another_word_are_refused(tmp_path, write, make_input):
    """A report about one word must not be made from the vectors of another."""
    file = tmp_path / "activations.nc"
    dataset = make_input(occurrences=4, layers=2, dimensions=10, control_tokens=6).to_dataset()
    write_dataset(dataset.assign_attrs(word="cà phê"), file)
    assert from_file(file, "Cà phê").activation.shape == (2, 2, 4, 10)
    for other in (file, write(word=np.array("cà phê"))):
        with pytest.raises(InputError) as error:
            from_file(other, "tea")
        assert str(error.value) == f'{other}: its vectors are those of the word "cà phê", not "tea"; give --word "cà phê" or another file'


@pytest.mark.slow
def test_a_study_says_which_word_its_vectors_are_of(results_of, small_settings):
    assert results_of(occurrences=5).activations.attrs == {"word": small_settings.word}


@pytest.mark.parametrize("name", ["missing.npz", "missing.nc", "missing"])
def test_a_missing_file(tmp_path, name):
    with pytest.raises(InputError, match="no such file"):
        from_file(tmp_path / name, "tea")


@pytest.mark.parametrize("name", ["text.npz", "text.nc", "text.csv"])
def test_a_file_of_another_kind(tmp_path, name):
    (tmp_path / name).write_text("no activations here")
    with pytest.raises(InputError) as error:
        from_file(tmp_path / name, "tea")
    assert "\n" not in str(error.value)
    assert name in str(error.value)


def test_a_pickle_is_never_opened(tmp_path):
    np.savez(tmp_path / "objects.npz", activation=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="values of type object; expected numbers or strings"):
        from_file(tmp_path / "objects.npz", "tea")


TEXT = unicodedata.normalize(
    "NFC", "The espressomaker hums. Our espressomaker steams, and the espressomaker clicks; milk waits, tea waits."
)


@pytest.fixture(scope="module")
def of_model(tiny_gpt2):
    def read(**changes):
        settings = StudySettings(**{"name": "trial", "word": "espressomaker", "text": TEXT, "model": tiny_gpt2} | changes)
        return read_input(settings, SilentProgress())

    return read


@pytest.fixture(scope="module")
def last(of_model):
    return of_model()


def test_occurrences_are_the_words_last_tokens(last, tiny_gpt2):
    from analyses.models import capture, tokenize

    tokens = tokenize(tiny_gpt2, TEXT)
    ends = [start + len("espressomaker") for start in range(len(TEXT)) if TEXT.startswith("espressomaker", start)]
    expected = [index for index, (_, end) in enumerate(tokens.offsets) if end in ends]
    assert last.token_position.tolist() == expected
    assert len(last.text["occurrences"][0]["tokens"]) > 1  # the word is one that the tokenizer splits
    captured = capture(tiny_gpt2, TEXT, expected, SilentProgress())
    np.testing.assert_allclose(last.activation, captured.activation, rtol=0, atol=1e-6)


def test_mean_over_the_pieces_of_a_word(of_model, tiny_gpt2):
    from analyses.models import capture

    found = of_model(representative_token="mean")
    for index, occurrence in enumerate(found.text["occurrences"]):
        pieces = capture(tiny_gpt2, TEXT, occurrence["tokens"], SilentProgress()).activation
        np.testing.assert_allclose(found.activation[:, :, index], pieces.mean(axis=2), rtol=0, atol=1e-6)


def test_control_words_are_the_other_words_of_the_text(last):
    # "The" is the first token, where a decoder parks its attention; the target word is no control for itself.
    assert list(last.control_token_word) == ["hums", "our", "steams", "and", "the", "clicks", "milk", "waits", "tea", "waits"]
    assert not set(last.control_token_position) & set(last.token_position)
    assert (np.diff(last.control_token_position) > 0).all()
    pieces = [last.text["tokens"][position] for position in last.control_token_position]
    assert pieces[6].strip("Ġ ") == "milk"


def test_untrained_twins_have_other_vectors_and_are_the_seeds(of_model, last, tiny_gpt2):
    from analyses.models import capture

    assert last.untrained_activation.shape == (5, *last.activation.shape)
    for index, one in enumerate(last.untrained_activation):
        assert not np.allclose(one, last.activation)
        twin = tiny_gpt2.model_copy(update={"untrained": True, "seed": 20 + index})
        alone = capture(twin, TEXT, last.token_position.tolist(), SilentProgress()).activation
        np.testing.assert_allclose(one, alone, rtol=0, atol=1e-5)
    assert not any(np.allclose(last.untrained_activation[0], other) for other in last.untrained_activation[1:])
    # The draws of the next seed are the same ones, one farther on.
    later = of_model(seed=21, controls={"untrained_seeds": 2})
    np.testing.assert_array_equal(later.untrained_activation, last.untrained_activation[1:3])


def test_untrained_vectors_of_one_draw_need_no_axis_for_it(write, content):
    found = from_file(write(untrained_activation=content["untrained_activation"][0]), "tea")
    np.testing.assert_array_equal(found.untrained_activation, content["untrained_activation"][:1])


def test_controls_can_be_left_out(of_model, last):
    found = of_model(controls={"different_word": False, "untrained": False, "prefix": False})
    assert found.control_activation is found.control_token_word is found.untrained_activation is None
    assert found.prefix_activation is found.prefix_token_position is found.prefix_control_activation is None
    assert "control_prefix" not in found.provenance
    np.testing.assert_array_equal(found.activation, last.activation)


def test_behind_the_prefix_the_same_words_are_read_as_transformers_reads_them(last, tiny_gpt2, tiny_gpt2_folder):
    """Against one plain forward pass over the whole text, with hooks on the output projections."""
    import torch
    import transformers

    text = last.provenance["control_prefix"]["text"] + "\n\n" + TEXT
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_gpt2_folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_gpt2_folder)
    encoded = tokenizer(text, return_offsets_mapping=True)
    outputs = []
    for block in model.transformer.h:
        for module in (block.attn.c_proj, block.mlp.c_proj):
            module.register_forward_hook(lambda _module, _inputs, output: outputs.append(output[0].numpy()))
    with torch.inference_mode():
        model(input_ids=torch.tensor([encoded["input_ids"]]))
    whole = np.stack([np.stack(outputs[branch::2]) for branch in range(2)])

    start = text.index(TEXT)
    ends = [start + match + len("espressomaker") for match in range(len(TEXT)) if TEXT.startswith("espressomaker", match)]
    expected = [index for index, (_, end) in enumerate(encoded["offset_mapping"]) if end in ends]
    assert last.prefix_token_position.tolist() == expected
    np.testing.assert_allclose(last.prefix_activation, whole[:, :, expected], rtol=0, atol=1e-5)
    np.testing.assert_allclose(last.prefix_control_activation, whole[:, :, last.prefix_control_token_position], rtol=0, atol=1e-5)
    assert not np.allclose(last.prefix_activation, last.activation, atol=1e-3)


def test_behind_the_prefix_positions_shift_and_distances_stay(last):
    shift = last.provenance["control_prefix"]["tokens"]
    assert shift > 60
    assert (last.prefix_token_position - last.token_position).tolist() == [shift] * len(last.token_position)
    assert (last.prefix_control_token_position - last.control_token_position).tolist() == [shift] * len(last.control_token_position)


def test_the_words_of_a_prefix_are_not_studied(of_model, last):
    prefix = "Tea and an espressomaker, milk and another espressomaker, hums of tea."
    found = of_model(prefix=prefix)
    shift = found.text["prefix_tokens"]
    assert (found.token_position - last.token_position).tolist() == [shift] * len(last.token_position)
    # The text's own first word is a control word now that it is not the first token of all.
    assert list(found.control_token_word) == ["the", *last.control_token_word]
    assert found.control_token_position.min() >= shift
    assert found.text["text"] == TEXT
    assert [found.text["tokens"][token] for token in found.text["occurrences"][0]["tokens"]] == [
        last.text["tokens"][token] for token in last.text["occurrences"][0]["tokens"]
    ]
    assert found.provenance["prefix"]["text"] == prefix
    assert found.prefix_activation is None
    neutral = of_model(prefix="neutral")
    np.testing.assert_array_equal(neutral.activation, last.prefix_activation)
    np.testing.assert_array_equal(neutral.token_position, last.prefix_token_position)


def test_a_text_too_long_behind_the_prefix_goes_without_that_control(tiny_gpt2):
    stages = []

    class Recorder(SilentProgress):
        def stage(self, key, total):
            stages.append(key)
            return super().stage(key, total)

    # The tiny model takes 256 tokens: this text fits, seventy tokens more do not.
    text = " ".join([TEXT] * 7)
    settings = StudySettings(name="trial", word="espressomaker", text=text, model=tiny_gpt2, controls={"untrained": False})
    found = read_input(settings, Recorder())
    assert found.prefix_activation is None
    assert found.provenance["control_prefix"]["left_out"] == "too_long"
    assert stages[-1] == "prefix_left_out"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"word": "cocoa"}, "does not stand in the text"),
        ({"word": "milk"}, "only once"),
        ({"text": TEXT * 20}, "256"),
    ],
)
def test_errors_of_word_and_text(of_model, changes, says):
    with pytest.raises(InputError, match=says):
        of_model(**changes)


def test_captured_vectors_serve_again_without_the_model(of_model, last, tiny_gpt2):
    settings = StudySettings(name="trial", word="espressomaker", text=TEXT, model=tiny_gpt2, detail_layer=1)
    captured, facts = analysis.capture(settings, SilentProgress())
    again = analysis.compute(settings, captured, json.loads(json.dumps(facts)), SilentProgress())
    direct = analysis.run(settings, SilentProgress())
    assert again.study == direct.study
    assert again.dataset.equals(direct.dataset)
    assert again.activations.equals(direct.activations)


def test_an_occurrence_at_the_texts_first_token_is_left_out_and_named(of_model, caplog):
    text = "Milk is milk, and more milk, see https://a.example/milk"
    found = of_model(word="milk", text=text)
    assert found.text["word"] == {
        "spellings": {"milk": 2},
        "left_out": [{"start": 0, "end": 4, "reason": "first_token"}, {"start": 51, "end": 55, "reason": "address"}],
        "near": {},
    }
    assert len(found.token_position) == 2
    assert "milk" not in found.control_token_word
    (record,) = caplog.records
    assert record.getMessage().startswith("the word 'milk' counts as milk 2 ×; left out 1 × at the first token")


@pytest.mark.model
def test_a_word_that_the_tokenizer_does_not_know_is_refused(tmp_path):
    import tokenizers
    import transformers

    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "and": 1, "[UNK]": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]").save_pretrained(tmp_path)
    transformers.GPT2Model(transformers.GPT2Config(vocab_size=3, n_positions=16, n_embd=8, n_layer=2, n_head=2)).save_pretrained(tmp_path)
    model = {"source": "folder", "name": str(tmp_path), "device": "cpu"}
    settings = StudySettings(name="trial", word="coffee", text="a coffee and a coffee", model=model)
    with pytest.raises(InputError, match="only where it does not count: 2 × where the tokenizer does not know the word"):
        read_input(settings, SilentProgress())


@pytest.mark.slow
def test_a_bare_prefix_token_is_no_piece_of_the_word(tmp_path):
    import tokenizers
    import transformers

    from analyses.models import ModelSettings, tokenize

    pieces = ["<unk>", "▁", "咖", "啡", "咖啡", "好", "▁tea", "，"]
    model = tokenizers.models.Unigram([(piece, -1.0 - index / 10) for index, piece in enumerate(pieces)], unk_id=0)
    metaspace = tokenizers.Tokenizer(model)
    metaspace.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=metaspace, unk_token="<unk>").save_pretrained(tmp_path)
    config = transformers.GPT2Config(vocab_size=len(pieces), n_positions=32, n_embd=8, n_layer=2, n_head=2)
    transformers.GPT2Model(config).save_pretrained(tmp_path)
    tokens = tokenize(ModelSettings(source="folder", name=str(tmp_path)), "咖啡，咖啡")
    assert tokens.pieces == ("▁", "咖啡", "，", "咖啡")
    assert [end - start for start, end in tokens.offsets] == [0, 2, 1, 2]
    assert not tokens.unknown


def test_the_same_word_twice_in_one_token_is_left_out(tiny_gpt2):
    """A tokenizer that has 人人 as one token: whose vector would it be?"""
    from analyses.words import look_for

    text = "一个人 人人 有人 那人"
    offsets = [(0, 2), (2, 3), (3, 6), (6, 8), (8, 9), (9, 11), (11, 12)]
    found = look_for(text, "人", offsets, inside_words=True)
    shared = [(place.start, place.reason) for place in found.left_out]
    assert shared == [(4, "wider_token"), (5, "wider_token")]
    tokens = [occurrence.tokens for occurrence in found.occurrences]
    assert len(set(tokens)) == len(tokens) == 3


def test_ready_positions_out_of_order_are_named(tmp_path):
    generator = np.random.default_rng(0)
    activation = generator.normal(size=(2, 3, 3, 20)).astype(np.float32)
    np.savez(tmp_path / "x.npz", activation=activation, token_position=[5, 3, 9])
    with pytest.raises(InputError, match="token_position must be in ascending order, each occurrence at a token of its own"):
        from_file(tmp_path / "x.npz", "tea")


def test_a_study_has_a_name_that_a_folder_can_have_and_another_word_another_name(tmp_path):
    (tmp_path / "study.yaml").write_text("name: cà phê\nword: coffee\ntext: Coffee and coffee.\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"study\.yaml, line 1: name: .*such as ca-phe"):
        load_study(tmp_path / "study.yaml", environment={})
    names = [
        load_study("coffee", overrides=option_overrides(**given), environment={})[1].name
        for given in ({}, {"word": "pot"}, {"model": "gpt2"})
    ]
    assert names == ["coffee", "coffee-pot", "coffee-gpt2"]


def test_ready_activations_were_made_without_what_runs_a_model():
    text = {"words": ["a"], "occurrences": [0]}
    ready = StudyInput(np.zeros((2, 1, 3, 8)), np.arange(3), None, None, None, None, None, {})
    captured = dataclasses.replace(ready, text=text)
    ran = {"torch", "transformers", "tokenizers"}
    assert set(captured.versions("numpy")) - set(ready.versions("numpy")) == ran & set(captured.versions("numpy"))
    assert set(ready.versions("numpy")) == {"reportgen", "numpy"}
