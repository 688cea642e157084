"""What was made for a model is there for the next question, and goes with the model."""

import gc
import weakref

from cutaway.server.inside.asked_edits import AskedEdit, with_edits
from cutaway.server.inside.kept import Kept
from serving import tiny_language_model

OFF, STRONG = (AskedEdit(kind="scale", name="h.0.z", factor=factor) for factor in (0.0, 2.0))


def test_the_same_is_made_once_and_another_takes_its_place():
    kept, made = Kept(), []
    one, other = tiny_language_model(), tiny_language_model()
    for gpt, key in [(one, 1), (one, 1), (other, 1), (one, 2), (other, 1), (one, 1)]:
        assert kept.get(gpt, key, lambda gpt=gpt, key=key: made.append((gpt, key)) or key) == key
    assert made == [(one, 1), (other, 1), (one, 2), (one, 1)]
    kept.forget(one)
    kept.forget(one)
    assert kept.get(one, 1, lambda: 3) == 3


def test_what_could_not_be_made_is_not_kept():
    kept, gpt = Kept(), tiny_language_model()
    for value in (0, 5):
        try:
            assert kept.get(gpt, "key", lambda value=value: 10 // value) == 2
        except ZeroDivisionError:
            assert value == 0


def test_it_goes_with_its_model():
    gpt = tiny_language_model()
    changed = weakref.ref(with_edits(gpt, [OFF]))
    assert changed() is with_edits(gpt, [OFF])
    del gpt
    gc.collect()
    assert changed() is None


def test_a_network_is_changed_once_for_many_questions():
    gpt = tiny_language_model()
    changed = with_edits(gpt, [OFF])
    assert with_edits(gpt, [OFF.model_copy()]) is changed
    assert with_edits(gpt, [STRONG]) is not changed
    assert with_edits(gpt, []) is gpt
