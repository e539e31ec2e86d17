# Stands in for a step of the pipeline, `sh step.sh STEP MONTH RUN`: says to `run.py`, through the pipe `asked`, that it was started, and ends as it is told
# there: with an exit status, or by a signal where the number is negative. A shell, because it starts in a hundredth of the time that Python takes.
top=${0%/*}/..
mkfifo "$top/step-$$"
exec 3<>"$top/step-$$"
printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$$" >"$top/asked"
read -r ending <&3
[ "$ending" = 0 ] || echo "the rehearsal has $1 end with $ending" >&2
[ "$ending" -ge 0 ] || kill "$ending" $$
exit "$ending"
