#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Print the tree's own files, one a line: sources.sh all|c|shell|python
cd "$(dirname "$0")/../.." || exit 1

# A tarball has no .git, and root may not trust somebody else's.
list_all()
{
	git -c safe.directory="*" ls-files 2>/dev/null || find . -type f \
		-not -path './.git/*' -not -path './build*/*' -printf '%P\n'
}

# Listed, but deleted and not yet committed: not there.
list_present()
{
	list_all | while IFS= read -r file; do
		[ -f "$file" ] && printf '%s\n' "$file"
	done
}

# list_scripts PATTERN: whose first line matches it.
list_scripts()
{
	list_present | while IFS= read -r file; do
		head -c 64 "$file" | tr -d '\0' | head -n 1 |
			grep -qE "$1" && printf '%s\n' "$file"
	done
}

case $1 in
all) list_present ;;
c) list_present | grep '\.[ch]$' ;;
shell) list_scripts '^#!.*sh( |$)|^# shellcheck shell=' ;;
python) list_present | grep '\.py$'; list_scripts '^#!.*python' ;;
*)
	echo "usage: sources.sh all|c|shell|python" >&2
	exit 2
	;;
esac
