"""What each shell needs to ask for candidates and to show them; kept small, since all knowledge is on the other side.

The program is called as it was typed, so that the one of another environment completes itself.
"""

SEPARATOR = "\x1f"
"""Between the words of the line: one argument takes them all, whatever they begin with."""

# Words are split here and not by readline, which would break them at : and =. Written for bash 3.2, as macOS has it.
_BASH = r"""# cxr-cockpit: completion for bash
_cxr_cockpit() {
    local line=${COMP_LINE:0:COMP_POINT} kind="" word IFS=$' \t\n'
    local -a words
    read -a words <<<"$line"
    case $line in *[[:space:]]) words+=("");; esac
    local program=${words[0]/#\~\//$HOME/} last=${words[${#words[@]}-1]}
    local head=${last%"${last##*[:=]}"} asked
    asked=$(IFS=$'\x1f'; printf %s "${words[*]:1}")
    last=${last#"$head"}
    COMPREPLY=()
    while IFS= read -r word; do
        if [ -z "$kind" ]; then
            kind=$word
        else
            word=${word%%$'\t'*}
            COMPREPLY+=("${word#"$head"}")
            case $word in *=) compopt -o nospace 2>/dev/null;; esac
        fi
    done < <("$program" completion --candidates="$asked" 2>/dev/null)
    case $kind in files|directories|yaml) ;; *) return;; esac
    compopt -o filenames 2>/dev/null
    while IFS= read -r word; do
        if [ -d "${word/#\~\//$HOME/}" ]; then
            COMPREPLY+=("$word")
        else
            case $kind/$word in files/*|yaml/*.yaml|yaml/*.yml) COMPREPLY+=("$word");; esac
        fi
    done < <(compgen -f -- "$last")
}
complete -F _cxr_cockpit cxr-cockpit
"""

_ZSH = r"""#compdef cxr-cockpit
# cxr-cockpit: completion for zsh
_cxr-cockpit() {
    local program=${(Q)words[1]} kind line
    local -a lines plain open
    program=${program/#\~\//$HOME/}
    lines=("${(@f)$("$program" completion --candidates="${(pj:\x1f:)${(@Q)words[2,CURRENT]}}" 2>/dev/null)}")
    kind=$lines[1]
    shift lines
    case $kind in
        files) _files;;
        directories) _files -/;;
        yaml) _files -g '*.(yaml|yml)';;
        words)
            for line in $lines; do
                line=${${line//:/\\:}/$'\t'/:}
                if [[ ${line%%:*} == *= ]]; then open+=("$line"); else plain+=("$line"); fi
            done
            (( $#plain )) && _describe cxr-cockpit plain
            (( $#open )) && _describe cxr-cockpit open -S ''
            ;;
    esac
}
if [[ $funcstack[1] == _cxr-cockpit ]]; then _cxr-cockpit "$@"; else compdef _cxr-cockpit cxr-cockpit; fi
"""

_FISH = r"""# cxr-cockpit: completion for fish
function __cxr_cockpit_candidates
    set -l begun (commandline -ct)
    set -l words (commandline -opc) "$begun"
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l asked (string join \x1f -- $words[2..-1])
    set -l lines ($program completion --candidates="$asked" 2>/dev/null)
    switch "$lines[1]"
        case files
            __fish_complete_path "$begun"
        case directories
            __fish_complete_directories "$begun"
        case yaml
            __fish_complete_suffix .yaml
        case '*'
            test (count $lines) -gt 1; and printf '%s\n' $lines[2..-1]
    end
end
complete -c cxr-cockpit -f -a '(__cxr_cockpit_candidates)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""By the shell's name."""
