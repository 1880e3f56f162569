//! The answer of `estimate` where a network chose by itself, or nobody knows who chose.

use experiment::{
    Cell, Delivered, DeliveredArm, DeliveredVerdict, Totals, estimate_delivered, judge_delivered,
};

use super::answer::{EstimateAnswer, Figure, IntervalAnswer, VariantAnswer, VerdictWord, planned_look};
use super::fault::{Fault, Problem};
use super::read::Question;
use super::words;

/// What a network's days say.
pub(super) fn answer(question: &Question) -> Result<EstimateAnswer, Fault> {
    let delivered = estimate_delivered(&question.cells, &question.design)
        .map_err(|error| Fault::at(&"rounds", Problem::Refused(error.to_string())))?;
    let verdict = judge_delivered(&delivered, question.plan.remaining());
    let (word, winner) = match verdict {
        DeliveredVerdict::WinnerAsDelivered { arm } => (VerdictWord::WinnerAsDelivered, Some(arm)),
        DeliveredVerdict::Inconclusive => (VerdictWord::Inconclusive, None),
        DeliveredVerdict::Collecting => (VerdictWord::Collecting, None),
    };
    let sentence = words::delivered(question, &delivered, verdict);
    let variants = variants(question, &delivered);
    let mut answer = said(question, variants, sentence);
    // A look in the middle of a day is none.
    answer.planned_look.iter_mut().for_each(|look| look.reached &= question.plan.over.is_some());
    Ok(EstimateAnswer {
        verdict: Some(word),
        winner: winner.map(|arm| question.names[arm].clone()),
        ..answer
    })
}

/// What was counted, and no more.
pub(super) fn numbers(question: &Question) -> EstimateAnswer {
    let totals = |arm: usize| {
        let of_arm = question.cells.iter().map(|cell: &Cell| cell.totals()[arm]);
        of_arm.fold(Totals::default(), |sum, totals| sum + totals)
    };
    let variants = question.names.iter().enumerate().map(|(arm, name)| {
        let Totals { exposures, rewards, .. } = totals(arm);
        variant(name, exposures, rewards, rewards / exposures as f64)
    });
    EstimateAnswer { planned_look: None, ..said(question, variants.collect(), words::not_randomized()) }
}

/// An answer without anything that rests on shares.
fn said(question: &Question, variants: Vec<VariantAnswer>, sentence: String) -> EstimateAnswer {
    let counted = variants.iter().map(|variant| variant.exposures).sum();
    EstimateAnswer {
        basis: question.basis,
        variants,
        sample_ratio: None,
        guardrails: Vec::new(),
        verdict: None,
        sentence,
        leader: None,
        winner: None,
        missing: Vec::new(),
        still_needed: None,
        days_left: None,
        planned_look: planned_look(question, counted),
        planned_size: None,
        segments: None,
    }
}

fn variants(question: &Question, delivered: &Delivered) -> Vec<VariantAnswer> {
    let of = |(name, arm): (&String, &DeliveredArm)| VariantAnswer {
        lift: arm.lift.map(IntervalAnswer::from),
        ..variant(name, arm.exposures, arm.rewards, arm.mean)
    };
    question.names.iter().zip(&delivered.arms).map(of).collect()
}

fn variant(name: &str, exposures: u64, rewards: f64, mean: f64) -> VariantAnswer {
    let unknown = Figure(f64::NAN);
    VariantAnswer {
        name: name.to_owned(),
        exposures,
        rewards: Figure(rewards),
        mean: IntervalAnswer { estimate: Figure(mean), low: unknown, high: unknown },
        rounds: None,
        difference: None,
        lift: None,
        lift_anytime: None,
        lift_shrunken: None,
        e_value: None,
        log_e_value: None,
        p_anytime: None,
        p_best: unknown,
        expected_loss: unknown,
        relative_loss: unknown,
    }
}
