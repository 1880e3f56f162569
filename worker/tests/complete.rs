//! Raw completions: what they promise about tokens, dice and ends.

use std::path::Path;

use engine::{Sampling, cpu};
use worker::complete::{Completion, Finish, Request, complete, print_json, print_texts};
use worker::model::{Model, ModelError};

fn handbill() -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/handbill");
    Model::open(&folder, cpu::Form::AsStored).expect("the shipped model is complete")
}

fn request(model: &Model, count: u32, temperature: f64) -> Request {
    let prompt =
        model.tokens().encode_framed("<s>format: WebBanner\nproduct: Velta\nheadline:").expect("encoded");
    let sampling = Sampling { temperature, ..Sampling::default() };
    Request { prompt, count, max_tokens: 12, sampling, grammar: None, seed: 3 }
}

fn written(model: &Model, count: u32, temperature: f64) -> Vec<Completion> {
    complete(model, &request(model, count, temperature)).expect("the model goes on")
}

#[test]
fn a_completion_does_not_depend_on_the_others_and_its_seed_is_its_own() {
    let model = handbill();
    let all = written(&model, 4, 1.0);
    for (index, completion) in (0..).zip(&all) {
        let alone = Request { count: 1, seed: 3 + index, ..request(&model, 1, 1.0) };
        assert_eq!(complete(&model, &alone).expect("it goes on"), std::slice::from_ref(completion));
    }
    assert!(all.iter().any(|it| it.tokens != all[0].tokens), "dice differ");
}

#[test]
fn the_likeliest_token_is_the_same_in_every_row_and_log_probabilities_are_such() {
    let model = handbill();
    let rows = written(&model, 2, 0.0);
    assert_eq!(rows[0], rows[1]);
    assert_eq!(rows[0].tokens.len(), rows[0].log_probabilities.len());
    // The first token of a headline is one of a handful; a model of 2,000 tokens that knew nothing would have -7.6.
    assert!(rows[0].log_probabilities.iter().all(|it| *it <= 0.0) && rows[0].log_probabilities[0] > -4.0);
    assert_eq!(model.tokens().decode(&rows[0].tokens).expect("its own tokens"), rows[0].text);
}

#[test]
fn a_completion_ends_by_itself_or_by_its_length() {
    let model = handbill();
    let short = complete(&model, &Request { max_tokens: 2, ..request(&model, 1, 0.0) }).expect("it goes on");
    assert_eq!((short[0].finish, short[0].tokens.len()), (Finish::Length, 2));
    let closing = model.tokens().id("</s>").expect("it closes texts");
    assert_eq!(model.ends(), [closing]);
    let whole =
        "<s>format: WebBanner\nproduct: Velta\nheadline: Meet Velta\nbody: Meet Velta.\nbutton: Shop now\n";
    let prompt = model.tokens().encode_framed(whole).expect("encoded");
    let ended = complete(&model, &Request { prompt, ..request(&model, 1, 0.0) }).expect("it goes on");
    assert_eq!((ended[0].finish, ended[0].tokens.len()), (Finish::Stop, 0));
    let none =
        complete(&model, &Request { max_tokens: 0, ..request(&model, 1, 0.0) }).expect("nothing to do");
    assert_eq!((none[0].finish, none[0].text.as_str()), (Finish::Length, ""));
    let long = Request { prompt: vec![5; 512], ..request(&model, 1, 0.0) };
    assert!(matches!(complete(&model, &long), Err(ModelError::TooLong { found: 513, positions: 512 })));
}

#[test]
fn completions_are_printed_for_people_and_for_programs() {
    let completion = |text: &str| Completion {
        text: text.into(),
        tokens: vec![5],
        log_probabilities: vec![-0.5],
        finish: Finish::Stop,
    };
    let (mut texts, mut json) = (Vec::new(), Vec::new());
    print_texts(&[completion("a"), completion("b\n")], &mut texts).expect("taken");
    assert_eq!(String::from_utf8(texts).expect("text"), "--- 1\na\n--- 2\nb\n\n");
    print_json(&[completion("b\n")], &mut json).expect("taken");
    assert_eq!(
        String::from_utf8(json).expect("text"),
        "{\"text\":\"b\\n\",\"tokens\":[5],\"logProbabilities\":[-0.5],\"finish\":\"stop\"}\n"
    );
}
