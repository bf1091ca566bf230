"""Two cockpits that want different things: each wish is answered, once, in the order they were asked."""

import threading

from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_reader, open_writer

WISHES = {"first": ["hold", "continue", "save"] * 7, "second": ["continue", "hold", "sample"] * 7}


def test_contradictory_commands_are_all_answered_and_none_twice(paths: RunPaths) -> None:
    asked: dict[str, list[int]] = {name: [] for name in WISHES}
    answers: dict[str, list[tuple[str, str]]] = {name: [] for name in WISHES}
    served: list[tuple[int, str]] = []
    all_asked = threading.Event()

    def cockpit(name: str) -> None:
        with open_reader(paths) as reader:
            for verb in WISHES[name]:
                asked[name].append(reader.request(verb, who=name))
            for command in asked[name]:
                outcome = reader.wait_outcome(command, timeout=30)
                answers[name].append((outcome.state, outcome.text))

    with EngineLock.take(paths), open_writer(paths) as writer:
        writer.open_attempt()
        writer.state("training")
        cockpits = [threading.Thread(target=cockpit, args=(name,)) for name in WISHES]
        for one in cockpits:
            one.start()
        while len(served) < 42:
            for command in writer.take_commands():
                served.append((command.id, command.who))
                writer.finish_command(command.id, f"{command.who} {command.verb}", ok=True)
            all_asked.wait(0.001)
        for one in cockpits:
            one.join()
        assert writer.take_commands() == []
    order = [command for command, _ in served]
    assert order == sorted(order) and len(set(order)) == 42
    for name, verbs in WISHES.items():
        assert answers[name] == [("done", f"{name} {verb}") for verb in verbs]
        assert [command for command, who in served if who == name] == asked[name]
