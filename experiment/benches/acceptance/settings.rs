//! The worlds that everything is measured in.

use experiment::simulation::{Course, Trend, World};
use experiment::{
    Cell, Control, Design, Estimate, Metric, PartsPerMillion, Policy, Rule, Standing, Stopping, estimate,
    p_best,
};

/// A world with the policy that is used in it.
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) world: World,
    pub(crate) design: Design,
    pub(crate) policy: Policy,
}

/// Parts of a million from percent.
pub(crate) fn percent(percent: f64) -> PartsPerMillion {
    PartsPerMillion::new((percent * 10_000.0).round() as u32).expect("at most 100 %")
}

impl Setting {
    /// A setting whose control competes, or has a fixed share in percent.
    pub(crate) fn new(name: &str, world: World, rule: Rule, floor: f64, control: Option<f64>) -> Self {
        let arms = world.arms.len();
        let control = control.map_or(Control::Competes, |share| Control::Fixed(percent(share)));
        let policy = Policy::new(rule, arms, percent(floor), control, 0).expect("shares fit");
        let stopping = Stopping::new(0.95, 0.01).expect("sensible");
        let design = Design::new(Metric::CLICKS, stopping, vec![Standing::FIRST; arms]).expect("arms");
        Self { name: name.to_owned(), world, design, policy }
    }

    pub(crate) fn with_metric(self, metric: Metric) -> Self {
        let design = Design::new(metric, self.design.stopping(), self.design.arms().to_vec()).expect("arms");
        Self { design, ..self }
    }

    pub(crate) fn with_stopping(self, stopping: Stopping) -> Self {
        let design = Design::new(self.design.metric(), stopping, self.design.arms().to_vec()).expect("arms");
        Self { design, ..self }
    }

    pub(crate) fn with_trend(self, name: &str, trend: Trend) -> Self {
        let name = if name.is_empty() { self.name } else { format!("{}, {name}", self.name) };
        Self { name, world: World { trends: vec![trend], ..self.world }, ..self }
    }

    pub(crate) fn course(&self, seed: u64) -> Course<'_> {
        Course::new(&self.world, &self.design, &self.policy, seed)
    }

    pub(crate) fn estimate(&self, cells: &[Cell]) -> Estimate {
        estimate(cells, &self.design).expect("counts are possible")
    }

    /// What is believed about which arm is the best.
    pub(crate) fn p_best(&self, cells: &[Cell]) -> Vec<f64> {
        p_best(cells, &self.design)
    }

    /// The cells of a whole course.
    pub(crate) fn play(&self, seed: u64) -> Vec<Cell> {
        let mut course = self.course(seed);
        while course.play() {}
        course.cells().to_vec()
    }

    /// The best variant; of equals the first.
    pub(crate) fn best(&self) -> usize {
        let mean = |arm: usize| self.world.arms[arm].mean();
        (1..self.world.arms.len())
            .reduce(|best, arm| if mean(arm) > mean(best) { arm } else { best })
            .expect("a variant")
    }

    /// The true lift of an arm.
    pub(crate) fn lift(&self, arm: usize) -> f64 {
        self.world.arms[arm].mean() / self.world.arms[0].mean() - 1.0
    }
}

/// Two equal arms.
pub(crate) const NULL2: [f64; 2] = [0.02; 2];
/// A fifth more.
pub(crate) const TWO20: [f64; 2] = [0.02, 0.024];
/// Ten equal arms.
pub(crate) const NULL10: [f64; 10] = [0.02; 10];
/// Five arms, of which one is a quarter better.
pub(crate) const FIVE: [f64; 5] = [0.02, 0.02, 0.021, 0.022, 0.025];

/// Ten arms from 1 % to 3 %.
pub(crate) fn lin10() -> [f64; 10] {
    std::array::from_fn(|arm| 0.01 + 0.02 * arm as f64 / 9.0)
}

/// What moves all arms alike; the empty name is none.
pub(crate) const TRENDS: [(&str, Trend); 5] = [
    ("", Trend::Steady),
    ("doubling", Trend::Linear(2.0)),
    ("halving", Trend::Linear(0.5)),
    ("wave", Trend::Wave { amplitude: 0.5, period: 14.0 }),
    ("sale", Trend::Sale { from: 0.7, until: 1.0, factor: 2.5 }),
];

/// Every seed's outcome, on two threads.
pub(crate) fn worlds<T: Send>(runs: u64, play: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let half = runs / 2;
    let part = |seeds: std::ops::Range<u64>| seeds.map(|seed| play(1 + seed)).collect::<Vec<T>>();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| part(half..runs));
        let mut all = part(0..half);
        all.extend(second.join().expect("no world panics"));
        all
    })
}

/// So many of `runs` as `scale` asks for.
pub(crate) fn scaled(runs: u64, scale: f64) -> u64 {
    ((runs as f64 * scale) as u64).max(20)
}
