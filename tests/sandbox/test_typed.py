"""What may be typed at the demo's prompt."""

from typing import Any

import pytest

from sandbox.typed import (
    Become,
    Choose,
    Command,
    Feedback,
    Help,
    NotUnderstoodError,
    Press,
    Quit,
    Who,
    understand,
)

COMMANDS: list[dict[str, Any]] = [
    {"name": "help", "options": []},
    {
        "name": "recommend",
        "options": [
            {
                "name": "kind",
                "type": 3,
                "choices": [{"name": "mix", "value": "mix"}, {"name": "Only new ones", "value": "new"}],
            },
            {"name": "share", "type": 5},
            {"name": "count", "type": 4},
            {"name": "note", "type": 3},
        ],
    },
    {
        "name": "model",
        "options": [{"name": "retrain", "type": 1, "options": []}, {"name": "status", "type": 1, "options": []}],
    },
]


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("", None),
        ("   ", None),
        ("/?", Help()),
        ("/quit", Quit()),
        ("/who", Who()),
        ("/as Ada", Become("Ada")),
        ("/help", Command("help", {})),
        ("/recommend", Command("recommend", {})),
        ("/recommend kind:new share:true", Command("recommend", {"kind": "new", "share": True})),
        ("/recommend kind:only new ones  count:5", Command("recommend", {"kind": "new", "count": 5})),
        ("/recommend note:two words share:No", Command("recommend", {"note": "two words", "share": False})),
        ("/model retrain", Command("model retrain", {})),
        ("like 3", Feedback("liked", 3)),
        ("dislike 10", Feedback("disliked", 10)),
        ("know 5", Feedback("known", 5)),
        ("undo", Press("Undo")),
        ("share", Press("Share")),
        ("press Try again", Press("Try again")),
        ("choose 1 3", Choose(1, 3)),
    ],
)
def test_a_line_is_understood(line, action):
    assert understand(line, COMMANDS) == action


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hello there", "“hello” is nothing that can be typed here"),
        ("/as", "such as /as Ada"),
        ("like", "such as like 3"),
        ("like three", "such as like 3"),
        ("press", "such as press Share"),
        ("choose 1", "such as choose 1 3"),
        ("/nothing", "There is no command /nothing; there are /help, /recommend, /model"),
        ("/", "There is no command"),
        ("/model", "/model retrain, /model status"),
        ("/model forget", "/model retrain or /model status"),
        ("/recommend new", "/recommend takes no 'new'; type /recommend kind:… share:…"),
        ("/model status now", "/model status takes no 'now'."),
        ("/recommend kind:old", "kind:mix, kind:new"),
        ("/recommend share:perhaps", "share:true or share:false"),
        ("/recommend count:many", "such as count:5"),
        ("/recommend note:", "a value behind note:"),
        ("/recommend colour:red", "There is no option 'colour'"),
    ],
)
def test_what_is_not_understood_gets_a_sentence(line, said):
    with pytest.raises(NotUnderstoodError, match=r"\.$") as refused:
        understand(line, COMMANDS)
    assert said in str(refused.value)
