//! Reads the `pre_tokenizer` of a file.

use serde_json::Value;
use tokenbed_memory::{Gather, List};

use super::matcher::{Behavior, Matcher, Split};
use super::scanner::Scanner;
use super::stream::Decided;
use super::{Cuts, Prepend, Step};
use crate::compiled::NotNative;
use crate::compiled::pattern::Pattern;
use crate::file::limits::Limits;
use crate::file::oniguruma::Spent;

const PART: &str = "pre_tokenizer";

impl Cuts {
    /// Compiles a pre-tokenizer, which may be null. `takes_bytes` says whether the model's tokens may be taken as
    /// bytes.
    pub(crate) fn compile(
        part: &Value,
        takes_bytes: bool,
        limits: Limits,
        spent: &mut Spent,
    ) -> Result<Self, NotNative> {
        let mut reader = Reader { steps: Vec::new(), bytes: false, limits, spent };
        reader.add(part)?;
        let Reader { mut steps, mut bytes, .. } = reader;
        let spelled = steps.iter().filter(|step| matches!(step, Step::Letters)).count();
        if takes_bytes && spelled == 1 && matches!(steps.last(), Some(Step::Letters)) {
            steps.pop();
            bytes = true;
        }
        join_known(&mut steps);
        let first = |step: &Step| matches!(step, Step::Metaspace { prepend: Prepend::First, .. });
        let rewrites = |step: &Step| matches!(step, Step::Metaspace { .. } | Step::Space | Step::Letters);
        // Several pieces may then begin where the text does.
        if steps.iter().skip_while(|step| !rewrites(step)).skip(1).any(first) {
            return Err(not_native("Metaspace after another step that changes texts"));
        }
        let grows = steps.iter().filter(|step| rewrites(step)).count() + usize::from(bytes) > 1;
        Ok(Self { steps, grows, bytes, limits })
    }
}

struct Reader<'a> {
    steps: Vec<Step>,
    bytes: bool,
    limits: Limits,
    spent: &'a mut Spent,
}

fn not_native(kind: &str) -> NotNative {
    NotNative::new(format!("{PART}: {kind}"))
}

