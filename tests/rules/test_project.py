"""What must hold for the repository as a whole: files, lock files, versions, links."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import gateway

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("run", "test", "tools")

# Hosts that a file may name: our own machine, names that lead nowhere (RFC 2606, RFC 6761), public documents.
HOSTS = re.compile(
    r"(localhost|127\.0\.0\.1|\[::1\]|10\.\d+\.\d+\.\d+|0\.0\.0\.0"
    r"|(.+\.)?example(\.(com|org|net|invalid|test))?|(.+\.)?invalid|(.+\.)?test|.+\.local"
    r"|www\.apache\.org|www\.w3\.org|keepachangelog\.com|semver\.org|www\.rfc-editor\.org|json-schema\.org"
    r"|dicom\.nema\.org|htmx\.org|relaxng\.org|openapis\.org|spec\.openapis\.org)"
)
ADDRESS = re.compile(r"https?://(?:[^/\s@\"'<>]*@)?([A-Za-z0-9.-]+|\[[0-9a-f:]+\])")
REGISTRY_NAMES = (("pypi", "org"), ("pythonhosted", "org"), ("deb", "debian", "org"), ("npmjs", "org"))
REGISTRIES = re.compile("|".join(r"\.".join(words) for words in REGISTRY_NAMES), re.IGNORECASE)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:(?:root|home/[a-z]+|work)/|opt/(?!scopegate))[\w.]")


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def texts():
    found = {}
    for path in tracked():
        raw = path.read_bytes()
        if b"\0" not in raw[:4096]:
            found[path.relative_to(ROOT)] = raw.decode("utf-8")
    assert len(found) > 30
    return found


def lines_with(pattern, texts):
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_registry_or_a_path_of_one_machine(texts):
    assert lines_with(REGISTRIES, texts) == []
    assert lines_with(MACHINE_PATHS, texts) == []


def test_every_address_is_our_own_machine_an_example_or_a_public_document(texts):
    strange = [
        f"{path}: {host}"
        for path, text in texts.items()
        if path.name != "OFL.txt" and "vendor" not in path.parts  # others' files are kept word for word
        for host in ADDRESS.findall(text)
        if not HOSTS.fullmatch(host.rstrip("."))
    ]
    assert strange == []


def test_the_patterns_above_find_what_they_are_for():
    assert REGISTRIES.search("files." + ".".join(REGISTRY_NAMES[1]))
    for folder in ("root", "home/anna", "work", "opt/tools"):
        assert MACHINE_PATHS.search(f'see "/{folder}/x"')
    assert not MACHINE_PATHS.search("/opt/scopegate/bin")
    assert not MACHINE_PATHS.search("tests/work/x")
    assert not HOSTS.fullmatch("registry.somewhere.com")


# --- lock files ------------------------------------------------------------------------------------------


def locked(name: str) -> dict[str, list[str]]:
    """Return each pinned package of a lock file with its hashes."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    found = {}
    for entry in re.split(r"\n(?=\S)", text.replace("\\\n", " ")):
        if entry.startswith("#") or not entry.strip():
            continue
        words = entry.split("#")[0]
        pin = re.match(r"([A-Za-z0-9._-]+==[^ ;]+)", words)
        assert pin, f"{name}.txt: not pinned: {entry[:60]}"
        found[pin[1]] = re.findall(r"--hash=sha256:([0-9a-f]{64})", words)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_file_is_pinned_with_hashes(name):
    packages = locked(name)
    assert len(packages) > 15
    assert [package for package, hashes in packages.items() if not hashes] == []


@pytest.mark.parametrize(("smaller", "larger"), [("run", "test"), ("test", "tools")])
def test_installing_one_lock_file_over_another_changes_nothing(smaller, larger):
    assert locked(smaller).items() <= locked(larger).items()


