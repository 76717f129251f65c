"""How bash, zsh and fish ask for completions: their scripts, and the words that they send."""

from __future__ import annotations

import os
from typing import ClassVar

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)


class Bash(BashComplete):
    """Bash, which takes `=` for a word of its own, and inserts completions as they are."""

    source_template: ClassVar[str] = """\
%(complete_func)s() {
    local response type value quote="${COMP_WORDS[COMP_CWORD]:0:1}"
    response=$(IFS=$'\\n'; env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1")
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                [[ $value == *= ]] && compopt -o nospace
                [[ $quote == [\\"\\'] ]] || printf -v value %%q "$value"
                COMPREPLY+=("$value")
                ;;
        esac
    done <<< "$response"
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is completed, and that one, with what bash has split at `=` joined."""
        words = split_arg_string(os.environ["COMP_WORDS"])[: int(os.environ["COMP_CWORD"]) + 1]
        words += [""] * (int(os.environ["COMP_CWORD"]) + 1 - len(words))
        joined: list[str] = []
        for word in words:
            if joined and (word == "=" or joined[-1].endswith("=")):
                joined[-1] += word
            else:
                joined.append(word)
        return joined[1:-1], joined[-1]


class Zsh(ZshComplete):
    """Zsh, which quotes completions itself."""

    source_template: ClassVar[str] = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local type key descr
    local -a response names shown open_names open_shown
    response=("${(@f)$(
        env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) %(complete_var)s=zsh_complete $words[1]
    )}")
    for type key descr in ${response}; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain)
                [[ $descr == _ ]] && descr=$key || descr="$key -- $descr"
                if [[ $key == *= ]]; then
                    open_names+=("$key") open_shown+=("$descr")
                else
                    names+=("$key") shown+=("$descr")
                fi
                ;;
        esac
    done
    (( $#names )) && compadd -V unsorted -d shown -a names
    (( $#open_names )) && compadd -V unsorted -S '' -d open_shown -a open_names
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return the three lines of a completion."""
        return f"{item.type}\n{item.value}\n{item.help or '_'}"


class Fish(FishComplete):
    """Fish, which quotes completions itself, and puts no space after `=`."""

    source_template: ClassVar[str] = """\
function %(complete_func)s
    set -l words (commandline -opc)
    set -lx %(complete_var)s fish_complete
    set -lx COMP_WORDS (commandline -cp)
    set -lx COMP_CWORD (commandline -t)
    set -l response ($words[1])
    for completion in $response
        set -l parts (string split --max 1 , -- $completion)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo -- $parts[2]
        end
    end
end

complete --no-files --keep-order --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


for _shell in (Bash, Zsh, Fish):
    add_completion_class(_shell)
