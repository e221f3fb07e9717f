"""The steps of README.md, word by word: a new user copies them one after the other into a shell."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from postroom.cli.private_server import PrivateServer

README = Path(__file__).parents[3] / "README.md"


def steps(text: str) -> list[str]:
    """The shell blocks in their order."""
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_readme_by_hand(reachable_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(reachable_tmp_path))
    blocks = steps(README.read_text(encoding="utf-8"))
    assert blocks[0].startswith("API=http://127.0.0.1:8025\nCLIENT_ID=")
    with PrivateServer() as access:
        blocks[0] = f"API={access.api}\nCLIENT_ID={access.client_id}\nCLIENT_SECRET={access.client_secret}\n"
        script = "set -eu\n" + "\nprintf '\\n=====\\n'\n".join(blocks)
        done = subprocess.run(
            ["bash", "-c", script], cwd=reachable_tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
    answers = [json.loads(answer) for answer in done.stdout.split("\n=====\n") if answer.strip()]
    asset, definition, sent, mail, status = answers
    assert asset["customerKey"] == "parcel-email"
    assert (definition["definitionKey"], definition["status"]) == ("parcel", "Active")
    assert sent["errorcode"] == 0
    assert sent["responses"] == [{"messageKey": "parcel-1"}, {"messageKey": "parcel-2"}]
    assert mail["subject"] == "蓮, your parcel is on its way"
    assert mail["text"].strip() == "Hello 蓮, your parcel arrives on Friday."
    assert status["eventCategoryType"] in (
        "TransactionalSendEvents.EmailSent",
        # The mail may be read a moment before its outcome is written.
        "TransactionalSendEvents.EmailQueued",
    )


def test_the_settings_it_names_exist() -> None:
    reference = (README.parent / "docs" / "settings.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(POSTROOM_\w+)`", README.read_text(encoding="utf-8"))) - {"POSTROOM_"}
    assert len(named) >= 6
    assert [name for name in sorted(named) if f"`{name}`" not in reference] == []


def test_the_files_it_links_to_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert len(links) >= 4
    assert [link for link in links if not (README.parent / link).exists()] == []
