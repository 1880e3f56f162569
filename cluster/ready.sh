# Says in one message what keeps this machine from building Broadside and running a cluster, before anything is built.
# usage: sh cluster/ready.sh
# It looks at what would cost minutes to find out later; `broadside-cluster up` looks closer.

refuse() {
    echo "This machine can't run the cluster: $1" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]
}

[ "$(uname -s)" = Linux ] ||
    refuse "it is $(uname -s), and Kubernetes' node needs Linux. Use a Linux machine or virtual machine, such as Lima or WSL 2."
[ "$(id -u)" = 0 ] ||
    refuse "namespaces and containers need root. Run the same command as root (sudo -E make ...)."
has cargo ||
    refuse "there is no Rust. Install it from https://rustup.rs, then open a new shell."
has cc ||
    refuse "there is no C compiler, which Rust links with. Install one (apt-get install gcc libc6-dev)."
for program in containerd runc; do
    has "$program" || has apt-get ||
        refuse "there is no $program, and no apt-get to install it with. Install containerd, runc, nftables, iproute2 and the CNI plugins with your distribution's tools."
done
if has unshare; then
    unshare --net --mount --pid --fork true 2>/dev/null ||
        refuse "this root may not make namespaces, as in most containers. Use a machine, a virtual machine or a privileged container."
fi
