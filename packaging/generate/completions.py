"""Shell completions: of the services from their settings, of `hafta` by click, which asks the command itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import programs

if TYPE_CHECKING:
    from pathlib import Path

    from hafta.settings import Program, Setting

COMMON = (("--version", "print the version"), ("--help", "explain the options"))

BASH = """\
# bash completion of {name}
_{function}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
    COMPREPLY=()
    # Bash splits --option=value into three words.
    [[ $current == = ]] && current=
    [[ $previous == = && $COMP_CWORD -gt 1 ]] && previous=${{COMP_WORDS[COMP_CWORD - 2]}}
    case $previous in
        {paths}) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        {values}) return ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "{options}" -- "$current")
}}
complete -F _{function} {name}
"""


def files(root: Path) -> dict[str, str]:
    """Return completions/SHELL/NAME -> text."""
    made = {}
    for program in programs.services(root):
        made[f"completions/bash/{program.name}"] = bash(program)
        made[f"completions/zsh/_{program.name}"] = zsh(program)
        made[f"completions/fish/{program.name}.fish"] = fish(program)
    made["completions/bash/hafta"] = by_click("bash")
    made["completions/zsh/_hafta"] = by_click("zsh")
    made["completions/fish/hafta.fish"] = by_click("fish")
    return made


def bash(program: Program) -> str:
    """Return the completion for bash."""
    with_value = [setting for setting in program.settings if setting.metavar]
    options = [setting.option for setting in program.settings] + [option for option, _ in COMMON]
    return BASH.format(
        name=program.name,
        function=program.name.replace("-", "_"),
        paths="|".join(setting.option for setting in with_value if _is_path(setting)) or "--",
        values="|".join(setting.option for setting in with_value if not _is_path(setting)) or "--",
        options=" ".join(options),
    )


def zsh(program: Program) -> str:
    """Return the completion for zsh."""
    lines = [f"#compdef {program.name}", "_arguments -s \\"]
    lines += [f"    {_zsh_argument(setting)} \\" for setting in program.settings]
    lines += [f"    '(- *){option}[{text}]' \\" for option, text in COMMON]
    return "\n".join(lines).removesuffix(" \\") + "\n"


def fish(program: Program) -> str:
    """Return the completion for fish."""
    lines = [f"# fish completion of {program.name}", f"complete -c {program.name} -f"]
    lines += [_fish_line(program.name, setting) for setting in program.settings]
    lines += [f"complete -c {program.name} -l {option[2:]} -d '{text}'" for option, text in COMMON]
    return "\n".join(lines) + "\n"


def by_click(shell: str) -> str:
    """Return click's own completion of `hafta`."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    completion = kind(programs.command(), {}, programs.COMMAND, "_HAFTA_COMPLETE")
    return completion.source_template % completion.source_vars()


def _is_path(setting: Setting) -> bool:
    return setting.metavar == "PATH"


def _zsh_argument(setting: Setting) -> str:
    text = _quoted(setting.help, "'\\''", "[]:")
    if not setting.metavar:
        return f"'{setting.option}[{text}]'"
    action = "_files" if _is_path(setting) else " "
    return f"'{setting.option}=[{text}]:{setting.metavar}:{action}'"


def _fish_line(name: str, setting: Setting) -> str:
    takes = "" if not setting.metavar else " -r -F" if _is_path(setting) else " -x"
    return f"complete -c {name} -l {setting.name}{takes} -d '{_quoted(setting.help, chr(92) + chr(39), '')}'"


def _quoted(text: str, quote: str, escaped: str) -> str:
    """Return text for between single quotes, with what the shell gives a meaning escaped."""
    return "".join(quote if char == "'" else f"\\{char}" if char in escaped else char for char in text)
