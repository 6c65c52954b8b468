"""What is kept of a decision: all that matters of a small one, the first of a large one."""

from __future__ import annotations

from llmroute import Router
from llmroute.config.shipped import data_root
from llmroute.policy import Policy, policy_source
from tests.build import target

CHEAP = {"policy": "p", "rules": [{"name": "cheap", "weight": 1, "prefer": "price"}]}


def test_a_small_decision_is_kept_as_it_is_but_for_details_far_down():
    with Router.load(data_root(), environment={"OPENAI_API_KEY": "x"}) as router:
        decision = router.decide("fix this bug", tags=["code"], route={"only": ["openai"]})
    whole, kept = decision.to_dict(), decision.brief()
    assert 3 < len(whole["ranking"]) < 20
    assert kept.pop("left_out") == {"ranking": 0, "rejections": len(whole["rejections"]) - 50}
    assert kept["ranking"][:3] == whole["ranking"][:3]
    for short, full in zip(kept["ranking"][3:], whole["ranking"][3:], strict=True):
        assert short == {name: full[name] for name in ("target", "score", "estimate")}
    assert kept["rejections"] == whole["rejections"][:50]
    whole.pop("fallback")
    skipped = {"ranking": 0, "rejections": 0}
    assert kept | skipped == whole | skipped


def test_of_a_large_decision_the_first_are_kept_and_the_rest_counted():
    able = [target(f"a/{n:03}", price=(n + 1, 1)) for n in range(100)]
    unable = [target(f"b/{n:03}", capabilities={"vision": False}) for n in range(70)]
    request = {"route": {"only": ["a"]}}
    decision = Policy(policy_source("p", {"p": CHEAP})).decide("hi", [*able, *unable], **request)
    kept = decision.brief()
    assert [row["target"] for row in kept["ranking"]] == [f"a/{n:03}" for n in range(20)]
    assert [row["target"] for row in kept["rejections"]] == [f"b/{n:03}" for n in range(50)]
    assert kept["left_out"] == {"ranking": 80, "rejections": 20}
