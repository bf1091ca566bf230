"""Plans: repairs merged into one consistent set, the smallest change that lowers nothing."""

from collections.abc import Sequence

import pytest

from engine.setup_check.finding import Finding, Repair
from engine.setup_check.fix import installer as installer_module
from engine.setup_check.fix.fixes import with_fixes
from engine.setup_check.fix.installer import (
    Impossible,
    Installer,
    KnownReleases,
    NotOffered,
    Resolution,
    Unreachable,
    find_installer,
)
from engine.setup_check.fix.plan import Change
from engine.setup_check.fix.planner import Planner
from engine.setup_check.probe.facts import Distribution, Facts
from engine.setup_check.rules.knowledge import knowledge

PIP = Installer(("/env/bin/python", "-m", "pip"), "24.0")

# A small index: name → version → requirements.
INDEX: dict[str, dict[str, list[str]]] = {
    "transformers": {
        "4.44.2": ["tokenizers>=0.19,<0.20"],
        "4.57.6": ["tokenizers>=0.22,<=0.23"],
        "5.23.0": ["tokenizers>=0.23.1,<0.24", "huggingface-hub>=1.31,<3"],
    },
    "tokenizers": {"0.19.1": [], "0.22.2": [], "0.23.3": []},
    "huggingface-hub": {"0.36.2": [], "2.4.0": []},
    "peft": {"0.13.2": [], "0.17.1": [], "0.21.2": []},
    "accelerate": {"1.10.1": [], "1.15.0": []},
}
OFFLINE = {
    "torch": "2.13.0", "transformers": "4.41.0", "tokenizers": "0.19.1", "peft": "0.17.1",
    "huggingface_hub": "0.36.2", "safetensors": "0.7.0", "accelerate": "1.10.1",
}  # fmt: skip


def facts(**versions: str) -> Facts:
    made = Facts()
    made.interpreter = {
        "executable": "/env/bin/python",
        "version": "3.11.7",
        "markers": {"python_version": "3.11"},
    }
    requires = {"peft": ("transformers",), "transformers": ()}
    for name, version in versions.items():
        key = name.replace("_", "-")
        known = tuple(INDEX.get(key, {}).get(version, ()))
        made.distributions.append(
            Distribution(key, version, "/s/x.dist-info", "/s", requires=requires.get(key, ()) + known)
        )
    return made


class Index:
    """Resolves like pip does: the newest that fits; counts how often it was asked."""

    def __init__(self, made: Facts) -> None:
        self.facts = made
        self.asked: list[list[str]] = []

    def __call__(self, requirements: Sequence[str], reinstall: bool = False) -> Resolution:
        from engine.setup_check.versions import canonical, requirement, satisfies

        self.asked.append(list(requirements))
        chosen: dict[str, str] = {}
        ahead = list(requirements)
        while ahead:
            wanted = requirement(ahead.pop(0))
            assert wanted is not None
            name = canonical(wanted.name)
            now = chosen.get(name) or self.facts.versions().get(name)
            if now and satisfies(now, wanted.specifier) and not reinstall:
                continue
            fits = [v for v in INDEX.get(name, {}) if satisfies(v, wanted.specifier)]
            if not fits or name in chosen:
                raise Impossible(f"no {wanted}")
            chosen[name] = fits[-1]
            ahead += INDEX[name][fits[-1]]
        return Resolution(chosen, {name: tuple(INDEX[name][version]) for name, version in chosen.items()})


def finding(finding_id: str, *repairs: Repair, status: str = "fail") -> Finding:
    return Finding(finding_id, "packages", status, finding_id, repairs=repairs)  # type: ignore[arg-type]


def install(*texts: str) -> Repair:
    return Repair(install=texts)


FOUNDING = finding(
    "peft-016-017-old-transformers",
    install("transformers>=4.47,<5"),
    install("transformers>=4.44.0,<4.45"),
    install("peft>=0.21,<0.22", "transformers>=5.23,<5.24", "accelerate>=1.11,<2"),
    install("peft==0.13.2"),
)


def planner(made: Facts, pip: Installer = PIP) -> Planner:
    return Planner(made, knowledge(), pip, Index(made))


