import pytest

from shutterless.runtime.model.prediction import Prediction

PLAIN = Prediction("<b>", 0.7, True, {"a": 0.3, "<b>": 0.7})
MEMBERS = {"label": "<b>", "confidence": 0.7, "accepted": True, "scores": {"a": 0.3, "<b>": 0.7}}


def test_a_model_that_cannot_tell_the_familiar_answers_as_before():
    assert PLAIN.to_json() == MEMBERS
    assert (PLAIN.familiar, PLAIN.novelty) == (None, None)


def test_an_answer_says_whether_the_picture_is_familiar():
    strange = PLAIN.replace(accepted=False, familiar=False, novelty=0.99)
    assert strange.to_json() == {**MEMBERS, "accepted": False, "familiar": False, "novelty": 0.99}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, ""),
        ({"familiar": True}, ""),
        ({"accepted": False}, "not sure"),
        ({"accepted": False, "familiar": True}, "not sure"),
        ({"accepted": False, "familiar": False}, "none of the labels"),
    ],
)
def test_the_verdict_says_why_an_answer_is_not_accepted(changes, verdict):
    prediction = PLAIN.replace(**changes)
    assert prediction.verdict == verdict
    assert repr(prediction) == f"<Prediction '<b>' 0.700{verdict and f', {verdict}'}>"
    assert prediction._repr_html_().endswith(f"</table>{verdict.capitalize()}")
