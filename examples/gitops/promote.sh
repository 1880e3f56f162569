#!/bin/sh
# Proposes what a campaign ended with: a branch with one commit that changes the copy, for people to merge.
# Does nothing while the campaign is not decided, where the repository says it already, where it was proposed before, merged,
# reverted or not, and of a dry run.
#
#   REPOSITORY=https://git.example/shop.git NAMESPACE=shop CAMPAIGN=trail sh promote.sh
#
# Git's credentials, and the kubeconfig or the pod's account that `broadside` uses, are those of whoever runs it.
set -eu
: "${REPOSITORY:?name the repository}" "${NAMESPACE:?name the namespace of the campaign}" "${CAMPAIGN:?name the campaign}"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
git clone --quiet "$REPOSITORY" "$work/tree"
broadside promote "$NAMESPACE/$CAMPAIGN" --if-decided --into "$work/tree" --message "$work/message" || {
    code=$?
    # Of a dry run nothing is ever handed on, and broadside has said so.
    [ "$code" -eq 4 ] || exit "$code"
    exit 0
}
if [ ! -s "$work/message" ]; then
    echo "nothing to propose: $NAMESPACE/$CAMPAIGN is not decided, or the files say it already"
    exit 0
fi

evidence="$(sed -n 's/^Evidence-SHA256: //p' "$work/message" | head -n 1)"
if [ -n "$(git -C "$work/tree" log --all --fixed-strings --grep "$evidence" --format=%h)" ]; then
    echo "nothing to propose: this verdict was proposed before"
    exit 0
fi

branch="promote-$CAMPAIGN-$(echo "$evidence" | cut -c 1-8)"
git -C "$work/tree" switch --quiet --create "$branch"
git -C "$work/tree" commit --quiet --all --file "$work/message"
git -C "$work/tree" push --quiet origin "$branch"
echo "proposed in $branch"
