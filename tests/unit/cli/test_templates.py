"""postroom render, lint and ampscript test as their user types them: what is printed, where, and the exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from postroom.cli.main import app
from postroom.settings import SettingsRejected

THREE_MISTAKES = '<p>\n%%[ SET @a = “x” ]%%\n%%=Uppercas("a")=%%\n%%[ IF @a = "x" THEN ]%%y%%[ ENDIF ]%%\n'


def call(*arguments: str | Path, given: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8", newline="")
    return path


def test_a_template_is_rendered_with_everything_from_files(tmp_path: Path) -> None:
    template = write(
        tmp_path,
        "order.html",
        "Hi %%FirstName%%, %%=Lookup('Shops','City','Id', Shop)=%%\r\n%%=ContentBlockByKey('foot')=%% %%xtyear%%",
    )
    result = call(
        "render", template,
        "--attributes", write(tmp_path, "a.json", {"firstname": "Änne", "shop": 2}),
        "--data-extensions", write(tmp_path, "d.json", {"Shops": [{"Id": "2", "City": "Oslo"}]}),
        "--content-blocks", write(tmp_path, "b.json", {"by_key": {"foot": "<hr>"}}),
        "--now", "2031-06-01T12:00:00Z",
    )  # fmt: skip
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes.decode() == "Hi Änne, Oslo\r\n<hr> 2031"


def test_a_template_from_standard_input_as_another_part(tmp_path: Path) -> None:
    result = call("render", "-", "--part", "subject", "--missing-name", "empty", given="[%%Nobody%%] %%=v(1)=%%")
    assert (result.exit_code, result.stdout) == (0, "[] 1")


def test_the_same_seed_renders_the_same(tmp_path: Path) -> None:
    template = write(tmp_path, "t.html", "%%=GUID()=%%")
    first, again, other = (call("render", template, "--seed", seed).stdout for seed in ("a", "a", "b"))
    assert first == again != other


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("a\n%%=Add('x',1)=%%", ":2:4: error: Add: 'x' is not a number [NotANumber]\n"),
        ("%%=Nope()=%%", ":1:4: error: there is no function Nope; see the list of functions [UnknownFunction]\n"),
        ("%%[ RaiseError('sold out') ]%%", ":1:5: error: RaiseError: sold out [Raised]\n"),
    ],
)
def test_a_template_that_fails_says_where(tmp_path: Path, source: str, said: str) -> None:
    template = write(tmp_path, "t.html", source)
    result = call("render", template)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"{template}{said}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["render", "{}/none.html"], "none.html: there is no such file; check the path, which counts from "),
        (["render", "{}/latin1.html"], "latin1.html: this is not UTF-8 (byte 2); save the file as UTF-8"),
        (
            ["render", "{}/t.html", "--attributes", "{}/t.html"],
            "t.html:1:1: this is not JSON: Expecting value; corr",
        ),
        (["render", "{}"], ": this is a folder; name a file in it"),
        (["lint", "{}"], ": this is a folder; name a file in it"),
        (["render", "{}/t.html", "--attributes", "{}/none.json"], "none.json: there is no such file"),
        (["render", "{}/t.html", "--attributes", "{}/empty"], "empty: it is empty; what holds attributes is a JSON"),
        (["render", "{}/t.html", "--attributes", "{}/deep.json"], "deep.json: it is nested too deeply"),
        (["render", "{}/t.html", "--content-blocks", "{}/keys.json"], "'bykey' is no way to name content blocks; use"),
        (["render", "{}/t.html", "--now", "0001-01-01"], "the year is out of range; give one from 1900 to 9998"),
        (["render", "{}/t.html", "--now", "0001-01-01T00:00:00+10:00"], "this is not an ISO time"),
        (["ampscript", "test", "{}/empty"], "empty: there is no case in it; write one a line"),
        (["render", "{}/t.html", "--attributes", "{}/list.json"], "list.json: what holds attributes is a JSON object"),
        (["render", "{}/t.html", "--data-extensions", "{}/bad.json"], "bad.json: data extension T: give an object"),
        (["render", "{}/t.html", "--content-blocks", "{}/block.json"], "block.json: by_key is an object of texts"),
        (["render", "{}/t.html", "--now", "soon"], "option --now=soon: this is not an ISO time"),
        (["render", "{}/t.html", "--part", "body"], "option --part=body: choose one of html, text, subject"),
        (["lint", "{}/t.html", "--format", "xml"], "option --format=xml: choose one of text, json, sarif"),
        (["ampscript", "test", "{}/t.html"], "t.html: line 1 column 1: this is not JSON"),
    ],
)
def test_what_cannot_be_used_is_named_with_exit_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    write(tmp_path, "t.html", "hello")
    write(tmp_path, "list.json", [])
    write(tmp_path, "empty", "")
    write(tmp_path, "deep.json", "[" * 100_000)
    write(tmp_path, "keys.json", {"bykey": {"a": "b"}})
    write(tmp_path, "bad.json", {"T": 1})
    write(tmp_path, "block.json", {"by_key": []})
    (tmp_path / "latin1.html").write_bytes("aé".encode("latin-1"))
    result = call(*(argument.replace("{}", str(tmp_path)) for argument in arguments))
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.startswith("postroom: ")


@pytest.mark.parametrize(
    ("name", "value", "source", "code"),
    [
        ("template_steps", "5", "%%[ FOR @i = 1 TO 6 DO NEXT ]%%", "StepLimit"),
        ("template_output", "1024", "%%[ FOR @i = 1 TO 110 DO ]%%0123456789%%[ NEXT ]%%", "OutputLimit"),
        ("template_block_depth", "1", "%%=TreatAsContent('%%=TreatAsContent(\"%%xtday%%\")=%%')=%%", "BlockDepthLimit"),
        ("template_blocks", "1", "%%=TreatAsContent('%%xtday%%')=%%%%=TreatAsContent('%%xtday%%')=%%", "BlockLimit"),
        ("template_lookups", "1", "%%=Lookup('T','A','A',1)=%%%%=Lookup('T','A','A',2)=%%", "LookupLimit"),
        ("template_writes", "0", "%%[ InsertDE('T','A',1) ]%%", "WriteLimit"),
        ("template_text", "1024", "%%=Char(65, 1025)=%%", "TextLimit"),
        ("template_seconds", "0.000001", "%%[ FOR @i = 1 TO 9 DO NEXT ]%%", "TimeLimit"),
    ],
)
def test_a_limit_of_the_settings_holds_in_render_and_in_golden_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, source: str, code: str
) -> None:
    template = write(tmp_path, "t.html", source)
    data = write(tmp_path, "d.json", {"T": [{"A": "0"}]})
    assert call("render", template, "--data-extensions", data).exit_code == 0
    result = call("render", template, "--data-extensions", data, f"--{name.replace('_', '-')}", value)
    assert (result.exit_code, f"[{code}]" in result.stderr) == (1, True), result.stderr
    case = {"id": "one", "template": source, "data_extensions": {"T": [{"A": "0"}]}, "error": "runtime"}
    cases = write(tmp_path, "cases.jsonl", json.dumps(case))
    assert call("ampscript", "test", cases).exit_code == 1
    monkeypatch.setenv(f"POSTROOM_{name.upper()}", value)
    assert call("ampscript", "test", cases).exit_code == 0


def test_contested_points_are_settings_of_every_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = '%%[ IF true OR true AND false THEN ]%%a%%[ ENDIF ]%%%%=ProperCase("3d")=%%'
    template = write(tmp_path, "t.html", source)
    cases = write(tmp_path, "cases.jsonl", json.dumps({"id": "one", "template": source, "expect": "a3D"}))
    assert call("render", template).stdout == "3d"
    assert call("ampscript", "test", cases).exit_code == 1
    file = tmp_path / "postroom.toml"
    file.write_text('template_and_before_or = "yes"\ntemplate_digits_start_words = "yes"\n')
    assert call("render", template, "--config", file).stdout == "a3D"
    monkeypatch.setenv("POSTROOM_CONFIG", str(file))
    assert call("ampscript", "test", cases).exit_code == 0
    glued = write(tmp_path, "g.html", "%%[ IF true THEN SET @a = 1 ELSEOutputLine(v(1)) ENDIF ]%%")
    assert call("lint", glued).exit_code == 1
    assert call("lint", glued, "--template-repair-keywords", "yes").exit_code == 0


def test_a_setting_that_cannot_be_used_stops_the_verb(tmp_path: Path) -> None:
    result = call("render", write(tmp_path, "t.html", "x"), "--missing-name", "x")
    assert isinstance(result.exception, SettingsRejected)
    assert result.exception.lines == (
        "option POSTROOM_MISSING_NAME=x: it is none of the possible values; use fail, empty, keep",
    )


def test_three_mistakes_are_mended_by_what_lint_says(tmp_path: Path) -> None:
    template = write(tmp_path, "t.html", THREE_MISTAKES)
    result = call("lint", template)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{template}:2:14: error: “ is not a quote of the language; write a straight \" or ' [CurlyQuote]",
        f"{template}:3:4: error: there is no function Uppercas; did you mean Uppercase? [UnknownFunction]",
        f"{template}:4:11: error: a single = in the condition of IF compares nothing; write == [SingleEquals]",
    ]
    mended = (
        THREE_MISTAKES.replace("“", '"')
        .replace("”", '"')
        .replace("Uppercas(", "Uppercase(")
        .replace('@a = "x" T', '@a == "x" T')
    )
    write(tmp_path, "t.html", mended)
    result = call("lint", template)
    assert (result.exit_code, result.stdout) == (0, "")
    assert call("render", template).stdout == "<p>\n\nA\ny\n"


def test_lint_as_json_and_sarif(tmp_path: Path) -> None:
    template = write(tmp_path, "t.html", THREE_MISTAKES)
    found = json.loads(call("lint", template, "--format", "json").stdout)
    assert found[1] == {
        "file": str(template), "line": 3, "column": 4, "severity": "error", "code": "UnknownFunction",
        "function": "Uppercas", "message": "there is no function Uppercas", "fix": "did you mean Uppercase?",
    }  # fmt: skip
    (run,) = json.loads(call("lint", template, "--format", "sarif").stdout)["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["CurlyQuote", "UnknownFunction", "SingleEquals"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 2, "startColumn": 14}
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {result["ruleId"] for result in run["results"]}


def test_lint_knows_the_names_it_is_told(tmp_path: Path) -> None:
    template = write(tmp_path, "t.html", "%%FirstName%% %%Frstname%% %%emailaddr%% %%member_city%%")
    names = write(tmp_path, "a.json", {"FirstName": "x"})
    result = call("lint", template, "--attributes", names)
    assert result.exit_code == 1
    assert result.stdout == (
        f"{template}:1:15: error: %%Frstname%% is no attribute of this send; did you mean firstname? [UnknownName]\n"
    )


def test_warnings_alone_are_no_failure(tmp_path: Path) -> None:
    result = call("lint", write(tmp_path, "t.html", "%%[ SET @a = 1; ]%%"))
    assert (result.exit_code, "warning" in result.stdout) == (0, True)


def test_golden_cases(tmp_path: Path) -> None:
    good = {"id": "one", "template": "%%=v(1)=%%", "expect": "1"}
    cases = write(tmp_path, "cases.jsonl", json.dumps(good) + "\n" + json.dumps({**good, "id": "two", "expect": "2"}))
    result = call("ampscript", "test", cases)
    assert result.exit_code == 1
    assert result.stdout == 'two\n  expected "2"\n  got      "1"\n1 passed, 1 failed\n'
    write(tmp_path, "cases.jsonl", json.dumps(good))
    result = call("ampscript", "test", cases)
    assert (result.exit_code, result.stdout) == (0, "1 passed, 0 failed\n")


def test_half_a_character_is_shown_as_something_else(tmp_path: Path) -> None:
    """A lone surrogate, from Char or a careless JSON, is no text that can be written; that must not be a crash."""
    template = write(tmp_path, "t.html", "%%=Char(55296)=%%%%=v(A)=%%")
    attributes = write(tmp_path, "a.json", '{"A": "\\udc00x"}')
    case = {"id": "half", "template": "%%=Char(55296)=%%", "expect": "x"}
    cases = write(tmp_path, "cases.jsonl", case)
    for arguments, code, said in (
        (["render", template, "--attributes", attributes], 0, b"??x"),
        (["ampscript", "test", cases], 1, b'got      "\\ud800"'),
    ):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "postroom.cli.main", *map(str, arguments)], capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (code, b"")
        assert said in done.stdout
