//! The control plane without a node, on loopback: no root, no container.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

mod support;

use std::path::{Path, PathBuf};

use cluster::{ControlPlane, ControlPlaneConfig, Controllers, Part};
use support::Kubectl;

fn folder(plane: &ControlPlane) -> PathBuf {
    plane.kubeconfig().parent().unwrap().to_owned()
}

fn processes_with(word: &Path) -> usize {
    let word = word.display().to_string();
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = pids.filter_map(|pid| std::fs::read(pid.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(&word)).count()
}

#[tokio::test]
async fn controllers_act_and_nothing_is_left() {
    // The controllers make it where they may, unless they are told of another.
    let has_plugins = || Path::new("/usr/libexec/kubernetes").exists();
    let had_plugins = has_plugins();
    let plane = ControlPlane::start(ControlPlaneConfig::default()).await.unwrap();
    let kubectl = Kubectl::new(plane.kubeconfig()).await;
    assert!(kubectl.says("version -o json").contains("v1.37.2"));

    kubectl.says("create deployment idle --image=idle");
    kubectl.eventually("get pods -l app=idle -o jsonpath={.items[*].status.phase}", "Pending");
    kubectl.says("delete deployment idle");
    kubectl.eventually("get pods,replicasets -o name", "");

    let folder = folder(&plane);
    assert!(processes_with(&folder) > 0);
    plane.stop().unwrap();
    assert!(!folder.exists());
    assert_eq!(processes_with(&folder), 0);
    assert_eq!(has_plugins(), had_plugins);
}

#[tokio::test]
async fn several_run_at_once_and_know_nothing_of_each_other() {
    let config = || ControlPlaneConfig { controllers: Controllers::Off, ..ControlPlaneConfig::default() };
    let (one, two) = tokio::try_join!(ControlPlane::start(config()), ControlPlane::start(config())).unwrap();
    let (first, second) = (Kubectl::new(one.kubeconfig()).await, Kubectl::new(two.kubeconfig()).await);
    first.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine, namespace: default}\n");
    assert_eq!(second.says("get configmaps --ignore-not-found mine"), "");
    // Each has its own authority: the other's keys open nothing.
    assert!(!first.run(&format!("--server={} get configmaps", two.server())).status.success());
}

#[tokio::test]
async fn dropping_it_ends_it() {
    let config = ControlPlaneConfig { controllers: Controllers::Off, ..ControlPlaneConfig::default() };
    let plane = ControlPlane::start(config).await.unwrap();
    let folder = folder(&plane);
    drop(plane);
    assert!(!folder.exists());
    assert_eq!(processes_with(&folder), 0);
}

#[tokio::test]
async fn a_name_in_use_is_refused() {
    let config = ControlPlaneConfig { controllers: Controllers::Off, ..ControlPlaneConfig::default() };
    let plane = ControlPlane::start(config.clone()).await.unwrap();
    let error = ControlPlane::start(config).await.unwrap_err();
    assert!(matches!(error, cluster::Error::Exists(_)), "{error}");
    plane.stop().unwrap();
}

#[tokio::test]
async fn a_part_may_be_away_and_what_was_stored_is_there_when_it_is_back() {
    let config = ControlPlaneConfig { controllers: Controllers::Off, ..ControlPlaneConfig::default() };
    let mut plane = ControlPlane::start(config).await.unwrap();
    let kubectl = Kubectl::new(plane.kubeconfig()).await;
    kubectl.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine, namespace: default}\n");
    let answers = || kubectl.run("get configmap mine --request-timeout=2s").status.success();
    plane.kill(Part::ApiServer).await.unwrap();
    assert!(!answers(), "a killed API server answers");
    plane.kill(Part::Etcd).await.unwrap();
    plane.start_again(Part::Etcd).await.unwrap();
    plane.start_again(Part::ApiServer).await.unwrap();
    assert!(answers(), "what was stored is gone");
    plane.pause(Part::Etcd).unwrap();
    assert!(!answers(), "nothing is read from a paused etcd");
    plane.resume(Part::Etcd).unwrap();
    kubectl.eventually("get configmap mine -o jsonpath={.metadata.name}", "mine");
    assert!(plane.kill(Part::Etcd).await.is_ok() && plane.pause(Part::Etcd).is_err(), "it is gone");
}