impl Reader<'_> {
    fn add(&mut self, part: &Value) -> Result<(), NotNative> {
        if part.is_null() {
            return Ok(());
        }
        let kind = part.get("type").and_then(Value::as_str).ok_or_else(|| not_native("without a type"))?;
        let wrong = || not_native(kind);
        let switch = |name: &str, default: Option<bool>| match part.get(name) {
            Some(Value::Bool(on)) => Ok(*on),
            None => default.ok_or_else(wrong),
            _ => Err(wrong()),
        };
        match kind {
            "Sequence" => {
                let all = part.get("pretokenizers").and_then(Value::as_array).ok_or_else(wrong)?;
                return all.iter().try_for_each(|step| if step.is_null() { Err(wrong()) } else { self.add(step) });
            }
            "BertPreTokenizer" => self.steps.put(Step::Bert),
            "Whitespace" => self.steps.put(Step::Scan(Scanner::Words, Vec::new())),
            "WhitespaceSplit" => self.found(Matcher::Space, Behavior::Removed, false),
            "Digits" => {
                let alone = switch("individual_digits", None)?;
                let behavior = if alone { Behavior::Isolated } else { Behavior::Contiguous };
                self.found(Matcher::Numeric, behavior, false);
            }
            "Punctuation" => {
                let given = part.get("behavior").map_or(Some(Behavior::Isolated), behavior);
                self.found(Matcher::Punctuation, given.ok_or_else(wrong)?, false);
            }
            "CharDelimiterSplit" => {
                let delimiter = part.get("delimiter").and_then(one_char).ok_or_else(wrong)?;
                self.found(Matcher::Char(delimiter), Behavior::Removed, false);
            }
            "FixedLength" => {
                let length = part.get("length").map_or(Some(5), Value::as_u64).filter(|&length| length > 0);
                self.steps.put(Step::Fixed(usize::try_from(length.ok_or_else(wrong)?).map_err(|_| wrong())?));
            }
            "Metaspace" => {
                let mark = part.get("replacement").and_then(one_char).ok_or_else(wrong)?;
                let mut prepend = match part.get("prepend_scheme").map(Value::as_str) {
                    None | Some(Some("always")) => Prepend::Always,
                    Some(Some("first")) => Prepend::First,
                    Some(Some("never")) => Prepend::Never,
                    _ => return Err(wrong()),
                };
                match part.get("add_prefix_space") {
                    None | Some(Value::Null | Value::Bool(true)) => {}
                    Some(Value::Bool(false)) if prepend == Prepend::Never => prepend = Prepend::Never,
                    _ => return Err(wrong()),
                }
                let split = match part.get("split") {
                    None | Some(Value::Null) => true,
                    Some(Value::Bool(split)) => *split,
                    _ => return Err(wrong()),
                };
                self.steps.put(Step::Metaspace { mark, prepend, split });
            }
            "ByteLevel" => {
                switch("trim_offsets", None)?;
                if switch("add_prefix_space", None)? {
                    self.steps.put(Step::Space);
                }
                if switch("use_regex", Some(true))? {
                    self.scan(Scanner::Gpt2, &[Scanner::BYTE_LEVEL]);
                }
                self.steps.put(Step::Letters);
            }
            "Split" => self.split(part)?,
            other => return Err(not_native(other)),
        }
        Ok(())
    }

    fn scan(&mut self, scanner: Scanner, sources: &[&str]) {
        let decided = sources.iter().map(|source| Decided::new(source, self.limits)).into_list();
        self.steps.put(Step::Scan(scanner, decided));
    }

    fn found(&mut self, matcher: Matcher, behavior: Behavior, invert: bool) {
        self.steps.put(Step::Split(Split { matcher, behavior, invert }));
    }

    fn split(&mut self, part: &Value) -> Result<(), NotNative> {
        let wrong = || not_native("Split");
        let behavior = part.get("behavior").and_then(behavior).ok_or_else(wrong)?;
        let invert = part.get("invert").and_then(Value::as_bool).ok_or_else(wrong)?;
        let pattern = part.get("pattern").and_then(Value::as_object).filter(|it| it.len() == 1).ok_or_else(wrong)?;
        let text = |name: &str| pattern.get(name).and_then(Value::as_str);
        let matcher = match (text("String"), text("Regex")) {
            (Some(text), None) => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(one), None) => Matcher::Char(one),
                    _ => Matcher::Pattern(Box::new(Pattern::literal(PART, text, self.limits)?)),
                }
            }
            (None, Some(source)) => {
                let known = match (behavior, invert) {
                    (Behavior::Isolated, _) => Scanner::covering(source),
                    (Behavior::Removed, true) => Scanner::matching(source),
                    _ => None,
                };
                if let Some(scanner) = known {
                    self.scan(scanner, &[source]);
                    return Ok(());
                }
                let deepest = Scanner::DEEPSEEK.len() - 1;
                if (behavior, invert) == (Behavior::Isolated, false) && Scanner::DEEPSEEK.contains(&source) {
                    let follows = self.steps.len() >= deepest;
                    if source == Scanner::DEEPSEEK[deepest] && follows {
                        let before = &self.steps[self.steps.len() - deepest..];
                        if before.iter().zip(Scanner::DEEPSEEK).all(|(step, source)| step.is_pattern(source)) {
                            self.steps.truncate(self.steps.len() - deepest);
                            self.scan(Scanner::DeepSeek, &Scanner::DEEPSEEK);
                            return Ok(());
                        }
                    }
                }
                Matcher::Pattern(Box::new(Pattern::regex(PART, source, self.limits, self.spent)?))
            }
            _ => return Err(wrong()),
        };
        self.found(matcher, behavior, invert);
        Ok(())
    }
}

impl Step {
    /// Whether the step isolates the matches of this pattern.
    fn is_pattern(&self, source: &str) -> bool {
        match self {
            Self::Split(Split { matcher: Matcher::Pattern(pattern), behavior: Behavior::Isolated, invert: false }) => {
                pattern.source() == source
            }
            _ => false,
        }
    }
}

/// Leaves out steps that cut nothing after others: GPT-2's pattern matches the pieces of CLIP's whole.
fn join_known(steps: &mut Vec<Step>) {
    let is = |step: Option<&Step>, scanner: Scanner| matches!(step, Some(Step::Scan(it, _)) if *it == scanner);
    if let Some(at) =
        (1..steps.len()).find(|&at| is(steps.get(at - 1), Scanner::Clip) && is(steps.get(at), Scanner::Gpt2))
    {
        steps.remove(at);
    }
}

fn behavior(written: &Value) -> Option<Behavior> {
    Some(match written.as_str()? {
        "Removed" => Behavior::Removed,
        "Isolated" => Behavior::Isolated,
        "MergedWithPrevious" => Behavior::MergedWithPrevious,
        "MergedWithNext" => Behavior::MergedWithNext,
        "Contiguous" => Behavior::Contiguous,
        _ => return None,
    })
}

fn one_char(written: &Value) -> Option<char> {
    let mut chars = written.as_str()?.chars();
    let one = chars.next()?;
    chars.next().is_none().then_some(one)
}
