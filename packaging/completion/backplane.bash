# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Completion for bash: commands, options, config files, plugins that are there.
_backplane() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' word i
  local -a paths=()
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      --plugin-path)
        paths+=(--plugin-path "${COMP_WORDS[i + 1]}")
        i=$((i + 1))
        ;;
      -*) ;;
      run | check | list | inspect) [ -n "$command" ] || command=$word ;;
    esac
  done
  case $prev in
    --plugin-path)
      mapfile -t COMPREPLY < <(compgen -d -- "$cur")
      return
      ;;
    --timeout) return ;;
  esac
  case $command:$cur in
    :-*) word='--plugin-path --version --help' ;;
    :*) word='run check list inspect' ;;
    check:-*) word='--print --plugin-path --help' ;;
    list:-*) word='--timeout --plugin-path --help' ;;
    inspect:-*) word='--json --timeout --plugin-path --help' ;;
    run:-*) word='--plugin-path --help' ;;
    inspect:*/*)
      mapfile -t COMPREPLY < <(compgen -f -X '!*.so' -- "$cur"; compgen -d -- "$cur")
      return
      ;;
    inspect:*) word=$("${COMP_WORDS[0]}" "${paths[@]}" list 2>/dev/null | sed 's/ .*//') ;;
    run:* | check:*)
      mapfile -t COMPREPLY < <(compgen -f -X '!*.conf' -- "$cur"; compgen -d -- "$cur")
      return
      ;;
    *) return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
}
complete -o filenames -F _backplane backplane

# backplane-check FILE.so --set KEY=: the keys of the plugin
_backplane_check() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word file=''
  COMPREPLY=()
  for word in "${COMP_WORDS[@]:1}"; do
    case $word in *.so) file=$word ;; esac
  done
  case $prev in
    -s | --set)
      case $file in '') return ;; */*) ;; *) file=./$file ;; esac
      mapfile -t COMPREPLY < <(compgen -S = -W "$(backplane inspect "$file" 2>/dev/null |
        sed -n 's/^    \([a-z][a-z0-9_-]*\)$/\1/p')" -- "$cur")
      compopt -o nospace
      return
      ;;
    -o | --only | -x | --skip)
      mapfile -t COMPREPLY < <(compgen -W "$(backplane-check --list 2>/dev/null | sed 's/ .*//')" -- "$cur")
      return
      ;;
  esac
  case $cur in
    -*)
      mapfile -t COMPREPLY < <(compgen -W '--set --with --cut --class --only --skip --seed --reproduce
        --steps --cycles --timeout --list --help --version' -- "$cur")
      ;;
    *) mapfile -t COMPREPLY < <(compgen -f -X '!*.so' -- "$cur"; compgen -d -- "$cur") ;;
  esac
}
complete -o filenames -F _backplane_check backplane-check
