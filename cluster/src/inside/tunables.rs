//! Settings of the kernel that belong to the whole machine, and that the kubelet would change.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::bind;
use crate::node::INSIDE;

/// What the kubelet wants below `/proc/sys`: `setupKernelTunables` in `pkg/kubelet/cm/container_manager_linux.go`.
const WANTED: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Shows the node's programs the settings that the kubelet wants, whatever the machine's are.
///
/// No namespace holds these settings, and the kubelet can only write them or refuse to start. A machine that a test
/// ran on would from then on reboot ten seconds after an oops and promise memory that it lacks, and no cluster could
/// set that back: it does not know who else wants it. So plain files lie over them: the kubelet finds what it wants,
/// and what is written all the same goes to these files.
pub(super) fn cover() -> io::Result<()> {
    let folder = Path::new(INSIDE).join("sysctl");
    fs::create_dir(&folder)?;
    for (setting, value) in WANTED {
        let place = Path::new("/proc/sys").join(setting);
        // A kernel without keyrings has no settings for them.
        if place.exists() {
            let file = folder.join(setting.replace('/', "."));
            fs::write(&file, value)?;
            bind(&File::open(&file)?, &place)?;
        }
    }
    Ok(())
}