def test_smallest_change_that_leaves_no_known_fault() -> None:
    """4.44 would move one package less, but could not resume with this torch."""
    made = facts(
        torch="2.13.0", transformers="4.41.0", tokenizers="0.19.1", peft="0.17.1", accelerate="1.10.1"
    )
    plan = planner(made).plan([FOUNDING])
    assert plan is not None
    assert plan.commands == (
        ("/env/bin/python", "-m", "pip", "install", "tokenizers==0.22.2", "transformers==4.57.6"),
    )
    assert plan.changes == (
        Change("tokenizers", "0.19.1", "0.22.2"),
        Change("transformers", "4.41.0", "4.57.6"),
    )


def test_fewest_packages_where_nothing_speaks_against_it() -> None:
    made = facts(
        torch="2.5.1", transformers="4.41.0", tokenizers="0.19.1", peft="0.17.1", accelerate="1.10.1"
    )
    plan = planner(made).plan([FOUNDING])
    assert plan is not None
    assert [change.name for change in plan.changes] == ["transformers"]


def test_nothing_is_lowered_while_something_else_helps() -> None:
    made = facts(transformers="4.57.6", tokenizers="0.23.3")
    lower, raise_ = install("tokenizers>=0.22,<=0.23"), install("transformers>4.57.6", "tokenizers==0.23.3")
    plan = planner(made).plan([finding("x", lower, raise_)])
    assert plan is not None and not any(change.lowers for change in plan.changes)
    assert Change("transformers", "4.57.6", "5.23.0") in plan.changes


def test_a_newer_release_that_brings_a_known_fault_is_not_taken_alone() -> None:
    """Raising transformers to 5 would break peft 0.17: peft comes along, and still nothing is lowered."""
    made = facts(transformers="4.57.6", tokenizers="0.23.3", peft="0.17.1", huggingface_hub="2.4.0")
    raise_ = install("transformers>4.57.6", "tokenizers==0.23.3")
    plan = planner(made).plan([finding("x", raise_)])
    assert plan is not None
    assert {one.name: one.after for one in plan.changes} == {"peft": "0.21.2", "transformers": "5.23.0"}


def test_repairs_of_several_findings_become_one_command() -> None:
    made = facts(
        torch="2.13.0", transformers="4.41.0", tokenizers="0.19.1", peft="0.17.1", huggingface_hub="2.4.0"
    )
    plan = planner(made).plan([FOUNDING, finding("hub", install("huggingface_hub>=0.34,<1.0"))])
    assert plan is not None
    ((*_, first, second, third),) = plan.commands
    assert [first, second, third] == ["huggingface-hub==0.36.2", "tokenizers==0.22.2", "transformers==4.57.6"]
    assert plan.fixes == {"peft-016-017-old-transformers", "hub"}


def test_what_stays_is_not_broken() -> None:
    """pip looks at what it installs; a package that stays may still object, and its bound is added."""
    made = facts(tokenizers="0.19.1")
    made.distributions.append(
        Distribution("other", "1", "/s/o.dist-info", "/s", requires=("tokenizers<0.23",))
    )
    plan = planner(made).plan([finding("x", install("tokenizers>=0.20"))])
    assert plan is not None and plan.changes == (Change("tokenizers", "0.19.1", "0.22.2"),)


def test_what_the_metadata_does_not_say_is_fixed_along() -> None:
    """The newest peft would not import with this transformers, and declares nothing of it."""
    made = facts(torch="2.13.0", transformers="4.41.0", tokenizers="0.19.1", accelerate="1.10.1")
    plan = planner(made).plan([finding("missing-peft", install("peft"))])
    assert plan is not None
    assert {change.name: change.after for change in plan.changes} == {
        "peft": "0.21.2", "tokenizers": "0.22.2", "transformers": "4.57.6",
    }  # fmt: skip


def test_an_empty_index_is_no_proof_that_nothing_helps() -> None:
    made = facts(**OFFLINE)

    def empty(requirements: Sequence[str], reinstall: bool = False) -> Resolution:
        raise NotOffered("from versions: none")

    plan = Planner(made, knowledge(), PIP, empty).plan([FOUNDING])
    assert plan is not None and plan.proof.startswith("known metadata only: the index has not got")


def test_no_consistent_set_no_plan() -> None:
    made = facts(tokenizers="0.19.1")
    assert planner(made).plan([finding("x", install("tokenizers>=99"))]) is None
    assert (
        planner(made).plan(
            [
                finding(
                    "x",
                    install("tokenizers>=0.20"),
                ),
                finding("y", install("tokenizers<0.20")),
            ]
        )
        is None
    )


