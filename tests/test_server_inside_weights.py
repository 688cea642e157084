"""Rows and columns of weights over HTTP are those of the model, and ids can be shown as tokens."""

import re

import numpy as np
import pytest

from cutaway.inspect.weights import weight
from cutaway.weights.safetensors_file import SafetensorsFile
from serving import refusal
from tiny import TOKENIZER


def test_vectors_are_those_of_the_weights(client, gpt, tmp_path):
    matrix = weight(gpt, "h.1.mlp.c_proj.weight").numpy()
    expected = {
        "h.0.ln_1.bias": weight(gpt, "h.0.ln_1.bias").numpy(),
        "h.1.mlp.c_proj.weight[5]": matrix[5],
        "h.1.mlp.c_proj.weight[:,90]": matrix[:, 90],
        "|h.1.mlp.c_proj.weight[:,*]|": np.linalg.norm(matrix, axis=0),
        "lm_head.weight[7]": weight(gpt, "wte.weight").numpy()[7],
    }
    answer = client.post("/inside/weights", json={"vectors": list(expected)})
    assert answer.status_code == 200, answer.text
    (tmp_path / "weights.safetensors").write_bytes(answer.content)
    file = SafetensorsFile(tmp_path / "weights.safetensors")
    assert file.shapes.keys() == expected.keys()
    for name, values in expected.items():
        found = file.tensor(name, None, weight(gpt, "wte").device).numpy()
        assert found.dtype == np.float32
        assert found == pytest.approx(values, rel=1e-6)


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ("h.0.mlp.c_fc.weight", "ask for a row of it"),
        ("h.0.mlp.c_fc.weight[96]", "no row 96; they are 0 to 95"),
        ("h.0.mlp.c_fc.weight[:,24]", "no column 24; they are 0 to 23"),
        ("h.0.ln_1.bias[0]", "neither rows nor columns"),
        ("|h.0.ln_1.bias[:,*]|", "neither rows nor columns"),
        ("h.0.mlp.c_fg.weight[0]", "did you mean 'h.0.mlp.c_fc.weight'"),
        ("h.0.mlp.c_fc.weight[-1]", "names no vector"),
        ("h.0.mlp.c_fc.weight[٣]", "names no vector"),
        ("__import__('os')", "names no vector"),
    ],
)
def test_what_is_no_vector_is_told(client, vector, message):
    answer = client.post("/inside/weights", json={"vectors": [vector]})
    assert answer.status_code == 400
    assert message in refusal(answer)["message"]


@pytest.mark.parametrize("vectors", [[], ["wte.weight[0]"] * 257])
def test_a_few_vectors_can_be_had_at_a_time(client, vectors):
    assert client.post("/inside/weights", json={"vectors": vectors}).status_code in (400, 422)


def test_the_document_says_how_vectors_are_written(client):
    body = client.get("/openapi.json").json()["components"]["schemas"]["VectorsRequest"]
    written = body["properties"]["vectors"]
    good = [*written["items"]["examples"], "wte.weight[0]", "h.0.ln_1.bias[0]"]
    assert all(re.search(written["items"]["pattern"], vector) for vector in good)
    assert not any(
        re.search(written["items"]["pattern"], vector) for vector in ("w[-1]", "w[", "|w|", "w[1]x", "", "1")
    )
    assert client.post("/inside/weights", json={"vectors": written["examples"][0]}).status_code == 200


def test_ids_are_shown_as_tokens(client):
    ids = TOKENIZER.encode("The fox met an owl")
    said = client.post("/detokenize", json={"tokens": ids, "return_token_strs": True}).json()
    assert said == {"prompt": "The fox met an owl", "token_strs": TOKENIZER.pieces(ids)}
