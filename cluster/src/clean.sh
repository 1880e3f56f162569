# Removes what a cluster leaves outside its namespaces: cgroup folders, then its own folder.
# usage: sh -c "$(cat clean.sh)" clean STATE CGROUP...
# Safe to run twice, and where there is nothing.

state=$1
shift

# Deepest first. A folder stays busy until the last of its dying processes is gone, so a few tries are normal.
remove_cgroup() {
    tries=0
    while [ -d "$1" ] && [ "$tries" -lt 100 ]; do
        find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
        [ -d "$1" ] && sleep 0.05
        tries=$((tries + 1))
    done
}

for cgroup do
    remove_cgroup "$cgroup"
done

rm -rf -- "$state"