def plain(requirement: str) -> str:
    """Return a requirement's name as registries compare names."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def test_every_package_of_the_javascript_peer_is_pinned_with_its_hash_and_without_an_address():
    peer = ROOT / "tests" / "loopback" / "peers" / "javascript"
    packages = json.loads((peer / "package-lock.json").read_text())["packages"]
    wanted = json.loads((peer / "package.json").read_text())["dependencies"]
    assert packages.pop("")["dependencies"] == wanted
    assert len(packages) > 10
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
    assert all(packages[f"node_modules/{name}"]["version"] == version for name, version in wanted.items())


def test_everything_that_pyproject_asks_for_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    wanted = project["project"]["dependencies"]
    for lock, more in zip(LOCKS, ([], groups["test"], groups["tools"]), strict=True):
        wanted = [*wanted, *more]
        assert {plain(word) for word in wanted} <= {plain(pin.split("==")[0]) for pin in locked(lock)}


# --- words that must agree -------------------------------------------------------------------------------


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == gateway.__version__
    assert f"version {'.'.join(gateway.__version__.split('.')[:2])}" in (ROOT / "README.md").read_text()
    assert (ROOT / "CHANGELOG.md").read_text().count("## [") >= 1


def test_the_first_screen_of_the_readme_shows_what_it_is_a_picture_and_the_two_commands():
    screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:24])
    assert "![" in screen
    for command in ("scripts/demo", "scripts/test"):
        assert f"\n{command}" in screen
        assert (ROOT / command).stat().st_mode & 0o111


def test_no_two_test_files_share_a_name(texts):
    """pytest imports files of folders that are no packages by their bare names: two would clash."""
    names = [path.name for path in texts if path.parts[0] == "tests" and path.suffix == ".py"]
    assert sorted({name for name in names if names.count(name) > 1 and name != "conftest.py"}) == []


def test_ci_runs_the_test_command_of_the_readme():
    script = ROOT / ".ci" / "run"
    assert "scripts/test" in script.read_text()
    assert script.stat().st_mode & 0o111


def test_the_licence_is_whole_and_the_notice_says_why_the_product_is_gpl():
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "APPENDIX" in licence
    assert "pylibjpeg-libjpeg" in (ROOT / "NOTICE").read_text()


def test_every_link_between_documents_leads_somewhere(texts):
    links = [
        (path, target)
        for path, text in texts.items()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        if "://" not in target
    ]
    assert links
    assert [f"{path}: {to}" for path, to in links if not ((ROOT / path).parent / to).exists()] == []


def test_every_decision_has_a_number_of_its_own_and_tells_problem_choice_and_price():
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(set(numbers)) == len(numbers) >= 2
    for page in pages:
        text = page.read_text()
        assert re.match(rf"# 0*{int(page.name[:4])}[.:] ", text), page.name
        for word in ("Problem", "Choice", "Price"):
            assert re.search(rf"^(## {word}$|\*\*{word}\.\*\*)", text, re.MULTILINE), f"{page.name}: {word}"


PANEL = ROOT / "gateway" / "panel"
_SCRIPT = re.compile(r'<script src="/static/([\w-]+\.js)"')  # a module keeps its names to itself
_INNER = re.compile(r'{% (?:extends|include) "([^"]+)"')
_NAME = re.compile(r"^(?:(?:async )?function|const|let|class) (\w+)", re.MULTILINE)


def scripts_of(page: str, pages: dict[str, str]) -> list[str]:
    """Return what a page loads, itself and by what it is made from."""
    inner = [script for name in _INNER.findall(pages[page]) for script in scripts_of(name, pages)]
    return [*inner, *_SCRIPT.findall(pages[page])]


def names_twice(pages: dict[str, str], scripts: dict[str, str]) -> list[str]:
    """Return the names that two scripts of one page give to something: the later one would win unseen."""
    everywhere = scripts_of("base.html", pages)
    found = []
    for page in pages:
        loaded = dict.fromkeys([*everywhere, *scripts_of(page, pages)])
        names = [name for script in loaded for name in _NAME.findall(scripts[script])]
        found += [f"{page}: {name}" for name in sorted(set(names)) if names.count(name) > 1]
    return found


def test_no_script_of_a_page_takes_a_name_of_another():
    pages = {path.name: path.read_text() for path in (PANEL / "templates").glob("*.html")}
    scripts = {path.name: path.read_text() for path in (PANEL / "static").glob("*.js")}
    assert names_twice(pages, scripts) == []
    scripts["scan.js"] += "\nasync function refresh() {}\n"
    assert "base.html: refresh" in names_twice(pages, scripts)
    scripts["keyboard.js"] += "\nfunction look() {}\n"  # of an included piece, beside the page's own search.js
    assert "search.html: look" in names_twice(pages, scripts)
