from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from llmroute.cli import main
from llmroute.ledger.records import AttemptRecord, RequestRecord, first_id
from llmroute.ledger.settings import store_opener

MORNING = datetime.fromisoformat("2026-11-02T09:00+00:00").timestamp()
TARGETS = ("openai/gpt-6-luna", "openai/gpt-6.1-sol", "ollama/gemma3:4b")

with TemporaryDirectory() as folder:
    root = Path(folder)
    (root / "llmroute.yaml").write_text("ledger: {path: ledger.db}\n")
    store = store_opener(root / "ledger.db")()
    with store.transaction():
        for number in range(30):
            at, target = MORNING + 5000 * number, TARGETS[number % 7 % 3]
            name, provider = first_id(at), target.partition("/")[0]
            cost = None if number == 11 else (260_000, 5_100_000, 0)[number % 7 % 3]
            call = AttemptRecord(name, 1, at, provider, target, "balanced", cost=cost)
            store.record([RequestRecord(name, at, "balanced", target=target), call])
    store.close()
    for command in ("spend", "spend --by day --format plot"):
        print(f"$ llmroute {command} --since 2026-11-02 --until 2026-11-04")
        span = ["--since", "2026-11-02", "--until", "2026-11-04"]
        main(["--config", folder, *command.split(), *span])
        print()
