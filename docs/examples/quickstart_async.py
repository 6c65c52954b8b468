import asyncio

from llmroute import NoEligibleTarget, RouteFailed, Router


async def main() -> None:
    async with Router.load() as router:
        async for chunk in router.astream("Tell me a story", timeout=60):
            print(chunk.text, end="")
        print()
        try:
            answer = await router.acomplete(
                "Why is the sky blue?",
                route={"only": ["ollama", "openai"], "max_cost": 0.01},
                on_attempt=lambda call: print(call.target, call.outcome, call.message),
            )
        except NoEligibleTarget as error:  # nobody meets the requirements; nobody was called
            print(error)
        except RouteFailed as error:  # everybody who may answer failed
            print(error.attempts)
        else:
            print(answer.text, answer.usage.output, answer.cost)


asyncio.run(main())
