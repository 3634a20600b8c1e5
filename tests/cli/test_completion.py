"""What `choros completion` prints completes in a real bash; zsh's is what tyro writes, read here for its head only."""

import shutil
import subprocess

import pytest

from choros.cli.main import main


def script(capsys, shell):
    main(["completion", shell])
    return capsys.readouterr().out


@pytest.fixture
def complete(capsys, tmp_path):
    """Presses TAB in bash after some words, in a folder with motion.npz; what there is to choose from."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    (tmp_path / "motion.npz").touch()
    (tmp_path / "choros.bash").write_text(script(capsys, "bash"))

    def press(*words):
        press_tab = (
            'source choros.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _choros; complete -p choros'
        )
        show = f'{press_tab}; printf "%s\\n" "${{COMPREPLY[@]}}"'
        done = subprocess.run(
            [bash, "-c", show, "bash", "choros", *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        registered, *choices = done.stdout.split("\n")[:-1]
        assert registered == "complete -o default -F _choros choros"
        return choices

    return press


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        (["tr"], ["track", "train"]),
        (["train", "t"], ["trace", "trajectory"]),
        (["track", "--sm"], ["--smooth"]),
        (["track", "clip.mp4", "--system", "c"], ["comotion"]),
        (["track", "--body", "mot"], ["motion.npz"]),
        (["view", "--com"], ["--compare"]),
        (["show", "mot"], [""]),  # none: bash then completes files, for which -o default stands
    ],
)
def test_bash_completes(complete, words, choices):
    assert complete(*words) == choices


def test_zsh_is_told_whose_words_these_are(capsys):
    assert script(capsys, "zsh").startswith("#compdef choros\n")
