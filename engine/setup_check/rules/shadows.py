"""What lies before the environment on the path and hides a module of it."""

from __future__ import annotations

import os
from pathlib import Path

from engine.setup_check.finding import SEEN, Finding, Repair, Status
from engine.setup_check.probe import import_failure
from engine.setup_check.probe.facts import Facts, Import
from engine.setup_check.probe.import_failure import Shadow
from engine.setup_check.rules.metadata import closure


def shadowed(shadow: Shadow, one: Import, facts: Facts, status: Status = "fail") -> Finding:
    """Something outside the environment took the place of a module; where it is not one's own file in the working
    folder, all that comes from the same place is told with it."""
    own = shadow.folder == facts.folder.get("path")
    others = [] if own else sorted(_modules_from(shadow.folder, facts) - {shadow.module})
    brought = (
        import_failure.distribution_for(shadow.module)
        in {other.key for other in facts.distributions if other.foreign}
        and import_failure.distribution_for(shadow.module) not in facts.installed()
    )
    return Finding(
        id=f"shadowed-{shadow.module.replace('_', '-').lower()}",
        group="imports",
        status=status,
        title=f"{shadow.module} is not in this environment, and fails as {shadow.folder} brings it"
        if brought
        else f"{_place(shadow)} hides the module {shadow.module}",
        found=f"{shadow.module} comes from {shadow.file}"
        + (f"; from there as well: {', '.join(others)}" if others else ""),
        expected=f"{shadow.module} from the environment",
        why=_why_shadowed(shadow.folder, own, facts)
        + (" Isolated from it, the import works." if one.isolated and one.isolated.ok else ""),
        source=SEEN,
        repairs=(Repair(aside=(shadow.path,)),) if own else (),
    )


def _modules_from(folder: str, facts: Facts) -> set[str]:
    """The modules of the training stack's packages that were loaded from a folder."""
    matter = closure(facts)
    return {
        module
        for one in facts.imports.values()
        for module, file in one.outside.items()
        if Shadow(module, file).folder == folder and import_failure.distribution_for(module) in matter
    }


def _place(shadow: Shadow) -> str:
    name = os.path.basename(shadow.path)
    return f"The file {name}" if Path(name).suffix else f"The folder {name}"


def _why_shadowed(folder: str, own: bool, facts: Facts) -> str:
    if own:
        return "What lies in the working folder is imported before what is installed. Give it another name."
    here = str(facts.folder.get("path", ""))
    if folder in {str(Path(here, one)) for one in facts.environment.get("PYTHONPATH", "").split(":") if one}:
        return (
            "What lies on PYTHONPATH is imported before what is installed, and no installer changes it there. "
            f"Take {folder} out of PYTHONPATH, or unset it."
        )
    if folder == facts.start.get("user_site"):
        return (
            "The user's own site folder is searched before this Python's, and what is installed here does not change "
            "it. Uninstall there what is here as well, or set PYTHONNOUSERSITE=1."
        )
    return (
        f"{folder} is searched before what is installed: a .pth file or sitecustomize puts it first. "
        "Take it out there, or give it another name."
    )
