# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of journalctl-backup: commands and options are read from its own
# --help, names from its status, so that they are never out of date.

# The names in column $2 of the table whose head begins with $1; the program and
# its --config follow.
_journalctl_backup_names()
{
	local head=$1 column=$2

	shift 2
	{ "$@" status 2>/dev/null || :; } | awk -v head="$head" -v column="$column" '
		NF == 0 || $1 ~ /:$/ { on = 0 }
		on { print $column }
		$1 == head { on = 1 }' | sort -u
}

_journalctl_backup()
{
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
	local program=("$1") commands command='' i words

	for ((i = 1; i < COMP_CWORD - 1; i++)); do
		[[ ${COMP_WORDS[i]} == --config ]] || continue
		program=("$1" --config "${COMP_WORDS[i + 1]}")
	done
	case $previous in
	--config)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--kind) words='created modified attrib renamed deleted' ;;
	-o | --output) words='short json paths paths0' ;;
	--by) words='dir hour kind' ;;
	--policy) words=$(_journalctl_backup_names POLICY 1 "${program[@]}") ;;
	--root) words=$(_journalctl_backup_names ROOT 1 "${program[@]}") ;;
	*) words='' ;;
	esac
	if [[ -n $words ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		return
	fi

	commands=$("$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
	for ((i = 1; i < COMP_CWORD; i++)); do
		grep -qxF -- "${COMP_WORDS[i]}" <<<"$commands" || continue
		command=${COMP_WORDS[i]}
		break
	done
	words=$commands
	if [[ $word == -* ]]; then
		words=$("$1" ${command:+"$command"} --help 2>/dev/null |
			grep -oE -- '--[a-z][a-z-]+' | sort -u)
	elif [[ -n $command ]]; then
		case $command:$previous in
		policy:policy) words=remove ;;
		target:target) words=init ;;
		target:*) words=$(_journalctl_backup_names POLICY 3 "${program[@]}") ;;
		release-root:* | scan:*)
			words=$(_journalctl_backup_names ROOT 1 "${program[@]}")
			;;
		policy:* | pause:* | resume:* | release:* | reset:* | run:*)
			words=$(_journalctl_backup_names POLICY 1 "${program[@]}")
			;;
		*) words='' ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _journalctl_backup journalctl-backup
