"""What every test runs under: offline, one thread, and no clock in the property tests."""

import os
import shutil
import subprocess

# Before anything imports torch or huggingface_hub, which read these once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"

import hypothesis
import pytest

hypothesis.settings.register_profile("cutaway", deadline=None, max_examples=50)
hypothesis.settings.load_profile("cutaway")


@pytest.fixture(scope="module")
def model():
    """A tiny model at work, as a server has it."""
    from serving import served  # which needs the extra `serve`

    return served()[0]


@pytest.fixture(scope="module")
def client(model):
    """A client of a server of that model."""
    from serving import client_of

    with client_of(model) as client:
        yield client


@pytest.fixture(scope="module")
def gpt():
    """The same model, to be looked into."""
    from serving import tiny_language_model

    return tiny_language_model()


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """The page's files in a folder, as they are addressed, for node."""
    from cutaway.server.page_files import files

    folder = tmp_path_factory.mktemp("page")
    (folder / "views").mkdir()
    (folder / "package.json").write_text('{"type": "module"}')
    for name, content in files().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def browser():
    """A browser for the tests of a file, where `browsing` says that there is one."""
    from browsing import launched  # which needs Playwright

    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def fable_url():
    """The address of a server of the bundled model, and beside it a tiny one."""
    from browsing import fable_server
    from serving import served

    with fable_server(served()[0]) as address:
        yield address


@pytest.fixture
def visit(browser, fable_url):
    """Opens the live page over that server."""
    from browsing import SHORT, visiting

    with visiting(browser) as open_page:
        yield lambda fragment=SHORT, *, url=fable_url, **how: open_page(f"{url}/{fragment}", **how)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk takes root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
