"""Imports run one way (each layer knows only the ones below it), and the running bot never loads torch or pandas."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What each part of the house may import of the house. The longest matching prefix counts.
ANYWHERE = (
    "bot.settings",
    "bot.errors",
    "bot.clock",
    "bot.memory",
    "bot.sources",
    "bot.spotify.records",
    "bot.spotify.kinds",
    "bot.imports.base",
)
ALLOWED: dict[str, tuple[str, ...]] = {
    "bot.clock": (),
    "bot.memory": (),
    "bot.sources": (),
    "bot.errors": (),
    "bot.settings": ANYWHERE,
    "bot.env_file": ANYWHERE,
    "bot.spotify.records": ANYWHERE,
    "bot.spotify.kinds": (),
    "bot.imports": ("bot.imports", "specrec", *ANYWHERE),
    "bot.__main__": ("bot",),
    "bot.app": ("bot", "specrec"),
    "bot.client": ("bot.cogs", *ANYWHERE),
    "bot.web": ("bot.services", *ANYWHERE),
    "bot.page": ANYWHERE,
    "bot.link_pages": ("bot.services", "bot.page", *ANYWHERE),
    "bot.export_pages": ("bot.services", "bot.page", *ANYWHERE),
    "bot.upload_pages": ("bot.services", "bot.page", *ANYWHERE),
    "bot.cogs": ("bot.cogs", "bot.services", "bot.replies", "bot.charts", *ANYWHERE),
    "bot.replies": ("bot.replies", "bot.services", "bot.charts", "specrec", *ANYWHERE),
    "bot.charts": ("bot.services", *ANYWHERE),
    "bot.services": (
        "bot.services",
        "bot.spotify",
        "bot.audio_features",
        "bot.imports",
        "bot.storage",
        "bot.jobs",
        "bot.model_store",
        "specrec",
        *ANYWHERE,
    ),
    "bot.spotify": ("bot.spotify", *ANYWHERE),
    "bot.audio_features": ("bot.audio_features", *ANYWHERE),
    "bot.storage": ("bot.storage", *ANYWHERE),
    "bot.jobs": ("bot.jobs", "specrec", *ANYWHERE),
    "bot.model_store": ("bot.storage", "specrec", *ANYWHERE),
    "specrec": ("specrec",),
    "sandbox": ("sandbox", "bot", "specrec"),
}
# Inside the library: what a file may not know. The command line knows all, and nothing knows it.
BELOW: dict[str, tuple[str, ...]] = {
    layer: ("specrec.cli", *above)
    for layers, above in (
        (
            ("metrics", "interactions", "features"),
            ("specrec.taste", "specrec.ranking", "specrec.ncf", "specrec.training"),
        ),
        (("taste", "ranking", "compatibility"), ("specrec.ncf", "specrec.training", "specrec.evaluation")),
        (("ncf", "baselines"), ("specrec.training", "specrec.evaluation")),
        (("training", "evaluation", "serving", "checkpoint"), ()),
    )
    for layer in layers
}
FORBIDDEN_OUTSIDE = {  # third-party modules -> the only places that may know them
    "discord": ("bot.client", "bot.cogs", "bot.replies", "bot.app", "bot.__main__"),
    "spotipy": ("bot.spotify.gateway", "bot.spotify.refusals"),
    "sqlalchemy": ("bot.storage", "bot.settings", "bot.app"),
    "torch": ("specrec",),
    "pandas": ("specrec",),
    "PIL": ("bot.charts",),
}
NEVER_IN_SPECREC = (
    "asyncio",
    "aiohttp",
    "requests",
    "sqlalchemy",
    "discord",
    "spotipy",
    "socket",
    "dotenv",
    "pydantic",
)


def modules(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imports(path: Path, name: str) -> set[str]:
    """Every module that the file names, at the top or in a function; `from a import b` is `a.b`. Types alone do too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively: write the whole name."
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def longest(name: str) -> tuple[str, ...]:
    """What `name` may import; `()` for a package's own empty __init__."""
    places = [place for place in ALLOWED if within(name, place)]
    if not places:
        assert name == "bot", f"{name} has no place in the house: give it one here, and in its layer."
        return ()
    return ALLOWED[max(places, key=len)]


@pytest.mark.parametrize("package", ["bot", "specrec", "sandbox"])
def test_imports_run_one_way(package):
    wrong = [
        f"{name} imports {module}"
        for name, path in modules(package)
        for module in sorted(imports(path, name))
        if module.split(".")[0] in ("bot", "specrec", "sandbox", "tests", "benchmarks")
        and not any(within(module, place) for place in longest(name))
    ]
    assert wrong == []


def test_the_library_is_layered():
    wrong = [
        f"{name} imports {module}"
        for name, path in modules("specrec")
        for module in sorted(imports(path, name))
        if any(within(module, above) for above in BELOW.get(name.removeprefix("specrec."), ()))
    ]
    assert wrong == []


def test_the_library_knows_no_network_no_database_and_no_discord():
    wrong = [
        f"{name} imports {module}"
        for name, path in modules("specrec")
        for module in sorted(imports(path, name))
        if any(within(module, banned) for banned in NEVER_IN_SPECREC)
    ]
    assert wrong == []


@pytest.mark.parametrize("library", list(FORBIDDEN_OUTSIDE))
def test_a_library_is_known_in_its_own_place_only(library):
    wrong = [
        f"{name} imports {module}"
        for package in ("bot", "specrec")
        for name, path in modules(package)
        for module in sorted(imports(path, name))
        if within(module, library) and not any(within(name, place) for place in FORBIDDEN_OUTSIDE[library])
    ]
    assert wrong == []


@pytest.mark.parametrize("module", ["bot.app", "bot.__main__", "specrec.serving"])
def test_the_running_bot_loads_neither_torch_nor_pandas(module):
    heavy = (
        "torch",
        "pandas",
        "matplotlib",
        "PIL",
        "scipy",
        "numpy.random",
        "alembic",
    )  # a twentieth of its memory each
    code = f"import sys, {module}; print(*(name for name in {heavy} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