def test_damage_is_reinstalled_as_it_is_and_leftovers_go_first() -> None:
    made = facts(tokenizers="0.22.2")
    repair = Repair(remove=("/s/old.dist-info",), reinstall=("tokenizers==0.22.2",))
    plan = planner(made).plan([finding("x", repair)])
    assert plan is not None
    assert plan.commands == (
        ("rm", "-r", "--", "/s/old.dist-info"),
        ("/env/bin/python", "-m", "pip", "install", "--force-reinstall", "--no-deps", "tokenizers==0.22.2"),
    )


def test_another_release_where_the_index_has_not_got_the_same() -> None:
    made = facts(tokenizers="0.22.0", accelerate="1.10.0")
    again = Repair(reinstall=("tokenizers==0.22.0",))
    newer, without = install("tokenizers>0.22.0"), Repair(uninstall=("tokenizers",))
    plan = planner(made).plan([finding("x", again, newer, without)])
    assert plan is not None and plan.commands[0][-1] == "tokenizers==0.23.3"
    plan = planner(made).plan([finding("x", Repair(reinstall=("lost==1",)), without)])
    assert plan is not None and "uninstall" in plan.commands[0]


def test_uninstalling() -> None:
    plan = planner(facts(bitsandbytes="0.42.0")).plan([finding("x", Repair(uninstall=("bitsandbytes",)))])
    assert plan is not None
    assert plan.commands == (("/env/bin/python", "-m", "pip", "uninstall", "-y", "bitsandbytes"),)


def test_without_an_index_known_metadata_must_do_and_the_plan_says_so() -> None:
    made = facts(**OFFLINE)

    def offline(requirements: Sequence[str], reinstall: bool = False) -> Resolution:
        raise Unreachable("Temporary failure in name resolution")

    plan = Planner(made, knowledge(), PIP, offline).plan([FOUNDING])
    assert plan is not None
    assert plan.commands[0][-2:] == ("tokenizers==0.22.2", "transformers==4.57.6")
    assert plan.proof.startswith("known metadata only") and "name resolution" in plan.proof


def test_an_old_pip_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> Resolution:
        raise AssertionError("an old pip has no dry run")

    monkeypatch.setattr(installer_module.Installer, "dry_run", never)
    made = facts(**OFFLINE)
    plan = Planner(made, knowledge(), Installer(PIP.command, "21.2.4")).plan([FOUNDING])
    assert plan is not None and "pip 21.2.4 has no dry run" in plan.proof


def test_known_releases_respect_the_python() -> None:
    made = facts(**OFFLINE)
    made.interpreter["version"] = "3.9.6"
    found = KnownReleases(knowledge(), made)(["transformers>=4.47"])
    assert found.versions["tokenizers"] == "0.22.2"
    assert found.versions["transformers"] == "4.57.6"


def test_merged_findings_show_the_same_command_and_warnings_it_fixes_too() -> None:
    made = facts(torch="2.13.0", transformers="4.41.0", tokenizers="0.19.1", peft="0.17.1")
    warning = finding("trainer-resume-weights-only", install("transformers>=4.47,<5"), status="warn")
    fixes = with_fixes([FOUNDING, warning], planner(made), made, knowledge())
    assert fixes.plan is not None
    assert [one.fix for one in fixes.findings] == [fixes.plan.commands] * 2


def test_a_system_python_gets_an_environment_of_its_own() -> None:
    made = facts(transformers="4.41.0", tokenizers="0.19.1", peft="0.17.1")
    made.start = {"managed": True}
    made.folder = {"path": "/home/me/work"}
    fixes = with_fixes([FOUNDING], planner(made), made, knowledge())
    (one,) = fixes.findings
    assert one.fix[0] == ("/env/bin/python", "-I", "-m", "venv", "/home/me/work/.venv-training")
    assert one.fix[1][:5] == ("/home/me/work/.venv-training/bin/python", "-I", "-m", "pip", "install")
    assert fixes.plan is not None and "the system owns this Python" in fixes.plan.proof


def test_an_environment_without_pip_is_reached_from_here() -> None:
    found = find_installer(facts(torch="2.13.0"))
    assert found is not None and found.command[-2:] == ("--python", "/env/bin/python")
    own = find_installer(facts(pip="24.0"))
    assert own is not None and own.command == ("/env/bin/python", "-I", "-m", "pip")


def test_half_a_pip_is_none() -> None:
    made = facts()
    made.distributions.append(Distribution("pip", "24.0", "/s/pip.dist-info", "/s", missing_count=3))
    found = find_installer(made)
    assert found is not None and found.command[-2:] == ("--python", "/env/bin/python")
