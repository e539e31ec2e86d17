# Stands in for a step of the pipeline, `sh step.sh STEP MONTH RUN`: writes down that it was started, and ends as the case says. A shell, because it
# starts in a hundredth of the time that Python takes, some hundred times in a rehearsal.
#
#   endings/STEP   how its tries end, a line each, the last for all that follow: an exit status, or a negative number for the signal that kills it
#   now            the task that runs
#   steps          what was started: step, month, run, task, ending, between tabs
here=${0%/*}
tab=$(printf '\t')
earlier=0
ending=0
while IFS=$tab read -r step rest; do
    [ "$step" != "$1" ] || earlier=$((earlier + 1))
done <"$here/steps"
if [ -f "$here/endings/$1" ]; then
    while read -r ending && [ "$earlier" -gt 0 ]; do
        earlier=$((earlier - 1))
        last=$ending
    done <"$here/endings/$1"
    ending=${ending:-$last}
fi
read -r task <"$here/now"
printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$task" "$ending" >>"$here/steps"
[ "$ending" = 0 ] || echo "the rehearsal has $1 end with $ending" >&2
[ "$ending" -ge 0 ] || kill "$ending" $$
exit "$ending"
