"""A tool chat of twenty turns at two equal servers: it stays where its prompt cache is warm.

Both servers cost $2 a million tokens in, $0.20 those read from the cache, $10 out. Each reports as
read from its cache what it was sent in the turn before, where it served that turn. `affinity`
is worth more than what the busier of the two loses in latency; without it the chat would wander.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llmroute import Router
from llmroute.sim import Answer, Fault, Sim
from llmroute.sim.answer import ToolUse

PROVIDER = """\
provider: {name}
locality: local
endpoint:
  transport: http
  protocol: openai-chat
  base_url: {url}/v1
  auth: {{bearer: "env:KEY"}}
models:
  - model: m
    upstream: gpt-5.4-mini
    context_window: 131072
    max_output: 4096
    wire: {{rename: {{max_tokens: max_completion_tokens}}}}
    capabilities: {{streaming: true, tools: true}}
    cost: {{input: 2, cache_read: 0.2, output: 10}}
"""
POLICY = """\
policy: balanced
rules:
  - {name: cheap, weight: 10, prefer: price}
  - {name: fast, weight: 10, prefer: {latency: {half: 100ms}}}
  - {name: stay, weight: 12, prefer: affinity}
select: {spread: 1}
fallback: {attempts: 3}
"""
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
OPENING = [{"role": "user", "content": "Look around, step by step."}]


@pytest.fixture
def house(tmp_path: Path):
    for folder in ("providers.d", "policies"):
        (tmp_path / folder).mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    with Sim("openai") as one, Sim("openai") as two:
        servers = {"one": one, "two": two}
        for name, server in servers.items():
            text = PROVIDER.format(name=name, url=server.url)
            (tmp_path / "providers.d" / f"{name}.yaml").write_text(text)
        with Router.load(tmp_path, environment={"KEY": "sk-simulated"}) as router:
            yield router, servers


class Chat:
    """The conversation so far, and what each server has in its cache."""

    def __init__(self, router: Router, servers: dict[str, Sim]) -> None:
        self.router, self.servers = router, servers
        self.messages: list[dict[str, Any]] = list(OPENING)
        self.warm = {"one": 0, "two": 0}
        self.turn = 0

    def next(self) -> tuple[str, Decimal | None, Decimal]:
        """Take a turn; return who served it, what it was charged, and what it should cost."""
        self.turn += 1
        size = 1_000 * self.turn
        for name, server in self.servers.items():
            call = ToolUse("look", {"turn": self.turn})
            answer = Answer(
                tools=(call,),
                finish="tool_calls",
                input_tokens=size,
                output_tokens=50,
                cached=self.warm[name],
            )
            server.script(answer)
        answer = self.router.complete(self.messages, tools=TOOLS, max_tokens=200)
        served = answer.target.split("/")[0]
        cached = self.warm[served]
        self.warm = {name: size if name == served else 0 for name in self.warm}
        for server in self.servers.values():
            server.clear()
        result = {"role": "tool", "tool_call_id": answer.tool_calls[0].id, "content": "a door"}
        self.messages += [answer.message, result]
        micro = Decimal((size - cached) * 2) + Decimal(cached) / 5 + Decimal(50 * 10)
        return served, answer.cost, micro / 1_000_000


def test_it_stays_put_and_is_charged_cached_prices(house):
    chat = Chat(*house)
    turns = [chat.next() for _ in range(20)]
    assert len({served for served, _, _ in turns}) == 1
    for _, charged, right in turns:
        assert charged == right
    # Turn 20 reads 19,000 of its 20,000 tokens from the cache:
    # 1,000 × $2 + 19,000 × $0.20 + 50 × $10, each a million tokens
    assert turns[-1][1] == Decimal("0.0063")


def test_it_moves_once_where_its_server_fails_and_stays_there(house):
    router, servers = house
    chat = Chat(router, servers)
    first = [chat.next()[0] for _ in range(12)]
    (home,) = set(first)
    other = "two" if home == "one" else "one"
    servers[home].script(Fault.status(500))
    # its answer stands behind the fault in the script
    after = [chat.next() for _ in range(8)]
    assert [served for served, _, _ in after] == [other] * 8
    assert all(charged == right for _, charged, right in after)
    # the first answer there is charged in full: 13,000 × $2 + 50 × $10
    assert after[0][1] == Decimal("0.0265")
