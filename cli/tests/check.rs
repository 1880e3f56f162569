//! `broadside check` against the manifests that the cluster's tests refuse: what can be known offline is found offline.

use std::path::{Path, PathBuf};

use cli::{Brands, Severity, check, check_beside};

/// Manifests that only a cluster can refuse: rules of the API server in CEL, and objects that are not in the file.
const BEYOND_A_FILE: [&str; 3] = [
    "a-label-of-a-policy-that-has-no-values",
    "a-model-that-does-not-exist",
    "a-policy-that-asks-for-nothing",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn errors(text: &str) -> Vec<String> {
    let findings = check(text).into_iter().flat_map(|report| report.findings);
    findings
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.to_string())
        .collect()
}

#[test]
fn what_is_refused_on_a_cluster_is_found_in_the_file() {
    let folder = repository().join("tests/manifests/refused");
    let mut missed = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the manifests are there") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let found = errors(&std::fs::read_to_string(&path).expect("readable"));
        if found.is_empty() != BEYOND_A_FILE.contains(&name.as_str()) {
            missed.push(format!("{name}: {found:?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn the_example_has_nothing_to_mend() {
    let example =
        std::fs::read_to_string(repository().join("examples/cart-and-hero.yaml")).expect("readable");
    let reports = check(&example);
    assert_eq!(reports.len(), 2, "a model and a campaign");
    assert_eq!(errors(&example), Vec::<String>::new());
}

#[test]
fn copy_with_variables_is_shown_as_it_reads_where_no_value_is_known() {
    let text = "\
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: hero}
spec:
  brief: {product: Aero Trail 3}
  variables: [{name: first_name, maximumLength: 12, fallback: runner}]
  placements:
    - name: hero
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Meet the Aero Trail 3, button: Shop now}
      challengers: [{headline: \"Your trail, {first_name}\", button: \"Run, {first_nam}\"}]
      metric: {name: product-view, kind: Binary, window: 30m}
";
    let said: Vec<String> = check(text)
        .into_iter()
        .flat_map(|report| report.findings)
        .map(|finding| finding.to_string())
        .collect();
    assert_eq!(
        said,
        [
            "error   spec.placements[0].challengers[0]: button uses {first_nam}, which is no declared variable: \
             declare it, or use {first_name}",
            "note    spec.placements[0].challengers[0].headline: reads \"Your trail, runner\" where no value is known",
        ]
    );
}

#[test]
fn a_dry_run_is_named_as_one() {
    let file = repository().join("examples/cart-and-hero.yaml");
    let launch = std::fs::read_to_string(file).expect("readable");
    let notes = |text: &str| -> Vec<String> {
        let found = check(text).into_iter().flat_map(|report| report.findings);
        found.filter(|it| it.field == "spec.dryRun").map(|it| it.to_string()).collect()
    };
    assert_eq!(notes(&launch), Vec::<String>::new());
    let dry = launch.replace("\nspec:\n  brief:", "\nspec:\n  dryRun: true\n  brief:");
    let so = "note    spec.dryRun: everybody sees the control, and nothing is handed on; a launch is a campaign of another name";
    assert_eq!(notes(&dry), [so]);
}

const TILE: &str = "\
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: hero, namespace: shop}
spec:
  brief: {product: Aero Trail 3}
  rules: {brand: acme}
  placements:
    - name: tile
      format: ShopTile
      delivery: {gateway: {}}
      control: {title: Aero Trail 3 at Sale!}
      challengers: [{title: A cheap shoe at Sale!}]
      metric: {name: product-view, kind: Binary, window: 30m}
";

/// The example of a brand, in the same file and beside it; and what there is to say where it is missing or broken.
#[test]
fn a_campaign_is_judged_by_the_brand_that_it_names() {
    let brand = std::fs::read_to_string(repository().join("examples/brand.yaml")).expect("readable");
    let cheap = "error   spec.placements[0].challengers[0]: title contains the forbidden word \"cheap\": \
                 say it in other words";
    assert_eq!(errors(&format!("{TILE}---\n{brand}")), [cheap]);
    let beside = |brand: &str| -> Vec<String> {
        let reports = check_beside(TILE, &Brands::default().and(brand));
        reports.into_iter().flat_map(|report| report.findings).map(|finding| finding.to_string()).collect()
    };
    assert_eq!(beside(&brand), [cheap]);
    let missing = "error   spec.rules.brand: there is no ConfigMap acme in namespace shop: \
                   apply it, or name another one";
    assert_eq!(errors(TILE), [missing]);
    assert_eq!(beside(&brand.replace("namespace: shop", "namespace: other")), [missing]);
    let broken = "error   spec.rules.brand: ConfigMap acme, shop-tile.yaml: format \"ShopTile\": \
                  has a slot whose limits are not 0 < soft <= hard: correct them";
    assert_eq!(beside(&brand.replace("softLimit: 28", "softLimit: 41")), [broken]);
    let torn = brand.replace("hardLimit: 12", "hardLimit: 12\n        pattern: '[0-9+ €'");
    let [said] = &beside(&torn)[..] else { panic!("one finding") };
    let slot = "error   spec.rules.brand: ConfigMap acme, shop-tile.yaml: format \"ShopTile\": \
                pattern of slot price cannot be used (";
    assert!(
        said.starts_with(slot) && said.ends_with("correct it, or where it is too much work, make it smaller"),
        "{said}"
    );
}

/// Examples that a reader copies must be right; a page that lost them would pass unseen.
#[test]
fn the_models_of_the_page_have_nothing_to_mend() {
    let page = std::fs::read_to_string(repository().join("docs/models.md")).expect("readable");
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let models: Vec<&str> = blocks.filter(|block| block.contains("kind: AdModel")).collect();
    assert_eq!(models.len(), 9, "one for each thing that an AdModel can say");
    for model in models {
        assert_eq!(errors(model), Vec::<String>::new(), "{model}");
    }
}

/// Every fault at once, each with its field; a document of somebody else is passed over.
#[test]
fn all_faults_of_a_file_are_said_at_once() {
    let text = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: Hero}
spec:
  brief: {product: Aero Trail 3, colour: red}
  placements:
    - name: hero
      format: Billboard
      delivery: {gateway: {}}
      control: {headline: Meet the Aero Trail 3, button: Shop now}
      challengers: [{headline: '240 g', button: Shop now}]
      metric: {name: product-view, kind: Binary, window: soon}
";
    let found = errors(text);
    for field in [
        "metadata.name",
        "spec.brief.colour",
        "spec.placements[0].format",
        "spec.placements[0].metric.window",
    ] {
        assert!(found.iter().any(|finding| finding.contains(field)), "{field} is not in {found:#?}");
    }
}
