# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of journalctl-backup: commands and options are read from its own
# --help, so that they are never out of date.

_journalctl_backup()
{
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
	local commands command='' i words

	case $previous in
	--config | -c)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--kind)
		words='created modified attrib renamed deleted'
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		return
		;;
	-o | --output)
		words='short json paths paths0'
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		return
		;;
	--by)
		mapfile -t COMPREPLY < <(compgen -W 'dir hour kind' -- "$word")
		return
		;;
	esac

	commands=$("$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
	for ((i = 1; i < COMP_CWORD; i++)); do
		grep -qxF -- "${COMP_WORDS[i]}" <<<"$commands" || continue
		command=${COMP_WORDS[i]}
		break
	done
	words=$commands
	if [[ $word == -* || -n $command ]]; then
		words=$("$1" ${command:+"$command"} --help 2>/dev/null |
			grep -oE -- '--[a-z][a-z-]+')
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _journalctl_backup journalctl-backup
