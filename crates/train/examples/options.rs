//! Prints every option that users set, as it is defined, in JSON. `scripts/options.mjs` writes TypeScript from it.
//!
//! `cargo run -p tokenbed-train --example options`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a tool that prints")]

use serde_json::{Value, json};
use tokenbed_io::text::MAX_RATIO;
use tokenbed_nn::optim::{Definition, Optimizer};
use tokenbed_nn::options::{Epsilons, Field, Kind, Usual, camel_case};
use tokenbed_train::objective::{self, Plan};

/// Integers become JSON integers, so that they are written without a point.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Flag { needs, forbids } => {
            json!({ "kind": "flag", "needs": needs.map(camel_case), "forbids": forbids.map(camel_case) })
        }
        Kind::Size { least, most } => json!({ "kind": "size", "least": least, "most": most }),
        Kind::Number { least, most } => {
            let bound = |bound: &f64| if bound.is_finite() { number(*bound) } else { Value::Null };
            json!({ "kind": "number", "least": bound(least), "most": bound(most) })
        }
        Kind::Epsilons => json!({ "kind": "epsilons" }),
        Kind::Triple => json!({ "kind": "triple" }),
        Kind::Word(words) => json!({ "kind": "word", "words": words }),
        Kind::Betas => json!({ "kind": "betas" }),
        Kind::WordOr { word, options } => json!({ "kind": "wordOr", "word": word, "options": fields(options) }),
    }
}

fn usual(usual: &Usual) -> Value {
    match usual {
        Usual::Missing => json!({}),
        Usual::Flag(value) => json!({ "value": value }),
        Usual::Number(value) => json!({ "value": number(*value) }),
        Usual::NumberBy(value, others) => {
            let others: Vec<Value> = others.iter().map(|(name, value)| json!([name, number(*value)])).collect();
            json!({ "value": number(*value), "by": others })
        }
        Usual::Pair([one, other]) => json!({ "value": [number(*one), number(*other)] }),
        Usual::Epsilons(Epsilons(one, other)) => {
            json!({ "value": [one.map_or(Value::Null, number), number(*other)] })
        }
        Usual::Triple(values) => json!({ "value": values.map(number) }),
        Usual::Word(word) => json!({ "value": word }),
        Usual::Like(name) => json!({ "like": camel_case(name) }),
    }
}

fn fields(fields: &[Field]) -> Value {
    let all = fields.iter().map(|field| {
        let mut described = kind(&field.kind);
        described["name"] = camel_case(field.name).into();
        described["about"] = field.about.trim().into();
        described["usual"] = usual(&field.usual);
        described
    });
    all.collect()
}

fn main() {
    let optimizers: Vec<Value> = Optimizer::definitions()
        .iter()
        .map(|Definition { name, about, fields: all }| json!({ "name": name, "about": about, "fields": fields(all) }))
        .collect();
    let objectives: Vec<Value> = Plan::definitions()
        .iter()
        .map(|objective::Definition { name, kind, about, fields: all }| {
            json!({ "name": name, "kind": kind, "about": about, "fields": fields(all) })
        })
        .collect();
    println!("{}", json!({ "optimizers": optimizers, "objectives": objectives, "maxRatio": MAX_RATIO }));
}
