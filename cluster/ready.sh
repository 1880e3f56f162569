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
    refuse "namespaces and containers need root. Run the same command as root (sudo env \"PATH=\$PATH\" make ...)."
has cargo ||
    refuse "there is no Rust. Install it from https://rustup.rs, then open a new shell."
version=$(rustc --version | cut -d ' ' -f 2)
[ "$(printf '1.95\n%s\n' "$version" | sort -V | head -n 1)" = 1.95 ] ||
    refuse "Rust is $version, and 1.95 is needed. Update it (rustup update), or install it from https://rustup.rs."
has cc ||
    refuse "there is no C compiler, which Rust links with. Install one (apt-get install gcc libc6-dev)."
for program in containerd runc; do
    has "$program" || has apt-get ||
        refuse "there is no $program, and no apt-get to install it with. Install containerd, runc, nftables, iproute2 and the CNI plugins with your distribution's tools."
done
[ -n "${BROADSIDE_CLUSTER_BIN:-}" ] || [ -d "${XDG_CACHE_HOME:-$HOME/.cache}/broadside/cluster" ] ||
    has go || [ -x /usr/local/go/bin/go ] || getent hosts dl.k8s.io >/dev/null ||
    refuse "there is neither internet nor Go, and Kubernetes must come from one of them. Install Go 1.26 from https://go.dev/dl, or name a folder with the programs in BROADSIDE_CLUSTER_BIN."
free=$(df -Pk "${XDG_CACHE_HOME:-$HOME}" 2>/dev/null | awk 'NR == 2 { print int($4 / 1048576) }')
[ "${free:-99}" -ge 5 ] ||
    refuse "only $free GB are free in ${XDG_CACHE_HOME:-$HOME}. The builds of the first time take some 20 GB, later ones a few: make room, or set XDG_CACHE_HOME to a larger disk."
if has unshare; then
    unshare --net --mount --pid --fork true 2>/dev/null ||
        refuse "this root may not make namespaces, as in most containers. Use a machine, a virtual machine or a privileged container."
fi
