from llmroute import Router, load_policy

with Router.load() as router:
    router.refresh()  # ask local servers for their models; complete() does so by itself
    decision = router.decide("Fix this bug", tags=["code"])
    print(decision.winner, [item.score for item in decision.ranking])

    answer = router.complete("Why is the sky blue?", policy="cheapest", max_tokens=200)
    print(answer.text, answer.target, answer.cost, answer.attempts)

    for chunk in router.stream("Tell me a story", metadata={"privacy": "private"}):
        print(chunk.text, end="")

policy = load_policy("policies/balanced.yaml")
print(policy.explain("Fix this bug", router.targets))
