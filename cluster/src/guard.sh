# Runs one program, and ends and cleans up after it whatever ends first: the program itself, or its owner.
# usage: sh -c "$(cat guard.sh)" guard CLEAN STATE CGROUPS PROGRAM [ARGUMENT...]
#
# The owner holds the other end of our standard input. When it is gone, however it went, we see the end of the file.
# If it writes a line first, the program may outlive it.
# CLEAN is the text of clean.sh, CGROUPS its folders, separated by colons.

clean=$1 state=$2 cgroups=$3
shift 3
exec 3<&0

# A session of its own gives the program a process group, so that it and its children can be ended as one.
# It must not hold our standard input.
setsid "$@" </dev/null 3<&- &
program=$!

end() {
    # Before the session is made there is a process, but no group yet.
    kill -s KILL -- "-$program" "$program" 2>/dev/null
}

(read -r line <&3 || end) &
watcher=$!

wait "$program"
code=$?
# What the program left in its group ends with it.
end
kill -s TERM "$watcher" 2>/dev/null

IFS=:
# Splitting at the colons is what we want here.
sh -c "$clean" clean "$state" $cgroups
exit "$code"
